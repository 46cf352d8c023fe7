// SPDX-License-Identifier: Apache-2.0
/// @file
/// Pooling and trilinear up-sampling of channels-last images, forward and gradients.
#ifndef COMODAL_OPS_POOL3D_HPP
#define COMODAL_OPS_POOL3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/engines.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG::ops {

/// The problem of pooling x (N, D, H, W, C) over windows. @throws shape_error
inline pool3d_problem pool3d_problem_of(const shape& x, pooling kind, const extent3& window) {
  if (x.rank() != 5) throw shape_error(text("pool3d: input ", x.to_string(), ", expected (N, D, H, W, C)"));
  const pool3d_problem p{kind, x[0], {x[1], x[2], x[3]}, x[4], window};
  p.check();
  return p;
}

/// The pooled map and, of maxima, which voxel of its window each is.
template <tensor_backend Backend>
struct pool3d_result {
  tensor_of<Backend> y;
  tensor<std::uint8_t, typename Backend::space_type> chosen;
};

template <tensor_backend Backend>
[[nodiscard]] pool3d_result<Backend> pool3d(context<Backend>& ctx, const pool3d_problem& p,
                                            const tensor_of<Backend>& x) {
  pool3d_result<Backend> out{ctx.make(p.output_shape()), {}};
  if (p.kind == pooling::maximum) out.chosen = ctx.template make_of<std::uint8_t>(p.output_shape());
  dispatch(ctx, p, direction::forward, {x.data(), out.y.data(), out.chosen.data(), nullptr, nullptr});
  return out;
}

/// The gradient of x (N, D, H, W, C). @param chosen of the forward pass; empty for averages
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> pool3d_backward(context<Backend>& ctx, const pool3d_problem& p,
                                                 const tensor<std::uint8_t, typename Backend::space_type>& chosen,
                                                 const tensor_of<Backend>& dy) {
  auto dx = ctx.make({p.batch, p.input[0], p.input[1], p.input[2], p.channels});
  dispatch(ctx, p, direction::backward, {nullptr, nullptr, chosen.data(), dy.data(), dx.data()});
  return dx;
}

/// The problem of up-sampling x (N, D, H, W, C) by whole factors. @throws shape_error
inline upsample3d_problem upsample3d_problem_of(const shape& x, const extent3& factor) {
  if (x.rank() != 5) throw shape_error(text("upsample3d: input ", x.to_string(), ", expected (N, D, H, W, C)"));
  const upsample3d_problem p{x[0], {x[1], x[2], x[3]}, x[4], factor};
  p.check();
  return p;
}
/// (N, D, H, W, C) -> (N, D fd, H fh, W fw, C).
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> upsample3d(context<Backend>& ctx, const upsample3d_problem& p,
                                            const tensor_of<Backend>& x) {
  auto y = ctx.make(p.output_shape());
  dispatch(ctx, p, direction::forward, {x.data(), y.data()});
  return y;
}
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> upsample3d_backward(context<Backend>& ctx, const upsample3d_problem& p,
                                                     const tensor_of<Backend>& dy) {
  auto dx = ctx.make({p.batch, p.input[0], p.input[1], p.input[2], p.channels});
  dispatch(ctx, p, direction::backward, {dy.data(), dx.data()});
  return dx;
}

}  // namespace comodal::inline COMODAL_CONFIG::ops

#endif
