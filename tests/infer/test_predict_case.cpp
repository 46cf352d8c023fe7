// SPDX-License-Identifier: Apache-2.0
// The label maps of a case: on which voxels they land, which outputs there are, regions, and what is refused.
#define BOOST_TEST_MODULE infer_predict_case
#include <boost/test/unit_test.hpp>

#include <comodal/data/nifti_write.hpp>
#include <comodal/infer/predict_case.hpp>

#include <nn/support.hpp>

namespace comodal::tests {

using B = bench::backend;
using variables = std::vector<variable<B>>;
using label_list = std::vector<std::uint8_t>;

// A network whose answer is known at every voxel. Fused: the class nearest to the mean of the present modalities;
// branch m: the class nearest to 2 - x_m. With modalities of zeros and twos that is (u + v) / 2, and 2 - u.
struct known_network {
  const parameter_store<B>* store;

  [[nodiscard]] index modalities() const { return 2; }
  [[nodiscard]] const parameter_store<B>& parameters() const { return *store; }
  [[nodiscard]] network_output<B> forward(const variables& volumes, const presence<B>& present,
                                          const forward_request& request) const {
    network_output<B> out;
    out.fused = nearest(weighted_sum(volumes, present.share()));
    if (request.outputs != network_outputs::fused_only)
      for (const auto& x : volumes) out.branches.push_back(nearest(shift(scale(x, -1), 2)));
    return out;
  }
  // Logits -(x - c)^2 of the classes 0, 1, 2.
  static variable<B> nearest(const variable<B>& x) {
    variables logits;
    for (const double c : {0.0, 1.0, 2.0}) logits.push_back(scale(multiply(shift(x, -c), shift(x, -c)), -1));
    return concat(logits);
  }
};
static_assert(segmentation_network<known_network, B>);

// RAS; LPS, as scanners write; stored as (front to back, down to up reversed, left) and a little sheared.
const std::vector<affine3x4> affines{{{{1, 0, 0, -9}, {0, 1, 0, -5}, {0, 0, 2, 4}}},
                                     {{{-1, 0, 0, 9}, {0, -1, 0, 12}, {0, 0, 2, 4}}},
                                     {{{0, 0, 2, -3}, {-1, 0.1, 0, 4}, {0.1, -1, 0, 5}}}};
const extent3 wide{40, 40, 40};  // larger than any volume here

struct predictions : bench {
  temporary_folder folder;
  parameter_store<B> store{home, 1};
  const known_network network{&store};
  model_plan plan = [] {
    model_plan p;
    p.modalities = {"T1", "T2"};
    p.labels = {{"background", {0}}, {"oedema", {5}}, {"core", {9}}};
    p.prepare.normalise = {normalisation::none};
    p.prepare.margin = 1;
    return p;
  }();
  std::vector<image_volume> files;  // of the case that `prepared` made last, as stored

