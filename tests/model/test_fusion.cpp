// SPDX-License-Identifier: Apache-2.0
// Fusion blocks and stages: any non-empty subset of modalities sample by sample, attention weights, gradients,
// enhancement.
#define BOOST_TEST_MODULE model_fusion
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/check_gradient.hpp>
#include <comodal/model/fusion_stage.hpp>

#include <model/support.hpp>

#include <boost/mpl/list.hpp>

namespace comodal::tests {
// A block without a convolution to the channels that are asked for.
struct forgetful {};
}  // namespace comodal::tests

template <comodal::tensor_backend Backend>
struct comodal::fusion_block<comodal::tests::forgetful, Backend> {
  fusion_block(const parameter_scope<Backend>&, const fusion_sizes&) {}
  variable<Backend> fuse(const std::vector<variable<Backend>>& maps, const presence<Backend>&) const { return maps[0]; }
};

namespace comodal::tests {

using B = bench::backend;
using variables = std::vector<variable<B>>;
using tags = boost::mpl::list<mean_fusion, concat_fusion, gated_fusion, channel_fusion, cross_modal_fusion,
                              window_cross_modal_fusion>;
using attention_tags = boost::mpl::list<gated_fusion, cross_modal_fusion, window_cross_modal_fusion>;

struct fusion_bench : network_bench {
  parameter_store<B> store{home, 9};

