// SPDX-License-Identifier: Apache-2.0
/// @file
/// One stage of multi-stage fusion and enhancement: the maps of all modalities become one, what finer stages fused is
/// carried on, and each modality's stream is handed an enhanced map.
#ifndef COMODAL_MODEL_FUSION_STAGE_HPP
#define COMODAL_MODEL_FUSION_STAGE_HPP

#include <comodal/core/ladder.hpp>
#include <comodal/model/fusion_block.hpp>

#include <memory>
#include <optional>

namespace comodal::inline COMODAL_CONFIG {

/// The sizes that a fusion stage is constructed with.
struct fusion_stage_sizes {
  fusion_sizes block;
  index finer_channels = 0;  // channels of the fused map of the next finer stage; 0: there is none
  extent3 stride{1, 1, 1};   // from the finer stage to this one
  extent3 filter{3, 3, 3};   // of the convolution that joins both
  bool enhance = true;       // hand enhanced maps back
};

/// A type that fuses one stage and hands enhanced maps back.
template <class T, class Backend>
concept fusion_stage =
    requires(const T& stage, const std::vector<variable<Backend>>& maps, const presence<Backend>& present,
             const variable<Backend>& map, const forward_request& request) {
      { stage.fuse(maps, present, map, request) } -> std::same_as<variable<Backend>>;
      { stage.enhance(maps, map, request) } -> std::same_as<std::vector<variable<Backend>>>;
    };

/// Says in plain words which member of a fusion stage is missing; only the first that is missing speaks.
template <class T, tensor_backend Backend>
constexpr void check_fusion_stage() {
  if constexpr (!requires(const T& stage, const std::vector<variable<Backend>>& maps, const presence<Backend>& present,
                          const variable<Backend>& finer,
                          const forward_request& request) { stage.fuse(maps, present, finer, request); })
    static_assert(
        detail::never<T>,
        "comodal: a fusion_stage needs a member fuse(maps, present, finer, request) const: M maps, the presence mask, "
        "the finer stage's fused map or none, the forward_request");
  else if constexpr (!requires(const T& stage, const std::vector<variable<Backend>>& maps,
                               const variable<Backend>& fused,
                               const forward_request& request) { stage.enhance(maps, fused, request); })
    static_assert(detail::never<T>,
                  "comodal: a fusion_stage needs a member enhance(maps, fused, request) const that returns the M maps "
                  "handed back to the "
                  "streams");
  else if constexpr (!fusion_stage<T, Backend>)
    static_assert(detail::never<T>,
                  "comodal: fuse() of a fusion_stage must return variable<Backend>, enhance() a std::vector of them");
}

/// The stage of method.md 1.2 and 1.3 around any fusion block:
///   Z = block(F_1 ... F_M),  U = Z + lrelu(IN(W * [Z ; Down(U_finer)]))  (the finest stage: U = Z),
///   F~_m = F_m + gamma_m . sigmoid(G_m * [F_m ; U]) . (R_m * U), gamma_m from 0.
template <class Tag, tensor_backend Backend>
class multi_stage_fusion {
 public:
  using block_type = fusion_block<Tag, Backend>;

  multi_stage_fusion(const parameter_scope<Backend>& scope, const fusion_stage_sizes& sizes)
      : m_stride(sizes.stride), m_block_channels(sizes.block.fused_channels), m_block(scope, sizes.block) {
    check_fusion_block<block_type, Backend>();
    const index c = sizes.block.stream_channels, fused = sizes.block.fused_channels;
    if (sizes.finer_channels > 0) m_join.emplace(scope / "join", fused + sizes.finer_channels, fused, sizes.filter);
    if (!sizes.enhance) return;
    for (index m = 0; m < sizes.block.modalities; ++m) {
      m_gates.emplace_back(scope / "enhance_gate" / m, c + fused, c, extent3{1, 1, 1}, true);
      m_returns.emplace_back(scope / "enhance" / m, fused, c, extent3{1, 1, 1});
      m_gammas.push_back((scope / "enhance" / m).constant("gamma", {c}, 0));
    }
  }

