// SPDX-License-Identifier: Apache-2.0
/// @file
/// The extension point of fusion: `fusion_block<Tag, Backend>`, found by its tag. Specialise it for a tag of your own
/// and write the forward pass; docs/how-to/fusion-block.md and examples/custom_fusion.cpp show how.
#ifndef COMODAL_MODEL_FUSION_BLOCK_HPP
#define COMODAL_MODEL_FUSION_BLOCK_HPP

#include <comodal/core/ladder.hpp>
#include <comodal/model/presence.hpp>
#include <comodal/nn/forward_request.hpp>
#include <comodal/nn/layers.hpp>

#include <concepts>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

/// The sizes that a fusion block of one stage is constructed with.
struct fusion_sizes {
  index modalities = 2;
  index stream_channels = 8;  // c of each modality's map
  index fused_channels = 16;  // C of the fused map
};

/// A fusion block of one stage. A specialisation for a tag has
///  - a constructor from `(const parameter_scope<Backend>&, const fusion_sizes&)` that makes its parameters;
///  - `variable<Backend> fuse(const std::vector<variable<Backend>>& maps, const presence<Backend>& present) const`:
///    M maps (N, D, H, W, c) -> one map (N, D, H, W, C). Absent modalities must not change the result: weigh with
///    `present.mask()` or `present.share()`, or use `masked_softmax`. A block with dropout or perturbations takes the
///    request of the forward pass as a third argument: `fuse(maps, present, const forward_request& request) const`.
template <class Tag, tensor_backend Backend>
struct fusion_block {
  static_assert(!sizeof(Tag),
                "comodal: there is no fusion_block for this tag; specialise comodal::fusion_block<Tag, Backend> "
                "(docs/how-to/fusion-block.md)");
};

/// A type that fuses the maps of one stage, with or without the request of the forward pass.
template <class T, class Backend>
concept fusion_block_type =
    std::constructible_from<T, const parameter_scope<Backend>&, const fusion_sizes&> &&
    (requires(const T& block, const std::vector<variable<Backend>>& maps, const presence<Backend>& present) {
      { block.fuse(maps, present) } -> std::same_as<variable<Backend>>;
    } || requires(const T& block, const std::vector<variable<Backend>>& maps, const presence<Backend>& present,
                  const forward_request& request) {
      { block.fuse(maps, present, request) } -> std::same_as<variable<Backend>>;
    });

/// Says in plain words which member of a fusion block is missing; only the first that is missing speaks.
template <class T, tensor_backend Backend>
constexpr void check_fusion_block() {
  if constexpr (!std::constructible_from<T, const parameter_scope<Backend>&, const fusion_sizes&>)
    static_assert(
        detail::never<T>,
        "comodal: a fusion_block needs a constructor from (const parameter_scope<Backend>&, const fusion_sizes&)");
  else if constexpr (
      !requires(const T& block, const std::vector<variable<Backend>>& maps, const presence<Backend>& present) {
        block.fuse(maps, present);
      } && !requires(const T& block, const std::vector<variable<Backend>>& maps, const presence<Backend>& present,
                     const forward_request& request) { block.fuse(maps, present, request); })
    static_assert(detail::never<T>,
                  "comodal: a fusion_block needs a member fuse(const std::vector<variable<Backend>>& maps, const "
                  "presence<Backend>& present) const");
  else if constexpr (!fusion_block_type<T, Backend>)
    static_assert(detail::never<T>, "comodal: fuse() of a fusion_block must return variable<Backend>");
}

/// The mean of the present modalities, each aligned by a learned 1x1x1 convolution V_m.
struct mean_fusion {};
/// All maps side by side (absent ones 0), then a 1x1x1 convolution.
struct concat_fusion {};
/// Attention weights per modality and voxel: method.md 1.2, after MAML (Zhang et al., MICCAI 2021).
struct gated_fusion {};
/// Attention weights per modality and channel, from the maps' means over space (squeeze and excitation across
/// modalities).
struct channel_fusion {};
/// Dot-product attention over the modalities of each voxel: the mean asks, every modality answers. Memory grows with
/// the voxels.
struct cross_modal_fusion {};
/// The same over windows of 2x2x2 voxels (1 along an axis of odd extent): their mean maps ask and answer, and the
/// weights come back to the voxels by trilinear up-sampling. Queries and keys take an eighth of the memory.
struct window_cross_modal_fusion {};

