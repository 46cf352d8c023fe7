// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable convolution, transposed convolution, pooling, up-sampling and fused normalisation with activation of
/// channels-last images (N, D, H, W, C).
#ifndef COMODAL_AUTOGRAD_CONVOLUTION_HPP
#define COMODAL_AUTOGRAD_CONVOLUTION_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/core/compiled.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

/// y + bias in place, for engines that add it in a pass of its own.
template <tensor_backend Backend>
void add_bias(context<Backend>& ctx, const typename context<Backend>::tensor_type& y, const variable<Backend>& bias) {
  if (bias)
    kernels<Backend>::binary(ctx, ops::plus{}, y.shape(), y.data(), bias.shape(), bias.value().data(), y.data());
}

/// True where the engine convolves these maps without joining them.
template <tensor_backend Backend>
[[nodiscard]] bool takes_parts(std::size_t parts, const shape& w) {
  return kernels<Backend>::has_parts && parts <= 16 && static_cast<index>(parts) * w[0] * w[1] <= 512;
}

}  // namespace detail

/// Convolution with zero padding of half the (odd) filter of maps side by side: `concat(parts)`, which is never made
/// where the engine can do without it. parts (N, D, H, W, ...) of `in` channels together, w (KD, KH, KW, in, out), bias
/// (out) or none
/// -> (N, ceil(D / sd), ceil(H / sh), ceil(W / sw), out). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> conv3d(const std::vector<variable<Backend>>& parts, const variable<Backend>& w,
                                       const extent3& stride = {1, 1, 1}, const variable<Backend>& bias = {}) {
  using tensor_type = typename variable<Backend>::tensor_type;
  if (parts.empty()) throw shape_error("conv3d: no map given");
  shape joined = parts[0].shape();
  for (std::size_t i = 1; i < parts.size() && joined.rank() == 5; ++i) {
    shape other = parts[i].shape();
    if (other.rank() == 5) other.set(4, joined[4]);
    if (!(other == joined))
      throw shape_error(text("conv3d: maps ", joined.to_string(), " and ", parts[i].shape().to_string(),
                             " do not stand side by side"));
    joined.set(4, joined[4] + parts[i].extent(4));
  }
  const conv3d_problem p = ops::conv3d_problem_of(joined, w.shape(), stride);
  if (bias && !(bias.shape() == shape{p.out_channels}))
    throw shape_error(text("conv3d: bias ", bias.shape().to_string(), " for ", p.out_channels, " channels"));
  auto& ctx = w.ctx();
  const operation_scope scope(ctx, "conv3d");
  const bool by_parts =
      parts.size() > 1 && detail::takes_parts<Backend>(parts.size(), w.shape()) && !ops::conv3d_prefers_joined(ctx, p);

  std::vector<tensor_type> values;
  std::vector<gradient_sink<Backend>> sinks;
  for (const auto& part : parts) {
    values.push_back(part.value());
    sinks.push_back(part.sink());
  }
  tensor_type y;
  if (by_parts) {
    y = ops::conv3d_of_parts(ctx, p, values, w.value(), bias ? bias.value() : tensor_type{});
  } else {
    y = ops::conv3d(ctx, parts.size() == 1 ? values[0] : ops::concat(ctx, values, 4), w.value(), stride);
    detail::add_bias(ctx, y, bias);
  }

  std::vector<variable<Backend>> inputs = parts;
  inputs.push_back(w);
  std::vector<gradient_sink<Backend>> to_bias;
  if (bias) {
    inputs.push_back(bias);
    to_bias.push_back(bias.sink());
  }
  return w.home().result(
      y, inputs, [&ctx, p, by_parts, values, sinks, to_bias, to_w = w.sink(), wv = w.value()](const auto& d) {
        for (const auto& to : to_bias)
          if (to.wanted()) to.accumulate(ops::sum_to(ctx, d, shape{p.out_channels}));
        if (by_parts) {
          if (to_w.wanted()) to_w.accumulate(ops::conv3d_of_parts_backward_weights(ctx, p, values, d));
          index first = 0;
          for (std::size_t i = 0; i < values.size(); ++i) {
            const index channels = values[i].extent(4);
            if (sinks[i].wanted())
              sinks[i].accumulate(ops::conv3d_of_parts_backward_data(ctx, p, first, channels, d, wv));
            first += channels;
          }
          return;
        }
        if (to_w.wanted())
          to_w.accumulate(
              ops::conv3d_backward_weights(ctx, p, values.size() == 1 ? values[0] : ops::concat(ctx, values, 4), d));
        bool any = false;
        for (const auto& to : sinks) any = any || to.wanted();
        if (!any) return;
        const auto dx = ops::conv3d_backward_data(ctx, p, d, wv);
        if (values.size() == 1) return sinks[0].accumulate(dx);
        index first = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
          const index last = first + values[i].extent(4);
          if (sinks[i].wanted()) sinks[i].accumulate(ops::slice(ctx, dx, 4, first, last));
          first = last;
        }
      });
}