  // Zeros and twos at random in an ellipsoid that is not in the middle, zeros around it: 20 x 18 x 12 voxels.
  static image_volume image(const affine3x4& affine, std::uint32_t key) {
    image_volume v{{{20, 18, 12}, affine}, converted<float>(values(20 * 18 * 12, key, 0, 1))};
    for (index k = 0; k < 12; ++k)
      for (index j = 0; j < 18; ++j)
        for (index i = 0; i < 20; ++i) {
          const double x = static_cast<double>(i - 11) / 6, y = static_cast<double>(j - 8) / 5,
                       z = static_cast<double>(k - 5) / 4;
          v.at(i, j, k) = x * x + y * y + z * z < 1 && v.at(i, j, k) > 0.5f ? 2.f : 0.f;
        }
    return v;
  }
  case_data prepared(const affine3x4& affine, const std::vector<bool>& there = {true, true}) {
    case_files names{"x", {}};
    files.clear();
    for (std::size_t m = 0; m < there.size(); ++m) {
      files.push_back(image(affine, static_cast<std::uint32_t>(m + 1)));
      names.images.push_back(there[m] ? folder / text("x_000", m, ".nii") : std::filesystem::path{});
      if (there[m]) write_nifti(names.images.back().path, files.back());
    }
    return prepare_case(names, plan.prepare);
  }
  // The prepared voxel (i, j, k) of every stored voxel, by the affines alone; -1, -1, -1 outside the prepared grid.
  static std::vector<std::array<index, 3>> places(const case_data& one) {
    const geometry from = one.preparation.original(), to = one.preparation.prepared();
    const affine3x4 way = compose(inverse(to.affine), from.affine);
    std::vector<std::array<index, 3>> out;
    for (index k = 0; k < from.size[2]; ++k)
      for (index j = 0; j < from.size[1]; ++j)
        for (index i = 0; i < from.size[0]; ++i) {
          const point3 p = transform(way, {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)});
          std::array<index, 3> v{std::lround(p[0]), std::lround(p[1]), std::lround(p[2])};
          for (std::size_t a = 0; a < 3; ++a)
            if (v[a] < 0 || v[a] >= to.size[a]) v = {-1, -1, -1}, a = 2;
          out.push_back(v);
        }
    return out;
  }
  // The labels `number(class)` of the classes `f(stored voxel)` inside the prepared grid, 0 outside.
  template <class F>
  label_list expected(const case_data& one, F&& f) const {
    const auto where = places(one);
    label_list out(where.size(), 0);
    for (std::size_t i = 0; i < out.size(); ++i)
      if (where[i][0] >= 0) out[i] = static_cast<std::uint8_t>(plan.labels[static_cast<std::size_t>(f(i))].values[0]);
    return out;
  }
  [[nodiscard]] float at(std::size_t modality, std::size_t voxel) const { return files[modality].values[voxel]; }

  template <class Forward>
  std::vector<case_output> run(const case_data& one, const output_choice& wanted, const window_options& windows,
                               Forward&& forward) {
    return predict_case<B>(home, plan, one, wanted, windows, forward);
  }
  std::vector<case_output> run(const case_data& one, const output_choice& wanted,
                               const window_options& windows = {wide}) {
    return run(one, wanted, windows, [&](const auto& volumes, const auto& present, auto outputs) {
      return network.forward(volumes, present, outputs);
    });
  }
  static std::string names(const std::vector<case_output>& results) {
    std::string all;
    for (const auto& one : results) all += (all.empty() ? "" : ", ") + one.name;
    return all;
  }
};

