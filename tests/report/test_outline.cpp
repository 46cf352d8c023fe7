// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_outline
#include <boost/test/unit_test.hpp>

#include <comodal/report/outline.hpp>

#include <cstdlib>
#include <vector>

using namespace comodal;

namespace {

std::string path_of(const std::vector<std::string>& rows) {
  return outline_path(static_cast<comodal::index>(rows[0].size()), static_cast<comodal::index>(rows.size()),
                      [&](comodal::index x, comodal::index y) {
                        return rows[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)] == '#';
                      });
}

// The area inside a path: what is walked around clockwise counts, holes are taken away.
long area_of(const std::string& path) {
  long x = 0, y = 0, area = 0;
  for (std::size_t at = 0; at < path.size();) {
    const char c = path[at++];
    if (c == 'z') continue;
    char* end = nullptr;
    const long number = std::strtol(path.c_str() + at, &end, 10);
    at = static_cast<std::size_t>(end - path.c_str());
    if (c == 'M') {
      x = number;
      y = std::strtol(end, &end, 10);
      at = static_cast<std::size_t>(end - path.c_str());
    } else if (c == 'h') {
      x += number;
    } else {
      area += x * number;
      y += number;
    }
  }
  return area;
}

}  // namespace

BOOST_AUTO_TEST_CASE(paths_of_small_areas) {
  BOOST_TEST(path_of({"...", "..."}).empty());
  BOOST_TEST(path_of({"#"}) == "M0 0h1v1h-1v-1z");
  BOOST_TEST(path_of({".##", ".#."}) == "M1 0h2v1h-1v1h-1v-2z");
  BOOST_TEST(path_of({"#.", ".#"}) == "M0 0h1v1h-1v-1zM1 1h1v1h-1v-1z");           // touch in a corner: two areas
  BOOST_TEST(path_of({"###", "#.#", "###"}) == "M0 0h3v3h-3v-3zM1 1v1h1v-1h-1z");  // the hole the other way round
}

BOOST_AUTO_TEST_CASE(the_area_inside_is_the_number_of_pixels) {
  unsigned state = 1;
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<std::string> rows(17, std::string(23, '.'));
    long count = 0;
    for (auto& row : rows)
      for (char& c : row)
        if (state = state * 1664525u + 1013904223u; state >> 30 != 0) c = '#', ++count;
    BOOST_TEST(area_of(path_of(rows)) == count);
  }
}
