// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE autograd_structure
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/structure.hpp>

#include <autograd/gradients.hpp>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(gradients_of_copies) {
  gradients("reshape", {{{2, 3, 4}}}, [](const variables& v) { return reshape(v[0], {4, 6}); });
  gradients("concat", {{{2, 3, 4}}, {{2, 1, 4}}, {{2, 2, 4}}}, [](const variables& v) { return concat(v, 1); });
  gradients("concat of channels", {{{2, 3, 1}}, {{2, 3, 5}}}, [](const variables& v) { return concat(v); });
  for (const int axis : {0, 1, 2, -1})
    gradients("stack", {{{2, 3}}, {{2, 3}}}, [axis](const variables& v) { return stack(v, axis); });
  gradients("slice", {{{2, 5, 3}}}, [](const variables& v) { return slice(v[0], 1, 1, 4); });
  gradients("slice from the end", {{{2, 5, 3}}}, [](const variables& v) { return slice(v[0], -1, 2, 3); });
  gradients("dropout", {{{20, 5}}}, [](const variables& v) { return dropout(v[0], 0.4, 3, 2, 1); });
}

struct workshop {
  context<twofold> ctx;
  tape<twofold> home{ctx};
  std::vector<double> host(const variable<twofold>& v) { return to_host(ctx.space(), v.value()); }
};

BOOST_FIXTURE_TEST_CASE(concat_stack_and_slice_keep_the_order, workshop) {
  const auto a = home.constant({2, 1}, {1, 2}), b = home.constant({2, 2}, {3, 4, 5, 6});
  BOOST_TEST(host(concat(variables{a, b}, 1)) == (std::vector<double>{1, 3, 4, 2, 5, 6}),
             boost::test_tools::per_element());
  BOOST_TEST(host(concat(variables{a, a}, 0)) == (std::vector<double>{1, 2, 1, 2}), boost::test_tools::per_element());
  BOOST_TEST((stack(variables{b, b, b}, 1).shape() == shape{2, 3, 2}));
  BOOST_TEST(host(stack(variables{a, a}, -1)) == (std::vector<double>{1, 1, 2, 2}), boost::test_tools::per_element());
  BOOST_TEST(host(slice(b, 1, 1, 2)) == (std::vector<double>{4, 6}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(dropout_keeps_the_mean_and_depends_on_its_key_alone, workshop) {
  const index count = 20000;
  const auto x = home.constant({count}, std::vector<double>(count, 1.0));
  const auto first = host(dropout(x, 0.25, 1, 2, 3));
  index zeros = 0;
  for (const double v : first) {
    BOOST_REQUIRE((v == 0 || std::fabs(v - 1 / 0.75) < 1e-15));
    zeros += v == 0;
  }
  BOOST_TEST(std::fabs(static_cast<double>(zeros) / count - 0.25) < 0.015);  // five standard deviations
  BOOST_TEST((host(dropout(x, 0.25, 1, 2, 3)) == first));
  BOOST_TEST((host(dropout(x, 0.25, 2, 2, 3)) != first));
  BOOST_TEST((host(dropout(x, 0.25, 1, 3, 3)) != first));
  BOOST_TEST((host(dropout(x, 0.25, 1, 2, 4)) != first));
  BOOST_TEST((host(dropout(x, 0, 1, 2, 3)) == host(x)));
  BOOST_CHECK_EXCEPTION((void)dropout(x, 1.0, 1, 2, 3), config_error, says("dropout: rate 1, expected 0 <= rate < 1"));
}

BOOST_FIXTURE_TEST_CASE(shapes_that_do_not_fit_name_the_operation, workshop) {
  const auto a = home.constant({2, 3}, values(6, 1)), b = home.constant({2, 2}, values(4, 1));
  BOOST_CHECK_EXCEPTION((void)reshape(a, {4}), shape_error, says("reshape: (2, 3) has 6 elements, (4) needs 4"));
  BOOST_CHECK_EXCEPTION((void)concat(variables{a, b}, 0), shape_error,
                        says("concat along axis 0: shapes (2, 3) and (2, 2) differ"));
  BOOST_CHECK_EXCEPTION((void)concat(variables{}, 0), shape_error, says("concat: no "));
  BOOST_CHECK_EXCEPTION((void)stack(variables{a}, 3), shape_error, says("stack: (2, 3) takes no new axis 3"));
  BOOST_CHECK_EXCEPTION((void)stack(variables{a, b}, 0), shape_error, says("concat along axis 0"));
  BOOST_CHECK_EXCEPTION((void)slice(a, 1, 2, 2), shape_error, says("slice: [2, 2) of axis 1 of (2, 3)"));
  BOOST_CHECK_EXCEPTION((void)slice(a, 1, 0, 4), shape_error, says("slice: [0, 4)"));
}

BOOST_AUTO_TEST_CASE(numbers_of_several_variables_come_in_one_transfer) {
  context<twofold> ctx;
  tape<twofold> home(ctx);
  const variables scalars{home.constant(shape{}, {1.5}), home.constant({1, 1}, {2.5}), home.constant({1}, {-3})};
  const index before = host_synchronisations();
  BOOST_TEST(items(scalars) == (std::vector<double>{1.5, 2.5, -3}), boost::test_tools::per_element());
  BOOST_TEST(host_synchronisations() - before == 1);
  BOOST_TEST(items(variables{}).empty());
  BOOST_CHECK_EXCEPTION((void)items(variables{home.constant({2}, {1, 2})}), shape_error,
                        says("items: (2) has more than one element"));
}

}  // namespace comodal::tests
