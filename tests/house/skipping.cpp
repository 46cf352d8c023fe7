// SPDX-License-Identifier: Apache-2.0
// A program of which one case cannot run here; tests/house/skip.sh looks at its exit status. With SKIPPING_FAILS set,
// another case fails.
#define BOOST_TEST_MODULE house_skipping
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <skip.hpp>

BOOST_AUTO_TEST_CASE(runs) { BOOST_TEST(std::getenv("SKIPPING_FAILS") == nullptr); }
BOOST_AUTO_TEST_CASE(cannot_run) { comodal::tests::skip("needs a processor of tomorrow"); }
BOOST_AUTO_TEST_CASE(cannot_run_either) { comodal::tests::skip("needs another"); }
