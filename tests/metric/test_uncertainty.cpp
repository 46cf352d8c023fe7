// SPDX-License-Identifier: Apache-2.0
// What uncertainty maps are worth: closed forms, and values of SciPy and NumPy.
#define BOOST_TEST_MODULE metric_uncertainty
#include <boost/test/unit_test.hpp>

#include <comodal/metric/uncertainty_report.hpp>

#include <core/support.hpp>

#include "masks.hpp"

#include <nlohmann/json.hpp>

#include <fstream>

namespace comodal::tests {
namespace {

using reliability = std::vector<reliability_bin>;
const std::vector<label_class> classes{{"background", {0}}, {"core", {1}}, {"rim", {2}}, {"rest", {3}}};
const auto exact = boost::test_tools::tolerance(1e-12);

label_volume line(std::vector<std::uint8_t> values) {
  auto v = masks::empty({1, 1, static_cast<index>(values.size())});
  v.values = std::move(values);
  return v;
}
image_volume map_on(const label_volume& mask, std::vector<float> values) { return {mask.geometry, std::move(values)}; }

}  // namespace

BOOST_AUTO_TEST_CASE(the_predicted_foreground_and_its_border_are_judged) {
  const auto mask = line({0, 0, 0, 2, 1, 0, 0, 0, 0});
  const auto map = map_on(mask, {1, 0.5f, 0, 0.25f, 0, 0, 0.75f, 1, 1});
  const auto found = mean_uncertainty(map, mask);
  BOOST_TEST(found.voxels == 6);  // from 1 to 6
  BOOST_TEST(found.predicted == 2);
  BOOST_TEST(found.mean == 1.5 / 6, exact);
  BOOST_TEST(mean_uncertainty(map, mask, {.border = 0}).mean == 0.125, exact);
  const auto nothing = mean_uncertainty(map, line(std::vector<std::uint8_t>(9)));
  BOOST_TEST(nothing.voxels == 0);
  BOOST_TEST(std::isnan(nothing.mean));
}

BOOST_AUTO_TEST_CASE(voxels_are_wrong_where_classes_differ) {
  const auto mask = line({0, 0, 1, 1, 2, 0, 0, 0, 0}), truth = line({0, 1, 1, 3, 2, 0, 0, 0, 3});
  const auto map = map_on(mask, {0.5f, 0.9f, 0.1f, 0.7f, 0.3f, 0, 0.2f, 1, 1});
  const auto found = judge_uncertainty(map, mask, truth, classes);
  BOOST_TEST(found.right == (std::vector<float>{0, 0.1f, 0.2f, 0.3f, 0.5f}), boost::test_tools::per_element());
  BOOST_TEST(found.wrong == (std::vector<float>{0.7f, 0.9f}), boost::test_tools::per_element());
  BOOST_TEST(found.wrong_elsewhere == 1);
  BOOST_TEST(found.error_rate() == 2.0 / 7, exact);
  BOOST_TEST(error_auroc(found) == 1.0);
  // One region that holds the labels 1 and 3 alike, and none that holds 2.
  const auto joined = judge_uncertainty(map, mask, truth, {{"background", {0}}, {"whole", {1, 3}}});
  BOOST_TEST(joined.wrong == std::vector<float>{0.9f}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(auroc_counts_ties_half) {
  BOOST_TEST(error_auroc({{0.1f, 0.2f}, {0.3f}}) == 1.0);
  BOOST_TEST(error_auroc({{0.5f, 0.4f}, {0.3f}}) == 0.0);
  BOOST_TEST(error_auroc({{0.3f, 0.3f}, {0.3f, 0.3f}}) == 0.5);
  BOOST_TEST(error_auroc({{0.1f, 0.3f, 0.5f}, {0.3f, 0.4f}}) == (1.5 + 2) / 6, exact);
  BOOST_TEST(std::isnan(error_auroc({{0.1f}, {}})));
  BOOST_TEST(std::isnan(error_auroc({{}, {0.1f}})));
}

BOOST_AUTO_TEST_CASE(bins_have_equal_mass_and_ties_share_one) {
  const voxel_uncertainty voxels{{0.1f, 0.2f, 0.3f, 0.4f}, {0.5f, 0.6f}};
  const reliability two = reliability_table(voxels, 2);
  BOOST_REQUIRE(two.size() == 2u);
  BOOST_TEST(two[0].voxels == 3);
  BOOST_TEST(two[0].error_rate == 0.0);
  BOOST_TEST(two[0].uncertainty == 0.2, boost::test_tools::tolerance(1e-7));
  BOOST_TEST(two[1].from == static_cast<double>(0.4f));
  BOOST_TEST(two[1].to == static_cast<double>(0.6f));
  BOOST_TEST(two[1].error_rate == 2.0 / 3, exact);
  BOOST_TEST(calibration_error(two) == (3 * 0.2 + 3 * (2.0 / 3 - 0.5)) / 6, boost::test_tools::tolerance(1e-7));
  // All equal: one bin, whatever the order of voxels.
  const reliability one = reliability_table({{0.f, 0.f, 0.f}, {0.f}}, 10);
  BOOST_REQUIRE(one.size() == 1u);
  BOOST_TEST(one[0].voxels == 4);
  BOOST_TEST(one[0].error_rate == 0.25);
  // Fewer voxels than bins.
  BOOST_TEST(reliability_table({{0.1f}, {0.2f}}, 10).size() == 2u);
  BOOST_TEST(reliability_table({}, 10).empty());
  BOOST_TEST(std::isnan(calibration_error({})));
  BOOST_CHECK_EXCEPTION((void)reliability_table(voxels, 0), config_error, says("0 bins"));
}

BOOST_AUTO_TEST_CASE(numbers_are_scipys) {
  const auto golden = nlohmann::json::parse(std::ifstream(COMODAL_TEST_DATA "/uncertainty.json"));
  BOOST_TEST(golden["cases"].size() == 2u);
  for (const auto& one : golden["cases"]) {
    label_volume mask{{one["size"].get<std::array<index, 3>>(), {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}}},
                      one["mask"].get<std::vector<std::uint8_t>>()};
    const label_volume truth{mask.geometry, one["truth"].get<std::vector<std::uint8_t>>()};
    const auto map = map_on(mask, one["u"].get<std::vector<float>>());
    voxel_uncertainty pooled;
    const auto found = score_uncertainty(map, mask, truth, classes, "x", pooled);
    BOOST_TEST(found.uncertainty.voxels == one["judged"].get<index>());
    BOOST_TEST(found.uncertainty.mean == one["mean"].get<double>(), exact);
    BOOST_TEST(pooled.wrong.size() == one["wrong"].get<std::size_t>());
    BOOST_TEST(found.wrong_elsewhere == one["wrong_elsewhere"].get<index>());
    BOOST_TEST(found.auroc == one["auroc"].get<double>(), exact);
    BOOST_TEST(found.calibration == one["calibration"].get<double>(), exact);
    BOOST_REQUIRE(found.reliability.size() == one["reliability"].size());
    for (std::size_t b = 0; b < found.reliability.size(); ++b) {
      const auto& bin = found.reliability[b];
      const auto row = one["reliability"][b].get<std::vector<double>>();
      const std::vector<double> own{bin.from, bin.to, static_cast<double>(bin.voxels), bin.uncertainty, bin.error_rate};
      for (std::size_t i = 0; i < 5; ++i) BOOST_TEST(std::abs(own[i] - row[i]) < 1e-12);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_cohort_pools_voxels_and_correlates_cases) {
  const auto truth = line({0, 1, 1, 1, 1, 0, 0, 0, 0, 0});
  std::vector<uncertainty_score> cases;
  voxel_uncertainty pooled;
  const auto add = [&](const label_volume& mask, float u, const std::string& id) {
    cases.push_back(
        score_uncertainty(map_on(mask, std::vector<float>(10, u)), mask, truth, {{"core", {1}}}, id, pooled));
  };
  add(truth, 0.1f, "right");
  add(line({0, 1, 1, 0, 0, 0, 0, 0, 0, 0}), 0.2f, "half");
  add(line({0, 0, 0, 0, 0, 0, 0, 1, 1, 0}), 0.6f, "wrong");
  add(line(std::vector<std::uint8_t>(10)), 0.9f, "M\xFCller");  // nothing predicted: no voxel, no score
  const auto all = summarise_uncertainty(cases, pooled);
  BOOST_TEST(all.cases[0].error == 0.0);
  BOOST_TEST(all.cases[1].error == 1 - 2.0 * 2 / 6, exact);
  BOOST_TEST(all.cases[2].error == 1.0);
  BOOST_TEST(all.correlated == 3);
  BOOST_TEST(all.correlation == 1.0, exact);
  // Judged: 0 to 6, 0 to 4, 5 to 9; of them wrong: none; 3 and 4; 7 and 8.
  BOOST_TEST(pooled.right.size() == 7u + 3 + 3);
  BOOST_TEST(pooled.wrong.size() == 4u);
  BOOST_TEST(pooled.wrong_elsewhere == 4 + 4);
  BOOST_TEST(all.auroc == error_auroc(pooled));
  BOOST_TEST(all.reliability.size() == 3u);
  const std::string words = describe_uncertainty(all);
  BOOST_TEST(words.find("4 cases, 1 without predicted foreground: AUROC") != std::string::npos, words);
  BOOST_TEST(words.find("3 cases: Spearman correlation 1.0000") != std::string::npos, words);
  const auto json = nlohmann::json::parse(uncertainty_json(all));
  BOOST_TEST(json["cases"][3]["case"] == "M\\xFCller");
  BOOST_TEST(json["cases"][3]["auroc"].is_null());
  BOOST_TEST(json["cases"][1]["reliability"].size() == 1u);
  BOOST_TEST(json["spearman"].get<double>() == all.correlation);
  const auto table = uncertainty_table(all);
  BOOST_TEST(table.rows.size() == 4u);
  for (const auto& row : table.rows) BOOST_TEST(row.size() == table.header.size());
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  const auto mask = line({0, 1, 0}), longer = line({0, 1, 0, 0});
  BOOST_CHECK_EXCEPTION((void)mean_uncertainty(map_on(longer, {0, 0, 0, 0}), mask), geometry_error,
                        says("the map's grid differs from the mask's"));
  BOOST_CHECK_EXCEPTION((void)mean_uncertainty(map_on(mask, {0, 1.5f, 0}), mask), config_error,
                        says("the map holds 1.5, expected 0 to 1"));
  BOOST_CHECK_EXCEPTION((void)mean_uncertainty(map_on(mask, {0, std::nanf(""), 0}), mask), config_error,
                        says("expected 0 to 1"));
  BOOST_CHECK_EXCEPTION((void)judge_uncertainty(map_on(mask, {0, 0, 0}), mask, longer, classes), geometry_error,
                        says("grid differs"));
  BOOST_CHECK_EXCEPTION((void)mean_uncertainty(map_on(mask, {0, 0, 0}), mask, {.border = -1}), config_error,
                        says("radius -1"));
}

}  // namespace comodal::tests
