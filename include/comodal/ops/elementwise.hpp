// SPDX-License-Identifier: Apache-2.0
/// @file
/// Elementwise functions, broadcasting arithmetic, reductions over axes, and copies along an axis, on tensors.
#ifndef COMODAL_OPS_ELEMENTWISE_HPP
#define COMODAL_OPS_ELEMENTWISE_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/engines.hpp>

#include <vector>

namespace comodal::inline COMODAL_CONFIG::ops {

/// a + b, for `binary`.
struct plus {
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T a, T b) const {
    return a + b;
  }
};
/// a - b.
struct minus {
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T a, T b) const {
    return a - b;
  }
};
/// a b.
struct times {
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T a, T b) const {
    return a * b;
  }
};
/// a / b.
struct over {
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T a, T b) const {
    return a / b;
  }
};

/// f.value(a, b) with NumPy's broadcasting. @throws shape_error naming `name` where the shapes do not broadcast
template <tensor_backend Backend, class Function>
[[nodiscard]] tensor_of<Backend> binary(context<Backend>& ctx, const char* name, const Function& f,
                                        const tensor_of<Backend>& a, const tensor_of<Backend>& b) {
  auto y = ctx.make(broadcast_shape(a.shape(), b.shape(), name));
  dispatch(ctx, binary_problem<Function>{a.shape(), b.shape()}, direction::forward, {f, a.data(), b.data(), y.data()});
  return y;
}

/// f.value(x), element by element.
template <tensor_backend Backend, class Function>
[[nodiscard]] tensor_of<Backend> unary(context<Backend>& ctx, const Function& f, const tensor_of<Backend>& x) {
  auto y = ctx.make(x.shape());
  dispatch(ctx, unary_problem<Function>{x.size()}, direction::forward, {f, x.data(), nullptr, nullptr, y.data()});
  return y;
}

/// dy f.derivative(x, y), element by element: the gradient of `unary`.
template <tensor_backend Backend, class Function>
[[nodiscard]] tensor_of<Backend> unary_backward(context<Backend>& ctx, const Function& f, const tensor_of<Backend>& x,
                                                const tensor_of<Backend>& y, const tensor_of<Backend>& dy) {
  static_assert(
      requires(typename context<Backend>::compute_type v) { f.derivative(v, v); },
      "comodal: a function whose gradient is asked for needs a member derivative(x, y), of what is computed with");
  auto dx = ctx.make(x.shape());
  dispatch(ctx, unary_problem<Function>{x.size()}, direction::backward, {f, x.data(), y.data(), dy.data(), dx.data()});
  return dx;
}

/// Calls `body(i)` for i in [0, count) in the execution space, in any order: for kernels of layers above.
/// @param body a named functor with a `KOKKOS_FUNCTION` call operator, at most 3584 bytes
template <tensor_backend Backend, class Body>
void each(context<Backend>& ctx, index count, const Body& body) {
  dispatch(ctx, each_problem<Body>{count}, direction::forward, {body});
}

/// Calls `body(group, row, channel)` for all of them, as `each`: neighbouring channels are neighbours in memory.
template <tensor_backend Backend, class Body>
void each_row(context<Backend>& ctx, index groups, index rows, index channels, const Body& body) {
  dispatch(ctx, each_row_problem<Body>{groups, rows, channels}, direction::forward, {body});
}

/// out (groups, Sums, channels) = sums over rows of what `body(group, row, channel, sums)` adds, in double, in an order
/// that depends on the sizes alone.
template <int Sums, tensor_backend Backend, class Body>
void row_sums(context<Backend>& ctx, index groups, index rows, index channels, const Body& body,
              const tensor<double, typename Backend::space_type>& out) {
  dispatch(ctx, row_sums_problem<Sums, Body>{groups, rows, channels}, direction::forward, {body, out.data()});
}

/// The same values in the scalar of `ctx`, rounded to nearest.
template <tensor_backend Backend, class Scalar>
[[nodiscard]] tensor_of<Backend> cast(context<Backend>& ctx, const tensor<Scalar, typename Backend::space_type>& x) {
  auto y = ctx.make(x.shape());
  dispatch(ctx, cast_problem<Scalar>{x.size()}, direction::forward, {x.data(), y.data()});
  return y;
}

