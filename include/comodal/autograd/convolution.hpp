// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable convolution, transposed convolution, pooling, up-sampling and fused normalisation with activation of
/// channels-last images (N, D, H, W, C).
#ifndef COMODAL_AUTOGRAD_CONVOLUTION_HPP
#define COMODAL_AUTOGRAD_CONVOLUTION_HPP

#include <comodal/autograd/arithmetic.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Convolution with zero padding of half the (odd) filter. x (N, D, H, W, in), w (KD, KH, KW, in, out)
/// -> (N, ceil(D / sd), ceil(H / sh), ceil(W / sw), out). A bias is added by `add`. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> conv3d(const variable<Backend>& x, const variable<Backend>& w, const extent3& stride = {1, 1, 1}) {
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "conv3d");
  const conv3d_problem p = ops::conv3d_problem_of(x.shape(), w.shape(), stride);
  return x.home().result(ops::conv3d(ctx, x.value(), w.value(), stride), {&x, &w},
                         [&ctx, p, to_x = x.sink(), to_w = w.sink(), xv = x.value(), wv = w.value()](const auto& d) {
                           if (to_w.wanted()) to_w.accumulate(ops::conv3d_backward_weights(ctx, p, xv, d));
                           if (to_x.wanted()) to_x.accumulate(ops::conv3d_backward_data(ctx, p, d, wv));
                         });
}

namespace detail {

/// The transposed convolution of x behind the channels of `skip`, if there is one.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> conv_transpose3d(const variable<Backend>& skip, const variable<Backend>& x, const variable<Backend>& w,
                                                 const variable<Backend>& bias) {
  const shape xs = x.shape(), ws = w.shape();
  if (xs.rank() != 5 || ws.rank() != 5 || xs[4] != ws[3] || (bias && !(bias.shape() == shape{ws[4]})))
    throw shape_error(text("conv_transpose3d: x ", xs.to_string(), " and w ", ws.to_string(), bias ? text(" and bias ", bias.shape().to_string()) : "",
                           ", expected (N, D, H, W, in) and (FD, FH, FW, in, out) and (out)"));
  conv_transpose3d_problem p{xs[0], {xs[1], xs[2], xs[3]}, xs[4], ws[4], {ws[0], ws[1], ws[2]}};
  shape out = p.output_shape();
  const index first = skip ? skip.extent(-1) : 0;
  out.set(4, first);
  if (skip && !(skip.shape() == out))
    throw shape_error(text("concat_conv_transpose3d: a map ", skip.shape().to_string(), " beside one of ", p.output_shape().to_string()));
  p.out_pitch = first + p.out_channels;
  out.set(4, p.out_pitch);
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "conv_transpose3d");
  auto y = ctx.make(out);
  if (skip) kernels<Backend>::copy_block(ctx, out.product(0, 4), first, skip.value().data(), first, y.data(), p.out_pitch);
  kernels<Backend>::conv_transpose3d_forward(ctx, p, x.value().data(), w.value().data(), bias ? bias.value().data() : nullptr, y.data() + first);
  std::vector<variable<Backend>> inputs{x, w};
  std::vector<gradient_sink<Backend>> to_skip, to_bias;
  if (skip) {
    inputs.push_back(skip);
    to_skip.push_back(skip.sink());
  }
  if (bias) {
    inputs.push_back(bias);
    to_bias.push_back(bias.sink());
  }
  return x.home().result(y, inputs, [&ctx, p, first, to_skip, to_bias, to_x = x.sink(), to_w = w.sink(), xv = x.value(), wv = w.value()](const auto& d) {
    const auto* dy = d.data() + first;
    if (to_w.wanted()) {
      auto dw = ctx.make(p.weight_shape());
      kernels<Backend>::conv_transpose3d_backward_weights(ctx, p, xv.data(), dy, dw.data());
      to_w.accumulate(dw);
    }
    for (const auto& to : to_bias) {
      auto db = ctx.make({p.out_channels});
      kernels<Backend>::conv_transpose3d_backward_bias(ctx, p, dy, db.data());
      to.accumulate(db);
    }
    if (to_x.wanted()) {
      auto dx = ctx.make(p.input_shape());
      kernels<Backend>::conv_transpose3d_backward_data(ctx, p, dy, wv.data(), dx.data());
      to_x.accumulate(dx);
    }
    for (const auto& to : to_skip)
      if (to.wanted()) to.accumulate(ops::slice(ctx, d, 4, 0, first));
  });
}

}  // namespace detail

/// Transposed convolution with filter = stride. x (N, D, H, W, in), w (FD, FH, FW, in, out), bias (out) or none
/// -> (N, D FD, H FH, W FW, out). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> conv_transpose3d(const variable<Backend>& x, const variable<Backend>& w, const variable<Backend>& bias = {}) {
  return detail::conv_transpose3d<Backend>({}, x, w, bias);
}

/// `concat({skip, conv_transpose3d(x, w, bias)})` without the map between: a decoder's way up. skip (N, D FD, H FH, W FW, S)
/// -> (N, D FD, H FH, W FW, S + out). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> concat_conv_transpose3d(const variable<Backend>& skip, const variable<Backend>& x, const variable<Backend>& w,
                                                        const variable<Backend>& bias = {}) {
  return detail::conv_transpose3d(skip, x, w, bias);
}