/// The same of one map x (N, D, H, W, in). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> conv3d(const variable<Backend>& x, const variable<Backend>& w,
                                       const extent3& stride = {1, 1, 1}, const variable<Backend>& bias = {}) {
  return conv3d(std::vector{x}, w, stride, bias);
}

/// Transposed convolution with filter = stride. x (N, D, H, W, in), w (FD, FH, FW, in, out), bias (out) or none
/// -> (N, D FD, H FH, W FW, out). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> conv_transpose3d(const variable<Backend>& x, const variable<Backend>& w,
                                                 const variable<Backend>& bias = {}) {
  const shape xs = x.shape(), ws = w.shape();
  if (xs.rank() != 5 || ws.rank() != 5 || xs[4] != ws[3] || (bias && !(bias.shape() == shape{ws[4]})))
    throw shape_error(text("conv_transpose3d: x ", xs.to_string(), " and w ", ws.to_string(),
                           bias ? text(" and bias ", bias.shape().to_string()) : "",
                           ", expected (N, D, H, W, in) and (FD, FH, FW, in, out) and (out)"));
  const conv_transpose3d_problem p{xs[0], {xs[1], xs[2], xs[3]}, xs[4], ws[4], {ws[0], ws[1], ws[2]}};
  p.check();
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "conv_transpose3d");
  auto y = ctx.make(p.output_shape());
  kernels<Backend>::conv_transpose3d_forward(ctx, p, x.value().data(), w.value().data(),
                                             bias ? bias.value().data() : nullptr, y.data());
  std::vector<variable<Backend>> inputs{x, w};
  std::vector<gradient_sink<Backend>> to_bias;
  if (bias) {
    inputs.push_back(bias);
    to_bias.push_back(bias.sink());
  }
  return x.home().result(
      y, inputs, [&ctx, p, to_bias, to_x = x.sink(), to_w = w.sink(), xv = x.value(), wv = w.value()](const auto& d) {
        for (const auto& to : to_bias)
          if (to.wanted()) to.accumulate(ops::sum_to(ctx, d, shape{p.out_channels}));
        if (to_w.wanted()) {
          auto dw = ctx.make(p.weight_shape());
          kernels<Backend>::conv_transpose3d_backward_weights(ctx, p, xv.data(), d.data(), dw.data());
          to_w.accumulate(dw);
        }
        if (to_x.wanted()) {
          auto dx = ctx.make(p.input_shape());
          kernels<Backend>::conv_transpose3d_backward_data(ctx, p, d.data(), wv.data(), dx.data());
          to_x.accumulate(dx);
        }
      });
}