/// The same values in memory of their own.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> copy(context<Backend>& ctx, const tensor_of<Backend>& x) {
  auto y = ctx.make(x.shape());
  dispatch(ctx, copy_block_problem{1, x.size(), x.size(), x.size()}, direction::forward, {x.data(), y.data()});
  return y;
}

/// All elements set to a value.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> full(context<Backend>& ctx, const shape& extents,
                                      typename Backend::scalar_type value) {
  auto y = ctx.make(extents);
  dispatch(ctx, fill_problem{y.size()}, direction::forward, {value, y.data()});
  return y;
}

/// Sets all elements of a tensor to a value, in place.
template <tensor_backend Backend>
void fill(context<Backend>& ctx, const tensor_of<Backend>& to, typename Backend::scalar_type value) {
  dispatch(ctx, fill_problem{to.size()}, direction::forward, {value, to.data()});
}

/// to = x, in place; equal shapes, memory that does not overlap. @throws shape_error otherwise
template <tensor_backend Backend>
void copy_to(context<Backend>& ctx, const tensor_of<Backend>& x, const tensor_of<Backend>& to) {
  if (!(to.shape() == x.shape()))
    throw shape_error(text("copy_to: ", x.shape().to_string(), " to ", to.shape().to_string()));
  dispatch(ctx, copy_block_problem{1, x.size(), x.size(), x.size()}, direction::forward, {x.data(), to.data()});
}

namespace ops_detail {

template <class T, bool Zeros>
struct copy_finite_body {
  const T* from;
  T* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const auto v = static_cast<compute_type_t<T>>(from[i]);
    if (v - v == 0)
      to[i] = from[i];
    else if constexpr (Zeros)
      to[i] = T(0);
  }
};
template <bool Zeros, tensor_backend Backend>
void copy_finite(context<Backend>& ctx, const tensor_of<Backend>& x, const tensor_of<Backend>& to) {
  if (!(to.shape() == x.shape()))
    throw shape_error(text("copy_finite: ", x.shape().to_string(), " to ", to.shape().to_string()));
  each(ctx, x.size(), copy_finite_body<typename Backend::scalar_type, Zeros>{x.data(), to.data()});
}

}  // namespace ops_detail

/// to = x where x is finite, in place; elsewhere `to` keeps what it has. Equal shapes, memory that does not overlap.
/// For what a method remembers from step to step. @throws shape_error otherwise
template <tensor_backend Backend>
void copy_finite_to(context<Backend>& ctx, const tensor_of<Backend>& x, const tensor_of<Backend>& to) {
  ops_detail::copy_finite<false>(ctx, x, to);
}
/// The same with 0 where x is not finite. @throws shape_error as `copy_finite_to`
template <tensor_backend Backend>
void copy_finite_or_zero_to(context<Backend>& ctx, const tensor_of<Backend>& x, const tensor_of<Backend>& to) {
  ops_detail::copy_finite<true>(ctx, x, to);
}

/// to = x, rounded to nearest, in place; equal shapes. @throws shape_error otherwise
template <tensor_backend Backend, class Scalar>
void cast_to(context<Backend>& ctx, const tensor<Scalar, typename Backend::space_type>& x,
             const tensor_of<Backend>& to) {
  if (!(to.shape() == x.shape()))
    throw shape_error(text("cast_to: ", x.shape().to_string(), " to ", to.shape().to_string()));
  dispatch(ctx, cast_problem<Scalar>{x.size()}, direction::forward, {x.data(), to.data()});
}

/// Sum over one axis, which stays with extent 1. @throws shape_error if there is no such axis
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> sum_axis(context<Backend>& ctx, const tensor_of<Backend>& x, int axis) {
  const int a = x.shape().checked(axis);
  shape extents = x.shape();
  extents.set(a, 1);
  auto y = ctx.make(extents);
  dispatch(ctx, sum_axis_problem{x.shape().product(0, a), x.extent(a), x.shape().product(a + 1, x.rank())},
           direction::forward, {x.data(), y.data()});
  return y;
}

