// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable arithmetic with NumPy's broadcasting, and elementwise functions, also of one's own.
#ifndef COMODAL_AUTOGRAD_ARITHMETIC_HPP
#define COMODAL_AUTOGRAD_ARITHMETIC_HPP

#include <comodal/autograd/variable.hpp>
#include <comodal/core/compiled.hpp>
#include <comodal/core/step_block.hpp>
#include <comodal/core/vector_math.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// a + b, broadcast. @throws shape_error where the shapes do not broadcast
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> add(const variable<Backend>& a, const variable<Backend>& b) {
  auto& ctx = a.ctx();
  const operation_scope scope(ctx, "add");
  return a.home().result(ops::binary(ctx, "add", ops::plus{}, a.value(), b.value()), {&a, &b},
                         [&ctx, to_a = a.sink(), to_b = b.sink(), as = a.shape(), bs = b.shape()](const auto& d) {
                           if (to_a.wanted()) to_a.accumulate(ops::sum_to(ctx, d, as));
                           if (to_b.wanted()) to_b.accumulate(ops::sum_to(ctx, d, bs));
                         });
}

namespace detail {

template <class T>
struct scale_function {
  T factor;
  KOKKOS_INLINE_FUNCTION T value(T x) const { return factor * x; }
  KOKKOS_INLINE_FUNCTION T derivative(T, T) const { return factor; }
};
template <class T>
struct scale_by_step_function {
  device_scalar factor;
  KOKKOS_INLINE_FUNCTION T value(T x) const { return static_cast<T>(factor.value()) * x; }
};
template <class T>
struct shift_function {
  T by;
  KOKKOS_INLINE_FUNCTION T value(T x) const { return x + by; }
  KOKKOS_INLINE_FUNCTION T derivative(T, T) const { return T(1); }
};
template <class T>
struct exp_function {
  KOKKOS_INLINE_FUNCTION T value(T x) const { return math::exp(x); }
  KOKKOS_INLINE_FUNCTION T derivative(T, T y) const { return y; }
};
template <class T>
struct log_function {
  KOKKOS_INLINE_FUNCTION T value(T x) const { return math::log(x); }
  KOKKOS_INLINE_FUNCTION T derivative(T x, T) const { return T(1) / x; }
};
template <class T>
struct sqrt_function {
  KOKKOS_INLINE_FUNCTION T value(T x) const { return math::sqrt(x); }
  KOKKOS_INLINE_FUNCTION T derivative(T, T y) const { return T(0.5) / y; }
};
template <class T>
struct power_function {
  T exponent;
  KOKKOS_INLINE_FUNCTION T value(T x) const { return math::pow(x, exponent); }
  KOKKOS_INLINE_FUNCTION T derivative(T x, T) const {
    // x^0 is 1 everywhere; 0 * x^-1 would be 0 * inf at 0.
    return exponent == T(0) ? T(0) : exponent * math::pow(x, exponent - T(1));
  }
};
template <class T>
struct sigmoid_function {
  KOKKOS_INLINE_FUNCTION T value(T x) const {
    const T e = vector_exp(-math::fabs(x));
    return x >= T(0) ? T(1) / (T(1) + e) : e / (T(1) + e);
  }
  KOKKOS_INLINE_FUNCTION T derivative(T, T y) const { return y * (T(1) - y); }
};
template <class T>
struct leaky_relu_function {
  T slope;
  KOKKOS_INLINE_FUNCTION T value(T x) const { return x > T(0) ? x : slope * x; }
  KOKKOS_INLINE_FUNCTION T derivative(T x, T) const { return x > T(0) ? T(1) : slope; }
};
template <class F, class Derivative>
struct user_function {
  F f;
  Derivative df;
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T x) const {
    return f(x);
  }
  template <class T>
  KOKKOS_INLINE_FUNCTION T derivative(T x, T) const {
    return df(x);
  }
};
struct quotient_by_b {
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T y, T b) const {
    return -y / b;
  }
};

template <tensor_backend Backend, class Function>
[[nodiscard]] variable<Backend> apply(const variable<Backend>& x, const Function& f) {
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "elementwise");
  auto y = ops::unary(ctx, f, x.value());
  return x.home().result(y, {&x}, [&ctx, f, to = x.sink(), in = x.value(), y](const auto& d) {
    to.accumulate(ops::unary_backward(ctx, f, in, y, d));
  });
}

}  // namespace detail

