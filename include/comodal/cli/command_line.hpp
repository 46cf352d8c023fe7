// SPDX-License-Identifier: Apache-2.0
/// @file
/// What `comodal::cli::run` does: parses the words of the command line with CLI11 and calls a command.
#ifndef COMODAL_CLI_COMMAND_LINE_HPP
#define COMODAL_CLI_COMMAND_LINE_HPP

#include <comodal/cli/commands.hpp>
#include <comodal/cli/completion.hpp>
#include <comodal/cli/examples.hpp>
#include <comodal/cli/parse_failure.hpp>
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
    m_app.footer(usual_order);
    m_app.option_defaults()->always_capture_default();
    add_phantom();
    add_check();
    add_import();
    add_init();
    add_plan();
    add_keys();
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
    add_completion();
    refuse_empty_names();
  }

  /// @return the exit status
  int run(int argc, char** argv) {
    if (argc > 0) m_experiment.program = argv[0];
    if (argc > 0) m_app.name(std::filesystem::path(argv[0]).filename().string());
    const std::vector<std::string> words = words_of_line(argc, argv);
    int status = 2;
    try {
      m_app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them from the back
      status = run_command();
    } catch (const CLI::ParseError& failure) {
      refuse_unknown_command(words);
      if (failure.get_exit_code() != 0) throw config_error(cli_detail::words_of_failure(m_app, failure));
      status = m_app.exit(failure);  // help, version
      std::cout.flush();             // CLI11 prints them there
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
      cli::console_is_quiet() = m_quiet;
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

  // "help VERB" asks for the same as "VERB --help".
  static std::vector<std::string> words_of_line(int argc, char** argv) {
    std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    if (words.empty() || words[0] != "help") return words;
    words.erase(words.begin());
    if (!words.empty() && words[0] == "help") words.clear();
    words.resize(std::min<std::size_t>(words.size(), 1));
    words.emplace_back("--help");
    return words;
  }
  // A first word that is neither an option nor a command is a misspelt command.
  void refuse_unknown_command(const std::vector<std::string>& words) const {
    if (words.empty() || words[0].starts_with('-')) return;
    std::vector<std::string> known;
    for (const auto& one : m_commands) known.push_back(one.words->get_name());
    if (std::find(known.begin(), known.end(), words[0]) != known.end()) return;
    const std::string nearest = nearest_name(words[0], known);
    const bool near = edit_distance(words[0], nearest) <= std::max<std::size_t>(1, words[0].size() / 3);
    throw config_error(
        text("there is no command '", readable_name(words[0]), "'; ",
             near ? text("did you mean '", nearest, "'? (--help lists all commands)") : "--help lists all commands"));
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
    words->footer(example_of(name));
    m_commands.push_back({words, computes, [words, call = std::move(call)] { return call(*words); }});
    return words;
  }

  // For verbs that take a while.
  void add_quiet(CLI::App& c) {
    c.add_flag("--quiet", m_quiet, "print no progress and no notes; results, warnings and errors stay");
  }
  // A footer that is made when it is shown.
  static void add_footer(CLI::App& c, std::function<std::string()> words) {
    c.footer([example = example_of(c.get_name()), words = std::move(words)] { return example + "\n\n" + words(); });
  }
  // For verbs that take an experiment file.
  static void add_keys_footer(CLI::App& c) {
    c.allow_extras();
    add_footer(c,
               [] { return std::string("Every key can be set by --SECTION.KEY VALUE; `comodal keys` lists them."); });
  }

  void add_phantom() {
    auto* c = add("phantom", "make a cohort of synthetic heads in nnU-Net raw layout", needs::nothing,
                  [this](CLI::App& at) { return cli::phantom(m_phantom, at.remaining()); });
    cli::add_options(*c, m_phantom);
    c->allow_extras();
    add_footer(*c, [] {
      return "Every number can be set by --phantom.KEY VALUE. Keys and defaults:\n\n" + cli::phantom_keys();
    });
  }
  void add_check() {
    auto* c = add("check", "describe a data set, read every file of it and report every fault", needs::nothing,
                  [this](CLI::App&) { return cli::check(m_check, m_names.readers); });
    cli::add_options(*c, m_check);
  }
  void add_import() {
    auto* c = add("import", "write an nnU-Net raw folder of links to a data set of another layout", needs::nothing,
                  [this](CLI::App&) { return cli::import_data(m_import, m_names.readers); });
    cli::add_options(*c, m_import);
  }
  void add_init() {
    auto* c = add("init", "write a first experiment file, with a comment per key", needs::nothing,
                  [this](CLI::App&) { return cli::init(m_init, m_names); });
    c->add_option("file", m_init.file, "TOML file to write; a new one")->required();
    c->add_option("--data", m_init.data, "folder of a data set, or a list of files (data.folder)");
    c->add_option("--method", m_init.method, "name of a method (method.name)");
  }
  void add_keys() {
    auto* c = add("keys", "list the keys of an experiment file, with defaults and meanings", needs::nothing,
                  [this](CLI::App&) { return cli::keys(m_key, m_markdown, m_names); });
    c->add_option("word", m_key, "list the keys that it may mean, by their names or meanings; without it, all");
    c->add_flag("--markdown", m_markdown, "as docs/reference/keys.md");
  }
  void add_completion() {
    auto* c = add("completion", "print a script that completes this command line in bash or zsh", needs::nothing,
                  [this](CLI::App&) {
                    std::printf("%s", cli::completion(m_shell, cli::words_of(m_app, m_names)).c_str());
                    return 0;
                  });
    c->add_option("shell", m_shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
  }
  void add_plan() {
    auto* c = add("plan", "write an experiment file for a data set: voxel size, patch, network, batch", needs::nothing,
                  [this](CLI::App&) { return cli::plan(m_plan, m_names); });
    cli::add_options(*c, m_plan);
    add_quiet(*c);
  }
  void add_prepare() {
    auto* c = add("prepare", "prepare the cases of an experiment file once, in the folder data.cache", needs::nothing,
                  [this](CLI::App& at) { return cli::prepare(m_prepare, at.remaining(), m_names); });
    c->add_option("experiment", m_prepare, "TOML file; data.cache names the folder")->required();
    add_quiet(*c);
    add_keys_footer(*c);
  }
  void add_train() {
    auto* c = add("train", "train the network that an experiment file describes", needs::runtime,
                  [this](CLI::App& at) { return cli::train(m_train, at.remaining(), m_names); });
    c->add_option("experiment", m_train.config, "TOML file")->required();
    c->add_option("folder", m_train.folder, "folder of the run: a new one, or with --resume that of an earlier run")
        ->required();
    c->add_flag("--resume", m_train.resume, "continue from the checkpoint in the folder, if there is one");
    c->add_option("--memory", m_train.memory, memory_help)->check(number(0, 1e6));
    add_quiet(*c);
    c->allow_extras();
    add_footer(*c, [this] {
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
    add_quiet(*c);
    c->allow_extras();
    add_footer(*c, [] {
      return "Every key can be set by --SECTION.KEY VALUE, those of train too. Keys and defaults:\n\n" +
             app::study_keys();
    });
  }
  void add_crossval() {
    auto* c = add("crossval", "train every fold of the labelled cases, and score each case by the fold without it",
                  needs::runtime,
                  [this](CLI::App& at) { return cli::crossval(m_crossval, m_crossval_file, at.remaining(), m_names); });
    c->add_option("experiment", m_crossval_file, "TOML file")->required();
    cli::add_options(*c, m_crossval);
    add_quiet(*c);
    add_keys_footer(*c);
  }
  void add_postprocess() {
    auto* c = add("postprocess", "choose by masks with labels what a model does to its masks", needs::nothing,
                  [this](CLI::App&) { return cli::postprocess(m_postprocess, m_names.normalisations); });
    cli::add_options(*c, m_postprocess);
  }
  void add_predict() {
    auto* c = add("predict", "segment a folder of images; masks have the inputs' own grids", needs::runtime,
                  [this](CLI::App&) { return cli::predict(m_predict, m_names); });
    cli::add_options(*c, m_predict);
    add_quiet(*c);
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
    add_quiet(*c);
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
    cli::add_options(*c, m_benchmark);
    c->add_option("--memory", m_benchmark.memory, memory_help)->check(number(0, 1e6));
    add_keys_footer(*c);
  }
  void add_info() {
    auto* c = add("info", "what this program was built with, or what a model file holds and who made it",
                  needs::runtime, [this](CLI::App&) { return cli::info(m_info, m_names); });
    cli::add_options(*c, m_info);
  }

  const registry<Backend>& m_names;
  CLI::App m_app{"comodal: semi-supervised, multi-modal 3-D medical image segmentation.\nNot a medical device."};
  std::vector<command> m_commands;
  index m_device = -1;  // Kokkos chooses
  cli::phantom_arguments m_phantom;
  std::filesystem::path m_prepare;
  std::string m_key, m_shell;
  bool m_markdown = false, m_quiet = false;
  cli::info_arguments m_info;
  app::init_request m_init;
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
int run(int argc, char** argv, const registry<Backend>& names, const char* commit) {
  let_waiting_threads_sleep(argv);
  app::this_program() = {commit, app::shell_command(argc, argv)};
  const auto program = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : std::string("comodal");
  return guarded(program, [&] { return cli_detail::command_line<Backend>(names).run(argc, argv); });
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