/// The sum of x over the axes in which `target` has extent 1 or which it lacks: the backward of broadcasting.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> sum_to(context<Backend>& ctx, tensor_of<Backend> x, const shape& target) {
  if (x.shape() == target) return x;
  const int lead = x.rank() - target.rank();
  // Neighbouring axes that are summed are summed as one.
  for (int a = x.rank() - 1; a >= 0; --a) {
    if (x.extent(a) == 1 || (a >= lead && target[a - lead] != 1)) continue;
    int first = a;
    while (first > 0 && (first - 1 < lead || target[first - 1 - lead] == 1)) --first;
    shape extents = x.shape();
    for (int b = first; b <= a; ++b) extents.set(b, 1);
    auto y = ctx.make(extents);
    dispatch(ctx,
             sum_axis_problem{x.shape().product(0, first), x.shape().product(first, a + 1),
                              x.shape().product(a + 1, x.rank())},
             direction::forward, {x.data(), y.data()});
    x = y;
    a = first;
  }
  return x.reshaped(target);
}

/// Tensors joined along an axis; all other extents are equal. @throws shape_error otherwise or for no tensor
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> concat(context<Backend>& ctx, const std::vector<tensor_of<Backend>>& parts, int axis) {
  if (parts.empty()) throw shape_error("concat: no tensor given");
  const int a = parts[0].shape().checked(axis);
  shape extents = parts[0].shape();
  index total = 0;
  for (const auto& part : parts) {
    shape other = part.shape();
    if (other.rank() != extents.rank())
      throw shape_error(text("concat: ranks of ", extents.to_string(), " and ", other.to_string(), " differ"));
    total += other[a];
    other.set(a, extents[a]);
    if (!(other == extents))
      throw shape_error(text("concat along axis ", a, ": shapes ", extents.to_string(), " and ",
                             part.shape().to_string(), " differ elsewhere"));
  }
  extents.set(a, total);
  auto y = ctx.make(extents);
  const index rows = extents.product(0, a), inner = extents.product(a + 1, extents.rank());
  index at = 0;
  for (const auto& part : parts) {
    const index width = part.extent(a) * inner;
    dispatch(ctx, copy_block_problem{rows, width, width, total * inner}, direction::forward,
             {part.data(), y.data() + at});
    at += width;
  }
  return y;
}

/// Entries [first, last) along an axis. @throws shape_error unless 0 <= first < last <= extent
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> slice(context<Backend>& ctx, const tensor_of<Backend>& x, int axis, index first,
                                       index last) {
  const int a = x.shape().checked(axis);
  if (first < 0 || first >= last || last > x.extent(a))
    throw shape_error(text("slice: [", first, ", ", last, ") of axis ", a, " of ", x.shape().to_string()));
  shape extents = x.shape();
  extents.set(a, last - first);
  auto y = ctx.make(extents);
  const index inner = x.shape().product(a + 1, x.rank());
  const index width = (last - first) * inner;
  dispatch(ctx, copy_block_problem{x.shape().product(0, a), width, x.extent(a) * inner, width}, direction::forward,
           {x.data() + first * inner, y.data()});
  return y;
}

/// Zeros of `extents` with y in place of the entries [first, ...) along an axis: the backward of a slice.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> unslice(context<Backend>& ctx, const tensor_of<Backend>& y, const shape& extents,
                                         int axis, index first) {
  auto x = full(ctx, extents, typename Backend::scalar_type(0));
  const int a = extents.checked(axis);
  const index inner = extents.product(a + 1, extents.rank());
  const index width = y.extent(a) * inner;
  dispatch(ctx, copy_block_problem{extents.product(0, a), width, width, extents[a] * inner}, direction::forward,
           {y.data(), x.data() + first * inner});
  return x;
}

/// to += x, in place; equal shapes. @throws shape_error otherwise
template <tensor_backend Backend>
void add_to(context<Backend>& ctx, const tensor_of<Backend>& to, const tensor_of<Backend>& x) {
  if (!(to.shape() == x.shape()))
    throw shape_error(text("add_to: ", x.shape().to_string(), " to ", to.shape().to_string()));
  dispatch(ctx, binary_problem<plus>{to.shape(), x.shape()}, direction::forward,
           {plus{}, to.data(), x.data(), to.data()});
}

/// a + b of equal shapes.
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> sum(context<Backend>& ctx, const tensor_of<Backend>& a, const tensor_of<Backend>& b) {
  return binary(ctx, "sum", plus{}, a, b);
}

}  // namespace comodal::inline COMODAL_CONFIG::ops

#endif
