// SPDX-License-Identifier: Apache-2.0
// The contrast of features and of prototypes: what agreement is worth, whom gradients reach, which negatives count,
// what is remembered.
#define BOOST_TEST_MODULE ssl_feature_contrast
#include <boost/test/unit_test.hpp>

#include <ssl/support.hpp>

namespace comodal::tests {

using B = kokkos_backend<default_space, double>;

// Two crops of 1 x 8 x 8 voxels with two modalities, a lesion of class 1 in the upper half; one stage, full resolution.
struct features : method_bench<B> {
  static constexpr index channels = 3;
  std::vector<std::vector<variable<B>>> streams{{leaf({2, 1, 8, 8, channels}, 1), leaf({2, 1, 8, 8, channels}, 2)}};
  variable<B> target = lesion();
  variable<B> sure = constant({2, 1, 8, 8}, std::vector<double>(128, 1.0));
  variable<B> counts = constant({2, 2}, std::vector<double>(4, 1.0));

  [[nodiscard]] variable<B> lesion() {
    std::vector<double> y(256, 0);
    for (std::size_t v = 0; v < 128; ++v) y[2 * v + (v % 64 < 32 ? 1 : 0)] = 1;
    return constant({2, 1, 8, 8, 2}, y);
  }
  [[nodiscard]] feature_contrast<B> make_contrast(feature_comparison kind, index queue = 0) {
    return {home, {channels}, 2, label_kind::classes, 2, {kind, {0}, 64, 0.1, queue}, 5};
  }
  [[nodiscard]] patients_of_samples<B> patients(const std::vector<std::int64_t>& of) {
    const patients_of_samples<B> p = ctx.make_of<std::int64_t>({static_cast<index>(of.size()) / 2, 2});
    copy_from_host(ctx.space(), of, p);
    return p;
  }
  [[nodiscard]] feature_view<B> view(const std::vector<float>& present = {1, 1, 1, 1},
                                     const std::vector<std::int64_t>& of = {0, 0, 2, 2}) {
    return {streams, target, sure, counts, presence<B>(home, 2, 2, present), patients(of)};
  }
  // Modality 0 learns from 1, not the other way round.
  [[nodiscard]] auto only_0_learns() {
    return [this](index m, index) { return constant({}, std::vector<double>{m == 0 ? 1.0 : 0.0}); };
  }
  static variable<B> all_weigh_1(index, index) { return {}; }
  [[nodiscard]] double loss(feature_contrast<B>& contrast, const feature_view<B>& of, std::uint32_t step = 0) {
    return item(contrast(of, step_request{step, 10}, all_weigh_1).loss);
  }
  // Both modalities show the class alone, and both heads are the same.
  void agree(const feature_contrast<B>& contrast) {
    std::vector<double> by_class(384);
    for (std::size_t v = 0; v < 128; ++v) by_class[3 * v + (v % 64 < 32 ? 1 : 0)] = 1;
    streams = {{constant({2, 1, 8, 8, channels}, by_class), constant({2, 1, 8, 8, channels}, by_class)}};
    std::vector<std::vector<double>> first;
    change(contrast.parameters(), "stage.0.0.", [&](const auto&, auto& v) { first.push_back(v); });
    std::size_t k = 0;
    change(contrast.parameters(), "stage.0.1.", [&](const auto&, auto& v) { v = first[k++]; });
  }
};

BOOST_FIXTURE_TEST_CASE(agreement_costs_a_tenth, features) {
  auto contrast = make_contrast(feature_comparison::cells);
  const double apart = loss(contrast, view());
  agree(contrast);
  const auto terms = contrast(view(), step_request{0, 10}, all_weigh_1);
  BOOST_TEST(apart > 1);
  BOOST_TEST(item(terms.loss) < 0.1 * apart);
  BOOST_TEST(item(terms.aligned) == 1, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(item(terms.others) < 0.7);
}

// Of 64 places 32 are of class 1, 16 near it and 8 in the last row, the rest of their group; 8 are empty. Cells that
// look alike are at chance: each stands against itself and the cells of the other class.
BOOST_FIXTURE_TEST_CASE(equal_features_are_at_chance, features) {
  auto contrast = make_contrast(feature_comparison::cells);
  const auto same = constant({2, 1, 8, 8, channels}, std::vector<double>(384, 1.0));
  streams = {{same, same}};
  const auto chance = [](double against_lesion, double against_background) {
    return (32 * std::log(1 + against_lesion) + 24 * std::log(1 + against_background)) / 56;
  };
  BOOST_TEST(loss(contrast, view()) == chance(48, 64), boost::test_tools::tolerance(1e-6));
  // Where one crop lacks modality 1, its cells are no negatives for modality 0, and it has no pair.
  BOOST_TEST(loss(contrast, view({1, 1, 1, 0})) == (chance(24, 32) + chance(48, 64)) / 2,
             boost::test_tools::tolerance(1e-6));
  // No pair at all: nothing to lose.
  BOOST_TEST(loss(contrast, view({1, 0, 0, 1})) == 0);
}

BOOST_FIXTURE_TEST_CASE(the_partner_receives_no_gradient, features) {
  for (const auto kind : {feature_comparison::cells, feature_comparison::prototypes}) {
    auto contrast = make_contrast(kind, 2);
    (void)contrast(view(), step_request{0, 10}, all_weigh_1);
    contrast.remember(progress{0, 10});
    for (const auto& one : streams[0]) one.zero_grad();
    const auto terms = contrast(view(), step_request{1, 10}, only_0_learns());
    BOOST_TEST(item(terms.loss) > 0);
    home.backward(terms.loss);
    BOOST_TEST(largest(gradient(streams[0][0])) > 1e-4);
    const auto partner = gradient(streams[0][1]);
    BOOST_TEST((partner.empty() || largest(partner) == 0));
    double own = 0, other = 0;
    for (const auto& p : contrast.parameters().all()) {
      const auto g = gradient(p.value);
      const double most = g.empty() ? 0 : largest(g);
      (p.name.starts_with("stage.0.0.") ? own : other) = std::max(p.name.starts_with("stage.0.0.") ? own : other, most);
    }
    BOOST_TEST(own > 1e-4);
    BOOST_TEST(other == 0);
  }
}

BOOST_FIXTURE_TEST_CASE(the_term_falls_along_its_gradient, features) {
  auto contrast = make_contrast(feature_comparison::cells);
  const auto value = [&] { return contrast(view(), step_request{0, 10}, only_0_learns()).loss; };
  const auto before = value();
  const double was = item(before);
  home.backward(before);
  double square = 0;
  std::map<std::string, std::vector<double>> g;
  for (const auto& p : contrast.parameters().all())
    if (p.name.starts_with("stage.0.0."))
      for (const double v : g[p.name] = gradient(p.value)) square += v * v;
  const double length = std::sqrt(square);
  change(contrast.parameters(), "stage.0.0.", [&](const std::string& name, auto& v) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] -= 1e-5 * g.at(name)[i] / length;
  });
  BOOST_TEST(was - item(value()) == 1e-5 * length, boost::test_tools::tolerance(0.02));
}

