// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_crop
#include <comodal/data/crop.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>

namespace comodal::tests {
namespace {

const std::array<double, 3> unit{1, 1, 1};

struct source {
  extent3 size;
  std::vector<float> values;
  std::vector<std::uint8_t> labels;

  source(const extent3& s, const std::function<float(index, index, index)>& f) : size(s) {
    for (index d = 0; d < s[0]; ++d)
      for (index h = 0; h < s[1]; ++h)
        for (index w = 0; w < s[2]; ++w) {
          values.push_back(f(d, h, w));
          labels.push_back(static_cast<std::uint8_t>(1 + (d * 37 + h * 11 + w * 3) % 200));
        }
  }
  [[nodiscard]] bool has(const extent3& v) const {
    for (std::size_t a = 0; a < 3; ++a)
      if (v[a] < 0 || v[a] >= size[a]) return false;
    return true;
  }
  [[nodiscard]] std::size_t at(const extent3& v) const {
    return static_cast<std::size_t>((v[0] * size[1] + v[1]) * size[2] + v[2]);
  }
};

struct crop {
  std::vector<float> values;
  std::vector<std::uint8_t> labels;
};

crop take(const source& s, const crop_map& map, float outside = -5) {
  const auto count = static_cast<std::size_t>(map.patch[0] * map.patch[1] * map.patch[2]);
  crop c{std::vector<float>(count, 99.f), std::vector<std::uint8_t>(count, 99)};
  const std::array images{crop_layer<float>{s.values.data(), outside, c.values.data()}};
  const std::array labels{crop_layer<std::uint8_t>{s.labels.data(), 0, c.labels.data()}};
  extract_crop(s.size, map, images, labels);
  return c;
}

float noise(index d, index h, index w) {
  return static_cast<float>(
      random_stream(9, random_purpose::test, static_cast<std::uint32_t>((d * 64 + h) * 64 + w)).uniform(-1, 1));
}

// Every voxel of the crop is the voxel `place` of the volume, exactly; or outside.
template <class Place>
void check_voxels(const source& s, const crop_map& map, const Place& place) {
  const crop c = take(s, map);
  std::size_t v = 0, wrong = 0;
  for (index d = 0; d < map.patch[0]; ++d)
    for (index h = 0; h < map.patch[1]; ++h)
      for (index w = 0; w < map.patch[2]; ++w, ++v) {
        const extent3 p = place(d, h, w);
        const bool in = s.has(p);
        wrong += c.values[v] != (in ? s.values[s.at(p)] : -5.f) || c.labels[v] != (in ? s.labels[s.at(p)] : 0);
      }
  BOOST_TEST(wrong == 0u);
}

}  // namespace

BOOST_AUTO_TEST_CASE(copies_and_flips_are_exact) {
  const source s({9, 11, 13}, noise);
  for (const extent3 patch : {extent3{4, 5, 6}, extent3{12, 5, 20}, extent3{1, 1, 1}})
    for (const extent3 first : {extent3{2, 3, 4}, extent3{0, 0, 0}, extent3{-3, -1, -4}, extent3{7, 9, 10},
                                extent3{-30, 0, 0}, extent3{0, 0, 40}})
      for (int f = 0; f < 8; ++f) {
        const std::array<bool, 3> flip{(f & 1) != 0, (f & 2) != 0, (f & 4) != 0};
        const crop_map map = make_crop_map(patch, first, unit, flip, {0, 0, 0}, 1);
        BOOST_TEST(map.is_copy());
        check_voxels(s, map, [&](index d, index h, index w) {
          return extent3{first[0] + (flip[0] ? patch[0] - 1 - d : d), first[1] + (flip[1] ? patch[1] - 1 - h : h),
                         first[2] + (flip[2] ? patch[2] - 1 - w : w)};
        });
      }
}

BOOST_AUTO_TEST_CASE(a_quarter_turn_is_exact) {
  const source s({9, 12, 12}, noise);
  for (const index size : {6, 7, 16}) {
    const extent3 patch{5, size, size}, first{2, 3, 1};
    const crop_map map = make_crop_map(patch, first, unit, {}, {90, 0, 0}, 1);
    BOOST_TEST(!map.is_copy());
    check_voxels(s, map, [&](index d, index h, index w) {
      // (h, w) -> (-w, h) about the centre of the patch.
      return extent3{first[0] + d, first[1] + size - 1 - w, first[2] + h};
    });
  }
  const crop_map other = make_crop_map({6, 6, 6}, {1, 1, 1}, unit, {}, {0, 90, 0}, 1);
  check_voxels(s, other, [](index d, index h, index w) { return extent3{1 + w, 1 + h, 1 + 5 - d}; });
  const crop_map third = make_crop_map({6, 6, 6}, {1, 1, 1}, unit, {}, {0, 0, 180}, 1);
  check_voxels(s, third, [](index d, index h, index w) { return extent3{1 + 5 - d, 1 + 5 - h, 1 + w}; });
}

BOOST_AUTO_TEST_CASE(the_resampling_path_agrees_with_the_copy) {
  const source s({9, 11, 13}, noise);
  const crop_map copy = make_crop_map({6, 8, 10}, {-2, 1, 2}, unit, {}, {0, 0, 0}, 1);
  crop_map map = copy;
  map.matrix[0][1] = 1e-12;
  BOOST_TEST(!map.is_copy());
  const crop a = take(s, copy), b = take(s, map);
  BOOST_TEST(a.values == b.values, boost::test_tools::per_element());
  BOOST_TEST(a.labels == b.labels, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(interpolation_reproduces_a_linear_image) {
  const source s({30, 30, 40}, [](index d, index h, index w) { return static_cast<float>(2 * d - 3 * h + w); });
  const extent3 patch{10, 12, 16}, first{8, 8, 12};
  const std::array<double, 3> spacing{2, 1, 0.5};
  const crop_map map = make_crop_map(patch, first, spacing, {false, true, false}, {15, -8, 5}, 1.1);
  const crop c = take(s, map);
  double worst = 0;
  std::size_t v = 0;
  for (index d = 0; d < patch[0]; ++d)
    for (index h = 0; h < patch[1]; ++h)
      for (index w = 0; w < patch[2]; ++w, ++v) {
        const std::array<index, 3> p{d, h, w};
        std::array<double, 3> place{};
        for (std::size_t a = 0; a < 3; ++a) {
          place[a] = static_cast<double>(first[a]) + static_cast<double>(patch[a] - 1) / 2;
          for (std::size_t k = 0; k < 3; ++k)
            place[a] += map.matrix[a][k] * (static_cast<double>(p[k]) - static_cast<double>(patch[k] - 1) / 2);
        }
        worst = std::max(worst, std::abs(c.values[v] - (2 * place[0] - 3 * place[1] + place[2])));
        const extent3 nearest{std::lround(place[0]), std::lround(place[1]), std::lround(place[2])};
        double off = 0;
        for (std::size_t a = 0; a < 3; ++a) off = std::max(off, std::abs(place[a] - static_cast<double>(nearest[a])));
        if (off < 0.4999) BOOST_REQUIRE(c.labels[v] == s.labels[s.at(nearest)]);
      }
  BOOST_TEST(worst < 2e-4);
}

BOOST_AUTO_TEST_CASE(rotations_and_scales_are_in_millimetres) {
  const std::array<double, 3> spacing{3, 1, 0.5};
  const crop_map map = make_crop_map({8, 8, 8}, {0, 0, 0}, spacing, {}, {20, 30, -10}, 1.25);
  // In mm the matrix is a rotation divided by the scale: its columns are orthogonal and of length 1 / 1.25.
  for (std::size_t a = 0; a < 3; ++a)
    for (std::size_t b = 0; b < 3; ++b) {
      double dot = 0;
      for (std::size_t r = 0; r < 3; ++r)
        dot += map.matrix[r][a] * spacing[r] / spacing[a] * map.matrix[r][b] * spacing[r] / spacing[b];
      BOOST_TEST(std::abs(dot - (a == b ? 1 / (1.25 * 1.25) : 0)) < 1e-12);
    }
  const crop_map flat = make_crop_map({8, 8, 8}, {0, 0, 0}, spacing, {}, {12, 0, 0}, 1);
  BOOST_TEST(flat.matrix[0][0] == 1);
  BOOST_TEST(flat.matrix[0][1] == 0);
  BOOST_TEST(flat.matrix[1][0] == 0);
}

BOOST_AUTO_TEST_CASE(outside_counts_as_its_value) {
  // Half a voxel beyond the border of a constant image: the mean of the image and of outside.
  const source s({4, 4, 4}, [](index, index, index) { return 3.f; });
  crop_map map{{1, 1, 8}, {1, 1, -2}};
  map.matrix[2][2] = 0.5;  // places -2 + 3.5 + (w - 3.5) / 2: -0.25, 0.25, ...
  const crop c = take(s, map, -1);
  BOOST_TEST(c.values[0] == 0.75f * 3 - 0.25f);
  for (std::size_t w = 1; w < 7; ++w) BOOST_TEST(c.values[w] == 3.f);
  BOOST_TEST(c.values[7] == 0.75f * 3 - 0.25f);
  crop_map away = make_crop_map({4, 4, 4}, {50, 0, 0}, unit, {}, {10, 0, 0}, 1);
  for (const float v : take(s, away, -1).values) BOOST_REQUIRE(v == -1.f);
  for (const auto v : take(s, away, -1).labels) BOOST_REQUIRE(v == 0);
  const source slice({1, 6, 6}, [](index, index h, index w) { return static_cast<float>(h + w); });
  const crop one = take(slice, make_crop_map({1, 6, 6}, {0, 0, 0}, unit, {}, {180, 0, 0}, 1));
  BOOST_TEST(one.values[0] == 10.f);
  BOOST_TEST(one.values[35] == 0.f);
}

BOOST_AUTO_TEST_CASE(draws_stay_in_their_ranges) {
  batch_options o;
  o.patch_size = {8, 8, 8};
  int flips = 0, copies = 0;
  for (std::uint32_t i = 0; i < 500; ++i) {
    random_stream random(2, random_purpose::test, i);
    const crop_map map = draw_crop_map(o, {1, 2, 3}, unit, random);
    BOOST_REQUIRE(map.matrix[0][0] > 1 / 1.2001);
    BOOST_REQUIRE(map.matrix[0][0] < 1 / 0.8499);
    BOOST_REQUIRE(std::abs(map.matrix[1][2] / map.matrix[0][0]) <= std::sin(15.001 * 3.14159265 / 180));
    BOOST_REQUIRE(map.matrix[0][1] == 0);
    flips += map.matrix[1][1] < 0;
    batch_options plain = o;
    plain.rotation_chance = plain.scale_chance = 0;
    random_stream again(2, random_purpose::test, i);
    copies += draw_crop_map(plain, {1, 2, 3}, unit, again).is_copy();
  }
  BOOST_TEST(std::abs(flips - 250) < 50);
  BOOST_TEST(copies == 500);
}

}  // namespace comodal::tests
