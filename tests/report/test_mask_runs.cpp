// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_mask_runs
#include <boost/test/unit_test.hpp>

#include <comodal/report/mask_runs.hpp>

using namespace comodal;

BOOST_AUTO_TEST_CASE(runs_have_the_bytes_that_the_script_reads) {
  const std::vector<std::uint8_t> labels{0, 0, 0, 7, 7, 1};
  BOOST_TEST(encode_runs(labels) == (byte_buffer{0, 3, 7, 2, 1, 1}), boost::test_tools::per_element());
  BOOST_TEST(encode_runs(std::vector<std::uint8_t>(300, 5)) == (byte_buffer{5, 128 | 44, 2}),
             boost::test_tools::per_element());
  BOOST_TEST(encode_runs(std::vector<std::uint8_t>{}).empty());
}

BOOST_AUTO_TEST_CASE(labels_come_back) {
  unsigned state = 3;
  for (const std::size_t longest : {1u, 3u, 200u, 40000u}) {
    std::vector<std::uint8_t> labels;
    while (labels.size() < 100000) {
      state = state * 1664525u + 1013904223u;
      labels.insert(labels.end(), 1 + (state >> 8) % longest, static_cast<std::uint8_t>(state >> 28));
    }
    BOOST_TEST((decode_runs(encode_runs(labels), labels.size()) == labels));
  }
}

BOOST_AUTO_TEST_CASE(damaged_runs_are_refused) {
  const byte_buffer runs = encode_runs(std::vector<std::uint8_t>(300, 5));
  BOOST_CHECK_THROW(static_cast<void>(decode_runs(runs, 299)), io_error);
  BOOST_CHECK_THROW(static_cast<void>(decode_runs(runs, 301)), io_error);
  BOOST_CHECK_THROW(static_cast<void>(decode_runs({runs.data(), 2}, 300)), io_error);
}
