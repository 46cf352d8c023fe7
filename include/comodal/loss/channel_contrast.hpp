// SPDX-License-Identifier: Apache-2.0
/// @file
/// Contrast between the channels of two feature maps: a channel agrees with its partner in the other map, and differs
/// from all other channels. The channel-wise semantic consistency of CMC (Zhou et al., MICCAI 2024).
#ifndef COMODAL_LOSS_CHANNEL_CONTRAST_HPP
#define COMODAL_LOSS_CHANNEL_CONTRAST_HPP

#include <comodal/loss/feature_losses.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// Which of 2C channels of two maps are the same one, and which are partners.
template <class T>
struct channel_pairs_body {
  index channels;  // C
  T *self, *partner;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index a = i / (2 * channels), b = i % (2 * channels);
    self[i] = a == b ? T(excluded_logit) : T(0);
    partner[i] = a - b == channels || b - a == channels ? T(1) : T(0);
  }
};

}  // namespace detail

/// NT-Xent (Chen et al., ICML 2020) between channels. Each of the 2C channels is a vector over voxels, brought to
/// length 1; its partner is the same channel of the other map, and the other 2C - 2 are negatives: mean over channels
/// of -s(c, c+) / tau + ln sum_(j != c) exp(s(c, j) / tau). At equal similarities it is ln(2C - 1).
struct channel_contrast {
  double temperature = 0.5;

  /// @param a, b features (N, V, C), both of which receive gradients @return (N) @throws shape_error
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& a, const variable<Backend>& b) const {
    if (a.shape().rank() != 3 || !(a.shape() == b.shape()))
      throw shape_error(text("channel_contrast: ", a.shape().to_string(), " and ", b.shape().to_string(),
                             ", expected the same (N, V, C)"));
    const index samples = a.extent(0), channels = a.extent(2);
    auto& ctx = a.ctx();
    auto self = ctx.make({1, 2 * channels, 2 * channels}), partner = ctx.make(self.shape());
    ops::each(ctx, self.size(),
              detail::channel_pairs_body<typename Backend::scalar_type>{channels, self.data(), partner.data()});
    const auto units = concat<Backend>({l2_normalize(a, 1, 1e-6), l2_normalize(b, 1, 1e-6)}, 2);
    const auto alike = scale(matmul(units, units, ops::transposed::a), 1 / temperature);  // (N, 2C, 2C)
    const auto others = alike + a.home().constant(self);
    const auto positive = sum(alike * a.home().constant(partner), {2});
    return reshape(mean(log_sum_exp(others) - positive, {1, 2}), {samples});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