BOOST_FIXTURE_TEST_CASE(class_means_of_other_patients_alone_are_negatives, features) {
  const auto with_queue = [&](const std::vector<std::int64_t>& now) {
    auto contrast = make_contrast(feature_comparison::cells, 4);
    (void)loss(contrast, view());  // of patients 0 and 2
    contrast.remember(progress{0, 10});
    return loss(contrast, view({1, 1, 1, 1}, now));
  };
  auto without = make_contrast(feature_comparison::cells);
  const double none = loss(without, view());
  // Every crop shows both patients of the queue: none of it counts.
  BOOST_TEST(with_queue({0, 2, 2, 0}) == none, boost::test_tools::tolerance(1e-9));
  // Each crop is held against the other patient, or against both.
  const double one = with_queue({0, 0, 2, 2}), both = with_queue({4, 4, 5, 5});
  BOOST_TEST(one > none + 1e-6);
  BOOST_TEST(both > one + 1e-6);
}

BOOST_FIXTURE_TEST_CASE(prototypes_say_nothing_before_they_are_seen, features) {
  auto contrast = make_contrast(feature_comparison::prototypes);
  BOOST_TEST(std::fabs(loss(contrast, view())) < 1e-9);
  contrast.remember(progress{0, 10});
  const double apart = loss(contrast, view(), 1);
  BOOST_TEST(apart > 1e-2);
  auto other = make_contrast(feature_comparison::prototypes);
  agree(other);
  (void)loss(other, view());
  other.remember(progress{0, 10});
  BOOST_TEST(loss(other, view(), 1) < 0.1 * apart);
}

