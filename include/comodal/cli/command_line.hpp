// SPDX-License-Identifier: Apache-2.0
/// @file
/// What `comodal::cli::run` does: parses the words of the command line with CLI11 and calls a command.
#ifndef COMODAL_CLI_COMMAND_LINE_HPP
#define COMODAL_CLI_COMMAND_LINE_HPP

#include <comodal/cli/commands.hpp>
#include <comodal/cli/run.hpp>
#include <comodal/cli/validators.hpp>
#include <comodal/cli/verb_options.hpp>
#include <comodal/core/nearest_name.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace cli_detail {

// Adds every command to `app`; what is parsed is in the objects that the returned functions hold.
template <tensor_backend Backend>
class command_line {
 public:
  explicit command_line(const registry<Backend>& names) : m_names(names) {
    m_app.require_subcommand(1);
    m_app.set_version_flag("--version", COMODAL_VERSION);
    m_app.option_defaults()->always_capture_default();
    add_phantom();
    add_check();
    add_import();
    add_plan();
    add_prepare();
    add_train();
    add_experiment();
    add_crossval();
    add_predict();
    add_postprocess();
    add_evaluate();
    add_rank();
    add_report();
    add_benchmark();
    add_info();
    refuse_empty_names();
  }

  /// @return the exit status
  int run(int argc, char** argv) {
    if (argc > 0) m_experiment.program = argv[0];
    int status = 2;
    try {
      m_app.parse(argc, argv);
      status = run_command();
    } catch (const CLI::ParseError& failure) {
      refuse_unknown_command(argc, argv);
      status = m_app.exit(failure) == 0 ? 0 : 2;
      std::cout.flush();  // CLI11 prints help there
    }
    // A full disk behind stdout must not look like success.
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good()) return status;
    std::fprintf(stderr, "comodal: the output cannot be written (%s)\n", std::strerror(errno));
    return status == 0 ? 1 : status;
  }

 private:
  int run_command() const {
    for (const auto& [command, computes, call] : m_commands) {
      if (!*command) continue;
      std::optional<runtime> scope;  // other commands need no device
      if (computes == needs::runtime) scope.emplace(0, m_device);
      use_host_threads(0);
      return call();
    }
    return 2;
  }

  // An empty name, as an unset variable of a shell leaves it, would mean the current folder.
  void refuse_empty_names() {
    const CLI::Validator named(
        [](const std::string& word) { return word.empty() ? std::string("expected a name, found an empty one") : ""; },
        "", "name");
    for (const auto& one : m_commands)
      for (const char* name : {"folder", "source", "experiment", "file", "model", "images", "predictions", "runs",
                               "--labels", "--images", "--out", "--json", "--config", "--dataset", "--folder"})
        if (auto* option = one.words->get_option_no_throw(name)) option->check(named);
  }

  static constexpr const char* memory_help =
      "limit of the tensor memory of a step in GiB (train.memory); stages are recomputed until it fits. 0: no limit";

  // A first word that is neither an option nor a command is a misspelt command.
  void refuse_unknown_command(int argc, char** argv) const {
    if (argc < 2 || argv[1][0] == '-') return;
    std::vector<std::string> known;
    for (const auto& one : m_commands) known.push_back(one.words->get_name());
    if (std::find(known.begin(), known.end(), argv[1]) != known.end()) return;
    throw config_error(text("there is no command '", argv[1], "'; did you mean '", nearest_name(argv[1], known),
                            "'? (--help lists all commands)"));
  }

  enum class needs { nothing, runtime };

  struct command {
    CLI::App* words;
    needs computes;
    std::function<int()> call;
  };

  CLI::App* add(const char* name, const char* help, needs computes, std::function<int(CLI::App&)> call) {
    CLI::App* words = m_app.add_subcommand(name, help);
    if (computes == needs::runtime)
      words->add_option("--device", m_device, "number of the GPU to compute on, from 0 on")->check(number(0, 1023));
    m_commands.push_back({words, computes, [words, call = std::move(call)] { return call(*words); }});
    return words;
  }

  void add_phantom() {
    auto* c = add("phantom", "make a cohort of synthetic heads in nnU-Net raw layout", needs::nothing,
                  [this](CLI::App& at) { return cli::phantom(m_phantom, at.remaining()); });
    c->add_option("folder", m_phantom.folder, "folder to write; new or empty")->required();
    c->add_option("--config", m_phantom.config, "TOML file with a table [phantom]");
    c->add_option("--seed", m_phantom.seed, "decides every case")->check(whole_number());
    c->add_flag("--easy", m_phantom.easy, "less noise, fewer distractors");
    c->add_flag("--hard", m_phantom.hard, "more noise, more distractors");
    c->add_flag("--copies", m_phantom.copies, "control: all modalities are the same image");
    c->allow_extras();
    c->footer(
        [] { return "Every number can be set by --phantom.KEY VALUE. Keys and defaults:\n\n" + cli::phantom_keys(); });
  }
  void add_check() {
    auto* c = add("check", "describe a data set, read every file of it and report every fault", needs::nothing,
                  [this](CLI::App&) { return cli::check(m_check, m_names.readers); });
    c->add_option("folder", m_check.folder, "folder of a data set, such as an nnU-Net raw folder, or a list of files")
        ->required();
    c->add_option("--resample-to", m_check.resample_to, "the modality whose grid the others are resampled to");
    add_layout(*c, m_check.layout);
  }
  void add_import() {
    auto* c = add("import", "write an nnU-Net raw folder of links to a data set of another layout", needs::nothing,
                  [this](CLI::App&) { return cli::import_data(m_import, m_names.readers); });
    c->add_option("source", m_import.source, "folder of a data set, or a list of files")->required();
    c->add_option("folder", m_import.folder, "folder to write; new or empty")->required();
    add_layout(*c, m_import.layout);
  }
  void add_plan() {
    auto* c = add("plan", "write an experiment file for a data set: voxel size, patch, network, batch", needs::nothing,
                  [this](CLI::App&) { return cli::plan(m_plan, m_names); });
    c->add_option("source", m_plan.source, "folder of a data set, or a list of files")->required();
    c->add_option("file", m_plan.file, "TOML file to write; a new one")->required();
    c->add_option("--memory", m_plan.memory, "GiB of tensors that a training step may take")->check(number(0.01, 1e6));
    add_layout(*c, m_plan.layout);
  }
  // The keys data.images, data.label ... of an experiment as options: --images, --label ...
  static void add_layout(CLI::App& c, layout_options& layout) {
    visit_layout_options(layout, [&](std::string name, auto& value, const char* help) {
      std::replace(name.begin(), name.end(), '_', '-');
      auto* option = c.add_option("--" + name, value, help);
      if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string> && requires { value.clear(); })
        option->delimiter(',');
    });
  }
  void add_prepare() {
    auto* c = add("prepare", "prepare the cases of an experiment file once, in the folder data.cache", needs::nothing,
                  [this](CLI::App& at) { return cli::prepare(m_prepare, at.remaining(), m_names); });
    c->add_option("experiment", m_prepare, "TOML file; data.cache names the folder")->required();
    c->allow_extras();
    c->footer([] { return "Every key can be set by --SECTION.KEY VALUE; train --help lists them."; });
  }
  void add_train() {
    auto* c = add("train", "train the network that an experiment file describes", needs::runtime,
                  [this](CLI::App& at) { return cli::train(m_train, at.remaining(), m_names); });
    c->add_option("experiment", m_train.config, "TOML file")->required();
    c->add_option("folder", m_train.folder, "folder of the run: a new one, or with --resume that of an earlier run")
        ->required();
    c->add_flag("--resume", m_train.resume, "continue from the checkpoint in the folder, if there is one");
    c->add_option("--memory", m_train.memory, memory_help)->check(number(0, 1e6));
    c->allow_extras();
    c->footer([this] {
      return "Every key can be set by --SECTION.KEY VALUE. Keys and defaults:\n\n" + app::all_keys(m_names);
    });
  }
  void add_experiment() {
    auto* c = add("experiment", "compare methods: train, predict and score every cell of a study file", needs::runtime,
                  [this](CLI::App& at) { return cli::experiment(m_experiment, at.remaining(), m_names); });
    c->add_option("file", m_experiment.file, "TOML file with a table [experiment]")->required();
    c->add_option("--folder", m_experiment.folder,
                  "folder of the cells and the table; without it, the file's name without its ending");
    c->add_flag("--list", m_experiment.list, "check the file, list its cells and run none");
    c->add_option("--cell", m_experiment.cell, "run this cell alone, in this process");
    c->add_option("--parent", m_experiment.parent)->group("");  // who runs the cell, for `experiment` itself
    c->allow_extras();
    c->footer([] {
      return "Every key can be set by --SECTION.KEY VALUE, those of train too. Keys and defaults:\n\n" +
             app::study_keys();
    });
  }
  void add_crossval() {
    auto* c = add("crossval", "train every fold of the labelled cases, and score each case by the fold without it",
                  needs::runtime,
                  [this](CLI::App& at) { return cli::crossval(m_crossval, m_crossval_file, at.remaining(), m_names); });
    c->add_option("experiment", m_crossval_file, "TOML file")->required();
    c->add_option("folder", m_crossval.folder,
                  "folder of the folds: a new one, or that of an earlier call, which goes on")
        ->required();
    c->add_option("--folds", m_crossval.folds,
                  "number of folds to draw: 5, unless the data set has a splits_final.json")
        ->check(number(2, 1000));
    c->add_option("--fold", m_crossval.only, "train and segment this fold alone; -1: all")->check(number(-1, 999));
    cli::add_window_layout(*c, m_crossval);
    c->allow_extras();
    c->footer([] { return "Every key can be set by --SECTION.KEY VALUE; train --help lists them."; });
  }
  void add_postprocess() {
    auto* c = add("postprocess", "choose by masks with labels what a model does to its masks", needs::nothing,
                  [this](CLI::App&) { return cli::postprocess(m_postprocess, m_names.normalisations); });
    c->add_option("model", m_postprocess.model, "a model file, the folder of a run, or that of a cross-validation")
        ->required();
    c->add_option("predictions", m_postprocess.predictions, "folders of masks that `predict --raw` made")->required();
    c->add_option("--labels", m_postprocess.labels, "folder of the true masks")->required();
    c->add_option("--ignore", m_postprocess.ignored, "label value of voxels that nobody looked at")
        ->check(number(1, 255));
  }
  void add_predict() {
    auto* c = add("predict", "segment a folder of images; masks have the inputs' own grids", needs::runtime,
                  [this](CLI::App&) { return cli::predict(m_predict, m_names); });
    cli::add_options(*c, m_predict);
  }
  void add_evaluate() {
    auto* c =
        add("evaluate", "score masks against labels; several folders are compared", needs::nothing, [this](CLI::App&) {
          m_evaluate.options = cli::options_of(m_words.unit, m_words.hd95, m_words.both_empty);
          return cli::evaluate(m_evaluate);
        });
    cli::add_options(*c, m_evaluate, m_words);
  }
  void add_rank() {
    auto* c = add("rank", "order unlabelled cases, the most uncertain first", needs::runtime,
                  [this](CLI::App&) { return cli::rank(m_rank, m_names); });
    cli::add_options(*c, m_rank);
  }
  void add_report() {
    auto* c =
        add("report", "one HTML file with curves, tables and pictures of runs", needs::nothing, [this](CLI::App&) {
          m_report.options = cli::options_of(m_words.unit, m_words.hd95, m_words.both_empty);
          return cli::report(m_report);
        });
    cli::add_options(*c, m_report, m_words);
  }
  void add_benchmark() {
    auto* c =
        add("benchmark", "time a training step, or the prediction of a volume, on synthetic volumes", needs::runtime,
            [this](CLI::App& at) {
              return cli::with_smaller_crops([&] { return cli::benchmark(m_benchmark, at.remaining(), m_names); });
            });
    c->add_option("--config", m_benchmark.config, "experiment file; without it, the defaults");
    c->add_option("--work", m_benchmark.work, "work to time")->check(CLI::IsMember({"train", "predict"}));
    c->add_option("--precision", m_benchmark.precision, "precision of the network's maps (model.precision)")
        ->check(CLI::IsMember({"fp32", "tf32", "bf16"}));
    c->add_option("--modalities", m_benchmark.modalities, "volumes per case")->check(number(1, 16));
    c->add_option("--classes", m_benchmark.classes, "number of classes, background included")->check(number(2, 128));
    c->add_option("--volume", m_benchmark.volume, "size in voxels along i, j, k of the volume to predict")
        ->expected(3)
        ->check(number(1, 2048));
    c->add_option("--steps", m_benchmark.steps, "timed repetitions")->check(number(1, 100000));
    c->add_option("--warm", m_benchmark.warm, "untimed repetitions before them")->check(number(1, 100000));
    c->add_option("--memory", m_benchmark.memory, memory_help)->check(number(0, 1e6));
    c->add_flag("--profile", m_benchmark.profile, "list time and memory by layer and by operation");
    c->add_option("--json", m_benchmark.json, "file to write all measurements to");
    c->allow_extras();
    c->footer([] { return "Every key of an experiment can be set by --SECTION.KEY VALUE; train --help lists them."; });
  }
  void add_info() {
    auto* c =
        add("info", "what this program was built with, or what a model file holds", needs::runtime, [this](CLI::App&) {
          if (m_info.empty()) return cli::info<Backend>();
          for (const auto& file : app::model_files(m_info)) cli::info(file, m_names);
          return 0;
        });
    c->add_option("model", m_info, "a model or checkpoint file");
  }

  const registry<Backend>& m_names;
  CLI::App m_app{"comodal: semi-supervised, multi-modal 3-D medical image segmentation.\nNot a medical device."};
  std::vector<command> m_commands;
  index m_device = -1;  // Kokkos chooses
  cli::phantom_arguments m_phantom;
  std::filesystem::path m_info, m_prepare;
  cli::check_arguments m_check;
  app::import_request m_import;
  app::plan_request m_plan;
  cli::train_arguments m_train;
  cli::experiment_arguments m_experiment;
  app::crossval_request m_crossval;
  std::filesystem::path m_crossval_file;
  app::postprocess_request m_postprocess;
  app::predict_request m_predict;
  app::evaluate_request m_evaluate;
  app::rank_request m_rank;
  app::report_request m_report;
  cli::benchmark_arguments m_benchmark;
  cli::score_words m_words;
};

}  // namespace cli_detail

namespace cli {

template <tensor_backend Backend>
int run(int argc, char** argv, const registry<Backend>& names) {
  let_waiting_threads_sleep(argv);
  const auto program = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : std::string("comodal");
  return guarded(program, [&] { return cli_detail::command_line<Backend>(names).run(argc, argv); });
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
