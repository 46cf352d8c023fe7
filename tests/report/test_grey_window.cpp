// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_grey_window
#include <boost/test/unit_test.hpp>

#include <comodal/report/grey_window.hpp>

using namespace comodal;

BOOST_AUTO_TEST_CASE(a_window_clips_outliers_and_ignores_what_is_not_finite) {
  image_volume v{{{100, 10, 1}, {}}, std::vector<float>(1000)};
  for (std::size_t i = 0; i < 1000; ++i) v.values[i] = static_cast<float>(i);
  v.values[999] = 1e6f;
  v.values[0] = std::numeric_limits<float>::quiet_NaN();
  v.values[1] = std::numeric_limits<float>::infinity();
  const grey_window w = window_of(v);
  BOOST_TEST(std::abs(w.low - 11.97) < 1e-9);
  BOOST_TEST(std::abs(w.high - 994.015) < 1e-6);
  BOOST_TEST(std::isnan(w.padding));
  BOOST_TEST(int{w(-5)} == 0);
  BOOST_TEST(int{w(1e6)} == 255);
  BOOST_TEST(int{w(std::nan(""))} == 0);
  v.values.assign(1000, 3.0f);
  BOOST_TEST(std::isfinite(window_of(v).high));
  BOOST_TEST(window_of(v).high > window_of(v).low);
  v.values.assign(1000, std::numeric_limits<float>::quiet_NaN());
  BOOST_TEST(int{window_of(v)(0)} == 0);
  BOOST_TEST(window_of({}).high == 1);
}

BOOST_AUTO_TEST_CASE(padding_of_a_normalised_image_is_black) {
  image_volume v{{{100, 10, 1}, {}}, std::vector<float>(1000)};
  for (std::size_t i = 200; i < 1000; ++i) v.values[i] = -2 + 0.005f * static_cast<float>(i - 200);
  const grey_window w = window_of(v);  // 0 lies in the middle of the head's values
  BOOST_TEST(w.padding == 0);
  BOOST_TEST(int{w(0)} == 0);
  BOOST_TEST(int{w(0.001)} > 100);
  BOOST_TEST(w.low < -1.9);
}
