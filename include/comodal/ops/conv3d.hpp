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

/// True where oneDNN may carry operations of `Backend` out: float or bfloat16 on the host, compiled in, and not the
/// reference engine.
template <tensor_backend Backend>
inline constexpr bool onednn_available_v =
#if defined(COMODAL_ENABLE_ONEDNN)
    is_host_v<typename Backend::space_type> && std::is_same_v<compute_type_t<typename Backend::scalar_type>, float> &&
    !Backend::is_reference;
#else
    false;
#endif

/// True where our own convolution on the host is at least as fast as oneDNN's: what F(4x4, 3x3) serves, weight
/// gradients of small maps, and, of single taps, weight gradients and narrow outputs.
/// Measured in bench/history/2026-11-27-convolutions.md.
[[nodiscard]] inline bool portable_conv3d_is_faster(const conv3d_problem& p, conv3d_direction direction) {
  const detail::conv3d_sizes s(p);
  if (s.taps() == 1 && !s.is_strided()) return direction == conv3d_direction::backward_weights || p.out_channels < 8;
  const bool by_taps =
      direction == conv3d_direction::backward_weights && !s.is_strided() && detail::weight_gradient_by_taps(s);
  return detail::winograd_serves(s) || (by_taps && s.ci >= 16 && s.co >= 16);
}

namespace ops::detail {

// True where the vendor has a kernel that multiplies bfloat16 in hardware; of none at all, `without` is returned.
template <tensor_backend Backend>
[[nodiscard]] bool vendor_multiplies_bfloat16([[maybe_unused]] context<Backend>& ctx,
                                              [[maybe_unused]] const conv3d_problem& p,
                                              [[maybe_unused]] conv3d_direction direction, bool without) {
#if defined(COMODAL_ENABLE_ONEDNN)
  if constexpr (onednn_available_v<Backend> && std::is_same_v<typename Backend::scalar_type, bfloat16>) {
    const conv3d_plan& plan = ctx.template kept<onednn_conv3d<bfloat16>>().plan(p, direction);
    if (!plan.available) return without;
    return plan.implementation.find("avx512_core_bf16") != std::string::npos ||
           plan.implementation.find("amx") != std::string::npos;
  }
#endif
  return without;
}

// True for convolutions that our own kernels run on the processor's tile registers.
template <tensor_backend Backend>
[[nodiscard]] bool runs_on_tiles(const conv3d_problem& p) {
  if constexpr (kernels<Backend>::has_parts)
    return kernels<Backend>::runs_on_tiles(comodal::detail::conv3d_sizes(p));
  else
    return false;
}

// Of bfloat16, our own kernels on tile registers are the first choice; then a vendor's that multiplies it in hardware,
// save for weight gradients of many channels; that there is none is a fallback.
template <tensor_backend Backend>
[[nodiscard]] bool wants_vendor(context<Backend>& ctx, const conv3d_problem& p, conv3d_direction direction) {
  if (ctx.engines != engine_choice::fastest) return ctx.engines == engine_choice::vendor;
  if constexpr (std::is_same_v<typename Backend::scalar_type, bfloat16>) {
    if (runs_on_tiles<Backend>(p)) return false;
    const bool many_weights = direction == conv3d_direction::backward_weights && p.in_channels * p.out_channels >= 1024;
    return !(many_weights && portable_conv3d_is_faster(p, direction)) &&
           vendor_multiplies_bfloat16(ctx, p, direction, true);
  } else {
    return !portable_conv3d_is_faster(p, direction);
  }
}

}  // namespace ops::detail

