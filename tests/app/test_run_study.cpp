// SPDX-License-Identifier: Apache-2.0
// A study in one process: every cell once, taken up where it was left, refused where its settings changed.
#define BOOST_TEST_MODULE app_run_study
#include <boost/test/unit_test.hpp>

#include <comodal/app/run_study.hpp>
#include <comodal/data/phantom.hpp>

#include <nn/support.hpp>

#include <fstream>

namespace comodal::tests {

using B = mixed_backend;
namespace fs = std::filesystem;

// A cohort of two labelled, two unlabelled and two test cases, and two methods with two seeds on it.
struct laboratory {
  temporary_folder work;
  registry<B> names = registry<B>::built_in();
  std::vector<std::string> notes, warnings;
  index steps = 0;       // of all trainings, as the observer saw them
  index cancel_at = -1;  // the step of all from which work is cancelled; -1: never
  std::string words;

  laboratory() {
    phantom_options heads;
    heads.grid = {32, 32, 16};
    heads.spacing = {5, 5, 9};
    heads.labelled = 2;
    heads.unlabelled = 2;
    heads.test = 2;
    write_phantom_cohort(work / "cohort", heads, 3);
    words = "[data]\nfolder = \"" + (work / "cohort").string() +
            "\"\n[model]\nstream_channels = [2, 4]\nfused_channels = [4, 8]\n"
            "[batch]\npatch_size = [16, 16, 8]\n[train]\nsteps = 4\nlog_every = 1\n"
            "[experiment]\nmethods = [\"supervised\", \"mean_teacher\"]\nseeds = [1, 2]\nbaseline = \"supervised\"\n";
  }
  [[nodiscard]] app::observer watch() {
    return {[this](const std::string& line) { warnings.push_back(line); },
            [this](const std::string& line) { notes.push_back(line); },
            [this](const app::work_progress& at) { steps += at.unit == "step" ? 1 : 0; },
            [this] { return cancel_at >= 0 && steps >= cancel_at; }};
  }
  [[nodiscard]] app::study_request request(const std::string& more = "", const std::string& folder = "out") const {
    std::ofstream(work / "study.toml") << words + more;
    return {app::read_study(work / "study.toml", {}), work / folder};
  }
  [[nodiscard]] app::study_summary run(const std::string& more = "", const std::string& folder = "out") {
    notes.clear();
    steps = 0;
    return app::run_study(request(more, folder), names, watch());
  }
  [[nodiscard]] std::string file(const std::string& name) const {
    const auto bytes = read_file(work / name);
    return {bytes.begin(), bytes.end()};
  }
};

BOOST_FIXTURE_TEST_CASE(every_cell_is_trained_once, laboratory) {
  const auto summary = run();
  BOOST_TEST(summary.cells == 4);
  BOOST_TEST(summary.finished == 4);
  BOOST_TEST(summary.failures.empty());
  BOOST_TEST(!summary.stopped);
  BOOST_TEST(steps == 16);
  BOOST_TEST(notes[0] == "4 cells, 0 of them finished, 1 process");
  BOOST_TEST(notes[1] == "cell 1 of 4: supervised; seed 1: begins");
  BOOST_TEST(notes.back().starts_with("cell 4 of 4: mean_teacher; seed 2: finished, Dice x 100 "), notes.back());
  BOOST_REQUIRE(summary.rows.size() == 2u);
  const auto& row = summary.rows[1];
  BOOST_TEST(row.seeds == (std::vector<comodal::index>{1, 2}), boost::test_tools::per_element());
  BOOST_TEST(row.cases == 2);
  BOOST_TEST(row.outputs.size() == 4u);  // each of four modalities alone
  BOOST_REQUIRE(row.difference.has_value());
  BOOST_TEST(row.difference->dice.low <= row.difference->dice.mean);
  BOOST_TEST(row.difference->dice.mean <= row.difference->dice.high);
  BOOST_TEST(row.parameters > 1000);
  BOOST_TEST(row.multiply_adds > 1e5);
  BOOST_TEST(row.seconds_per_step > 0);
  for (const char* name : {"out/table.md", "out/report.html", "out/results.json"})
    BOOST_TEST(fs::exists(work / name), name);
  for (const char* name : {"cell.toml", "result.json", "seconds.json", "run/log.csv", "run/experiment.toml"})
    BOOST_TEST(fs::exists(work / "out/cells/supervised-seed1" / name), name);
  for (const char* name : {"run/model.safetensors", "run/checkpoint.safetensors", "predictions", "lock"})
    BOOST_TEST(!fs::exists(work / "out/cells/supervised-seed1" / name), name);

  const std::string results = file("out/results.json");
  const auto again = run();
  BOOST_TEST(again.finished == 4);
  BOOST_TEST(steps == 0);
  BOOST_TEST(notes.size() == 1u);
  BOOST_TEST(notes[0] == "4 cells, 4 of them finished, 1 process");
  BOOST_TEST(file("out/results.json") == results);

  // One more seed: only its cells are trained.
  words.replace(words.find("[1, 2]"), 6, "[1, 2, 3]");
  BOOST_TEST(run().finished == 6);
  BOOST_TEST(steps == 8);

  // Settings that decide bytes are refused before anything is done, those that do not are free.
  BOOST_CHECK_EXCEPTION((void)run("keep = true\nsubsets = []\n"), config_error,
                        says("cells/supervised-seed1/cell.toml: the cell was begun with cell.subsets = [\"each\"], "));
  BOOST_CHECK_EXCEPTION((void)run("[optimiser]\nlearning_rate = 0.5\n"), config_error,
                        says(" has optimiser.learning_rate = 0.5; take the same settings, delete the cell's folder"));
  BOOST_TEST(run("processes = 3\nthreads = 2\n").finished == 6);
  fs::remove(work / "out/cells/supervised-seed1/cell.toml");
  BOOST_CHECK_EXCEPTION((void)run(), config_error, says("is missing, so nobody can tell what the cell was begun with"));
}

BOOST_FIXTURE_TEST_CASE(a_study_that_was_stopped_ends_with_the_same_results, laboratory) {
  BOOST_TEST(run("", "whole").finished == 4);
  cancel_at = 7;  // within the second cell
  const auto stopped = run();
  BOOST_TEST(stopped.stopped);
  BOOST_TEST(stopped.finished == 1);
  BOOST_TEST(stopped.rows.size() == 1u);
  BOOST_TEST(fs::exists(work / "out/cells/mean_teacher-seed1/run/checkpoint.safetensors"));
  cancel_at = -1;
  BOOST_TEST(run().finished == 4);
  BOOST_TEST(steps == 9);
  BOOST_TEST(notes[1] == "cell 2 of 4: mean_teacher; seed 1: continues");
  BOOST_TEST(file("out/results.json") == file("whole/results.json"));
  const auto seconds = app_detail::read_seconds({work / "out/cells/mean_teacher-seed1"});
  BOOST_TEST(seconds.steps == 4);
}

BOOST_FIXTURE_TEST_CASE(a_cell_that_fails_is_a_line_and_the_others_are_run, laboratory) {
  const auto summary =
      run("keep = true\n[[experiment.variants]]\nname = \"wild\"\nmethod = \"supervised\"\n"
          "optimiser.learning_rate = 1e38\n");
  BOOST_TEST(summary.cells == 6);
  BOOST_TEST(summary.finished == 4);
  BOOST_REQUIRE(summary.failures.size() == 2u);
  BOOST_TEST(summary.failures[0].starts_with("cell 3 of 6: wild; seed 1: failed: loss or gradient of the last "),
             summary.failures[0]);
  // The tiny heads have no necrotic core; and each step of a wild run is skipped.
  std::erase_if(warnings, [](const std::string& words) {
    return words.find("no labelled case has a voxel") != std::string::npos ||
           words.find("steps whose loss or gradient is not finite were skipped") != std::string::npos;
  });
  BOOST_TEST(warnings == summary.failures, boost::test_tools::per_element());
  for (const char* name : {"run/model.safetensors", "predictions/phantom_5000.nii.gz"})
    BOOST_TEST(fs::exists(work / "out/cells/supervised-seed1" / name), name);
  BOOST_TEST(!fs::exists(work / "out/cells/supervised-seed1/run/checkpoint.safetensors"));
}

BOOST_FIXTURE_TEST_CASE(what_can_be_known_is_refused_before_the_first_training, laboratory) {
  const auto refuses = [&](const std::string& more, const std::string& message) {
    BOOST_CHECK_EXCEPTION((void)run(more), error, says(message));
    BOOST_TEST(!fs::exists(work / "out"), message);
  };
  refuses("[[experiment.variants]]\nname = \"x\"\nmethod = \"uncertainty_aware_mean_teacher\"\n",
          "x; seed 1: model.dropout = 0");
  refuses("[[experiment.variants]]\nname = \"x\"\nmethod = \"mean_teacher\"\nbatch.unlabelled = 3\n",
          "x; seed 1: batch.unlabelled = 3: the method 'mean_teacher' needs as many unlabelled cases");
  refuses("images = \"nowhere\"\n", "supervised; seed 1: nowhere: there is no such folder of images");
  fs::copy(work / "cohort/labelsTs", work / "masks");
  fs::remove(work / "masks/phantom_5001.nii.gz");
  refuses("labels = \"" + (work / "masks").string() + "\"\n", "masks: has no mask of case phantom_5001, which is in ");
  fs::remove_all(work / "masks");
  fs::copy(work / "cohort/labelsTs", work / "masks");
  fs::copy(work / "masks/phantom_5001.nii.gz", work / "masks/phantom_5002.nii.gz");
  refuses("labels = \"" + (work / "masks").string() + "\"\n",
          "imagesTs: has no images of case phantom_5002, whose mask is in ");
}

BOOST_FIXTURE_TEST_CASE(a_cell_that_another_has_is_left_alone, laboratory) {
  const auto asked = request("subsets = [\"every\"]\n");
  const auto cells = app::cells_of(asked.what, names);
  const fs::path folder = work / "out/cells" / cells[0].name;
  fs::create_directories(folder);
  {
    const file_lock other(folder / "lock");
    BOOST_TEST((app::run_cell(asked.what, cells[0], asked.folder, names, watch()) == app::cell_state::busy));
    BOOST_TEST(!fs::exists(folder / "cell.toml"));
  }
  BOOST_TEST((app::run_cell(asked.what, cells[0], asked.folder, names, watch()) == app::cell_state::finished));
  const auto outputs = app_detail::other_outputs(app_detail::read_result({folder}));
  BOOST_TEST(outputs.size() == 14u);  // every set of four modalities but none and all
  BOOST_TEST(std::count(outputs.begin(), outputs.end(), "only T1 + T2") == 1);
}

}  // namespace comodal::tests
