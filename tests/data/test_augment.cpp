// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_augment
#include <comodal/data/augment.hpp>

#include <boost/test/unit_test.hpp>

#include <map>
#include <numeric>

namespace comodal::tests {
namespace {

std::vector<float> some_values(std::size_t count, std::uint32_t key = 0) {
  random_stream random(8, random_purpose::test, key);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(random.normal(0.5, 1.5));
  return values;
}

}  // namespace

BOOST_AUTO_TEST_CASE(fast_functions_are_accurate) {
  random_stream random(1, random_purpose::test);
  for (int i = 0; i < 20000; ++i) {
    const auto x = static_cast<float>(std::exp2(random.uniform(-120, 120)));
    BOOST_REQUIRE(std::abs(detail::fast_log2(x) - std::log2(static_cast<double>(x))) < 1e-5);
    const auto y = static_cast<float>(random.uniform(0.5, 2));
    BOOST_REQUIRE(std::abs(detail::fast_log2(y) - std::log2(static_cast<double>(y))) < 3e-7);
    const auto e = static_cast<float>(random.uniform(-120, 120));
    BOOST_REQUIRE(std::abs(detail::fast_exp2(e) / std::exp2(static_cast<double>(e)) - 1) < 1e-6);
  }
  BOOST_TEST(detail::fast_log2(1.f) == 0.f);
  BOOST_TEST(detail::fast_exp2(0.f) == 1.f);
  BOOST_TEST(detail::fast_exp2(-1000.f) < 1e-37f);
}

BOOST_AUTO_TEST_CASE(noise_is_normal) {
  for (const std::size_t count : {std::size_t{200001}, std::size_t{7}}) {
    std::vector<float> values(count, 3.f);
    random_stream random(2, random_purpose::test);
    add_noise(values, 0.5f, random);
    double moments[5] = {};
    std::array<int, 5> below{};
    for (const float v : values) {
      const double z = (v - 3) / 0.5;
      for (int k = 0; k < 5; ++k) moments[k] += std::pow(z, k) / static_cast<double>(count);
      for (std::size_t k = 0; k < 5; ++k) below[k] += z < static_cast<double>(k) - 2;
    }
    if (count < 100) continue;
    BOOST_TEST(std::abs(moments[1]) < 0.01);
    BOOST_TEST(std::abs(moments[2] - 1) < 0.015);
    BOOST_TEST(std::abs(moments[3]) < 0.03);
    BOOST_TEST(std::abs(moments[4] - 3) < 0.08);
    const double expected[5] = {0.02275, 0.15866, 0.5, 0.84134, 0.97725};
    for (std::size_t k = 0; k < 5; ++k)
      BOOST_TEST(std::abs(below[k] / static_cast<double>(count) - expected[k]) < 0.005);
    // Neighbours and pairs are not correlated.
    for (const std::size_t lag : {1u, 256u}) {
      double sum = 0;
      for (std::size_t i = 0; i + lag < count; ++i) sum += (values[i] - 3.) * (values[i + lag] - 3.);
      BOOST_TEST(std::abs(sum / static_cast<double>(count) / 0.25) < 0.01);
    }
  }
}

BOOST_AUTO_TEST_CASE(gamma_keeps_the_range_and_the_order) {
  auto values = some_values(1000);
  const auto before = values;
  const auto [low, high] = std::minmax_element(before.begin(), before.end());
  apply_gamma(values, 1.4f);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = (before[i] - *low) / static_cast<double>(*high - *low);
    BOOST_REQUIRE(std::abs(values[i] - (*low + std::pow(x, 1.4) * (*high - *low))) < 1e-5);
  }
  BOOST_TEST(*std::min_element(values.begin(), values.end()) == *low);
  std::vector<float> constant(50, 2.5f);
  apply_gamma(constant, 0.7f);
  for (const float v : constant) BOOST_TEST(v == 2.5f);
  std::vector<float> none;
  BOOST_CHECK_NO_THROW(apply_gamma(none, 2));
}

