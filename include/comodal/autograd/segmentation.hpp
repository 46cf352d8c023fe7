// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable sums for cross-entropy and soft Dice, in one pass over the logits.
#ifndef COMODAL_AUTOGRAD_SEGMENTATION_HPP
#define COMODAL_AUTOGRAD_SEGMENTATION_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/core/compiled.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Of logits z and targets y (N, D, H, W, C) and voxel weights w (N, D, H, W; none: all 1), row n of the result (N, 2 +
/// 3C): sum w, sum w CE, then by class sum w p y, sum w p^2, sum w y^2, over the voxels of sample n. p is the soft-max
/// over C
/// (`label_kind::classes`) or the sigmoid (`label_kind::regions`; CE is then the mean binary cross-entropy over
/// regions). Voxels of weight 0 are not read. Targets and weights receive no gradient. @throws shape_error, also for
/// more than 16 classes
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> segmentation_sums(const variable<Backend>& z, const variable<Backend>& y,
                                                  const variable<Backend>& w = {},
                                                  label_kind kind = label_kind::classes) {
  const shape zs = z.shape();
  if (zs.rank() < 2 || !(zs == y.shape()) || zs[-1] > detail::max_classes)
    throw shape_error(text("segmentation_sums: logits ", zs.to_string(), " and targets ", y.shape().to_string(),
                           ", expected the same (N, ..., C) with C <= ", detail::max_classes));
  const index samples = zs[0], classes = zs[-1], voxels = zs.product(1, zs.rank() - 1);
  if (w && w.shape().size() != samples * voxels)
    throw shape_error(text("segmentation_sums: weights ", w.shape().to_string(), " for logits ", zs.to_string(),
                           ", expected one a voxel"));
  auto& ctx = z.ctx();
  const operation_scope scope(ctx, "segmentation_sums");
  auto out = ctx.make({samples, 2 + 3 * classes});
  const typename variable<Backend>::tensor_type weight = w ? w.value() : typename variable<Backend>::tensor_type{};
  kernels<Backend>::segmentation_sums_forward(ctx, kind, samples, voxels, classes, z.value().data(), y.value().data(),
                                              weight ? weight.data() : nullptr, out.data());
  return z.home().result(
      out, {&z},
      [&ctx, kind, samples, voxels, classes, to = z.sink(), zv = z.value(), yv = y.value(), weight](const auto& d) {
        auto dz = ctx.make(zv.shape());
        kernels<Backend>::segmentation_sums_backward(ctx, kind, samples, voxels, classes, zv.data(), yv.data(),
                                                     weight ? weight.data() : nullptr, d.data(), dz.data());
        to.accumulate(dz);
      });
}

#define COMODAL_SEGMENTATION(kind, Backend)                                                    \
  kind variable<Backend> segmentation_sums(const variable<Backend>&, const variable<Backend>&, \
                                           const variable<Backend>&, label_kind);
COMODAL_COMPILED_ELSEWHERE(COMODAL_SEGMENTATION)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
