// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the tests of the numerical layers share: Kokkos for the whole program, reproducible values, comparison of
/// arrays.
#ifndef COMODAL_TESTS_CORE_SUPPORT_HPP
#define COMODAL_TESTS_CORE_SUPPORT_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/random.hpp>
#include <comodal/core/runtime.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace comodal::tests {

/// Kokkos lives as long as the test program.
struct kokkos_runtime {
  runtime running;
};
BOOST_TEST_GLOBAL_FIXTURE(kokkos_runtime);

/// `count` values in [low, high), each a float, so that every precision starts from the same numbers.
inline std::vector<double> values(index count, std::uint32_t key, double low = -1, double high = 1) {
  random_stream draw(20, random_purpose::test, key);
  std::vector<double> out(static_cast<std::size_t>(count));
  for (double& v : out) v = static_cast<double>(static_cast<float>(draw.uniform(low, high)));
  return out;
}

template <class To, class From>
std::vector<To> converted(const std::vector<From>& in) {
  return std::vector<To>(in.begin(), in.end());
}

/// The largest |found - expected|, relative to the largest |expected|; infinite for other sizes or not a number.
template <class Found, class Expected>
double difference(const std::vector<Found>& found, const std::vector<Expected>& expected) {
  if (found.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double most = 0, scale = std::numeric_limits<double>::min();
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double d = std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    if (!(d <= most)) most = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
    scale = std::max(scale, std::fabs(static_cast<double>(expected[i])));
  }
  return most == 0 ? 0 : most / scale;
}

/// Passes for an exception whose message contains `part`.
class says {
 public:
  explicit says(std::string part) : m_part(std::move(part)) {}
  bool operator()(const error& e) const {
    const bool found = std::string(e.what()).find(m_part) != std::string::npos;
    if (!found) BOOST_TEST_MESSAGE("the message is: " << e.what());
    return found;
  }

 private:
  std::string m_part;
};

}  // namespace comodal::tests

#endif
