// SPDX-License-Identifier: Apache-2.0
// Resampling against SciPy, and what must hold for every grid.
#define BOOST_TEST_MODULE data_resample
#include <comodal/core/runtime.hpp>
#include <comodal/data/resample.hpp>
#include <comodal/data/resample_onto.hpp>

#include <boost/test/unit_test.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

namespace comodal::tests {

nlohmann::json golden() {
  std::ifstream file(COMODAL_TEST_DATA "/resample.json");
  BOOST_REQUIRE(file);
  return nlohmann::json::parse(file);
}

struct golden_case {
  geometry grid;
  resampling to;
  explicit golden_case(const nlohmann::json& one) {
    grid.size = one.at("old").get<std::array<index, 3>>();
    to.size = one.at("new").get<std::array<index, 3>>();
    if (const int thick = one.at("thick"); thick >= 0) to.nearest[static_cast<std::size_t>(thick)] = true;
  }
};

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  BOOST_REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a[i] - b[i])));
  return most;
}

BOOST_AUTO_TEST_CASE(images_and_maps_are_those_of_scipy) {
  const auto all = golden();
  for (const auto& one : all.at("cases")) {
    const golden_case c(one);
    const image_volume image{c.grid, one.at("image")};
    const auto [low, high] = std::minmax_element(image.values.begin(), image.values.end());
    const double range = static_cast<double>(*high - *low);
    BOOST_TEST_CONTEXT("from " << c.grid.size[0] << " x " << c.grid.size[1] << " x " << c.grid.size[2]) {
      BOOST_TEST(largest_difference(resample_image(image, c.to).values, one.at("cubic")) < 1e-5 * range);
      BOOST_TEST(largest_difference(resample_linear(image, c.to).values, one.at("linear")) < 1e-5 * range);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_image_lands_on_another_grid_as_with_scipy) {
  const auto all = golden();
  for (const auto& one : all.at("onto")) {
    const image_volume image{{one.at("old"), one.at("source")}, one.at("image")};
    const geometry grid{one.at("new"), one.at("target")};
    const auto out = resample_onto(image, grid);
    BOOST_TEST((out.geometry.affine == grid.affine));
    const auto [low, high] = std::minmax_element(image.values.begin(), image.values.end());
    BOOST_TEST(largest_difference(out.values, one.at("values")) < 1e-4 * static_cast<double>(*high - *low));
    BOOST_TEST(std::count(out.values.begin(), out.values.end(), *low) + one.at("seen").get<index>() >= grid.voxels());
  }
  image_volume image{{{5, 4, 3}, {{{2, 0, 0, 1}, {0, -1, 0, 2}, {0, 0, 3, 4}}}}, std::vector<float>(60)};
  std::iota(image.values.begin(), image.values.end(), 0.f);
  const auto same = resample_onto(image, image.geometry).values;
  BOOST_TEST(largest_difference(same, image.values) < 1e-4);
  geometry singular = image.geometry;
  singular.affine[2][2] = 0;
  BOOST_CHECK_THROW((void)resample_onto({singular, image.values}, image.geometry), geometry_error);
}

BOOST_AUTO_TEST_CASE(labels_are_the_largest_indicator) {
  std::size_t voxels = 0, others = 0;
  const auto all = golden();
  for (const auto& one : all.at("cases")) {
    const golden_case c(one);
    const auto found = resample_labels({c.grid, one.at("labels")}, c.to).values;
    const std::vector<std::uint8_t> best = one.at("best"), threshold = one.at("threshold");
    BOOST_TEST(found == best, boost::test_tools::per_element());
    // nnU-Net's threshold leaves voxels at junctions of three labels to the background; elsewhere the rules agree.
    for (std::size_t v = 0; v < found.size(); ++v) {
      ++voxels;
      if (found[v] == threshold[v]) continue;
      ++others;
      BOOST_TEST(threshold[v] == 0);
    }
  }
  BOOST_TEST_MESSAGE(others << " of " << voxels << " voxels differ from nnU-Net's threshold");
  BOOST_TEST(others * 8 < voxels);
}

BOOST_AUTO_TEST_CASE(the_same_size_changes_nothing) {
  geometry grid;
  grid.size = {7, 5, 3};
  image_volume image{grid, std::vector<float>(105)};
  std::iota(image.values.begin(), image.values.end(), -3.f);
  const resampling to{grid.size, {}};
  BOOST_TEST((resample_image(image, to).values == image.values));
  BOOST_TEST((resample_linear(image, to).values == image.values));
  label_volume labels{grid, std::vector<std::uint8_t>(105)};
  for (std::size_t v = 0; v < 105; ++v) labels.values[v] = static_cast<std::uint8_t>(v * 7 % 5);
  BOOST_TEST((resample_labels(labels, to).values == labels.values));
}

// Middles of voxels keep their place in the patient: a ramp in millimetres stays one away from the edges.
BOOST_AUTO_TEST_CASE(grids_cover_the_same_extent) {
  geometry grid;
  grid.size = {20, 17, 12};
  grid.affine = {{{-0.9, 0.1, 0, 31}, {0.05, 1.2, 0.2, -20}, {0, -0.3, 2.5, 7}}};
  const resampling to = resampling_to(grid, {1.3, 0.8, 2});
  BOOST_TEST(to.size[0] == 14);  // 20 . 0.901 / 1.3
  const geometry after = resampled(grid, to);
  for (const bool end : {false, true}) {
    point3 before_corner{}, after_corner{};
    for (std::size_t a = 0; a < 3; ++a) {
      before_corner[a] = end ? static_cast<double>(grid.size[a]) - 0.5 : -0.5;
      after_corner[a] = end ? static_cast<double>(to.size[a]) - 0.5 : -0.5;
    }
    const auto p = transform(grid.affine, before_corner), q = transform(after.affine, after_corner);
    for (std::size_t r = 0; r < 3; ++r) BOOST_TEST(std::abs(p[r] - q[r]) < 1e-9);
  }
  image_volume ramp{grid, std::vector<float>(static_cast<std::size_t>(grid.voxels()))};
  const auto height = [](const affine3x4& affine, index i, index j, index k) {
    const auto p = transform(affine, {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)});
    return 2 * p[0] - p[1] + 0.5 * p[2];
  };
  for (index k = 0; k < grid.size[2]; ++k)
    for (index j = 0; j < grid.size[1]; ++j)
      for (index i = 0; i < grid.size[0]; ++i) ramp.at(i, j, k) = static_cast<float>(height(grid.affine, i, j, k));
  for (const auto& out : {resample_image(ramp, to), resample_linear(ramp, to)})
    for (index k = 3; k < to.size[2] - 3; ++k)
      for (index j = 8; j < to.size[1] - 8; ++j)
        for (index i = 4; i < to.size[0] - 4; ++i)
          BOOST_REQUIRE(std::abs(static_cast<double>(out.at(i, j, k)) - height(after.affine, i, j, k)) < 0.02);
}

BOOST_AUTO_TEST_CASE(a_thick_axis_takes_the_nearest_slice) {
  BOOST_TEST(thick_axis({1, 1, 3.1}) == 2);
  BOOST_TEST(thick_axis({5, 1, 1.2}) == 0);
  BOOST_TEST(thick_axis({1, 1, 3}) == -1);
  BOOST_TEST(thick_axis({1, 4, 4}) == -1);  // two axes are thick
  geometry grid;
  grid.size = {10, 10, 6};
  grid.affine = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 5, 0}}};
  BOOST_TEST((resampling_to(grid, {1, 1, 2}).nearest == std::array<bool, 3>{false, false, true}));
  grid.affine[2][2] = 2;
  BOOST_TEST((resampling_to(grid, {1, 1, 2}).nearest == std::array<bool, 3>{}));
  BOOST_TEST((resampling_to(grid, {0.5, 1, 2}).nearest == std::array<bool, 3>{false, false, true}));
  BOOST_TEST((resampling_to(grid, {0, 0, 0}).size == grid.size));
}

BOOST_AUTO_TEST_CASE(the_same_values_for_any_number_of_threads) {
  geometry grid;
  grid.size = {33, 29, 17};
  image_volume image{grid, std::vector<float>(static_cast<std::size_t>(grid.voxels()))};
  for (std::size_t v = 0; v < image.values.size(); ++v)
    image.values[v] = static_cast<float>(std::sin(0.37 * static_cast<double>(v)));
  const resampling to{{41, 20, 30}, {}};
  std::vector<float> expected;
  for (const index threads : {1, 2, 3}) {
    const host_threads_scope scope(threads);
    const auto found = resample_image(image, to).values;
    if (threads == 1) expected = found;
    BOOST_TEST((found == expected), threads << " threads");
  }
}

BOOST_AUTO_TEST_CASE(spacings_that_make_no_sense_are_refused) {
  geometry grid;
  grid.size = {10, 10, 10};
  for (const double wrong : {-1.0, std::nan(""), HUGE_VAL, 1e-4})
    BOOST_CHECK_THROW((void)resampling_to(grid, {1, wrong, 1}), config_error);
  BOOST_TEST((resampling_to(grid, {1000, 1, 1}).size == std::array<index, 3>{1, 10, 10}));
}

}  // namespace comodal::tests
