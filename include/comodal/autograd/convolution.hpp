// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable convolution, transposed convolution, pooling, up-sampling and fused normalisation with activation of
/// channels-last images (N, D, H, W, C).
#ifndef COMODAL_AUTOGRAD_CONVOLUTION_HPP
#define COMODAL_AUTOGRAD_CONVOLUTION_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/core/compiled.hpp>
#include <comodal/engine/dispatch.hpp>
#include <comodal/ops/conv3d.hpp>
#include <comodal/ops/norm_act.hpp>
#include <comodal/ops/pool3d.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Convolution with zero padding of half the (odd) filter of maps side by side: `concat(parts)`, which is never made
/// where the engine can do without it. parts (N, D, H, W, ...) of `in` channels together, w (KD, KH, KW, in, out), bias
/// (out) or none -> (N, ceil(D / sd), ceil(H / sh), ceil(W / sw), out). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> conv3d(const std::vector<variable<Backend>>& parts, const variable<Backend>& w,
                                       const extent3& stride = {1, 1, 1}, const variable<Backend>& bias = {}) {
  if (parts.size() > conv3d_problem::most_parts) return conv3d(std::vector{concat(parts, 4)}, w, stride, bias);
  std::vector<shape> shapes;
  for (const auto& part : parts) shapes.push_back(part.shape());
  const conv3d_problem p = ops::conv3d_problem_of(shapes, w.shape(), stride);
  if (bias && !(bias.shape() == shape{p.out_channels}))
    throw shape_error(text("conv3d: bias ", bias.shape().to_string(), " for ", p.out_channels, " channels"));
  auto& ctx = w.ctx();
  const operation_scope scope(ctx, "conv3d");
  std::vector<tensor_of<Backend>> values;
  std::vector<gradient_sink<Backend>> sinks, to_bias;
  for (const auto& part : parts) {
    values.push_back(part.value());
    sinks.push_back(part.sink());
  }
  auto y = ops::conv3d(ctx, p, values, w.value(), bias ? bias.value() : tensor_of<Backend>{});
  std::vector<variable<Backend>> inputs = parts;
  inputs.push_back(w);
  if (bias) {
    inputs.push_back(bias);
    to_bias.push_back(bias.sink());
  }
  return w.home().result(y, inputs, [&ctx, p, values, sinks, to_bias, to_w = w.sink(), wv = w.value()](const auto& d) {
    for (const auto& to : to_bias)
      if (to.wanted()) to.accumulate(ops::sum_to(ctx, d, shape{p.out_channels}));
    if (to_w.wanted()) to_w.accumulate(ops::conv3d_backward_weights(ctx, p, values, d));
    std::vector<bool> wanted;
    bool any = false;
    for (const auto& to : sinks) {
      wanted.push_back(to.wanted());
      any = any || to.wanted();
    }
    if (!any) return;
    const auto dx = ops::conv3d_backward_data(ctx, p, d, wv, wanted);
    for (std::size_t i = 0; i < sinks.size(); ++i)
      if (wanted[i]) sinks[i].accumulate(dx[i]);
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
  const conv3d_problem p = ops::transposed_problem_of(x.shape(), w.shape());
  const index channels = p.in_channels;  // the problem leads back
  if (bias && !(bias.shape() == shape{channels}))
    throw shape_error(text("conv_transpose3d: bias ", bias.shape().to_string(), " for ", channels, " channels"));
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "conv_transpose3d");
  auto y = ops::conv_transpose3d(ctx, p, x.value(), w.value(), bias ? bias.value() : tensor_of<Backend>{});
  std::vector<variable<Backend>> inputs{x, w};
  std::vector<gradient_sink<Backend>> to_bias;
  if (bias) {
    inputs.push_back(bias);
    to_bias.push_back(bias.sink());
  }
  return x.home().result(
      y, inputs,
      [&ctx, p, channels, to_bias, to_x = x.sink(), to_w = w.sink(), xv = x.value(), wv = w.value()](const auto& d) {
        for (const auto& to : to_bias)
          if (to.wanted()) to.accumulate(ops::sum_to(ctx, d, shape{channels}));
        if (to_w.wanted()) to_w.accumulate(ops::conv_transpose3d_backward_weights(ctx, p, xv, d));
        if (to_x.wanted()) to_x.accumulate(ops::conv_transpose3d_backward_data(ctx, p, d, wv));
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
  norm_act_problem p = ops::norm_act_problem_of(x.shape(), gamma.shape(), beta.shape(), slope, eps);
  p.in_place = !x.home().recording() && x.unique();
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "instance_norm");
  const auto of = ops::norm_act(ctx, p, x.value(), gamma.value(), beta.value());
  return x.home().result(of.y, {&x, &gamma, &beta},
                         [&ctx, p, to_x = x.sink(), to_gamma = gamma.sink(), to_beta = beta.sink(), xv = x.value(),
                          gv = gamma.value(), bv = beta.value(), mean = of.mean, inverse = of.inverse](const auto& d) {
                           const auto back = ops::norm_act_backward(ctx, p, xv, gv, bv, mean, inverse, d);
                           to_x.accumulate(back.dx);
                           to_gamma.accumulate(back.dgamma);
                           to_beta.accumulate(back.dbeta);
                         });
}

/// Maximum over windows that do not overlap (stride = window). (N, D, H, W, C) -> (N, D / wd, H / wh, W / ww, C),
/// rounded down; ties go to the first voxel. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> max_pool3d(const variable<Backend>& x, const extent3& window) {
  const auto p = ops::pool3d_problem_of(x.shape(), pooling::maximum, window);
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "max_pool3d");
  const auto of = ops::pool3d(ctx, p, x.value());
  return x.home().result(of.y, {&x}, [&ctx, p, to = x.sink(), chosen = of.chosen](const auto& d) {
    to.accumulate(ops::pool3d_backward(ctx, p, chosen, d));
  });
}

/// Mean over windows that do not overlap; shapes as `max_pool3d`. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> average_pool3d(const variable<Backend>& x, const extent3& window) {
  const auto p = ops::pool3d_problem_of(x.shape(), pooling::average, window);
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "average_pool3d");
  return x.home().result(ops::pool3d(ctx, p, x.value()).y, {&x}, [&ctx, p, to = x.sink()](const auto& d) {
    to.accumulate(ops::pool3d_backward(ctx, p, {}, d));
  });
}

/// Trilinear up-sampling by whole factors (PyTorch's `align_corners=False`). (N, D, H, W, C) -> (N, D fd, H fh, W fw,
/// C). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> upsample3d(const variable<Backend>& x, const extent3& factor) {
  const auto p = ops::upsample3d_problem_of(x.shape(), factor);
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "upsample3d");
  return x.home().result(ops::upsample3d(ctx, p, x.value()), {&x}, [&ctx, p, to = x.sink()](const auto& d) {
    to.accumulate(ops::upsample3d_backward(ctx, p, d));
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
  kind variable<Backend> upsample3d(const variable<Backend>&, const extent3&);                                        \
  kind const plan_facts& engine_facts(context<Backend>&, const conv3d_problem&, direction);
COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER(COMODAL_CONVOLUTION)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
