// SPDX-License-Identifier: Apache-2.0
// The parts that methods are made of, by their formulas: confidence, known labels, uncertainty, pairs, teacher.
#define BOOST_TEST_MODULE ssl_parts
#include <boost/test/unit_test.hpp>

#include <comodal/ssl/parts/box_mix.hpp>
#include <comodal/ssl/parts/confidence.hpp>
#include <comodal/ssl/parts/disagreement.hpp>
#include <comodal/ssl/parts/distance_fields.hpp>
#include <comodal/ssl/parts/interpolation.hpp>
#include <comodal/ssl/parts/pairs.hpp>
#include <comodal/ssl/parts/sharpening.hpp>
#include <comodal/ssl/parts/uncertainty.hpp>

#include <loss/golden.hpp>

namespace comodal::tests {

using B = bench::backend;
const auto each = boost::test_tools::per_element();

// Probabilities of three classes in two voxels.
struct parts : bench {
  variable<B> q = constant({1, 1, 1, 2, 3}, {0.5, 0.3, 0.2, 1.0, 0.0, 0.0});
};

BOOST_FIXTURE_TEST_CASE(sharpening_raises_what_is_likely, parts) {
  const auto sharp = host(sharpened(q, label_kind::classes, 0.5));
  BOOST_TEST(sharp[0] == 0.25 / 0.38, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(sharp[1] == 0.09 / 0.38, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(sharp[3] == 1);
  BOOST_TEST(host(sharpened(q, label_kind::classes, 1.0))[1] == 0.3, boost::test_tools::tolerance(1e-12));
}

BOOST_FIXTURE_TEST_CASE(confidence_is_0_at_chance_and_1_where_certain, parts) {
  const auto soft = host(confidence(q, label_kind::classes));
  BOOST_TEST(soft[0] == (0.5 - 1.0 / 3) / (2.0 / 3), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(soft[1] == 1);
  BOOST_TEST(host(confidence_above(q, label_kind::classes, 0.8)) == (std::vector<double>{0, 1}), each);
  BOOST_TEST(host(confidence_above(q, label_kind::classes, 0.5)) == (std::vector<double>{1, 1}), each);
  const auto regions = host(confidence(q, label_kind::regions));
  BOOST_TEST(regions[0] == (0.0 + 0.4 + 0.6) / 3, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(regions[1] == 1);
  BOOST_CHECK_EXCEPTION((void)confidence(constant({2, 3}, 1), label_kind::classes), shape_error,
                        says("expected (N, D, H, W, C)"));
}

BOOST_FIXTURE_TEST_CASE(predictions_differ_by_class_or_by_regions, parts) {
  const auto p = constant({1, 1, 1, 4, 2}, {0.6, 0.4, 0.4, 0.6, 0.5, 0.5, 0.2, 0.4});
  const auto other = constant({1, 1, 1, 4, 2}, {0.9, 0.1, 0.6, 0.4, 0.6, 0.4, 0.3, 0.45});
  BOOST_TEST(host(where_predictions_differ(p, other, label_kind::classes)) == (std::vector<double>{0, 1, 0, 0}), each);
  BOOST_TEST(host(where_predictions_differ(p, other, label_kind::regions)) == (std::vector<double>{0, 1, 1, 0}), each);
  BOOST_CHECK_EXCEPTION((void)where_predictions_differ(p, q, label_kind::classes), shape_error,
                        says("where_predictions_differ: (1, 1, 1, 4, 2) and (1, 1, 1, 2, 3)"));
}

// Four voxels of two classes: the two agree; they differ and the partner is surer; they differ and z is surer; as the
// second, where a label was pasted in.
BOOST_FIXTURE_TEST_CASE(the_surer_teaches_where_two_differ, parts) {
  const double a = std::log(0.6 / 0.4), b = std::log(0.9 / 0.1);
  const std::vector<double> own_logits{0, a, 0, a, 0, b, 0, a}, partner_logits{0, b, b, 0, a, 0, b, 0};
  const auto z = home.leaf(ctx.make({1, 1, 1, 4, 2}, own_logits)),
             partner = home.leaf(ctx.make({1, 1, 1, 4, 2}, partner_logits));
  const auto own = constant({1, 1, 1, 4}, {1, 1, 1, 0});
  const auto loss = [&](double least) { return disagreement(z, partner, own, label_kind::classes, 0.5, least); };
  // In the second voxel z says (0.4, 0.6), the partner (0.9, 0.1): confidences 0.2 and 0.8, target 0.81 and 0.01 of
  // 0.82.
  const double entropy = -(0.81 * std::log(0.4) + 0.01 * std::log(0.6)) / 0.82;
  BOOST_TEST(host(loss(1))[0] == (0.8 - 0.2) * entropy / 2, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(host(loss(8))[0] == (0.8 - 0.2) * entropy / 8, boost::test_tools::tolerance(1e-12));
  home.backward(sum(loss(1)));
  const auto g = gradient(z);
  BOOST_TEST(!partner.grad());
  for (const std::size_t i : {0u, 1u, 4u, 5u, 6u, 7u}) BOOST_TEST(g[i] == 0);
  BOOST_TEST(g[2] == 0.3 * (0.4 - 0.81 / 0.82), boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(beta_draws_belong_to_seed_and_step) {
  const int count = 20000;
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const double x = beta_draw(7, static_cast<std::uint32_t>(i));
    BOOST_REQUIRE(x >= 0);
    BOOST_REQUIRE(x <= 1);
    sum += x;
    squares += (x - 0.5) * (x - 0.5);
  }
  BOOST_TEST(std::fabs(sum / count - 0.5) < 0.015);             // five standard errors
  BOOST_TEST(std::fabs(squares / count - 0.25 / 1.4) < 0.005);  // of (0.2, 0.2): 1 / (4 (0.4 + 1))
  BOOST_TEST(beta_draw(7, 3) == beta_draw(7, 3));
  BOOST_TEST(beta_draw(7, 3) != beta_draw(8, 3));
  BOOST_TEST(beta_factor(step_request(3, 10, 7)).value() == beta_draw(7, 3));
}

BOOST_FIXTURE_TEST_CASE(mixtures_have_the_modalities_that_both_have, bench) {
  const step_request at(0, 1);
  const step_scalar quarter(at, [](const progress&, double) { return 0.25; });
  // The first and second share modality 0, the second and third modality 1, the third and first nothing.
  const presence<B> present(home, 3, 2, {1, 0, 1, 1, 0, 1});
  const interpolation<B> mixture(present, quarter);
  BOOST_TEST(host(mixture.present().mask()) == (std::vector<double>{1, 0, 0, 1, 0, 1}), each);
  BOOST_TEST(host(mixture.present().share()) == (std::vector<double>{1, 0, 0, 1, 0, 1}), each);
  const auto x = constant({3, 1, 1, 1, 1}, {4, 8, 16});
  BOOST_TEST(host(mixture.mixed(x)) == (std::vector<double>{1 + 6, 2 + 12, 16}), each);
  const double nan = std::nan("");
  const auto volumes =
      mixture.mixed(std::vector{constant({3, 1, 1, 1, 1}, {4, 8, nan}), constant({3, 1, 1, 1, 1}, {nan, 8, 16})});
  BOOST_TEST(host(volumes[0])[0] == 7);
  BOOST_TEST(host(volumes[1])[1] == 14);
  BOOST_TEST(host(volumes[1])[2] == 16);
  for (const auto& one : volumes)
    for (const double v : host(one)) BOOST_TEST(std::isfinite(v));
}

BOOST_FIXTURE_TEST_CASE(known_labels_take_the_place_of_predictions, parts) {
  const weighted_target<B> soft{q, constant({1, 1, 1, 2}, {0.25, 0.5})};
  step_batch batch;
  crop_batch& crops = batch.strong;
  crops.resize(1, 1, {1, 1, 2}, true, true);
  crops.present = {1};
  crops.labels = {2, 2};
  crops.known = {0, 1};
  const auto sent = device_batch<B>(home, batch).strong;
  const auto mixed = with_known_labels(soft, target_map::of_classes(3), sent);
  BOOST_TEST(host(mixed.target) == (std::vector<double>{0.5, 0.3, 0.2, 0, 0, 1}), each);
  BOOST_TEST(host(mixed.weight) == (std::vector<double>{0.25, 1}), each);
  BOOST_TEST(host(own_voxels(sent)) == (std::vector<double>{1, 0}), each);
  crops.known.clear();
  const auto own = device_batch<B>(home, batch).strong;
  BOOST_TEST(host(with_known_labels(soft, target_map::of_classes(3), own).target) == host(q), each);
  BOOST_TEST(!own_voxels(own));
}

BOOST_FIXTURE_TEST_CASE(entropy_is_0_where_certain_and_ln_C_at_chance, parts) {
  const auto found = host(predictive_entropy(q, label_kind::classes));
  BOOST_TEST(found[0] == -(0.5 * std::log(0.5) + 0.3 * std::log(0.3) + 0.2 * std::log(0.2)),
             boost::test_tools::tolerance(1e-12));
  BOOST_TEST(found[1] == 0);
  const auto third = constant({1, 1, 1, 1, 3}, std::vector<double>(3, 1.0 / 3));
  BOOST_TEST(host(predictive_entropy(third, label_kind::classes))[0] == std::log(3.0),
             boost::test_tools::tolerance(1e-12));
  const auto half = constant({1, 1, 1, 1, 2}, {0.5, 1.0});
  BOOST_TEST(host(predictive_entropy(half, label_kind::regions))[0] == std::log(2.0) / 2,
             boost::test_tools::tolerance(1e-12));
  BOOST_TEST(host(where_below(predictive_entropy(q, label_kind::classes), 0.7)) == (std::vector<double>{0, 1}), each);
}

BOOST_FIXTURE_TEST_CASE(passes_are_averaged_without_gradients, parts) {
  const auto x = leaf({1, 1, 1, 1, 2}, 3);
  std::vector<std::uint32_t> seen;
  const auto average = mean_of_passes(home, 4, 3, [&](std::uint32_t pass) {
    seen.push_back(pass);
    return scale(x, pass);
  });
  BOOST_TEST(seen == (std::vector<std::uint32_t>{4, 5, 6}), each);
  BOOST_TEST(difference(host(average), host(scale(x, 5))) < 1e-12);
  BOOST_TEST(!average.requires_grad());
  BOOST_CHECK_EXCEPTION((void)mean_of_passes(home, 0, 0, [&](std::uint32_t) { return x; }), config_error,
                        says("0 passes, expected at least 1"));
}

BOOST_FIXTURE_TEST_CASE(pairs_are_of_two_present_modalities, bench) {
  // Sample 0 does not take part; sample 1 has modalities 0 and 2, sample 2 has all.
  const presence<B> present(home, 3, 3, {1, 1, 1, 1, 0, 1, 1, 1, 1});
  std::vector<std::pair<index, index>> seen;
  const auto term = [&](index m, index n) {
    seen.emplace_back(m, n);
    return constant({2}, {static_cast<double>(10 * m + n), 100.0});
  };
  const auto alike = [](index, index) { return variable<B>{}; };
  const double found = host(mean_over_pairs(home, present, 1, term, alike))[0];
  BOOST_TEST(seen.size() == 6u);
  // Pairs 02 and 20 of sample 1, all six of sample 2.
  BOOST_TEST(found == (2 + 20 + 6 * 100.0) / 8, boost::test_tools::tolerance(1e-12));
  const auto one_way = [&](index m, index n) { return constant(shape{}, std::vector<double>{m < n ? 1.0 : 0.0}); };
  BOOST_TEST(host(mean_over_pairs(home, present, 1, term, one_way))[0] == (2 + 3 * 100.0) / 8,
             boost::test_tools::tolerance(1e-12));
  const presence<B> single(home, 1, 3, {0, 1, 0});
  BOOST_TEST(host(mean_over_pairs(home, single, 0, term, alike))[0] == 0);
}

// Distances of classes and of regions that overlap, in two crops; the second one lacks class 2.
BOOST_FIXTURE_TEST_CASE(distance_fields_are_those_of_a_search, golden_bench) {
  for (const std::string kind : {"classes", "regions"}) {
    BOOST_TEST_CONTEXT(kind) {
      const auto targets = kind == "classes" ? target_map::of_classes(3) : target_map::of_regions({{1, 2}, {2}, {1}});
      const json& one = losses.at("distance_consistency_" + kind);
      const auto labels = numbers(one.at("labels")), expected = numbers(one.at("target"));
      const std::vector<std::uint8_t> bytes(labels.begin(), labels.end());
      const auto fields = distance_fields(targets);
      const std::size_t channels = fields.size(), crop = bytes.size() / 2;
      BOOST_REQUIRE(expected.size() == bytes.size() * channels);
      for (std::size_t k = 0; k < channels; ++k) {
        BOOST_TEST(fields[k].name == text("distance.", k + (kind == "classes" ? 1 : 0)));
        std::vector<float> field(crop);
        for (std::size_t n = 0; n < 2; ++n) {
          fields[k].fill(std::span(bytes).subspan(n * crop, crop), {3, 4, 4}, field);
          double worst = 0;
          for (std::size_t v = 0; v < crop; ++v)
            worst = std::max(worst, std::fabs(static_cast<double>(field[v]) - expected[(n * crop + v) * channels + k]));
          BOOST_TEST(worst < 1e-6);
        }
      }
    }
  }
}

}  // namespace comodal::tests