BOOST_FIXTURE_TEST_CASE(masks_land_on_the_inputs_own_voxels, predictions) {
  for (const affine3x4& affine : affines) {
    const case_data one = prepared(affine);
    const geometry grid = one.preparation.prepared();
    BOOST_TEST_CONTEXT(orientation_code(one.preparation.original())) {
      for (std::size_t a = 0; a < 3; ++a) BOOST_TEST(grid.size[a] < one.preparation.canonical().size[a]);
      // Windows (D, H, W) smaller and larger than the prepared volume, along some axes and along all.
      for (const extent3& window : {extent3{4, 6, 8}, extent3{3, 40, 5}, extent3{40, 5, 40}, wide}) {
        const auto results = run(one, {true, true, true}, {window});
        BOOST_REQUIRE(names(results) == "fused, branch T1, branch T2, only T1, only T2");
        for (const auto& result : results) {
          BOOST_TEST((result.labels.geometry.size == grid.size));
          BOOST_TEST((result.labels.geometry.affine == grid.affine));
          BOOST_TEST(result.labels.values.size() == static_cast<std::size_t>(grid.voxels()));
        }
        const auto back = [&](std::size_t output) { return restore(results[output].labels, one.preparation).values; };
        BOOST_TEST((back(0) == expected(one, [&](std::size_t i) { return (at(0, i) + at(1, i)) / 2; })));
        for (std::size_t m = 0; m < 2; ++m) {
          BOOST_TEST((back(1 + m) == expected(one, [&](std::size_t i) { return 2 - at(m, i); })));
          BOOST_TEST((back(3 + m) == expected(one, [&](std::size_t i) { return at(m, i); })));
        }
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(files_of_masks_have_the_images_own_grid, predictions) {
  for (const affine3x4& affine : affines) {
    const case_data one = prepared(affine);
    write_nifti_labels(folder / "mask.nii.gz", restore(run(one, {})[0].labels, one.preparation), one.header);
    const auto mask = read_nifti_labels(folder / "mask.nii.gz");
    const auto stored = read_nifti(folder / "x_0000.nii");
    BOOST_TEST((mask.geometry.size == stored.geometry.size));
    BOOST_TEST((mask.geometry.affine == stored.geometry.affine));
    BOOST_TEST((mask.values == expected(one, [&](std::size_t i) { return (at(0, i) + at(1, i)) / 2; })));
  }
}

BOOST_FIXTURE_TEST_CASE(the_network_sees_ras, predictions) {
  // Class 1 from the fifth voxel on to the right (W), to the front (H), upwards (D), whatever the images show.
  plan.labels.pop_back();
  for (const affine3x4& affine : affines) {
    const case_data one = prepared(affine);
    BOOST_TEST(orientation_code(one.preparation.prepared()) == "RAS");
    const auto where = places(one);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      std::vector<double> logits;
      for (index d = 0; d < 40; ++d)
        for (index h = 0; h < 40; ++h)
          for (index w = 0; w < 40; ++w) {
            logits.push_back(0);
            logits.push_back(std::array<index, 3>{w, h, d}[axis] >= 5 ? 1 : -1);
          }
      const auto results = run(one, {}, {wide}, [&](const auto&, const auto&, auto) {
        return network_output<B>{constant({1, 40, 40, 40, 2}, logits), {}, {}, {}};
      });
      BOOST_TEST((restore(results[0].labels, one.preparation).values ==
                  expected(one, [&](std::size_t i) { return where[i][axis] >= 5 ? 1 : 0; })));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(mirroring_a_symmetric_network_changes_nothing, predictions) {
  const case_data one = prepared(affines[2]);
  const auto plain = run(one, {}, {{4, 6, 8}}), mirrored = run(one, {}, {{4, 6, 8}, 0.5, {0, 1, 2}});
  BOOST_TEST((mirrored[0].labels.values == plain[0].labels.values));
}

BOOST_FIXTURE_TEST_CASE(absent_modalities_are_left_out, predictions) {
  const case_data one = prepared(affines[1], {false, true});
  const auto results = run(one, {true, true, true});
  BOOST_REQUIRE(names(results) == "fused, branch T2, only T2");
  for (const std::size_t output : {0u, 2u})
    BOOST_TEST((restore(results[output].labels, one.preparation).values ==
                expected(one, [&](std::size_t i) { return at(1, i); })));
  BOOST_TEST((restore(results[1].labels, one.preparation).values ==
              expected(one, [&](std::size_t i) { return 2 - at(1, i); })));
}

BOOST_FIXTURE_TEST_CASE(the_network_is_told_what_is_there_and_what_is_wanted, predictions) {
  plan.modalities = {"T1", "T2", "FLAIR"};
  const case_data one = prepared(affines[0], {true, false, true});
  std::vector<std::vector<double>> asked;
  std::vector<network_outputs> outputs;
  const auto ask = [&](const output_choice& wanted) {
    asked.clear();
    outputs.clear();
    return names(
        run(one, wanted, {wide}, [&](const variables& volumes, const presence<B>& present, network_outputs which) {
          BOOST_REQUIRE(volumes.size() == 3u);
          asked.push_back(host(present.mask()));
          for (std::size_t m = 0; m < 3; ++m) BOOST_TEST((largest(host(volumes[m])) > 0) == (asked.back()[m] == 1));
          outputs.push_back(which);
          return network.forward(volumes, present, which);
        }));
  };
  using rows = std::vector<std::vector<double>>;
  using list = std::vector<network_outputs>;
  const auto fused_only = network_outputs::fused_only, all = network_outputs::logits;
  BOOST_TEST(ask({}) == "fused");
  BOOST_TEST((asked == rows{{1, 0, 1}} && outputs == list{fused_only}));
  BOOST_TEST(ask({true, true, false}) == "fused, branch T1, branch FLAIR");
  BOOST_TEST((asked == rows{{1, 0, 1}} && outputs == list{all}));
  BOOST_TEST(ask({false, true, false}) == "branch T1, branch FLAIR");
  BOOST_TEST((asked == rows{{1, 0, 1}} && outputs == list{all}));
  BOOST_TEST(ask({false, false, true}) == "only T1, only FLAIR");
  BOOST_TEST((asked == rows{{1, 0, 0}, {0, 0, 1}} && outputs == list{fused_only, fused_only}));
  BOOST_TEST(ask({false, false, false}) == "");
  BOOST_TEST(asked.empty());
}

BOOST_FIXTURE_TEST_CASE(sets_of_modalities_are_seen_alone_and_none_twice, predictions) {
  plan.modalities = {"T1", "T2", "FLAIR"};
  std::vector<std::vector<double>> asked;
  const auto ask = [&](const case_data& one, const output_choice& wanted) {
    asked.clear();
    return run(one, wanted, {wide}, [&](const variables& volumes, const presence<B>& present, network_outputs which) {
      asked.push_back(host(present.mask()));
      return network.forward(volumes, present, which);
    });
  };
  using rows = std::vector<std::vector<double>>;
  const output_choice subsets{.subsets = true}, both{.only = true, .subsets = true};
  const case_data whole = prepared(affines[1], {true, true, true});
  const std::string names_of_all =
      "fused, only T1, only T2, only FLAIR, only T1 + T2, only T1 + FLAIR, only T2 + FLAIR";
  const auto results = ask(whole, subsets);
  BOOST_TEST(names(results) == names_of_all);
  BOOST_TEST((asked == rows{{1, 1, 1}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}, {1, 0, 1}, {0, 1, 1}}));
  const std::vector<std::vector<std::size_t>> sets{{0, 1, 2}, {0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}};
  for (std::size_t r = 0; r < sets.size(); ++r)
    BOOST_TEST((restore(results[r].labels, whole.preparation).values == expected(whole, [&](std::size_t i) {
                  float sum = 0;
                  for (const std::size_t m : sets[r]) sum += at(m, i);
                  return std::ceil(sum / static_cast<float>(sets[r].size()) - 0.5f);  // nearest; ties to the lower
                })));
  BOOST_TEST(names(ask(whole, both)) == names_of_all);

  // What lacks a modality has fewer sets; that of all it has is the fused output, under a second name.
  const case_data part = prepared(affines[1], {true, false, true});
  const auto few = ask(part, {.branches = true, .subsets = true});
  BOOST_TEST(names(few) == "fused, branch T1, branch FLAIR, only T1, only FLAIR, only T1 + FLAIR");
  BOOST_TEST((asked == rows{{1, 0, 1}, {1, 0, 0}, {0, 0, 1}}));
  BOOST_TEST((few.back().labels.values == few.front().labels.values));
  // Without the fused output the set has to be computed.
  BOOST_TEST(names(ask(part, {.fused = false, .subsets = true})) == "only T1, only FLAIR, only T1 + FLAIR");
  BOOST_TEST((asked == rows{{1, 0, 0}, {0, 0, 1}, {1, 0, 1}}));
  // Probabilities are those of the fused output, too.
  const auto maps = ask(part, {.probabilities = true, .subsets = true});
  BOOST_TEST((maps.back().probabilities->values == maps.front().probabilities->values));

  const case_data single = prepared(affines[1], {false, true, false});
  BOOST_TEST(names(ask(single, both)) == "fused, only T2");
  BOOST_TEST((asked == rows{{0, 1, 0}}));
}

BOOST_FIXTURE_TEST_CASE(a_model_of_one_modality_has_no_proper_set, predictions) {
  plan.modalities = {"T1"};
  const case_data one = prepared(affines[0], {true});
  BOOST_TEST(names(run(one, {.subsets = true})) == "fused");
  BOOST_TEST(names(run(one, {.only = true, .subsets = true})) == "fused, only T1");
}

BOOST_FIXTURE_TEST_CASE(disagreement_comes_with_the_fused_output, predictions) {
  for (const affine3x4& affine : affines) {
    const case_data one = prepared(affine);
    const auto results = run(one, {.fused = false, .uncertainty = true}, {{4, 6, 8}});
    BOOST_REQUIRE(names(results) == "fused");  // no branch is written that nobody asked for
    BOOST_REQUIRE(results[0].uncertainty.has_value());
    const auto own = restore(results[0], one.preparation, plan);
    BOOST_TEST((own.uncertainty->geometry.size == files[0].geometry.size));
    BOOST_TEST((own.labels.values == restore(results[0].labels, one.preparation).values));
    // Branch m says 2 - x_m: they disagree where the images differ, and agree to the bit where those are equal.
    const auto where = places(one);
    double least = 1;
    for (std::size_t v = 0; v < where.size(); ++v) {
      const float u = own.uncertainty->values[v];
      if (where[v][0] < 0 || at(0, v) == at(1, v)) BOOST_REQUIRE(u == 0.f);
      if (where[v][0] >= 0 && at(0, v) != at(1, v)) least = std::min(least, static_cast<double>(u));
    }
    // Softmax of (0, -1, -4) against (-4, -1, 0): p and q share only the middle class.
    const double sum = 1 + std::exp(-1) + std::exp(-4), a = 1 / sum, c = std::exp(-4) / sum, m = (a + c) / 2;
    const double expected_u = (a * std::log(a / m) + c * std::log(c / m)) / std::log(2.0);
    BOOST_TEST(least == expected_u, boost::test_tools::tolerance(1e-5));
  }
  // One branch cannot disagree.
  const auto single = run(prepared(affines[1], {false, true}), {.uncertainty = true});
  BOOST_REQUIRE(names(single) == "fused");
  BOOST_TEST(!single[0].uncertainty.has_value());
  BOOST_TEST(!run(prepared(affines[1]), {})[0].uncertainty.has_value());
}

// Two networks whose probabilities are averaged.
BOOST_FIXTURE_TEST_CASE(an_ensemble_is_the_mean_of_probabilities, predictions) {
  const case_data one = prepared(affines[2]);
  const auto first = [&](const auto& volumes, const auto& present, auto outputs) {
    return network.forward(volumes, present, outputs);
  };
  const auto second = [&](const auto& volumes, const auto& present, auto outputs) {  // other logits
    auto out = network.forward(volumes, present, outputs);
    out.fused = scale(out.fused, 0.25);
    return out;
  };
  case_data other = one;  // the same case, with intensities of its own
  for (auto& image : other.images)
    for (float& v : image.values) v += 1;
  const output_choice wanted{.probabilities = true};
  const window_options windows{{4, 6, 8}, 0.5, {0, 2}};
  const auto a = run(one, wanted, windows, first), b = run(other, wanted, windows, second);
  std::vector<case_output> mean;
  predict_outputs<B>(home, plan, std::vector<ensemble_member<B>>{{&one, first}, {&other, second}}, wanted, windows,
                     [&](case_output&& output) { mean.push_back(std::move(output)); });
  BOOST_REQUIRE(names(mean) == "fused");
  const auto &p = a[0].probabilities->values, &q = b[0].probabilities->values, &m = mean[0].probabilities->values;
  BOOST_TEST((a[0].labels.values != b[0].labels.values));
  for (std::size_t i = 0; i < m.size(); ++i)
    BOOST_REQUIRE_SMALL(static_cast<double>(m[i]) - (static_cast<double>(p[i]) + static_cast<double>(q[i])) / 2, 3e-6);
  // One network twice is that network.
  std::vector<case_output> twice;
  predict_outputs<B>(home, plan, std::vector<ensemble_member<B>>{{&one, first}, {&one, first}}, wanted, windows,
                     [&](case_output&& output) { twice.push_back(std::move(output)); });
  for (std::size_t i = 0; i < p.size(); ++i)
    BOOST_REQUIRE_SMALL(static_cast<double>(twice[0].probabilities->values[i]) - static_cast<double>(p[i]), 3e-6);
  const case_data part = prepared(affines[2], {true, false});
  BOOST_CHECK_EXCEPTION(predict_outputs<B>(home, plan, std::vector<ensemble_member<B>>{{&one, first}, {&part, first}},
                                           wanted, windows, [](case_output&&) {}),
                        geometry_error, says("prepared otherwise"));
  BOOST_CHECK_THROW(
      predict_outputs<B>(home, plan, std::vector<ensemble_member<B>>{}, wanted, windows, [](case_output&&) {}),
      config_error);
}

// What memory does not hold at once is made one after another, with the same bytes.
BOOST_FIXTURE_TEST_CASE(passes_one_after_another_give_the_same_bytes, predictions) {
  plan.modalities = {"T1", "T2", "FLAIR"};
  for (const std::vector<bool>& there : {std::vector{true, true, true}, {false, true, true}, {false, true, false}}) {
    const case_data one = prepared(affines[1], there);
    int calls = 0;
    const auto forward = [&](const auto& volumes, const auto& present, auto outputs) {
      ++calls;
      return network.forward(volumes, present, outputs);
    };
    for (const bool uncertainty : {false, true}) {
      const output_choice wanted{.branches = true, .probabilities = true, .uncertainty = uncertainty, .entropy = true};
      window_options windows{{4, 6, 8}};
      calls = 0;
      const auto together = run(one, wanted, windows, forward);
      const int once = calls;
      windows.memory = 0;
      calls = 0;
      const auto apart = run(one, wanted, windows, forward);
      const auto modalities = static_cast<int>(std::count(there.begin(), there.end(), true));
      BOOST_TEST(calls == once * (uncertainty ? 2 : 1 + modalities));
      BOOST_TEST(names(apart) == names(together));
      for (std::size_t k = 0; k < apart.size(); ++k) {
        BOOST_TEST((apart[k].labels.values == together[k].labels.values));
        BOOST_TEST((apart[k].probabilities->values == together[k].probabilities->values));
      }
      BOOST_TEST((apart[0].entropy->values == together[0].entropy->values));
      BOOST_TEST(apart[0].uncertainty.has_value() == (uncertainty && modalities > 1));
      if (apart[0].uncertainty) BOOST_TEST((apart[0].uncertainty->values == together[0].uncertainty->values));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(planes_are_handed_on_in_order_and_entropy_is_theirs, predictions) {
  const case_data one = prepared(affines[2]);
  std::map<std::string, probability_map> maps;
  std::map<std::string, index> next;
  const output_choice wanted{.branches = true,
                             .only = true,
                             .probabilities = true,
                             .entropy = true,
                             .planes = [&](const std::string& name, index first, const probability_map& planes) {
                               auto& map = maps[name];
                               const geometry& grid = one.preparation.results();
                               if (map.values.empty())
                                 map =
                                     infer_detail::map_of({grid.size[2], grid.size[1], grid.size[0]}, planes.channels);
                               BOOST_REQUIRE(first == next[name]);
                               next[name] += planes.size[0];
                               const index plane = planes.size[1] * planes.size[2];
                               for (index c = 0; c < planes.channels; ++c)
                                 std::copy_n(planes.values.begin() + c * planes.size[0] * plane, planes.size[0] * plane,
                                             map.values.begin() + (c * map.size[0] + first) * plane);
                             }};
  const auto results = run(one, wanted, {{4, 6, 8}});
  BOOST_TEST(names(results) == "fused, branch T1, branch T2, only T1, only T2");
  for (const auto& result : results) {
    BOOST_TEST((maps.at(result.name).values == result.probabilities->values), result.name);
    BOOST_TEST(result.entropy.has_value() == (result.name == "fused"));
  }
  const auto& p = *results[0].probabilities;
  const auto voxels = p.values.size() / 3;
  for (std::size_t v = 0; v < voxels; ++v) {
    double h = 0;
    for (std::size_t c = 0; c < 3; ++c)
      if (const double q = p.values[c * voxels + v]; q > 0) h -= q * std::log(q) / std::log(3.0);
    BOOST_REQUIRE_SMALL(static_cast<double>(results[0].entropy->values[v]) - h, 1e-6);
  }
  const auto binary = probability_entropy({{1, 1, 3}, 2, {0.5f, 0, 1, 0.5f, 0, 0.5f}}, label_kind::regions);
  BOOST_TEST((binary == std::vector<float>{1, 0, 0.5f}));
  BOOST_CHECK_THROW((void)probability_entropy({{1, 1, 1}, 1, {1}}, label_kind::classes), shape_error);
}

BOOST_FIXTURE_TEST_CASE(branches_that_nobody_wants_are_dropped, predictions) {
  const case_data one = prepared(affines[0]);
  const auto generous = [&](const auto& volumes, const auto& present, auto) {
    return network.forward(volumes, present, network_outputs::all);
  };
  BOOST_TEST(names(run(one, {}, {wide}, generous)) == "fused");
  BOOST_TEST(names(run(one, {true, false, true}, {wide}, generous)) == "fused, only T1, only T2");
}

BOOST_FIXTURE_TEST_CASE(regions_are_written_in_their_order, predictions) {
  plan.labels = {{"background", {0}}, {"whole", {3, 7}}, {"core", {3}}};
  plan.region_order = {7, 3};
  const auto regions = [](const auto& volumes, const auto& present, auto) {
    const auto x = weighted_sum(volumes, present.share());
    return network_output<B>{concat<B>({shift(x, -0.5), shift(x, -1.5)}), {}, {}, {}};
  };
  for (const affine3x4& affine : affines) {
    const case_data one = prepared(affine);
    const auto found = restore(run(one, {}, {{4, 6, 8}}, regions)[0].labels, one.preparation).values;
    label_list wanted(found.size());
    for (std::size_t i = 0; i < wanted.size(); ++i)
      wanted[i] = static_cast<std::uint8_t>(std::array{0, 7, 3}[static_cast<std::size_t>(at(0, i) + at(1, i)) / 2]);
    BOOST_TEST((found == wanted));
    BOOST_TEST(std::count(found.begin(), found.end(), 3) > 0);
  }
}

BOOST_FIXTURE_TEST_CASE(probabilities_return_to_the_inputs_own_voxels, predictions) {
  const output_choice wanted{.fused = true, .branches = true, .probabilities = true};
  for (const affine3x4& affine : affines) {
    const case_data one = prepared(affine);
    const geometry& grid = one.preparation.prepared();
    const auto where = places(one);
    for (const auto& result : run(one, wanted, {{4, 6, 8}})) {
      BOOST_REQUIRE(result.probabilities.has_value());
      const case_output back = restore(result, one.preparation, plan);
      BOOST_TEST(back.name == result.name);
      BOOST_TEST((back.labels.values == restore(result.labels, one.preparation).values));
      const probability_map &map = *result.probabilities, &own = *back.probabilities;
      BOOST_TEST((own.size == extent3{12, 18, 20}));
      for (std::size_t v = 0; v < where.size(); ++v)
        for (index c = 0; c < 3; ++c) {
          const auto [i, j, k] = where[v];
          const float found = own.values[static_cast<std::size_t>(c) * where.size() + v];
          const auto place = static_cast<std::size_t>(c * grid.voxels() + (k * grid.size[1] + j) * grid.size[0] + i);
          BOOST_REQUIRE(found == (i < 0 ? (c == 0 ? 1.f : 0.f) : map.values[place]));
        }
    }
  }
  const case_data one = prepared(affines[0]);
  const auto result = run(one, {})[0];
  BOOST_TEST(!result.probabilities.has_value());
  BOOST_TEST((restore(result, one.preparation, plan).labels.values == restore(result.labels, one.preparation).values));
  probability_map other{{1, 2, 3}, 3, std::vector<float>(18)};
  BOOST_CHECK_EXCEPTION((void)restore(other, one.preparation, label_kind::classes), geometry_error,
                        says("not the size of the grid of results"));
  BOOST_CHECK_EXCEPTION((void)labels_of(other, one.preparation.prepared(), plan), geometry_error,
                        says("another size than their grid"));
  case_data larger = prepared(affines[0]);
  for (auto& image : larger.images) {
    ++image.geometry.size[2];
    image.values.resize(static_cast<std::size_t>(image.geometry.voxels()));
  }
  BOOST_CHECK_EXCEPTION((void)run(larger, {}), geometry_error, says("has not the size of the case's prepared grid"));
}

// Labels come from probabilities that were resampled, plane by plane as they get done.
BOOST_FIXTURE_TEST_CASE(outputs_of_resampled_volumes_are_on_the_own_grid, predictions) {
  for (const std::array<double, 3>& spacing :
       std::vector<std::array<double, 3>>{{0.6, 1.7, 1.1}, {1, 1, 5}, {2.3, 0, 0.9}, {0.5, 0.5, 0.3}})
    for (const affine3x4& affine : affines) {
      plan.prepare.spacing = spacing;
      const case_data one = prepared(affine);
      const auto* const to = one.preparation.resampling_of_results();
      BOOST_REQUIRE(to != nullptr);
      const geometry grid = one.preparation.results();
      for (const extent3& window : {extent3{3, 6, 8}, wide}) {
        output_choice choice{.branches = true, .probabilities = true, .uncertainty = true, .prepared_grid = true};
        const auto seen = run(one, choice, {window});
        choice.prepared_grid = false;
        const auto own = run(one, choice, {window});
        BOOST_REQUIRE(names(own) == names(seen));
        for (std::size_t k = 0; k < own.size(); ++k) {
          BOOST_TEST((seen[k].labels.geometry.size == one.preparation.prepared().size));
          BOOST_TEST((own[k].labels.geometry.size == grid.size));
          const probability_map &small = *seen[k].probabilities, &large = *own[k].probabilities;
          const auto voxels = static_cast<std::ptrdiff_t>(grid.voxels());
          const std::ptrdiff_t all = one.preparation.prepared().voxels();
          for (index c = 0; c < 3; ++c) {
            const image_volume channel{one.preparation.prepared(),
                                       {small.values.begin() + c * all, small.values.begin() + (c + 1) * all}};
            const auto expected = resample_linear(channel, {grid.size, to->nearest}).values;
            const std::vector<float> found(large.values.begin() + c * voxels, large.values.begin() + (c + 1) * voxels);
            BOOST_TEST(difference(found, expected) < 1e-6);
          }
          BOOST_TEST((own[k].labels.values == labels_of(large, grid, plan).values));
          const auto back = restore(own[k], one.preparation, plan);
          BOOST_TEST((back.labels.values == restore(own[k].labels, one.preparation).values));
          BOOST_TEST((back.labels.geometry.size == std::array<index, 3>{20, 18, 12}));
        }
        BOOST_TEST(own[0].uncertainty->values.size() == static_cast<std::size_t>(grid.voxels()));
      }
    }
}

BOOST_FIXTURE_TEST_CASE(probabilities_of_regions_are_0_outside, predictions) {
  plan.labels = {{"background", {0}}, {"whole", {3, 7}}, {"core", {3}}};
  plan.region_order = {7, 3};
  const case_data one = prepared(affines[2]);
  const auto result =
      run(one, {.probabilities = true}, {{4, 6, 8}}, [](const auto& volumes, const auto& present, auto) {
        const auto x = weighted_sum(volumes, present.share());
        return network_output<B>{concat<B>({shift(x, 1), shift(x, -1.5)}), {}, {}, {}};
      })[0];
  const case_output back = restore(result, one.preparation, plan);
  BOOST_TEST((back.labels.values == restore(result.labels, one.preparation).values));
  const auto where = places(one);
  for (std::size_t v = 0; v < where.size(); ++v)
    BOOST_REQUIRE((back.probabilities->values[v] > 0.5f) == (where[v][0] >= 0));
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_is_refused, predictions) {
  case_data one = prepared(affines[0]);
  BOOST_CHECK_EXCEPTION((void)run(one, {}, {{4, 0, 8}}), config_error, says("window of 0 voxels"));
  BOOST_CHECK_EXCEPTION((void)run(one, {}, {wide, 2.0}), config_error, says("step 2"));
  const model_plan good = plan;
  plan.modalities.push_back("FLAIR");
  BOOST_CHECK_EXCEPTION((void)run(one, {}), config_error, says("2 modalities, the plan has 3"));
  plan = good;
  plan.labels.pop_back();
  BOOST_CHECK_EXCEPTION((void)run(one, {}), config_error, says("3 channels, the plan expects 2"));
  plan = good;
  plan.region_order = {5, 9};
  BOOST_CHECK_EXCEPTION((void)run(one, {}), config_error, says("3 channels, the plan expects 2"));
  plan = good;
  const auto three = [&](const auto& volumes, const auto& present, auto outputs) {
    auto out = network.forward(volumes, present, outputs);
    out.branches.push_back(out.fused);
    return out;
  };
  BOOST_CHECK_EXCEPTION((void)run(one, {true, true}, {wide}, three), config_error, says("3 branches for 2 modalities"));
  plan.labels[1].values = {};
  BOOST_CHECK_EXCEPTION((void)run(one, {}), config_error, says("class 'oedema' has no label values"));
  plan.labels[1].values = {261};
  BOOST_CHECK_EXCEPTION((void)run(one, {}), config_error, says("label value 261"));
  plan = good;
  plan.region_order = {300, 9};
  BOOST_CHECK_EXCEPTION((void)run(one, {}), config_error, says("region order: 300 is no declared label value"));
  plan = good;
  one.present = {false, false};
  BOOST_CHECK_EXCEPTION((void)run(one, {true, true, true}), config_error, says("no modality at all"));
}

}  // namespace comodal::tests
