// SPDX-License-Identifier: Apache-2.0
// The verbs in one process: check, train with an observer that cancels, train on, predict, evaluate, report.
#define BOOST_TEST_MODULE app_verbs
#include <boost/test/unit_test.hpp>

#include <app/tiny_job.hpp>

#include <chrono>
#include <thread>

namespace comodal::tests {

using job = tiny_job;

// What a report takes apart is what the method makes.
static_assert(reliability<B>::factor == app_detail::reliability_factor);

BOOST_FIXTURE_TEST_CASE(check_train_predict_evaluate_report, job) {
  BOOST_TEST(app::check_data(work / "cohort", names.readers).empty());

  seen whole, first, second;
  const auto unbroken = app::train(e, work / "whole", false, names, whole.watch());
  BOOST_TEST(unbroken.result.finished);
  BOOST_TEST(unbroken.parameters > 1000);
  BOOST_TEST(unbroken.result.best_validation.has_value());
  BOOST_REQUIRE(whole.notes.size() > 2u);
  BOOST_TEST(whole.notes.back().starts_with("validation Dice 0"), whole.notes.back());
  BOOST_TEST(whole.notes[0] == "reading 2 labelled, 2 unlabelled and 1 validation cases");

  // An observer cancels after five steps; the run is taken up and ends with the same bytes.
  first.cancel_at = 5;
  const auto stopped = app::train(e, work / "run", false, names, first.watch());
  BOOST_TEST(!stopped.result.finished);
  BOOST_TEST(stopped.result.steps_done == 5u);
  BOOST_TEST(!fs::exists(work.path() / "run/model.safetensors"));
  BOOST_CHECK_EXCEPTION((void)app::train(e, work / "run", false, names), config_error,
                        says("exists already; name a new folder, or continue with --resume"));
  const auto resumed = app::train(e, work / "run", true, names, second.watch());
  BOOST_TEST(resumed.result.finished);
  BOOST_TEST(resumed.result.first_step == 5u);
  BOOST_REQUIRE(second.progress.size() == 7u);
  BOOST_TEST(second.progress[0].unit == "step");
  BOOST_TEST(second.progress[0].first == 5);
  BOOST_TEST(second.progress[0].done == 6);
  BOOST_TEST(second.progress.back().done == second.progress.back().total);
  BOOST_TEST(second.progress[0].values[0].first == "loss");
  for (const char* file : {"model.safetensors", "best.safetensors", "log.jsonl", "experiment.toml"})
    BOOST_TEST((read_file(work.path() / "run" / file) == read_file(work.path() / "whole" / file)), file);

  app::predict_request request{work.path() / "run/model.safetensors", work.path() / "cohort/imagesTs",
                               work.path() / "run/predictions"};
  request.only = true;
  seen cases, none;
  none.cancel_at = 1;
  const auto part = app::predict(request, names, none.watch());
  BOOST_TEST(!part.finished);
  BOOST_TEST(part.cases.size() == 1u);
  const auto predicted = app::predict(request, names, cases.watch());
  BOOST_TEST(predicted.finished);
  BOOST_TEST(predicted.cases.size() == 2u);
  BOOST_TEST(predicted.failures.empty());
  BOOST_TEST(predicted.outputs.size() == 5u);  // fused, and from each of four modalities alone
  BOOST_TEST(cases.progress.back().unit == "case");

  const auto scores = app::evaluate({{work.path() / "run/predictions"}, work.path() / "cohort/labelsTs"});
  BOOST_REQUIRE(scores.methods.size() == 1u);
  BOOST_TEST(scores.methods[0].name == "run");
  BOOST_TEST(scores.methods[0].scores.size() == 2u * 5u * 3u);  // cases, outputs, classes
  BOOST_TEST(fs::exists(work.path() / "run/predictions/summary.json"));

  app::report_request page;
  page.runs = {work.path() / "run"};
  page.labels = work.path() / "cohort/labelsTs";
  page.images = work.path() / "cohort/imagesTs";
  page.file = work.path() / "report.html";
  page.cases = 1;
  app::report(page);
  const auto html = read_file(page.file);
  BOOST_TEST(std::string(html.end() - 8, html.end()).find("</html>") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(an_experiment_made_in_code_is_taken_up_again, job) {
  app::experiment own = e;
  own.method = "mean_teacher";  // without options: the defaults
  own.losses = {};
  seen first;
  first.cancel_at = 3;
  BOOST_TEST(!app::train(own, work / "run", false, names, first.watch()).result.finished);
  BOOST_TEST(app::train(own, work / "run", true, names).result.first_step == 3u);
}

BOOST_FIXTURE_TEST_CASE(a_training_cancelled_before_its_first_step_writes_nothing, job) {
  app::observer at_once;
  at_once.cancelled = [] { return true; };
  const auto summary = app::train(e, work / "run", false, names, at_once);
  BOOST_TEST(!summary.begun);
  BOOST_TEST(!fs::exists(work.path() / "run"));
}

BOOST_FIXTURE_TEST_CASE(what_an_observer_throws_ends_the_verb, job) {
  e.train.steps = 1;
  e.validation.clear();
  (void)app::train(e, work / "run", false, names);
  app::observer thrower;
  thrower.progress = [](const app::work_progress&) { throw config_error("enough"); };
  const app::predict_request request{work.path() / "run/model.safetensors", work.path() / "cohort/imagesTs",
                                     work.path() / "p"};
  BOOST_CHECK_EXCEPTION((void)app::predict(request, names, thrower), config_error, says("enough"));
}

BOOST_FIXTURE_TEST_CASE(threads_are_those_of_the_verb_alone, job) {
  const int before = host_threads();
  e.threads = 1;
  e.train.steps = 1;
  (void)app::train(e, work / "run", false, names);
  BOOST_TEST(host_threads() == before);
}

BOOST_FIXTURE_TEST_CASE(a_case_that_fails_is_a_line_and_the_others_go_on, job) {
  e.train.steps = 1;
  e.validation.clear();
  (void)app::train(e, work / "run", false, names);
  fs::copy(work.path() / "cohort/imagesTs", work.path() / "images");
  fs::resize_file(work.path() / "images/phantom_5000_0001.nii.gz", 400);
  seen cases;
  const auto result = app::predict<B>(
      {work.path() / "run/model.safetensors", work.path() / "images", work.path() / "p"}, names, cases.watch());
  BOOST_REQUIRE(result.failures.size() == 1u);
  BOOST_TEST(result.failures[0].find("phantom_5000_0001.nii.gz: ") != std::string::npos, result.failures[0]);
  BOOST_TEST(result.cases == std::vector<std::string>{"phantom_5001"}, boost::test_tools::per_element());
  BOOST_TEST(cases.progress.back().done == 2);
}

// A trained model, its images, and a folder for masks.
struct predict_job : job {
  predict_job() {
    e.train.steps = 1;
    e.validation.clear();
    (void)app::train(e, work / "run", false, names);
  }
  [[nodiscard]] app::predict_request request() const {
    return {work / "run/model.safetensors", work / "cohort/imagesTs", work / "p"};
  }
  // A case of the images to predict.
  [[nodiscard]] case_files of_id(const std::string& id) const {
    std::vector<finding> ignored;
    for (auto& one : read_nnunet_images(work / "cohort/imagesTs", 4, ".nii.gz", ignored))
      if (one.id == id) return one;
    return {};
  }
  [[nodiscard]] std::vector<std::string> recorded() const { return app_detail::read_predictions(work / "p").cases; }
};

const std::vector<std::string> both{"phantom_5000", "phantom_5001"};

BOOST_FIXTURE_TEST_CASE(what_is_finished_is_recorded_case_by_case, predict_job) {
  seen stop;
  stop.cancel_at = 1;
  const auto first = app::predict<B>(request(), names, stop.watch());
  BOOST_TEST(!first.finished);
  BOOST_TEST(recorded() == std::vector<std::string>{both[0]}, boost::test_tools::per_element());

  auto rest = request();
  rest.keep = true;
  const auto written = fs::last_write_time(work / "p/phantom_5000.nii.gz");
  const auto second = app::predict<B>(rest, names);
  BOOST_TEST(second.cases == std::vector<std::string>{both[1]}, boost::test_tools::per_element());
  BOOST_TEST(second.left == std::vector<std::string>{both[0]}, boost::test_tools::per_element());
  BOOST_TEST(recorded() == both, boost::test_tools::per_element());
  BOOST_TEST((fs::last_write_time(work / "p/phantom_5000.nii.gz") == written));

  // A mask that is gone, and images that were changed, are done again.
  fs::remove(work / "p/phantom_5001.nii.gz");
  BOOST_TEST(app::predict<B>(rest, names).cases == std::vector<std::string>{both[1]}, boost::test_tools::per_element());
  const auto image = work / "cohort/imagesTs/phantom_5000_0001.nii.gz";
  fs::last_write_time(image, fs::last_write_time(image) + std::chrono::seconds(2));
  BOOST_TEST(app::predict<B>(rest, names).cases == std::vector<std::string>{both[0]}, boost::test_tools::per_element());

  // Other settings make other masks: nothing of the earlier ones counts, and they cannot be continued.
  rest.step = 1;
  BOOST_CHECK_EXCEPTION((void)app::predict<B>(rest, names), config_error, says("which cannot be continued"));
  rest.keep = false;
  rest.cases = {both[0]};
  seen told;
  BOOST_TEST(app::predict<B>(rest, names, told.watch()).cases == rest.cases, boost::test_tools::per_element());
  BOOST_REQUIRE_EQUAL(told.warnings.size(), 1);
  BOOST_TEST(told.warnings[0].find("masks of 2 cases are of another model or other options and no longer count") !=
             std::string::npos);
  std::ofstream(work / "p/predictions.json") << "{\"outputs\": [";
  rest.keep = true;
  BOOST_CHECK_EXCEPTION((void)app::predict<B>(rest, names), io_error, says("is not valid JSON"));
  // Without `keep` all is done anew.
  BOOST_TEST(app::predict<B>(request(), names).cases == both, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(single_cases_and_single_images_can_be_named, predict_job) {
  auto one = request();
  one.cases = {both[1]};
  BOOST_TEST(app::predict<B>(one, names).cases == one.cases, boost::test_tools::per_element());
  one.cases = {"phantom_5002"};
  BOOST_CHECK_EXCEPTION((void)app::predict<B>(one, names), config_error,
                        says("has no case 'phantom_5002'; did you mean"));
  one = request();
  one.images = work / "cohort/imagesTs/phantom_5000_0002.nii.gz";
  BOOST_TEST(app::predict<B>(one, names).cases == std::vector<std::string>{both[0]}, boost::test_tools::per_element());
  BOOST_TEST(recorded() == both, boost::test_tools::per_element());
  std::ofstream(work / "x.nii.gz") << "";
  one.images = work / "x.nii.gz";
  BOOST_CHECK_EXCEPTION((void)app::predict<B>(one, names), io_error, says("an image named CASE_0000.nii.gz"));
  one.images = work / "cohort";
  BOOST_CHECK_EXCEPTION((void)app::predict<B>(one, names), io_error, says("is a data set; name one of its folders"));
}

BOOST_FIXTURE_TEST_CASE(a_fault_of_one_case_is_recorded_and_mended, predict_job) {
  fs::copy(work / "cohort/imagesTs", work / "images");
  const auto extra = work / "images/phantom_5000_0007.nii.gz";
  fs::copy(work / "images/phantom_5000_0000.nii.gz", extra);
  auto of = request();
  of.images = work / "images";
  const auto result = app::predict<B>(of, names);
  BOOST_REQUIRE_EQUAL(result.failures.size(), 1);
  BOOST_TEST(result.failures[0].find("has modality number 0007") != std::string::npos, result.failures[0]);
  BOOST_TEST(result.cases == std::vector<std::string>{both[1]}, boost::test_tools::per_element());
  BOOST_TEST(app_detail::read_predictions(work / "p").failed.at(both[0]) == result.failures[0]);
  fs::remove(extra);
  of.keep = true;
  BOOST_TEST(app::predict<B>(of, names).cases == std::vector<std::string>{both[0]}, boost::test_tools::per_element());
  BOOST_TEST(app_detail::read_predictions(work / "p").failed.empty());
}

BOOST_FIXTURE_TEST_CASE(several_processes_share_a_folder, predict_job) {
  (void)app::predict<B>(request(), names);
  const auto description = app_detail::read_predictions(work / "p");
  auto other = description;
  other.recipe = "another model";
  {
    // Another process at work with the same recipe: what it has finished, and the case that it holds, are left to it.
    const app_detail::prediction_folder first(work / "p", description, {both[0]}, false);
    auto held = first.take(of_id(both[0]));
    BOOST_REQUIRE(held != nullptr);
    auto other_case = request();
    other_case.cases = {both[1]};
    BOOST_TEST(app::predict<B>(other_case, names).left == other_case.cases, boost::test_tools::per_element());
    // The process that holds a case fails: the other one, which waits for it, segments it.
    std::thread failing([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      held.reset();
    });
    const auto second = app::predict<B>(request(), names);
    failing.join();
    BOOST_TEST(second.cases == std::vector<std::string>{both[0]}, boost::test_tools::per_element());
    BOOST_TEST(second.left == std::vector<std::string>{both[1]}, boost::test_tools::per_element());
    BOOST_CHECK_EXCEPTION(app_detail::prediction_folder(work / "p", other, both, false), config_error,
                          says("another `predict` with another model or other options writes to this folder now"));
  }
  const app_detail::prediction_folder now(work / "p", other, both, false);  // alone: the folder is its own
  BOOST_TEST(recorded().empty());
  BOOST_TEST((now.take(of_id(both[0])) != nullptr));
}

BOOST_FIXTURE_TEST_CASE(sums_of_images_that_share_a_name_are_all_kept, predict_job) {
  for (const char* place : {"FLAIR", "T1"}) {
    fs::create_directories(work / place);
    std::ofstream(work / place / "a.nii.gz") << place;
  }
  app_detail::predictions description{"model", {}, {"FLAIR", "T1"}, {}, {{"background", {0}}, {"lesion", {1}}}};
  description.recipe = "any";
  const app_detail::prediction_folder folder(work / "sums", description, {"a"}, false);
  const fs::path first = work / "FLAIR/a.nii.gz", second = work / "T1/a.nii.gz";
  folder.record({"a", {image_source{first}, image_source{second}, image_source{}}}, {"fused"}, false, {"fused"});
  auto sums = app_detail::read_predictions(work / "sums").inputs.at("a");
  BOOST_TEST(sums.size() == 2u);
  BOOST_TEST(sums.at(first.string()) == sha256_of("FLAIR"));
  BOOST_TEST(sums.at(second.string()) == sha256_of("T1"));
  folder.record({"a", {image_source{first}, image_source{first}}}, {"fused"}, false, {"fused"});  // 4-D: one file
  sums = app_detail::read_predictions(work / "sums").inputs.at("a");
  BOOST_TEST(sums.size() == 1u);
  BOOST_TEST(sums.at("a.nii.gz") == sha256_of("FLAIR"));
}

BOOST_FIXTURE_TEST_CASE(names_of_any_bytes_lose_nothing, predict_job) {
  fs::create_directories(work / "images");
  const std::string odd = "M\xfcller\\01\n";
  for (const char* m : {"_0000.nii.gz", "_0001.nii.gz", "_0002.nii.gz", "_0003.nii.gz"})
    fs::copy(work / "cohort/imagesTs" / (both[0] + m), work / "images" / (odd + m));
  auto of = request();
  of.images = work / "images";
  BOOST_TEST(app::predict<B>(of, names).cases == std::vector<std::string>{odd}, boost::test_tools::per_element());
  of.keep = true;
  BOOST_TEST(app::predict<B>(of, names).left == std::vector<std::string>{odd}, boost::test_tools::per_element());
  fs::create_directories(work / "labels");
  fs::copy(work / "cohort/labelsTs" / (both[0] + ".nii.gz"), work / "labels" / (odd + ".nii.gz"));
  BOOST_TEST(app::evaluate({.predictions = {work / "p"}, .labels = work / "labels"}).methods[0].scores.size() == 3u);
}

// Masks of another tool: no predictions.json, classes from a dataset.json, some cases only, a folder that is not ours.
BOOST_FIXTURE_TEST_CASE(masks_of_anybody_are_scored, job) {
  const fs::path truth = work / "cohort/labelsTs", rater = work / "rater", out = work / "tables";
  fs::create_directories(rater);
  fs::copy(truth / "phantom_5000.nii.gz", rater);
  std::ofstream(rater / "._phantom_5000.nii.gz") << "Mac OS X";
  seen warned;
  const auto perfect = app::evaluate({.predictions = {rater}, .labels = truth, .out = out}, warned.watch());
  for (const auto& one : perfect.methods[0].scores) BOOST_TEST(one.dice == 1.0);
  BOOST_REQUIRE_EQUAL(warned.warnings.size(), 1);
  BOOST_TEST(warned.warnings[0].find("has no mask of 1 of 2 labelled cases, which are not scored: phantom_5001") !=
             std::string::npos);
  BOOST_TEST(fs::exists(out / "scores.csv"));
  std::ofstream(rater / "summary.json") << "{\"foreground_mean\": {}}";  // nnU-Net's
  BOOST_CHECK_EXCEPTION((void)app::evaluate({.predictions = {rater}, .labels = truth}), config_error,
                        says("of another program; name a folder for the tables with --out"));
  fs::remove(rater / "summary.json");
  BOOST_TEST(!fs::exists(rater / "scores.csv"));
  BOOST_CHECK_EXCEPTION((void)app::evaluate({.predictions = {rater}, .labels = truth, .complete = true}), io_error,
                        says("has no mask of 1 of 2 labelled cases: phantom_5001"));
  app::report({.runs = {rater}, .labels = truth, .images = work / "cohort/imagesTs", .file = work / "r.html"});
  BOOST_TEST(fs::file_size(work / "r.html") > 1000u);

  fs::rename(work / "cohort/dataset.json", work / "elsewhere.json");
  BOOST_CHECK_EXCEPTION((void)app::evaluate({.predictions = {rater}, .labels = truth}), io_error,
                        says("name a dataset.json with --dataset"));
  BOOST_TEST(
      app::evaluate({.predictions = {rater}, .labels = truth, .dataset = work / "elsewhere.json"}).methods.size() ==
      1u);
  fs::rename(rater / "phantom_5000.nii.gz", rater / "case_1.nii.gz");
  fs::copy(work / "elsewhere.json", rater / "dataset.json");
  BOOST_CHECK_EXCEPTION((void)app::evaluate({.predictions = {rater}, .labels = truth}), io_error,
                        says("no mask has a label in"));
  fs::remove(rater / "case_1.nii.gz");
  BOOST_CHECK_EXCEPTION((void)app::evaluate({.predictions = {rater}, .labels = truth}), io_error,
                        says("it holds no mask"));
}

BOOST_FIXTURE_TEST_CASE(what_nothing_teaches_is_told_or_refused, job) {
  e.train.steps = 1;
  for (const auto& file : visible_entries(work / "cohort/labelsTr")) {  // a class that no label has
    auto label = read_nifti_labels(file);
    for (auto& v : label.values) v = v == 3 ? 0 : v;
    write_nifti_labels(file, label, file);
  }
  seen told;
  (void)app::train(e, work / "first", false, names, told.watch());
  BOOST_TEST(std::any_of(told.warnings.begin(), told.warnings.end(), [](const std::string& words) {
    return words.find("no labelled case has a voxel of class 'enhancing rim', so that nothing teaches it") !=
           std::string::npos;
  }));
  // A modality that only unlabelled cases have is told, one that no case has is refused.
  const auto remove = [&](const std::string& what) {
    for (const auto& file : visible_entries(work / "cohort/imagesTr"))
      if (file.filename().string().find(what) != std::string::npos) fs::remove(file);
  };
  for (const std::string id : {"phantom_0000", "phantom_0001", "phantom_0002"}) remove(id + "_0001.");
  seen second;
  (void)app::train(e, work / "second", false, names, second.watch());
  BOOST_TEST(
      second.warnings[0].find("no labelled training case has the modality 'T1': only unlabelled cases teach it") !=
          std::string::npos,
      second.warnings[0]);
  remove("_0001.");
  BOOST_CHECK_EXCEPTION((void)app::train(e, work / "third", false, names), config_error,
                        says("no training case has the modality 'T1'"));
  BOOST_TEST(!fs::exists(work / "third"));
}

BOOST_FIXTURE_TEST_CASE(a_run_has_one_writer_and_its_own_cases, job) {
  seen first;
  first.cancel_at = 4;
  (void)app::train(e, work / "run", false, names, first.watch());
  {
    const file_lock other(work / "run/.lock");
    BOOST_CHECK_EXCEPTION((void)app::train(e, work / "run", true, names), config_error,
                          says("another training writes to this folder now"));
  }
  const auto image = work / "cohort/imagesTr/phantom_0000_0001.nii.gz";
  auto v = read_nifti(image);
  v.values[100] += 1;
  write_nifti(image, v, read_nifti_header(image));
  BOOST_CHECK_EXCEPTION(
      (void)app::train(e, work / "run", true, names), io_error,
      says("case phantom_0000 has changed its images, their grid or its label since the run was begun"));
}

BOOST_FIXTURE_TEST_CASE(a_patch_larger_than_every_case_is_told, job) {
  e.train.steps = 1;
  e.batch.patch_size = {8, 64, 16};
  seen told;
  (void)app::train(e, work / "run", false, names, told.watch());
  BOOST_REQUIRE(!told.warnings.empty());
  BOOST_TEST(
      told.warnings.back().find("batch.patch_size is larger than every case along j (64 of ") != std::string::npos,
      told.warnings.back());
}

BOOST_FIXTURE_TEST_CASE(folds_of_nnunet_are_read, job) {
  std::ofstream(work / "cohort/splits_final.json")
      << R"([{"train": ["phantom_0000"], "val": ["phantom_0001", "phantom_0002"]},)"
         R"( {"train": ["phantom_0001"], "val": []}])";
  e.validation.clear();
  e.fold = 0;
  const cohort first = e.read_cohort(names);
  BOOST_TEST(first.labelled.size() == 1u);
  BOOST_TEST(first.validation.size() == 2u);
  BOOST_TEST(first.unlabelled.size() == 2u);
  e.fold = 1;
  BOOST_TEST(e.read_cohort(names).labelled[0].files.id == "phantom_0001");
  BOOST_TEST(e.read_cohort(names).unlabelled.size() == 4u);
  e.fold = 2;
  BOOST_CHECK_EXCEPTION((void)e.read_cohort(names), config_error, says("has no fold 2; it has 2 folds"));
  e.fold = 0;
  e.labelled = {"phantom_0000"};
  BOOST_CHECK_EXCEPTION(e.check(names), config_error, says("leave data.labelled and data.validation out"));
}

BOOST_FIXTURE_TEST_CASE(nothing_is_written_for_an_experiment_that_makes_no_sense, job) {
  const auto refuses = [&](const app::experiment& bad, const std::string& words) {
    BOOST_CHECK_EXCEPTION((void)app::train(bad, work / "bad", false, names), config_error, says(words));
    BOOST_TEST(!fs::exists(work.path() / "bad"), words);
  };
  auto bad = e;
  bad.network.fusion = "gatde";
  refuses(bad, "model.fusion = 'gatde': this program has no fusion block of that name; did you mean 'gated'?");
  bad = e;
  bad.folder = (work / "nowhere").string();
  refuses(bad, "there is no such folder");
  bad = e;
  bad.labelled = {"phantom_9999"};
  refuses(bad, "phantom_9999");
  bad = e;
  bad.batch.patch_size = {8, 16, 15};
  refuses(bad, "batch.patch_size: 15 voxels along i are no multiple of the network's total stride 2");
}

// Supervised training that takes every voxel without a label for background.
template <tensor_backend Backend>
class unaware : public named_supervised<Backend> {
 public:
  unaware(const method_setup<Backend>& setup, const supervised_options& options)
      : named_supervised<Backend>(setup, options) {}
  [[nodiscard]] batch_views views() const { return batch_views::labelled_only(); }
};

// A modality on a grid of its own, and voxels of another size: masks are on the grid of the modality that was named.
BOOST_FIXTURE_TEST_CASE(volumes_are_resampled_there_and_back, job) {
  const auto modalities = e.read_cohort(names).modalities;
  for (const std::string folder : {"imagesTr", "imagesTs"})
    for (const auto& entry : fs::directory_iterator(work / "cohort" / folder))
      if (entry.path().string().ends_with("_0001.nii.gz")) {
        const image_volume image = read_nifti_file(entry.path()).content;
        write_nifti(entry.path(), resample_linear(image, resampling_to(image.geometry, {6, 7, 12})));
      }
  e.train.steps = 4;
  e.train.validate_every = 2;
  BOOST_TEST(!app::check_data(work / "cohort", names.readers).empty());
  BOOST_TEST(app::check_data(work / "cohort", names.readers, modalities[0]).empty());
  BOOST_CHECK_EXCEPTION((void)app::check_data(work / "cohort", names.readers, "T9"), config_error,
                        says("--resample-to = \"T9\": the data set has no such modality, but "));
  BOOST_CHECK_EXCEPTION((void)app::train(e, work / "refused", false, names), io_error, says("(data.resample_to"));
  e.resample_to = modalities[0];
  e.spacing = {6.5, 4, 12};
  seen watched;
  BOOST_TEST(app::train(e, work / "resampled", false, names, watched.watch()).result.finished);
  for (const auto& words : watched.warnings)  // not of voxel sizes, grids or lost labels
    BOOST_TEST((words.find("mm") == words.npos && words.find("grid") == words.npos && words.find("lost") == words.npos),
               words);
  const auto model = read_model_file(work / "resampled/model.safetensors");
  BOOST_TEST((plan_of(model, "model").prepare.spacing == e.spacing));
  app::predict_request request{work / "resampled/model.safetensors", work / "cohort/imagesTs", work / "masks"};
  request.only = true;
  request.uncertainty = true;
  const auto predicted = app::predict(request, names);
  BOOST_TEST(predicted.failures.empty());
  BOOST_REQUIRE(!predicted.cases.empty());
  for (const auto& id : predicted.cases) {
    const auto grid = read_nifti_file(work / "cohort/imagesTs" / (id + "_0000.nii.gz")).content.geometry;
    for (const std::string& folder : std::vector<std::string>{"", "uncertainty", "only_" + modalities[1]})
      BOOST_TEST(grid_difference(read_nifti_file(work / "masks" / folder / (id + ".nii.gz")).content.geometry, grid) ==
                 "");
  }
}

BOOST_FIXTURE_TEST_CASE(classes_that_are_not_annotated_are_learnt_from_the_teacher_alone, job) {
  phantom_options heads;
  heads.grid = {32, 32, 16};
  heads.spacing = {5, 5, 9};
  heads.labelled = 3;
  heads.unlabelled = 2;
  heads.test = 0;
  heads.oedema_labelled = 0.3;  // in the first case
  write_phantom_cohort(work / "partial", heads, 3);
  e.folder = (work / "partial").string();
  e.validation.clear();
  e.train.steps = 3;
  const auto trained = [&](const char* folder, const std::string& file, seen& watched) {
    e.partial = file;
    BOOST_TEST(app::train(e, work / folder, false, names, watched.watch()).result.finished);
    return read_file(work.path() / folder / "model.safetensors");
  };
  seen with, without;
  BOOST_TEST((trained("with", "partial.json", with) != trained("without", "", without)));
  // Cases 1 and 2 are in both lists; their images are read and warned of once.
  BOOST_TEST(with.notes[0] == "reading 3 labelled, 4 unlabelled and 0 validation cases");
  BOOST_TEST(without.notes[0] == "reading 3 labelled, 2 unlabelled and 0 validation cases");
  BOOST_TEST(with.warnings == without.warnings, boost::test_tools::per_element());

  const auto refuses = [&](const app::experiment& bad, const std::string& words) {
    BOOST_CHECK_EXCEPTION((void)app::train(bad, work / "bad", false, names), error, says(words));
    BOOST_TEST(!fs::exists(work.path() / "bad"), words);
  };
  // Before a volume is read.
  for (const auto& entry : fs::directory_iterator(work / "partial/imagesTr")) fs::resize_file(entry, 10);
  names.method<generic<unaware>>("unaware");
  auto bad = e;
  bad.partial = "partial.json";
  bad.method = "unaware";
  refuses(bad, "data.partial = \"partial.json\": the method 'unaware' does not know of partial labels");
  std::ofstream(work / "partial/wrong.json") << R"({"phantom_0001": ["oedma"], "phantom_9": ["oedema"]})";
  bad = e;
  bad.partial = "wrong.json";
  refuses(bad, "wrong.json: case phantom_0001: there is no class 'oedma'; did you mean 'oedema'?\n");
  refuses(bad, "wrong.json: case phantom_9: ");
  bad.partial = "nowhere.json";
  refuses(bad, "nowhere.json");
}

BOOST_FIXTURE_TEST_CASE(every_key_has_a_place, job) {
  const std::string keys = app::all_keys(names);
  for (const char* line : {"[method.supervised]", "[method.mean_teacher]", "[method.contrastive_mutual_learning]",
                           "segmentation = \"dice_cross_entropy\"", "decoder = \"unet\"", "patch_size = ["})
    BOOST_TEST(keys.find(line) != std::string::npos, line);
  for (const char* line : {"[model]\npreset = \"unet\"               # unet, resenc_s, resenc_m, resenc_l: sets",
                           "[augment]\npreset = \"comodal\"            # comodal, nnunet, none: sets", "blocks = []",
                           "decoder_convolutions = 2", "low_resolution_chance = 0.0"})
    BOOST_TEST(keys.find(line) != std::string::npos, line);
  // What a run writes is read back to the same experiment.
  std::ofstream(work / "again.toml") << e.keys().resolved();
  auto again = app::read_experiment(work / "again.toml", {}, names);
  BOOST_TEST(again.keys().resolved() == e.keys().resolved());
  BOOST_TEST(again.method.name == "contrastive_mutual_learning");
  const auto* options = again.method.values.get_if<contrastive_mutual_learning_options>();
  BOOST_REQUIRE(options != nullptr);
  BOOST_TEST(options->ema_decay == 0.9);
}

BOOST_FIXTURE_TEST_CASE(presets_set_what_no_key_sets, job) {
  const auto read = [&](const std::string& words, const std::vector<std::string>& overrides = {}) {
    std::ofstream(work / "preset.toml") << words;
    return app::read_experiment(work / "preset.toml", overrides, names);
  };
  const std::string words =
      "[augment]\nnoise_chance = 0.75\npreset = \"nnunet\"\nmirror = [true, false, true]\n"
      "[batch]\nlabelled = 3\n[sampling]\nforeground = 0.25\n"
      "[model]\nblocks = [1, 1, 2, 1]\npreset = \"resenc_s\"\ndeep_supervision = false\nbranches = false\n";
  auto chosen = read(words);
  BOOST_TEST(chosen.network.encoder == "resenc");
  BOOST_TEST(chosen.network.decoder_convolutions == 1);
  BOOST_TEST(!chosen.network.deep_supervision);
  BOOST_TEST(!chosen.network.branches);
  BOOST_TEST((chosen.network.blocks == std::vector<index>{1, 1, 2, 1}));
  BOOST_TEST(chosen.batch.noise_chance == 0.75);
  BOOST_TEST(chosen.batch.low_resolution_chance == 0.25);
  BOOST_TEST((chosen.batch.mirror == std::array<bool, 3>{true, false, true}));
  BOOST_TEST(chosen.batch.labelled == 3);
  BOOST_TEST(chosen.batch.foreground == 0.25);
  BOOST_TEST((chosen.batch.rotation_degrees == std::array<double, 3>{30, 30, 30}));

  // The command line is one more place where a key is set; a preset looks at the patch of either.
  const auto flat = read(words, {"--batch.patch_size", "[96, 96, 24]", "--augment.noise_chance", "0.5"});
  BOOST_TEST((flat.batch.rotation_degrees == std::array<double, 3>{180, 0, 0}));
  BOOST_TEST(flat.batch.noise_chance == 0.5);

  // The resolved file is the same experiment, and says no more than the keys alone.
  std::ofstream(work / "again.toml") << chosen.keys().resolved();
  auto again = app::read_experiment(work / "again.toml", {}, names);
  BOOST_TEST(again.keys().resolved() == chosen.keys().resolved());
  auto plain = read("");
  const app::experiment defaults;
  BOOST_TEST(plain.network.encoder == defaults.network.encoder);
  BOOST_TEST(plain.batch.noise_chance == defaults.batch.noise_chance);

  const auto refused = [&](const std::string& line, const std::string& message) {
    BOOST_CHECK_EXCEPTION((void)read(line), config_error, says(message));
  };
  refused("[model]\npreset = \"resenc_xl\"\n", "model.preset = 'resenc_xl': this program has no preset of networks");
  refused("[augment]\npreset = \"nnunett\"\n",
          "augment.preset = 'nnunett': this program has no set of augmentation of "
          "that name; did you mean 'nnunet'?");
  refused("[augment]\npreset = 3\n", "augment.preset is not a text in quotes");
}

BOOST_FIXTURE_TEST_CASE(a_strong_baseline_trains_and_goes_on_to_the_same_bytes, job) {
  e.method = "supervised";
  e.take_default_options(names);
  e.network = network_preset("resenc_s");
  e.network.stream_channels = {2, 2};
  e.network.fused_channels = {3, 4};
  e.network.strides = {};
  e.batch = augment_preset("nnunet", e.batch.patch_size);
  e.validation.clear();
  e.train.steps = 4;
  BOOST_TEST(app::train(e, work / "whole", false, names).result.finished);
  seen first;
  first.cancel_at = 2;
  BOOST_TEST(!app::train(e, work / "run", false, names, first.watch()).result.finished);
  BOOST_TEST(app::train(e, work / "run", true, names).result.first_step == 2u);
  for (const char* file : {"model.safetensors", "log.jsonl", "experiment.toml"})
    BOOST_TEST((read_file(work.path() / "run" / file) == read_file(work.path() / "whole" / file)), file);
  const app::predict_request request{work.path() / "run/model.safetensors", work.path() / "cohort/imagesTs",
                                     work.path() / "run/predictions"};
  BOOST_TEST(app::predict(request, names).finished);
}

// Weights go to a model of other modalities in another order, with fewer classes: by name.
BOOST_FIXTURE_TEST_CASE(a_run_begins_with_the_weights_of_another, job) {
  BOOST_TEST(app::train(e, work / "first", false, names).result.finished);
  const auto first = read_model_file(work.path() / "first/model.safetensors");
  const model_plan plan = plan_of(first, "first");
  // The last modality, one that is new, and the first; of the classes the last.
  const std::string last = plan.modalities.back(), front = plan.modalities[0];
  std::ofstream list(work / "cases.csv");
  list << "case," << last << ",new," << front << ",label\n";
  for (const char* id : {"phantom_0000", "phantom_0001", "phantom_0002", "phantom_0003", "phantom_0004"}) {
    const auto image = [&](std::size_t m) {
      const auto file = work.path() / "cohort/imagesTr" / text(id, "_000", m, ".nii.gz");
      return fs::exists(file) ? file.string() : std::string();
    };
    const auto label = work.path() / "cohort/labelsTr" / text(id, ".nii.gz");
    list << id << "," << image(3) << "," << image(1) << "," << image(0) << ","
         << (fs::exists(label) ? label.string() : std::string()) << "\n";
  }
  list.close();
  app::experiment second = e;
  second.folder = work / "cases.csv";
  second.validation.clear();
  second.train.validate_every = 0;
  second.train.steps = 1;
  second.optimiser.learning_rate = 1e-30;  // weights stay where they begin
  second.init = work / "first/model.safetensors";
  for (std::size_t c = plan.labels.size() - 1; c > 0; --c)  // in another order
    second.layout.classes.push_back(text(plan.labels[c].name, "=", plan.labels[c].values[0]));
  seen told;
  BOOST_TEST(app::train(second, work / "second", false, names, told.watch()).result.finished);
  BOOST_TEST(std::any_of(told.notes.begin(), told.notes.end(),
                         [](const auto& line) { return line.find(" % of the parameters begin with") != line.npos; }));
  const auto found = read_model_file(work.path() / "second/model.safetensors");
  const auto same = [&](const std::string& here, const std::string& there) {
    for (const char* weights : {"ema/", "student/"}) {
      BOOST_REQUIRE(found.arrays.contains(weights + here));
      BOOST_REQUIRE(first.arrays.contains("ema/" + there));
      BOOST_TEST((found.arrays.at(weights + here).bytes == first.arrays.at("ema/" + there).bytes), here);
    }
  };
  same("stream.0.0.0.conv.weight", "stream.3.0.0.conv.weight");
  same("stream.2.0.0.conv.weight", "stream.0.0.0.conv.weight");
  same("branch.0.0.0.conv.weight", "branch.3.0.0.conv.weight");
  same("fusion.0.gate.2.weight", "fusion.0.gate.0.weight");
  same("decoder.0.0.conv.weight", "decoder.0.0.conv.weight");
  BOOST_TEST(
      (found.arrays.at("ema/stream.1.0.0.conv.weight").bytes != first.arrays.at("ema/stream.1.0.0.conv.weight").bytes));
  // Channels of logits go by class: the order of the foreground is turned round.
  const auto here = found.arrays.at("ema/decoder.0.head.bias").values<float>("bias"),
             there = first.arrays.at("ema/decoder.0.head.bias").values<float>("bias");
  BOOST_REQUIRE(here.size() == there.size());
  BOOST_TEST(here[0] == there[0]);
  for (std::size_t c = 1; c < here.size(); ++c) BOOST_TEST(here[c] == there[here.size() - c]);

  second.init = work / "nowhere";
  BOOST_CHECK_EXCEPTION((void)app::train(second, work / "third", false, names), config_error,
                        says("there is no such file; name the model.safetensors of a run"));
  BOOST_TEST(!fs::exists(work.path() / "third"));
}

}  // namespace comodal::tests