/// Which engine will run a convolution in a direction, and why not the vendor's, if so.
template <tensor_backend Backend>
[[nodiscard]] conv3d_plan plan_conv3d(context<Backend>& ctx, const conv3d_problem& p, conv3d_direction direction) {
  p.check();
  conv3d_plan ours{kernels<Backend>::name, ops::detail::runs_on_tiles<Backend>(p) ? "amx" : "", "", true};
#if defined(COMODAL_ENABLE_ONEDNN)
  if constexpr (onednn_available_v<Backend>) {
    if (ops::detail::wants_vendor(ctx, p, direction)) {
      const conv3d_plan& vendor = ctx.template kept<onednn_conv3d<typename Backend::scalar_type>>().plan(p, direction);
      if (vendor.available) return vendor;
      ours.reason = vendor.reason;
    } else {
      ours.reason = ctx.engines == engine_choice::portable ? "engine_choice::portable" : "our own is faster here";
    }
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
    if (wants_vendor(ctx, p, direction)) {
      auto& engine = ctx.template kept<onednn_conv3d<typename Backend::scalar_type>>();
      const conv3d_plan& plan = engine.plan(p, direction);
      if (plan.available) {
        const profiling_region region(text("comodal::", operation, "[onednn]"));
        engine.execute(ctx, p, direction, x, w, y);
        return ctx.count(operation, "onednn");
      }
      ctx.report_fallback(operation, kernels<Backend>::name, plan.reason);
    }
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

// Maps side by side as the kernels take them.
template <tensor_backend Backend>
[[nodiscard]] auto parts_of(const std::vector<typename context<Backend>::tensor_type>& maps) {
  std::vector<typename kernels<Backend>::part> parts;
  for (const auto& map : maps) parts.push_back({map.data(), map.extent(-1)});
  return parts;
}

}  // namespace detail

template <tensor_backend Backend>
using tensor_of = typename context<Backend>::tensor_type;

/// True where maps side by side are better joined for the vendor's kernel than convolved by ours as they are.
template <tensor_backend Backend>
[[nodiscard]] bool conv3d_prefers_joined(context<Backend>& ctx, const conv3d_problem& p) {
  return ctx.engines == engine_choice::vendor ||
         (ctx.engines == engine_choice::fastest && !detail::runs_on_tiles<Backend>(p) &&
          detail::vendor_multiplies_bfloat16(ctx, p, conv3d_direction::forward, false));
}

/// The problem that x (N, D, H, W, in) and w (KD, KH, KW, in, out) make. @throws shape_error if they do not fit
inline conv3d_problem conv3d_problem_of(const shape& x, const shape& w, const extent3& stride) {
  if (x.rank() != 5) throw shape_error(text("conv3d: input ", x.to_string(), ", expected (N, D, H, W, C)"));
  if (w.rank() != 5) throw shape_error(text("conv3d: weights ", w.to_string(), ", expected (KD, KH, KW, in, out)"));
  if (x[4] != w[3])
    throw shape_error(
        text("conv3d: input ", x.to_string(), " has ", x[4], " channels, weights ", w.to_string(), " expect ", w[3]));
  const conv3d_problem p{x[0], {x[1], x[2], x[3]}, x[4], w[4], {w[0], w[1], w[2]}, stride};
  p.check();
  return p;
}

/// y = x * w, zero padding of half the filter. x (N, D, H, W, in), w (KD, KH, KW, in, out) -> (N, ceil(D/sd),
/// ceil(H/sh), ceil(W/sw), out).
/// @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d(context<Backend>& ctx, const tensor_of<Backend>& x, const tensor_of<Backend>& w,
                                        const extent3& stride = {1, 1, 1}) {
  const conv3d_problem p = conv3d_problem_of(x.shape(), w.shape(), stride);
  auto y = ctx.make(p.output_shape());
  detail::run_conv3d(ctx, p, conv3d_direction::forward, x.data(), w.data(), y.data());
  return y;
}

/// Gradient with respect to x of shape `p.input_shape()` from dy and w.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d_backward_data(context<Backend>& ctx, const conv3d_problem& p,
                                                      const tensor_of<Backend>& dy, const tensor_of<Backend>& w) {
  auto dx = ctx.make(p.input_shape());
  detail::run_conv3d(ctx, p, conv3d_direction::backward_data, dx.data(), w.data(), dy.data());
  return dx;
}

/// Gradient with respect to w of shape `p.weight_shape()` from x and dy.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d_backward_weights(context<Backend>& ctx, const conv3d_problem& p,
                                                         const tensor_of<Backend>& x, const tensor_of<Backend>& dy) {
  auto dw = ctx.make(p.weight_shape());
  detail::run_conv3d(ctx, p, conv3d_direction::backward_weights, x.data(), dw.data(), dy.data());
  return dw;
}

/// The convolution of maps that stand side by side as input channels, none of them joined; only where
/// `kernels<Backend>::has_parts`. parts (N, D, H, W, ...) of `p.in_channels` channels together, bias (out) or empty ->
/// `p.output_shape()`.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d_of_parts(context<Backend>& ctx, const conv3d_problem& p,
                                                 const std::vector<tensor_of<Backend>>& parts,
                                                 const tensor_of<Backend>& w, const tensor_of<Backend>& bias) {
  auto y = ctx.make(p.output_shape());
  if constexpr (kernels<Backend>::has_parts) {
    const profiling_region region("comodal::conv3d.forward[portable]");
    kernels<Backend>::conv3d_forward_parts(ctx, p, detail::parts_of<Backend>(parts), w.data(),
                                           bias ? bias.data() : nullptr, y.data());
    ctx.count(name_of(conv3d_direction::forward), kernels<Backend>::name);
  }
  return y;
}

/// The gradient of the part that holds input channels [first, first + channels).
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d_of_parts_backward_data(context<Backend>& ctx, const conv3d_problem& p,
                                                               index first, index channels,
                                                               const tensor_of<Backend>& dy,
                                                               const tensor_of<Backend>& w) {
  shape extents = p.input_shape();
  extents.set(4, channels);
  auto dx = ctx.make(extents);
  if constexpr (kernels<Backend>::has_parts) {
    const profiling_region region("comodal::conv3d.backward_data[portable]");
    kernels<Backend>::conv3d_backward_data_part(ctx, p, first, channels, dy.data(), w.data(), dx.data());
    ctx.count(name_of(conv3d_direction::backward_data), kernels<Backend>::name);
  }
  return dx;
}

/// The gradient of the weights, of shape `p.weight_shape()`.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d_of_parts_backward_weights(context<Backend>& ctx, const conv3d_problem& p,
                                                                  const std::vector<tensor_of<Backend>>& parts,
                                                                  const tensor_of<Backend>& dy) {
  auto dw = ctx.make(p.weight_shape());
  if constexpr (kernels<Backend>::has_parts) {
    const profiling_region region("comodal::conv3d.backward_weights[portable]");
    kernels<Backend>::conv3d_backward_weights_parts(ctx, p, detail::parts_of<Backend>(parts), dy.data(), dw.data());
    ctx.count(name_of(conv3d_direction::backward_weights), kernels<Backend>::name);
  }
  return dw;
}

}  // namespace ops
}  // namespace comodal::inline COMODAL_CONFIG

#endif
