// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_morphology
#include <comodal/data/morphology.hpp>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <fstream>

namespace comodal::tests {
namespace {

const nlohmann::json& golden() {
  static const nlohmann::json json =
      nlohmann::json::parse(std::ifstream(COMODAL_TEST_DATA "/morphology/morphology.json"));
  return json;
}

label_volume mask_of(const std::string& bits) {
  label_volume v{{golden()["size"].get<std::array<index, 3>>(), {}}, {}};
  for (const char c : bits) v.values.push_back(c == '1');
  return v;
}

}  // namespace

BOOST_AUTO_TEST_CASE(closing_is_scipys) {
  for (const auto& one : golden()["masks"]) {
    const label_volume mask = mask_of(one["mask"]);
    BOOST_CHECK(closing(mask, 0).values == mask.values);
    for (const int radius : {1, 2, 3}) {
      const label_volume expected = mask_of(one["closed"][std::to_string(radius)]);
      BOOST_CHECK(closing(mask, radius).values == expected.values);
    }
  }
  BOOST_CHECK_THROW(static_cast<void>(closing(mask_of(golden()["masks"][0]["mask"]), -1)), config_error);
}

BOOST_AUTO_TEST_CASE(dilation_is_a_ball_of_steps_along_axes) {
  label_volume point{{{7, 7, 7}, {}}, std::vector<std::uint8_t>(343)};
  point.at(3, 3, 3) = 1;
  for (const int radius : {0, 1, 2}) {
    const auto found = dilation(point, radius);
    for (index k = 0; k < 7; ++k)
      for (index j = 0; j < 7; ++j)
        for (index i = 0; i < 7; ++i)
          BOOST_TEST(found.at(i, j, k) == (std::abs(i - 3) + std::abs(j - 3) + std::abs(k - 3) <= radius));
  }
  BOOST_CHECK_THROW(static_cast<void>(dilation(point, 101)), config_error);
}

BOOST_AUTO_TEST_CASE(filling_is_scipys) {
  for (const auto& one : golden()["masks"]) {
    const label_volume mask = mask_of(one["mask"]);
    BOOST_CHECK(fill_holes(mask).values == mask_of(one["filled"]).values);
  }
}

BOOST_AUTO_TEST_CASE(islands_are_scipys_components) {
  std::size_t different = 0;
  for (const auto& one : golden()["masks"]) {
    const label_volume mask = mask_of(one["mask"]);
    for (const auto& [share, expected] : one["without_islands"].items()) {
      BOOST_CHECK(drop_islands(mask, std::stod(share)).values == mask_of(expected).values);
      different += mask_of(expected).values != mask.values;
    }
  }
  BOOST_CHECK_GE(different, 3);  // the golden masks do have islands
  const label_volume none{{{2, 2, 2}, {}}, std::vector<std::uint8_t>(8)};
  BOOST_CHECK(drop_islands(none, 0.1).values == none.values);
  BOOST_CHECK_THROW(static_cast<void>(drop_islands(none, 1.5)), config_error);
}

BOOST_AUTO_TEST_CASE(thin_grids_have_no_holes) {
  label_volume sheet{{{5, 5, 1}, {}}, std::vector<std::uint8_t>(25, 1)};
  sheet.at(2, 2, 0) = 0;
  BOOST_CHECK(fill_holes(sheet).values == sheet.values);
  label_volume line{{{1, 1, 3}, {}}, {1, 0, 1}};
  BOOST_CHECK(fill_holes(line).values == line.values);
  BOOST_CHECK(closing(line, 1).values == line.values);  // the cross needs neighbours that one line does not have
}

BOOST_AUTO_TEST_CASE(otsu_finds_the_best_split) {
  const auto values = golden()["values"].get<std::vector<float>>();
  BOOST_CHECK_CLOSE(otsu_threshold(values), golden()["otsu"].get<float>(), 1e-4);
  // Two values: any split between them separates them.
  const std::vector<float> two{1, 1, 1, 9};
  BOOST_CHECK(otsu_threshold(two) >= 1 && otsu_threshold(two) < 9);
  const std::vector<float> same{4, 4};
  BOOST_CHECK_EQUAL(otsu_threshold(same), 4);
  BOOST_CHECK_THROW(static_cast<void>(otsu_threshold({})), shape_error);
}

}  // namespace comodal::tests
