// SPDX-License-Identifier: Apache-2.0
// All sets of modalities, uncertainty maps, what they are worth, and the ranking by them; with a model of random
// weights.
#define BOOST_TEST_MODULE app_uncertainty
#include <boost/test/unit_test.hpp>

#include <comodal/app/evaluate.hpp>
#include <comodal/app/predict.hpp>
#include <comodal/app/rank.hpp>
#include <comodal/data/phantom.hpp>
#include <comodal/model/model_file.hpp>

#include <nn/support.hpp>

#include <nlohmann/json.hpp>

#include <fstream>

namespace comodal::tests {

using B = mixed_backend;
namespace fs = std::filesystem;
using list = std::vector<std::string>;

// Four test cases: one that lacks T1, one of FLAIR alone, two complete ones, of which one has a name in Latin-1.
struct study {
  temporary_folder work;
  registry<B> names = registry<B>::built_in();
  const fs::path model = work / "model.safetensors", images = work / "cohort/imagesTs",
                 labels = work / "cohort/labelsTs";
  std::vector<std::string> warnings;
  app::observer watch{[this](const std::string& line) { warnings.push_back(line); }, {}, {}, {}};

  study() {
    phantom_options heads;
    heads.grid = {32, 32, 16};
    heads.spacing = {5, 5, 9};
    heads.labelled = 1;
    heads.unlabelled = 3;
    heads.test = 4;
    write_phantom_cohort(work / "cohort", heads, 3);
    fs::remove(images / "phantom_5000_0001.nii.gz");
    for (const char* m : {"1", "2", "3"}) fs::remove(images / ("phantom_5001_000" + std::string(m) + ".nii.gz"));
    for (const char* m : {"0", "1", "2", "3"})
      fs::rename(images / ("phantom_5003_000" + std::string(m) + ".nii.gz"),
                 images / ("M\xFCller_000" + std::string(m) + ".nii.gz"));
    fs::rename(labels / "phantom_5003.nii.gz", labels / "M\xFCller.nii.gz");
    write_model("gated");
  }
  void write_model(const std::string& fusion) const {
    model_plan plan;
    plan.modalities = {"FLAIR", "T1", "T1ce", "T2"};
    plan.labels = {{"background", {0}}, {"oedema", {1}}, {"core", {2}}, {"rim", {3}}};
    plan.network.stream_channels = {2, 4};
    plan.network.fused_channels = {4, 8};
    plan.network.fusion = fusion;
    plan.patch_size = {8, 16, 16};
    plan.method = "none";
    plan.predictors = {"ema"};
    context<B> ctx;
    tape<B> home(ctx);
    const auto network = make_network<B>(home, plan.network, 4, 4, 7);
    safetensors_file file;
    write_plan(plan, file);
    save_parameters(network.parameters(), "ema/", file);
    write_checked_safetensors(model, file);
  }
  app::predict_summary predict(const std::string& folder, bool subsets, bool uncertainty) {
    app::predict_request request{model, images, work / folder};
    request.subsets = subsets;
    request.uncertainty = uncertainty;
    return app::predict(request, names, watch);
  }
  app::rank_request ranking(const std::string& file = {}) const {
    return {model, images, file.empty() ? fs::path{} : work / file};
  }
  static std::set<std::string> cases_of(const std::vector<case_score>& scores, const std::string& output) {
    std::set<std::string> ids;
    for (const auto& s : scores)
      if (s.output == output) ids.insert(s.case_id);
    return ids;
  }
  static std::string words_of(const fs::path& file) {
    const auto bytes = read_file(file);
    return {bytes.begin(), bytes.end()};
  }
};

BOOST_FIXTURE_TEST_CASE(all_sets_of_modalities_in_one_order, study) {
  const auto predicted = predict("p", true, false);
  BOOST_TEST(predicted.failures.empty());
  // The first case lacks T1, and still T1 stands in its place.
  const list outputs{"fused",
                     "only FLAIR",
                     "only T1",
                     "only T1ce",
                     "only T2",
                     "only FLAIR + T1",
                     "only FLAIR + T1ce",
                     "only FLAIR + T2",
                     "only T1 + T1ce",
                     "only T1 + T2",
                     "only T1ce + T2",
                     "only FLAIR + T1 + T1ce",
                     "only FLAIR + T1 + T2",
                     "only FLAIR + T1ce + T2",
                     "only T1 + T1ce + T2"};
  BOOST_TEST(predicted.outputs == outputs, boost::test_tools::per_element());
  BOOST_TEST(fs::exists(work / "p/only_FLAIR_+_T1ce_+_T2/phantom_5000.nii.gz"));
  BOOST_TEST(!fs::exists(work / "p/only_FLAIR_+_T1/phantom_5000.nii.gz"));
  BOOST_TEST(!fs::exists(work / "p/only_FLAIR_+_T1_+_T1ce_+_T2"));
  // All that the first case has is its fused output.
  BOOST_TEST(
      (read_file(work / "p/only_FLAIR_+_T1ce_+_T2/phantom_5000.nii.gz") == read_file(work / "p/phantom_5000.nii.gz")));

  const auto scores = app::evaluate({{work / "p"}, labels}).methods[0].scores;
  const std::set<std::string> complete{"M\xFCller", "phantom_5002"};
  BOOST_TEST(cases_of(scores, "fused").size() == 4u);
  BOOST_TEST(cases_of(scores, "only FLAIR").size() == 4u);
  BOOST_TEST((cases_of(scores, "only FLAIR + T1") == complete));
  BOOST_TEST(cases_of(scores, "only T1ce + T2").size() == 3u);
  // The row of all four is that of the complete cases, the fused one has every case.
  BOOST_TEST((cases_of(scores, "only FLAIR + T1 + T1ce + T2") == complete));
  const auto table = summary_table(scores);
  BOOST_TEST(table.rows.size() == 16u * 3);
  BOOST_TEST(table.rows.back()[0] == "only FLAIR + T1 + T1ce + T2");
  BOOST_TEST(table.rows.back()[2] == "2");
  // Names in any encoding.
  const auto json = nlohmann::json::parse(words_of(work / "p/summary.json"));
  BOOST_TEST(json["metric_per_case"].size() == 4u);
  BOOST_TEST(words_of(work / "p/scores.csv").find("M\\xFCller,fused,oedema,") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(complete_cases_have_no_second_row_of_all, study) {
  for (const char* id : {"phantom_5000", "phantom_5001"}) {
    for (int m = 0; m < 4; ++m) fs::remove(images / text(id, "_000", m, ".nii.gz"));
    fs::remove(labels / text(id, ".nii.gz"));
  }
  (void)predict("f\xFCr", true, false);
  const auto summary = app::evaluate({{work / "f\xFCr"}, labels});
  BOOST_TEST(summary.methods[0].name == "f\\xFCr");
  const auto& table = summary.table;
  BOOST_TEST(table.rows.size() == 15u * 3);
  BOOST_TEST(table.rows.back()[0] == "only T1 + T1ce + T2");
}

BOOST_FIXTURE_TEST_CASE(what_a_case_no_longer_has_is_removed, study) {
  (void)predict("p", true, true);
  BOOST_TEST(fs::exists(work / "p/only_T1ce_+_T2/phantom_5000.nii.gz"));
  BOOST_TEST(fs::exists(work / "p/uncertainty/phantom_5000.nii.gz"));
  for (const char* m : {"2", "3"}) fs::remove(images / text("phantom_5000_000", m, ".nii.gz"));
  (void)predict("p", false, false);
  BOOST_TEST(!fs::exists(work / "p/only_T1ce_+_T2/phantom_5000.nii.gz"));
  BOOST_TEST(!fs::exists(work / "p/uncertainty/phantom_5000.nii.gz"));
}

BOOST_FIXTURE_TEST_CASE(uncertainty_is_written_judged_and_ranked_by, study) {
  const auto predicted = predict("p", false, true);
  const list with_map{"M\xFCller", "phantom_5000", "phantom_5002"};
  BOOST_TEST(predicted.outputs == list{"fused"}, boost::test_tools::per_element());
  BOOST_TEST(predicted.uncertainty == with_map, boost::test_tools::per_element());
  BOOST_REQUIRE(!warnings.empty());
  BOOST_TEST(warnings.back().find("phantom_5001: has one modality, so that no branch can disagree") == 0u,
             warnings.back());
  BOOST_TEST(!fs::exists(work / "p/uncertainty/phantom_5001.nii.gz"));
  const auto map = read_nifti(work / "p/uncertainty/phantom_5000.nii.gz");
  const auto image = read_nifti(images / "phantom_5000_0000.nii.gz");
  BOOST_TEST(grid_difference(map.geometry, image.geometry) == "");
  const auto [least, most] = std::minmax_element(map.values.begin(), map.values.end());
  BOOST_TEST((*least >= 0 && *most > 0 && *most <= 1));

  const auto judged =
      app::evaluate({.predictions = {work / "p"}, .labels = labels, .uncertainty = true}).uncertainty.at(0);
  BOOST_REQUIRE(judged.cases.size() == 3u);
  BOOST_TEST(judged.without_map == list{"phantom_5001"}, boost::test_tools::per_element());
  BOOST_TEST(judged.correlated == 3);
  const auto json = nlohmann::json::parse(words_of(work / "p/uncertainty.json"));
  BOOST_TEST(json["cases_without_map"][0] == "phantom_5001");
  BOOST_TEST(words_of(work / "p/uncertainty.csv").find("\nM\\xFCller,") != std::string::npos);

  const auto ranked = app::rank(ranking(), names);
  BOOST_TEST(ranked.finished);
  BOOST_REQUIRE(ranked.cases.size() == 3u);
  for (std::size_t r = 0; r < 3; ++r) {
    if (r > 0) BOOST_TEST(ranked.cases[r - 1].uncertainty.mean >= ranked.cases[r].uncertainty.mean);
    const auto same = std::find_if(judged.cases.begin(), judged.cases.end(),
                                   [&](const auto& one) { return one.case_id == ranked.cases[r].id; });
    BOOST_REQUIRE((same != judged.cases.end()));
    BOOST_TEST(same->uncertainty.mean == ranked.cases[r].uncertainty.mean);  // to the bit
    BOOST_TEST(same->uncertainty.voxels == ranked.cases[r].uncertainty.voxels);
  }
  BOOST_REQUIRE(ranked.apart.size() == 1u);
  BOOST_TEST(ranked.apart[0].id == "phantom_5001");
  BOOST_TEST(ranked.apart[0].reason.find("has one modality") == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_list_is_whole_or_not_there_and_is_taken_up, study) {
  const auto whole = app::rank(ranking("whole.csv"), names);
  BOOST_TEST(!fs::exists(work / "whole.csv.progress"));
  const std::string csv = words_of(work / "whole.csv");
  BOOST_TEST(csv.substr(0, csv.find('\n')) == "rank,case,uncertainty,judged_voxels,predicted_voxels,modalities,reason");
  BOOST_TEST(std::count(csv.begin(), csv.end(), '\n') == 5);
  BOOST_TEST(csv.find("M\\xFCller,") != std::string::npos);
  BOOST_TEST(csv.find("\n,phantom_5001,,,,FLAIR,\"has one modality, so that") != std::string::npos, csv);

  // Stopped behind two cases: no list. Then only the others are segmented, and the bytes are the same.
  index done = 0;
  app::observer stops;
  stops.progress = [&](const app::work_progress& at) { done = at.done; };
  stops.cancelled = [&] { return done >= 2; };
  BOOST_TEST(!app::rank(ranking("part.csv"), names, stops).finished);
  BOOST_TEST(!fs::exists(work / "part.csv"));
  BOOST_TEST(fs::exists(work / "part.csv.progress"));
  const auto marked = nlohmann::json::parse(words_of(work / "part.csv.progress"));
  BOOST_TEST(marked["cases"].size() == 2u);
  BOOST_TEST(app::rank(ranking("part.csv"), names).finished);
  BOOST_TEST(words_of(work / "part.csv") == csv);

  // A score that was kept is used, but not for other files, other settings, or from a damaged file.
  auto changed = marked;
  changed["cases"]["M\\xFCller"]["mean"] = 0.99;
  const auto first_of = [&](const std::string& progress, const app::rank_request& request) {
    write_text(work / "part.csv.progress", progress);
    return app::rank(request, names).cases.at(0).uncertainty.mean;
  };
  BOOST_TEST(first_of(changed.dump(), ranking("part.csv")) == 0.99);
  BOOST_TEST(first_of("{damaged", ranking("part.csv")) == whole.cases[0].uncertainty.mean);
  auto other = ranking("part.csv");
  other.step = 0.9;
  BOOST_TEST(first_of(changed.dump(), other) < 0.99);
  const auto image = images / "M\xFCller_0000.nii.gz";
  fs::last_write_time(image, fs::last_write_time(image) + std::chrono::seconds(5));
  BOOST_TEST(first_of(changed.dump(), ranking("part.csv")) == whole.cases[0].uncertainty.mean);
}

BOOST_FIXTURE_TEST_CASE(a_data_set_is_ranked_by_its_unlabelled_cases, study) {
  app::rank_request request{model, work / "cohort", work / "list.json"};
  const auto ranked = app::rank(request, names, watch);
  BOOST_TEST(ranked.cases.size() + ranked.apart.size() == 3u);
  const auto json = nlohmann::json::parse(words_of(work / "list.json"));
  BOOST_TEST(json["cases"].size() == ranked.cases.size());
  BOOST_TEST(json["cases"][0]["case"] == ranked.cases[0].id);
  BOOST_TEST(json["cases"][0]["uncertainty"].get<double>() == ranked.cases[0].uncertainty.mean);
  BOOST_TEST(json["cases"][0]["modalities"].size() == 4u);

  auto description = nlohmann::ordered_json::parse(words_of(work / "cohort/dataset.json"));
  description["channel_names"] = {{"0", "T2"}, {"1", "T1"}, {"2", "T1ce"}, {"3", "FLAIR"}};
  write_text(work / "cohort/dataset.json", description.dump());
  BOOST_CHECK_EXCEPTION((void)app::rank(request, names), config_error,
                        says("has the modalities T2, T1, T1ce, FLAIR, the model expects FLAIR, T1, T1ce, T2"));
}

BOOST_FIXTURE_TEST_CASE(cases_without_a_score_stand_apart_with_the_reason, study) {
  fs::resize_file(images / "phantom_5002_0001.nii.gz", 400);
  const auto ranked = app::rank(ranking("list.json"), names, watch);
  BOOST_REQUIRE(ranked.failures.size() == 1u);
  BOOST_REQUIRE(ranked.apart.size() == 2u);
  BOOST_TEST(ranked.apart[1].id == "phantom_5002");
  BOOST_TEST(ranked.apart[1].reason.find("phantom_5002_0001.nii.gz: ") != std::string::npos);
  BOOST_TEST(nlohmann::json::parse(words_of(work / "list.json"))["apart"].size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_done_is_said_before_a_volume_is_read, study) {
  const auto refuses = [&](const app::rank_request& request, const std::string& words) {
    BOOST_CHECK_EXCEPTION((void)app::rank(request, names), error, says(words));
  };
  refuses(ranking("list.txt"), "expected a file that ends in .csv or .json");
  refuses(ranking("nowhere/list.csv"), "cannot be written: there is no folder");
  refuses({model, work / "nowhere"}, "there is no such folder of images");
  (void)predict("p", false, false);
  BOOST_CHECK_EXCEPTION((void)app::evaluate({.predictions = {work / "p"}, .labels = labels, .uncertainty = true}),
                        io_error, says("p: has no uncertainty map; run `predict` with --uncertainty"));
  write_model("early");
  refuses(ranking(), "rank: the model has no branches (model.fusion = \"early\")");
  BOOST_CHECK_EXCEPTION((void)predict("q", false, true), config_error, says("uncertainty: the model has no branches"));
  BOOST_TEST(!fs::exists(work / "q"));
}

BOOST_AUTO_TEST_CASE(sets_that_no_folder_tells_apart_are_refused) {
  model_plan plan;
  app::predict_request request;
  request.subsets = true;
  plan.modalities = {"T1", "T2", "T1 + T2"};
  BOOST_CHECK_EXCEPTION(app_detail::check_request(request, plan), config_error,
                        says("'only_T1_+_T2' would hold the outputs of two sets of modalities"));
  plan.modalities = {"a b", "a/b"};
  BOOST_CHECK_EXCEPTION(app_detail::check_request(request, plan), config_error,
                        says("'only_a_b' would hold the outputs of two modalities"));
  plan.modalities = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
  BOOST_CHECK_EXCEPTION(app_detail::check_request(request, plan), config_error,
                        says("subsets: the model has 9 modalities, expected 8 at most"));
  plan.modalities = {"T1"};
  app_detail::check_request(request, plan);
}

}  // namespace comodal::tests
