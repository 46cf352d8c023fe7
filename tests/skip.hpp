// SPDX-License-Identifier: Apache-2.0
/// @file
/// Tests that cannot run here are reported as skipped, never as passed.
#ifndef COMODAL_TESTS_SKIP_HPP
#define COMODAL_TESTS_SKIP_HPP

#include <boost/test/framework.hpp>
#include <boost/test/results_collector.hpp>
#include <boost/test/tree/observer.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace comodal::tests {
namespace detail {

// Whether all cases passed is known while the tests end, the exit status is changed after `main`.
struct skip_observer : boost::unit_test::test_observer {
  bool passed = false;
  void test_finish() override {
    const auto& all = boost::unit_test::framework::master_test_suite();
    passed = boost::unit_test::results_collector.results(all.p_id).passed();
  }
};

inline skip_observer& observer_of_skips() {
  static skip_observer observer;
  return observer;
}

}  // namespace detail

/// Says that (this part of) a test case cannot run here, and why: `if (!amx_available()) return skip("needs AMX");`.
/// If no check of the program fails, the program ends with 77, CTest's code for skipped, even if other cases ran and
/// passed: what a report calls passed has run whole. The reasons stand in the program's output.
inline void skip(const std::string& why) {
  static const bool registered = [] {
    boost::unit_test::framework::register_observer(detail::observer_of_skips());
    return std::atexit([] {
             if (!detail::observer_of_skips().passed) return;
             std::fflush(nullptr);
             std::_Exit(77);
           }) == 0;
  }();
  BOOST_TEST_REQUIRE(registered);
  BOOST_TEST_CHECKPOINT("skipped: " << why);
  std::printf("skipped: %s: %s\n", boost::unit_test::framework::current_test_case().p_name->c_str(), why.c_str());
}

}  // namespace comodal::tests

#endif
