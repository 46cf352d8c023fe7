// SPDX-License-Identifier: Apache-2.0
/// @file
/// Maxima over an axis, soft-max and matrix products, forward and gradients.
#ifndef COMODAL_OPS_REDUCTION_HPP
#define COMODAL_OPS_REDUCTION_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/engines.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG::ops {

/// The largest element along an axis, which stays with extent 1, and where it stands (ties: the first).
template <tensor_backend Backend>
struct max_axis_result {
  tensor_of<Backend> y;
  tensor<std::int32_t, typename Backend::space_type> chosen;
};

/// @throws shape_error if there is no such axis
template <tensor_backend Backend>
[[nodiscard]] max_axis_result<Backend> max_axis(context<Backend>& ctx, const tensor_of<Backend>& x, int axis) {
  const shape in = x.shape();
  const int a = in.checked(axis);
  shape out = in;
  out.set(a, 1);
  max_axis_result<Backend> result{ctx.make(out), ctx.template make_of<std::int32_t>(out)};
  const max_axis_problem p{in.product(0, a), in[a], in.product(a + 1, in.rank())};
  dispatch(ctx, p, direction::forward, {x.data(), result.y.data(), result.chosen.data(), nullptr, nullptr});
  return result;
}
/// The gradient of x, of shape `in`.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> max_axis_backward(context<Backend>& ctx, const shape& in, int axis,
                                                   const tensor<std::int32_t, typename Backend::space_type>& chosen,
                                                   const tensor_of<Backend>& dy) {
  const int a = in.checked(axis);
  auto dx = ctx.make(in);
  const max_axis_problem p{in.product(0, a), in[a], in.product(a + 1, in.rank())};
  dispatch(ctx, p, direction::backward, {nullptr, nullptr, chosen.data(), dy.data(), dx.data()});
  return dx;
}

/// Soft-max over an axis; the maximum is subtracted first. @param mask empty, or (groups, extent of the axis) of zeros
/// and ones for `groups` consecutive blocks of the leading axes @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> softmax(context<Backend>& ctx, const tensor_of<Backend>& x, int axis,
                                         const tensor_of<Backend>& mask = {}) {
  const shape in = x.shape();
  const int a = in.checked(axis);
  if (mask && (mask.rank() != 2 || mask.extent(1) != in[a]))
    throw shape_error(text("softmax: mask ", mask.shape().to_string(), " for axis ", a, " of ", in.to_string(),
                           ", expected (groups, ", in[a], ")"));
  auto y = ctx.make(in);
  const softmax_problem p{in.product(0, a), in[a], in.product(a + 1, in.rank()), mask ? mask.extent(0) : 1};
  dispatch(ctx, p, direction::forward, {x.data(), mask ? mask.data() : nullptr, y.data(), nullptr, nullptr});
  return y;
}
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> softmax_backward(context<Backend>& ctx, const tensor_of<Backend>& y, int axis,
                                                  const tensor_of<Backend>& dy) {
  const shape in = y.shape();
  const int a = in.checked(axis);
  auto dx = ctx.make(in);
  const softmax_problem p{in.product(0, a), in[a], in.product(a + 1, in.rank())};
  dispatch(ctx, p, direction::backward, {nullptr, nullptr, y.data(), dy.data(), dx.data()});
  return dx;
}

/// Which operand of a product is stored with its last two axes swapped.
enum class transposed { none, a, b };

/// The product of the last two axes, (..., R, K) and (..., K, C) -> (..., R, C), or with one operand stored transposed.
/// The leading axes are equal. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> matmul(context<Backend>& ctx, const tensor_of<Backend>& a, const tensor_of<Backend>& b,
                                        transposed which = transposed::none) {
  const shape as = a.shape(), bs = b.shape();
  const bool ta = which == transposed::a, tb = which == transposed::b;
  bool fits = as.rank() == bs.rank() && as.rank() >= 2 && as[ta ? -2 : -1] == bs[tb ? -1 : -2];
  for (int i = 0; fits && i < as.rank() - 2; ++i) fits = as[i] == bs[i];
  if (!fits)
    throw shape_error(
        text("matmul: ", as.to_string(), " and ", bs.to_string(), ", expected (..., R, K) and (..., K, C)"));
  const matmul_problem p{as.product(0, as.rank() - 2), as[ta ? -1 : -2], bs[tb ? -2 : -1], as[ta ? -2 : -1], ta, tb};
  shape out = as;
  out.set(-2, p.rows);
  out.set(-1, p.columns);
  auto c = ctx.make(out);
  dispatch(ctx, p, direction::forward, {a.data(), b.data(), c.data()});
  return c;
}

}  // namespace comodal::inline COMODAL_CONFIG::ops

#endif
