// SPDX-License-Identifier: Apache-2.0
/// @file
/// Labels from probabilities: the most probable class, or the last region that is more probable than not.
#ifndef COMODAL_INFER_LABELLING_HPP
#define COMODAL_INFER_LABELLING_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/host_tasks.hpp>
#include <comodal/infer/probability_map.hpp>
#include <comodal/ops/elementwise.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace infer_detail {

// Probabilities (C, V) become labels (V).
struct labelling_body {
  const float* p;
  const std::uint8_t* label;  // of each channel
  index channels, voxels;
  bool regions;
  std::uint8_t* out;

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    index chosen = regions ? -1 : 0;
    float best = regions ? 0.5f : p[i];
    for (index c = regions ? 0 : 1; c < channels; ++c) {
      const float q = p[c * voxels + i];
      const bool wins = q > best;
      chosen = wins ? c : chosen;
      best = wins && !regions ? q : best;
    }
    out[i] = chosen < 0 ? std::uint8_t{0} : label[chosen];
  }
};

// Labels of probabilities in the memory of the host.
[[nodiscard]] inline std::vector<std::uint8_t> labels_on_host(const probability_map& map,
                                                              const std::vector<std::uint8_t>& label, bool regions) {
  const index voxels = static_cast<index>(map.values.size()) / map.channels;
  std::vector<std::uint8_t> out(static_cast<std::size_t>(voxels));
  const labelling_body body{map.values.data(), label.data(), map.channels, voxels, regions, out.data()};
  constexpr index block = 4096;
  host_slices((voxels + block - 1) / block, voxels * map.channels, [&](index t) {
    for (index i = t * block; i < std::min((t + 1) * block, voxels); ++i) body(i);
  });
  return out;
}

}  // namespace infer_detail

/// The class of the highest probability at each voxel; ties go to the lower class.
[[nodiscard]] inline std::vector<std::uint8_t> most_probable(const probability_map& map) {
  std::vector<std::uint8_t> classes(static_cast<std::size_t>(map.channels));
  std::iota(classes.begin(), classes.end(), std::uint8_t{0});
  return infer_detail::labels_on_host(map, classes, false);
}

/// Labels from region probabilities: each voxel takes the label of the last region in order whose probability exceeds
/// 1/2 (nnU-Net's `regions_class_order`), else 0. @throws config_error unless there is one label per region
[[nodiscard]] inline std::vector<std::uint8_t> labels_of_regions(const probability_map& map,
                                                                 const std::vector<std::uint8_t>& order) {
  if (static_cast<index>(order.size()) != map.channels)
    throw config_error(text("labels_of_regions: ", order.size(), " labels for ", map.channels, " regions"));
  return infer_detail::labels_on_host(map, order, true);
}

/// The same on a back end: the labels of probabilities (C, D, H, W), from where they are.
template <tensor_backend Backend>
class labeller {
  using space = typename Backend::space_type;

 public:
  /// @param label of each channel @param regions whether channels overlap
  labeller(context<Backend>& ctx, const std::vector<std::uint8_t>& label, bool regions)
      : m_context(&ctx),
        m_label(ctx.template make_of<std::uint8_t>({static_cast<index>(label.size())})),
        m_regions(regions) {
    copy_from_host(ctx.space(), label, m_label);
  }
  /// @return on the host, (D, H, W) @throws config_error for another number of channels
  [[nodiscard]] std::vector<std::uint8_t> operator()(const tensor<float, space>& probabilities) const {
    const index channels = probabilities.shape()[0], voxels = probabilities.size() / channels;
    if (channels != m_label.size())
      throw config_error(text("labels: ", m_label.size(), " labels for ", channels, " channels"));
    const auto out = m_context->template make_of<std::uint8_t>({voxels});
    ops::each(
        *m_context, voxels,
        infer_detail::labelling_body{probabilities.data(), m_label.data(), channels, voxels, m_regions, out.data()});
    return to_host(m_context->space(), out);
  }

 private:
  context<Backend>* m_context;
  tensor<std::uint8_t, space> m_label;
  bool m_regions;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
