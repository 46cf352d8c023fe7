// SPDX-License-Identifier: Apache-2.0
/// @file
/// 3-D convolution and transposed convolution of channels-last tensors, forward and gradients.
#ifndef COMODAL_OPS_CONV3D_HPP
#define COMODAL_OPS_CONV3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/engines.hpp>

#include <vector>

namespace comodal::inline COMODAL_CONFIG::ops {

/// The problem that maps side by side (N, D, H, W, ...) of `in` channels together make with weights (KD, KH, KW, in,
/// out) and zero padding of half the (odd) filter. @throws shape_error if they do not fit, or for an even filter
inline conv3d_problem conv3d_problem_of(const std::vector<shape>& maps, const shape& w,
                                        const extent3& stride = {1, 1, 1}) {
  if (maps.empty()) throw shape_error("conv3d: no map given");
  shape joined = maps[0];
  if (joined.rank() != 5) throw shape_error(text("conv3d: input ", joined.to_string(), ", expected (N, D, H, W, C)"));
  std::vector<index> channels{joined[4]};
  for (std::size_t i = 1; i < maps.size(); ++i) {
    shape other = maps[i];
    if (other.rank() == 5) other.set(4, joined[4]);
    if (!(other == joined))
      throw shape_error(
          text("conv3d: maps ", joined.to_string(), " and ", maps[i].to_string(), " do not stand side by side"));
    channels.push_back(maps[i][4]);
    joined.set(4, joined[4] + maps[i][4]);
  }
  if (w.rank() != 5) throw shape_error(text("conv3d: weights ", w.to_string(), ", expected (KD, KH, KW, in, out)"));
  if (joined[4] != w[3])
    throw shape_error(text("conv3d: input ", joined.to_string(), " has ", joined[4], " channels, weights ",
                           w.to_string(), " expect ", w[3]));
  for (int a = 0; a < 3; ++a)
    if (w[a] < 1 || w[a] % 2 == 0)
      throw shape_error(text("conv3d: filter ", w[a], " along axis ", a, ", expected an odd number"));
  conv3d_problem p(joined[0], {joined[1], joined[2], joined[3]}, joined[4], w[4], {w[0], w[1], w[2]}, stride);
  p.set_parts(channels);
  p.check();
  return p;
}

namespace ops_detail {

inline void expect_shape(const char* what, const shape& found, const shape& expected) {
  if (!(found == expected))
    throw shape_error(text("conv3d: ", what, ' ', found.to_string(), ", the problem expects ", expected.to_string()));
}

// The shape of map i of the inputs of `p`.
[[nodiscard]] inline shape map_shape(const conv3d_problem& p, std::size_t i) {
  shape extents = p.input_shape();
  if (p.part_count > 1) extents.set(4, p.parts[i]);
  return extents;
}
inline void expect_count(const conv3d_problem& p, std::size_t maps) {
  if (maps != static_cast<std::size_t>(p.part_count))
    throw shape_error(text("conv3d: ", maps, " maps side by side, the problem has ", p.part_count));
}

template <tensor_backend Backend>
void expect_maps(const conv3d_problem& p, const std::vector<tensor_of<Backend>>& maps) {
  expect_count(p, maps.size());
  for (std::size_t i = 0; i < maps.size(); ++i) expect_shape("map", maps[i].shape(), map_shape(p, i));
}

template <tensor_backend Backend>
[[nodiscard]] auto conv3d_arguments(const std::vector<tensor_of<Backend>>& maps) {
  conv3d_problem::arguments<typename Backend::scalar_type> a;
  a.parts = static_cast<int>(maps.size());
  for (std::size_t i = 0; i < maps.size(); ++i) a.x[i] = {maps[i].data(), maps[i].extent(-1)};
  return a;
}

}  // namespace ops_detail

/// y = x * w + bias of `p`, whose parts `maps` are. @param bias (out), or empty @returns `p.output_shape()`
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d(context<Backend>& ctx, const conv3d_problem& p,
                                        const std::vector<tensor_of<Backend>>& maps, const tensor_of<Backend>& w,
                                        const tensor_of<Backend>& bias = {}) {
  ops_detail::expect_maps<Backend>(p, maps);
  ops_detail::expect_shape("weights", w.shape(), p.weight_shape());
  if (bias) ops_detail::expect_shape("bias", bias.shape(), {p.out_channels});
  conv3d_problem with_bias = p;
  with_bias.has_bias = static_cast<bool>(bias);
  auto y = ctx.make(p.output_shape());
  auto a = ops_detail::conv3d_arguments<Backend>(maps);
  a.w = w.data();
  a.bias = bias ? bias.data() : nullptr;
  a.y = y.data();
  dispatch(ctx, with_bias, direction::forward, a);
  return y;
}

/// The gradients of those maps that are wanted, from dy and w; the others are empty.
template <tensor_backend Backend>
[[nodiscard]] std::vector<tensor_of<Backend>> conv3d_backward_data(context<Backend>& ctx, const conv3d_problem& p,
                                                                   const tensor_of<Backend>& dy,
                                                                   const tensor_of<Backend>& w,
                                                                   const std::vector<bool>& wanted) {
  ops_detail::expect_count(p, wanted.size());
  ops_detail::expect_shape("gradient", dy.shape(), p.output_shape());
  ops_detail::expect_shape("weights", w.shape(), p.weight_shape());
  std::vector<tensor_of<Backend>> dx(wanted.size());
  conv3d_problem::arguments<typename Backend::scalar_type> a;
  a.parts = static_cast<int>(wanted.size());
  bool any = false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const shape extents = ops_detail::map_shape(p, i);
    if (wanted[i]) dx[i] = ctx.make(extents);
    a.x[i] = {wanted[i] ? dx[i].data() : nullptr, extents[4]};
    any = any || wanted[i];
  }
  if (!any) return dx;
  conv3d_problem without_bias = p;
  without_bias.has_bias = false;
  a.w = w.data();
  a.y = dy.data();
  dispatch(ctx, without_bias, direction::backward, a);
  return dx;
}