/// factor * x.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> scale(const variable<Backend>& x, double factor) {
  using T = compute_type_t<typename Backend::scalar_type>;
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "scale");
  const detail::scale_function<T> f{static_cast<T>(factor)};
  return x.home().result(ops::unary(ctx, f, x.value()), {&x},
                         [&ctx, f, to = x.sink()](const auto& d) { to.accumulate(ops::unary(ctx, f, d)); });
}

/// factor * x, where the factor changes from step to step: kernels read it from the step block.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> scale(const variable<Backend>& x, const step_scalar& factor) {
  using T = compute_type_t<typename Backend::scalar_type>;
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "scale");
  const detail::scale_by_step_function<T> f{device_value(ctx, factor)};
  return x.home().result(ops::unary(ctx, f, x.value()), {&x},
                         [&ctx, f, to = x.sink()](const auto& d) { to.accumulate(ops::unary(ctx, f, d)); });
}

/// x + by, by a number.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> shift(const variable<Backend>& x, double by) {
  using T = compute_type_t<typename Backend::scalar_type>;
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "shift");
  return x.home().result(ops::unary(ctx, detail::shift_function<T>{static_cast<T>(by)}, x.value()), {&x},
                         [to = x.sink()](const auto& d) { to.accumulate(d); });
}

/// a - b, broadcast. @throws shape_error where the shapes do not broadcast
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> subtract(const variable<Backend>& a, const variable<Backend>& b) {
  using T = compute_type_t<typename Backend::scalar_type>;
  auto& ctx = a.ctx();
  const operation_scope scope(ctx, "subtract");
  return a.home().result(
      ops::binary(ctx, "subtract", ops::minus{}, a.value(), b.value()), {&a, &b},
      [&ctx, to_a = a.sink(), to_b = b.sink(), as = a.shape(), bs = b.shape()](const auto& d) {
        if (to_a.wanted()) to_a.accumulate(ops::sum_to(ctx, d, as));
        if (to_b.wanted()) to_b.accumulate(ops::unary(ctx, detail::scale_function<T>{T(-1)}, ops::sum_to(ctx, d, bs)));
      });
}

/// a b, element by element, broadcast. @throws shape_error where the shapes do not broadcast
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> multiply(const variable<Backend>& a, const variable<Backend>& b) {
  auto& ctx = a.ctx();
  const operation_scope scope(ctx, "multiply");
  return a.home().result(
      ops::binary(ctx, "multiply", ops::times{}, a.value(), b.value()), {&a, &b},
      [&ctx, to_a = a.sink(), to_b = b.sink(), av = a.value(), bv = b.value()](const auto& d) {
        if (to_a.wanted())
          to_a.accumulate(ops::sum_to(ctx, ops::binary(ctx, "multiply", ops::times{}, d, bv), av.shape()));
        if (to_b.wanted())
          to_b.accumulate(ops::sum_to(ctx, ops::binary(ctx, "multiply", ops::times{}, d, av), bv.shape()));
      });
}

/// a / b, element by element, broadcast. @throws shape_error where the shapes do not broadcast
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> divide(const variable<Backend>& a, const variable<Backend>& b) {
  auto& ctx = a.ctx();
  const operation_scope scope(ctx, "divide");
  auto y = ops::binary(ctx, "divide", ops::over{}, a.value(), b.value());
  return a.home().result(
      y, {&a, &b}, [&ctx, to_a = a.sink(), to_b = b.sink(), as = a.shape(), bv = b.value(), y](const auto& d) {
        if (to_a.wanted()) to_a.accumulate(ops::sum_to(ctx, ops::binary(ctx, "divide", ops::over{}, d, bv), as));
        if (to_b.wanted()) {
          auto slope = ops::binary(ctx, "divide", detail::quotient_by_b{}, y, bv);
          to_b.accumulate(ops::sum_to(ctx, ops::binary(ctx, "divide", ops::times{}, d, slope), bv.shape()));
        }
      });
}

