// SPDX-License-Identifier: Apache-2.0
// Studies without a training: their files, their cells, and what finished cells say together.
#define BOOST_TEST_MODULE app_study
#include <boost/test/unit_test.hpp>

#include <comodal/app/child_process.hpp>
#include <comodal/app/study_cells.hpp>
#include <comodal/app/study_table.hpp>

#include <nn/support.hpp>

#include <chrono>
#include <fstream>
#include <thread>

namespace comodal::tests {

using B = mixed_backend;
namespace fs = std::filesystem;

// A study file in a folder of its own.
struct desk {
  temporary_folder work;
  registry<B> names = registry<B>::built_in();

  [[nodiscard]] app::study read(const std::string& words, const std::vector<std::string>& overrides = {}) const {
    std::ofstream(work / "study.toml") << words;
    return app::read_study(work / "study.toml", overrides);
  }
  [[nodiscard]] std::vector<app::study_cell> cells(const std::string& words,
                                                   const std::vector<std::string>& overrides = {}) const {
    return app::cells_of(read(words, overrides), names);
  }
  void refuses(const std::string& words, const std::string& message,
               const std::vector<std::string>& overrides = {}) const {
    BOOST_CHECK_EXCEPTION((void)cells(words, overrides), config_error, says(message));
  }
};

const std::string two = "[experiment]\nmethods = [\"supervised\", \"mean_teacher\"]\n";

template <class Options>
const Options& options_of(const app::study_cell& cell) {
  const auto* options = cell.settings.method.values.get_if<Options>();
  BOOST_REQUIRE(options != nullptr);
  return *options;
}

BOOST_FIXTURE_TEST_CASE(cells_are_variants_with_label_sets_with_seeds, desk) {
  const auto all = cells(
      "[train]\nsteps = 7\n" + two +
      "seeds = [3, 5]\nthreads = 2\n"
      "[[experiment.label_sets]]\nname = \"few\"\nlabelled = [\"a\", \"b\"]\n"
      "[[experiment.label_sets]]\nname = \"all\"\n"
      "[[experiment.variants]]\nname = \"MT, weight 1\"\nmethod = \"mean_teacher\"\noptions = {consistency = 1.0}\n"
      "optimiser.learning_rate = 0.5\nlabel_sets = [\"few\"]\n");
  std::vector<std::string> folders;
  for (const auto& cell : all) folders.push_back(cell.name);
  const std::vector<std::string> expected{"supervised-few-seed3",   "mean_teacher-few-seed3", "MT_weight_1-few-seed3",
                                          "supervised-all-seed3",   "mean_teacher-all-seed3", "supervised-few-seed5",
                                          "mean_teacher-few-seed5", "MT_weight_1-few-seed5",  "supervised-all-seed5",
                                          "mean_teacher-all-seed5"};
  BOOST_TEST(folders == expected, boost::test_tools::per_element());
  BOOST_TEST(all[2].title == "MT, weight 1; few; seed 3");
  BOOST_TEST(all[2].settings.train.steps == 7);
  BOOST_TEST(all[2].settings.train.seed == 3);
  BOOST_TEST(all[2].settings.threads == 2);
  BOOST_TEST(all[2].settings.optimiser.learning_rate == 0.5);
  BOOST_TEST(all[1].settings.optimiser.learning_rate == optimiser_options{}.learning_rate);
  BOOST_TEST(options_of<mean_teacher_options>(all[2]).consistency == 1.0);
  BOOST_TEST(options_of<mean_teacher_options>(all[1]).consistency == mean_teacher_options{}.consistency);
  BOOST_TEST(all[0].settings.labelled == (std::vector<std::string>{"a", "b"}), boost::test_tools::per_element());
  BOOST_TEST(all[3].settings.labelled.empty());
}

BOOST_FIXTURE_TEST_CASE(what_stands_nearer_to_a_cell_wins, desk) {
  fs::create_directory(work / "shared");
  std::ofstream(work / "shared/base.toml")
      << "[train]\nsteps = 1\nseed = 9\nlog_every = 1\ncheckpoint_every = 1\nvalidate_every = 1\n"
         "[method]\nname = \"entropy_minimisation\"\n[method.entropy_minimisation]\nentropy = 0.3\n";
  const auto all = cells(
      "[train]\nlog_every = 2\ncheckpoint_every = 2\nvalidate_every = 2\n[method.mean_teacher]\nramp = 0.25\n" + two +
          "base = \"shared/base.toml\"\n[[experiment.variants]]\nname = \"x\"\nmethod = \"supervised\"\n"
          "train.checkpoint_every = 3\ntrain.validate_every = 3\n",
      {"--train.validate_every", "4", "--method.supervised.ema_decay", "0.5", "--experiment.seeds", "[2]"});
  const auto& t = all[2].settings.train;
  BOOST_TEST(t.steps == 1);
  BOOST_TEST(t.log_every == 2);
  BOOST_TEST(t.checkpoint_every == 3);
  BOOST_TEST(t.validate_every == 4);
  BOOST_TEST(t.seed == 2);
  BOOST_TEST(options_of<supervised_options>(all[2]).ema_decay == 0.5);
  BOOST_TEST(options_of<mean_teacher_options>(all[1]).ramp == 0.25);
}

BOOST_FIXTURE_TEST_CASE(wrong_keys_are_refused_with_their_place, desk) {
  refuses("[train]\nsteps = 3\n", "study.toml: has no table [experiment]; `train` takes such a file");
  refuses("[experiment]\nsedes = [1]\n",
          "study.toml:2: there is no key 'experiment.sedes'; did you mean 'experiment.seeds'?");
  refuses("[experiment]\nseed = 1\n", "'experiment.seed': a study has several seeds; list them in experiment.seeds");
  refuses("[experiment]\nseeds = \"one\"\n", "study.toml:2: experiment.seeds is not a list, each a whole number");
  refuses("[experiment]\n", "experiment.methods is empty; name a method");
  refuses(two + "seeds = []\n", "experiment.seeds is empty");
  refuses(two + "seeds = [1, 1]\n", "experiment.seeds: '1' is there twice");
  refuses(two + "unit = \"cm\"\n", "experiment.unit = 'cm', expected mm or voxel");
  refuses(two + "threads = 0\n", "experiment.threads = 0, expected 1 or more");
  refuses(two + "processes = -1\n", "experiment.processes = -1, expected 0 (one per core) or more");
  refuses(two + "subsets = [\"eech\"]\n", "experiment.subsets: there is no 'eech'; did you mean 'each'?");
  refuses(two + "baseline = \"supervisde\"\n",
          "experiment.baseline: there is no 'supervisde'; did you mean 'supervised'?");
  refuses(two + "[train]\nstesp = 3\n", "variant 'supervised': ");
  refuses(two + "[train]\nstesp = 3\n", "study.toml:4: there is no key 'train.stesp'; did you mean 'train.steps'?");
  refuses(two + "[train]\nsteps = 0\nlog_every = -1\n", "study.toml:4: train.steps = 0, expected 1 to");
  refuses(two + "[train]\nsteps = 0\nlog_every = -1\n", "\nvariant 'supervised': ");  // both at once
  refuses("[experiment]\nmethods = [\"supervisde\"]\n", "did you mean 'supervised'?");
  refuses(two + "[method.entropy_minimisation]\nentropy = 0.2\n",
          "study.toml:4: 'method.entropy_minimisation.entropy': no variant of the study has the method "
          "'entropy_minimisation', but: supervised, mean_teacher; leave it out, or add a variant");
  refuses(two + "[method.mean_teacher]\nrmap = 0.2\n", "did you mean 'method.mean_teacher.ramp'?");
  refuses(two + "[method]\nnmae = \"supervised\"\n", "there is no key 'method.nmae'; did you mean 'method.name'?");
  BOOST_TEST(cells(two + "[method.mean_teacher]\n").size() == 2u);
  refuses(two, "there is no key 'train.stesp'", {"--train.stesp", "3"});
}

BOOST_FIXTURE_TEST_CASE(what_cells_differ_in_is_said_in_one_place, desk) {
  refuses(two + "[train]\nseed = 3\n", "study.toml:4: 'train.seed': a study has several seeds");
  refuses(two, "command line: 'train.seed': a study has several seeds", {"--train.seed", "3"});
  refuses(two + "[method]\nname = \"supervised\"\n", "'method.name': a study has several methods");
  refuses(two + "[compute]\nthreads = 3\n", "'compute.threads': the threads of each process are experiment.threads");
  const std::string sets = "[[experiment.label_sets]]\nname = \"few\"\nlabelled = [\"a\"]\n";
  refuses(two + sets + "[data]\nlabelled = [\"b\"]\n", "'data.labelled': the file has label sets");
  BOOST_TEST(cells(two + "[data]\nlabelled = [\"b\"]\n")[0].settings.labelled.size() == 1u);
  refuses(two + sets + "[[experiment.variants]]\nname = \"x\"\nmethod = \"supervised\"\ntrain.seed = 2\n",
          "'train.seed': a study has several seeds");
}

BOOST_FIXTURE_TEST_CASE(variants_and_label_sets_are_checked, desk) {
  const auto variant = [](const std::string& words) { return two + "[[experiment.variants]]\n" + words; };
  refuses(variant("method = \"supervised\"\n"), "study.toml:3: an entry of [[experiment.variants]] has no name");
  refuses(variant("name = \"x\"\n"), "the variant 'x' has no method; set method = \"...\"");
  refuses(variant("name = \"x\"\nmethod = \"supervised\"\nopts = 1\n"),
          "study.toml:6: a variant has no key 'opts'; did you mean 'options'?");
  refuses(variant("name = \"x\"\nmethod = \"supervised\"\noptions = 1\n"), "options is not a table of options");
  refuses(variant("name = \"x\"\nmethod = \"mean_teacher\"\noptions = {rmap = 1}\n"), "variant 'x': ");
  refuses(variant("name = \"supervised\"\nmethod = \"supervised\"\n"),
          "the names of variants: 'supervised' is there twice");
  refuses(variant("name = \"x\"\nmethod = \"supervised\"\nlabel_sets = [\"few\"]\n"),
          "label_sets of the variant 'x': there is no 'few'");
  refuses(variant("name = \"Supervised!\"\nmethod = \"supervised\"\n[[experiment.variants]]\nname = \"Supervised?\"\n"
                  "method = \"supervised\"\n"),
          "would share the folder Supervised-seed1; give them names that differ in letters or digits");
  refuses(two + "variants = 3\n", "experiment.variants is no list of tables; write [[experiment.variants]]");
  refuses(two + "[[experiment.label_sets]]\nname = \"few\"\nlabels = []\n",
          "a label set has no key 'labels'; did you mean 'labelled'?");
  refuses(two + "[[experiment.label_sets]]\nname = \"few\"\nlabelled = 3\n", "labelled is not a list");
}

BOOST_FIXTURE_TEST_CASE(train_refuses_the_file_of_a_study, desk) {
  std::ofstream(work / "study.toml") << two;
  BOOST_CHECK_EXCEPTION((void)app::read_experiment(work / "study.toml", {}, names), config_error,
                        says("': is a table of `experiment`, which compares methods"));
}

BOOST_AUTO_TEST_CASE(every_key_has_a_sentence) {
  const std::string keys = app::study_keys();
  app::study_options options;
  app::visit_study_options(options, [&](std::string_view name, auto&, std::string_view help) {
    BOOST_TEST(help.size() > 10u, name);
    BOOST_TEST(keys.find(text("\n", name, " = ")) != std::string::npos, name);
    BOOST_TEST(keys.find(text("  # ", help)) != std::string::npos, name);
  });
  std::istringstream in(keys);
  BOOST_CHECK_NO_THROW((void)toml::parse(in, "keys"));
}

// Scores of a cell: per case, the Dice of each class; HD95 is ten times one minus the Dice.
app::finished_cell cell_of(std::size_t variant, index seed, const std::map<std::string, std::vector<double>>& dice,
                           const std::map<std::string, std::vector<double>>& only = {}) {
  app::finished_cell cell{variant, 0, seed, text("cell", variant, "-", seed), {}, {10, 2.5, 1}};
  cell.result = {"supervised", 100, 1234567, 45.6e9, {}};
  const auto add = [&](const std::string& output, const auto& scores) {
    for (const auto& [id, values] : scores)
      for (std::size_t c = 0; c < values.size(); ++c) {
        case_score score;
        score.case_id = id;
        score.output = output;
        score.region.name = text("class ", c);
        score.dice = values[c];
        score.hd95 = 10 * (1 - values[c]);
        cell.result.scores.push_back(score);
      }
  };
  add("fused", dice);
  add("only T1", only);
  return cell;
}

BOOST_FIXTURE_TEST_CASE(means_are_over_seeds_and_differences_are_paired, desk) {
  auto s = read(two + "seeds = [1, 2]\nbaseline = \"supervised\"\n");
  const std::vector<app::finished_cell> cells{
      cell_of(0, 1, {{"a", {0.5, 0.7}}, {"b", {0.4, 0.4}}}, {{"a", {0.2, 0.2}}}),
      cell_of(1, 2, {{"a", {0.9, 0.9}}, {"b", {0.9, 0.9}}}), cell_of(1, 1, {{"a", {0.7, 0.7}}, {"b", {0.5, 0.5}}}),
      cell_of(0, 2, {{"a", {0.8, 0.8}}, {"b", {0.7, 0.5}}}, {{"a", {0.4, 0.4}}})};
  const auto rows = app::compare(s, cells);
  BOOST_REQUIRE(rows.size() == 2u);
  const auto near = boost::test_tools::tolerance(1e-12);
  BOOST_TEST(rows[0].dice.mean == 0.6, near);
  BOOST_TEST(rows[0].dice.deviation == std::sqrt(0.02), near);  // of 0.5 and 0.7
  BOOST_TEST(rows[0].hd95.mean == 4.0, near);
  BOOST_TEST(rows[0].cases == 2);
  BOOST_TEST(!rows[0].difference.has_value());
  BOOST_REQUIRE(rows[0].outputs.size() == 1u);
  BOOST_TEST(rows[0].outputs[0].first == "only T1");
  BOOST_TEST(rows[0].outputs[0].second.mean == 0.3, near);
  BOOST_TEST(rows[1].dice.mean == 0.75, near);
  BOOST_REQUIRE(rows[1].difference.has_value());
  // 0.1 and 0.1 of seed 1, 0.1 and 0.3 of seed 2: tests/metric says where that interval ends.
  BOOST_TEST(rows[1].difference->dice.mean == 0.15, near);
  BOOST_TEST(rows[1].difference->dice.low == 0.1, near);
  BOOST_TEST(rows[1].difference->dice.high == 0.3, near);
  BOOST_TEST(rows[1].difference->seeds == 2);
  BOOST_TEST(rows[1].difference->cases == 2);
  BOOST_TEST(rows[1].seconds_per_step == 0.25);

  const std::string table = app::study_markdown(s, rows);
  for (const char* line :
       {"| variant | seeds | Dice | difference [95 %] | HD95 [mm] | only T1 | parameters | multiply-adds | s per step "
        "| "
        "s |\n| --- | ---: | ---: ",
        "| supervised | 2 | 60.0 ± 14.1 | baseline | 4.0 ± 1.4 | 30.0 ± 14.1 | 1.23 M | 45.6 G | 0.250 | 25 |\n",
        "| mean_teacher | 2 | 75.0 ± 21.2 | +15.0 [+10.0, +30.0] | 2.5 ± 2.1 | - | 1.23 M | 45.6 G | 0.250 | 25 |\n",
        "over seeds and cases; of few seeds it is too narrow."})
    BOOST_TEST(table.find(line) != std::string::npos, table);
  const auto json = nlohmann::json::parse(app::study_json(s, rows, cells));
  BOOST_TEST(json["rows"][1]["difference"]["high"].get<double>() == rows[1].difference->dice.high);
  BOOST_TEST(json["cells"][0]["outputs"]["fused"]["class 1"]["dice"].get<double>() == (0.7 + 0.4) / 2, near);
  BOOST_TEST(app::study_json(s, rows, cells).find("second") == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(one_seed_has_no_deviation_and_an_interval_over_cases, desk) {
  auto s = read(two + "seeds = [1, 2]\nbaseline = \"supervised\"\n");
  // Both have seed 1; the baseline alone has seed 2.
  const std::vector<app::finished_cell> cells{cell_of(0, 1, {{"a", {0.5}}, {"b", {0.5}}}),
                                              cell_of(0, 2, {{"a", {0.1}}, {"b", {0.1}}}),
                                              cell_of(1, 1, {{"a", {0.4}}, {"b", {0.8}}})};
  const auto rows = app::compare(s, cells);
  BOOST_TEST(std::isnan(rows[1].dice.deviation));
  BOOST_TEST(rows[1].difference->seeds == 1);
  const std::string table = app::study_markdown(s, rows);
  BOOST_TEST(table.find("| mean_teacher | 1 of 2 | 60.0 ± - | +10.0 [-10.0, +30.0] |") != std::string::npos, table);
  BOOST_TEST(table.find("over cases alone, as there is one seed") != std::string::npos, table);
  BOOST_TEST(nlohmann::json::parse(app::study_json(s, rows, cells))["rows"][1]["dice"]["deviation"].is_null());
}

BOOST_FIXTURE_TEST_CASE(a_result_is_read_as_it_was_written, desk) {
  const app_detail::cell_folder folder{work.path()};
  const auto cell = cell_of(0, 1, {{"a", {1.0 / 3, 0.7}}});
  app_detail::write_result(folder, cell.result);
  const auto read = app_detail::read_result(folder);
  BOOST_TEST(read.parameters == 1234567);
  BOOST_TEST(read.multiply_adds == 45.6e9);
  BOOST_REQUIRE(read.scores.size() == 2u);
  BOOST_TEST(read.scores[0].dice == 1.0 / 3);
  BOOST_TEST(read.scores[1].region.name == "class 1");
  std::ofstream(folder.result_file()) << "{\"format\": 2}";
  BOOST_CHECK_EXCEPTION((void)app_detail::read_result(folder), io_error, says("its format is 2, expected 1"));
}

BOOST_FIXTURE_TEST_CASE(a_lock_is_given_once, desk) {
  const app_detail::cell_folder folder{work.path()};
  {
    const file_lock first(folder.lock_file());
    BOOST_TEST(first.taken());
    BOOST_TEST(!file_lock(folder.lock_file()).taken());
    BOOST_TEST(app_detail::is_locked(folder));
  }
  BOOST_TEST(!app_detail::is_locked(folder));
  BOOST_CHECK_THROW((void)file_lock(work / "absent/lock"), io_error);
}

int wait_for(app_detail::child_process& child) {
  for (;;)
    if (const auto status = child.status()) return *status;
}

BOOST_FIXTURE_TEST_CASE(a_child_writes_into_its_log_and_is_stopped, desk) {
  const auto log = work / "log.txt";
  app_detail::child_process says_it("/bin/sh", {"sh", "-c", "echo out; echo err >&2; exit 3"}, log);
  BOOST_TEST(wait_for(says_it) == 3);
  const auto bytes = read_file(log);
  BOOST_TEST(std::string(bytes.begin(), bytes.end()) == "out\nerr\n");
  app_detail::child_process sleeps("/bin/sh", {"sh", "-c", "exec sleep 600"}, log);
  BOOST_TEST(!sleeps.status().has_value());
  sleeps.stop();
  BOOST_TEST(wait_for(sleeps) == 128 + SIGTERM);
  BOOST_CHECK_EXCEPTION((void)app_detail::child_process("/nowhere/program", {"program"}, log), io_error,
                        says("/nowhere/program: cannot be started (No such file or directory)"));
}

}  // namespace comodal::tests
