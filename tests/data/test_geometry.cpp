// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_geometry
#include <comodal/data/geometry.hpp>

#include <boost/test/unit_test.hpp>

#include <numeric>

namespace comodal::tests {
namespace {

geometry grid(std::array<index, 3> size, affine3x4 affine) { return {size, affine}; }

const affine3x4 oblique{{{1.9, 0.3, -0.2, 10}, {-0.4, 0.9, 0.5, -3}, {0.1, -0.2, 2.8, 7}}};

label_volume counted(const geometry& g) {
  label_volume v{g, std::vector<std::uint8_t>(static_cast<std::size_t>(g.voxels()))};
  std::iota(v.values.begin(), v.values.end(), std::uint8_t{1});
  return v;
}

}  // namespace

BOOST_AUTO_TEST_CASE(inverse_undoes_the_affine) {
  const affine3x4 one = compose(inverse(oblique), oblique), two = compose(oblique, inverse(oblique));
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 4; ++c) {
      BOOST_CHECK_SMALL(one[r][c] - (r == c), 1e-12);
      BOOST_CHECK_SMALL(two[r][c] - (r == c), 1e-12);
    }
  const point3 p = transform(oblique, {1, 2, 3});
  BOOST_CHECK_CLOSE(p[0], 10 + 1.9 + 0.6 - 0.6, 1e-10);
  BOOST_CHECK_THROW(static_cast<void>(inverse({{{1, 2, 0, 0}, {2, 4, 0, 0}, {0, 0, 1, 0}}})), geometry_error);
  BOOST_CHECK_THROW(static_cast<void>(canonical_axes(grid({2, 2, 2}, {}))), geometry_error);
}

BOOST_AUTO_TEST_CASE(composition_applies_the_second_first) {
  const affine3x4 shift{{{1, 0, 0, 5}, {0, 1, 0, 6}, {0, 0, 1, 7}}}, turn{{{0, -1, 0, 0}, {1, 0, 0, 0}, {0, 0, 1, 0}}};
  const point3 p = transform(compose(shift, turn), {1, 0, 0});
  BOOST_CHECK_EQUAL(p[0], 5);
  BOOST_CHECK_EQUAL(p[1], 7);
  BOOST_CHECK_EQUAL(p[2], 7);
}

BOOST_AUTO_TEST_CASE(every_orientation_goes_to_ras_and_back) {
  const point3 probe{1, 2, 3};
  std::array<std::size_t, 3> p{0, 1, 2};
  do {
    for (int signs = 0; signs < 8; ++signs) {
      affine3x4 a{};
      std::string code = "???";
      for (std::size_t c = 0; c < 3; ++c) {
        a[p[c]][c] = (signs >> c & 1 ? -1.0 : 1.0) * static_cast<double>(c + 1);
        a[c][3] = static_cast<double>(c) - 4;
        code[c] = (signs >> c & 1 ? "LPI" : "RAS")[p[c]];
      }
      const label_volume v = counted(grid({4, 5, 6}, a));
      BOOST_CHECK_EQUAL(orientation_code(v.geometry), code);
      const label_volume canonical = to_canonical(v);
      BOOST_CHECK_EQUAL(orientation_code(canonical.geometry), "RAS");
      // The voxel at the same millimetres holds the same value.
      const point3 q = transform(compose(inverse(canonical.geometry.affine), v.geometry.affine), probe);
      BOOST_CHECK_EQUAL(canonical.at(std::lround(q[0]), std::lround(q[1]), std::lround(q[2])), v.at(1, 2, 3));
      const label_volume back = from_canonical(canonical, v.geometry);
      BOOST_CHECK(back.values == v.values);
      BOOST_CHECK(back.geometry.affine == v.geometry.affine);
      BOOST_CHECK(back.geometry.size == v.geometry.size);
    }
  } while (std::next_permutation(p.begin(), p.end()));
}

BOOST_AUTO_TEST_CASE(a_canonical_grid_of_another_size_is_refused) {
  const geometry g = grid({4, 5, 6}, {{{0, 1, 0, 0}, {1, 0, 0, 0}, {0, 0, 1, 0}}});
  BOOST_CHECK_THROW(
      static_cast<void>(from_canonical(counted(grid({4, 5, 6}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}})), g)),
      geometry_error);
}

BOOST_AUTO_TEST_CASE(voxel_sizes_are_compared_with_the_median) {
  const auto grid = [](double i, double j, double k) {
    return geometry{{4, 4, 4}, {{{i, 0, 0, 0}, {0, -j, 0, 0}, {0, 0, k, 0}}}};
  };
  BOOST_CHECK((median_spacing({}) == std::array<double, 3>{0, 0, 0}));
  BOOST_CHECK((median_spacing({grid(1, 2, 9)}) == std::array<double, 3>{1, 2, 9}));
  BOOST_CHECK((median_spacing({grid(3, 2, 9), grid(1, 4, 9), grid(2, 3, 1)}) == std::array<double, 3>{2, 3, 9}));
  BOOST_CHECK((median_spacing({grid(3, 2, 9), grid(1, 4, 8)}) == std::array<double, 3>{1, 2, 8}));
  const std::array<double, 3> trained{1, 1, 2};
  for (const double same : {0.81, 1.0, 1.24}) BOOST_CHECK(spacing_warning(grid(same, 1, 2), trained).empty());
  for (const double other : {0.5, 0.79, 1.26, 2.0})
    BOOST_CHECK(spacing_warning(grid(1, other, 2), trained).starts_with("has voxels of 1 x "));
  BOOST_CHECK(!spacing_warning(grid(2, 1, 1), trained).empty());
  BOOST_CHECK(spacing_warning(grid(9, 9, 9), {}).empty());
}

BOOST_AUTO_TEST_CASE(grids_are_compared_in_words) {
  const geometry g = grid({10, 11, 12}, oblique);
  BOOST_CHECK_EQUAL(grid_difference(g, g), "");
  geometry other = g;
  for (auto& row : other.affine)
    for (double& v : row) v *= 1 + 5e-4;
  BOOST_CHECK(same_grid(other, g));
  BOOST_CHECK(!same_grid(other, g, 1e-4));

  other = g;
  other.size[2] = 13;
  BOOST_CHECK_EQUAL(grid_difference(other, g), "size 10 x 11 x 13, expected 10 x 11 x 12");

  const geometry plain = grid({10, 11, 12}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 2, 0}}});
  other = plain;
  other.affine[2][2] = 3;
  BOOST_CHECK_EQUAL(grid_difference(other, plain), "spacing 1 x 1 x 3 mm, expected 1 x 1 x 2 mm");
  other = plain;
  other.affine[0][0] = -1;
  BOOST_CHECK_EQUAL(grid_difference(other, plain), "orientation LAS, expected RAS");
  other = plain;
  other.affine[1][3] = 0.5;
  BOOST_CHECK_EQUAL(grid_difference(other, plain), "origin (0, 0.5, 0) mm, expected (0, 0, 0) mm");
  other = plain;
  const double c = std::cos(0.1), s = std::sin(0.1);
  other.affine = {{{c, -s, 0, 0}, {s, c, 0, 0}, {0, 0, 2, 0}}};
  BOOST_CHECK_EQUAL(grid_difference(other, plain).substr(0, 21), "axes tilted by 5.7295");
  other = plain;
  other.size[0] = 1;
  other.affine[0][3] = 8;
  BOOST_CHECK_EQUAL(grid_difference(other, plain),
                    "size 1 x 11 x 12, expected 10 x 11 x 12; origin (8, 0, 0) mm, expected (0, 0, 0) mm");
}

}  // namespace comodal::tests
