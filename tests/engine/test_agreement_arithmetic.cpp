// SPDX-License-Identifier: Apache-2.0
// Arithmetic with broadcasting and elementwise functions: the host and device engines against the reference engine,
// forward and gradients.
#define BOOST_TEST_MODULE engine_agreement_arithmetic
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>

#include <comodal/autograd/arithmetic.hpp>

#include <engine/agreement.hpp>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(broadcasting) {
  const auto f = [](const auto& v) { return (v[0] + v[1]) * v[2] - v[1] / v[2]; };
  agree("equal shapes", {{{3, 4, 5}}, {{3, 4, 5}}, {{3, 4, 5}, 1, 2}}, f);
  agree("scalars", {{{3, 4, 5}}, {shape{}}, {{1}, 1, 2}}, f);
  agree("rows and columns", {{{2, 3, 1, 4}}, {{3, 5, 1}}, {{2, 1, 1, 1}, 1, 2}}, f);
  agree("inner axes", {{{4, 1, 6}}, {{1, 5, 1}}, {{4, 1, 1}, 1, 2}}, f);
  agree("many elements", {{{3, 17, 13, 11}}, {{17, 1, 11}}, {{11}, 1, 2}}, f);
  agree("long rows", {{{2, 5000}}, {{2, 1}}, {{1, 5000}, 1, 2}}, f);
}

BOOST_AUTO_TEST_CASE(nothing_broadcasts_to_nothing) {
  context<kokkos_backend<default_space, float>> ctx;
  tape<kokkos_backend<default_space, float>> home(ctx);
  const auto y = home.constant({0, 3}, {}) + home.constant({1, 3}, {1, 2, 3});
  BOOST_TEST((y.shape() == shape{0, 3}));
}

BOOST_AUTO_TEST_CASE(functions) {
  const std::vector<operand> any{{{7, 9}, -3, 3}}, positive{{{7, 9}, 0.5, 3}};
  agree("scale and shift", any, [](const auto& v) { return shift(-2.5 * v[0], 0.75); });
  agree("exp and sigmoid", any, [](const auto& v) { return exp(sigmoid(v[0])); });
  agree("leaky_relu", any, [](const auto& v) { return leaky_relu(v[0], 0.1); });
  agree("log, sqrt and power", positive, [](const auto& v) { return log(power(sqrt(v[0]), 3)); });
}

}  // namespace comodal::tests