  variables maps(index samples, index modalities, std::uint32_t key = 10) {
    return maps(shape{samples, 2, 2, 3, 2}, modalities, key);
  }
  variables maps(const shape& extents, index modalities, std::uint32_t key = 10) {
    variables out;
    for (index m = 0; m < modalities; ++m) out.push_back(leaf(extents, key + static_cast<std::uint32_t>(m)));
    return out;
  }
  variable<B> one(const variable<B>& v, index n) { return detach(slice(v, 0, n, n + 1)); }
};

BOOST_FIXTURE_TEST_CASE_TEMPLATE(every_subset_sample_by_sample, Tag, tags, fusion_bench) {
  for (const index modalities : {2, 3, 4}) {
    const fusion_block<Tag, B> block(parameter_scope<B>(store, text("m", modalities)), {modalities, 2, 3});
    const auto rows = subsets(modalities);
    const auto samples = static_cast<index>(rows.size());
    const auto in = maps(samples, modalities);
    const auto all = block.fuse(in, present(rows));
    BOOST_TEST((all.shape() == shape{samples, 2, 2, 3, 3}));
    // Alone, and with other values where a modality is absent, a sample comes out as it did in the batch.
    const auto other = maps(samples, modalities, 30);
    for (index n = 0; n < samples; ++n) {
      const auto& row = rows[static_cast<std::size_t>(n)];
      variables alone;
      for (index m = 0; m < modalities; ++m)
        alone.push_back(one(row[static_cast<std::size_t>(m)] == 1 ? in[static_cast<std::size_t>(m)]
                                                                  : other[static_cast<std::size_t>(m)],
                            n));
      BOOST_TEST(difference(host(block.fuse(alone, present({row}))), sample(all, n)) < 1e-12);
    }
    // A present one does matter.
    auto changed = in;
    changed[0] = other[0];
    const auto moved = block.fuse(changed, present(rows));
    for (index n = 0; n < samples; ++n)
      BOOST_TEST((difference(sample(moved, n), sample(all, n)) > 1e-3) == (rows[static_cast<std::size_t>(n)][0] == 1));
  }
}

BOOST_FIXTURE_TEST_CASE_TEMPLATE(absent_maps_receive_no_gradient, Tag, tags, fusion_bench) {
  const fusion_block<Tag, B> block(parameter_scope<B>(store), {3, 2, 3});
  const auto in = maps(2, 3);
  const auto out = block.fuse(in, present({{1, 0, 1}, {0, 1, 0}}));
  home.backward(sum(multiply(out, constant(out.shape(), 5))));
  for (std::size_t m = 0; m < 3; ++m) {
    const auto g = gradient(in[m]);
    const std::vector<double> first(g.begin(), g.begin() + 24), second(g.begin() + 24, g.end());
    BOOST_TEST((largest(first) == 0) == (m == 1));
    BOOST_TEST((largest(second) == 0) == (m != 1));
  }
}

BOOST_FIXTURE_TEST_CASE_TEMPLATE(gradients_are_those_of_finite_differences, Tag, tags, fusion_bench) {
  const fusion_block<Tag, B> block(parameter_scope<B>(store), {3, 2, 3});
  const auto p = present({{1, 0, 1}, {1, 1, 1}});
  auto inputs = maps(2, 3);
  for (const auto& one : store.all()) inputs.push_back(one.value);
  const auto report =
      check_gradient<B>([&](const variables& v) { return block.fuse({v[0], v[1], v[2]}, p); }, inputs, 1e-6, 8);
  BOOST_TEST(report.passed(1e-6), report.worst << " at " << report.place);
}

BOOST_FIXTURE_TEST_CASE_TEMPLATE(one_modality_is_fused_to_its_own_alignment, Tag, tags, fusion_bench) {
  const fusion_block<Tag, B> block(parameter_scope<B>(store), {3, 2, 3});
  const auto in = maps(2, 3);
  const auto expected = conv3d(in[1], find(store, "align.1.weight"));
  BOOST_TEST(difference(host(block.fuse(in, present({{0, 1, 0}, {0, 1, 0}}))), host(expected)) < 1e-12);
}

BOOST_FIXTURE_TEST_CASE(mean_fusion_is_the_mean_of_alignments, fusion_bench) {
  const fusion_block<mean_fusion, B> block(parameter_scope<B>(store), {3, 2, 3});
  const auto in = maps(1, 3);
  const auto expected =
      scale(add(conv3d(in[0], find(store, "align.0.weight")), conv3d(in[2], find(store, "align.2.weight"))), 0.5);
  BOOST_TEST(difference(host(block.fuse(in, present({{1, 0, 1}}))), host(expected)) < 1e-12);
}

BOOST_FIXTURE_TEST_CASE_TEMPLATE(attention_is_1_in_sum_over_the_present, Tag, attention_tags, fusion_bench) {
  for (const index modalities : {2, 3, 4}) {
    const fusion_block<Tag, B> block(parameter_scope<B>(store, text("m", modalities)), {modalities, 2, 3});
    const auto rows = subsets(modalities);
    const auto alpha = block.attention(maps(static_cast<index>(rows.size()), modalities), present(rows));
    BOOST_TEST((alpha.shape() == shape{static_cast<index>(rows.size()), 2, 2, 3, modalities}));
    const auto a = host(alpha);
    const auto width = static_cast<std::size_t>(modalities);
    bool varies = false;
    for (std::size_t i = 0; i < a.size() / width; ++i) {
      double total = 0;
      for (std::size_t m = 0; m < width; ++m) {
        BOOST_REQUIRE((a[i * width + m] > 0) == (rows[i / 12][m] == 1));
        total += a[i * width + m];
      }
      BOOST_REQUIRE(std::fabs(total - 1) < 1e-12);
      varies = varies || std::fabs(a[i * width + width - 1] - a[width * (i / 12 * 12 + 1) - 1]) > 1e-3;
    }
    BOOST_TEST(varies);
  }
}

BOOST_FIXTURE_TEST_CASE_TEMPLATE(attention_of_large_scores_is_finite, Tag, attention_tags, fusion_bench) {
  const fusion_block<Tag, B> block(parameter_scope<B>(store), {2, 2, 3});
  change(store, "", [](const auto&, auto& v) {
    for (double& x : v) x *= 1e5;
  });
  const auto a = host(block.attention(maps(1, 2), present({{1, 1}})));
  for (std::size_t i = 0; i < a.size(); i += 2) BOOST_TEST(a[i] + a[i + 1] == 1.0, boost::test_tools::tolerance(1e-12));
}

// Cross-modal attention voxel by voxel and over windows, with the same weights.
struct window_bench : fusion_bench {
  parameter_store<B> other{home, 9};
  fusion_block<cross_modal_fusion, B> voxels{parameter_scope<B>(store), {3, 2, 3}};
  fusion_block<window_cross_modal_fusion, B> windows{parameter_scope<B>(other), {3, 2, 3}};
  presence<B> some = present({{1, 0, 1}, {1, 1, 1}});
};

BOOST_FIXTURE_TEST_CASE(windows_of_one_voxel_are_cross_modal_attention, window_bench) {
  for (const shape& extents : std::vector<shape>{{2, 1, 3, 5, 2}, {2, 1, 1, 1, 2}}) {
    const auto in = maps(extents, 3);
    BOOST_TEST(difference(host(windows.attention(in, some)), host(voxels.attention(in, some))) < 1e-12);
    BOOST_TEST(difference(host(windows.fuse(in, some)), host(voxels.fuse(in, some))) < 1e-12);
  }
}

BOOST_FIXTURE_TEST_CASE(windows_halve_even_axes_alone, window_bench) {
  const std::vector<std::pair<shape, extent3>> sizes{
      {{2, 4, 2, 6, 2}, {2, 2, 2}}, {{2, 1, 4, 3, 2}, {1, 2, 1}}, {{2, 3, 1, 6, 2}, {1, 1, 2}}};
  for (const auto& [extents, window] : sizes) {
    const auto in = maps(extents, 3);
    variables means;
    for (const auto& map : in) means.push_back(average_pool3d(map, window));
    const auto alpha = windows.attention(in, some);
    BOOST_TEST((alpha.shape() == shape{2, extents[1], extents[2], extents[3], 3}));
    BOOST_TEST((host(alpha) == host(upsample3d(voxels.attention(means, some), window))));
    BOOST_TEST(difference(host(alpha), host(voxels.attention(in, some))) > 1e-3);
    const auto expected = add(add(conv3d(multiply(in[0], weight_of(alpha, 0)), find(other, "align.0.weight")),
                                  conv3d(multiply(in[1], weight_of(alpha, 1)), find(other, "align.1.weight"))),
                              conv3d(multiply(in[2], weight_of(alpha, 2)), find(other, "align.2.weight")));
    BOOST_TEST(difference(host(windows.fuse(in, some)), host(expected)) < 1e-12);
  }
}

BOOST_FIXTURE_TEST_CASE(weights_are_interpolated_between_windows, window_bench) {
  // Two windows along W: the outer voxels have their own weights, the inner ones a quarter of the other's.
  const auto in = maps(shape{1, 1, 1, 4, 2}, 3);
  const auto a = host(windows.attention(in, present({{1, 1, 1}})));
  for (std::size_t m = 0; m < 3; ++m) {
    const double first = a[m], last = a[9 + m];
    BOOST_TEST(std::fabs(first - last) > 1e-3);
    BOOST_TEST(std::fabs(a[3 + m] - (0.75 * first + 0.25 * last)) < 1e-12);
    BOOST_TEST(std::fabs(a[6 + m] - (0.25 * first + 0.75 * last)) < 1e-12);
  }
}

BOOST_FIXTURE_TEST_CASE(gradients_through_windows, window_bench) {
  for (const shape& extents : std::vector<shape>{{2, 2, 4, 3, 2}, {2, 1, 3, 2, 2}}) {
    auto inputs = maps(extents, 3);
    for (const auto& one : other.all()) inputs.push_back(one.value);
    const auto report =
        check_gradient<B>([&](const variables& v) { return windows.fuse({v[0], v[1], v[2]}, some); }, inputs, 1e-6, 8);
    BOOST_TEST(report.passed(1e-6), report.worst << " at " << report.place);
  }
}

struct stage_bench : fusion_bench {
  static fusion_stage_sizes sizes(bool finer, bool enhance) {
    return {{2, 2, 3}, finer ? index{2} : 0, {1, 2, 2}, {3, 3, 3}, enhance};
  }
};

BOOST_FIXTURE_TEST_CASE(the_finest_stage_is_the_block_itself, stage_bench) {
  const multi_stage_fusion<gated_fusion, B> stage(parameter_scope<B>(store), sizes(false, true));
  const auto in = maps(2, 2);
  const auto p = present({{1, 1}, {1, 0}});
  BOOST_TEST((host(stage.fuse(in, p, {})) == host(stage.block().fuse(in, p))));
}

BOOST_FIXTURE_TEST_CASE(coarser_stages_add_what_finer_ones_fused, stage_bench) {
  const multi_stage_fusion<gated_fusion, B> stage(parameter_scope<B>(store), sizes(true, true));
  const auto in = maps(2, 2);
  const auto p = present({{1, 1}, {1, 0}});
  const auto finer = leaf({2, 2, 4, 6, 2}, 50);
  const auto out = stage.fuse(in, p, finer);
  const auto z = stage.block().fuse(in, p);
  const auto joined =
      instance_norm(conv3d(concat<B>({z, max_pool3d(finer, {1, 2, 2})}), find(store, "join.conv.weight")),
                    find(store, "join.norm.gamma"), find(store, "join.norm.beta"), 0.01, 1e-5);
  BOOST_TEST(difference(host(out), host(add(z, joined))) < 1e-12);
}

BOOST_FIXTURE_TEST_CASE(enhancement_starts_as_the_identity, stage_bench) {
  const multi_stage_fusion<gated_fusion, B> stage(parameter_scope<B>(store), sizes(false, true));
  const auto in = maps(2, 2);
  const auto fused = stage.fuse(in, present({{1, 1}, {1, 0}}), {});
  const auto same = stage.enhance(in, fused);
  for (std::size_t m = 0; m < 2; ++m) BOOST_TEST((host(same[m]) == host(in[m])));
  // gamma learns from the first step on, though it is 0.
  home.backward(sum(multiply(same[0], constant(same[0].shape(), 8))));
  BOOST_TEST(largest(gradient(find(store, "enhance.0.gamma"))) > 1e-3);
}

BOOST_FIXTURE_TEST_CASE(enhancement_by_its_formula, stage_bench) {
  const multi_stage_fusion<gated_fusion, B> stage(parameter_scope<B>(store), sizes(false, true));
  change(store, "gamma", [](const auto&, auto& v) { v = {0.5, -2}; });
  const auto in = maps(2, 2);
  const auto fused = leaf({2, 2, 2, 3, 3}, 60);
  const auto out = stage.enhance(in, fused);
  for (std::size_t m = 0; m < 2; ++m) {
    const auto gate = sigmoid(add(conv3d(concat<B>({in[m], fused}), find(store, text("enhance_gate.", m, ".weight"))),
                                  find(store, text("enhance_gate.", m, ".bias"))));
    const auto back = conv3d(fused, find(store, text("enhance.", m, ".weight")));
    const auto expected = add(in[m], multiply(find(store, text("enhance.", m, ".gamma")), multiply(gate, back)));
    BOOST_TEST(difference(host(out[m]), host(expected)) < 1e-12);
  }
  for (const auto& p : store.all())
    if (p.name.ends_with("gamma")) BOOST_TEST(!p.decay);
}

BOOST_FIXTURE_TEST_CASE(without_enhancement_maps_go_on_as_they_are, stage_bench) {
  const multi_stage_fusion<gated_fusion, B> stage(parameter_scope<B>(store), sizes(false, false));
  const auto in = maps(1, 2);
  const auto same = stage.enhance(in, stage.fuse(in, present({{1, 1}}), {}));
  for (std::size_t m = 0; m < 2; ++m) BOOST_TEST((host(same[m]) == host(in[m])));
  for (const auto& p : store.all()) BOOST_TEST(p.name.find("enhance") == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(gradients_of_a_whole_stage, stage_bench) {
  const any_fusion<B> stage{multi_stage_fusion<gated_fusion, B>(parameter_scope<B>(store), sizes(true, true))};
  change(store, "gamma", [](const auto&, auto& v) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = 0.5 + 0.25 * static_cast<double>(i);
  });
  const auto p = present({{1, 1}, {0, 1}});
  auto inputs = maps(2, 2);
  inputs.push_back(leaf({2, 2, 4, 6, 2}, 50));
  for (const auto& one : store.all()) inputs.push_back(one.value);
  const auto report = check_gradient<B>(
      [&](const variables& v) {
        const auto fused = stage.fuse({v[0], v[1]}, p, v[2]);
        auto out = stage.enhance({v[0], v[1]}, fused);
        out.push_back(fused);
        return concat(out);
      },
      inputs, 1e-6, 8);
  BOOST_TEST(report.passed(1e-6), report.worst << " at " << report.place);
}

BOOST_FIXTURE_TEST_CASE(a_block_that_returns_other_channels_is_named, fusion_bench) {
  const multi_stage_fusion<forgetful, B> stage(parameter_scope<B>(store, "forgetful"), {.block = {2, 2, 3}});
  BOOST_CHECK_EXCEPTION((void)stage.fuse(maps(1, 2), present({{1, 1}}), {}), shape_error,
                        [](const shape_error& failure) {
                          return std::string(failure.what())
                                     .find(
                                         "fuse() of a fusion block returned (1, 2, 2, 3, 2), expected "
                                         "sizes.fused_channels = 3") != std::string::npos;
                        });
}

}  // namespace comodal::tests
