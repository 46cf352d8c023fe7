// SPDX-License-Identifier: Apache-2.0
// The gradient checker catches what is wrong, and passes the reference engine as well.
#define BOOST_TEST_MODULE autograd_check_gradient
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/check_gradient.hpp>

#include <autograd/gradients.hpp>

namespace comodal::tests {

struct workshop {
  context<twofold> ctx;
  tape<twofold> home{ctx};
  variables inputs(const std::vector<operand>& operands) { return leaves(home, operands); }
};

// x^2 whose backward says `factor` x times the gradient: 2 is right.
variable<twofold> square(const variable<twofold>& x, double factor) {
  auto& ctx = x.ctx();
  return x.home().result(ops::binary(ctx, "square", ops::times{}, x.value(), x.value()), {&x},
                         [&ctx, factor, to = x.sink(), in = x.value()](const auto& d) {
                           to.accumulate(ops::unary(ctx, detail::scale_function<double>{factor},
                                                    ops::binary(ctx, "square", ops::times{}, d, in)));
                         });
}

BOOST_FIXTURE_TEST_CASE(a_right_backward_passes, workshop) {
  const auto report = check_gradient<twofold>([](const variables& v) { return square(v[0], 2); }, inputs({{{3, 4}}}));
  BOOST_TEST(report.passed());
  BOOST_TEST(report.compared == 12);
}

BOOST_FIXTURE_TEST_CASE(a_broken_backward_is_caught, workshop) {
  const auto slightly =
      check_gradient<twofold>([](const variables& v) { return square(v[0], 2.001); }, inputs({{{3, 4}}}));
  BOOST_TEST(!slightly.passed());
  BOOST_TEST(slightly.place.find("input 0, element ") == 0u);
  BOOST_TEST(
      !check_gradient<twofold>([](const variables& v) { return square(v[0], -2); }, inputs({{{3, 4}}})).passed());
}

BOOST_FIXTURE_TEST_CASE(a_missing_gradient_is_caught, workshop) {
  const auto report =
      check_gradient<twofold>([](const variables& v) { return v[0] * detach(v[1]); }, inputs({{{3}}, {{3}}}));
  BOOST_TEST(!report.passed());
  BOOST_TEST(report.place.find("input 1") == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_gradient_that_is_not_a_number_is_caught, workshop) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  BOOST_TEST(
      !check_gradient<twofold>([nan](const variables& v) { return square(v[0], nan); }, inputs({{{3}}})).passed());
}

BOOST_FIXTURE_TEST_CASE(nothing_compared_is_no_pass, workshop) { BOOST_TEST(!gradient_report{}.passed()); }

BOOST_FIXTURE_TEST_CASE(values_are_restored_and_gradients_dropped, workshop) {
  const auto in = inputs({{{5}}});
  const auto before = to_host(ctx.space(), in[0].value());
  (void)check_gradient<twofold>([](const variables& v) { return square(v[0], 2); }, in);
  BOOST_TEST(to_host(ctx.space(), in[0].value()) == before, boost::test_tools::per_element());
  BOOST_TEST(!in[0].grad());
  BOOST_TEST(home.size() == 0u);
  BOOST_TEST(home.recording());
}

BOOST_FIXTURE_TEST_CASE(a_function_that_throws_leaves_its_inputs_as_they_were, workshop) {
  const auto in = inputs({{{5}}, {{3}}});
  const std::vector before{to_host(ctx.space(), in[0].value()), to_host(ctx.space(), in[1].value())};
  for (const int at : {1, 2, 3, 12, 13}) {  // the first call is recorded; the others are at moved values
    int calls = 0;
    const auto f = [&](const variables& v) {
      auto y = sum(square(v[0], 2)) + sum(square(v[1], 2));
      if (++calls == at) throw error("enough");
      return y;
    };
    BOOST_CHECK_EXCEPTION((void)check_gradient<twofold>(f, in), error, says("enough"));
    for (std::size_t k = 0; k < 2; ++k) {
      BOOST_TEST(to_host(ctx.space(), in[k].value()) == before[k], boost::test_tools::per_element());
      BOOST_TEST(!in[k].grad());
    }
    BOOST_TEST(home.size() == 0u);
    BOOST_TEST(home.recording());
  }
}

BOOST_FIXTURE_TEST_CASE(large_inputs_are_sampled_evenly, workshop) {
  const auto in = inputs({{{1000}}});
  BOOST_TEST(check_gradient<twofold>([](const variables& v) { return square(v[0], 2); }, in, 1e-5, 10).compared == 10);
  BOOST_TEST(check_gradient<twofold>([](const variables& v) { return square(v[0], 2); }, in, 1e-5, 0).compared == 1000);
}

}  // namespace comodal::tests