/// Instance normalisation and leaky ReLU in one: lrelu((x - mean) / sqrt(var + eps) * gamma + beta), moments over D, H,
/// W of each sample and channel, biased variance. x (N, D, H, W, C), gamma and beta (C). `slope` 1 leaves the
/// activation out. While nothing is recorded, the result takes the memory of an x that nobody else holds
/// (`instance_norm(conv3d(...), ...)`).
/// @throws shape_error, also for a single voxel, whose variance is 0
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> instance_norm(variable<Backend> x, const variable<Backend>& gamma,
                                              const variable<Backend>& beta, double slope = 0.01, double eps = 1e-5) {
  using C = compute_type_t<typename Backend::scalar_type>;
  const shape xs = x.shape();
  if (xs.rank() != 5 || !(gamma.shape() == shape{xs[4]}) || !(beta.shape() == shape{xs[4]}))
    throw shape_error(text("instance_norm: x ", xs.to_string(), ", gamma ", gamma.shape().to_string(), ", beta ",
                           beta.shape().to_string(), ", expected (N, D, H, W, C), (C), (C)"));
  const index groups = xs[0], rows = xs.product(1, 4), channels = xs[4];
  if (rows < 2)
    throw shape_error(text("instance_norm: ", xs.to_string(),
                           " has one voxel a channel, whose variance is 0; use fewer stages or a larger patch"));
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "instance_norm");
  auto y = !x.home().recording() && x.unique() ? x.value() : ctx.make(xs);
  auto means = ctx.template make_of<C>({groups, channels}), inverses = ctx.template make_of<C>({groups, channels});
  kernels<Backend>::norm_act_forward(ctx, groups, rows, channels, eps, static_cast<C>(slope), x.value().data(),
                                     gamma.value().data(), beta.value().data(), y.data(), means.data(),
                                     inverses.data());
  return x.home().result(
      y, {&x, &gamma, &beta},
      [&ctx, groups, rows, channels, slope, to_x = x.sink(), to_gamma = gamma.sink(), to_beta = beta.sink(),
       xv = x.value(), gv = gamma.value(), bv = beta.value(), means, inverses](const auto& d) {
        auto dx = ctx.make(xv.shape()), dgamma = ctx.make({channels}), dbeta = ctx.make({channels});
        kernels<Backend>::norm_act_backward(ctx, groups, rows, channels, static_cast<C>(slope), xv.data(), gv.data(),
                                            bv.data(), means.data(), inverses.data(), d.data(), dx.data(),
                                            dgamma.data(), dbeta.data());
        to_x.accumulate(dx);
        to_gamma.accumulate(dgamma);
        to_beta.accumulate(dbeta);
      });
}

namespace detail {

template <tensor_backend Backend>
[[nodiscard]] pool3d_problem pool3d_problem_of(const variable<Backend>& x, const extent3& window) {
  if (x.shape().rank() != 5)
    throw shape_error(text("pool3d: input ", x.shape().to_string(), ", expected (N, D, H, W, C)"));
  const pool3d_problem p{x.extent(0), {x.extent(1), x.extent(2), x.extent(3)}, x.extent(4), window};
  p.check();
  return p;
}

}  // namespace detail

/// Maximum over windows that do not overlap (stride = window). (N, D, H, W, C) -> (N, D / wd, H / wh, W / ww, C),
/// rounded down; ties go to the first voxel. @throws shape_error
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

/// Trilinear up-sampling by whole factors (PyTorch's `align_corners=False`). (N, D, H, W, C) -> (N, D fd, H fh, W fw,
/// C). @throws shape_error
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

#define COMODAL_CONVOLUTION(kind, Backend)                                                                            \
  kind variable<Backend> conv3d(const std::vector<variable<Backend>>&, const variable<Backend>&, const extent3&,      \
                                const variable<Backend>&);                                                            \
  kind variable<Backend> conv_transpose3d(const variable<Backend>&, const variable<Backend>&,                         \
                                          const variable<Backend>&);                                                  \
  kind variable<Backend> instance_norm(variable<Backend>, const variable<Backend>&, const variable<Backend>&, double, \
                                       double);                                                                       \
  kind variable<Backend> max_pool3d(const variable<Backend>&, const extent3&);                                        \
  kind variable<Backend> average_pool3d(const variable<Backend>&, const extent3&);                                    \
  kind variable<Backend> upsample3d(const variable<Backend>&, const extent3&);
COMODAL_COMPILED_ELSEWHERE(COMODAL_CONVOLUTION)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
