// SPDX-License-Identifier: Apache-2.0
/// @file
/// Consistency of several predictions of the same voxels with their mean (URPC; Luo et al., MICCAI 2021).
#ifndef COMODAL_LOSS_PYRAMID_CONSISTENCY_HPP
#define COMODAL_LOSS_PYRAMID_CONSISTENCY_HPP

#include <comodal/loss/consistency_loss.hpp>

#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// ln of a probability, bounded where it vanishes.
struct bounded_log {
  template <class T>
  KOKKOS_INLINE_FUNCTION T operator()(T p) const {
    return math::log(p > T(1e-30) ? p : T(1e-30));
  }
};
struct bounded_log_slope {
  template <class T>
  KOKKOS_INLINE_FUNCTION T operator()(T p) const {
    return p > T(1e-30) ? 1 / p : T(0);
  }
};

}  // namespace detail

/// With p_s = probabilities of the predictions s, q their mean and D_s = KL(q || p_s) per voxel: the mean over s of
/// sum (q - p_s)^2 e^-D_s / sum e^-D_s + mean D_s; squares are means over classes, sums and means over voxels. Of
/// regions, D is the mean over channels of that of (q_c, 1 - q_c). All predictions receive gradients.
struct pyramid_consistency {
  label_kind kind = label_kind::classes;
  /// @param logits (N, D, H, W, C) each @return (N) @throws config_error for fewer than two predictions
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> operator()(const std::vector<variable<Backend>>& logits) const {
    if (logits.size() < 2)
      throw config_error(text("pyramid_consistency: ", logits.size(), " predictions, expected 2 or more"));
    const double share = 1 / static_cast<double>(logits.size());
    std::vector<variable<Backend>> all;
    variable<Backend> q;
    for (const auto& z : logits) {
      all.push_back(probabilities(z, kind));
      q = q ? q + all.back() : all.back();
    }
    q = q * share;
    variable<Backend> total;
    for (const auto& p : all) {
      const auto far = divergence(q, p);
      const auto weight = exp(-far), difference = q - p;
      const int channel = p.shape().rank() - 1;
      const auto term =
          detail::voxel_mean(mean(difference * difference, {channel}), weight) + detail::voxel_mean<Backend>(far, {});
      total = total ? total + term : term;
    }
    return total * share;
  }

 private:
  template <tensor_backend Backend>
  static variable<Backend> ln(const variable<Backend>& p) {
    return elementwise(p, detail::bounded_log{}, detail::bounded_log_slope{});
  }
  // KL(q || p) per voxel: (N, D, H, W, 1).
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> divergence(const variable<Backend>& q, const variable<Backend>& p) const {
    const int channel = p.shape().rank() - 1;
    auto each = q * (ln(q) - ln(p));
    if (kind == label_kind::regions) {
      const auto no_q = 1.0 - q, no_p = 1.0 - p;
      return mean(each + no_q * (ln(no_q) - ln(no_p)), {channel});
    }
    return sum(each, {channel});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
