// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_colours
#include <boost/test/unit_test.hpp>

#include <comodal/report/colours.hpp>

#include <vector>

using namespace comodal;

namespace {

using light = std::array<double, 3>;

light linear(rgb c) {
  light out{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double v = c[i] / 255.0;
    out[i] = v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  }
  return out;
}

// How a person without one kind of cones sees a colour (Machado, Oliveira and Fernandes 2009, severity 1).
light seen(light c, int kind) {
  constexpr double m[4][3][3] = {
      {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
      {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
      {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
      {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}};
  light out{};
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t k = 0; k < 3; ++k) out[r] += m[kind][r][k] * c[k];
  for (double& v : out) v = std::clamp(v, 0.0, 1.0);
  return out;
}

// CIE L*a*b* of linear sRGB.
light lab(light c) {
  const double xyz[3] = {(0.4124 * c[0] + 0.3576 * c[1] + 0.1805 * c[2]) / 0.9505,
                         0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2],
                         (0.0193 * c[0] + 0.1192 * c[1] + 0.9505 * c[2]) / 1.089};
  double f[3];
  for (int i = 0; i < 3; ++i) f[i] = xyz[i] > 0.008856 ? std::cbrt(xyz[i]) : 7.787 * xyz[i] + 16 / 116.0;
  return {116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])};
}

// The smallest distance of two colours to people of any colour vision.
double apart(rgb a, rgb b) {
  double least = 1e9;
  for (int kind = 0; kind < 4; ++kind) {
    const light p = lab(seen(linear(a), kind)), q = lab(seen(linear(b), kind));
    least = std::min(least, std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
  }
  return least;
}

}  // namespace

BOOST_AUTO_TEST_CASE(classes_and_errors_are_told_apart) {
  BOOST_TEST(apart({213, 94, 0}, {204, 71, 10}) < 10);  // the measure sees that these are near
  std::vector<rgb> classes;
  for (int k = 1; k <= static_cast<int>(class_colours); ++k) classes.push_back(class_colour(k));
  for (std::size_t a = 0; a < classes.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) BOOST_TEST(apart(classes[a], classes[b]) > 15, a << " " << b);
    for (const rgb error : {false_colour, missed_colour, wrong_colour})
      BOOST_TEST(apart(classes[a], error) > 15, a << " " << css_colour(error));
  }
  BOOST_TEST(apart(false_colour, missed_colour) > 30);
  BOOST_TEST((class_colour(1) == class_colour(1 + static_cast<int>(class_colours))));
}

BOOST_AUTO_TEST_CASE(maps_grow_brighter) {
  double before = -1;
  for (int i = 0; i <= 100; ++i) {
    const double now = lab(linear(map_colour(i / 100.0)))[0];
    BOOST_TEST(now > before);
    before = now;
  }
  BOOST_TEST((map_colour(-1) == map_colour(0)));
  BOOST_TEST((map_colour(2) == map_colour(1)));
  BOOST_TEST((map_colour(std::nan("")) == map_colour(0)));
  BOOST_TEST(css_colour({0, 158, 255}) == "#009eff");
}
