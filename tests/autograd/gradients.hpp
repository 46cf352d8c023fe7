// SPDX-License-Identifier: Apache-2.0
/// @file
/// Gradient checks by finite differences in double.
#ifndef COMODAL_TESTS_AUTOGRAD_GRADIENTS_HPP
#define COMODAL_TESTS_AUTOGRAD_GRADIENTS_HPP

#include <comodal/autograd/check_gradient.hpp>

#include <autograd/support.hpp>

#include <vector>

namespace comodal::tests {

using twofold = kokkos_backend<default_space, double>;
using variables = std::vector<variable<twofold>>;

/// Central differences of step 1e-5 leave some 1e-8 of the gradient.
constexpr double gradient_tolerance = 5e-7;

/// Checks the gradients of `f` with respect to every operand.
template <class Backend = twofold, class F>
void gradients(const char* what, const std::vector<operand>& operands, const F& f) {
  context<Backend> ctx;
  tape<Backend> home(ctx);
  const gradient_report report = check_gradient<Backend>(f, leaves(home, operands));
  BOOST_TEST(report.passed(gradient_tolerance), what << ": " << report.worst << " at " << report.place);
  BOOST_TEST(report.compared >= static_cast<index>(operands.size()));
}

}  // namespace comodal::tests

#endif
