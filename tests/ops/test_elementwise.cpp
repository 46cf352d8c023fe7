// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE ops_elementwise
#include <boost/test/unit_test.hpp>

#include <comodal/ops/elementwise.hpp>

#include <core/support.hpp>

#include <cmath>

namespace comodal::tests {

using backend = kokkos_backend<default_space, double>;
const auto each = boost::test_tools::per_element();

struct workshop {
  context<backend> ctx;
  tensor<double> row(const std::vector<double>& v) { return ctx.make({static_cast<index>(v.size())}, v); }
  std::vector<double> host(const tensor<double>& t) { return to_host(ctx.space(), t); }
};

BOOST_FIXTURE_TEST_CASE(binary_functions_broadcast, workshop) {
  const auto a = ctx.make({2, 1}, {10, 20}), b = row({1, 2, 3});
  BOOST_TEST(host(ops::binary(ctx, "f", ops::plus{}, a, b)) == (std::vector<double>{11, 12, 13, 21, 22, 23}), each);
  BOOST_TEST(host(ops::binary(ctx, "f", ops::minus{}, a, b)) == (std::vector<double>{9, 8, 7, 19, 18, 17}), each);
  BOOST_TEST(host(ops::binary(ctx, "f", ops::times{}, b, a)) == (std::vector<double>{10, 20, 30, 20, 40, 60}), each);
  BOOST_TEST(host(ops::binary(ctx, "f", ops::over{}, b, ctx.make({}, {2}))) == (std::vector<double>{0.5, 1, 1.5}),
             each);
}

BOOST_FIXTURE_TEST_CASE(what_is_not_finite_is_not_copied, workshop) {
  const auto x = row({1, std::nan(""), HUGE_VAL, -HUGE_VAL, -5}), kept = row({6, 7, 8, 9, 10}),
             zeros = row({6, 7, 8, 9, 10});
  ops::copy_finite_to(ctx, x, kept);
  ops::copy_finite_or_zero_to(ctx, x, zeros);
  BOOST_TEST(host(kept) == (std::vector<double>{1, 7, 8, 9, -5}), each);
  BOOST_TEST(host(zeros) == (std::vector<double>{1, 0, 0, 0, -5}), each);
  BOOST_CHECK_EXCEPTION(ops::copy_finite_to(ctx, x, row({1})), shape_error, says("copy_finite: (5) to (1)"));
}

BOOST_FIXTURE_TEST_CASE(sum_to_undoes_broadcasting, workshop) {
  const shape big{2, 3, 4, 5};
  const auto numbers = values(big.size(), 1);
  const auto x = ctx.make(big, numbers);
  for (const shape& target : {shape{2, 3, 4, 5}, shape{5}, shape{}, shape{1}, shape{4, 1}, shape{3, 1, 1},
                              shape{2, 1, 4, 1}, shape{1, 3, 1, 5}, shape{2, 1, 1, 5}}) {
    std::vector<double> expected(static_cast<std::size_t>(target.size()));
    const broadcast_plan plan(big, target);
    for (index i = 0; i < big.size(); ++i) {
      index ia = 0, ib = 0;
      plan.offsets(i / plan.inner, ia, ib);
      expected[static_cast<std::size_t>(ib + i % plan.inner * plan.b_step)] += numbers[static_cast<std::size_t>(i)];
    }
    const auto found = ops::sum_to(ctx, x, target);
    BOOST_TEST((found.shape() == target));
    BOOST_TEST(difference(host(found), expected) < 1e-13, target.to_string());
  }
}

BOOST_FIXTURE_TEST_CASE(sums_over_an_axis_keep_it_with_extent_one, workshop) {
  const auto x = ctx.make({2, 3}, {1, 2, 3, 4, 5, 6});
  BOOST_TEST((ops::sum_axis(ctx, x, 0).shape() == shape{1, 3}));
  BOOST_TEST(host(ops::sum_axis(ctx, x, -1)) == (std::vector<double>{6, 15}), each);
  BOOST_CHECK_EXCEPTION((void)ops::sum_axis(ctx, x, 2), shape_error, says("has no axis 2"));
}

BOOST_FIXTURE_TEST_CASE(long_sums_are_exact_to_double, workshop) {
  for (const index count : {255, 256, 4096, 100000}) {
    std::vector<double> v(static_cast<std::size_t>(count), 0.1);
    v.front() = 1e9;
    v.back() = -1e9;
    BOOST_TEST(std::fabs(host(ops::sum_to(ctx, ctx.make({count}, v), shape{}))[0] -
                         0.1 * static_cast<double>(count - 2)) < 2e-4);
  }
  // Float elements are summed in double.
  context<kokkos_backend<default_space, float>> narrow;
  const auto ones = narrow.make({20000000 / 16, 16}, std::vector<float>(20000000, 1.0f));
  BOOST_TEST(to_host(narrow.space(), ops::sum_to(narrow, ones, shape{}))[0] == 2e7f);
}

BOOST_FIXTURE_TEST_CASE(a_slice_and_its_backward, workshop) {
  const auto x = ctx.make({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto s = ops::slice(ctx, x, 1, 1, 3);
  BOOST_TEST(host(s) == (std::vector<double>{2, 3, 5, 6}), each);
  BOOST_TEST(host(ops::unslice(ctx, s, {2, 3}, 1, 1)) == (std::vector<double>{0, 2, 3, 0, 5, 6}), each);
  BOOST_CHECK_EXCEPTION((void)ops::slice(ctx, x, 0, 1, 1), shape_error, says("slice: [1, 1) of axis 0 of (2, 3)"));
  BOOST_CHECK_EXCEPTION((void)ops::slice(ctx, x, 0, -1, 1), shape_error, says("slice: [-1, 1)"));
}

BOOST_FIXTURE_TEST_CASE(tensors_are_joined_in_order, workshop) {
  const auto a = ctx.make({2, 1, 2}, {1, 2, 3, 4}), b = ctx.make({2, 2, 2}, {5, 6, 7, 8, 9, 10, 11, 12});
  const auto c = ops::concat(ctx, {a, b}, 1);
  BOOST_TEST((c.shape() == shape{2, 3, 2}));
  BOOST_TEST(host(c) == (std::vector<double>{1, 2, 5, 6, 7, 8, 3, 4, 9, 10, 11, 12}), each);
  BOOST_CHECK_EXCEPTION((void)ops::concat(ctx, {a, row({1})}, 0), shape_error,
                        says("concat: ranks of (2, 1, 2) and (1) differ"));
  BOOST_CHECK_EXCEPTION((void)ops::concat(ctx, {a, b}, 2), shape_error,
                        says("concat along axis 2: shapes (2, 1, 2) and (2, 2, 2) differ elsewhere"));
  BOOST_CHECK_EXCEPTION((void)ops::concat(ctx, std::vector<tensor<double>>{}, 0), shape_error,
                        says("concat: no tensor given"));
}

BOOST_FIXTURE_TEST_CASE(full_and_sum, workshop) {
  BOOST_TEST(host(ops::sum(ctx, ops::full(ctx, {3}, 2.5), row({1, 2, 3}))) == (std::vector<double>{3.5, 4.5, 5.5}),
             each);
}

BOOST_AUTO_TEST_CASE(blocks_are_added_to_what_is_there) {
  context<backend> ctx;
  const auto from = ctx.make({2, 2}, {1, 2, 3, 4}), to = ctx.make({2, 3}, {10, 10, 10, 20, 20, 20});
  dispatch(ctx, copy_block_problem{2, 2, 2, 3, true}, direction::forward, {from.data(), to.data() + 1});
  BOOST_TEST(to_host(ctx.space(), to) == (std::vector<double>{10, 11, 12, 20, 23, 24}), each);
}

}  // namespace comodal::tests
