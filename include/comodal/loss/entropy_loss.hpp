// SPDX-License-Identifier: Apache-2.0
/// @file
/// Entropy of a prediction as a loss: entropy minimisation (Grandvalet and Bengio, NeurIPS 2004).
#ifndef COMODAL_LOSS_ENTROPY_LOSS_HPP
#define COMODAL_LOSS_ENTROPY_LOSS_HPP

#include <comodal/loss/consistency_loss.hpp>

#include <cmath>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// -p ln p, and 0 at 0.
struct entropy_part {
  template <class T>
  KOKKOS_INLINE_FUNCTION T operator()(T p) const {
    return p > 0 ? -p * math::log(p) : T(0);
  }
};
// Its slope; at 0 any number will do, since probabilities that vanish have no gradient.
struct entropy_part_slope {
  template <class T>
  KOKKOS_INLINE_FUNCTION T operator()(T p) const {
    return p > 0 ? -math::log(p) - T(1) : T(0);
  }
};

}  // namespace detail

/// Mean over voxels, weighted by w, of the entropy of the prediction, from 0 (certain) to 1 (all classes alike): -sum_c
/// p_c ln p_c / ln C; of regions, the mean over channels of the entropy of (p_c, 1 - p_c), divided by ln 2. The
/// prediction itself receives the gradient.
struct entropy_loss {
  label_kind kind = label_kind::classes;
  /// @param z logits (N, D, H, W, C) @param w (N, D, H, W) or empty @return (N)
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& z, const variable<Backend>& w = {}) const {
    const auto part = [](const variable<Backend>& p) {
      return elementwise(p, detail::entropy_part{}, detail::entropy_part_slope{});
    };
    const auto p = probabilities(z, kind);
    const int channel = z.shape().rank() - 1;
    if (kind == label_kind::regions)
      return detail::voxel_mean(scale(mean(part(p) + part(1.0 - p), {channel}), 1 / std::log(2.0)), w);
    const auto classes = static_cast<double>(z.extent(channel));
    return detail::voxel_mean(scale(mean(part(p), {channel}), classes / std::log(classes)), w);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
