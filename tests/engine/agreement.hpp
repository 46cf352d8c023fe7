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
void agree(const char* what, const std::vector<operand>& operands, const F& f, double single_tolerance = 3e-6,
           double double_tolerance = 1e-12) {
  BOOST_TEST_CONTEXT(what) {
    const auto expected = evaluate<xtensor_backend<double>>(operands, f);
    const auto compare = [&](const auto& results, const char* scalar, double tolerance) {
      for (std::size_t i = 0; i < expected.size(); ++i) {
        BOOST_TEST(!expected[i].empty());
        const double found = difference(results[i], expected[i]);
        BOOST_TEST(found <= tolerance,
                   what << ", " << scalar << ", " << (i ? "gradient " : "output ") << i << ": " << found);
      }
    };
    compare(evaluate<kokkos_backend<default_space, double>>(operands, f), "double", double_tolerance);
    compare(evaluate<kokkos_backend<default_space, float>>(operands, f), "float", single_tolerance);
    using device_on_host = kokkos_backend<default_space, float, false, engine_list<device_engine>>;
    compare(evaluate<device_on_host>(operands, f), "float, device engine", single_tolerance);
  }
}

}  // namespace comodal::tests

#endif