/// The gradient of the weights, `p.weight_shape()`, from the maps and dy.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d_backward_weights(context<Backend>& ctx, const conv3d_problem& p,
                                                         const std::vector<tensor_of<Backend>>& maps,
                                                         const tensor_of<Backend>& dy) {
  ops_detail::expect_maps<Backend>(p, maps);
  ops_detail::expect_shape("gradient", dy.shape(), p.output_shape());
  conv3d_problem without_bias = p;
  without_bias.has_bias = false;
  auto dw = ctx.make(p.weight_shape());
  auto a = ops_detail::conv3d_arguments<Backend>(maps);
  a.w = dw.data();
  a.y = dy.data();
  dispatch(ctx, without_bias, direction::backward_weights, a);
  return dw;
}

/// y = x * w, zero padding of half the filter. x (N, D, H, W, in), w (KD, KH, KW, in, out) -> (N, ceil(D/sd),
/// ceil(H/sh), ceil(W/sw), out). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d(context<Backend>& ctx, const tensor_of<Backend>& x, const tensor_of<Backend>& w,
                                        const extent3& stride = {1, 1, 1}) {
  return conv3d(ctx, conv3d_problem_of({x.shape()}, w.shape(), stride), {x}, w);
}
/// The gradient of the one map x, `p.input_shape()`, from dy and w.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d_backward_data(context<Backend>& ctx, const conv3d_problem& p,
                                                      const tensor_of<Backend>& dy, const tensor_of<Backend>& w) {
  return conv3d_backward_data(ctx, p, dy, w, {true})[0];
}
/// The gradient of the weights from one map x and dy.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv3d_backward_weights(context<Backend>& ctx, const conv3d_problem& p,
                                                         const tensor_of<Backend>& x, const tensor_of<Backend>& dy) {
  return conv3d_backward_weights(ctx, p, std::vector{x}, dy);
}

/// The problem of a transposed convolution with filter = stride of x (N, D, H, W, in) with w (FD, FH, FW, in, out).
/// @throws shape_error if they do not fit
inline conv3d_problem transposed_problem_of(const shape& x, const shape& w) {
  if (x.rank() != 5 || w.rank() != 5 || x[4] != w[3])
    throw shape_error(text("conv_transpose3d: x ", x.to_string(), " and w ", w.to_string(),
                           ", expected (N, D, H, W, in) and (FD, FH, FW, in, out)"));
  for (int a = 0; a < 3; ++a)
    if (w[a] < 1 || w[a] > conv3d_problem::largest_filter || x[a + 1] < 1)
      throw shape_error(text("conv_transpose3d: filter ", w[a], " and input extent ", x[a + 1], " along axis ", a,
                             ", expected 1 to ", conv3d_problem::largest_filter, " and 1 or more"));
  if (x[0] < 1 || x[4] < 1 || w[4] < 1)
    throw shape_error(
        text("conv_transpose3d: batch ", x[0], ", channels ", x[4], " -> ", w[4], ", expected 1 or more of each"));
  auto p = conv3d_problem::transposed(x[0], {x[1], x[2], x[3]}, x[4], w[4], {w[0], w[1], w[2]});
  p.check();
  return p;
}

/// y = the transposed convolution of x + bias: (N, D, H, W, in) -> (N, D FD, H FH, W FW, out). @param bias (out), or
/// empty
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv_transpose3d(context<Backend>& ctx, const conv3d_problem& p,
                                                  const tensor_of<Backend>& x, const tensor_of<Backend>& w,
                                                  const tensor_of<Backend>& bias = {}) {
  ops_detail::expect_shape("input", x.shape(), p.output_shape());
  ops_detail::expect_shape("weights", w.shape(), p.weight_shape());
  if (bias) ops_detail::expect_shape("bias", bias.shape(), {p.in_channels});
  conv3d_problem with_bias = p;
  with_bias.has_bias = static_cast<bool>(bias);
  auto y = ctx.make(p.input_shape());
  conv3d_problem::arguments<typename Backend::scalar_type> a;
  a.x[0] = {y.data(), p.in_channels};
  a.w = w.data();
  a.bias = bias ? bias.data() : nullptr;
  a.y = x.data();
  dispatch(ctx, with_bias, direction::backward, a);
  return y;
}
/// The gradient of x from dy and w.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv_transpose3d_backward_data(context<Backend>& ctx, const conv3d_problem& p,
                                                                const tensor_of<Backend>& dy,
                                                                const tensor_of<Backend>& w) {
  return conv3d(ctx, p, {dy}, w);
}
/// The gradient of the weights from x and dy.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> conv_transpose3d_backward_weights(context<Backend>& ctx, const conv3d_problem& p,
                                                                   const tensor_of<Backend>& x,
                                                                   const tensor_of<Backend>& dy) {
  return conv3d_backward_weights(ctx, p, std::vector{dy}, x);
}

}  // namespace comodal::inline COMODAL_CONFIG::ops

#endif
