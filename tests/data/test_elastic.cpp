// SPDX-License-Identifier: Apache-2.0
// Smooth displacements, bias fields and the noise of magnitude images, against closed forms and properties.
#define BOOST_TEST_MODULE data_elastic
#include <comodal/data/augment.hpp>
#include <comodal/data/crop.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <numbers>

namespace comodal::tests {
namespace {

// A volume of which voxel v holds its place along an axis (D, H, W).
std::vector<float> places(const extent3& size, std::size_t axis) {
  std::vector<float> out;
  for (index d = 0; d < size[0]; ++d)
    for (index h = 0; h < size[1]; ++h)
      for (index w = 0; w < size[2]; ++w) out.push_back(static_cast<float>(std::array{d, h, w}[axis]));
  return out;
}

random_stream stream(std::uint32_t key) { return {1, random_purpose::test, key}; }

}  // namespace

BOOST_AUTO_TEST_CASE(a_crop_shows_the_place_that_the_field_says) {
  const extent3 volume{40, 50, 60}, patch{12, 16, 20}, first{14, 17, 20};
  random_stream random = stream(1);
  crop_map map = make_crop_map(patch, first, {1, 1, 1}, {true, false, false}, {10, 0, 5}, 1.1);
  crop_map bent = map;
  bent.elastic = std::make_shared<const elastic_field>(patch, std::array{1., 1., 1.}, 6., 0.3,
                                                       std::array{true, true, true}, random);
  BOOST_TEST(!bent.is_copy());
  double largest = 0;
  for (std::size_t a = 0; a < 3; ++a) {
    const auto source = places(volume, a);
    std::vector<float> straight(12 * 16 * 20), moved(straight.size());
    for (const auto& [how, out] : {std::pair{&map, &straight}, {&bent, &moved}}) {
      const crop_layer<float> layer{source.data(), -1000, out->data()};
      extract_crop(volume, *how, {&layer, 1});
    }
    std::vector<float> row(20);
    for (index d = 0, at = 0; d < patch[0]; ++d)
      for (index h = 0; h < patch[1]; ++h, at += patch[2]) {
        bent.elastic->row(a, d, h, row.data());
        for (std::size_t w = 0; w < row.size(); ++w) {
          const auto i = static_cast<std::size_t>(at) + w;
          BOOST_REQUIRE_SMALL(static_cast<double>(moved[i] - straight[i] - row[w]), 1e-3);
          largest = std::max(largest, static_cast<double>(std::abs(row[w])));
        }
      }
  }
  BOOST_TEST(largest > 0.3);
  BOOST_TEST(largest <= 0.3 * 6);
}

// At the border of a volume, rows that bend leave it and come back: outside stands one value, and nothing is read
// there.
BOOST_AUTO_TEST_CASE(crops_at_every_border_are_those_of_a_plain_loop) {
  const extent3 volume{14, 15, 16}, patch{12, 12, 12};
  std::vector<float> source;
  for (index i = 0; i < 14 * 15 * 16; ++i) source.push_back(static_cast<float>(i % 97));
  std::vector<std::uint8_t> labels;
  for (const float v : source) labels.push_back(static_cast<std::uint8_t>(static_cast<int>(v) % 5 + 1));
  for (const extent3& first : {extent3{-1, 0, 0}, {0, -1, 1}, {1, 1, -1}, {3, 3, 4}, {2, 4, 2}, {-3, 5, 5}})
    for (std::uint32_t key = 0; key < 4; ++key) {
      random_stream random = stream(100 + key);
      crop_map map = make_crop_map(patch, first, {1, 1, 1}, {}, {0, 0, 0}, 1);
      map.elastic = std::make_shared<const elastic_field>(patch, std::array{1., 1., 1.}, 5., 0.4,
                                                          std::array{true, true, true}, random);
      std::vector<float> out(12 * 12 * 12);
      std::vector<std::uint8_t> found(out.size());
      const crop_layer<float> layer{source.data(), -7, out.data()};
      const crop_layer<std::uint8_t> of_labels{labels.data(), 0, found.data()};
      extract_crop(volume, map, {&layer, 1}, {&of_labels, 1});
      std::array<std::vector<float>, 3> moved;
      for (auto& row : moved) row.resize(12);
      const auto value = [&](index z, index y, index x) {
        const bool in = z >= 0 && z < 14 && y >= 0 && y < 15 && x >= 0 && x < 16;
        return in ? source[static_cast<std::size_t>((z * 15 + y) * 16 + x)] : -7.f;
      };
      const auto part = [](double p, double whole, index up) { return up == 1 ? p - whole : 1 - (p - whole); };
      for (index d = 0, at = 0; d < 12; ++d)
        for (index h = 0; h < 12; ++h) {
          for (std::size_t a = 0; a < 3; ++a) map.elastic->row(a, d, h, moved[a].data());
          for (index w = 0; w < 12; ++w, ++at) {
            const auto n = static_cast<std::size_t>(w);
            std::array<double, 3> place{}, whole{};
            bool far = false;
            for (std::size_t a = 0; a < 3; ++a) {
              place[a] = static_cast<double>(first[a] + std::array{d, h, w}[a]) + static_cast<double>(moved[a][n]);
              whole[a] = std::floor(place[a]);
              far = far || place[a] < -0.51 || place[a] > static_cast<double>(volume[a]) - 0.49;
            }
            double expected = 0;
            for (index k = 0; k < 2; ++k)
              for (index j = 0; j < 2; ++j)
                for (index i = 0; i < 2; ++i)
                  expected +=
                      part(place[0], whole[0], k) * part(place[1], whole[1], j) * part(place[2], whole[2], i) *
                      static_cast<double>(value(static_cast<index>(whole[0]) + k, static_cast<index>(whole[1]) + j,
                                                static_cast<index>(whole[2]) + i));
            BOOST_REQUIRE_SMALL(static_cast<double>(out[static_cast<std::size_t>(at)]) - expected, 2e-2);
            if (far) BOOST_REQUIRE(found[static_cast<std::size_t>(at)] == 0);
          }
        }
    }
}

BOOST_AUTO_TEST_CASE(space_never_folds_and_fixed_axes_stay) {
  const extent3 patch{24, 24, 24};
  for (std::uint32_t key = 0; key < 20; ++key) {
    random_stream random = stream(key);
    const elastic_field field(patch, {3, 1, 1}, 5, 0.4, {false, true, true}, random);
    std::vector<float> row(24), above(24);
    for (index d = 0; d < 24; ++d)
      for (index h = 0; h < 24; ++h) {
        field.row(0, d, h, row.data());
        for (const float v : row) BOOST_REQUIRE(v == 0);
        field.row(2, d, h, row.data());
        for (std::size_t w = 1; w < 24; ++w) BOOST_REQUIRE(row[w] - row[w - 1] > -1);
        field.row(1, d, h, row.data());
        if (h > 0)
          for (std::size_t w = 0; w < 24; ++w) BOOST_REQUIRE(row[w] - above[w] > -1);
        above = row;
      }
  }
  random_stream random = stream(1);
  const elastic_field none(patch, {1, 1, 1}, 8, 0, {true, true, true}, random);
  std::vector<float> row(24, 1);
  none.row(1, 3, 4, row.data());
  for (const float v : row) BOOST_TEST(v == 0);
  BOOST_CHECK_THROW(elastic_field(patch, {1, 1, 1}, 0, 0.1, {true, true, true}, random), config_error);
  BOOST_CHECK_THROW(elastic_field(patch, {1, 1, 1}, 8, 0.5, {true, true, true}, random), config_error);
}

BOOST_AUTO_TEST_CASE(displacements_are_drawn_as_often_as_asked_for_and_change_nothing_else) {
  batch_options o;
  o.patch_size = {8, 8, 8};
  batch_options bending = o;
  bending.elastic_chance = 0.25;
  int bent = 0;
  for (std::uint32_t key = 0; key < 400; ++key) {
    random_stream one = stream(key), other = stream(key);
    const crop_map a = draw_crop_map(o, {1, 2, 3}, {1, 1, 1}, one),
                   b = draw_crop_map(bending, {1, 2, 3}, {1, 1, 1}, other);
    BOOST_TEST(!a.elastic);
    BOOST_TEST((a.matrix == b.matrix));
    bent += b.elastic != nullptr;
  }
  BOOST_TEST(bent > 70);
  BOOST_TEST(bent < 130);
  bending.elastic_part = {0.1, 0.5};
  BOOST_CHECK_THROW(check(bending), config_error);
}

BOOST_AUTO_TEST_CASE(a_bias_field_is_the_exponential_of_a_polynomial) {
  const extent3 size{5, 6, 7};
  std::array<double, bias_coefficients> c{};
  random_stream random = stream(3);
  for (double& v : c) v = random.uniform(-0.3, 0.3);
  std::vector<float> crop(5 * 6 * 7, 1.f);
  crop[0] = -1;  // the least value
  apply_bias_field(crop, size, c);
  BOOST_TEST(crop[0] == -1.f);
  for (index d = 0; d < 5; ++d)
    for (index h = 0; h < 6; ++h)
      for (index w = 0; w < 7; ++w) {
        const auto i = static_cast<std::size_t>((d * 6 + h) * 7 + w);
        if (i == 0) continue;
        const double z = static_cast<double>(d) / 2 - 1, y = 2 * static_cast<double>(h) / 5 - 1,
                     x = static_cast<double>(w) / 3 - 1;
        double p = 0;
        std::size_t at = 0;
        for (int k = 0; k <= 3; ++k)
          for (int j = 0; j + k <= 3; ++j)
            for (int n = 0; n + j + k <= 3; ++n) p += c[at++] * std::pow(x, n) * std::pow(y, j) * std::pow(z, k);
        BOOST_TEST(at == bias_coefficients);
        BOOST_TEST(static_cast<double>(crop[i]) == -1 + 2 * std::exp(p), boost::test_tools::tolerance(1e-5));
      }
  std::vector<float> flat(1, 2.f);
  apply_bias_field(flat, {1, 1, 1}, c);
  BOOST_TEST(flat[0] == 2.f);
}

BOOST_AUTO_TEST_CASE(the_noise_of_a_magnitude_image_is_rician) {
  std::vector<float> dark(200000, -3.f);
  random_stream random = stream(4);
  add_rician_noise(dark, 0.5f, random);
  double sum = 0;
  for (const float v : dark) {
    BOOST_REQUIRE(v >= -3.f);
    sum += static_cast<double>(v) + 3;
  }
  // Rayleigh where there is no signal: mean sigma sqrt(pi / 2).
  BOOST_TEST(sum / 200000 == 0.5 * std::sqrt(std::numbers::pi / 2), boost::test_tools::tolerance(0.01));
  // Nearly normal where there is much.
  std::vector<float> bright(200000, 20.f);
  bright[0] = 0;
  add_rician_noise(bright, 0.5f, random);
  double mean = 0, square = 0;
  for (std::size_t i = 1; i < bright.size(); ++i) mean += static_cast<double>(bright[i]) / 199999;
  for (std::size_t i = 1; i < bright.size(); ++i) square += std::pow(static_cast<double>(bright[i]) - mean, 2) / 199999;
  BOOST_TEST(mean == 20 + 0.125 / 20, boost::test_tools::tolerance(0.001));
  BOOST_TEST(std::sqrt(square) == 0.5, boost::test_tools::tolerance(0.02));
}

BOOST_AUTO_TEST_CASE(each_comes_with_its_chance_and_changes_nothing_without) {
  std::vector<float> crop(512);
  for (std::size_t i = 0; i < crop.size(); ++i) crop[i] = static_cast<float>(i % 17);
  const auto changed = [&](const batch_options& o) {
    std::vector<float> out = crop;
    random_stream random = stream(5);
    make_strong_intensities(o)(out, {8, 8, 8}, random);
    return out;
  };
  batch_options bias, rician, sizes;
  bias.bias_chance = rician.rician_chance = 1;
  rician.rician = {0.1, 0.1};
  sizes.bias = {1, 1}, sizes.rician = {1, 1};  // whose chance is 0
  const auto plain = changed({}), uneven = changed(bias), noisy = changed(rician);
  BOOST_TEST((changed(sizes) == plain));
  BOOST_TEST((uneven != plain));
  BOOST_TEST((noisy != plain));
  // The field is smooth and leaves the least value; the noise of 0.1 moves no value far.
  BOOST_TEST(*std::min_element(uneven.begin(), uneven.end()) == *std::min_element(plain.begin(), plain.end()));
  for (std::size_t i = 0; i < plain.size(); ++i) BOOST_TEST(std::abs(noisy[i] - plain[i]) < 0.8f);
}

}  // namespace comodal::tests