namespace detail {

/// The aligned, weighted sum of maps: sum_m w_m V_m * F_m, as one convolution of the weighted maps side by side.
template <tensor_backend Backend>
class aligned_sum {
 public:
  aligned_sum(const parameter_scope<Backend>& scope, const fusion_sizes& sizes) {
    for (index m = 0; m < sizes.modalities; ++m)
      m_align.push_back(
          (scope / "align" / m).he_normal("weight", {1, 1, 1, sizes.stream_channels, sizes.fused_channels}, 1));
  }
  [[nodiscard]] variable<Backend> operator()(const std::vector<variable<Backend>>& maps,
                                             const variable<Backend>& weights) const {
    return weighted_conv3d(maps, weights, concat(m_align, 3));
  }

 private:
  std::vector<variable<Backend>> m_align;
};

/// Dot-product attention over modalities (Vaswani et al. 2017, equation 1): the mean of the present maps is the query,
/// each map has a key. M maps (N, D, H, W, c) -> weights (N, D, H, W, M): 0 for absent modalities, 1 in sum.
template <tensor_backend Backend>
class cross_modal_attention {
 public:
  cross_modal_attention(const parameter_scope<Backend>& scope, const fusion_sizes& sizes)
      : m_query(scope / "query", sizes.stream_channels, sizes.stream_channels, {1, 1, 1}) {
    for (index m = 0; m < sizes.modalities; ++m)
      m_keys.emplace_back(scope / "key" / m, sizes.stream_channels, sizes.stream_channels, extent3{1, 1, 1});
  }
  [[nodiscard]] variable<Backend> operator()(const std::vector<variable<Backend>>& maps,
                                             const presence<Backend>& present) const {
    const auto query = m_query(weighted_sum(maps, present.share()));
    const double scaling = 1 / std::sqrt(static_cast<double>(query.extent(4)));
    std::vector<variable<Backend>> scores;
    for (std::size_t m = 0; m < maps.size(); ++m)
      scores.push_back(scale(sum(multiply(query, m_keys[m](maps[m])), {4}), scaling));
    return masked_softmax(concat(scores), present.mask());
  }

 private:
  convolution<Backend> m_query;
  std::vector<convolution<Backend>> m_keys;
};

}  // namespace detail

template <tensor_backend Backend>
struct fusion_block<mean_fusion, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes) : m_sum(scope, sizes) {}
  [[nodiscard]] variable<Backend> fuse(const std::vector<variable<Backend>>& maps,
                                       const presence<Backend>& present) const {
    return m_sum(maps, present.share());
  }

 private:
  detail::aligned_sum<Backend> m_sum;
};

template <tensor_backend Backend>
struct fusion_block<concat_fusion, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes) : m_sum(scope, sizes) {}
  [[nodiscard]] variable<Backend> fuse(const std::vector<variable<Backend>>& maps,
                                       const presence<Backend>& present) const {
    return m_sum(maps, present.mask());
  }

 private:
  detail::aligned_sum<Backend> m_sum;
};

template <tensor_backend Backend>
struct fusion_block<gated_fusion, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes) : m_sum(scope, sizes) {
    for (index m = 0; m < sizes.modalities; ++m)
      m_gates.emplace_back(scope / "gate" / m, 2 * sizes.stream_channels, 1, extent3{1, 1, 1}, true);
  }
  /// alpha, (N, D, H, W, M): how much each voxel takes from each modality; 0 for absent ones, 1 in sum.
  [[nodiscard]] variable<Backend> attention(const std::vector<variable<Backend>>& maps,
                                            const presence<Backend>& present) const {
    const auto mean = weighted_sum(maps, present.share());
    std::vector<variable<Backend>> scores;
    for (std::size_t m = 0; m < maps.size(); ++m) scores.push_back(m_gates[m]({maps[m], mean}));
    return masked_softmax(concat(scores), present.mask());
  }
  [[nodiscard]] variable<Backend> fuse(const std::vector<variable<Backend>>& maps,
                                       const presence<Backend>& present) const {
    return m_sum(maps, attention(maps, present));
  }

 private:
  detail::aligned_sum<Backend> m_sum;
  std::vector<convolution<Backend>> m_gates;
};

