// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable sums for cross-entropy and soft Dice, in one pass over the logits.
#ifndef COMODAL_AUTOGRAD_SEGMENTATION_HPP
#define COMODAL_AUTOGRAD_SEGMENTATION_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/core/compiled.hpp>
#include <comodal/ops/segmentation.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Of logits z and targets y (N, D, H, W, C) and voxel weights w (N, D, H, W; none: all 1), row n of the result (N, 2 +
/// 3C): sum w, sum w CE, then by class sum w p y, sum w p^2, sum w y^2, over the voxels of sample n. p is the soft-max
/// over C
/// (`label_kind::classes`) or the sigmoid (`label_kind::regions`; CE is then the mean binary cross-entropy over
/// regions). Voxels of weight 0 are not read. Targets and weights receive no gradient. @throws shape_error, also for
/// more than 128 classes
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> segmentation_sums(const variable<Backend>& z, const variable<Backend>& y,
                                                  const variable<Backend>& w = {},
                                                  label_kind kind = label_kind::classes) {
  (void)ops::segmentation_problem_of(kind, z.shape(), y.shape());
  const index voxels = z.shape().product(0, z.shape().rank() - 1);
  if (w && w.shape().size() != voxels)
    throw shape_error(text("segmentation_sums: weights ", w.shape().to_string(), " for logits ", z.shape().to_string(),
                           ", expected one per voxel"));
  auto& ctx = z.ctx();
  const operation_scope scope(ctx, "segmentation_sums");
  const tensor_of<Backend> weight = w ? w.value() : tensor_of<Backend>{};
  return z.home().result(ops::segmentation_sums(ctx, kind, z.value(), y.value(), weight), {&z},
                         [&ctx, kind, to = z.sink(), zv = z.value(), yv = y.value(), weight](const auto& d) {
                           to.accumulate(ops::segmentation_sums_backward(ctx, kind, zv, yv, weight, d));
                         });
}

#define COMODAL_SEGMENTATION(kind, Backend)                                                    \
  kind variable<Backend> segmentation_sums(const variable<Backend>&, const variable<Backend>&, \
                                           const variable<Backend>&, label_kind);
COMODAL_COMPILED_ELSEWHERE(COMODAL_SEGMENTATION)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
