// SPDX-License-Identifier: Apache-2.0
/// @file
/// Losses of rows of features: InfoNCE, and the cross-entropy of two soft-maxes.
#ifndef COMODAL_LOSS_FEATURE_LOSSES_HPP
#define COMODAL_LOSS_FEATURE_LOSSES_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/structure.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// What is added to a logit that must not count: a soft-max gives it nothing, and sums stay finite.
inline constexpr double excluded_logit = -1e4;

/// ln sum exp over the last axis, which stays with extent 1.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> log_sum_exp(const variable<Backend>& x) {
  const auto most = detach(max(x, -1));
  return log(sum(exp(x - most), {x.shape().rank() - 1})) + most;
}

/// Cross-entropy of the soft-max of x with that of y, -sum softmax(y) ln softmax(x), per row: (A, C) and (A, C) -> (A,
/// 1). Both receive gradients.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> soft_cross_entropy(const variable<Backend>& x, const variable<Backend>& y) {
  return log_sum_exp(x) - sum(softmax(y, 1) * x, {1});
}

/// InfoNCE (van den Oord et al. 2018) of unit vectors: -s(a, p) / tau + ln[ sum over allowed j of exp(s(a, j) / tau) ],
/// where the partner of the same row is among the allowed. At J allowed of equal similarity it is ln J; with s = 1 for
/// the partner and 0 for J - 1 others it is ln(1 + (J - 1) e^(-1 / tau)).
struct info_nce {
  double temperature = 0.1;

  /// @param anchor (A, E); it alone receives a gradient @param partners (A, E), row by row
  /// @param penalty (A, A): 0 where partner j may stand against anchor i, also for j = i; else `excluded_logit`
  /// @param further (B, E), vectors beside the partners, or empty @param further_penalty (A, B) @return (A, 1)
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& anchor, const variable<Backend>& partners,
                                             const variable<Backend>& penalty, const variable<Backend>& further = {},
                                             const variable<Backend>& further_penalty = {}) const {
    const double sharp = 1 / temperature;
    const auto fixed = detach(partners);
    auto logits = matmul(anchor, fixed, ops::transposed::b) * sharp + penalty;
    if (further)
      logits =
          concat<Backend>({logits, matmul(anchor, detach(further), ops::transposed::b) * sharp + further_penalty}, 1);
    return log_sum_exp(logits) - sum(anchor * fixed, {1}) * sharp;
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
