// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sums that cross-entropy and soft Dice are made of, forward and gradient.
#ifndef COMODAL_OPS_SEGMENTATION_HPP
#define COMODAL_OPS_SEGMENTATION_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/engines.hpp>

namespace comodal::inline COMODAL_CONFIG::ops {

/// The problem of logits and targets (N, ..., C). @throws shape_error, also for more than 128 classes
inline segmentation_sums_problem segmentation_problem_of(label_kind kind, const shape& z, const shape& y) {
  if (z.rank() < 2 || !(z == y) || z[-1] > segmentation_sums_problem::most_classes)
    throw shape_error(text("segmentation_sums: logits ", z.to_string(), " and targets ", y.to_string(),
                           ", expected the same (N, ..., C) with C <= ", segmentation_sums_problem::most_classes));
  return {kind, z[0], z.product(1, z.rank() - 1), z[-1]};
}

/// (N, 2 + 3C) of logits z, targets y (N, ..., C) and weights w (N, ...; empty: all 1): see
/// `segmentation_sums_problem`.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> segmentation_sums(context<Backend>& ctx, label_kind kind, const tensor_of<Backend>& z,
                                                   const tensor_of<Backend>& y, const tensor_of<Backend>& w) {
  const auto p = segmentation_problem_of(kind, z.shape(), y.shape());
  auto out = ctx.make({p.samples, p.width()});
  dispatch(ctx, p, direction::forward, {z.data(), y.data(), w ? w.data() : nullptr, out.data(), nullptr, nullptr});
  return out;
}
/// The gradient of z from that of the sums.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> segmentation_sums_backward(context<Backend>& ctx, label_kind kind,
                                                            const tensor_of<Backend>& z, const tensor_of<Backend>& y,
                                                            const tensor_of<Backend>& w,
                                                            const tensor_of<Backend>& dout) {
  const auto p = segmentation_problem_of(kind, z.shape(), y.shape());
  auto dz = ctx.make(z.shape());
  dispatch(ctx, p, direction::backward, {z.data(), y.data(), w ? w.data() : nullptr, nullptr, dout.data(), dz.data()});
  return dz;
}

}  // namespace comodal::inline COMODAL_CONFIG::ops

#endif
