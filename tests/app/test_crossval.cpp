// SPDX-License-Identifier: Apache-2.0
// Cross-validation, models that are averaged, probabilities, entropy and post-processing, from file to file.
#define BOOST_TEST_MODULE app_crossval
#include <boost/test/unit_test.hpp>

#include <app/tiny_job.hpp>

namespace comodal::tests {

namespace {

struct folds_job : tiny_job {
  folds_job() {
    e.validation.clear();
    e.train.validate_every = 0;
    e.train.steps = 3;
  }
  [[nodiscard]] app::crossval_request request(const char* folder = "cv") const {
    app::crossval_request of{e, work / folder};
    of.folds = 3;
    return of;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(each_case_is_segmented_by_the_fold_without_it, folds_job) {
  BOOST_CHECK_EXCEPTION((void)app::crossval(app::crossval_request{e, work / "few"}, names), config_error,
                        says("5 of 3 labelled cases"));
  // One fold, a stop, and the rest.
  auto one = request();
  one.only = 1;
  const auto first = app::crossval(one, names);
  BOOST_TEST(first.finished == 1);
  BOOST_TEST(first.scores.empty());
  seen stop;
  stop.cancel_at = 2;
  BOOST_TEST(app::crossval(request(), names, stop.watch()).stopped);
  const auto all = app::crossval(request(), names);
  BOOST_TEST(all.finished == 3);
  BOOST_TEST(all.scores.size() == 3u * 3u);
  const auto json = read_json(work / "cv/splits.json");
  BOOST_REQUIRE(json.size() == 3u);
  std::set<std::string> apart;
  for (index k = 0; k < 3; ++k) {
    const auto fold = read_fold(work / "cv/splits.json", k);
    BOOST_TEST(fold.train.size() == 2u);
    BOOST_REQUIRE(fold.validation.size() == 1u);
    apart.insert(fold.validation[0]);
    BOOST_TEST(fs::exists(work / text("cv/fold_", k, "/validation/", fold.validation[0], ".nii.gz")));
    // Its model has not seen it: the run's own record of its cases says so.
    const auto content = read_safetensors(work / text("cv/fold_", k, "/checkpoint.safetensors"));
    BOOST_TEST(content.metadata.at("comodal.case_checksums").find(fold.validation[0]) == std::string::npos);
    BOOST_TEST(content.metadata.at("comodal.case_checksums").find(fold.train[0]) != std::string::npos);
  }
  BOOST_TEST(apart.size() == 3u);
  BOOST_TEST(fs::exists(work / "cv/summary.json"));
  // Uninterrupted, the bytes are the same.
  (void)app::crossval(request("whole"), names);
  for (const char* file : {"splits.json", "scores.csv", "fold_0/model.safetensors", "fold_2/model.safetensors"})
    BOOST_TEST((read_file(work / "cv" / file) == read_file(work / "whole" / file)), file);
  // Nothing is done twice.
  const auto written = fs::last_write_time(work / "cv/fold_0/model.safetensors");
  BOOST_TEST(app::crossval(request(), names).scores.size() == all.scores.size());
  BOOST_TEST((fs::last_write_time(work / "cv/fold_0/model.safetensors") == written));

  auto wrong = request();
  wrong.what.validation = {"phantom_0001"};
  BOOST_CHECK_EXCEPTION((void)app::crossval(wrong, names), config_error, says("data.validation"));
  wrong = request();
  wrong.what.labelled = {"phantom_0001", "phantom_0002"};
  BOOST_CHECK_EXCEPTION((void)app::crossval(wrong, names), config_error, says("3 of 2 labelled cases"));
  wrong = request();
  wrong.folds = 2;
  BOOST_CHECK_EXCEPTION((void)app::crossval(wrong, names), config_error, says("has 3 folds, this call asks for 2"));
  wrong = request();
  wrong.what.optimiser.learning_rate *= 2;
  BOOST_CHECK_EXCEPTION((void)app::crossval(wrong, names), config_error, says("take the same settings"));
  wrong = request();
  wrong.folder = work / "cohort";
  BOOST_CHECK_EXCEPTION((void)app::crossval(wrong, names), config_error, says("something else than folds"));
  // A mask that is lost is made again; other windows make all anew.
  fs::remove(work / "cv/fold_1/validation" / (read_fold(work / "cv/splits.json", 1).validation[0] + ".nii.gz"));
  BOOST_TEST(app::crossval(request(), names).scores.size() == all.scores.size());
  auto other = request();
  other.folds.reset();
  other.mirror = {"i"};
  BOOST_TEST(app::crossval(other, names).finished == 3);
  BOOST_TEST((fs::last_write_time(work / "cv/fold_0/model.safetensors") == written));
  // So is a label that has changed since: models and masks of two truths would be mixed.
  const auto label = work / "cohort/labelsTr/phantom_0001.nii.gz";
  const auto time = fs::last_write_time(label);
  fs::last_write_time(label, time + std::chrono::seconds(3));
  BOOST_CHECK_EXCEPTION((void)app::crossval(request(), names), config_error, says("case phantom_0001 has changed"));
  fs::last_write_time(label, time);
  wrong = request();
  wrong.only = 3;
  BOOST_CHECK_EXCEPTION((void)app::crossval(wrong, names), config_error, says("there are 3 folds"));
}

BOOST_FIXTURE_TEST_CASE(folds_of_the_data_set_are_taken, folds_job) {
  std::ofstream(work / "cohort/splits_final.json")
      << R"([{"train": ["phantom_0000"], "val": ["phantom_0001", "phantom_0002"]},
             {"train": ["phantom_0001", "phantom_0002"], "val": ["phantom_0000"]}])";
  BOOST_CHECK_EXCEPTION((void)app::crossval(request(), names), config_error, says("has 2"));
  auto free = request();
  free.folds.reset();
  const auto all = app::crossval(free, names);
  BOOST_TEST(all.folds == 2);
  BOOST_TEST(all.scores.size() == 3u * 3u);
  BOOST_TEST(read_fold(work / "cv/splits.json", 0).train.size() == 1u);
  // A split that leaves cases out can be taken up again; one that counts a case twice is refused before anything.
  free.folder = work / "part";
  std::ofstream(work / "cohort/splits_final.json") << R"([{"train": ["phantom_0000"], "val": ["phantom_0001"]}])";
  for (int twice = 0; twice < 2; ++twice) BOOST_TEST(app::crossval(free, names).scores.size() == 3u);
  free.folder = work / "twice";
  std::ofstream(work / "cohort/splits_final.json") << R"([{"train": ["phantom_0000"], "val": ["phantom_0001"]},
             {"train": ["phantom_0002"], "val": ["phantom_0001"]}])";
  BOOST_CHECK_EXCEPTION((void)app::crossval(free, names), config_error, says("kept apart by two folds"));
  BOOST_TEST(!fs::exists(work / "twice"));
}

