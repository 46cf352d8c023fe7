// SPDX-License-Identifier: Apache-2.0
// The contrast between channels: closed forms, PyTorch's values, and small temperatures.
#define BOOST_TEST_MODULE loss_channel_contrast
#include <boost/test/unit_test.hpp>

#include <comodal/loss/channel_contrast.hpp>

#include <loss/golden.hpp>

namespace comodal::tests {

using B = bench::backend;

BOOST_FIXTURE_TEST_CASE(values_and_gradients_are_pytorchs, golden_bench) {
  for (const std::string leaf : {"a", "b"}) {
    const std::string name = "channel_contrast_" + leaf;
    compare(name, leaf, [&](const auto& x) {
      return leaf == "a" ? channel_contrast{0.5}(x, input(name, "b")) : channel_contrast{0.5}(input(name, "a"), x);
    });
  }
}

BOOST_FIXTURE_TEST_CASE(equal_channels_give_chance_level, bench) {
  // Every channel of both maps is the same vector.
  const auto same = constant({2, 3, 4}, {1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, -1, -1, -1, -1, 2, 2, 2, 2});
  for (const double tau : {0.01, 0.5, 2.0})
    for (const double v : host(channel_contrast{tau}(same, same)))
      BOOST_TEST(v == std::log(7.0), boost::test_tools::tolerance(1e-6));
}

BOOST_FIXTURE_TEST_CASE(channels_that_differ_and_agree_with_their_partner_give_the_best_value, bench) {
  const auto unit = constant({1, 3, 3}, {2, 0, 0, 0, 5, 0, 0, 0, 1}),
             none = constant({1, 3, 3}, {0, 1, 0, 0, 0, 1, 1, 0, 0});
  for (const double tau : {0.1, 0.5, 1.0}) {
    // Of 5 others of a channel, the partner has similarity 1 and the rest 0.
    const double best = std::log(std::exp(1 / tau) + 4) - 1 / tau;
    BOOST_TEST(host(channel_contrast{tau}(unit, unit))[0] == best, boost::test_tools::tolerance(1e-5));
    BOOST_TEST(host(channel_contrast{tau}(unit, none))[0] > best + 0.5);
  }
}

BOOST_FIXTURE_TEST_CASE(a_channel_of_zeros_stays_finite, bench) {
  const auto a = leaf({1, 5, 2}, 1), b = home.leaf(ctx.make({1, 5, 2}, std::vector<double>(10, 0.0)));
  const auto loss = channel_contrast{0.02}(a, b);
  BOOST_TEST(std::isfinite(host(loss)[0]));
  home.backward(sum(loss));
  BOOST_TEST(std::isfinite(largest(gradient(a))));
  BOOST_TEST(std::isfinite(largest(gradient(b))));
}

BOOST_FIXTURE_TEST_CASE(shapes_that_differ_are_refused, bench) {
  BOOST_CHECK_EXCEPTION((void)channel_contrast{}(constant({1, 5, 2}, 1), constant({1, 5, 3}, 1)), shape_error,
                        says("channel_contrast: (1, 5, 2) and (1, 5, 3), expected the same (N, V, C)"));
  BOOST_CHECK_EXCEPTION((void)channel_contrast{}(constant({5, 2}, 1), constant({5, 2}, 1)), shape_error,
                        says("expected the same (N, V, C)"));
}

}  // namespace comodal::tests
