// SPDX-License-Identifier: Apache-2.0
/// @file
/// Elementwise functions without a gradient: masks and weights made from predictions.
#ifndef COMODAL_SSL_PARTS_CONSTANT_FUNCTION_HPP
#define COMODAL_SSL_PARTS_CONSTANT_FUNCTION_HPP

#include <comodal/autograd/variable.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// `function.value(x)`, element by element, as a constant. The function is a named type that kernels can copy.
template <tensor_backend Backend, class Function>
[[nodiscard]] variable<Backend> constant_function(const Function& function, const variable<Backend>& x) {
  return x.home().constant(ops::unary(x.ctx(), function, x.value()));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
