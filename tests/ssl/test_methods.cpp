// SPDX-License-Identifier: Apache-2.0
// What all methods share, supervised training and Mean Teacher: losses by their formulas, averages, and who receives
// gradients.
#define BOOST_TEST_MODULE ssl_methods
#include <boost/test/unit_test.hpp>

#include <ssl/support.hpp>

#include <set>

#include <cmath>
#include <map>

namespace comodal::tests {

using B = kokkos_backend<default_space, double>;
const std::vector<std::string>& names = method_names;

struct methods : method_bench<B> {
  // L_sup of method.md section 3 from the students' own predictions.
  double supervised_loss(const any_method<B>& method, const crop_batch& crops, double branch_weight) {
    double total = 0;
    for (const auto& one : method.trained()) total += supervised_loss(method, one.name, crops, branch_weight);
    return total;
  }
  double supervised_loss(const any_method<B>& method, const std::string& student, const crop_batch& crops,
                         double branch_weight) {
    const network_input<B> input(home, {&crops});
    const auto out = method.predict(input.volumes, input.present, network_outputs::all, student);
    const auto y = home.constant(one_hot(ctx, target_map::of_classes(tiny_classes), crops));
    const dice_cross_entropy compare;
    auto fused = host(deeply_supervised(compare, compare(out.fused, y), out.deep, y));
    const auto share = host(input.present.share());
    // Further decoders count as much as the network's own.
    double decoders = 1;
    for (const auto& [name, z] : out.heads) {
      if (!name.starts_with("decoder_")) continue;
      const auto further = host(compare(z, y));
      for (std::size_t n = 0; n < 2; ++n) fused[n] += further[n];
      decoders += 1;
    }
    for (double& loss : fused) loss /= decoders;
    double total = 0;
    for (std::size_t n = 0; n < 2; ++n) total += fused[n] / 2;
    for (std::size_t m = 0; m < 2; ++m) {
      const auto branch = host(compare(out.branches[m], y));
      for (std::size_t n = 0; n < 2; ++n) total += branch_weight * share[n * 2 + m] * branch[n] / 2;
    }
    return total;
  }
};

BOOST_FIXTURE_TEST_CASE(the_supervised_loss_by_its_formula, methods) {
  auto batch = tiny_batch(0);
  batch.labelled.present = {1, 0, 1, 1};
  for (const std::string& name : names) {
    if (name == "bidirectional_copy_paste") continue;  // sees labelled crops in mixtures alone: test_copy_paste.cpp
    BOOST_TEST_CONTEXT(name) {
      auto o = named(name);
      set_branch_weight(o, 0.3);
      auto network = tiny_network();
      network.dropout = 1e-12;  // as good as none, for methods that ask for some
      auto method = make(o, 1, network);
      auto found = step(method, batch);
      const double expected = supervised_loss(method, batch.labelled, 0.3);
      BOOST_TEST(found.at(name == "supervised" ? "loss" : "supervised") == expected,
                 boost::test_tools::tolerance(1e-9));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(the_supervised_loss_falls_along_its_gradient, methods) {
  auto method = make(named("supervised"));
  const auto batch = tiny_batch(0);
  const double before = step(method, batch).at("loss");
  const auto g = all_gradients(student(method));
  double square = 0;
  for (const double v : g) square += v * v;
  std::size_t at = 0;
  const double rate = 1e-5 / std::sqrt(square);
  change(student(method), "", [&](const auto&, auto& v) {
    for (double& x : v) x -= rate * g[at++];
  });
  const double fallen = before - step(method, batch).at("loss");
  BOOST_TEST(fallen == 1e-5 * std::sqrt(square), boost::test_tools::tolerance(0.05));
}

BOOST_FIXTURE_TEST_CASE(supervised_training_looks_at_no_unlabelled_crop, methods) {
  auto method = make(named("supervised")), other = make(named("supervised"));
  auto batch = tiny_batch(0);
  (void)step(method, batch);
  batch.weak = batch.strong = crop_batch{};
  (void)step(other, batch);
  BOOST_TEST((all_gradients(student(method)) == all_gradients(student(other))));
}

BOOST_FIXTURE_TEST_CASE(the_teacher_starts_as_a_copy_and_follows, methods) {
  for (const std::string& name : names) {
    BOOST_TEST_CONTEXT(name) {
      auto o = named(name);
      set_ema_decay(o, 0.75);
      auto method = make(o);
      BOOST_TEST((all_values(average(method)) == all_values(student(method))));
      const auto move = [&] {
        change(student(method), "", [](const auto&, auto& v) {
          for (double& x : v) x += 0.5;
        });
      };
      move();
      BOOST_TEST((all_values(average(method)) != all_values(student(method))));
      method.after_update({0, 100});
      BOOST_TEST((all_values(average(method)) == all_values(student(method))));
      double lag = 0;
      for (std::uint32_t t = 1; t < 8; ++t) {
        move();
        lag = (lag + 0.5) * std::min(1 - 1.0 / (t + 1), 0.75);
        method.after_update({t, 100});
        const auto moved = all_values(student(method)), teacher = all_values(average(method));
        for (std::size_t i = 0; i < moved.size(); i += 37) BOOST_TEST(std::fabs(moved[i] - teacher[i] - lag) < 1e-9);
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(the_teacher_receives_no_gradient, methods) {
  for (const std::string& name : names) {
    BOOST_TEST_CONTEXT(name) {
      auto o = named(name);
      set_agreement(o);
      auto method = make(o);
      const auto before = all_values(average(method));
      (void)step(method, tiny_batch(0, true));
      for (const auto& one : average(method).all()) BOOST_TEST(!one.value.grad(), one.name);
      BOOST_TEST((all_values(average(method)) == before));
      BOOST_TEST(home.size() == 0u);
      BOOST_TEST(home.recording());
      BOOST_TEST(largest(all_gradients(student(method))) > 1e-3);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(predictions_use_the_weights_that_were_asked_for, methods) {
  auto method = make(named("mean_teacher"));
  const auto batch = tiny_batch(0);
  const network_input<B> input(home, {&batch.labelled});
  const auto predict = [&](const std::string& w) {
    return host(method.predict(input.volumes, input.present, network_outputs::fused_only, w).fused);
  };
  BOOST_TEST((predict("ema") == predict("student")));
  change(student(method), "head.bias", [](const auto&, auto& v) { v[0] += 1; });
  BOOST_TEST((predict("ema") != predict("student")));
  BOOST_TEST(home.size() == 0u);
}

struct consistency : methods {
  // The gradient of the consistency alone, at weight 1.
  std::vector<double> own_gradient(const step_batch& batch) {
    auto o = named("mean_teacher");
    BOOST_REQUIRE(o.values.set("consistency", 1.0));
    auto with = make(o);
    BOOST_REQUIRE(o.values.set("consistency", 0.0));
    auto without = make(o);
    (void)step(with, batch);
    (void)step(without, batch);
    auto g = all_gradients(student(with));
    const auto off = all_gradients(student(without));
    for (std::size_t i = 0; i < g.size(); ++i) g[i] -= off[i];
    return g;
  }
};

BOOST_FIXTURE_TEST_CASE(consistency_has_a_gradient_along_which_it_falls, consistency) {
  const auto batch = tiny_batch(0, true);
  const auto g = own_gradient(batch);
  double square = 0;
  for (const double v : g) square += v * v;
  const double length = std::sqrt(square);
  BOOST_TEST(length > 1e-4);
  auto method = make(named("mean_teacher"));
  const double before = step(method, batch).at("consistency");
  std::size_t at = 0;
  change(student(method), "", [&](const auto&, auto& v) {
    for (double& x : v) x -= 1e-5 * g[at++] / length;
  });
  BOOST_TEST(before - step(method, batch).at("consistency") == 1e-5 * length, boost::test_tools::tolerance(0.05));
}

BOOST_FIXTURE_TEST_CASE(consistency_vanishes_where_predictions_agree, methods) {
  auto method = make(named("mean_teacher"));
  auto batch = tiny_batch(0);
  BOOST_TEST(step(method, batch).at("consistency") > 1e-5);
  batch.strong = batch.weak;
  BOOST_TEST(std::fabs(step(method, batch).at("consistency")) < 1e-20);
}

BOOST_FIXTURE_TEST_CASE(mixed_voxels_are_left_out_of_the_consistency, methods) {
  auto method = make(named("mean_teacher"));
  auto batch = tiny_batch(0, true);
  const double half = step(method, batch).at("consistency");
  std::fill(batch.strong.known.begin(), batch.strong.known.end(), std::uint8_t{0});
  const double none = step(method, batch).at("consistency");
  std::fill(batch.strong.known.begin(), batch.strong.known.end(), std::uint8_t{1});
  BOOST_TEST(step(method, batch).at("consistency") == 0);
  BOOST_TEST(half != none);
  batch.strong.known.clear();
  BOOST_TEST(step(method, batch).at("consistency") == none, boost::test_tools::tolerance(1e-12));
}

BOOST_FIXTURE_TEST_CASE(terms_rise_with_the_run, methods) {
  const std::map<std::string, std::vector<std::pair<std::string, double>>> terms{
      {"mean_teacher", {{"consistency", 0.1}}},
      {"contrastive_mutual_learning", {{"consensus", 0.5}, {"contrast", 0.1}}},
      {"entropy_minimisation", {{"entropy", 0.1}}},
      {"cross_pseudo_supervision", {{"cross", 0.1}}},
      {"uncertainty_aware_mean_teacher", {{"consistency", 0.1}}},
      {"uncertainty_rectified_pyramid", {{"consistency", 0.1}}},
      {"interpolation_consistency", {{"consistency", 0.1}}},
      {"cross_modality_collaboration", {{"channel_contrast", 1}, {"overlap", 0.2}}},
      {"mutual_consistency", {{"consistency", 1}}},
      {"dual_task_consistency", {{"consistency", 1}}},
      {"correlation_aware_mutual_learning", {{"consistency", 1}, {"correlation", 0.05}}}};
  const std::map<std::string, std::pair<std::string, double>> constant{{"dual_task_consistency", {"distance", 0.3}}};
  // Supervised training has none; these two have a formula of their own and a test of it.
  const std::set<std::string> others{"supervised", "bidirectional_copy_paste", "area_similarity_mutual_learning"};
  for (const std::string& name : names) BOOST_TEST(terms.count(name) + others.count(name) == 1u, name);
  for (const auto& [name, weights] : terms) {
    auto o = named(name);
    set_ramp(o, 0.4);
    (void)o.values.set("first_limit", 1.0);  // where there is one: all voxels count
    auto method = make(o);
    for (const auto& [t, ramp] :
         std::vector<std::pair<std::uint32_t, double>>{{0, std::exp(-5.0)}, {20, std::exp(-1.25)}, {40, 1}, {90, 1}}) {
      const auto s = step(method, tiny_batch(t), {t, 100});
      double unlabelled = 0;
      for (const auto& [term, weight] : weights) {
        BOOST_TEST(s.at(term) > 0, name << " " << term);
        unlabelled += weight * s.at(term);
      }
      double labelled = s.at("supervised");
      if (constant.contains(name)) labelled += constant.at(name).second * s.at(constant.at(name).first);
      BOOST_TEST(s.at("loss") == labelled + ramp * unlabelled, boost::test_tools::tolerance(1e-9));
    }
  }
}

// The gradient of a student's term at weight 1: the difference of a step with it and one without.
struct terms : methods {
  std::vector<std::vector<double>> gradients_of_term(const std::string& name, const std::string& term,
                                                     const step_batch& batch) {
    std::vector<std::vector<double>> found;
    for (const double weight : {1.0, 0.0}) {
      auto o = named(name);
      BOOST_REQUIRE(o.values.set(term, weight));
      (void)o.values.set("first_limit", 1.0);
      (void)o.values.set("detach", false);  // so that the gradient is that of the value
      auto method = make(o);
      for (const auto& one : method.trained()) one.store->zero_grad();
      (void)step(method, batch);
      for (std::size_t s = 0; s < method.trained().size(); ++s) {
        const auto g = all_gradients(*method.trained()[s].store);
        if (weight == 1.0)
          found.push_back(g);
        else
          for (std::size_t i = 0; i < g.size(); ++i) found[s][i] -= g[i];
      }
    }
    return found;
  }
};

BOOST_FIXTURE_TEST_CASE(both_students_learn_from_each_other, terms) {
  const auto batch = tiny_batch(0, true);
  const auto g = gradients_of_term("cross_pseudo_supervision", "consistency", batch);
  BOOST_TEST_REQUIRE(g.size() == 2u);
  for (const auto& one : g) BOOST_TEST(largest(one) > 1e-4);
  BOOST_TEST((g[0] != g[1]));
  // They start from different weights, and the average from those of the first.
  auto method = make(named("cross_pseudo_supervision"));
  BOOST_TEST((all_values(*method.trained()[0].store) != all_values(*method.trained()[1].store)));
  BOOST_TEST((all_values(average(method)) == all_values(*method.trained()[0].store)));
  // Each learns the hard labels of the other one, not its own.
  const double cross = step(method, batch).at("cross");
  const network_input<B> input(home, {&batch.labelled, &batch.strong});
  const auto logits = [&](const std::string& weights) {
    return method.predict(input.volumes, input.present, network_outputs::fused_only, weights).fused;
  };
  const auto a = logits("student"), b = logits("second");
  const cross_pseudo_supervision from{label_kind::classes};
  double expected = 0;
  for (const auto& losses :
       {host(from(a, probabilities(b, label_kind::classes))), host(from(b, probabilities(a, label_kind::classes)))})
    for (const double one : losses) expected += one / static_cast<double>(losses.size());
  BOOST_TEST(cross == expected, boost::test_tools::tolerance(1e-9));
}

BOOST_FIXTURE_TEST_CASE(terms_have_a_gradient_along_which_they_fall, terms) {
  const auto batch = tiny_batch(0);
  for (const auto& [name, term] :
       std::vector<std::pair<std::string, std::string>>{{"entropy_minimisation", "entropy"},
                                                        {"uncertainty_rectified_pyramid", "consistency"},
                                                        {"uncertainty_aware_mean_teacher", "consistency"},
                                                        {"interpolation_consistency", "consistency"},
                                                        {"mutual_consistency", "consistency"},
                                                        {"dual_task_consistency", "distance"}}) {
    const auto g = gradients_of_term(name, term, batch)[0];
    double square = 0;
    for (const double v : g) square += v * v;
    const double length = std::sqrt(square);
    BOOST_TEST(length > 1e-4, name);
    auto o = named(name);
    (void)o.values.set("first_limit", 1.0);
    (void)o.values.set("detach", false);
    auto method = make(o);
    const double before = step(method, batch).at(term);
    BOOST_TEST(before > 0);
    std::size_t at = 0;
    change(student(method), "", [&](const auto&, auto& v) {
      for (double& x : v) x -= 1e-5 * g[at++] / length;
    });
    BOOST_TEST(before - step(method, batch).at(term) == 1e-5 * length, boost::test_tools::tolerance(0.05));
  }
}

BOOST_FIXTURE_TEST_CASE(a_pyramid_needs_several_outputs, methods) {
  auto shallow = tiny_network(), single = network_for("uncertainty_rectified_pyramid");
  shallow.deep_supervision = true;
  single.deep_supervision = false;
  for (const auto& network : {shallow, single})
    BOOST_CHECK_EXCEPTION((void)make_method<B>(home, named("uncertainty_rectified_pyramid"), network, 2,
                                               target_map::of_classes(tiny_classes), 1),
                          config_error, says("the network has one output alone; set model.deep_supervision = true"));
}

// The student on mixed volumes against the mixture of the teacher's predictions, both mixed here by hand.
BOOST_FIXTURE_TEST_CASE(interpolation_consistency_by_its_formula, methods) {
  auto batch = tiny_batch(0);
  std::uint32_t t = 0;  // a step that mixes in earnest: most factors are near 0 or 1
  while (std::fabs(beta_draw(1, t) - 0.5) > 0.3) ++t;
  const double factor = beta_draw(1, t);
  auto method = make(named("interpolation_consistency"));
  const double found = step(method, batch, {t, 1000}).at("consistency");
  const auto predict = [&](const crop_batch& crops, const std::string& weights) {
    const network_input<B> input(home, {&crops});
    const auto out = method.predict(input.volumes, input.present, network_outputs::fused_only, weights);
    return host(probabilities(out.fused, label_kind::classes));
  };
  const auto mix = [&](const auto& values) {
    auto out = values;
    const std::size_t half = values.size() / 2;
    for (std::size_t i = 0; i < values.size(); ++i)
      out[i] = static_cast<std::remove_cvref_t<decltype(values[0])>>(factor * values[i] +
                                                                     (1 - factor) * values[(i + half) % values.size()]);
    return out;
  };
  crop_batch mixed = batch.strong;
  for (auto& image : mixed.images) image = mix(image);
  const auto p = predict(mixed, "student"), q = mix(predict(batch.weak, "ema"));
  double expected = 0;
  for (std::size_t i = 0; i < p.size(); ++i) expected += (p[i] - q[i]) * (p[i] - q[i]) / static_cast<double>(p.size());
  BOOST_TEST(found == expected, boost::test_tools::tolerance(1e-5));  // crops are float
  batch.strong = tiny_crops(1, {4, 8, 8}, 9, false, false);
  batch.weak = batch.strong;
  BOOST_CHECK_EXCEPTION((void)method.step(batch, {0, 10}), config_error,
                        says("interpolation: 1 unlabelled crop per step, expected 2 or more"));
}

struct uncertainty : methods {
  scalars at(double first_limit, double dropout, index passes = 8, std::uint32_t t = 0) {
    auto o = named("uncertainty_aware_mean_teacher");
    BOOST_REQUIRE(o.values.set("first_limit", first_limit));
    BOOST_REQUIRE(o.values.set("passes", passes));
    auto network = tiny_network();
    network.dropout = dropout;
    auto method = make(o, 1, network);
    return step(method, tiny_batch(0), {t, 100});
  }
};

BOOST_FIXTURE_TEST_CASE(only_certain_voxels_count, uncertainty) {
  // Far below the entropy of an untrained network no voxel counts; at the end of the run all do.
  BOOST_TEST(at(0, 0.3).at("certain") == 0);
  BOOST_TEST(at(0, 0.3).at("consistency") == 0);
  BOOST_TEST(at(0, 0.3, 8, 100).at("certain") == 1);
  // Between, some do, and they have a mean of their own.
  const auto some = at(0.93, 0.3), all = at(1, 0.3);
  BOOST_TEST(some.at("certain") > 0.02);
  BOOST_TEST(some.at("certain") < 0.98);
  BOOST_TEST(all.at("certain") == 1);
  BOOST_TEST(some.at("consistency") != all.at("consistency"));
  // With hardly any dropout and all voxels it is Mean Teacher.
  auto plain = make(named("mean_teacher"));
  BOOST_TEST(step(plain, tiny_batch(0)).at("consistency") == at(1, 1e-12).at("consistency"),
             boost::test_tools::tolerance(1e-6));
}

BOOST_FIXTURE_TEST_CASE(the_teachers_passes_differ_and_are_counted, uncertainty) {
  const auto certain = [&](index passes) { return at(0.93, 0.3, passes).at("certain"); };
  BOOST_TEST(certain(1) != certain(2));
  BOOST_TEST(certain(2) != certain(8));
  BOOST_TEST(certain(8) == certain(8));
}

// Probabilities of all decoders, by the student's own predictions.
BOOST_FIXTURE_TEST_CASE(mutual_consistency_by_its_formula, methods) {
  const auto batch = tiny_batch(0, true);
  auto method = make(named("mutual_consistency"));
  const network_input<B> input(home, {&batch.labelled, &batch.strong});
  const auto out = method.predict(input.volumes, input.present, network_outputs::logits, "student");
  BOOST_TEST(out.heads.size() == 2u);
  std::vector<std::vector<double>> p;
  for (const auto& z : {out.fused, out.heads.at("decoder_2"), out.heads.at("decoder_3")})
    p.push_back(host(probabilities(z, label_kind::classes)));
  double expected = 0;
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t v = 0; i != j && v < p[0].size(); v += tiny_classes) {
        double all = 0;
        for (std::size_t c = 0; c < tiny_classes; ++c) all += std::pow(p[j][v + c], 10);
        for (std::size_t c = 0; c < tiny_classes; ++c)
          expected += std::pow(p[i][v + c] - std::pow(p[j][v + c], 10) / all, 2) / static_cast<double>(p[0].size());
      }
  BOOST_TEST(step(method, batch).at("consistency") == expected, boost::test_tools::tolerance(1e-9));
  // The network's own decoder predicts; the others are in its store, so that they are trained and averaged.
  std::set<std::string> further;
  for (const auto& one : average(method).all())
    if (one.name.starts_with("heads.")) further.insert(one.name.substr(0, one.name.find('.', 6)));
  BOOST_TEST(further == (std::set<std::string>{"heads.decoder_2", "heads.decoder_3"}),
             boost::test_tools::per_element());
  BOOST_TEST(method.predict(input.volumes, input.present, network_outputs::fused_only).heads.empty());
}

BOOST_FIXTURE_TEST_CASE(every_decoder_learns_from_the_others, terms) {
  const auto batch = tiny_batch(0, true);
  const auto g = gradients_of_term("mutual_consistency", "consistency", batch)[0];
  auto method = make(named("mutual_consistency"));
  std::map<std::string, double> reached;
  std::size_t at = 0;
  for (const auto& one : student(method).all()) {
    const std::string part = one.name.substr(0, one.name.find('.', one.name.starts_with("heads.") ? 6 : 0));
    for (index i = 0; i < one.value.shape().size(); ++i, ++at)
      reached[part] = std::max(reached[part], std::fabs(g[at]));
  }
  for (const std::string part : {"decoder", "heads.decoder_2", "heads.decoder_3", "stream", "fusion"})
    BOOST_TEST(reached.at(part) > 1e-4, part);
  BOOST_TEST(reached.at("branch") < 1e-12);
  // One more decoder is enough; what is none is refused.
  auto o = named("mutual_consistency");
  BOOST_REQUIRE(o.values.set("decoders", std::vector<std::string>{"unet_nearest"}));
  auto two = make(o);
  BOOST_TEST(step(two, batch).at("consistency") > 0);
  for (const auto& one : student(two).all()) BOOST_TEST(!one.name.starts_with("heads.decoder_3"), one.name);
  BOOST_REQUIRE(o.values.set("decoders", std::vector<std::string>{"unet_linear"}));
  BOOST_CHECK_EXCEPTION((void)make(o), config_error,
                        says("method.mutual_consistency.decoders = 'unet_linear': this program has no decoder"));
  BOOST_REQUIRE(o.values.set("decoders", std::vector<std::string>{}));
  BOOST_CHECK_EXCEPTION((void)make(o), config_error,
                        says("method.mutual_consistency.decoders: 0 decoders, expected 1 to 8"));
}

// Distances and masks by the student's own predictions, with the fields of the views.
BOOST_FIXTURE_TEST_CASE(dual_task_consistency_by_its_formula, methods) {
  auto method = make(named("dual_task_consistency"));
  BOOST_TEST(method.views().fields.size() == 2u);
  const auto batch = with_fields(tiny_batch(0), method.views());
  const network_input<B> input(home, {&batch.labelled, &batch.strong});
  const auto out = method.predict(input.volumes, input.present, network_outputs::logits, "student");
  const auto u = host(out.heads.at("distance")), p = host(probabilities(out.fused, label_kind::classes));
  const std::size_t voxels = u.size() / 2, labelled = voxels / 2;
  double distance = 0, consistency = 0;
  for (std::size_t v = 0; v < voxels; ++v)
    for (std::size_t k = 0; k < 2; ++k) {
      const double s = std::tanh(u[2 * v + k]);
      if (v < labelled)
        distance += std::pow(s - static_cast<double>(batch.labelled.fields.at(text("distance.", k + 1))[v]), 2);
      consistency += std::pow(1 / (1 + std::exp(1500 * s)) - p[tiny_classes * v + k + 1], 2);
    }
  const auto found = step(method, batch);
  BOOST_TEST(found.at("distance") == distance / static_cast<double>(2 * labelled), boost::test_tools::tolerance(1e-9));
  BOOST_TEST(found.at("consistency") == consistency / static_cast<double>(2 * voxels),
             boost::test_tools::tolerance(1e-9));
}

// No voxel of class 2 in any crop: its distances are 1, and all stays finite, in float too.
BOOST_AUTO_TEST_CASE(an_absent_class_is_far_away) {
  method_bench<default_backend> bench;
  auto method = bench.make(bench.named("dual_task_consistency"));
  auto batch = tiny_batch(0);
  for (auto& label : batch.labelled.labels) label = label == 2 ? 0 : label;
  batch = with_fields(batch, method.views());
  for (const float v : batch.labelled.fields.at("distance.2")) BOOST_TEST(v == 1.f);
  BOOST_TEST(*std::min_element(batch.labelled.fields.at("distance.1").begin(),
                               batch.labelled.fields.at("distance.1").end()) <= 0.f);
  for (const auto& [name, value] : bench.step(method, batch)) BOOST_TEST(std::isfinite(value), name);
  for (const float v : all_gradients(bench.student(method))) BOOST_REQUIRE(std::isfinite(v));
  batch.labelled.fields.clear();
  BOOST_CHECK_EXCEPTION(
      (void)method.step(batch, {0, 10}), config_error,
      says("the labelled crops have no field 'distance.1'; make them with the views() of the method"));
}

BOOST_FIXTURE_TEST_CASE(consistency_reaches_both_tasks, terms) {
  const auto g = gradients_of_term("dual_task_consistency", "consistency", tiny_batch(0))[0];
  auto method = make(named("dual_task_consistency"));
  std::size_t at = 0;
  for (const auto& one : student(method).all()) {
    double most = 0;
    for (index i = 0; i < one.value.shape().size(); ++i, ++at) most = std::max(most, std::fabs(g[at]));
    if (one.name.starts_with("heads.distance.") || one.name.starts_with("decoder.0.head."))
      BOOST_TEST(most > 1e-4, one.name);
    if (one.name.starts_with("branch.")) BOOST_TEST(most < 1e-12, one.name);
  }
}

BOOST_FIXTURE_TEST_CASE(without_dropout_nothing_is_uncertain, methods) {
  BOOST_CHECK_EXCEPTION((void)make_method<B>(home, named("uncertainty_aware_mean_teacher"), tiny_network(), 2,
                                             target_map::of_classes(tiny_classes), 1),
                        config_error, says("model.dropout = 0: without dropout all passes of the teacher are alike"));
}

BOOST_FIXTURE_TEST_CASE(what_stands_in_absent_modalities_changes_nothing, methods) {
  for (const std::string& name : names) {
    BOOST_TEST_CONTEXT(name) {
      auto batch = tiny_batch(0, true);
      batch.labelled.present = {1, 0, 1, 1};
      batch.weak.present = {1, 1, 0, 1};
      batch.strong.present = {0, 1, 0, 1};
      auto method = make(named(name)), other = make(named(name));
      const auto clean = step(method, batch);
      for (crop_batch* part : {&batch.labelled, &batch.weak, &batch.strong})
        for (index n = 0; n < 2; ++n)
          for (index m = 0; m < 2; ++m)
            if (part->presence(n)[static_cast<std::size_t>(m)] == 0)
              for (float& v : part->image(n, m)) v = std::numeric_limits<float>::quiet_NaN();
      BOOST_TEST((step(other, batch) == clean));
      BOOST_TEST((all_gradients(student(method)) == all_gradients(student(other))));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(regions_work_too, methods) {
  for (const std::string& name : names) {
    auto o = named(name);
    set_agreement(o);
    auto method = make_method<B>(home, o, network_for(name), 2, target_map::of_regions({{1, 2}, {2}}), 1);
    const auto s = step(method, tiny_batch(0, true));
    for (const auto& [key, value] : s) BOOST_TEST(std::isfinite(value), name << " " << key);
    BOOST_TEST(std::isfinite(largest(all_gradients(student(method)))));
    BOOST_TEST(largest(all_gradients(student(method))) > 1e-3);
  }
}

BOOST_FIXTURE_TEST_CASE(what_makes_no_sense_is_refused, methods) {
  BOOST_CHECK_EXCEPTION((void)make(named("mean_techer")), config_error, says("method.name = 'mean_techer'"));
  for (const std::string& name : names) {
    if (name == "supervised") continue;
    auto method = make(named(name));
    auto batch = tiny_batch(0);
    batch.weak = batch.strong = crop_batch{};
    BOOST_CHECK_EXCEPTION((void)method.step(batch, {0, 10}), config_error,
                          says(": batch.unlabelled = 0, expected unlabelled crops in every step"));
  }
}

BOOST_FIXTURE_TEST_CASE(numbers_that_make_no_sense_are_refused, methods) {
  const double nan = std::nan(""), infinite = HUGE_VAL;
  const std::map<std::string, std::vector<double>> senseless{{"branch_weight", {-1, nan, infinite}},
                                                             {"ema_decay", {-1, 1, 99, nan}},
                                                             {"ramp", {-0.1, 1.1, nan}},
                                                             {"consensus", {-1, nan, infinite}},
                                                             {"contrast", {-1, nan, infinite}},
                                                             {"temperature", {0, -1, nan, infinite}},
                                                             {"queue", {-1}},
                                                             {"pool", {0, -1}},
                                                             {"sharpen", {0, -1, nan, infinite}},
                                                             {"counted_voxels", {-1, nan, infinite}},
                                                             {"threshold", {-0.1, 1.1, nan}},
                                                             {"consistency", {-1, nan, infinite}},
                                                             {"entropy", {-1, nan, infinite}},
                                                             {"disagree", {-1, nan, infinite}},
                                                             {"pseudo_weight", {-1, nan, infinite}},
                                                             {"channel_contrast", {-1, nan, infinite}},
                                                             {"overlap", {-1, nan, infinite}},
                                                             {"relearn", {-0.1, 1.1, nan}},
                                                             {"relearn_contrast", {-0.1, 1.1, nan}},
                                                             {"passes", {0, -1, 1001}},
                                                             {"first_limit", {-0.1, 1.1, nan}},
                                                             {"distance", {-1, nan, infinite}},
                                                             {"steepness", {0, -1, nan, infinite}},
                                                             {"positions", {0, -1, 65537}},
                                                             {"correlation", {-1, nan, infinite}},
                                                             {"memory", {0, -1, 65537}}};
  std::set<std::string> tried;
  for (const std::string& name : names) {
    any_options defaults = named(name).values;
    defaults.visit([&](std::string_view key, option_pointer kind, std::string_view) {
      const bool whole = std::holds_alternative<index*>(kind);
      if (!whole && !std::holds_alternative<double*>(kind)) return;
      tried.insert(std::string(key));
      for (const double value : senseless.at(std::string(key))) {
        auto o = named(name);
        BOOST_REQUIRE(whole ? o.values.set(key, static_cast<index>(value)) : o.values.set(key, value));
        BOOST_CHECK_EXCEPTION((void)make(o), config_error,
                              says(text("method.", name, ".", key, " = ", value, ", expected ")));
      }
    });
  }
  BOOST_TEST(tried.size() == senseless.size());
}

BOOST_FIXTURE_TEST_CASE(reliabilities_are_logged_for_outputs_that_exist, methods) {
  const auto logged = [&](const network_options& network) {
    auto method = make(named("contrastive_mutual_learning"), 1, network);
    std::vector<std::string> found;
    for (const auto& [name, value] : step(method, tiny_batch(0)))
      if (name.rfind("reliability.", 0) == 0) found.push_back(name);
    return found;
  };
  auto network = tiny_network();
  BOOST_TEST(
      (logged(network) == std::vector<std::string>{"reliability.branch0", "reliability.branch1", "reliability.fused"}));
  network.branches = false;
  BOOST_TEST((logged(network) == std::vector<std::string>{"reliability.fused"}));
  network.branches = true;
  network.fusion = "early";
  BOOST_TEST((logged(network) == std::vector<std::string>{"reliability.fused"}));
}

BOOST_FIXTURE_TEST_CASE(options_are_those_of_the_named_method, methods) {
  auto o = named("supervised");
  BOOST_REQUIRE(o.values.set("weights", std::string("teacher")));
  BOOST_CHECK_EXCEPTION((void)make(o), config_error, says("method.supervised.weights = 'teacher', expected one of"));
  BOOST_TEST(!o.values.set("ramp", 0.5));
  BOOST_TEST(!o.values.set("weights", 0.5));
  o.values = named("mean_teacher").values;
  BOOST_CHECK_EXCEPTION((void)make(o), config_error, says("method: was given the options of something else"));
  BOOST_TEST(make(mean_teacher_options{.ramp = 0}).trained().size() == 1u);  // options say what they belong to
  BOOST_TEST(make("supervised").predictors().size() == 2u);                  // without options: the defaults
}

BOOST_FIXTURE_TEST_CASE(supervised_training_keeps_a_second_network_only_for_averages, methods) {
  auto o = named("supervised");
  const auto with = ctx.pool().statistics().in_use;
  {
    const auto both = make(o);
    const auto taken = ctx.pool().statistics().in_use - with;
    BOOST_REQUIRE(o.values.set("weights", std::string("student")));
    const auto alone = make(o);
    BOOST_TEST(2 * (ctx.pool().statistics().in_use - with - taken) == taken);
    BOOST_TEST(both.predictors().size() == 2u);
    BOOST_TEST(both.predictors()[0].name == "ema");
    BOOST_REQUIRE(alone.predictors().size() == 1u);
    BOOST_TEST(alone.predictors()[0].name == "student");
    BOOST_CHECK_EXCEPTION((void)alone.predictor("ema"), config_error,
                          says("the method has no weights 'ema' that predict, but: student"));
  }
  auto alone = make(o), both = make(named("supervised"));
  const auto batch = tiny_batch(0);
  BOOST_TEST((step(alone, batch) == step(both, batch)));
  BOOST_TEST((all_gradients(student(alone)) == all_gradients(student(both))));
  BOOST_TEST(!alone.views().has_unlabelled());
  BOOST_TEST(make(named("mean_teacher")).views().has_unlabelled());
}

// A loss of one's own in place of Dice and cross-entropy: it has no sums to share.
struct absolute_error {
  template <tensor_backend Backend>
  variable<Backend> operator()(const variable<Backend>& z, const variable<Backend>& y, const variable<Backend>&,
                               const variable<Backend>&) const {
    const auto d = subtract(softmax(z, -1), y);
    return reshape(mean(multiply(d, d), {1, 2, 3, 4}), {z.extent(0)});
  }
};
static_assert(segmentation_loss<absolute_error, B>);

BOOST_FIXTURE_TEST_CASE(the_segmentation_loss_is_a_choice, methods) {
  using network = any_network<B>;
  const auto build = [&] { return make_network<B>(home, tiny_network(), 2, tiny_classes, 1); };
  const auto targets = target_map::of_classes(tiny_classes);
  any_method<B> plain(std::make_unique<supervised<B, network, absolute_error>>(
      build(), std::nullopt, targets, supervised_options{.weights = "student"}, absolute_error{}));
  const area_similarity_contrast contrast;
  any_method<B> mutual(
      std::make_unique<contrastive_mutual_learning<B, network, area_similarity_contrast, absolute_error>>(
          build(), build(), targets, contrastive_mutual_learning_options{}, contrast, absolute_error{}));
  const auto batch = tiny_batch(0);
  const auto a = step(plain, batch), b = step(mutual, batch), usual = [&] {
    auto method = make(named("contrastive_mutual_learning"));
    return step(method, batch);
  }();
  BOOST_TEST(a.at("loss") == b.at("supervised"), boost::test_tools::tolerance(1e-9));
  BOOST_TEST(a.at("loss") < 1.5);
  // Reliability is measured by soft Dice, whatever the loss.
  BOOST_TEST(b.at("reliability.fused") == usual.at("reliability.fused"), boost::test_tools::tolerance(1e-9));
}

static_assert(semi_supervised_method<any_method<B>, B>);
BOOST_FIXTURE_TEST_CASE(deep_supervision_trains_the_coarser_heads, methods) {
  auto network = tiny_network();
  network.stream_channels = {2, 3, 4};
  network.fused_channels = {3, 4, 5};
  network.strides = {{2, 2, 1}, {2, 2, 2}};
  const auto batch = tiny_batch(0);
  for (const std::string& name : names) {
    BOOST_TEST_CONTEXT(name) {
      auto plain = make(named(name), 1, network);
      network.deep_supervision = true;
      auto deep = make(named(name), 1, network);
      network.deep_supervision = false;
      const double without = step(plain, batch).at("loss"), with = step(deep, batch).at("loss");
      BOOST_TEST(without != with);
      BOOST_TEST(with == without, boost::test_tools::tolerance(0.5));
      for (const auto& p : student(deep).all())
        if (p.name.find("head.weight") != std::string::npos)
          BOOST_TEST(static_cast<bool>(p.value.grad()), p.name << " receives no gradient");
    }
  }
}

static_assert(semi_supervised_method<supervised<B, any_network<B>>, B>);
static_assert(semi_supervised_method<mean_teacher<B, any_network<B>>, B>);
static_assert(semi_supervised_method<contrastive_mutual_learning<B, any_network<B>>, B>);

}  // namespace comodal::tests
