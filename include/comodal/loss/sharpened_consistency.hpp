// SPDX-License-Identifier: Apache-2.0
/// @file
/// Mutual consistency of several predictions of the same voxels with each other's sharpened ones (MC-Net+; Wu et al.,
/// Medical Image Analysis 2022).
#ifndef COMODAL_LOSS_SHARPENED_CONSISTENCY_HPP
#define COMODAL_LOSS_SHARPENED_CONSISTENCY_HPP

#include <comodal/loss/consistency_loss.hpp>

#include <cstddef>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The sum over ordered pairs i != j of the mean over voxels and classes of (p_i - s_j)^2. s is p sharpened: p^(1/T)
/// brought to a sum of 1; of regions, each channel against its complement. It is computed as the probabilities of z /
/// T, which is the same, and does not underflow.
struct sharpened_consistency {
  label_kind kind = label_kind::classes;
  double temperature = 0.1;  // T
  bool detached = true;      // s receives no gradient
  /// @param logits (N, D, H, W, C) each @return (N) @throws config_error for fewer than two predictions
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> operator()(const std::vector<variable<Backend>>& logits) const {
    if (logits.size() < 2)
      throw config_error(text("sharpened_consistency: ", logits.size(), " predictions, expected 2 or more"));
    std::vector<variable<Backend>> all, sharp;
    for (const auto& z : logits) {
      all.push_back(probabilities(z, kind));
      sharp.push_back(probabilities(scale(detached ? detach(z) : z, 1 / temperature), kind));
    }
    variable<Backend> total;
    for (std::size_t i = 0; i < all.size(); ++i)
      for (std::size_t j = 0; j < all.size(); ++j) {
        if (i == j) continue;
        const auto d = all[i] - sharp[j];
        const auto term = mean(d * d, {d.shape().rank() - 1});
        total = total ? total + term : term;
      }
    return detail::voxel_mean<Backend>(total, {});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
