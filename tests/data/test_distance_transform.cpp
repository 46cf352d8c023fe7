// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_distance_transform
#include <comodal/core/random.hpp>
#include <comodal/data/distance_transform.hpp>
#include <comodal/data/signed_distance.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(the_distance_transform_agrees_with_a_search) {
  const std::array<index, 3> size{13, 9, 11};
  const std::array<double, 3> spacing{0.7, 1.3, 5};
  random_stream random(5, random_purpose::test);
  for (const double density : {0.002, 0.02, 0.3}) {
    std::vector<std::uint8_t> feature(static_cast<std::size_t>(size[0] * size[1] * size[2]));
    for (auto& f : feature) f = random.chance(density);
    feature[700] = 1;
    const std::vector<double> squares = squared_distance(feature, size, spacing);
    double worst = 0;
    for (index a = 0; a < static_cast<index>(feature.size()); ++a) {
      double best = 1e300;
      for (index b = 0; b < static_cast<index>(feature.size()); ++b) {
        if (!feature[static_cast<std::size_t>(b)]) continue;
        const double x = static_cast<double>(a % 13 - b % 13) * 0.7,
                     y = static_cast<double>(a / 13 % 9 - b / 13 % 9) * 1.3,
                     z = static_cast<double>(a / 117 - b / 117) * 5;
        best = std::min(best, x * x + y * y + z * z);
      }
      worst = std::max(worst, std::abs(best - squares[static_cast<std::size_t>(a)]));
    }
    BOOST_TEST(worst < 1e-10);
    // Where nothing is wanted nothing is promised; elsewhere every bit is the same.
    std::vector<std::uint8_t> wanted(feature.size());
    for (auto& w : wanted) w = random.chance(0.01);
    const std::vector<double> some = squared_distance(feature, size, spacing, wanted);
    for (std::size_t i = 0; i < wanted.size(); ++i) BOOST_TEST((!wanted[i] || some[i] == squares[i]));
  }
  const std::vector<std::uint8_t> eight(8), seven(7);
  BOOST_CHECK_EXCEPTION(static_cast<void>(squared_distance(eight, {2, 2, 2}, {1, 1, 1}, seven)), shape_error,
                        test::says("7 voxels are wanted of 8"));
  const std::vector<double> none = squared_distance(std::vector<std::uint8_t>(8), {2, 2, 2}, {1, 1, 1});
  BOOST_TEST(std::isinf(none[3]));
  BOOST_CHECK_EXCEPTION(static_cast<void>(squared_distance(std::vector<std::uint8_t>(7), {2, 2, 2}, {1, 1, 1})),
                        shape_error, test::says("7 voxels for 2 x 2 x 2"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(squared_distance(std::vector<std::uint8_t>(8), {2, 2, 2}, {1, 0, 1})),
                        geometry_error, test::says("spacing 0 mm"));
}

// A field (D, H, W) by its definition.
std::vector<float> searched(const std::vector<std::uint8_t>& mask, const extent3& size) {
  const auto place = [&](std::size_t i) {
    const auto at = static_cast<index>(i);
    return std::array<index, 3>{at / size[2] / size[1], at / size[2] % size[1], at % size[2]};
  };
  std::vector<double> nearest(mask.size(), 1e300);  // the nearest voxel of the other side
  std::vector<bool> shares_face(mask.size());
  double furthest = 0, deepest = 0;
  for (std::size_t a = 0; a < mask.size(); ++a) {
    for (std::size_t b = 0; b < mask.size(); ++b) {
      if ((mask[a] != 0) == (mask[b] != 0)) continue;
      double square = 0;
      for (std::size_t axis = 0; axis < 3; ++axis) square += std::pow(place(a)[axis] - place(b)[axis], 2);
      nearest[a] = std::min(nearest[a], std::sqrt(square));
      shares_face[a] = shares_face[a] || square == 1;
    }
    double& most = mask[a] != 0 ? deepest : furthest;
    most = std::max(most, nearest[a]);
  }
  std::vector<float> field(mask.size());
  for (std::size_t a = 0; a < mask.size(); ++a)
    field[a] = static_cast<float>(mask[a] == 0 ? nearest[a] / furthest : shares_face[a] ? 0 : -nearest[a] / deepest);
  return field;
}

BOOST_AUTO_TEST_CASE(signed_distances_agree_with_a_search) {
  const extent3 size{7, 9, 8};
  std::vector<std::uint8_t> mask(7 * 9 * 8);
  std::vector<float> field(mask.size());
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const std::size_t d = i / 72, h = i / 8 % 9, w = i % 8;
    mask[i] = d >= 1 && d < 6 && h >= 2 && w < 5 && !(d == 3 && h == 8) ? 3 : 0;  // a block at two faces of the crop
  }
  signed_distance(mask, size, field);
  const auto expected = searched(mask, size);
  for (std::size_t i = 0; i < mask.size(); ++i) BOOST_TEST(std::fabs(field[i] - expected[i]) < 1e-6f, i);
  BOOST_TEST(*std::min_element(field.begin(), field.end()) == -1.f);
  BOOST_TEST(*std::max_element(field.begin(), field.end()) == 1.f);
  // A plate one voxel thick is boundary alone.
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = i / 72 == 3;
  signed_distance(mask, size, field);
  for (std::size_t i = 0; i < mask.size(); ++i) BOOST_TEST(field[i] == std::fabs(static_cast<float>(i / 72) - 3) / 3);
}

BOOST_AUTO_TEST_CASE(a_mask_without_a_boundary_is_far_away_or_deep_inside) {
  std::vector<std::uint8_t> mask(12, 0);
  std::vector<float> field(12, 7.f);
  signed_distance(mask, {2, 2, 3}, field);
  BOOST_TEST(field == std::vector<float>(12, 1.f), boost::test_tools::per_element());
  std::fill(mask.begin(), mask.end(), std::uint8_t{2});
  signed_distance(mask, {2, 2, 3}, field);
  BOOST_TEST(field == std::vector<float>(12, -1.f), boost::test_tools::per_element());
  BOOST_CHECK_EXCEPTION(signed_distance(mask, {2, 2, 2}, field), shape_error,
                        test::says("a mask of 12 and a field of 12 voxels, expected 2 x 2 x 2"));
}

}  // namespace comodal::tests