template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator+(const variable<Backend>& a, const variable<Backend>& b) {
  return add(a, b);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator-(const variable<Backend>& a, const variable<Backend>& b) {
  return subtract(a, b);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator*(const variable<Backend>& a, const variable<Backend>& b) {
  return multiply(a, b);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator/(const variable<Backend>& a, const variable<Backend>& b) {
  return divide(a, b);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator*(double factor, const variable<Backend>& x) {
  return scale(x, factor);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator*(const variable<Backend>& x, double factor) {
  return scale(x, factor);
}
/// x times 1 / divisor: rounded twice.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator/(const variable<Backend>& x, double divisor) {
  return scale(x, 1 / divisor);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator+(const variable<Backend>& x, double offset) {
  return shift(x, offset);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator+(double offset, const variable<Backend>& x) {
  return shift(x, offset);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator-(const variable<Backend>& x, double offset) {
  return shift(x, -offset);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator-(double offset, const variable<Backend>& x) {
  return shift(scale(x, -1), offset);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator-(const variable<Backend>& x) {
  return scale(x, -1);
}

template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator*(const step_scalar& factor, const variable<Backend>& x) {
  return scale(x, factor);
}
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> operator*(const variable<Backend>& x, const step_scalar& factor) {
  return scale(x, factor);
}

/// e^x.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> exp(const variable<Backend>& x) {
  return detail::apply(x, detail::exp_function<compute_type_t<typename Backend::scalar_type>>{});
}
/// Natural logarithm; x > 0.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> log(const variable<Backend>& x) {
  return detail::apply(x, detail::log_function<compute_type_t<typename Backend::scalar_type>>{});
}
/// Square root; the gradient at 0 is infinite: add a small number first.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> sqrt(const variable<Backend>& x) {
  return detail::apply(x, detail::sqrt_function<compute_type_t<typename Backend::scalar_type>>{});
}
/// x to a constant power; x > 0 unless the exponent is a whole number.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> power(const variable<Backend>& x, double exponent) {
  using T = compute_type_t<typename Backend::scalar_type>;
  return detail::apply(x, detail::power_function<T>{static_cast<T>(exponent)});
}
/// 1 / (1 + e^-x).
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> sigmoid(const variable<Backend>& x) {
  return detail::apply(x, detail::sigmoid_function<compute_type_t<typename Backend::scalar_type>>{});
}
/// x where x > 0, else slope x; the derivative at 0 is the slope.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> leaky_relu(const variable<Backend>& x, double slope = 0.01) {
  using T = compute_type_t<typename Backend::scalar_type>;
  return detail::apply(x, detail::leaky_relu_function<T>{static_cast<T>(slope)});
}
/// One's own function f(x) with its derivative df(x), of what is computed with (float for bfloat16), both callable on
/// the back end's device (KOKKOS_FUNCTION members of named functors where nvcc compiles them).
template <tensor_backend Backend, class F, class Derivative>
[[nodiscard]] variable<Backend> elementwise(const variable<Backend>& x, F f, Derivative df) {
  return detail::apply(x, detail::user_function<F, Derivative>{f, df});
}

#define COMODAL_ARITHMETIC(kind, Backend)                                              \
  kind variable<Backend> add(const variable<Backend>&, const variable<Backend>&);      \
  kind variable<Backend> subtract(const variable<Backend>&, const variable<Backend>&); \
  kind variable<Backend> multiply(const variable<Backend>&, const variable<Backend>&); \
  kind variable<Backend> divide(const variable<Backend>&, const variable<Backend>&);   \
  kind variable<Backend> scale(const variable<Backend>&, double);                      \
  kind variable<Backend> scale(const variable<Backend>&, const step_scalar&);          \
  kind variable<Backend> shift(const variable<Backend>&, double);                      \
  kind variable<Backend> exp(const variable<Backend>&);                                \
  kind variable<Backend> log(const variable<Backend>&);                                \
  kind variable<Backend> sqrt(const variable<Backend>&);                               \
  kind variable<Backend> power(const variable<Backend>&, double);                      \
  kind variable<Backend> sigmoid(const variable<Backend>&);                            \
  kind variable<Backend> leaky_relu(const variable<Backend>&, double);
COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER(COMODAL_ARITHMETIC)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
