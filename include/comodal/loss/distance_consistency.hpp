// SPDX-License-Identifier: Apache-2.0
/// @file
/// Consistency of a prediction with a map of signed distances (DTC; Luo et al., AAAI 2021).
#ifndef COMODAL_LOSS_DISTANCE_CONSISTENCY_HPP
#define COMODAL_LOSS_DISTANCE_CONSISTENCY_HPP

#include <comodal/loss/consistency_loss.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

struct hyperbolic_tangent {
  template <class T>
  KOKKOS_INLINE_FUNCTION T operator()(T x) const {
    return math::tanh(x);
  }
};
struct hyperbolic_tangent_slope {
  template <class T>
  KOKKOS_INLINE_FUNCTION T operator()(T x) const {
    const T y = math::tanh(x);
    return T(1) - y * y;
  }
};

}  // namespace detail

/// What a network says of distances: tanh of its output, from -1 (deep inside) to 1 (far outside).
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> bounded_distances(const variable<Backend>& x) {
  return elementwise(x, detail::hyperbolic_tangent{}, detail::hyperbolic_tangent_slope{});
}

/// Mean over voxels and foreground classes of (sigmoid(-k s) - p)^2; s are signed distances, negative inside. Both
/// receive gradients. With k = 1500 only |s| below some 0.06 does in float: elsewhere the sigmoid is 0 or 1 to the bit,
/// and its gradient is 0.
struct distance_consistency {
  label_kind kind = label_kind::classes;
  double steepness = 1500;  // k
  /// @param z logits (N, D, H, W, C) @param distances (N, D, H, W, K), one per foreground class (C - 1 classes, or C
  /// regions) @return (N) @throws shape_error for another number of distances
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& z, const variable<Backend>& distances) const {
    const int channel = z.shape().rank() - 1;
    const index classes = z.extent(channel), first = kind == label_kind::classes ? 1 : 0;
    if (distances.extent(-1) != classes - first)
      throw shape_error(text("distance_consistency: distances ", distances.shape().to_string(), " for logits ",
                             z.shape().to_string(), ", expected ", classes - first, " channels"));
    const auto p = slice(probabilities(z, kind), channel, first, classes);
    const auto d = sigmoid(scale(distances, -steepness)) - p;
    return detail::voxel_mean<Backend>(mean(d * d, {channel}), {});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