template <tensor_backend Backend>
struct fusion_block<channel_fusion, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes) : m_sum(scope, sizes) {
    const index c = sizes.stream_channels, hidden = std::max<index>(4, c / 2);
    for (index m = 0; m < sizes.modalities; ++m) {
      m_squeeze.emplace_back(scope / "squeeze" / m, 2 * c, hidden, extent3{1, 1, 1}, true);
      m_excite.emplace_back(scope / "excite" / m, hidden, c, extent3{1, 1, 1}, true);
    }
  }
  [[nodiscard]] variable<Backend> fuse(const std::vector<variable<Backend>>& maps,
                                       const presence<Backend>& present) const {
    std::vector<variable<Backend>> pooled, scores, weighted;
    for (const auto& map : maps) pooled.push_back(mean(map, {1, 2, 3}));
    const auto average = weighted_sum(pooled, present.share());
    for (std::size_t m = 0; m < maps.size(); ++m) {
      const auto s = m_excite[m](leaky_relu(m_squeeze[m]({pooled[m], average})));
      scores.push_back(reshape(s, {s.extent(0), s.extent(4), 1}));
    }
    const auto alpha = masked_softmax(concat(scores), present.mask());  // (N, c, M)
    for (std::size_t m = 0; m < maps.size(); ++m) {
      const auto column = slice(alpha, 2, static_cast<index>(m), static_cast<index>(m) + 1);
      weighted.push_back(multiply(maps[m], reshape(column, {column.extent(0), 1, 1, 1, column.extent(1)})));
    }
    return m_sum(weighted, present.mask());
  }

 private:
  detail::aligned_sum<Backend> m_sum;
  std::vector<convolution<Backend>> m_squeeze, m_excite;
};

template <tensor_backend Backend>
struct fusion_block<cross_modal_fusion, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes)
      : m_sum(scope, sizes), m_attention(scope, sizes) {}
  /// (N, D, H, W, M): how much each voxel takes from each modality; 0 for absent ones, 1 in sum.
  [[nodiscard]] variable<Backend> attention(const std::vector<variable<Backend>>& maps,
                                            const presence<Backend>& present) const {
    return m_attention(maps, present);
  }
  [[nodiscard]] variable<Backend> fuse(const std::vector<variable<Backend>>& maps,
                                       const presence<Backend>& present) const {
    return m_sum(maps, attention(maps, present));
  }

 private:
  detail::aligned_sum<Backend> m_sum;
  detail::cross_modal_attention<Backend> m_attention;
};

template <tensor_backend Backend>
struct fusion_block<window_cross_modal_fusion, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes)
      : m_sum(scope, sizes), m_attention(scope, sizes) {}
  /// (N, D, H, W, M), as that of `cross_modal_fusion`, but smooth: interpolated between the centres of windows.
  [[nodiscard]] variable<Backend> attention(const std::vector<variable<Backend>>& maps,
                                            const presence<Backend>& present) const {
    extent3 window{};
    for (std::size_t a = 0; a < 3; ++a) window[a] = maps[0].extent(static_cast<int>(a) + 1) % 2 == 0 ? 2 : 1;
    std::vector<variable<Backend>> pooled;
    for (const auto& map : maps) pooled.push_back(average_pool3d(map, window));
    return upsample3d(m_attention(pooled, present), window);
  }
  [[nodiscard]] variable<Backend> fuse(const std::vector<variable<Backend>>& maps,
                                       const presence<Backend>& present) const {
    return m_sum(maps, attention(maps, present));
  }

 private:
  detail::aligned_sum<Backend> m_sum;
  detail::cross_modal_attention<Backend> m_attention;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
