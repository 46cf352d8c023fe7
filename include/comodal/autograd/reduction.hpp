// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable sums, means and maxima over axes, soft-max, L2 normalisation and the matrix product.
#ifndef COMODAL_AUTOGRAD_REDUCTION_HPP
#define COMODAL_AUTOGRAD_REDUCTION_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/core/compiled.hpp>
#include <comodal/ops/reduction.hpp>

#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Sum over the given axes, which stay with extent 1; accumulated in double, in a fixed order. An axis that is given
/// twice (as 1 and -1 of two) counts once. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> sum(const variable<Backend>& x, const std::vector<int>& axes) {
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "sum");
  shape target = x.shape();
  for (const int axis : axes) target.set(axis, 1);
  return x.home().result(
      ops::sum_to(ctx, x.value(), target), {&x}, [&ctx, to = x.sink(), extents = x.shape()](const auto& d) {
        to.accumulate(
            ops::binary(ctx, "sum", ops::plus{}, d, ops::full(ctx, extents, typename Backend::scalar_type(0))));
      });
}

/// Sum of all elements, as a variable of rank 0.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> sum(const variable<Backend>& x) {
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "sum");
  return x.home().result(
      ops::sum_to(ctx, x.value(), shape{}), {&x}, [&ctx, to = x.sink(), extents = x.shape()](const auto& d) {
        to.accumulate(
            ops::binary(ctx, "sum", ops::plus{}, d, ops::full(ctx, extents, typename Backend::scalar_type(0))));
      });
}

/// Mean over the given axes, which stay with extent 1; an axis that is given twice counts once. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> mean(const variable<Backend>& x, const std::vector<int>& axes) {
  shape rest = x.shape();
  index count = 1;
  for (const int axis : axes) {
    count *= rest[axis];
    rest.set(axis, 1);
  }
  return scale(sum(x, axes), 1.0 / static_cast<double>(count));
}

/// Mean of all elements, as a variable of rank 0.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> mean(const variable<Backend>& x) {
  return scale(sum(x), 1.0 / static_cast<double>(x.shape().size()));
}

/// Maximum over one axis, which stays with extent 1; the gradient goes to the first of equal maxima. @throws
/// shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> max(const variable<Backend>& x, int axis) {
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "max");
  const auto of = ops::max_axis(ctx, x.value(), axis);
  return x.home().result(of.y, {&x}, [&ctx, to = x.sink(), chosen = of.chosen, in = x.shape(), axis](const auto& d) {
    to.accumulate(ops::max_axis_backward(ctx, in, axis, chosen, d));
  });
}

namespace detail {

template <tensor_backend Backend>
[[nodiscard]] variable<Backend> softmax(const variable<Backend>& x, int axis, const tensor_of<Backend>& mask) {
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "softmax");
  const auto y = ops::softmax(ctx, x.value(), axis, mask);
  return x.home().result(y, {&x}, [&ctx, to = x.sink(), y, axis](const auto& d) {
    to.accumulate(ops::softmax_backward(ctx, y, axis, d));
  });
}

}  // namespace detail

/// Soft-max over an axis; the maximum is subtracted first. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> softmax(const variable<Backend>& x, int axis) {
  return detail::softmax(x, axis, {});
}

/// Soft-max over the last axis, of those entries alone whose mask is not 0; the others come out as 0 and are never
/// read. x (N, ..., M), mask (N, M) of zeros and ones. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> masked_softmax(const variable<Backend>& x, const variable<Backend>& mask) {
  const shape& m = mask.shape();
  if (x.shape().rank() < 2 || m.rank() != 2 || m[0] != x.extent(0) || m[1] != x.extent(-1))
    throw shape_error(text("masked_softmax: x ", x.shape().to_string(), " and mask ", m.to_string(),
                           ", expected (N, ..., M) and (N, M)"));
  return detail::softmax(x, -1, mask.value());
}

/// x / sqrt(sum of x^2 over an axis + eps). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> l2_normalize(const variable<Backend>& x, int axis, double eps = 1e-12) {
  return divide(x, sqrt(shift(sum(multiply(x, x), {axis}), eps)));
}

/// Matrix product of the last two axes: (..., R, K) and (..., K, C) -> (..., R, C); the leading axes are equal.
/// @param which operand is given with its last two axes swapped, as in a b^T @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> matmul(const variable<Backend>& a, const variable<Backend>& b,
                                       ops::transposed which = ops::transposed::none) {
  using ops::transposed;
  auto& ctx = a.ctx();
  const operation_scope scope(ctx, "matmul");
  return a.home().result(
      ops::matmul(ctx, a.value(), b.value(), which), {&a, &b},
      [&ctx, which, to_a = a.sink(), to_b = b.sink(), av = a.value(), bv = b.value()](const auto& d) {
        if (to_a.wanted())
          to_a.accumulate(which == transposed::a
                              ? ops::matmul(ctx, bv, d, transposed::b)
                              : ops::matmul(ctx, d, bv, which == transposed::b ? transposed::none : transposed::b));
        if (to_b.wanted())
          to_b.accumulate(which == transposed::b
                              ? ops::matmul(ctx, d, av, transposed::a)
                              : ops::matmul(ctx, av, d, which == transposed::a ? transposed::none : transposed::a));
      });
}

#define COMODAL_REDUCTION(kind, Backend)                                                     \
  kind variable<Backend> sum(const variable<Backend>&, const std::vector<int>&);             \
  kind variable<Backend> sum(const variable<Backend>&);                                      \
  kind variable<Backend> max(const variable<Backend>&, int);                                 \
  kind variable<Backend> softmax(const variable<Backend>&, int);                             \
  kind variable<Backend> masked_softmax(const variable<Backend>&, const variable<Backend>&); \
  kind variable<Backend> matmul(const variable<Backend>&, const variable<Backend>&, ops::transposed);
COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER(COMODAL_REDUCTION)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
