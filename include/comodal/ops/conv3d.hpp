// SPDX-License-Identifier: Apache-2.0
/// @file
/// 3-D convolution of channels-last tensors, forward and backward: shape rules and the choice of the engine.
#ifndef COMODAL_OPS_CONV3D_HPP
#define COMODAL_OPS_CONV3D_HPP

#include <comodal/engine/conv3d_plan.hpp>
#include <comodal/engine/kernels.hpp>
#if defined(COMODAL_ENABLE_ONEDNN)
#include <comodal/engine/onednn/conv3d.hpp>
#endif

namespace comodal::inline COMODAL_CONFIG {

/// True where oneDNN may carry operations of `Backend` out: float on the host, compiled in, and not the reference engine.
template <tensor_backend Backend>
inline constexpr bool onednn_available_v =
#if defined(COMODAL_ENABLE_ONEDNN)
    is_host_v<typename Backend::space_type> && std::is_same_v<typename Backend::scalar_type, float> && !Backend::is_reference;
#else
    false;
#endif

/// Which engine will run a convolution in a direction, and why not the vendor's, if so.
template <tensor_backend Backend>
[[nodiscard]] conv3d_plan plan_conv3d(context<Backend>& ctx, const conv3d_problem& p, conv3d_direction direction) {
  p.check();
  conv3d_plan ours{kernels<Backend>::name, "", "", true};
#if defined(COMODAL_ENABLE_ONEDNN)
  if constexpr (onednn_available_v<Backend>) {
    const conv3d_plan& vendor = ctx.template kept<onednn_conv3d>().plan(p, direction);
    if (vendor.available) return vendor;
    ours.reason = vendor.reason;
  }
#endif
  (void)ctx;
  (void)direction;
  return ours;
}

namespace ops {
namespace detail {

template <tensor_backend Backend, class T = typename Backend::scalar_type>
void run_conv3d(context<Backend>& ctx, const conv3d_problem& p, conv3d_direction direction, T* x, T* w, T* y) {
  const char* operation = name_of(direction);
#if defined(COMODAL_ENABLE_ONEDNN)
  if constexpr (onednn_available_v<Backend>) {
    auto& engine = ctx.template kept<onednn_conv3d>();
    const conv3d_plan& plan = engine.plan(p, direction);
    if (plan.available) {
      const profiling_region region(text("comodal::", operation, "[onednn]"));
      engine.execute(ctx, p, direction, x, w, y);
      return ctx.count(operation, "onednn");
    }
    ctx.report_fallback(operation, kernels<Backend>::name, plan.reason);
  }
#endif
  const profiling_region region(text("comodal::", operation, "[", kernels<Backend>::name, "]"));
  switch (direction) {
    case conv3d_direction::forward:
      kernels<Backend>::conv3d_forward(ctx, p, x, w, y);
      break;
    case conv3d_direction::backward_data:
      kernels<Backend>::conv3d_backward_data(ctx, p, y, w, x);
      break;
    case conv3d_direction::backward_weights:
      kernels<Backend>::conv3d_backward_weights(ctx, p, x, y, w);
      break;
  }
  ctx.count(operation, kernels<Backend>::name);
}

}  // namespace detail

template <tensor_backend Backend>
using tensor_of = typename context<Backend>::tensor_type;

/// The problem that x (N, D, H, W, in) and w (KD, KH, KW, in, out) make. @throws shape_error if they do not fit
inline conv3d_problem conv3d_problem_of(const shape& x, const shape& w, const extent3& stride) {
  if (x.rank() != 5) throw shape_error(text("conv3d: input ", x.to_string(), ", expected (N, D, H, W, C)"));
  if (w.rank() != 5) throw shape_error(text("conv3d: weights ", w.to_string(), ", expected (KD, KH, KW, in, out)"));
  if (x[4] != w[3]) throw shape_error(text("conv3d: input ", x.to_string(), " has ", x[4], " channels, weights ", w.to_string(), " expect ", w[3]));
  const conv3d_problem p{x[0], {x[1], x[2], x[3]}, x[4], w[4], {w[0], w[1], w[2]}, stride};
  p.check();
  return p;
}

/// y = x * w, zero padding of half the filter. x (N, D, H, W, in), w (KD, KH, KW, in, out) -> (N, ceil(D/sd), ceil(H/sh), ceil(W/sw), out).
/// @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d(context<Backend>& ctx, const tensor_of<Backend>& x, const tensor_of<Backend>& w, const extent3& stride = {1, 1, 1}) {
  const conv3d_problem p = conv3d_problem_of(x.shape(), w.shape(), stride);
  auto y = ctx.make(p.output_shape());
  detail::run_conv3d(ctx, p, conv3d_direction::forward, x.data(), w.data(), y.data());
  return y;
}

/// Gradient with respect to x of shape `p.input_shape()` from dy and w.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d_backward_data(context<Backend>& ctx, const conv3d_problem& p, const tensor_of<Backend>& dy,
                                                      const tensor_of<Backend>& w) {
  auto dx = ctx.make(p.input_shape());
  detail::run_conv3d(ctx, p, conv3d_direction::backward_data, dx.data(), w.data(), dy.data());
  return dx;
}

/// Gradient with respect to w of shape `p.weight_shape()` from x and dy.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d_backward_weights(context<Backend>& ctx, const conv3d_problem& p, const tensor_of<Backend>& x,
                                                         const tensor_of<Backend>& dy) {
  auto dw = ctx.make(p.weight_shape());
  detail::run_conv3d(ctx, p, conv3d_direction::backward_weights, x.data(), dw.data(), dy.data());
  return dw;
}

}  // namespace ops
}  // namespace comodal::inline COMODAL_CONFIG

#endif
