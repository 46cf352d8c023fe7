// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_box
#include <comodal/data/box.hpp>

#include <boost/test/unit_test.hpp>

#include <numeric>

namespace comodal::tests {
namespace {

label_volume counted() {
  label_volume v{{{5, 4, 3}, {{{2, 0, 0, 1}, {0, 0, 3, 2}, {0, -1, 0, 3}}}}, std::vector<std::uint8_t>(60)};
  std::iota(v.values.begin(), v.values.end(), std::uint8_t{1});
  return v;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bounding_box_holds_every_voxel) {
  label_volume v{{{5, 4, 3}, {}}, std::vector<std::uint8_t>(60)};
  BOOST_CHECK(bounding_box(v).empty());
  v.at(1, 3, 0) = 1;
  BOOST_CHECK((bounding_box(v) == box{{1, 3, 0}, {2, 4, 1}}));
  v.at(4, 1, 2) = 7;
  BOOST_CHECK((bounding_box(v) == box{{1, 1, 0}, {5, 4, 3}}));
  BOOST_CHECK((bounding_box(counted()) == whole(v.geometry)));
}

BOOST_AUTO_TEST_CASE(margins_stop_at_the_border) {
  const geometry g{{5, 4, 3}, {}};
  BOOST_CHECK((grown({{2, 1, 1}, {3, 2, 2}}, 1, g) == box{{1, 0, 0}, {4, 3, 3}}));
  BOOST_CHECK((grown({{2, 1, 1}, {3, 2, 2}}, 9, g) == whole(g)));
}

BOOST_AUTO_TEST_CASE(crop_keeps_the_place_of_voxels) {
  const label_volume v = counted();
  const box b{{1, 0, 1}, {4, 3, 3}};
  const label_volume part = crop(v, b);
  BOOST_CHECK((part.geometry.size == std::array<index, 3>{3, 3, 2}));
  for (index k = 0; k < 2; ++k)
    for (index j = 0; j < 3; ++j)
      for (index i = 0; i < 3; ++i) {
        BOOST_CHECK_EQUAL(part.at(i, j, k), v.at(i + 1, j, k + 1));
        const auto d = [](index n) { return static_cast<double>(n); };
        BOOST_CHECK((transform(part.geometry.affine, {d(i), d(j), d(k)}) ==
                     transform(v.geometry.affine, {d(i + 1), d(j), d(k + 1)})));
      }
  const label_volume back = uncrop(part, b, v.geometry, std::uint8_t{99});
  for (index k = 0; k < 3; ++k)
    for (index j = 0; j < 4; ++j)
      for (index i = 0; i < 5; ++i) {
        const bool inside = i >= 1 && i < 4 && j < 3 && k >= 1;
        BOOST_CHECK_EQUAL(back.at(i, j, k), inside ? v.at(i, j, k) : 99);
      }
  BOOST_CHECK(back.geometry.affine == v.geometry.affine);
}

BOOST_AUTO_TEST_CASE(boxes_outside_are_refused) {
  const label_volume v = counted();
  BOOST_CHECK_THROW(static_cast<void>(crop(v, box{{0, 0, 0}, {6, 4, 3}})), geometry_error);
  BOOST_CHECK_THROW(static_cast<void>(crop(v, box{{-1, 0, 0}, {5, 4, 3}})), geometry_error);
  BOOST_CHECK_THROW(static_cast<void>(crop(v, box{})), geometry_error);
  BOOST_CHECK_THROW(static_cast<void>(uncrop(v, box{{0, 0, 0}, {4, 4, 3}}, v.geometry)), geometry_error);
}

}  // namespace comodal::tests
