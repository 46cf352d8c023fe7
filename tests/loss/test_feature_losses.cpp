// SPDX-License-Identifier: Apache-2.0
// Losses of rows of features: closed forms, PyTorch's values, and whom gradients reach.
#define BOOST_TEST_MODULE loss_feature_losses
#include <boost/test/unit_test.hpp>

#include <comodal/loss/feature_losses.hpp>

#include <loss/golden.hpp>

namespace comodal::tests {

using B = bench::backend;

BOOST_FIXTURE_TEST_CASE(values_and_gradients_are_pytorchs, golden_bench) {
  for (const std::string leaf : {"x", "y"}) {
    const std::string name = "soft_cross_entropy_" + leaf;
    compare(name, leaf, [&](const auto& v) {
      return leaf == "x" ? soft_cross_entropy(v, input(name, "y")) : soft_cross_entropy(input(name, "x"), v);
    });
  }
  const std::string name = "info_nce";
  compare(name, "anchor", [&](const auto& anchor) {
    return info_nce{0.25}(anchor, input(name, "partners"), input(name, "penalty"), input(name, "further"),
                          input(name, "further_penalty"));
  });
}

struct rows : bench {
  // Four unit vectors along the axes.
  variable<B> axes = constant({4, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
  variable<B> none = constant({4, 4}, std::vector<double>(16, 0.0));
};

BOOST_FIXTURE_TEST_CASE(agreement_and_difference_give_the_best_value, rows) {
  for (const double tau : {0.02, 0.1, 1.0})
    for (const double v : host(info_nce{tau}(axes, axes, none)))
      BOOST_TEST(v == std::log(1 + 3 * std::exp(-1 / tau)), boost::test_tools::tolerance(1e-9));
}

BOOST_FIXTURE_TEST_CASE(equal_similarities_give_chance_level, rows) {
  const auto same = constant({4, 2}, {1, 0, 1, 0, 1, 0, 1, 0}), further = constant({3, 2}, {1, 0, 1, 0, 1, 0});
  const auto allowed = constant({4, 3}, std::vector<double>(12, 0.0));
  for (const double v : host(info_nce{0.1}(same, same, none, further, allowed)))
    BOOST_TEST(v == std::log(7.0), boost::test_tools::tolerance(1e-9));
  // Where nothing else is allowed, there is nothing to lose.
  std::vector<double> alone(16, excluded_logit);
  for (std::size_t i = 0; i < 4; ++i) alone[5 * i] = 0;
  for (const double v : host(info_nce{0.1}(same, same, constant({4, 4}, alone)))) BOOST_TEST(std::fabs(v) < 1e-12);
}

BOOST_FIXTURE_TEST_CASE(the_partner_receives_no_gradient, rows) {
  const auto anchor = leaf({4, 4}, 1), partner = leaf({4, 4}, 2), further = leaf({2, 4}, 3);
  home.backward(sum(info_nce{}(anchor, partner, none, further, constant({4, 2}, std::vector<double>(8, 0.0)))));
  BOOST_TEST(largest(gradient(anchor)) > 1e-3);
  BOOST_TEST(!partner.grad());
  BOOST_TEST(!further.grad());
}

BOOST_FIXTURE_TEST_CASE(soft_cross_entropy_is_least_where_both_agree, rows) {
  const auto x = constant({1, 3}, {0.5, -1, 2}), other = constant({1, 3}, {2, 0.5, -1});
  double entropy = 0;
  for (const double p : host(softmax(x, 1))) entropy -= p * std::log(p);
  BOOST_TEST(host(soft_cross_entropy(x, x))[0] == entropy, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(host(soft_cross_entropy(other, x))[0] > entropy + 0.5);
  const auto excluded = constant({1, 3}, {0.5, -1, excluded_logit});
  BOOST_TEST(std::isfinite(host(soft_cross_entropy(excluded, excluded))[0]));
}

}  // namespace comodal::tests
