// SPDX-License-Identifier: Apache-2.0
/// @file
/// Compares values and gradients of a differentiable function between the reference engine and the others.
#ifndef COMODAL_TESTS_ENGINE_AGREEMENT_HPP
#define COMODAL_TESTS_ENGINE_AGREEMENT_HPP

#include <comodal/engine/reference.hpp>

#include <autograd/support.hpp>

#include <vector>

namespace comodal::tests {

/// `f` is generic over the back end. Errors are relative to the largest value of each output or gradient.
template <class F>
void agree(const char* what, const std::vector<operand>& operands, const F& f, double single_tolerance = 3e-6, double double_tolerance = 1e-12) {
  BOOST_TEST_CONTEXT(what) {
    const auto expected = evaluate<xtensor_backend<double>>(operands, f);
    const auto in_double = evaluate<kokkos_backend<default_space, double>>(operands, f);
    const auto in_single = evaluate<kokkos_backend<default_space, float>>(operands, f);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      BOOST_TEST(!expected[i].empty());
      BOOST_TEST(difference(in_double[i], expected[i]) <= double_tolerance, what << ", double, " << (i ? "gradient " : "output ") << i << ": "
                                                                                 << difference(in_double[i], expected[i]));
      BOOST_TEST(difference(in_single[i], expected[i]) <= single_tolerance, what << ", float, " << (i ? "gradient " : "output ") << i << ": "
                                                                                 << difference(in_single[i], expected[i]));
    }
  }
}

}  // namespace comodal::tests

#endif