BOOST_FIXTURE_TEST_CASE(the_models_of_a_folder_are_averaged, folds_job) {
  (void)app::crossval(request(), names);
  app::predict_request of{work / "cv", work / "cohort/imagesTs", work / "mean"};
  of.probabilities = of.entropy = of.branches = of.raw = true;
  const auto mean = app::predict(of, names);
  BOOST_TEST(mean.cases.size() == 2u);
  std::vector<std::vector<float>> single;
  for (int k = 0; k < 3; ++k) {
    auto one = of;
    one.model = work / text("cv/fold_", k);
    one.folder = work / text("p", k);
    (void)app::predict(one, names);
  }
  const auto channels = [&](const fs::path& file) {
    const nifti_contents content(file);
    BOOST_TEST(content.header().volumes == 4);
    std::vector<image_volume> out;
    for (index c = 0; c < 4; ++c) out.push_back(to_image(content.view(c)));
    return out;
  };
  for (const std::string place : {"", "branch_T1/"}) {
    const std::string file = place + "probabilities/phantom_5000.nii.gz";
    const auto all = channels(work / "mean" / file);
    std::vector<std::vector<image_volume>> each;
    for (int k = 0; k < 3; ++k) each.push_back(channels(work / text("p", k) / file));
    const auto labels = read_nifti_labels(work / "mean" / (place + "phantom_5000.nii.gz"));
    for (std::size_t v = 0; v < labels.values.size(); ++v) {
      double sum = 0;
      std::size_t best = 0;
      for (std::size_t c = 0; c < 4; ++c) {
        sum += static_cast<double>(all[c].values[v]);
        if (all[c].values[v] > all[best].values[v]) best = c;
        const double expected = (static_cast<double>(each[0][c].values[v]) + static_cast<double>(each[1][c].values[v]) +
                                 static_cast<double>(each[2][c].values[v])) /
                                3;
        BOOST_REQUIRE_SMALL(static_cast<double>(all[c].values[v]) - expected, 1e-5);
      }
      BOOST_REQUIRE_SMALL(sum - 1, 1e-5);
      BOOST_REQUIRE(labels.values[v] == static_cast<std::uint8_t>(best));
    }
  }
  const auto entropy = read_nifti(work / "mean/entropy/phantom_5000.nii.gz");
  BOOST_TEST(*std::max_element(entropy.values.begin(), entropy.values.end()) <= 1.f);
  BOOST_TEST(*std::max_element(entropy.values.begin(), entropy.values.end()) > 0.1f);
  for (const auto& one : fs::directory_iterator(work / "mean"))
    BOOST_TEST(one.path().filename().string().find("probabilities-") == std::string::npos);
  // Scores of both are compared on the same cases.
  const auto scores = app::evaluate({.predictions = {work / "p0", work / "mean"},
                                     .labels = work / "cohort/labelsTs",
                                     .out = work / "tables",
                                     .lesions = true});
  BOOST_TEST(scores.differences.size() == 3u);
  BOOST_TEST(scores.lesions.size() == 2u);
  BOOST_TEST(fs::exists(work / "tables/comparison.csv"));
  BOOST_TEST(fs::exists(work / "tables/mean/lesions.csv"));

  auto none = of;
  none.model = work / "cohort";
  BOOST_CHECK_EXCEPTION((void)app::predict(none, names), io_error, says("is no folder of a cross-validation"));
  fs::remove(work / "cv/fold_1/model.safetensors");
  none.model = work / "cv";
  BOOST_CHECK_EXCEPTION((void)app::predict(none, names), io_error, says("fold 1 of 3 is not finished"));
  e.batch.patch_size = {8, 16, 32};
  (void)app::train(e, work / "other", false, names);
  none = of;
  none.model = work / "cv/fold_0";
  none.also = {work / "other"};
  BOOST_CHECK_EXCEPTION((void)app::predict(none, names), config_error,
                        says("its windows (batch.patch_size) are others"));
}

