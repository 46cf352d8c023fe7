// SPDX-License-Identifier: Apache-2.0
// Sliding windows: where they lie, how they are weighed and mirrored, and that a voxel-wise network gives its input
// back.
#define BOOST_TEST_MODULE infer_sliding_window
#include <boost/test/unit_test.hpp>

#include <comodal/infer/sliding_window.hpp>

#include <nn/support.hpp>

#include <numeric>

namespace comodal::tests {

using B = bench::backend;
using variables = std::vector<variable<B>>;

BOOST_AUTO_TEST_CASE(positions_have_their_golden_values) {
  const auto at = [](index n, index window) { return window_positions(n, window); };
  using list = std::vector<index>;
  BOOST_TEST((at(240, 128) == list{0, 56, 112}));
  BOOST_TEST((at(155, 128) == list{0, 27}));
  BOOST_TEST((at(240, 96) == list{0, 48, 96, 144}));
  BOOST_TEST((at(155, 96) == list{0, 30, 59}));
  BOOST_TEST((at(153, 96) == list{0, 28, 57}));
  BOOST_TEST((at(129, 128) == list{0, 1}));
  BOOST_TEST((at(110, 64) == list{0, 23, 46}));
  BOOST_TEST((at(64, 64) == list{0}));
  BOOST_TEST((at(10, 64) == list{0}));
}

BOOST_AUTO_TEST_CASE(windows_cover_every_axis) {
  for (index n = 1; n < 60; ++n)
    for (index window = 1; window < 20; ++window)
      for (const double step : {0.25, 0.5, 1.0}) {
        const auto positions = window_positions(n, window, step);
        BOOST_REQUIRE(positions.front() == 0);
        BOOST_REQUIRE(positions.back() == std::max<index>(0, n - window));
        for (std::size_t i = 1; i < positions.size(); ++i) {
          BOOST_REQUIRE(positions[i] > positions[i - 1]);
          BOOST_REQUIRE(positions[i] - positions[i - 1] <= window);
        }
      }
}

BOOST_AUTO_TEST_CASE(weights_have_their_golden_values) {
  const std::vector<double> golden{0.0033546, 0.1110900, 1.3533528, 6.0653066, 10, 6.0653066, 1.3533528, 0.1110900};
  const auto weights = window_weights(8);
  BOOST_REQUIRE(weights.size() == golden.size());
  for (std::size_t i = 0; i < golden.size(); ++i) BOOST_TEST(std::fabs(10 * weights[i] - golden[i]) < 1e-7);
  BOOST_TEST((window_weights(1) == std::vector<double>{1}));
}

struct windows : bench {
  // A volume of values in (0.1, 0.9); sizes along i, j, k.
  static image_volume image(std::array<index, 3> size, std::uint32_t key = 1) {
    image_volume v;
    v.geometry.size = size;
    v.values = converted<float>(values(v.geometry.voxels(), key, 0.1, 0.9));
    return v;
  }
  // Logits whose sigmoids are the values of each volume: a voxel-wise identity.
  static variables identity(const variables& volumes) {
    variables out;
    for (const auto& x : volumes) out.push_back(log(divide(x, shift(scale(x, -1), 1))));
    return out;
  }
  template <class Predict>
  std::vector<probability_map> run(const std::vector<volume_view>& images, const window_options& o, Predict&& predict,
                                   label_kind kind = label_kind::regions, std::vector<float> present = {}) {
    if (present.empty()) present.assign(images.size(), 1);
    return sliding_window<B>(home, images, present, kind, o, predict);
  }
};

BOOST_FIXTURE_TEST_CASE(a_voxelwise_network_gives_its_input_back, windows) {
  // (i, j, k) smaller than, as large as and larger than the window (D, H, W) = (4, 6, 8), in many combinations.
  for (const std::array<index, 3>& size :
       std::vector<std::array<index, 3>>{{8, 6, 4}, {5, 4, 3}, {19, 13, 9}, {8, 3, 11}, {1, 20, 4}, {9, 6, 1}}) {
    const auto first = image(size, 1), second = image(size, 2);
    for (const std::vector<int>& mirror : std::vector<std::vector<int>>{{}, {2}, {0, 1, 2}}) {
      const auto maps =
          run({&first, &second}, {{4, 6, 8}, 0.5, mirror}, [](const variables& v, const auto&) { return identity(v); });
      BOOST_REQUIRE(maps.size() == 2u);
      BOOST_TEST((maps[0].size == extent3{size[2], size[1], size[0]}));
      BOOST_TEST(maps[0].channels == 1);
      BOOST_TEST(difference(maps[0].values, first.values) < 1e-5);
      BOOST_TEST(difference(maps[1].values, second.values) < 1e-5);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(channels_are_the_slowest_axis_and_sum_to_1, windows) {
  const auto volume = image({11, 7, 5});
  const auto maps = run(
      {&volume}, {{4, 6, 8}},
      [](const variables& v, const auto&) { return variables{concat<B>({v[0], scale(v[0], -2), shift(v[0], 0.1)})}; },
      label_kind::classes);
  BOOST_TEST(maps[0].channels == 3);
  const std::size_t n = volume.values.size();
  BOOST_REQUIRE(maps[0].values.size() == 3 * n);
  for (std::size_t i = 0; i < n; ++i) {
    const double x = static_cast<double>(volume.values[i]), total = std::exp(x) + std::exp(-2 * x) + std::exp(x + 0.1);
    const double p0 = maps[0].values[i], p1 = maps[0].values[n + i], p2 = maps[0].values[2 * n + i];
    BOOST_REQUIRE(std::fabs(p0 + p1 + p2 - 1) < 1e-6);
    BOOST_REQUIRE(std::fabs(p0 - std::exp(x) / total) < 1e-6);
    BOOST_REQUIRE(std::fabs(p1 - std::exp(-2 * x) / total) < 1e-6);
  }
}

BOOST_FIXTURE_TEST_CASE(overlapping_windows_are_weighed, windows) {
  // Along i: windows at 0 and 4; the network says 0.2 in the first and 0.8 in the second.
  const auto volume = image({12, 1, 1});
  int calls = 0;
  const auto maps = run({&volume}, {{1, 1, 8}}, [&](const variables& v, const auto&) {
    const double p = calls++ == 0 ? 0.2 : 0.8;
    return variables{shift(scale(v[0], 0), std::log(p / (1 - p)))};
  });
  BOOST_TEST(calls == 2);
  const auto w = window_weights(8);
  for (std::size_t i = 0; i < 12; ++i) {
    const double first = i < 8 ? w[i] : 0, second = i >= 4 ? w[i - 4] : 0;
    BOOST_TEST(std::fabs(maps[0].values[i] - (0.2 * first + 0.8 * second) / (first + second)) < 1e-6);
  }
}

BOOST_FIXTURE_TEST_CASE(mirroring_averages_what_is_not_symmetric, windows) {
  const auto volume = image({4, 1, 1});
  // p rises along W whatever the image is; the mean with its mirror image is 1/2.
  const auto ramp = [&](const variables&, const auto&) {
    std::vector<double> z;
    for (const double p : {0.1, 0.3, 0.7, 0.9}) z.push_back(std::log(p / (1 - p)));
    return variables{constant({1, 1, 1, 4, 1}, z)};
  };
  const auto plain = run({&volume}, {{1, 1, 4}}, ramp), mirrored = run({&volume}, {{1, 1, 4}, 0.5, {2}}, ramp),
             other = run({&volume}, {{1, 1, 4}, 0.5, {1}}, ramp);
  const std::vector<float> expected{0.1f, 0.3f, 0.7f, 0.9f};
  BOOST_TEST(difference(plain[0].values, expected) < 1e-6);
  BOOST_TEST(difference(other[0].values, expected) < 1e-6);
  for (const float p : mirrored[0].values) BOOST_TEST(p == 0.5f, boost::test_tools::tolerance(1e-6f));
}

BOOST_FIXTURE_TEST_CASE(an_equivariant_network_is_not_changed_by_mirroring, windows) {
  // A symmetric filter, one window: mirrored or not, the same.
  const auto volume = image({8, 6, 4});
  const auto w = constant({3, 3, 3, 1, 1}, std::vector<double>(27, 0.05));
  const auto smooth = [&](const variables& v, const auto&) { return variables{conv3d(v[0], w)}; };
  const auto plain = run({&volume}, {{4, 6, 8}}, smooth),
             mirrored = run({&volume}, {{4, 6, 8}, 0.5, {0, 1, 2}}, smooth);
  BOOST_TEST(difference(mirrored[0].values, plain[0].values) < 1e-6);
  int calls = 0;
  (void)run({&volume}, {{4, 6, 8}, 0.5, {0, 1, 2}}, [&](const variables& v, const auto&) {
    ++calls;
    return identity(v);
  });
  BOOST_TEST(calls == 8);
  // An axis that is named twice is mirrored once.
  (void)run({&volume}, {{4, 6, 8}, 0.5, {2, 2}}, [&](const variables& v, const auto&) {
    ++calls;
    return identity(v);
  });
  BOOST_TEST(calls == 10);
}

BOOST_FIXTURE_TEST_CASE(a_network_that_is_not_finite_is_refused, windows) {
  const auto volume = image({8, 6, 4});
  BOOST_CHECK_EXCEPTION((void)run({&volume}, {{4, 6, 8}},
                                  [&](const variables& v, const auto&) {
                                    auto z = host(identity(v)[0]);
                                    z[7] = std::numeric_limits<double>::quiet_NaN();
                                    return variables{constant({1, 4, 6, 8, 1}, z)};
                                  }),
                        error, says("the probabilities of 1 voxels are not finite"));
}

BOOST_FIXTURE_TEST_CASE(absent_and_unwanted_modalities_are_zero, windows) {
  const auto volume = image({3, 2, 2});
  for (const bool given : {false, true}) {
    (void)run({&volume, given ? &volume : nullptr}, {{2, 2, 4}},
              [&](const variables& v, const presence<B>& present) {
                BOOST_TEST((host(present.mask()) == std::vector<double>{1, 0}));
                BOOST_TEST((v[1].shape() == shape{1, 2, 2, 4, 1}));
                BOOST_TEST(largest(host(v[1])) == 0);
                return identity({v[0]});
              },
              label_kind::regions, {1, 0});
  }
}

BOOST_FIXTURE_TEST_CASE(a_small_volume_is_padded_with_its_minimum, windows) {
  auto volume = image({2, 1, 1});
  volume.values = {5, -3};
  (void)run({&volume}, {{2, 1, 4}}, [&](const variables& v, const auto&) {
    BOOST_TEST((host(v[0]) == std::vector<double>{5, -3, -3, -3, -3, -3, -3, -3}));
    return v;
  });
}

BOOST_FIXTURE_TEST_CASE(nothing_is_recorded, windows) {
  const auto volume = image({3, 2, 2});
  const auto weight = leaf({1}, 1);
  (void)run({&volume}, {{2, 2, 4}}, [&](const variables& v, const auto&) { return variables{multiply(v[0], weight)}; });
  BOOST_TEST(home.size() == 0u);
  BOOST_TEST(home.recording());
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_is_refused, windows) {
  const auto volume = image({8, 6, 4}), other = image({8, 4, 6});
  const auto predict = [](const variables& v, const auto&) { return identity(v); };
  BOOST_CHECK_EXCEPTION((void)run({nullptr, nullptr}, {{4, 6, 8}}, predict), config_error, says("no modality"));
  BOOST_CHECK_THROW((void)run({&volume, nullptr}, {{4, 6, 8}}, predict, label_kind::regions, {1, 1}), config_error);
  BOOST_CHECK_THROW((void)run({&volume, nullptr}, {{4, 6, 8}}, predict, label_kind::regions, {0, 0}), config_error);
  BOOST_CHECK_THROW((void)run({&volume}, {{4, 6, 8}}, predict, label_kind::regions, {1, 1}), shape_error);
  BOOST_CHECK_THROW((void)run({&volume, &other}, {{4, 6, 8}}, predict), shape_error);
  BOOST_CHECK_THROW((void)run({&volume}, {{4, 0, 8}}, predict), config_error);
  BOOST_CHECK_THROW((void)run({&volume}, {{4, 6, 8}, 0.0}, predict), config_error);
  BOOST_CHECK_THROW((void)run({&volume}, {{4, 6, 8}, 1.5}, predict), config_error);
  BOOST_CHECK_THROW((void)run({&volume}, {{4, 6, 8}, 0.5, {3}}, predict), config_error);
}

BOOST_AUTO_TEST_CASE(labels_of_probabilities) {
  // Three voxels, three classes: clear, a tie, a tie of the last two.
  const probability_map map{{1, 1, 3}, 3, {0.1f, 0.4f, 0.2f, 0.7f, 0.4f, 0.4f, 0.2f, 0.2f, 0.4f}};
  BOOST_TEST((most_probable(map) == std::vector<std::uint8_t>{1, 0, 1}));
}

BOOST_AUTO_TEST_CASE(labels_of_many_voxels) {
  constexpr std::size_t voxels = 10001;
  probability_map map{{1, 1, voxels}, 3, std::vector<float>(3 * voxels, 0.2f)};
  std::vector<std::uint8_t> expected(voxels);
  for (std::size_t i = 0; i < voxels; ++i) {
    expected[i] = static_cast<std::uint8_t>(i * i % 7 % 3);
    map.values[expected[i] * voxels + i] = 0.6f;
  }
  BOOST_TEST(most_probable(map) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(labels_of_regions_by_their_order) {
  // Whole tumour, core, enhancing of four voxels; later regions in the order win, exactly 1/2 is not enough.
  const probability_map map{{1, 1, 4}, 3, {0.9f, 0.9f, 0.9f, 0.5f, 0.1f, 0.8f, 0.6f, 0.5f, 0.1f, 0.2f, 0.7f, 0.5f}};
  BOOST_TEST((labels_of_regions(map, {2, 1, 3}) == std::vector<std::uint8_t>{2, 1, 3, 0}));
  BOOST_CHECK_EXCEPTION((void)labels_of_regions(map, {2, 1}), config_error, says("2 labels for 3 regions"));
}

}  // namespace comodal::tests
