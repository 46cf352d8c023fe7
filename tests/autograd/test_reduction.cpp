// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE autograd_reduction
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/reduction.hpp>

#include <autograd/gradients.hpp>

#include <limits>

namespace comodal::tests {

const std::vector<operand> cube{{{2, 3, 4}}};

BOOST_AUTO_TEST_CASE(gradients_of_reductions) {
  gradients("sum", cube, [](const variables& v) { return sum(v[0]); });
  gradients("sum over axes", cube, [](const variables& v) { return sum(v[0], {0, -1}); });
  gradients("mean", cube, [](const variables& v) { return mean(v[0]); });
  gradients("mean over axes", cube, [](const variables& v) { return mean(v[0], {1}); });
  gradients("max", cube, [](const variables& v) { return max(v[0], 1); });
  gradients("l2_normalize", cube, [](const variables& v) { return l2_normalize(v[0], 1); });
}

BOOST_AUTO_TEST_CASE(gradients_of_soft_max) {
  for (const int axis : {0, 1, 2, -1})
    gradients("softmax", cube, [axis](const variables& v) { return softmax(v[0], axis); });
  gradients("masked_softmax", cube, [](const variables& v) {
    return masked_softmax(v[0], v[0].home().constant({2, 4}, {1, 0, 1, 1, 0, 1, 0, 0}));
  });
}

BOOST_AUTO_TEST_CASE(gradients_of_the_matrix_product) {
  gradients("matmul", {{{2, 3, 4}}, {{2, 4, 5}}}, [](const variables& v) { return matmul(v[0], v[1]); });
  gradients("matmul of matrices", {{{33, 2}}, {{2, 17}}}, [](const variables& v) { return matmul(v[0], v[1]); });
  gradients("a^T b", {{{2, 4, 3}}, {{2, 4, 5}}},
            [](const variables& v) { return matmul(v[0], v[1], ops::transposed::a); });
  gradients("a b^T", {{{2, 3, 4}}, {{2, 5, 4}}},
            [](const variables& v) { return matmul(v[0], v[1], ops::transposed::b); });
  // Both operands are the same variable: it receives both gradients.
  gradients("a^T a", {{{2, 4, 3}}}, [](const variables& v) { return matmul(v[0], v[0], ops::transposed::a); });
}

struct workshop {
  context<twofold> ctx;
  tape<twofold> home{ctx};
  std::vector<double> host(const variable<twofold>& v) { return to_host(ctx.space(), v.value()); }
};

BOOST_FIXTURE_TEST_CASE(a_transposed_product_is_that_of_the_transpose, workshop) {
  const auto a = home.constant({2, 3}, {1, 2, 3, 4, 5, 6}), b = home.constant({2, 1}, {1, 10});
  BOOST_TEST(host(matmul(a, b, ops::transposed::a)) == (std::vector<double>{41, 52, 63}),
             boost::test_tools::per_element());
  BOOST_TEST(host(matmul(a, home.constant({1, 3}, {1, 0, 2}), ops::transposed::b)) == (std::vector<double>{7, 16}),
             boost::test_tools::per_element());
  BOOST_CHECK_EXCEPTION(
      (void)matmul(a, home.constant({3, 1}, {1, 2, 3}), ops::transposed::a), shape_error,
      [](const shape_error& e) { return std::string(e.what()).find("matmul: (2, 3) and (3, 1)") == 0; });
}

BOOST_FIXTURE_TEST_CASE(reduced_axes_stay_with_extent_one, workshop) {
  const auto x = home.constant({2, 3}, {1, 2, 3, 4, 5, 6});
  BOOST_TEST((sum(x, {1}).shape() == shape{2, 1}));
  BOOST_TEST((sum(x, {0, 1}).shape() == shape{1, 1}));
  BOOST_TEST((sum(x).shape() == shape{}));
  BOOST_TEST((max(x, 0).shape() == shape{1, 3}));
  BOOST_TEST(host(sum(x, {0})) == (std::vector<double>{5, 7, 9}), boost::test_tools::per_element());
  BOOST_TEST(host(max(x, 1)) == (std::vector<double>{3, 6}), boost::test_tools::per_element());
  BOOST_TEST(item(mean(x)) == 3.5);
}

BOOST_FIXTURE_TEST_CASE(an_axis_that_is_given_twice_counts_once, workshop) {
  const auto ones = home.constant({2, 3}, {1, 1, 1, 1, 1, 1});
  BOOST_TEST(host(mean(ones, {1, -1})) == (std::vector<double>{1, 1}), boost::test_tools::per_element());
  BOOST_TEST(host(mean(ones, {0, 1, 0, -1})) == (std::vector<double>{1}), boost::test_tools::per_element());
  BOOST_TEST(host(sum(ones, {1, -1})) == (std::vector<double>{3, 3}), boost::test_tools::per_element());
  gradients("mean", cube, [](const variables& v) { return mean(v[0], {1, -2, 2}); });
}

BOOST_FIXTURE_TEST_CASE(soft_max_of_large_numbers_stays_finite, workshop) {
  const auto p = host(softmax(home.constant({2, 2}, {1000, 1000, -1e300, 0}), 1));
  BOOST_TEST(p == (std::vector<double>{0.5, 0.5, 0, 1}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(masked_entries_are_never_read_and_an_empty_row_is_zero, workshop) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto x = home.constant({2, 1, 3}, {0, nan, 0, nan, nan, nan}), mask = home.constant({2, 3}, {1, 0, 1, 0, 0, 0});
  BOOST_TEST(host(masked_softmax(x, mask)) == (std::vector<double>{0.5, 0, 0.5, 0, 0, 0}),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_gradient_goes_to_the_first_of_equal_maxima, workshop) {
  const auto x = home.leaf(ctx.make({1, 4}, {1, 7, 7, 7}));
  home.backward(sum(max(x, 1)));
  BOOST_TEST(to_host(ctx.space(), x.grad()) == (std::vector<double>{0, 1, 0, 0}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(shapes_that_do_not_fit_name_the_operation, workshop) {
  const auto a = home.constant({2, 3}, values(6, 1)), square = home.constant({3, 3}, values(9, 1)),
             row = home.constant({3}, values(3, 1));
  BOOST_CHECK_EXCEPTION((void)matmul(a, a), shape_error, says("matmul: (2, 3) and (2, 3)"));
  BOOST_CHECK_EXCEPTION((void)matmul(row, row), shape_error, says("matmul: "));
  BOOST_CHECK_EXCEPTION((void)masked_softmax(a, square), shape_error, says("masked_softmax: x (2, 3) and mask (3, 3)"));
  BOOST_CHECK_EXCEPTION((void)masked_softmax(row, square), shape_error, says("masked_softmax: x (3) and mask (3, 3)"));
  BOOST_CHECK_EXCEPTION((void)softmax(a, 2), shape_error, says("has no axis 2"));
  BOOST_CHECK_EXCEPTION((void)sum(a, {-3}), shape_error, says("has no axis -3"));
}

}  // namespace comodal::tests
