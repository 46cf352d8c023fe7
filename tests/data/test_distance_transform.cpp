// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_distance_transform
#include <comodal/core/random.hpp>
#include <comodal/data/distance_transform.hpp>

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
  }
  const std::vector<double> none = squared_distance(std::vector<std::uint8_t>(8), {2, 2, 2}, {1, 1, 1});
  BOOST_TEST(std::isinf(none[3]));
  BOOST_CHECK_EXCEPTION(static_cast<void>(squared_distance(std::vector<std::uint8_t>(7), {2, 2, 2}, {1, 1, 1})),
                        shape_error, test::says("7 voxels for 2 x 2 x 2"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(squared_distance(std::vector<std::uint8_t>(8), {2, 2, 2}, {1, 0, 1})),
                        geometry_error, test::says("spacing 0 mm"));
}

}  // namespace comodal::tests
