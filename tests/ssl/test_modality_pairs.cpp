// SPDX-License-Identifier: Apache-2.0
// Methods that compare the modalities of unlabelled crops: cross-modality collaboration and area-similarity mutual
// learning, by their formulas, and who receives gradients.
#define BOOST_TEST_MODULE ssl_modality_pairs
#include <boost/test/unit_test.hpp>

#include <ssl/support.hpp>

namespace comodal::tests {

using B = kokkos_backend<default_space, double>;
const std::string collaboration = "cross_modality_collaboration", mutual = "area_similarity_mutual_learning";

struct modality_pairs : method_bench<B> {
  // What a student says of the strong unlabelled crops.
  network_output<B> seen(const any_method<B>& method, const crop_batch& crops, const std::string& weights = "student") {
    const network_input<B> input(home, {&crops});
    return method.predict(input.volumes, input.present, network_outputs::all, weights);
  }
  // Foreground (V, 2) of each sample of logits.
  variable<B> maps(const variable<B>& z) {
    return foreground_maps(probabilities(z, label_kind::classes), label_kind::classes);
  }
  static double mean_of(const std::vector<double>& v) {
    double sum = 0;
    for (const double x : v) sum += x;
    return sum / static_cast<double>(v.size());
  }
  using settings = std::vector<std::pair<std::string, double>>;
  static named_options with(const std::string& name, const settings& values) {
    auto o = named(name);
    for (const auto& [key, value] : values) BOOST_REQUIRE(o.values.set(key, value));
    return o;
  }
  // The gradient with `on` minus that with `off`.
  std::vector<double> gradient_of(const std::string& name, const settings& on, const settings& off,
                                  const step_batch& batch) {
    std::vector<std::vector<double>> found;
    for (const auto& values : {on, off}) {
      auto method = make(with(name, values));
      (void)step(method, batch);
      found.push_back(all_gradients(student(method)));
    }
    for (std::size_t i = 0; i < found[0].size(); ++i) found[0][i] -= found[1][i];
    return found[0];
  }
};

BOOST_FIXTURE_TEST_CASE(collaboration_by_its_formula, modality_pairs) {
  const auto batch = tiny_batch(0);
  auto method = make(named(collaboration));
  const auto found = step(method, batch);
  const auto out = seen(method, batch.strong);
  const auto flat = [](const variable<B>& x) { return reshape(x, {2, x.shape().product(1, 4), x.extent(4)}); };
  const auto& deepest = out.streams.back();
  BOOST_TEST(out.streams.size() == 2u);
  BOOST_TEST(found.at("channel_contrast") == mean_of(host(channel_contrast{0.5}(flat(deepest[0]), flat(deepest[1])))),
             boost::test_tools::tolerance(1e-6));
  const auto dice = host(similarity(maps(out.branches[0]), maps(out.branches[1]), map_similarity::soft_dice));
  BOOST_TEST(found.at("overlap") == 1 - mean_of(dice), boost::test_tools::tolerance(1e-6));
}

BOOST_FIXTURE_TEST_CASE(crops_of_one_modality_have_no_pair, modality_pairs) {
  auto batch = tiny_batch(0);
  batch.strong.present = {1, 0, 0, 1};
  for (const auto& [name, terms] : std::map<std::string, std::vector<std::string>>{
           {collaboration, {"channel_contrast", "overlap"}}, {mutual, {"contrast", "consistency"}}}) {
    auto method = make(named(name));
    const auto found = step(method, batch);
    for (const auto& term : terms) BOOST_TEST(found.at(term) == 0, name << " " << term);
  }
}

BOOST_FIXTURE_TEST_CASE(terms_fall_along_their_gradients, modality_pairs) {
  const auto batch = tiny_batch(0);
  struct row {
    std::string name, term;
    settings on, off;
  };
  for (const row& one :
       {row{collaboration, "channel_contrast", {{"channel_contrast", 1}}, {{"channel_contrast", 0}}},
        row{collaboration, "overlap", {{"overlap", 1}}, {{"overlap", 0}}},
        row{mutual, "contrast", {{"contrast", 1}}, {{"contrast", 0}}},
        row{mutual, "consistency", {{"consistency", 1}}, {{"consistency", 0}}},
        row{mutual, "relearn", {{"relearn", 0}}, {{"relearn", 1}, {"contrast", 0}, {"consistency", 0}}}}) {
    const auto g = gradient_of(one.name, one.on, one.off, batch);
    double square = 0;
    for (const double v : g) square += v * v;
    const double length = std::sqrt(square);
    BOOST_TEST(length > 1e-5, one.name << " " << one.term);
    auto method = make(with(one.name, one.on));
    const double before = step(method, batch).at(one.term);
    std::size_t at = 0;
    change(student(method), "", [&](const auto&, auto& v) {
      for (double& x : v) x -= 1e-5 * g[at++] / length;
    });
    BOOST_TEST(before - step(method, batch).at(one.term) == 1e-5 * length, boost::test_tools::tolerance(0.05));
  }
}

// Two crops, two modalities: each map against its partner and the two maps of the other crop.
BOOST_FIXTURE_TEST_CASE(mutual_learning_by_its_formula, modality_pairs) {
  const auto batch = tiny_batch(0);
  auto o = named(mutual);
  BOOST_REQUIRE(o.values.set("counted_voxels", 0.0));  // all classes count
  set_ramp(o, 0.4);
  auto method = make(o);
  change(student(method), "", [](const auto&, auto& v) {
    for (double& x : v) x += 0.05;
  });
  const auto out = seen(method, batch.strong), teacher = seen(method, batch.weak, "ema");
  const std::vector<variable<B>> of{maps(out.branches[0]), maps(out.branches[1])};
  const auto alike = [&](const variable<B>& a, index n, const variable<B>& b, index j) {
    return host(similarity(slice(a, 0, n, n + 1), slice(b, 0, j, j + 1), map_similarity::soft_dice));
  };
  double contrast = 0, squares = 0, relearn = 0;
  const auto q = probabilities(teacher.fused, label_kind::classes);
  const auto target = foreground_maps(q, label_kind::classes);
  for (std::size_t m = 0; m < 2; ++m) {
    const auto learnt = host(dice_cross_entropy{}(out.branches[m], q));
    for (index n = 0; n < 2; ++n) {
      for (std::size_t k = 0; k < 2; ++k) {
        const auto loss = [&](const variable<B>& partner) {
          const double own = std::exp(alike(of[m], n, partner, n)[k]);
          const double rest = std::exp(alike(of[m], n, of[m], 1 - n)[k]) + std::exp(alike(of[m], n, partner, 1 - n)[k]);
          return -std::log(own / (own + rest));
        };
        contrast += loss(of[1 - m]) / 8;
        relearn += 0.1 * loss(target) / 8;
      }
      relearn += 0.9 * learnt[static_cast<std::size_t>(n)] / 4;
    }
  }
  const auto a = host(probabilities(out.branches[0], label_kind::classes)),
             b = host(probabilities(out.branches[1], label_kind::classes));
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]) / static_cast<double>(a.size());
  const auto early = step(method, batch, {20, 100}), late = step(method, batch, {60, 100});
  for (const auto& found : {early, late}) {
    BOOST_TEST(found.at("contrast") == contrast, boost::test_tools::tolerance(1e-6));
    BOOST_TEST(found.at("consistency") == squares, boost::test_tools::tolerance(1e-6));
    BOOST_TEST(found.at("relearn") == relearn, boost::test_tools::tolerance(1e-6));
  }
  BOOST_TEST(early.at("loss") == early.at("supervised") + 0.4 * contrast + 0.1 * std::exp(-1.25) * squares,
             boost::test_tools::tolerance(1e-6));
  BOOST_TEST(late.at("loss") == late.at("supervised") + relearn, boost::test_tools::tolerance(1e-6));
}

BOOST_FIXTURE_TEST_CASE(classes_that_the_teacher_does_not_see_push_nothing_away, modality_pairs) {
  auto o = named(mutual);
  BOOST_REQUIRE(o.values.set("counted_voxels", 1e6));
  auto method = make(o);
  BOOST_TEST(step(method, tiny_batch(0)).at("contrast") == 0);
}

BOOST_FIXTURE_TEST_CASE(networks_without_branches_are_refused, modality_pairs) {
  for (const std::string& name : {collaboration, mutual}) {
    auto without = tiny_network(), early = tiny_network();
    without.branches = false;
    early.fusion = "early";
    for (const auto& network : {without, early})
      BOOST_CHECK_EXCEPTION((void)make(named(name), 1, network), config_error,
                            says("method.name = \"" + name +
                                 "\": it compares the branches of modalities, and the network has none; "
                                 "set model.branches = true and a model.fusion other than \"early\""));
    BOOST_CHECK_EXCEPTION(
        (void)make_method<B>(home, named(name), tiny_network(), 1, target_map::of_classes(tiny_classes), 1),
        config_error, says("it compares modalities, and the cohort has 1; choose another method"));
  }
}

}  // namespace comodal::tests