/// Instance normalisation and leaky ReLU in one: lrelu((x - mean) / sqrt(var + eps) * gamma + beta), moments over D, H, W of each
/// sample and channel, biased variance. x (N, D, H, W, C), gamma and beta (C). `slope` 1 leaves the activation out.
/// @throws shape_error, also for a single voxel, whose variance is 0
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> instance_norm(const variable<Backend>& x, const variable<Backend>& gamma, const variable<Backend>& beta,
                                              double slope = 0.01, double eps = 1e-5) {
  using T = typename Backend::scalar_type;
  const shape xs = x.shape();
  if (xs.rank() != 5 || !(gamma.shape() == shape{xs[4]}) || !(beta.shape() == shape{xs[4]}))
    throw shape_error(text("instance_norm: x ", xs.to_string(), ", gamma ", gamma.shape().to_string(), ", beta ", beta.shape().to_string(),
                           ", expected (N, D, H, W, C), (C), (C)"));
  const index groups = xs[0], rows = xs.product(1, 4), channels = xs[4];
  if (rows < 2) throw shape_error(text("instance_norm: ", xs.to_string(), " has one voxel a channel, whose variance is 0; use fewer stages or a larger patch"));
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "instance_norm");
  auto y = ctx.make(xs), means = ctx.make({groups, channels}), inverses = ctx.make({groups, channels});
  kernels<Backend>::norm_act_forward(ctx, groups, rows, channels, eps, static_cast<T>(slope), x.value().data(), gamma.value().data(),
                                     beta.value().data(), y.data(), means.data(), inverses.data());
  return x.home().result(y, {&x, &gamma, &beta},
                         [&ctx, groups, rows, channels, slope, to_x = x.sink(), to_gamma = gamma.sink(), to_beta = beta.sink(), xv = x.value(),
                          gv = gamma.value(), bv = beta.value(), means, inverses](const auto& d) {
                           auto dx = ctx.make(xv.shape()), dgamma = ctx.make({channels}), dbeta = ctx.make({channels});
                           kernels<Backend>::norm_act_backward(ctx, groups, rows, channels, static_cast<T>(slope), xv.data(), gv.data(), bv.data(),
                                                               means.data(), inverses.data(), d.data(), dx.data(), dgamma.data(), dbeta.data());
                           to_x.accumulate(dx);
                           to_gamma.accumulate(dgamma);
                           to_beta.accumulate(dbeta);
                         });
}

namespace detail {

template <tensor_backend Backend>
[[nodiscard]] pool3d_problem pool3d_problem_of(const variable<Backend>& x, const extent3& window) {
  if (x.shape().rank() != 5) throw shape_error(text("pool3d: input ", x.shape().to_string(), ", expected (N, D, H, W, C)"));
  const pool3d_problem p{x.extent(0), {x.extent(1), x.extent(2), x.extent(3)}, x.extent(4), window};
  p.check();
  return p;
}

}  // namespace detail

/// Maximum over windows that do not overlap (stride = window). (N, D, H, W, C) -> (N, D / wd, H / wh, W / ww, C), rounded down;
/// ties go to the first voxel. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> max_pool3d(const variable<Backend>& x, const extent3& window) {
  const pool3d_problem p = detail::pool3d_problem_of(x, window);
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "max_pool3d");
  auto y = ctx.make(p.output_shape());
  auto chosen = ctx.template make_of<std::uint8_t>(p.output_shape());
  kernels<Backend>::max_pool3d_forward(ctx, p, x.value().data(), y.data(), chosen.data());
  return x.home().result(y, {&x}, [&ctx, p, to = x.sink(), chosen, in = x.shape()](const auto& d) {
    auto dx = ctx.make(in);
    kernels<Backend>::max_pool3d_backward(ctx, p, d.data(), chosen.data(), dx.data());
    to.accumulate(dx);
  });
}

/// Mean over windows that do not overlap; shapes as `max_pool3d`. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> average_pool3d(const variable<Backend>& x, const extent3& window) {
  const pool3d_problem p = detail::pool3d_problem_of(x, window);
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "average_pool3d");
  auto y = ctx.make(p.output_shape());
  kernels<Backend>::average_pool3d_forward(ctx, p, x.value().data(), y.data());
  return x.home().result(y, {&x}, [&ctx, p, to = x.sink(), in = x.shape()](const auto& d) {
    auto dx = ctx.make(in);
    kernels<Backend>::average_pool3d_backward(ctx, p, d.data(), dx.data());
    to.accumulate(dx);
  });
}

/// Trilinear up-sampling by whole factors (PyTorch's `align_corners=False`). (N, D, H, W, C) -> (N, D fd, H fh, W fw, C). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> upsample3d(const variable<Backend>& x, const extent3& factor) {
  const shape xs = x.shape();
  if (xs.rank() != 5) throw shape_error(text("upsample3d: input ", xs.to_string(), ", expected (N, D, H, W, C)"));
  for (const index f : factor)
    if (f < 1) throw shape_error(text("upsample3d: factor ", f, ", expected 1 or more"));
  const upsample3d_problem p{xs[0], {xs[1], xs[2], xs[3]}, xs[4], factor};
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "upsample3d");
  auto y = ctx.make(p.output_shape());
  kernels<Backend>::upsample3d_forward(ctx, p, x.value().data(), y.data());
  return x.home().result(y, {&x}, [&ctx, p, to = x.sink(), in = xs](const auto& d) {
    auto dx = ctx.make(in);
    kernels<Backend>::upsample3d_backward(ctx, p, d.data(), dx.data());
    to.accumulate(dx);
  });
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