  /// maps: M of (N, D, H, W, c); finer: the fused map of the finer stage, or empty at the finest -> (N, D, H, W, C).
  [[nodiscard]] variable<Backend> fuse(const std::vector<variable<Backend>>& maps, const presence<Backend>& present,
                                       const variable<Backend>& finer, const forward_request& request = {}) const {
    const auto z = [&] {
      if constexpr (requires { m_block.fuse(maps, present, request); })
        return m_block.fuse(maps, present, request);
      else
        return m_block.fuse(maps, present);
    }();
    if (const shape& found = z.shape(); found.rank() != 5 || found[4] != m_block_channels)
      throw shape_error(text("fuse() of a fusion block returned ", found.to_string(),
                             ", expected sizes.fused_channels = ", m_block_channels,
                             " in the last axis (docs/how-to/fusion-block.md)"));
    if (!m_join) return z;
    return add(z, (*m_join)({z, max_pool3d(finer, m_stride)}));
  }

  /// The maps that go on in the streams and to the branches' skips; without enhancement, the maps themselves.
  [[nodiscard]] std::vector<variable<Backend>> enhance(const std::vector<variable<Backend>>& maps,
                                                       const variable<Backend>& fused,
                                                       const forward_request& = {}) const {
    if (m_gates.empty()) return maps;
    std::vector<variable<Backend>> out;
    for (std::size_t m = 0; m < maps.size(); ++m) {
      out.push_back(gated_add(maps[m], m_gates[m]({maps[m], fused}), m_returns[m](fused), m_gammas[m]));
    }
    return out;
  }

  [[nodiscard]] const block_type& block() const { return m_block; }

 private:
  extent3 m_stride;
  index m_block_channels;
  block_type m_block;
  std::optional<conv_norm_act<Backend>> m_join;
  std::vector<convolution<Backend>> m_gates, m_returns;
  std::vector<variable<Backend>> m_gammas;
};

/// Any fusion stage, chosen at run time.
template <tensor_backend Backend>
class any_fusion {
 public:
  template <class Stage>
  explicit any_fusion(Stage stage) : m_stage(std::make_shared<model<Stage>>(std::move(stage))) {
    check_fusion_stage<Stage, Backend>();
  }
  [[nodiscard]] variable<Backend> fuse(const std::vector<variable<Backend>>& maps, const presence<Backend>& present,
                                       const variable<Backend>& finer, const forward_request& request = {}) const {
    return m_stage->fuse(maps, present, finer, request);
  }
  [[nodiscard]] std::vector<variable<Backend>> enhance(const std::vector<variable<Backend>>& maps,
                                                       const variable<Backend>& fused,
                                                       const forward_request& request = {}) const {
    return m_stage->enhance(maps, fused, request);
  }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual variable<Backend> fuse(const std::vector<variable<Backend>>&, const presence<Backend>&,
                                   const variable<Backend>&, const forward_request&) const = 0;
    virtual std::vector<variable<Backend>> enhance(const std::vector<variable<Backend>>&, const variable<Backend>&,
                                                   const forward_request&) const = 0;
  };
  template <class Stage>
  struct model final : interface {
    explicit model(Stage s) : stage(std::move(s)) {}
    variable<Backend> fuse(const std::vector<variable<Backend>>& maps, const presence<Backend>& present,
                           const variable<Backend>& finer, const forward_request& request) const override {
      return stage.fuse(maps, present, finer, request);
    }
    std::vector<variable<Backend>> enhance(const std::vector<variable<Backend>>& maps, const variable<Backend>& fused,
                                           const forward_request& request) const override {
      return stage.enhance(maps, fused, request);
    }
    Stage stage;
  };
  std::shared_ptr<const interface> m_stage;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
