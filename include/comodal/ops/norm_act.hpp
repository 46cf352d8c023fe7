// SPDX-License-Identifier: Apache-2.0
/// @file
/// Instance normalisation with leaky ReLU, forward and gradients.
#ifndef COMODAL_OPS_NORM_ACT_HPP
#define COMODAL_OPS_NORM_ACT_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/engines.hpp>

namespace comodal::inline COMODAL_CONFIG::ops {

/// The result of `norm_act`, and what its gradient needs: mean and 1 / deviation (N, C) of each sample and channel.
template <tensor_backend Backend>
struct norm_act_result {
  using statistics_type = tensor<typename context<Backend>::compute_type, typename Backend::space_type>;
  tensor_of<Backend> y;
  statistics_type mean, inverse;
};

/// The problem for x (N, ..., C) with gamma and beta (C): moments over all axes between. @throws shape_error, also for
/// a single voxel per channel, whose variance is 0
inline norm_act_problem norm_act_problem_of(const shape& x, const shape& gamma, const shape& beta, double slope,
                                            double eps) {
  if (x.rank() != 5 || !(gamma == shape{x[4]}) || !(beta == shape{x[4]}))
    throw shape_error(text("instance_norm: x ", x.to_string(), ", gamma ", gamma.to_string(), ", beta ",
                           beta.to_string(), ", expected (N, D, H, W, C), (C), (C)"));
  const norm_act_problem p{x[0], x.product(1, 4), x[4], eps, slope};
  if (p.rows < 2)
    throw shape_error(text("instance_norm: ", x.to_string(),
                           " has one voxel per channel, whose variance is 0; use fewer stages or a larger patch"));
  p.check();
  return p;
}

/// y = lrelu((x - mean) / sqrt(var + eps) * gamma + beta). `p.in_place`: y takes the memory of x.
template <tensor_backend Backend>
[[nodiscard]] norm_act_result<Backend> norm_act(context<Backend>& ctx, const norm_act_problem& p,
                                                const tensor_of<Backend>& x, const tensor_of<Backend>& gamma,
                                                const tensor_of<Backend>& beta) {
  using C = typename context<Backend>::compute_type;
  norm_act_result<Backend> out{p.in_place ? x : ctx.make(x.shape()), ctx.template make_of<C>({p.groups, p.channels}),
                               ctx.template make_of<C>({p.groups, p.channels})};
  norm_act_problem::arguments<typename Backend::scalar_type> a;
  a.x = x.data();
  a.gamma = gamma.data();
  a.beta = beta.data();
  a.y = out.y.data();
  a.mean = out.mean.data();
  a.inverse = out.inverse.data();
  dispatch(ctx, p, direction::forward, a);
  return out;
}

/// The gradients of x, gamma and beta.
template <tensor_backend Backend>
struct norm_act_gradients {
  tensor_of<Backend> dx, dgamma, dbeta;
};

/// From dy, and from the x and the statistics of the forward pass.
template <tensor_backend Backend>
[[nodiscard]] norm_act_gradients<Backend> norm_act_backward(
    context<Backend>& ctx, const norm_act_problem& p, const tensor_of<Backend>& x, const tensor_of<Backend>& gamma,
    const tensor_of<Backend>& beta, const typename norm_act_result<Backend>::statistics_type& mean,
    const typename norm_act_result<Backend>::statistics_type& inverse, const tensor_of<Backend>& dy) {
  norm_act_gradients<Backend> out{ctx.make(x.shape()), ctx.make({p.channels}), ctx.make({p.channels})};
  norm_act_problem::arguments<typename Backend::scalar_type> a;
  a.x = x.data();
  a.gamma = gamma.data();
  a.beta = beta.data();
  a.mean = mean.data();
  a.inverse = inverse.data();
  a.dy = dy.data();
  a.dx = out.dx.data();
  a.dgamma = out.dgamma.data();
  a.dbeta = out.dbeta.data();
  dispatch(ctx, p, direction::backward, a);
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG::ops

#endif