BOOST_AUTO_TEST_CASE(blur_is_a_gaussian) {
  const extent3 size{9, 10, 11};
  std::vector<float> values(990, 0.f);
  const auto at = [&](index d, index h, index w) -> float& {
    return values[static_cast<std::size_t>((d * 10 + h) * 11 + w)];
  };
  at(4, 5, 6) = 1;
  const double sigma = 0.8;
  blur(values, size, sigma);
  double norm = 0;
  for (int t = -3; t <= 3; ++t) norm += std::exp(-t * t / (2 * sigma * sigma));
  for (index d = 0; d < 9; ++d)
    for (index h = 0; h < 10; ++h)
      for (index w = 0; w < 11; ++w) {
        const auto r2 = static_cast<double>((d - 4) * (d - 4) + (h - 5) * (h - 5) + (w - 6) * (w - 6));
        const bool in = std::abs(d - 4) <= 3 && std::abs(h - 5) <= 3 && std::abs(w - 6) <= 3;
        BOOST_REQUIRE(std::abs(at(d, h, w) - (in ? std::exp(-r2 / (2 * sigma * sigma)) / (norm * norm * norm) : 0)) <
                      1e-6);
      }
  std::vector<float> constant(990, 4.f);
  blur(constant, size, 1);
  for (const float v : constant) BOOST_REQUIRE(std::abs(v - 4) < 1e-5);
  std::vector<float> point(1, 4.f);
  blur(point, {1, 1, 1}, 1);
  BOOST_TEST(point[0] == 4.f, boost::test_tools::tolerance(1e-6f));
}

BOOST_AUTO_TEST_CASE(transforms_apply_as_often_as_they_should_and_draw_the_same_numbers) {
  const extent3 size{4, 4, 4};
  int gammas = 0, noises = 0, blurs = 0;
  const auto original = some_values(64);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const auto changed = [&](const auto& transform) {
      auto values = original;
      random_stream random(3, random_purpose::test, i);
      transform(values, size, random);
      return values != original;
    };
    gammas += changed(random_gamma{{-0.4, 0.4}, 0.3});
    noises += changed(random_noise{{0, 0.2}, 0.3});
    blurs += changed(random_blur{{0.5, 1}, 0.2});
  }
  BOOST_TEST(std::abs(gammas - 300) < 60);
  BOOST_TEST(std::abs(noises - 300) < 60);
  BOOST_TEST(std::abs(blurs - 200) < 50);
}

BOOST_AUTO_TEST_CASE(factors_lie_below_one_as_often_as_above) {
  int below = 0;
  double low = 1, high = 1;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    random_stream random(7, random_purpose::test, i);
    const double f = detail::uniform_around_one({0.7, 1.5}, random);
    below += f < 1;
    low = std::min(low, f);
    high = std::max(high, f);
    for (const batch_options::range& range : {batch_options::range{1.2, 1.6}, {0.3, 0.6}, {1, 1}}) {
      const double other = detail::uniform_around_one(range, random);
      BOOST_REQUIRE(other >= range[0]);
      BOOST_REQUIRE(other <= range[1]);
    }
  }
  BOOST_TEST(std::abs(below - 1000) < 112);
  BOOST_TEST(low < 0.71);
  BOOST_TEST(low >= 0.7);
  BOOST_TEST(high > 1.48);
  BOOST_TEST(high < 1.5);
}

BOOST_AUTO_TEST_CASE(chances_of_modalities_are_independent_unless_they_are_joint) {
  for (const bool joint : {false, true}) {
    const change_chance often(0.4, 0.5, joint);
    int crops = 0, changes = 0;
    for (std::uint32_t i = 0; i < 4000; ++i) {
      int changed = 0;
      for (std::uint32_t m = 0; m < 2; ++m) {
        random_stream random(8, random_purpose::test, 2 * i + m), crop(9, random_purpose::test, i);
        changed += often.drawn(random, crop);
      }
      changes += changed;
      crops += changed > 0;
    }
    BOOST_TEST(std::abs(changes - 1600) < 5 * std::sqrt(8000 * 0.2 * 0.8) * 1.5);
    const double expected = 4000 * (joint ? 0.4 * 0.75 : 1 - 0.8 * 0.8);
    BOOST_TEST(std::abs(crops - expected) < 5 * std::sqrt(4000 * 0.25));
  }
}