BOOST_FIXTURE_TEST_CASE(prototypes_follow_class_means, features) {
  class_prototypes<B> prototypes(home, 3, 2);
  const auto follow = [&](const std::vector<double>& means, std::uint32_t t) {
    prototypes.follow(ctx, constant({3, 2}, means).value(), progress{t, 1000});
    return to_host(ctx.space(), prototypes.values());
  };
  // The first mean as it is; a class without one stays unseen.
  BOOST_TEST(follow({1, 0, 0.6, 0.8, 0, 0}, 7) == (std::vector<double>{1, 0, 0.6, 0.8, 0, 0}),
             boost::test_tools::per_element());
  // At step 1 half of each, at step 999 a hundredth of the new one, brought to length 1.
  const auto half = follow({0, 1, 0, 0, 0, 1}, 1);
  BOOST_TEST(half[0] == std::sqrt(0.5), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(half[1] == std::sqrt(0.5), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(half[2] == 0.6);
  BOOST_TEST(half[5] == 1);
  const auto late = follow({0, 0, 0, 0, 1, 0}, 999);
  BOOST_TEST(late[4] == 0.01 / std::hypot(0.01, 0.99), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(late[5] == 0.99 / std::hypot(0.01, 0.99), boost::test_tools::tolerance(1e-12));
  // A mean that is not finite is none.
  BOOST_TEST(follow({std::nan(""), 1, HUGE_VAL, 0, 0, 0}, 1000) == late, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_queue_takes_zeros_for_what_is_not_finite, features) {
  feature_queue<B> queue(home, 2, 1, 2);
  const auto patients = [&](std::int64_t p) {
    auto made = ctx.make_of<std::int64_t>({1, 2});
    copy_from_host(ctx.space(), std::vector<std::int64_t>{p, -1}, made);
    return made;
  };
  queue.push(ctx, constant({1, 1, 2}, {1, 2}).value(), patients(3));
  queue.push(ctx, constant({1, 1, 2}, {std::nan(""), 4}).value(), patients(5));
  BOOST_TEST(to_host(ctx.space(), queue.vectors()) == (std::vector<double>{1, 2, 0, 4}),
             boost::test_tools::per_element());
  BOOST_TEST(to_host(ctx.space(), queue.patients()) == (std::vector<std::int64_t>{3, -1, 5, -1}),
             boost::test_tools::per_element());
}

// Crops that agree count once: the prototype of two equal crops is that of one.
BOOST_FIXTURE_TEST_CASE(prototypes_do_not_depend_on_the_number_of_crops, features) {
  auto contrast = make_contrast(feature_comparison::prototypes);
  agree(contrast);
  (void)loss(contrast, view());
  contrast.remember(progress{0, 10});
  safetensors_file file;
  contrast.save(file);
  const auto rows = file.at("features.prototypes").values<double>("features.prototypes");
  for (std::size_t r = 0; r < 4; ++r) {
    double square = 0;
    for (std::size_t e = 0; e < 32; ++e) square += rows[32 * r + e] * rows[32 * r + e];
    BOOST_TEST(square == 1, boost::test_tools::tolerance(1e-9));
  }
}

BOOST_FIXTURE_TEST_CASE(what_one_modality_has_not_seen_it_does_not_teach, features) {
  auto contrast = make_contrast(feature_comparison::prototypes);
  (void)loss(contrast, view({1, 0, 1, 0}));
  contrast.remember(progress{0, 10});  // of modality 0 alone: it has nobody to learn from, modality 1 has
  BOOST_TEST(std::fabs(item(contrast(view(), step_request{1, 10}, only_0_learns()).loss)) < 1e-9);
  BOOST_TEST(loss(contrast, view(), 1) > 1e-2);
}

BOOST_FIXTURE_TEST_CASE(what_is_remembered_can_be_saved, features) {
  for (const auto kind : {feature_comparison::cells, feature_comparison::prototypes}) {
    auto contrast = make_contrast(kind, 3), other = make_contrast(kind, 3);
    for (std::uint32_t t = 0; t < 3; ++t) {
      (void)loss(contrast, view({1, 1, 1, 1}, {4 * t, 4 * t, 4 * t + 2, 4 * t + 2}), t);
      contrast.remember(progress{0, 10});
    }
    safetensors_file file;
    contrast.save(file);
    BOOST_TEST(loss(other, view(), 3) != loss(contrast, view(), 3));
    other.load(file);
    BOOST_TEST(loss(other, view(), 3) == loss(contrast, view(), 3));
    auto longer = make_contrast(feature_comparison::cells, 7);
    if (kind == feature_comparison::cells)
      BOOST_CHECK_EXCEPTION(longer.load(file), io_error, says("array 'features.queue' is"));
  }
}

BOOST_FIXTURE_TEST_CASE(the_method_takes_either, features) {
  for (const std::string kind : {"feature", "prototype"}) {
    auto o = named("contrastive_mutual_learning");
    BOOST_REQUIRE(o.values.set("contrast_kind", kind));
    auto method = make(o);
    BOOST_TEST(method.trained().size() == 2u);
    BOOST_TEST(method.trained()[1].name == "heads");
    for (std::uint32_t t = 0; t < 2; ++t) {
      const auto found = step(method, tiny_batch(t, true), {t, 10});
      BOOST_TEST(std::isfinite(found.at("contrast")));
      BOOST_TEST(found.at("aligned") <= 1 + 1e-9);
      BOOST_TEST(found.at("loss") == found.at("supervised") + 0.5 * found.at("consensus") + 0.1 * found.at("contrast"),
                 boost::test_tools::tolerance(1e-9));
      if (t == 1 || kind == "feature") BOOST_TEST(found.at("contrast") > 0);
    }
    BOOST_TEST(largest(all_gradients(*method.trained()[1].store)) > 1e-6);
    // No part of what predicts.
    for (const auto& one : average(method).all()) BOOST_TEST(!one.name.starts_with("stage."), one.name);
    auto regions = make_method<B>(home, o, tiny_network(), 2, target_map::of_regions({{1, 2}, {2}}), 1);
    for (const auto& [key, value] : step(regions, tiny_batch(0, true))) BOOST_TEST(std::isfinite(value), key);
  }
}

BOOST_FIXTURE_TEST_CASE(stages_and_networks_that_do_not_fit_are_refused, features) {
  auto o = named("contrastive_mutual_learning");
  BOOST_REQUIRE(o.values.set("contrast_kind", std::string("feature")));
  auto network = tiny_network();
  network.branches = false;
  BOOST_CHECK_EXCEPTION((void)make(o, 1, network), config_error, says("it compares the branches of modalities"));
  BOOST_REQUIRE(o.values.set("contrast_stages", std::vector<index>{2, 3}));
  BOOST_CHECK_EXCEPTION((void)make(o), config_error, says("feature contrast: stage 3, the network has 2"));
  for (const auto& stages : {std::vector<index>{2, 2}, {0}, {2, 1}}) {
    BOOST_REQUIRE(o.values.set("contrast_stages", stages));
    BOOST_CHECK_EXCEPTION((void)make(o), config_error, says("method.contrastive_mutual_learning.contrast_stages = "));
  }
  BOOST_REQUIRE(o.values.set("contrast_kind", std::string("features")));
  BOOST_CHECK_EXCEPTION((void)make(o), config_error, says("method.contrastive_mutual_learning.contrast_kind = "));
}

}  // namespace comodal::tests
