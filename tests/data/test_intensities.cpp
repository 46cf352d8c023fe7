// SPDX-License-Identifier: Apache-2.0
// Contrast, gammas that keep mean and deviation, and low resolution against PyTorch and NumPy
// (tests/reference/make_augment.py) and closed forms.
#define BOOST_TEST_MODULE data_intensities
#include <comodal/data/intensities.hpp>

#include <boost/test/unit_test.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <limits>

namespace comodal::tests {
namespace {

nlohmann::json golden() {
  std::ifstream file(COMODAL_TEST_DATA "/augment.json");
  return nlohmann::json::parse(file);
}

void compare(const std::vector<float>& found, const nlohmann::json& expected, double within) {
  const auto wanted = expected.get<std::vector<double>>();
  BOOST_REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    BOOST_TEST(std::abs(static_cast<double>(found[i]) - wanted[i]) < within,
               "voxel " << i << " is " << found[i] << ", expected " << wanted[i]);
}

/// Values whose mean is exact: -3 to 4 in an order that is none.
std::vector<float> eight() { return {3, -3, 0, 4, -1, 2, -2, 1}; }

}  // namespace

BOOST_AUTO_TEST_CASE(contrast_agrees_with_numpy) {
  const auto data = golden();
  BOOST_TEST(data["contrast"].size() == 4u);
  for (const auto& one : data["contrast"]) {
    auto values = data["values"].get<std::vector<float>>();
    change_contrast(values, one["factor"].get<float>());
    compare(values, one["result"], 2e-6);
  }
}

BOOST_AUTO_TEST_CASE(contrast_keeps_the_range) {
  auto values = eight();
  change_contrast(values, 2);  // about 0.5; the ends would be at -6.5 and 7.5
  const std::vector<float> expected{4, -3, -0.5, 4, -2.5, 3.5, -3, 1.5};
  for (std::size_t i = 0; i < 8; ++i) BOOST_TEST(values[i] == expected[i]);
  auto flat = eight();
  change_contrast(flat, 0);
  for (const float v : flat) BOOST_TEST(v == 0.5f);
}

BOOST_AUTO_TEST_CASE(retained_gamma_agrees_with_numpy) {
  const auto data = golden();
  BOOST_TEST(data["gamma"].size() == 6u);
  for (const auto& one : data["gamma"]) {
    auto values = data["values"].get<std::vector<float>>();
    apply_retained_gamma(values, one["gamma"].get<float>(),
                         one["negative"].get<bool>() ? gamma_of::negative : gamma_of::values);
    compare(values, one["result"], 1e-5);
  }
}

BOOST_AUTO_TEST_CASE(retained_gamma_keeps_moments_and_order) {
  for (const gamma_of side : {gamma_of::values, gamma_of::negative}) {
    random_stream random(1, random_purpose::test);
    std::vector<float> values(3000);
    for (float& v : values) v = static_cast<float>(random.normal(2, 3));
    const auto original = values;
    const auto before = detail::moments_of(values);
    apply_retained_gamma(values, 1.4f, side);
    const auto after = detail::moments_of(values);
    BOOST_TEST(std::abs(after.mean - before.mean) < 1e-5);
    BOOST_TEST(std::abs(after.deviation - before.deviation) < 1e-5);
    for (std::size_t i = 1; i < values.size(); ++i)
      BOOST_REQUIRE((values[i] < values[i - 1]) == (original[i] < original[i - 1]));
    // Above 1, a gamma spreads bright values; on the negative it spreads dark ones.
    const double bright = after.high - after.mean, dark = after.mean - after.low;
    BOOST_TEST((bright > before.high - before.mean) == (side == gamma_of::values));
    BOOST_TEST((dark > before.mean - before.low) == (side == gamma_of::negative));
  }
}

BOOST_AUTO_TEST_CASE(low_resolution_agrees_with_pytorch) {
  const auto data = golden();
  const auto size = data["size"].get<extent3>();
  BOOST_TEST(data["low_resolution"].size() == 6u);
  for (const auto& one : data["low_resolution"]) {
    auto values = data["values"].get<std::vector<float>>();
    lower_resolution(values, size, one["coarse"].get<extent3>());
    compare(values, one["result"], 2e-6);
  }
}

BOOST_AUTO_TEST_CASE(low_resolution_of_half_the_voxels_is_known) {
  // Of 0 1 2 3 the second and the fourth voxel stay (nearest to 1 and 3 in units of voxels), at 0.5 and 2.5.
  std::vector<float> line{0, 1, 2, 3};
  lower_resolution(line, {1, 1, 4}, {1, 1, 2});
  const std::vector<float> expected{1, 1.5, 2.5, 3};
  for (std::size_t i = 0; i < 4; ++i) BOOST_TEST(line[i] == expected[i]);
  std::vector<float> column{0, 1, 2, 3};
  lower_resolution(column, {4, 1, 1}, {2, 1, 1});
  for (std::size_t i = 0; i < 4; ++i) BOOST_TEST(column[i] == expected[i]);
}

BOOST_AUTO_TEST_CASE(constant_crops_stay_and_nothing_becomes_nan) {
  const extent3 size{3, 4, 5};
  const auto change_all = [&](std::vector<float> values) {
    change_contrast(values, 1.25f);
    apply_retained_gamma(values, 0.7f, gamma_of::values);
    apply_retained_gamma(values, 1.5f, gamma_of::negative);
    lower_resolution(values, size, {2, 2, 3});
    return values;
  };
  for (const float v : change_all(std::vector<float>(60, 2.5f))) BOOST_TEST(v == 2.5f);
  std::vector<float> spike(60, 1.f);
  spike[17] = 1e6f;
  for (const float v : change_all(spike)) BOOST_TEST(std::isfinite(v));
  std::vector<float> tiny(60, 1.f);
  tiny[17] = 1.f + 5e-7f;
  for (const float v : change_all(tiny)) BOOST_TEST(std::isfinite(v));
  std::vector<float> none, one{3};
  change_contrast(none, 2);
  apply_retained_gamma(none, 2, gamma_of::negative);
  change_contrast(one, 2);
  apply_retained_gamma(one, 2, gamma_of::negative);
  lower_resolution(one, {1, 1, 1}, {1, 1, 1});
  BOOST_TEST(one[0] == 3.f);
}

}  // namespace comodal::tests