BOOST_AUTO_TEST_CASE(changes_that_are_off_leave_later_draws_alone) {
  const extent3 size{4, 4, 4};
  const auto original = some_values(64);
  for (std::uint32_t i = 0; i < 50; ++i) {
    std::vector<std::uint32_t> after;
    for (const double chance : {0., 1e-12}) {  // neither ever applies
      auto values = original;
      random_stream random(3, random_purpose::test, i);
      random_brightness{{0.75, 1.25}, chance}(values, size, random);
      random_contrast{{0.75, 1.25}, chance}(values, size, random);
      random_low_resolution{{0.5, 1}, {true, true, true}, chance}(values, size, random);
      random_retained_gamma{{0.7, 1.5}, gamma_of::negative, chance}(values, size, random);
      BOOST_TEST((values == original));
      after.push_back(random.bits());
    }
    auto values = original;
    random_stream random(3, random_purpose::test, i);
    random_brightness{{0.75, 1.25}, 1}(values, size, random);
    random_contrast{{0.75, 1.25}, 1}(values, size, random);
    random_low_resolution{{0.5, 0.6}, {true, false, true}, 1}(values, size, random);
    random_retained_gamma{{0.7, 1.5}, gamma_of::negative, 1}(values, size, random);
    BOOST_TEST((values != original));
    BOOST_TEST(random.bits() == after[0]);
    BOOST_TEST(after[1] == after[0]);
  }
}

BOOST_AUTO_TEST_CASE(views_follow_the_options) {
  batch_options o;
  const auto weak = make_weak_intensities(o);
  for (std::uint32_t i = 0; i < 200; ++i) {
    std::vector<float> values{0, 1, 2, 3, 4, 5, 6, 7};
    random_stream random(4, random_purpose::test, i);
    weak(values, {2, 2, 2}, random);
    BOOST_REQUIRE(std::abs(values[0]) <= 0.1);
    const float gain = values[1] - values[0];
    BOOST_REQUIRE(gain > 0.899f);
    BOOST_REQUIRE(gain < 1.101f);
    BOOST_REQUIRE(std::abs(values[7] - (values[0] + 7 * gain)) < 1e-5);
  }
  o.gamma_chance = o.noise_chance = o.blur_chance = 0;  // the others are off by default
  o.strong_gain = {2, 2};
  o.strong_shift = {1, 1};
  std::vector<float> values{0, 1, 2, 3, 4, 5, 6, 7};
  random_stream random(4, random_purpose::test);
  make_strong_intensities(o)(values, {2, 2, 2}, random);
  for (std::size_t i = 0; i < 8; ++i) BOOST_TEST(values[i] == 2 * static_cast<float>(i) + 1);
}

BOOST_AUTO_TEST_CASE(dropped_subsets_are_uniform_in_size_and_then_in_members) {
  std::map<int, int> sizes;
  std::map<std::array<float, 4>, int> subsets;
  constexpr int draws = 12000;
  for (std::uint32_t i = 0; i < draws; ++i) {
    std::array<float, 5> present{1, 1, 0, 1, 1};
    random_stream random(5, random_purpose::test, i);
    drop_modalities(present, 0.5, random);
    BOOST_REQUIRE(present[2] == 0);
    const int size = static_cast<int>(std::accumulate(present.begin(), present.end(), 0.f));
    BOOST_REQUIRE(size > 0);
    ++sizes[size];
    ++subsets[{present[0], present[1], present[3], present[4]}];
  }
  // Four modalities with chance a half; one, two and three with a sixth each. Bounds of about five standard deviations.
  BOOST_TEST(std::abs(sizes[4] - draws / 2) < 275);
  for (int s = 1; s < 4; ++s) BOOST_TEST(std::abs(sizes[s] - draws / 6) < 205);
  BOOST_TEST(subsets.size() == 15u);
  for (const auto& [subset, count] : subsets) {
    const int size = static_cast<int>(std::accumulate(subset.begin(), subset.end(), 0.f));
    if (size == 4) continue;
    const int expected = draws / 6 / (size == 2 ? 6 : 4);
    BOOST_TEST(std::abs(count - expected) < 5 * std::sqrt(expected));
  }
}

BOOST_AUTO_TEST_CASE(dropout_leaves_single_modalities_and_chance_zero_alone) {
  for (std::uint32_t i = 0; i < 100; ++i) {
    random_stream random(6, random_purpose::test, i);
    std::array<float, 3> one{0, 1, 0}, all{1, 1, 1};
    drop_modalities(one, 1, random);
    BOOST_TEST(one[1] == 1.f);
    drop_modalities(all, 0, random);
    BOOST_TEST(all[0] + all[1] + all[2] == 3.f);
    drop_modalities(all, 1, random);
    BOOST_TEST(all[0] + all[1] + all[2] < 3.f);
  }
}

}  // namespace comodal::tests
