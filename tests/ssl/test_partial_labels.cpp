// SPDX-License-Identifier: Apache-2.0
// Crops in which not all classes are annotated: the marginal loss by PyTorch and by its properties, and what methods
// make of such crops.
#define BOOST_TEST_MODULE ssl_partial_labels
#include <boost/test/unit_test.hpp>

#include <comodal/ssl/parts/partial_labels.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>

#include <ssl/support.hpp>

#include <loss/golden.hpp>

#include <cmath>

namespace comodal::tests {

using B = bench::backend;
const auto each = boost::test_tools::per_element();

BOOST_FIXTURE_TEST_CASE(values_and_gradients_are_pytorchs, golden_bench) {
  for (const auto& [name, kind] : {std::pair<std::string, label_kind>{"marginal_classes", label_kind::classes},
                                   {"marginal_regions", label_kind::regions}}) {
    const known_classes<B> known(kind, input(name, "annotated"));
    compare_all(name, {"z"}, [&](const std::vector<variable<B>>& leaves) {
      const dice_cross_entropy loss{1, 1, 1, kind};
      const variable<B> all_voxels;
      return loss(known.logits(leaves[0]), known.target(input(name, "y")), all_voxels, known.counts());
    });
  }
}

// Two samples of two voxels and three classes; in the second sample class 1 is not annotated.
struct two_samples : bench {
  const shape crops{2, 1, 1, 2, 3};
  const std::vector<double> numbers{1, -2, 0.5, 3, 0, 1, 2, 1, -1, 0, 4, 2};
  variable<B> annotated = constant({2, 3}, {1, 1, 1, 1, 0, 1});
  [[nodiscard]] variable<B> logits() { return home.leaf(ctx.make(crops, numbers)); }
};

BOOST_FIXTURE_TEST_CASE(background_is_the_sum_of_what_is_not_annotated, two_samples) {
  const known_classes<B> known(label_kind::classes, annotated);
  const auto z = logits();
  const auto merged = host(known.logits(z));
  for (std::size_t i = 0; i < 6; ++i) BOOST_TEST(merged[i] == numbers[i]);  // to the bit
  BOOST_TEST(merged[6] == std::log(std::exp(2.0) + std::exp(1.0)), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(merged[9] == std::log(std::exp(0.0) + std::exp(4.0)), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(merged[7] < -900);
  BOOST_TEST(merged[8] == -1);
  const auto p = host(probabilities(known.logits(z), label_kind::classes));
  BOOST_TEST(p[7] == 0);
  BOOST_TEST(p[6] + p[8] == 1, boost::test_tools::tolerance(1e-12));
  const auto y = constant(crops, {0, 1, 0, 0, 0, 1, 0.25, 0.25, 0.5, 0, 0, 1});
  BOOST_TEST(host(known.target(y)) == (std::vector<double>{0, 1, 0, 0, 0, 1, 0.5, 0, 0.5, 0, 0, 1}), each);
  BOOST_TEST(host(known.counts()) == host(annotated), each);
  BOOST_TEST(host(known.counts(constant({2, 3}, {1, 0, 1, 1, 1, 0}))) == (std::vector<double>{1, 0, 1, 1, 0, 0}), each);
}

BOOST_FIXTURE_TEST_CASE(regions_that_are_not_annotated_have_no_loss, two_samples) {
  const known_classes<B> known(label_kind::regions, annotated);
  const dice_cross_entropy loss{1, 1, 1, label_kind::regions};
  const auto y = constant(crops, {0, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 1});
  const auto value = [&](const std::vector<double>& z) {
    const variable<B> all_voxels;
    return host(loss(known.logits(constant(crops, z)), known.target(y), all_voxels, known.counts()));
  };
  auto other = numbers;
  other[7] = -5, other[10] = 7;  // what the network says of the region
  BOOST_TEST(value(other) == value(numbers), each);
  const auto z = logits();
  const variable<B> all_voxels;
  home.backward(sum(loss(known.logits(z), known.target(y), all_voxels, known.counts())));
  const auto g = gradient(z);
  for (std::size_t i = 0; i < g.size(); ++i) BOOST_TEST((g[i] == 0) == (i == 7 || i == 10), "element " << i);
}

BOOST_FIXTURE_TEST_CASE(nothing_separates_background_from_what_is_not_annotated, two_samples) {
  const known_classes<B> known(label_kind::classes, annotated);
  const dice_cross_entropy loss;
  const auto y = constant(crops, {0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1});
  const variable<B> all_voxels;
  const auto z = logits();
  home.backward(sum(loss(known.logits(z), known.target(y), all_voxels, known.counts())));
  const auto g = gradient(z);
  // In the second sample both receive the gradient of their sum, by their share of it: a step along it leaves their
  // ratio to the other classes alone to decide.
  for (const std::size_t v : {6u, 9u}) {
    const double share = std::exp(numbers[v]) / (std::exp(numbers[v]) + std::exp(numbers[v + 1]));
    BOOST_TEST(g[v] == share * (g[v] + g[v + 1]), boost::test_tools::tolerance(1e-9));
    BOOST_TEST(std::fabs(g[v] + g[v + 1]) > 1e-3);
  }
  // And they may change places.
  const auto value = [&](const std::vector<double>& numbers_of) {
    return host(loss(known.logits(constant(crops, numbers_of)), known.target(y), all_voxels, known.counts()));
  };
  auto swapped = numbers;
  for (const std::size_t v : {6u, 9u}) std::swap(swapped[v], swapped[v + 1]);
  const auto a = value(numbers), b = value(swapped);
  BOOST_TEST(a[1] == b[1], boost::test_tools::tolerance(1e-12));
  for (const std::size_t v : {0u, 3u}) std::swap(swapped[v], swapped[v + 1]);
  BOOST_TEST(std::fabs(value(swapped)[0] - a[0]) > 0.1);
}

BOOST_FIXTURE_TEST_CASE(fully_annotated_samples_keep_value_and_gradient_to_the_bit, two_samples) {
  const known_classes<B> some(label_kind::classes, annotated), none;
  const dice_cross_entropy loss;
  const auto y = constant(crops, {0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1});
  std::vector<std::vector<double>> values, gradients;
  for (const auto& known : {some, none}) {
    const auto z = logits();
    const variable<B> all_voxels, all_classes;
    const auto out = loss(known.logits(z), known.target(y), all_voxels, all_classes);
    values.push_back(host(out));
    home.backward(sum(out));
    gradients.push_back(gradient(z));
  }
  BOOST_TEST(values[0][0] == values[1][0]);
  BOOST_TEST(values[0][1] < values[1][1]);
  for (std::size_t i = 0; i < 6; ++i) BOOST_TEST(gradients[0][i] == gradients[1][i]);
  BOOST_TEST(!none);
  BOOST_TEST(static_cast<bool>(some));
}

BOOST_FIXTURE_TEST_CASE(large_logits_stay_finite, two_samples) {
  const auto z = home.leaf(ctx.make(crops, {1e4, -1e4, 0, -1e4, 1e4, 0, -3e4, -3e4, 2e4, 1e4, 3e4, -1e4}));
  const known_classes<B> known(label_kind::classes, annotated);
  const auto y = constant(crops, {0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1});
  const variable<B> all_voxels;
  const auto out = dice_cross_entropy{}(known.logits(z), known.target(y), all_voxels, known.counts());
  for (const double v : host(out)) BOOST_TEST(std::isfinite(v));
  home.backward(sum(out));
  BOOST_TEST(std::isfinite(largest(gradient(z))));
}

BOOST_FIXTURE_TEST_CASE(rows_that_do_not_fit_are_refused, two_samples) {
  const known_classes<B> known(label_kind::classes, constant({2, 4}, 1));
  BOOST_CHECK_EXCEPTION((void)known.logits(logits()), shape_error,
                        says("(2, 4) says which classes are annotated in (2, 1, 1, 2, 3), expected (N, C)"));
}

// Every output of a network: in the second sample, background and class 1 may change places in any of them.
BOOST_FIXTURE_TEST_CASE(all_outputs_have_the_marginal_loss, bench) {
  const shape fine{2, 2, 2, 2, 3}, coarse{2, 1, 1, 1, 3};
  std::vector<double> labels;
  for (int i = 0; i < 16; ++i)
    for (int c = 0; c < 3; ++c) labels.push_back(c == (i % 3 == 2 ? 2 : i < 8 ? i % 2 : 0) ? 1 : 0);
  const auto y = constant(fine, labels);
  const auto present = presence<B>(home, 2, 1, {1, 1});
  const known_classes<B> known(label_kind::classes, constant({2, 3}, {1, 1, 1, 1, 0, 1}));
  const auto loss_of = [&](const std::string& swapped, index sample) {
    const auto output = [&](const std::string& name, const shape& extents, std::uint32_t key) {
      auto v = values(extents.size(), key, -2, 2);
      const auto half = v.size() / 2;
      if (name == swapped)
        for (std::size_t i = static_cast<std::size_t>(sample) * half; i < static_cast<std::size_t>(sample + 1) * half;
             i += 3)
          std::swap(v[i], v[i + 1]);
      return constant(extents, converted<double>(v));
    };
    network_output<B> out;
    out.fused = output("fused", fine, 1);
    out.branches = {output("branch", fine, 2)};
    out.deep = {output("deep", coarse, 3)};
    const variable<B> all_voxels;
    return item(
        supervised_loss(dice_cross_entropy{}, out, y, present, 0.5, all_voxels, {output("further", fine, 4)}, known));
  };
  const double before = loss_of("", 0);
  for (const std::string name : {"fused", "branch", "deep", "further"}) {
    BOOST_TEST(loss_of(name, 1) == before, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(std::fabs(loss_of(name, 0) - before) > 1e-3, name);
  }
}

// It remembers voxels of the background of labelled crops, and says that it does not know partial labels.
const std::string not_yet = "correlation_aware_mutual_learning";

struct partial_methods : method_bench<kokkos_backend<default_space, double>> {
  // Of the second labelled crop, class 2 is not annotated.
  static step_batch partial_batch(std::uint32_t step = 0, bool mixed = false) {
    auto batch = tiny_batch(step, mixed);
    crop_batch& crops = batch.labelled;
    crops.annotated = {1, 1, 1, 1, 1, 0};
    for (std::uint8_t& v : crops.label(1))
      if (v == 2) v = 0;
    return batch;
  }
};

BOOST_FIXTURE_TEST_CASE(every_method_learns_from_partial_labels, partial_methods) {
  for (const std::string& name : method_names) {
    BOOST_TEST_CONTEXT(name) {
      auto method = make(named(name));
      BOOST_TEST(method.views().partial_labels == (name != not_yet));
      auto batch = partial_batch(0, true);
      for (const auto& [term, value] : step(method, batch)) BOOST_TEST(std::isfinite(value), term);
      for (const auto& one : method.trained()) {
        const auto g = all_gradients(*one.store);
        BOOST_TEST(std::isfinite(largest(g)));
        BOOST_TEST(largest(g) > 1e-3);
      }
      const auto g = all_gradients(student(method));
      batch.labelled.annotated.clear();
      auto taken_for_background = make(named(name));
      (void)step(taken_for_background, batch);
      BOOST_TEST((g != all_gradients(student(taken_for_background))));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(every_method_learns_from_partly_annotated_regions, partial_methods) {
  const auto regions = target_map::of_regions({{1, 2}, {2}});
  for (const std::string& name : method_names) {
    BOOST_TEST_CONTEXT(name) {
      auto batch = partial_batch(0, true);
      std::vector<std::vector<double>> gradients;
      for (const auto& rows : {std::vector<float>{1, 1, 1, 0}, {}}) {
        batch.labelled.annotated = rows;
        auto method = make_method<B>(home, named(name), network_for(name), 2, regions, 1);
        for (const auto& [term, value] : step(method, batch)) BOOST_TEST(std::isfinite(value), term);
        gradients.push_back(all_gradients(student(method)));
        BOOST_TEST(std::isfinite(largest(gradients.back())));
      }
      BOOST_TEST((gradients[0] != gradients[1]));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(the_supervised_term_is_the_same_in_all_methods, partial_methods) {
  const auto batch = partial_batch();
  // Without deep supervision, and with it.
  for (const auto& network : {tiny_network(), network_for("uncertainty_rectified_pyramid")}) {
    auto alone = make(named("supervised"), 1, network);
    const double expected = step(alone, batch).at("loss");
    for (const std::string name :
         {"mean_teacher", "contrastive_mutual_learning", "entropy_minimisation", "interpolation_consistency",
          "cross_modality_collaboration", "area_similarity_mutual_learning", "dual_task_consistency"}) {
      auto method = make(named(name), 1, network);
      BOOST_TEST(step(method, batch).at("supervised") == expected, boost::test_tools::tolerance(1e-9));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(rows_of_ones_are_full_labels, partial_methods) {
  for (const std::string& name : method_names) {
    auto batch = tiny_batch(0, true);
    auto method = make(named(name)), other = make(named(name));
    const auto full = step(method, batch);
    batch.labelled.annotated.assign(6, 1);
    for (const auto& [term, value] : step(other, batch))
      BOOST_TEST(value == full.at(term), boost::test_tools::tolerance(1e-9));
  }
}

BOOST_FIXTURE_TEST_CASE(copy_paste_knows_which_labelled_crop_is_in_a_mixture, partial_methods) {
  const auto batch = partial_batch();
  const device_batch<B> crops(home, batch);
  const copy_paste<B> mix(crops.labelled, crops.strong);
  BOOST_TEST(
      host(mix.of_labelled(crops.labelled.annotated)) == (std::vector<double>{1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0}),
      each);
}

BOOST_FIXTURE_TEST_CASE(distances_of_what_is_not_annotated_have_no_loss, partial_methods) {
  auto o = named("dual_task_consistency");
  BOOST_REQUIRE(o.values.set("consistency", 0.0));
  for (const bool annotated : {true, false}) {
    auto batch = partial_batch();
    batch.labelled.annotated = {1, 1, annotated ? 1.f : 0.f, 1, 1, 0};
    auto method = make(o);
    (void)step(method, batch);
    const auto g = gradient(find(student(method), "heads.distance.bias"));
    BOOST_REQUIRE(g.size() == 2u);
    BOOST_TEST(std::fabs(g[0]) > 1e-6);
    BOOST_TEST((g[1] != 0) == annotated);
  }
}

BOOST_FIXTURE_TEST_CASE(annotated_classes_are_learnt, partial_methods) {
  auto method = make(named("supervised"));
  const auto batch = partial_batch();
  const double before = step(method, batch).at("loss");
  for (int t = 0; t < 30; ++t) {
    (void)step(method, batch);
    const auto g = all_gradients(student(method));
    std::size_t at = 0;
    change(student(method), "", [&](const auto&, auto& v) {
      for (double& x : v) x -= 0.05 * g[at++];
    });
  }
  BOOST_TEST(step(method, batch).at("loss") < 0.9 * before);
}

}  // namespace comodal::tests
