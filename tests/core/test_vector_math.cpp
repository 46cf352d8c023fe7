// SPDX-License-Identifier: Apache-2.0
// exp and log by arithmetic alone, against the C library in double.
#define BOOST_TEST_MODULE core_vector_math
#include <boost/test/unit_test.hpp>

#include <comodal/core/vector_math.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace comodal::tests {

// The distance in units of the last place of the exact value.
double ulps(float found, double exact) {
  return std::fabs(static_cast<double>(found) - exact) /
         std::ldexp(1.0, std::max(-126, static_cast<int>(std::floor(std::log2(std::fabs(exact))))) - 23);
}

BOOST_AUTO_TEST_CASE(exp_is_within_two_units_in_the_last_place) {
  double worst = 0;
  for (float x = -87.3f; x < 88.3f; x += 0.0137f)
    worst = std::max(worst, ulps(vector_exp(x), std::exp(static_cast<double>(x))));
  BOOST_TEST(worst < 2);
  BOOST_TEST(vector_exp(0.f) == 1.f);
}

BOOST_AUTO_TEST_CASE(exp_at_the_ends) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  BOOST_TEST(vector_exp(-infinity) == 0.f);
  BOOST_TEST(vector_exp(-100.f) == 0.f);
  BOOST_TEST(vector_exp(100.f) == infinity);
  BOOST_TEST(std::isnan(vector_exp(std::numeric_limits<float>::quiet_NaN())));
  BOOST_TEST(vector_exp(1.0) == std::exp(1.0));
}

BOOST_AUTO_TEST_CASE(log_is_within_three_units_in_the_last_place_away_from_one) {
  double worst = 0, near_one = 0;
  for (float x = 1e-37f; x < 3e38f; x *= 1.0137f) {
    const double exact = std::log(static_cast<double>(x)),
                 error = std::fabs(static_cast<double>(vector_log(x)) - exact);
    if (std::fabs(exact) < 0.1)
      near_one = std::max(near_one, error);
    else
      worst = std::max(worst, ulps(vector_log(x), exact));
  }
  BOOST_TEST(worst < 3);
  BOOST_TEST(near_one < 1e-7);
  BOOST_TEST(vector_log(1.f) == 0.f);
  BOOST_TEST(vector_log(2.0) == std::log(2.0));
}

}  // namespace comodal::tests
