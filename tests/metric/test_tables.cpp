// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE metric_tables
#include <boost/test/unit_test.hpp>

#include <comodal/metric/summary_json.hpp>
#include <comodal/metric/tables.hpp>

#include "masks.hpp"

#include <unistd.h>

#include <fstream>
#include <iterator>

using namespace comodal;

namespace {

struct folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / text("comodal_tables_", ::getpid());
  folder() { std::filesystem::create_directories(path); }
  ~folder() { std::filesystem::remove_all(path); }
};

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

label_volume cube(comodal::index shift, bool second = true) {
  label_volume v = masks::empty({12, 12, 12}, {2, 1, 1});
  masks::add(v, masks::box{{2, 2, 2 + shift}, {8, 8, 8 + shift}}, 1);
  if (second) masks::add(v, masks::box{{9, 9, 9}, {11, 11, 11}}, 2);
  return v;
}

std::vector<case_score> some_scores(comodal::index shift = 1) {
  const std::vector<label_class> regions{{"core, left", {1}}, {"rim", {2}}, {"whole", {1, 2}}};
  std::vector<case_score> all;
  for (const std::string output : {"fused", "only T1"})
    for (const auto& [id, second] : {std::pair{"case_1", true}, {"case_2", false}}) {
      const auto scores = score_case(cube(shift), cube(0, second), regions, id, output);
      all.insert(all.end(), scores.begin(), scores.end());
    }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(csv_has_a_line_a_case_output_and_class) {
  const folder here;
  const auto scores = some_scores();
  write_case_csv(here.path / "scores.csv", scores);
  const std::string csv = read(here.path / "scores.csv");
  BOOST_TEST(std::count(csv.begin(), csv.end(), '\n') == 13);
  BOOST_TEST(csv.substr(0, csv.find('\n')) ==
             "case,output,class,dice,iou,hd95_monai_mm,assd_pooled_mm,surface_dice_2_mm,predicted_ml,reference_ml,tp,"
             "fp,fn,tn,empty");
  BOOST_TEST(csv.find("case_1,fused,\"core, left\",0.8333333333333334,0.7142857142857143,1,") != std::string::npos);
  BOOST_TEST(csv.find("case_2,only T1,rim,0,0,") != std::string::npos);
  BOOST_TEST(csv.find(",false_alarm\n") != std::string::npos);
  score_options voxels;
  voxels.unit = length_unit::voxel;
  voxels.hd95 = hd95_convention::medpy;
  BOOST_TEST(to_csv(case_table(scores, voxels)).find("hd95_medpy_voxel") != std::string::npos);
  BOOST_TEST(to_csv({{"a"}, {{"say \"x\""}}}) == "a\n\"say \"\"x\"\"\"\n");
}

BOOST_AUTO_TEST_CASE(no_cell_is_a_formula_to_a_spreadsheet) {
  const auto cell = [](const std::string& words) { return to_csv({{"a"}, {{words}}}).substr(2); };
  for (const std::string words : {"=1+1", "=HYPERLINK(0)", "+1+1", "-2+3", "@SUM(1)", "\tx", "\rx"})
    BOOST_TEST(cell(words).find("'" + words) != std::string::npos, words);
  for (const std::string words : {"-2.5", "-1e-30", "-inf", "a=1", "case-1", "", "-"})
    BOOST_TEST(cell(words) == words + "\n", words);
  BOOST_TEST(cell("=a,b") == "\"'=a,b\"\n");
}

// As nnU-Net: no score where both masks are empty, means over the other cases, NaN where there are none.
BOOST_AUTO_TEST_CASE(two_empty_masks_may_have_no_score) {
  const std::vector<label_class> regions{{"core", {1}}, {"whole", {1, 2}}};
  score_options options;
  options.both_empty = empty_masks::nan;
  label_volume empty = cube(0, false);
  std::fill(empty.values.begin(), empty.values.end(), std::uint8_t{0});
  auto scores = score_case(cube(1), cube(0), regions, "case_1", "fused", options);
  const auto second = score_case(empty, empty, regions, "case_2", "fused", options);
  for (const auto& s : second) {
    BOOST_TEST(std::isnan(s.dice));
    BOOST_TEST(std::isnan(s.hd95));
    BOOST_TEST((s.presence == mask_presence::both_empty));
  }
  const auto of_first = summarise(scores);
  scores.insert(scores.end(), second.begin(), second.end());
  const auto all = summarise(scores);
  for (std::size_t r = 0; r < all.size(); ++r) {
    BOOST_TEST(all[r].cases == 1);
    BOOST_TEST(all[r].n_both_empty == 1);
    BOOST_TEST(all[r].dice.mean == of_first[r].dice.mean);
  }
  const std::string json = summary_json(scores, "fused", options);
  BOOST_TEST(json.find("\"Dice\": NaN") != std::string::npos);
  const auto only = summary_json(second, "fused", options);
  BOOST_TEST(only.find("null") == std::string::npos);
  BOOST_TEST(only.substr(only.find("foreground_mean"), 80).find("\"Dice\": NaN") != std::string::npos);
  BOOST_TEST(std::isnan(summarise(second)[0].dice.mean));
  BOOST_TEST(describe_conventions(options).find("both masks empty: no score, left out of means") != std::string::npos);
  // The whole number counts stay in the mean, as nnU-Net's.
  std::string strict = json;
  for (std::size_t at = 0; (at = strict.find("NaN", at)) != std::string::npos;) strict.replace(at, 3, "0");
  const auto parsed = nlohmann::json::parse(strict);
  BOOST_TEST(parsed["mean"]["1"]["n_ref"].get<double>() == static_cast<double>(scores[0].counts.reference()) / 2);
}

// Golden values of nnU-Net itself (tests/reference/make_nnunet_summary.py); null stands for its NaN.
BOOST_AUTO_TEST_CASE(summary_json_has_nnunets_values_where_masks_are_empty) {
  const auto golden = nlohmann::json::parse(std::ifstream(COMODAL_TEST_DATA "/nnunet_summary.json"));
  const auto size = golden["size"].get<std::array<comodal::index, 3>>();
  score_options options;
  options.both_empty = empty_masks::nan;
  const auto agrees = [](const nlohmann::json& ours, const nlohmann::json& theirs, const std::string& where) {
    for (const auto& [metric, value] : theirs.items()) {
      const bool same = value.is_null() ? ours.at(metric) == "NaN"
                                        : std::abs(ours.at(metric).get<double>() - value.get<double>()) < 1e-12;
      BOOST_TEST(same, where << ' ' << metric << ": " << ours.at(metric) << ", nnU-Net has " << value);
    }
  };
  for (const auto& [name, theirs] : golden["summaries"].items()) {
    std::vector<label_class> regions;
    for (const auto& [key, values] : theirs["mean"].items())
      regions.push_back({key, key == "(1, 2)" ? std::vector{1, 2} : std::vector{std::stoi(key)}});
    std::vector<case_score> scores;
    for (const auto& one : golden["cases"]) {
      if (name == "empty" && one["case"] != "neither") continue;
      label_volume truth = masks::empty(size), found = truth;
      truth.values = one["truth"].get<std::vector<std::uint8_t>>();
      found.values = one["found"].get<std::vector<std::uint8_t>>();
      const auto more = score_case(found, truth, regions, one["case"].get<std::string>(), "fused", options);
      scores.insert(scores.end(), more.begin(), more.end());
    }
    std::string words = summary_json(scores, "fused", options);
    for (std::size_t at = 0; (at = words.find("NaN", at)) != std::string::npos; at += 5)
      words.replace(at, 3, "\"NaN\"");
    const auto ours = nlohmann::json::parse(words);
    agrees(ours["foreground_mean"], theirs["foreground_mean"], name + " foreground_mean");
    for (const auto& [key, values] : theirs["mean"].items()) agrees(ours["mean"][key], values, name + " mean " + key);
    for (const auto& one : theirs["metric_per_case"])
      for (const auto& mine : ours["metric_per_case"])
        if (mine["prediction_file"] == one["case"])
          for (const auto& [key, values] : one["metrics"].items())
            agrees(mine["metrics"][key], values, text(name, " ", one["case"], " ", key));
  }
}

BOOST_AUTO_TEST_CASE(summary_json_has_nnunets_keys) {
  const folder here;
  const auto scores = some_scores();
  write_summary_json(here.path / "summary.json", scores, "fused", {}, [](const std::string& id) {
    return scored_files{"out/" + id + ".nii.gz", "labels/" + id + ".nii.gz"};
  });
  const auto json = nlohmann::json::parse(read(here.path / "summary.json"));
  for (const char* key : {"foreground_mean", "mean", "metric_per_case"}) BOOST_TEST(json.contains(key), key);
  BOOST_TEST(json["mean"].size() == 3u);
  for (const char* label : {"1", "2", "(1, 2)"})
    for (const char* metric : {"Dice", "IoU", "TP", "FP", "FN", "TN", "n_pred", "n_ref", "HD95", "ASSD"})
      BOOST_TEST(json["mean"][label][metric].is_number(), label << ' ' << metric);
  BOOST_TEST(json["metric_per_case"].size() == 2u);
  const auto& first = json["metric_per_case"][0];
  BOOST_TEST(first["prediction_file"] == "out/case_1.nii.gz");
  BOOST_TEST(first["reference_file"] == "labels/case_1.nii.gz");
  BOOST_TEST(first["metrics"]["1"]["TP"] == 180);
  BOOST_TEST(first["metrics"]["1"]["n_pred"] == 216);
  BOOST_TEST(first["metrics"]["1"]["Dice"].get<double>() == scores[0].dice);
  const double expected = (scores[1].dice + scores[4].dice) / 2;
  BOOST_TEST(json["mean"]["2"]["Dice"].get<double>() == expected);
  double sum = 0;
  for (const char* label : {"1", "2", "(1, 2)"}) sum += json["mean"][label]["Dice"].get<double>();
  BOOST_TEST(json["foreground_mean"]["Dice"].get<double>() == sum / 3, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(json["comodal"]["hd95_convention"] == "monai");
  BOOST_TEST(json["comodal"]["assd_convention"] == "pooled");
  BOOST_TEST(json["comodal"]["unit"] == "mm");
  BOOST_TEST(json["comodal"]["counts"]["2"]["n_false_alarm"] == 1);
  BOOST_TEST(json["metric_per_case"][1]["metrics"]["2"]["presence"] == "false_alarm");
  BOOST_CHECK_THROW(static_cast<void>(summary_json(scores, "branch T2")), config_error);
}

BOOST_AUTO_TEST_CASE(plain_text_is_aligned) {
  const std::string out = to_text({{"name", "what", "value"}, {{"a", "ä", "1.5 ± 2"}, {"longer", "b", "10"}}});
  BOOST_TEST(out ==
             "name    what    value\n"
             "---------------------\n"
             "a       ä     1.5 ± 2\n"
             "longer  b          10\n");
}

BOOST_AUTO_TEST_CASE(summary_rows) {
  const text_table table = summary_table(some_scores());
  BOOST_TEST(table.rows.size() == 6u);
  for (const auto& row : table.rows) BOOST_TEST(row.size() == table.header.size());
  BOOST_TEST(table.rows[0][0] == "fused");
  BOOST_TEST(table.rows[0][3] == "0.8333 ± 0.0000");
  BOOST_TEST(table.rows[1][10] == "1");
}

BOOST_AUTO_TEST_CASE(comparison_of_methods) {
  auto better = some_scores(0);
  const auto only = [](const case_score& s) { return s.output == "only T1"; };
  better.erase(std::remove_if(better.begin(), better.end(), only), better.end());
  better.pop_back();  // one case less for "whole"
  const text_table table = comparison_table({{"baseline", some_scores()}, {"fusion", better}});
  BOOST_TEST(table.header == (std::vector<std::string>{"class", "output", "baseline Dice", "baseline HD95 [mm]",
                                                       "fusion Dice", "fusion HD95 [mm]", "cases"}),
             boost::test_tools::per_element());
  BOOST_TEST(table.rows.size() == 6u);
  BOOST_TEST(table.rows[0][0] == "core, left");
  BOOST_TEST(table.rows[0][1] == "fused");
  BOOST_TEST(table.rows[0][2] == "0.8333 ± 0.0000");
  BOOST_TEST(table.rows[0][4] == "1.0000 ± 0.0000");
  BOOST_TEST(table.rows[0][6] == "2");
  BOOST_TEST(table.rows[1][0] == "core, left");
  BOOST_TEST(table.rows[1][1] == "only T1");
  BOOST_TEST(table.rows[1][4] == "-");
  BOOST_TEST(table.rows[4][6] == "2/1");
}
