// SPDX-License-Identifier: Apache-2.0
// The steps of a preparation and their inverse, for every orientation of the axes: no voxel lands elsewhere.
#define BOOST_TEST_MODULE data_preparation
#include <comodal/data/preparation.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>

namespace comodal::tests {
namespace {

// All 48 ways to store a grid of axes with a tilt: permutations and flips, sizes 5, 6 and 7 along R, A and S.
std::vector<geometry> all_orientations() {
  std::vector<geometry> out;
  std::array<std::size_t, 3> axis{0, 1, 2};
  const std::array<point3, 3> direction{{{1, 0.1, 0}, {-0.1, 1.5, 0.2}, {0, -0.2, 2}}};
  const std::array<index, 3> size{5, 6, 7};
  do {
    for (unsigned flips = 0; flips < 8; ++flips) {
      geometry g;
      for (std::size_t a = 0; a < 3; ++a) {
        g.size[a] = size[axis[a]];
        for (std::size_t r = 0; r < 3; ++r) g.affine[r][a] = (flips >> a & 1 ? -1 : 1) * direction[axis[a]][r];
      }
      g.affine[0][3] = 3, g.affine[1][3] = -4, g.affine[2][3] = 5;
      out.push_back(g);
    }
  } while (std::next_permutation(axis.begin(), axis.end()));
  return out;
}

case_preparation prepared(const geometry& g) {
  case_preparation p(g);
  p.add(orient_step{});
  p.add(crop_step{{{1, 0, 2}, {4, 5, 7}}});
  p.add(normalise_step{{{}, {-1e300, 40, 20, 2, false}}});
  return p;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_voxel_keeps_its_millimetres_there_and_back) {
  const auto grids = all_orientations();
  BOOST_REQUIRE_EQUAL(grids.size(), 48);
  for (const geometry& g : grids) {
    const case_preparation p = prepared(g);
    BOOST_TEST_CONTEXT(orientation_code(g)) {
      BOOST_TEST(orientation_code(p.prepared()) == "RAS");
      BOOST_TEST((p.prepared().size == std::array<index, 3>{3, 5, 5}));
      label_volume label{g, {}};
      image_volume image{g, {}};
      for (index v = 0; v < g.voxels(); ++v) {
        label.values.push_back(static_cast<std::uint8_t>(1 + v));
        image.values.push_back(static_cast<float>(v));
      }
      const label_volume there = p.label(label), back = restore(there, p);
      const image_volume plain = p.image(image, 0), scaled = p.image(image, 1);
      const affine3x4 way = compose(inverse(p.prepared().affine), g.affine);
      for (index k = 0; k < g.size[2]; ++k)
        for (index j = 0; j < g.size[1]; ++j)
          for (index i = 0; i < g.size[0]; ++i) {
            const point3 q = transform(way, {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)});
            const std::array<index, 3> v{std::lround(q[0]), std::lround(q[1]), std::lround(q[2])};
            const bool inside = v[0] >= 0 && v[0] < 3 && v[1] >= 0 && v[1] < 5 && v[2] >= 0 && v[2] < 5;
            BOOST_REQUIRE_EQUAL(back.at(i, j, k), inside ? label.at(i, j, k) : 0);
            if (!inside) continue;
            BOOST_REQUIRE_EQUAL(there.at(v[0], v[1], v[2]), label.at(i, j, k));
            BOOST_REQUIRE_EQUAL(plain.at(v[0], v[1], v[2]), image.at(i, j, k));
            BOOST_REQUIRE_EQUAL(scaled.at(v[0], v[1], v[2]), (std::min(image.at(i, j, k), 40.f) - 20) / 2);
          }
      BOOST_TEST((restore(there, p).geometry.affine == g.affine));
    }
  }
}

BOOST_AUTO_TEST_CASE(steps_are_recorded_with_their_grids) {
  const geometry g = all_orientations()[13];
  const case_preparation p = prepared(g);
  BOOST_REQUIRE_EQUAL(p.steps().size(), 3);
  BOOST_TEST(std::holds_alternative<orient_step>(p.steps()[0]));
  BOOST_TEST((p.original().affine == g.affine));
  BOOST_TEST((p.canonical().size == std::array<index, 3>{5, 6, 7}));
  // An image that was oriented already takes the other steps alone.
  const image_volume image{g, std::vector<float>(static_cast<std::size_t>(g.voxels()), 30)};
  BOOST_TEST((p.image(to_canonical(image), 1, 1).values == std::vector<float>(75, 5)));
  const image_volume probability{p.prepared(), std::vector<float>(75, 0.25f)};
  const auto outside = restore(probability, p, 1.f).values;
  BOOST_TEST(std::count(outside.begin(), outside.end(), 0.25f) == 75);
  BOOST_TEST(std::count(outside.begin(), outside.end(), 1.f) == g.voxels() - 75);
}

// However a case is stored, the prepared volumes are the same, and a mask lands on the same millimetres.
BOOST_AUTO_TEST_CASE(resampling_does_not_depend_on_the_orientation) {
  for (const std::array<double, 3>& spacing :
       std::vector<std::array<double, 3>>{{1, 1, 1}, {0.7, 2.1, 1.3}, {0, 0.4, 5}}) {
    std::vector<float> image_expected;
    std::vector<std::uint8_t> label_expected, back_expected;
    geometry prepared_expected;
    for (const geometry& g : all_orientations()) {
      case_preparation p(g);
      p.add(orient_step{});
      p.add(resample_step{resampling_to(p.prepared(), spacing)});
      BOOST_TEST_CONTEXT(orientation_code(g) << ", " << spacing[0] << " x " << spacing[1] << " x " << spacing[2]) {
        // Values by millimetres: the same patient in each orientation.
        const auto canonical = to_canonical(g);
        volume<index> numbers{g, {}};
        for (index v = 0; v < g.voxels(); ++v) numbers.values.push_back(v);
        const auto order = to_canonical(numbers).values;
        label_volume label{g, std::vector<std::uint8_t>(order.size())};
        image_volume image{g, std::vector<float>(order.size())};
        for (std::size_t v = 0; v < order.size(); ++v) {
          const auto at = static_cast<std::size_t>(order[v]);
          image.values[at] = static_cast<float>(std::sin(0.9 * static_cast<double>(v)));
          label.values[at] = static_cast<std::uint8_t>(image.values[at] > 0.3f ? 2 : image.values[at] > -0.2f ? 5 : 0);
        }
        const auto there = p.label(label);
        const auto back = to_canonical(restore(there, p)).values;
        BOOST_TEST((restore(there, p).geometry.affine == g.affine));
        if (image_expected.empty()) {
          image_expected = p.image(image, 0).values;
          label_expected = there.values;
          back_expected = back;
          prepared_expected = p.prepared();
        }
        BOOST_TEST((p.image(image, 0).values == image_expected));
        BOOST_TEST((there.values == label_expected));
        BOOST_TEST((back == back_expected));
        BOOST_TEST((p.prepared().size == prepared_expected.size));
        BOOST_TEST((p.results().size == canonical.size));
        // What is on the grid of results is not resampled on its way.
        BOOST_TEST((restore(to_canonical(label), p).values == label.values));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(volumes_on_other_grids_are_refused) {
  const geometry g = all_orientations()[0];
  const case_preparation p = prepared(g);
  const auto volume_on = [](const geometry& grid) {
    return label_volume{grid, std::vector<std::uint8_t>(static_cast<std::size_t>(grid.voxels()))};
  };
  geometry mirrored = g;
  mirrored.affine[0][0] *= -1;
  BOOST_CHECK_EXCEPTION(static_cast<void>(p.label(volume_on(mirrored))), geometry_error,
                        test::says("the volume is not on the case's grid: orientation LAS, expected RAS"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(restore(volume_on(g), p)), geometry_error, test::says("size 5 x 6 x 7"));
  geometry turned = p.prepared();
  turned.affine[1][1] *= -1;
  BOOST_CHECK_EXCEPTION(static_cast<void>(restore(volume_on(turned), p)), geometry_error,
                        test::says("orientation RPS, expected RAS"));
  label_volume short_one = volume_on(g);
  short_one.values.pop_back();
  BOOST_CHECK_EXCEPTION(static_cast<void>(p.label(short_one)), geometry_error,
                        test::says("209 values for a grid of 210"));
  case_preparation out_of_box(g);
  BOOST_CHECK_EXCEPTION(out_of_box.add(crop_step{{{0, 0, 0}, {6, 6, 7}}}), geometry_error, test::says("axis 0"));
  BOOST_TEST(out_of_box.steps().empty());
}

}  // namespace comodal::tests