// Folds of a CT have statistics of their own: each model sees the case as it was trained.
BOOST_FIXTURE_TEST_CASE(models_with_other_statistics_see_their_own_images, folds_job) {
  e.normalise = {"ct"};
  (void)app::crossval(request(), names);
  const app::segmenter<B> all(app::model_files(work / "cv"), "", names);
  BOOST_TEST(all.preparations().size() == 3u);
  app::predict_request of{work / "cv", work / "cohort/imagesTs", work / "mean"};
  of.probabilities = true;
  BOOST_TEST(app::predict(of, names).failures.empty());
  double first = 0, mean = 0;
  for (int k = 0; k < 3; ++k) {
    auto one = of;
    one.model = work / text("cv/fold_", k, "/model.safetensors");
    one.folder = work / text("p", k);
    (void)app::predict(one, names);
    first += static_cast<double>(
        to_image(nifti_contents(one.folder / "probabilities/phantom_5001.nii.gz").view(1)).at(15, 15, 8));
  }
  mean = static_cast<double>(
      to_image(nifti_contents(of.folder / "probabilities/phantom_5001.nii.gz").view(1)).at(15, 15, 8));
  BOOST_TEST(mean == first / 3, boost::test_tools::tolerance(1e-4));
}

BOOST_FIXTURE_TEST_CASE(post_processing_is_chosen_kept_and_done, folds_job) {
  (void)app::train(e, work / "run", false, names);
  // Masks of another tool that say what the model would: true ones with a speck.
  const fs::path truth = work / "cohort/labelsTs", masks = work / "masks";
  fs::create_directories(masks);
  for (const char* id : {"phantom_5000", "phantom_5001"}) {
    auto mask = read_nifti_file(truth / text(id, ".nii.gz"));
    auto labels = read_nifti_labels(truth / text(id, ".nii.gz"));
    for (index i = 0; i < 3; ++i) labels.at(i, 0, 0) = 3;
    write_nifti_labels(masks / text(id, ".nii.gz"), labels, mask.header);
  }
  const auto before = app::plan_of_model(read_model_file(work / "run/model.safetensors"), "m", names);
  BOOST_TEST(before.postprocess.empty());
  const auto summary = app::postprocess_models({work / "run", {masks}, truth}, names.normalisations);
  BOOST_TEST(summary.cases == 2u);
  BOOST_REQUIRE(summary.chosen.rules.size() >= 1u);
  const auto plan = app::plan_of_model(read_model_file(work / "run/model.safetensors"), "m", names);
  BOOST_TEST((plan.postprocess == summary.chosen.rules));
  // `predict` does it, unless it is told not to.
  app::predict_request of{work / "run", work / "cohort/imagesTs", work / "done"};
  (void)app::predict(of, names);
  auto raw = of;
  raw.raw = true;
  raw.folder = work / "raw";
  (void)app::predict(raw, names);
  for (const char* id : {"phantom_5000", "phantom_5001"}) {
    auto expected = read_nifti_labels(work / text("raw/", id, ".nii.gz"));
    postprocess(expected, plan.postprocess, plan.labels, plan.region_order);
    BOOST_TEST((read_nifti_labels(work / text("done/", id, ".nii.gz")).values == expected.values));
  }
  BOOST_CHECK_EXCEPTION((void)app::postprocess_models({work / "run", {work / "done"}, truth}, names.normalisations),
                        config_error, says("make them with --raw"));
  (void)app::postprocess_models({work / "run", {work / "raw"}, truth}, names.normalisations);
}

}  // namespace comodal::tests
