// SPDX-License-Identifier: Apache-2.0
// Consistency losses: PyTorch's values, agreement, and whom their gradients reach.
#define BOOST_TEST_MODULE loss_consistency_loss
#include <boost/test/unit_test.hpp>

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/loss/distance_consistency.hpp>
#include <comodal/loss/entropy_loss.hpp>
#include <comodal/loss/pyramid_consistency.hpp>
#include <comodal/loss/sharpened_consistency.hpp>

#include <loss/golden.hpp>

namespace comodal::tests {

using B = bench::backend;

BOOST_FIXTURE_TEST_CASE(values_and_gradients_are_pytorchs, golden_bench) {
  for (const std::string kind : {"classes", "regions", "weighted"}) {
    const auto labels = kind == "regions" ? label_kind::regions : label_kind::classes;
    const std::string squares = "mean_squared_error_" + kind, hard = "cross_pseudo_supervision_" + kind;
    compare(squares, "z",
            [&](const auto& z) { return mean_squared_error{labels}(z, input(squares, "q"), input(squares, "w")); });
    compare(hard, "z",
            [&](const auto& z) { return cross_pseudo_supervision{labels}(z, input(hard, "q"), input(hard, "w")); });
    const std::string entropy = "entropy_" + kind;
    compare(entropy, "z", [&](const auto& z) { return entropy_loss{labels}(z, input(entropy, "w")); });
    if (kind == "weighted") continue;
    const std::string pyramid = "pyramid_consistency_" + kind;
    compare(pyramid, "z", [&](const auto& z) {
      return pyramid_consistency{labels}(std::vector{z, input(pyramid, "second"), input(pyramid, "third")});
    });
  }
}

BOOST_FIXTURE_TEST_CASE(mutual_consistency_is_pytorchs_for_every_decoder, golden_bench) {
  for (const std::string kind : {"classes", "regions", "undetached"}) {
    const auto labels = kind == "regions" ? label_kind::regions : label_kind::classes;
    const bool detached = kind != "undetached";
    const sharpened_consistency compare{labels, detached ? 0.1 : 0.5, detached};
    compare_all("sharpened_consistency_" + kind, {"z", "second", "third"}, compare);
  }
}

BOOST_FIXTURE_TEST_CASE(consistency_with_distances_is_pytorchs_for_both_tasks, golden_bench) {
  for (const std::string kind : {"classes", "regions"}) {
    const std::string name = "distance_consistency_" + kind;
    const distance_consistency compare{kind == "regions" ? label_kind::regions : label_kind::classes, 5};
    compare_all(name, {"z", "distances"}, [&](const auto& v) {
      const auto s = bounded_distances(v[1]), off = s - input(name, "target");
      return reshape(mean(off * off, {1, 2, 3, 4}), {2}) * 0.3 + compare(v[0], s);
    });
  }
  compare_all("distance_consistency_steep", {"z", "distances"},
              [](const auto& v) { return distance_consistency{}(v[0], bounded_distances(v[1])); });
}

BOOST_FIXTURE_TEST_CASE(sharpened_targets_receive_no_gradient_unless_asked_for, bench) {
  for (const auto kind : {label_kind::classes, label_kind::regions})
    for (const bool detached : {true, false}) {
      // A constant learns nothing: what arrives at z comes through its own prediction, or through its sharpened one.
      const auto z = leaf({1, 2, 2, 3, 4}, 1), other = constant({1, 2, 2, 3, 4}, 2);
      const sharpened_consistency compare{kind, 0.5, detached};
      home.backward(sum(compare(std::vector{z, other})));
      const auto found = gradient(z);
      z.zero_grad();
      home.backward(sum(mean_squared_error{kind}(z, probabilities(scale(other, 2), kind))));
      const bool alone = difference(found, gradient(z)) < 1e-12;
      BOOST_TEST(alone == detached);
    }
  BOOST_CHECK_EXCEPTION((void)sharpened_consistency{}(std::vector{leaf({1, 1, 1, 1, 2}, 1)}), config_error,
                        says("sharpened_consistency: 1 predictions, expected 2 or more"));
}

BOOST_FIXTURE_TEST_CASE(sure_and_opposed_decoders_stay_finite, bench_of<default_backend>) {
  for (const auto kind : {label_kind::classes, label_kind::regions})
    for (const bool detached : {true, false}) {
      const auto a = home.leaf(ctx.make({1, 1, 1, 1, 2}, {800.f, -800.f})),
                 b = home.leaf(ctx.make({1, 1, 1, 1, 2}, {-800.f, 800.f}));
      const sharpened_consistency compare{kind, 0.1, detached};
      const auto loss = compare(std::vector{a, b});
      BOOST_TEST(host(loss)[0] == 2.f);
      home.backward(sum(loss));
      BOOST_TEST(largest(gradient(a)) == 0);  // saturated, and not NaN
      // Those that agree and are sure have no loss.
      BOOST_TEST(host(compare(std::vector{a, a}))[0] == 0.f);
    }
}

// With the source's steepness the sigmoid is 0 or 1 to the bit nearly everywhere. Value and gradients are finite, and
// the segmentation still learns.
BOOST_FIXTURE_TEST_CASE(saturated_distances_stay_finite, bench_of<default_backend>) {
  const std::vector<float> far{-1, -0.1f, -1e-4f, 0, 1e-30f, 1e-4f, 0.1f, 1};
  std::vector<float> logits(16, 0.3f);
  for (std::size_t i = 1; i < logits.size(); i += 2) logits[i] = 0.9f;
  const auto z = home.leaf(ctx.make({1, 2, 2, 2, 2}, logits));
  const auto s = home.leaf(ctx.make({1, 2, 2, 2, 1}, far));
  const auto loss = distance_consistency{}(z, s);
  BOOST_TEST(std::isfinite(host(loss)[0]));
  home.backward(sum(loss));
  const auto g = gradient(s);
  for (const std::size_t saturated : {0u, 1u, 6u, 7u}) BOOST_TEST(g[saturated] == 0.f);
  for (const std::size_t near : {3u, 4u, 5u}) BOOST_TEST(std::fabs(g[near]) > 0.1f);
  for (const float v : g) BOOST_TEST(std::isfinite(v));
  for (const float v : gradient(z)) BOOST_TEST((std::isfinite(v) && v != 0));
  // A network that is sure of both is at rest, right or wrong.
  const auto sure = home.leaf(ctx.make({1, 1, 1, 1, 2}, {-800.f, 800.f})),
             outside = home.leaf(ctx.make({1, 1, 1, 1, 1}, {50.f}));
  const auto wrong = distance_consistency{}(sure, bounded_distances(outside));
  BOOST_TEST(host(wrong)[0] == 1.f);
  home.backward(sum(wrong));
  BOOST_TEST(largest(gradient(sure)) == 0);
  BOOST_TEST(largest(gradient(outside)) == 0);
  BOOST_CHECK_EXCEPTION((void)distance_consistency{}(z, sure), shape_error,
                        says("for logits (1, 2, 2, 2, 2), expected 1 channels"));
}

BOOST_FIXTURE_TEST_CASE(a_pyramid_that_agrees_has_no_loss, bench) {
  const auto z = leaf({1, 2, 2, 3, 4}, 1, -3, 3);
  for (const auto kind : {label_kind::classes, label_kind::regions}) {
    BOOST_TEST(std::fabs(host(pyramid_consistency{kind}(std::vector{z, z, z}))[0]) < 1e-14);
    BOOST_CHECK_EXCEPTION((void)pyramid_consistency{kind}(std::vector{z}), config_error, says("1 predictions"));
    // Sure and opposed predictions stay finite.
    const auto a = home.leaf(ctx.make({1, 1, 1, 1, 2}, {800, -800})),
               b = home.leaf(ctx.make({1, 1, 1, 1, 2}, {-800, 800}));
    const auto loss = pyramid_consistency{kind}(std::vector{a, b});
    BOOST_TEST(std::isfinite(host(loss)[0]));
    home.backward(sum(loss));
    BOOST_TEST(std::isfinite(largest(gradient(a))));
  }
}

BOOST_FIXTURE_TEST_CASE(entropy_is_0_where_a_prediction_is_sure_and_1_where_it_knows_nothing, bench) {
  for (const auto kind : {label_kind::classes, label_kind::regions}) {
    const auto nothing = constant({1, 1, 1, 2, 3}, {0, 0, 0, 0, 0, 0});
    BOOST_TEST(host(entropy_loss{kind}(nothing))[0] == 1, boost::test_tools::tolerance(1e-12));
    const auto sure = home.leaf(ctx.make({1, 1, 1, 1, 3}, {800, -800, -900}));
    const auto h = entropy_loss{kind}(sure);
    BOOST_TEST(host(h)[0] == 0);
    home.backward(sum(h));
    BOOST_TEST(largest(gradient(sure)) == 0);  // not NaN
  }
}

BOOST_FIXTURE_TEST_CASE(losses_fall_when_predictions_agree, bench) {
  const auto z = leaf({2, 2, 2, 3, 4}, 1, -3, 3), other = leaf({2, 2, 2, 3, 4}, 2, -3, 3);
  for (const auto kind : {label_kind::classes, label_kind::regions}) {
    const auto own = probabilities(z, kind), others = probabilities(other, kind);
    BOOST_TEST(largest(host(mean_squared_error{kind}(z, own))) < 1e-30);
    BOOST_TEST(host(mean_squared_error{kind}(z, others))[0] > 1e-2);
    const cross_pseudo_supervision hard{kind};
    BOOST_TEST(host(hard(z, own))[0] < host(hard(z, others))[0]);
    // Surer of the partner's label, less loss: sure and right, nearly none.
    BOOST_TEST(host(hard(scale(z, 4), own))[0] < host(hard(z, own))[0]);
    BOOST_TEST(host(hard(scale(z, 1000), own))[0] < 1e-2);
  }
}

BOOST_FIXTURE_TEST_CASE(the_partner_receives_no_gradient, bench) {
  const auto z = leaf({1, 2, 2, 3, 4}, 1), partner = leaf({1, 2, 2, 3, 4}, 2);
  home.backward(sum(mean_squared_error{}(z, softmax(partner, -1))));
  BOOST_TEST(largest(gradient(z)) > 1e-4);
  BOOST_TEST(!partner.grad());
  z.zero_grad();
  home.backward(sum(cross_pseudo_supervision{}(z, softmax(partner, -1))));
  BOOST_TEST(largest(gradient(z)) > 1e-4);
  BOOST_TEST(!partner.grad());
}

BOOST_FIXTURE_TEST_CASE(hard_labels_are_one_class_also_in_a_tie, bench) {
  // q is undecided between classes 0 and 2: the lower one is the label.
  const auto z = constant({1, 1, 1, 1, 3}, {0.5, -1, 2});
  const auto q = constant({1, 1, 1, 1, 3}, {0.4, 0.2, 0.4});
  const double expected = std::log(std::exp(0.5) + std::exp(-1) + std::exp(2)) - 0.5;
  BOOST_TEST(host(cross_pseudo_supervision{}(z, q))[0] == expected, boost::test_tools::tolerance(1e-12));
}

BOOST_FIXTURE_TEST_CASE(probabilities_of_both_kinds, bench) {
  const auto z = constant({1, 2, 1, 1, 2}, {0, std::log(3), -800, 800});
  BOOST_TEST(difference(host(probabilities(z, label_kind::classes)), std::vector<double>{0.25, 0.75, 0, 1}) < 1e-12);
  BOOST_TEST(difference(host(probabilities(z, label_kind::regions)), std::vector<double>{0.5, 0.75, 0, 1}) < 1e-12);
}

}  // namespace comodal::tests
