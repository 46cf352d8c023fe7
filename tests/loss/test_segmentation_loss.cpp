// SPDX-License-Identifier: Apache-2.0
// Dice and cross-entropy: PyTorch's values, weights, counting classes, and the cases in which a loss may go wrong.
#define BOOST_TEST_MODULE loss_segmentation_loss
#include <boost/test/unit_test.hpp>

#include <comodal/loss/any_loss.hpp>
#include <comodal/loss/segmentation_loss.hpp>

#include <loss/golden.hpp>

namespace comodal::tests {

using B = bench::backend;

BOOST_FIXTURE_TEST_CASE(values_and_gradients_are_pytorchs, golden_bench) {
  for (const std::string kind :
       {"classes", "classes_weighted", "classes_counted", "classes_both", "regions", "regions_both"}) {
    const std::string name = "dice_cross_entropy_" + kind;
    dice_cross_entropy loss;
    if (kind.starts_with("regions")) loss.kind = label_kind::regions;
    const auto y = input(name, "y"), w = input(name, "w"), counts = input(name, "counts");
    compare(name, "z", [&](const auto& z) { return loss(z, y, w, counts); });
  }
}

BOOST_FIXTURE_TEST_CASE(both_parts_have_their_weights, golden_bench) {
  const std::string name = "dice_cross_entropy_classes_both";
  const auto z = input(name, "z"), y = input(name, "y"), w = input(name, "w"), counts = input(name, "counts");
  const auto value = [&](double entropy, double dice) {
    return host(dice_cross_entropy{entropy, dice}(z, y, w, counts));
  };
  const auto e = value(1, 0), d = value(0, 1), both = value(0.3, 2);
  for (std::size_t n = 0; n < 3; ++n) BOOST_TEST(std::fabs(both[n] - (0.3 * e[n] + 2 * d[n])) < 1e-12);
  BOOST_TEST(e[0] > 0.1);
  BOOST_TEST(d[0] > 0.1);
}

// Two samples of 2 x 2 x 2 voxels and three classes.
struct small : bench {
  shape extents{2, 2, 2, 2, 3};
  // One-hot targets; sample 0 is background but for its first `lesion` voxels of class 2.
  variable<B> target(index lesion) {
    std::vector<double> y;
    for (index i = 0; i < 16; ++i) {
      const bool hit = i < lesion;
      y.insert(y.end(), {hit ? 0.0 : 1.0, 0, hit ? 1.0 : 0.0});
    }
    return constant(extents, y);
  }
  // Logits of a network that is sure that there is background only.
  variable<B> empty_prediction(double sure = 20) {
    std::vector<double> z;
    for (index i = 0; i < 16; ++i) z.insert(z.end(), {sure, 0, 0});
    return home.leaf(ctx.make(extents, z));
  }
};

// A voxel without any target counts as one of weight 0: nobody looked there.
BOOST_FIXTURE_TEST_CASE(voxels_without_a_target_weigh_nothing, small) {
  const auto z = leaf(extents, 3);
  std::vector<double> seen, w(16, 1);
  for (index i = 0; i < 16; ++i) {
    const bool ignored = i % 5 == 1;
    w[static_cast<std::size_t>(i)] = ignored ? 0 : 1;
    seen.insert(seen.end(), {!ignored && i % 2 == 0 ? 1.0 : 0.0, !ignored && i % 2 == 1 ? 1.0 : 0.0, 0});
  }
  auto any = seen;  // what has no weight may be anything
  for (index i = 1; i < 16; i += 5) any[static_cast<std::size_t>(3 * i)] = 1;
  const auto expected = host(dice_cross_entropy{}(z, constant(extents, any), constant({2, 2, 2, 2}, w)));
  const auto found = host(dice_cross_entropy{}(z, constant(extents, seen)));
  for (std::size_t n = 0; n < 2; ++n) BOOST_TEST(found[n] == expected[n]);
}

BOOST_FIXTURE_TEST_CASE(all_background_keeps_cross_entropy_alone, small) {
  const auto z = leaf(extents, 3);
  const auto none = constant({2, 3}, std::vector<double>(6, 0));
  const auto only_background = constant({2, 3}, {1, 0, 0, 1, 0, 0});
  const auto expected = host(dice_cross_entropy{1, 0}(z, target(0)));
  for (const auto& counts : {none, only_background}) {
    const auto loss = dice_cross_entropy{}(z, target(0), {}, counts);
    BOOST_TEST((host(loss) == expected));
    z.zero_grad();
    home.backward(sum(loss));
    BOOST_TEST(largest(gradient(z)) > 1e-3);
    BOOST_TEST(std::isfinite(largest(gradient(z))));
  }
  // Nothing there and nothing found, in classes that do count: no loss either.
  BOOST_TEST(largest(host(dice_cross_entropy{0, 1}(empty_prediction(40), target(0)))) < 1e-12);
}

BOOST_FIXTURE_TEST_CASE(an_empty_prediction_of_a_lesion_has_a_gradient, small) {
  const auto z = empty_prediction();
  const auto y = target(4);
  const auto loss = dice_cross_entropy{}(z, y, {}, constant({2, 3}, {0, 0, 1, 0, 0, 1}));
  // 4 of 8 voxels at 20 nats, and a Dice of 1 / 5.
  BOOST_TEST(host(loss)[0] == 10 + 0.8, boost::test_tools::tolerance(1e-6));
  home.backward(sum(loss));
  const auto g = gradient(z);
  for (std::size_t i = 0; i < 4; ++i) {
    BOOST_TEST(g[i * 3] > 0.1);
    BOOST_TEST(g[i * 3 + 2] < -0.1);
  }
}

BOOST_FIXTURE_TEST_CASE(samples_of_weight_0_give_0, small) {
  for (const auto kind : {label_kind::classes, label_kind::regions}) {
    const auto z = leaf(extents, 5);
    std::vector<double> w(16, 1);
    std::fill_n(w.begin(), 8, 0);
    dice_cross_entropy loss;
    loss.kind = kind;
    const auto value = loss(z, target(3), constant({2, 2, 2, 2}, w));
    BOOST_TEST(host(value)[0] == 0);
    BOOST_TEST(host(value)[1] > 0.1);
    home.backward(sum(value));
    const auto g = gradient(z);
    BOOST_TEST(largest(std::vector<double>(g.begin(), g.begin() + 24)) == 0);
    BOOST_TEST(largest(std::vector<double>(g.begin() + 24, g.end())) > 0);
  }
}

BOOST_FIXTURE_TEST_CASE(what_stands_under_weight_0_is_not_read, small) {
  const auto z = constant(extents, 5);
  auto spoilt = host(z);
  std::fill_n(spoilt.begin(), 6, std::numeric_limits<double>::quiet_NaN());
  std::vector<double> w(16, 1);
  w[0] = w[1] = 0;
  const auto weight = constant({2, 2, 2, 2}, w);
  BOOST_TEST((host(dice_cross_entropy{}(constant(extents, spoilt), target(3), weight)) ==
              host(dice_cross_entropy{}(z, target(3), weight))));
}

BOOST_FIXTURE_TEST_CASE(targets_and_weights_receive_no_gradient, small) {
  const auto z = leaf(extents, 5), y = leaf(extents, 6, 0, 1), w = leaf({2, 2, 2, 2}, 7, 0, 1);
  home.backward(sum(dice_cross_entropy{}(z, y, w)));
  BOOST_TEST(largest(gradient(z)) > 0);
  BOOST_TEST(!y.grad());
  BOOST_TEST(!w.grad());
}

BOOST_FIXTURE_TEST_CASE(soft_dice_by_class, small) {
  const dice_cross_entropy loss;
  const auto y = target(4);
  // A prediction that is right and sure.
  const auto z = scale(shift(scale(y, 2), -1), 30);
  const auto dice = loss.soft_dice(segmentation_sums(z, y), 3);
  BOOST_TEST((dice.shape() == shape{2, 2}));
  for (const double d : host(dice)) BOOST_TEST(d == 1.0, boost::test_tools::tolerance(1e-9));
}

BOOST_FIXTURE_TEST_CASE(shapes_that_do_not_fit_are_refused, small) {
  BOOST_CHECK_THROW((void)dice_cross_entropy{}(leaf({2, 2, 2, 2, 4}, 1), target(1)), shape_error);
  BOOST_CHECK_THROW((void)dice_cross_entropy{}(leaf(extents, 1), target(1), constant({2, 2, 2}, 1)), shape_error);
  BOOST_CHECK_THROW((void)dice_cross_entropy{}(leaf(extents, 1), target(1), {}, constant({2, 2}, 1)), shape_error);
}

// A mean over everything has no axis of samples: a method would take it for the loss of each.
BOOST_FIXTURE_TEST_CASE(a_loss_of_somebodys_returns_a_number_per_sample, small) {
  struct over_all {
    variable<B> operator()(const variable<B>& z, const variable<B>& y, const variable<B>&, const variable<B>&) const {
      return mean(multiply(z, y));
    }
  };
  const auto z = empty_prediction(), y = target(1);
  const auto says = [](const shape_error& failure) {
    return std::string(failure.what()).find("a segmentation loss returned") != std::string::npos &&
           std::string(failure.what()).find("expected (2): one number per sample") != std::string::npos;
  };
  BOOST_CHECK_EXCEPTION((void)any_segmentation_loss<B>(over_all{})(z, y), shape_error, says);
  BOOST_TEST(any_segmentation_loss<B>(dice_cross_entropy{})(z, y).extent(0) == 2);
  struct over_all_pairs {
    variable<B> operator()(const variable<B>& a, const variable<B>& q, const variable<B>&) const {
      return mean(multiply(a, q));
    }
  };
  BOOST_CHECK_EXCEPTION((void)any_consistency_loss<B>(over_all_pairs{})(z, y), shape_error, [](const auto& failure) {
    return std::string(failure.what()).find("a consistency loss returned") != std::string::npos;
  });
}

}  // namespace comodal::tests
