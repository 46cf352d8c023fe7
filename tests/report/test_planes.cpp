// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_planes
#include <boost/test/unit_test.hpp>

#include <comodal/report/planes.hpp>

#include <report/scene.hpp>

using namespace comodal;

namespace {

std::string letters_of(const plane_view& view) {
  const auto l = view.letters();
  return {l.begin(), l.end()};
}

}  // namespace

BOOST_AUTO_TEST_CASE(sides_of_the_pictures) {
  const tests::scene s;
  BOOST_TEST(letters_of(plane_view(s.truth.geometry, slice_plane::axial)) == "RLAP");
  BOOST_TEST(letters_of(plane_view(s.truth.geometry, slice_plane::coronal)) == "RLSI");
  BOOST_TEST(letters_of(plane_view(s.truth.geometry, slice_plane::sagittal)) == "APSI");
  BOOST_TEST(display_convention.find("right (R) is on the left") != std::string_view::npos);
}

// One voxel at the patient's right, in front and above: next to the letters R, A and S, whatever order it is stored in.
BOOST_AUTO_TEST_CASE(a_voxel_is_next_to_the_letters_of_its_sides_in_every_stored_order) {
  label_volume ras{{{5, 7, 9}, {{{2, 0, 0, -3}, {0, 3, 0, 5}, {0, 0, 4, 7}}}}, std::vector<std::uint8_t>(315)};
  ras.at(4, 6, 8) = 1;
  std::array<std::size_t, 3> order{0, 1, 2};
  int tried = 0;
  do
    for (unsigned flips = 0; flips < 8; ++flips, ++tried) {
      const label_volume stored = tests::stored_as(ras, order, {(flips & 1) != 0, (flips & 2) != 0, (flips & 4) != 0});
      const label_volume back = to_canonical(stored);
      for (const slice_plane plane : slice_planes) {
        const plane_view view(back.geometry, plane);
        const auto sides = view.letters();
        const voxel_place last{4, 6, 8};
        for (comodal::index y = 0; y < view.height(); ++y)
          for (comodal::index x = 0; x < view.width(); ++x) {
            const auto p = view.voxel(x, y, last[view.through()]);
            if (back.at(p[0], p[1], p[2]) == 0) continue;
            BOOST_TEST((x == 0                  ? sides[0]
                        : x == view.width() - 1 ? sides[1]
                                                : '?') == (plane == slice_plane::sagittal ? 'A' : 'R'));
            BOOST_TEST((y == 0                   ? sides[2]
                        : y == view.height() - 1 ? sides[3]
                                                 : '?') == (plane == slice_plane::axial ? 'A' : 'S'));
          }
      }
    }
  while (std::next_permutation(order.begin(), order.end()));
  BOOST_TEST(tried == 48);
}

BOOST_AUTO_TEST_CASE(sizes_are_those_of_the_axes) {
  const tests::scene s;  // 12 x 10 x 8 voxels of 1 x 2 x 4 mm
  const plane_view axial(s.truth.geometry, slice_plane::axial), coronal(s.truth.geometry, slice_plane::coronal),
      sagittal(s.truth.geometry, slice_plane::sagittal);
  BOOST_TEST((axial.width() == 12 && axial.height() == 10 && axial.slices() == 8));
  BOOST_TEST((coronal.width() == 12 && coronal.height() == 8 && coronal.slices() == 10));
  BOOST_TEST((sagittal.width() == 10 && sagittal.height() == 8 && sagittal.slices() == 12));
  BOOST_TEST((axial.pixel_width() == 1 && axial.pixel_height() == 2));
  BOOST_TEST((coronal.pixel_width() == 1 && coronal.pixel_height() == 4));
  BOOST_TEST((sagittal.pixel_width() == 2 && sagittal.pixel_height() == 4));
  BOOST_TEST((axial.voxel(0, 0, 3) == voxel_place{11, 9, 3}));
  BOOST_TEST((coronal.voxel(1, 0, 3) == voxel_place{10, 3, 7}));
  BOOST_TEST((sagittal.voxel(0, 2, 3) == voxel_place{3, 9, 5}));
}

BOOST_AUTO_TEST_CASE(other_orders_are_refused) {
  const tests::scene s;
  const auto lps = tests::stored_as(s.truth, {0, 1, 2}, {true, true, false});
  BOOST_CHECK_EXCEPTION(plane_view(lps.geometry, slice_plane::axial), geometry_error, [](const geometry_error& e) {
    return std::string(e.what()).find("in LPS order, expected RAS") != std::string::npos;
  });
  BOOST_CHECK_THROW(plane_view(geometry{{0, 1, 1}, s.truth.geometry.affine}, slice_plane::axial), geometry_error);
}

BOOST_AUTO_TEST_CASE(tilt_is_an_angle) {
  geometry g{{4, 4, 4}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}}};
  BOOST_TEST(tilt_of(g) == 0);
  const double c = std::cos(0.2), s = std::sin(0.2);
  g.affine = {{{c, -s, 0, 0}, {s, c, 0, 0}, {0, 0, 1, 0}}};
  BOOST_TEST(std::abs(tilt_of(g) - 11.459) < 0.001);
}
