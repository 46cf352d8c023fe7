// SPDX-License-Identifier: Apache-2.0
/// @file
/// Elementwise functions without a gradient: masks and weights made from predictions.
#ifndef COMODAL_SSL_PARTS_CONSTANT_FUNCTION_HPP
#define COMODAL_SSL_PARTS_CONSTANT_FUNCTION_HPP

#include <comodal/autograd/variable.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

struct positive {
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T x) const {
    return x > T(0) ? T(1) : T(0);
  }
};
struct clipped {
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T x) const {
    return x < T(0) ? T(0) : (x > T(1) ? T(1) : x);
  }
};
struct at_least_number {
  double least;
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T x) const {
    return x > static_cast<T>(least) ? x : static_cast<T>(least);
  }
};

}  // namespace ssl_detail

/// `function.value(x)`, element by element, as a constant. The function is a named type that kernels can copy.
template <tensor_backend Backend, class Function>
[[nodiscard]] variable<Backend> constant_function(const Function& function, const variable<Backend>& x) {
  return x.home().constant(ops::unary(x.ctx(), function, x.value()));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
