// SPDX-License-Identifier: Apache-2.0
/// @file
/// Maps weighted by voxel, and added through a learned gate, forward and gradients.
#ifndef COMODAL_OPS_GATING_HPP
#define COMODAL_OPS_GATING_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/engines.hpp>

namespace comodal::inline COMODAL_CONFIG::ops {

/// The problem of weighting x (N, ..., C) by column `modality` of weights (N, M), or (N, ..., M) per voxel.
inline weigh_problem weigh_problem_of(const shape& x, const shape& weights, index modality) {
  return {x[0], x.product(1, x.rank() - 1), x[-1], weights[-1], modality, weights.rank() == x.rank()};
}

/// y = w x.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> weigh(context<Backend>& ctx, const tensor_of<Backend>& x,
                                       const tensor_of<Backend>& weights, index modality) {
  auto y = ctx.make(x.shape());
  weigh_problem::arguments<typename Backend::scalar_type> a;
  a.x = x.data();
  a.weights = weights.data();
  a.y = y.data();
  dispatch(ctx, weigh_problem_of(x.shape(), weights.shape(), modality), direction::forward, a);
  return y;
}
/// The gradient of x. @param dweights of the shape of `weights` per voxel, whose column is written; or empty
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> weigh_backward(context<Backend>& ctx, const tensor_of<Backend>& x,
                                                const tensor_of<Backend>& weights, index modality,
                                                const tensor_of<Backend>& dy, const tensor_of<Backend>& dweights) {
  auto dx = ctx.make(x.shape());
  weigh_problem::arguments<typename Backend::scalar_type> a;
  a.x = x.data();
  a.weights = weights.data();
  a.dy = dy.data();
  a.dx = dx.data();
  a.dweights = dweights ? dweights.data() : nullptr;
  dispatch(ctx, weigh_problem_of(x.shape(), weights.shape(), modality), direction::backward, a);
  return dx;
}

/// x + sigmoid(gate) r gamma: x, gate, r (..., C), gamma (C). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> gated_add(context<Backend>& ctx, const tensor_of<Backend>& x,
                                           const tensor_of<Backend>& gate, const tensor_of<Backend>& r,
                                           const tensor_of<Backend>& gamma) {
  const shape xs = x.shape();
  if (xs.rank() < 1 || !(gate.shape() == xs) || !(r.shape() == xs) || !(gamma.shape() == shape{xs[-1]}))
    throw shape_error(text("gated_add: x ", xs.to_string(), ", gate ", gate.shape().to_string(), ", r ",
                           r.shape().to_string(), ", gamma ", gamma.shape().to_string(),
                           ", expected three alike (..., C) and (C)"));
  auto y = ctx.make(xs);
  gated_add_problem::arguments<typename Backend::scalar_type> a;
  a.x = x.data();
  a.gate = gate.data();
  a.r = r.data();
  a.gamma = gamma.data();
  a.y = y.data();
  dispatch(ctx, gated_add_problem{xs.size() / xs[-1], xs[-1]}, direction::forward, a);
  return y;
}

/// The gradients of gate, r and gamma; that of x is dy.
template <tensor_backend Backend>
struct gated_add_gradients {
  tensor_of<Backend> dgate, dr, dgamma;
};
template <tensor_backend Backend>
[[nodiscard]] gated_add_gradients<Backend> gated_add_backward(context<Backend>& ctx, const tensor_of<Backend>& gate,
                                                              const tensor_of<Backend>& r,
                                                              const tensor_of<Backend>& gamma,
                                                              const tensor_of<Backend>& dy) {
  const shape xs = gate.shape();
  gated_add_gradients<Backend> out{ctx.make(xs), ctx.make(xs), ctx.make({xs[-1]})};
  gated_add_problem::arguments<typename Backend::scalar_type> a;
  a.gate = gate.data();
  a.r = r.data();
  a.gamma = gamma.data();
  a.dy = dy.data();
  a.dgate = out.dgate.data();
  a.dr = out.dr.data();
  a.dgamma = out.dgamma.data();
  dispatch(ctx, gated_add_problem{xs.size() / xs[-1], xs[-1]}, direction::backward, a);
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG::ops

#endif
