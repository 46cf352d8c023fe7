// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE autograd_arithmetic
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/autograd/reduction.hpp>

#include <autograd/gradients.hpp>

namespace comodal::tests {

const std::vector<operand> broadcast{{{2, 3, 1, 4}}, {{3, 2, 1}, 1, 2}}, one{{{3, 7}, -3, 3}},
    positive{{{3, 7}, 0.5, 3}};

BOOST_AUTO_TEST_CASE(gradients_of_arithmetic) {
  gradients("add", broadcast, [](const variables& v) { return v[0] + v[1]; });
  gradients("subtract", broadcast, [](const variables& v) { return v[0] - v[1]; });
  gradients("multiply", broadcast, [](const variables& v) { return v[0] * v[1]; });
  gradients("divide", broadcast, [](const variables& v) { return v[0] / v[1]; });
  gradients("scalars", {{{2, 3}}, {shape{}}}, [](const variables& v) { return v[0] * v[1] + v[1]; });
}

BOOST_AUTO_TEST_CASE(gradients_of_functions) {
  gradients("scale", one, [](const variables& v) { return scale(v[0], -2.5); });
  gradients("shift", one, [](const variables& v) { return shift(v[0], 3); });
  gradients("exp", one, [](const variables& v) { return exp(v[0]); });
  gradients("log", positive, [](const variables& v) { return log(v[0]); });
  gradients("sqrt", positive, [](const variables& v) { return sqrt(v[0]); });
  gradients("power", positive, [](const variables& v) { return power(v[0], 2.5); });
  gradients("power of negative numbers", one, [](const variables& v) { return power(v[0], 3); });
  gradients("sigmoid", one, [](const variables& v) { return sigmoid(v[0]); });
  gradients("leaky_relu", one, [](const variables& v) { return leaky_relu(v[0], 0.1); });
}

BOOST_AUTO_TEST_CASE(numbers_stand_on_either_side_of_an_operator) {
  context<twofold> ctx;
  tape<twofold> home(ctx);
  const auto x = home.leaf(ctx.make({2}, {1, 4}));
  const auto is = [&](const variable<twofold>& found, double first, double second) {
    BOOST_TEST(to_host(ctx.space(), found.value()) == (std::vector<double>{first, second}),
               boost::test_tools::per_element());
  };
  is(x * 2.0, 2, 8);
  is(2.0 * x, 2, 8);
  is(x / 2.0, 0.5, 2);
  is(x + 3.0, 4, 7);
  is(3.0 + x, 4, 7);
  is(x - 3.0, -2, 1);
  is(3.0 - x, 2, -1);
  is(-x, -1, -4);
  gradients("numbers", one, [](const variables& v) { return (1.0 - v[0] * 3.0) / 2.0 - (-v[0]) + 4.0; });
}

BOOST_AUTO_TEST_CASE(powers_have_their_gradients_at_zero) {
  context<twofold> ctx;
  tape<twofold> home(ctx);
  const auto gradient = [&](double exponent) {
    const auto x = home.leaf(ctx.make({2}, {0, 3}));
    home.backward(sum(power(x, exponent)));
    return to_host(ctx.space(), x.grad());
  };
  BOOST_TEST(gradient(0) == (std::vector<double>{0, 0}), boost::test_tools::per_element());
  BOOST_TEST(gradient(1) == (std::vector<double>{1, 1}), boost::test_tools::per_element());
  BOOST_TEST(gradient(2) == (std::vector<double>{0, 6}), boost::test_tools::per_element());
}

struct softplus {
  KOKKOS_INLINE_FUNCTION double operator()(double x) const { return math::log(1 + math::exp(x)); }
};
struct softplus_slope {
  KOKKOS_INLINE_FUNCTION double operator()(double x) const { return 1 / (1 + math::exp(-x)); }
};

BOOST_AUTO_TEST_CASE(gradient_of_ones_own_function) {
  gradients("elementwise", one, [](const variables& v) { return elementwise(v[0], softplus{}, softplus_slope{}); });
}

BOOST_AUTO_TEST_CASE(sigmoid_of_large_numbers_stays_finite) {
  context<twofold> ctx;
  tape<twofold> home(ctx);
  const auto y = to_host(ctx.space(), sigmoid(home.constant({3}, {-1000, 0, 1000})).value());
  BOOST_TEST(y == (std::vector<double>{0, 0.5, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(shapes_that_do_not_broadcast_name_the_operation) {
  context<twofold> ctx;
  tape<twofold> home(ctx);
  const auto a = home.constant({2, 3}, values(6, 1)), b = home.constant({4}, values(4, 2));
  BOOST_CHECK_EXCEPTION((void)add(a, b), shape_error, says("add: shapes (2, 3) and (4)"));
  BOOST_CHECK_EXCEPTION((void)subtract(a, b), shape_error, says("subtract: "));
  BOOST_CHECK_EXCEPTION((void)multiply(a, b), shape_error, says("multiply: "));
  BOOST_CHECK_EXCEPTION((void)divide(a, b), shape_error, says("divide: "));
}

}  // namespace comodal::tests
