// SPDX-License-Identifier: Apache-2.0
/// @file
/// The commands of the program: each calls a verb, prints what it came to, and returns the exit status.
#ifndef COMODAL_CLI_COMMANDS_HPP
#define COMODAL_CLI_COMMANDS_HPP

#include <comodal/app/crossval.hpp>
#include <comodal/app/evaluate.hpp>
#include <comodal/app/import.hpp>
#include <comodal/app/plan.hpp>
#include <comodal/app/predict.hpp>
#include <comodal/app/prepare.hpp>
#include <comodal/app/rank.hpp>
#include <comodal/app/report.hpp>
#include <comodal/app/train.hpp>
#include <comodal/cli/benchmark.hpp>
#include <comodal/cli/check.hpp>
#include <comodal/cli/console.hpp>
#include <comodal/cli/experiment.hpp>
#include <comodal/cli/info.hpp>
#include <comodal/cli/keys.hpp>
#include <comodal/cli/measurement.hpp>
#include <comodal/cli/phantom.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

/// Calls a command; what it throws becomes one line on stderr, behind the program's name.
/// @return its exit status; 1 for a failure (of the disk, the device, for memory), 2 for bad input
template <class Command>
int guarded(const std::string& program, const Command& command) {
  const auto failed = [&](const char* words, int status) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), printable(words).c_str());
    return status;
  };
  try {
    return command();
  } catch (const device_error& failure) {
    return failed(failure.what(), 1);
  } catch (const disk_error& failure) {
    return failed(failure.what(), 1);
  } catch (const error& failure) {
    return failed(failure.what(), 2);
  } catch (const std::bad_alloc&) {
    return failed("out of memory; use a machine with more, or smaller volumes", 1);
  } catch (const std::filesystem::filesystem_error& failure) {
    return failed(text(failure.path1().string(), ": ", failure.code().message()).c_str(), 2);
  } catch (const std::exception& failure) {
    return failed(failure.what(), 1);
  }
}

/// Calls what trains; memory that runs out is told with what to do about it.
template <class Work>
auto with_smaller_crops(const Work& work) {
  constexpr const char* smaller = "; use a smaller batch.patch_size, fewer crops per step, or fewer channels";
  try {
    return work();
  } catch (const out_of_memory_error& failure) {
    throw out_of_memory_error(text(failure.what(), smaller));
  } catch (const std::bad_alloc&) {
    throw out_of_memory_error(text("out of memory", smaller));
  }
}

inline int import_data(const app::import_request& request, const reader_registry& readers) {
  const auto summary = app::import_data(request, readers);
  for (const auto& line : summary.changes) std::printf("%s\n", printable(line).c_str());
  std::printf("%s: %s, %zu of them labelled, %s; %s and %s written\n", request.folder.c_str(),
              counted(summary.training, "training case").c_str(), summary.labelled,
              counted(summary.test, "test case").c_str(), counted(summary.links, "link").c_str(),
              counted(summary.written, "file").c_str());
  return 0;
}

template <tensor_backend Backend>
int plan(const app::plan_request& request, const registry<Backend>& names) {
  const auto summary = app::plan(request, names, interruptible_observer());
  const auto& patch = summary.patch.topology.patch;
  std::printf("%s: %s, patch %ld x %ld x %ld voxels, %zu stages, %ld labelled and %ld unlabelled crops per step\n",
              request.file.c_str(), counted(summary.fingerprint.cases.size(), "case").c_str(),
              static_cast<long>(patch[2]), static_cast<long>(patch[1]), static_cast<long>(patch[0]),
              summary.patch.topology.stages(), static_cast<long>(summary.labelled_crops),
              static_cast<long>(summary.unlabelled_crops));
  const std::string file = app::shell_word(request.file.string());
  std::printf("how long it takes: comodal benchmark --config %s --steps 3\nthen: comodal train %s run\n", file.c_str(),
              file.c_str());
  return 0;
}

template <tensor_backend Backend>
int prepare(const std::filesystem::path& file, const std::vector<std::string>& overrides,
            const registry<Backend>& names) {
  const auto e = app::read_experiment(file, overrides, names);
  auto watch = interruptible_observer();
  const auto summary = app::prepare(e, names, watch);
  watch = {};  // clears the progress line
  if (!summary.finished) {
    std::printf("%s: stopped on request, %zu of %zu cases prepared now; the same command goes on\n", e.cache.c_str(),
                summary.made, summary.cases);
    return 1;
  }
  std::printf("%s: %s, %zu prepared now, %.2f GiB, %.1f s\n", e.cache.c_str(), counted(summary.cases, "case").c_str(),
              summary.made, summary.bytes / (1 << 30), summary.seconds);
  return 0;
}

struct train_arguments {
  std::filesystem::path config, folder;
  bool resume = false;
  double memory = 0;  // GiB; above 0 it is `train.memory`
};

template <tensor_backend Backend>
int train(const train_arguments& arguments, const std::vector<std::string>& overrides, const registry<Backend>& names) {
  auto e = app::read_experiment(arguments.config, overrides, names);
  if (arguments.memory > 0) e.train.memory = arguments.memory;
  auto watch = interruptible_observer();
  cli_detail::before_first_note(watch, [told = watch, load = cli_detail::words_of_load(), &e] {
    if (!load.empty()) told.tell(load);
    if (e.fold >= 0 && e.train.validate_every == 0)
      told.warn(text("data.fold = ", e.fold, ": the cases that the fold keeps apart are not used; set ",
                     "train.validate_every, or let crossval --fold ", e.fold,
                     " (without data.fold) segment and score them"));
  });
  const auto [result, parameters, pool, begun] = with_smaller_crops([&] {
    try {
      return app::train(e, arguments.folder, arguments.resume, names, watch);
    } catch (const disk_error& failure) {
      throw disk_error(text(failure.what(), "; the same command with --resume goes on"));
    }
  });
  watch = {};  // clears the progress line
  if (!begun) {
    std::printf("stopped on request before the first step; %s\n",
                e.cache.empty() ? "nothing was written" : "prepared cases stay in data.cache");
    return 1;
  }
  if (result.finished && result.steps_done == result.first_step) {
    std::printf("%s: step %u of %ld\n", arguments.folder.c_str(), result.steps_done, static_cast<long>(e.train.steps));
    return 0;
  }
  const double steps = std::max(1.0, static_cast<double>(result.steps_done - result.first_step));
  const std::string loss = result.logged ? text("loss ", result.last_loss) : "no loss logged";
  std::printf("%s: step %u of %ld, %s, %.1f s (%.3f s per step), process peak %.2f GiB, %s peak %.2f GiB\n",
              arguments.folder.c_str(), result.steps_done, static_cast<long>(e.train.steps), loss.c_str(),
              result.seconds, result.seconds / steps, static_cast<double>(cli_detail::process_peak_bytes()) / (1 << 30),
              is_host_v<default_space> ? "tensor pool" : "device memory", static_cast<double>(pool) / (1 << 30));
  if (result.steps_done > result.first_step)
    std::printf("waited for crops: %.1f s, %.1f %% of the time\n", result.waited, 100 * result.waited / result.seconds);
  if (result.skipped > 0) std::printf("%u steps were skipped: their loss or gradient was not finite\n", result.skipped);
  if (result.best_validation)
    std::printf("best validation Dice %.4f (best.safetensors; the result is model.safetensors, the last weights)\n",
                *result.best_validation);
  if (!result.finished) std::printf("stopped on request; continue with the same command and --resume\n");
  return result.finished ? 0 : 1;
}

inline int postprocess(const app::postprocess_request& request, const normalisation_registry& names) {
  const auto summary = app::postprocess_models(request, names, warning_observer());
  std::printf("%s%s; kept in %s\n", to_text(app::postprocessing_table(summary.chosen)).c_str(),
              counted(summary.cases, "case").c_str(), counted(summary.models.size(), "model file").c_str());
  return 0;
}

template <tensor_backend Backend>
int crossval(app::crossval_request request, const std::filesystem::path& file,
             const std::vector<std::string>& overrides, const registry<Backend>& names) {
  request.what = app::read_experiment(file, overrides, names);
  auto watch = interruptible_observer();
  const auto summary = with_smaller_crops([&] { return app::crossval(request, names, watch); });
  watch = {};  // clears the progress line
  if (!summary.scores.empty())
    std::printf("%s%s\n\n%sthe models of all folds keep this post-processing\n",
                to_text(summary_table(summary.scores)).c_str(), describe_conventions({}).c_str(),
                to_text(app::postprocessing_table(summary.chosen)).c_str());
  std::printf("%s: %ld of %ld folds are finished%s\n", request.folder.c_str(), static_cast<long>(summary.finished),
              static_cast<long>(summary.folds),
              summary.finished < summary.folds ? "; whoever ends the last one scores all cases" : "");
  if (summary.stopped) std::printf("stopped on request; the same command goes on\n");
  return summary.stopped ? 1 : 0;
}

/// The lines of all cases that failed, as one message.
[[nodiscard]] inline std::string lines_of(const std::vector<std::string>& failures) {
  std::string lines;
  for (const auto& one : failures) lines += (lines.empty() ? "" : "\n") + one;
  return lines;
}

template <tensor_backend Backend>
int predict(const app::predict_request& request, const registry<Backend>& names) {
  auto watch = interruptible_observer();
  const auto summary = app::predict(request, names, watch);
  watch = {};  // clears the progress line
  std::printf("%s: %s", request.folder.c_str(), counted(summary.cases.size(), "case").c_str());
  if (!summary.failures.empty()) std::printf(", %zu failed", summary.failures.size());
  if (!summary.outputs.empty()) std::printf(", outputs:");
  for (const auto& name : summary.outputs) std::printf("%s %s", &name == &summary.outputs[0] ? "" : ",", name.c_str());
  std::printf("\n");
  if (!summary.left.empty())
    std::printf("%s left out: finished before, or by another process\n", counted(summary.left.size(), "case").c_str());
  if (request.uncertainty) std::printf("uncertainty maps: %s\n", counted(summary.uncertainty.size(), "case").c_str());
  if (!summary.finished) std::printf("stopped on request; the same command with --continue segments the other cases\n");
  if (summary.failures.empty()) return summary.finished ? 0 : 1;
  throw io_error(lines_of(summary.failures));
}

/// The options of scores by the names of a unit (mm, voxel), of a convention (monai, medpy, pymic), and of the scores
/// of two empty masks (1, nan).
[[nodiscard]] inline score_options options_of(const std::string& unit, const std::string& hd95,
                                              const std::string& both_empty) {
  score_options options;
  options.both_empty = both_empty == "nan" ? empty_masks::nan : empty_masks::perfect;
  options.unit = unit == "voxel" ? length_unit::voxel : length_unit::mm;
  options.hd95 = hd95 == "medpy"   ? hd95_convention::medpy
                 : hd95 == "pymic" ? hd95_convention::pymic
                                   : hd95_convention::monai;
  return options;
}

inline int evaluate(const app::evaluate_request& request) {
  const auto summary = app::evaluate(request, warning_observer());
  std::printf("%s%s\n", to_text(summary.table).c_str(), describe_conventions(request.options).c_str());
  if (!summary.differences.empty())
    std::printf("\n%s%s\n", to_text(paired_table(summary.differences)).c_str(), describe_differences().c_str());
  auto rules = request.lesion_rules;
  rules.hd95 = request.options.hd95;
  for (std::size_t f = 0; f < summary.lesions.size(); ++f)
    std::printf("\nlesions of %s\n%s%s\n", summary.methods[f].name.c_str(),
                to_text(lesion_summary(summary.lesions[f])).c_str(), describe_lesions(rules).c_str());
  for (std::size_t f = 0; f < summary.uncertainty.size(); ++f) {
    const auto& one = summary.uncertainty[f];
    std::printf("\nuncertainty of %s\n%s%s\n", summary.methods[f].name.c_str(),
                to_text(to_table(one.reliability)).c_str(), describe_uncertainty(one, request.uncertainties).c_str());
  }
  return 0;
}

template <tensor_backend Backend>
int rank(const app::rank_request& request, const registry<Backend>& names) {
  auto watch = interruptible_observer();
  const auto summary = app::rank(request, names, watch);
  watch = {};  // clears the progress line
  if (!summary.finished) {
    std::printf("stopped on request; %s\n",
                request.file.empty() ? "without --out nothing is kept" : "the same command continues");
    return 1;
  }
  std::printf("%s%s\n", to_text(app::rank_table(summary, 4)).c_str(), app::describe_ranking().c_str());
  if (summary.failures.empty()) return 0;
  throw io_error(lines_of(summary.failures));
}

inline int report(const app::report_request& request) {
  app::report(request, warning_observer());
  std::printf("%s\n", request.file.c_str());
  return 0;
}

}  // namespace cli

// Two units that compile side by side.
#define COMODAL_CLI_TRAIN(kind, Backend)                                                               \
  kind int cli::experiment<Backend>(const cli::experiment_arguments&, const std::vector<std::string>&, \
                                    const registry<Backend>&);                                         \
  kind int cli::prepare<Backend>(const std::filesystem::path&, const std::vector<std::string>&,        \
                                 const registry<Backend>&);                                            \
  kind int cli::train<Backend>(const cli::train_arguments&, const std::vector<std::string>&,           \
                               const registry<Backend>&);                                              \
  kind int cli::crossval<Backend>(app::crossval_request, const std::filesystem::path&,                 \
                                  const std::vector<std::string>&, const registry<Backend>&);          \
  kind int cli::benchmark<Backend>(const cli::benchmark_arguments&, const std::vector<std::string>&,   \
                                   const registry<Backend>&);
#define COMODAL_CLI_PREDICT(kind, Backend)                                               \
  kind int cli::predict<Backend>(const app::predict_request&, const registry<Backend>&); \
  kind int cli::rank<Backend>(const app::rank_request&, const registry<Backend>&);       \
  kind int cli::info<Backend>(const cli::info_arguments&, const registry<Backend>&);
COMODAL_CLI_ELSEWHERE(COMODAL_CLI_TRAIN)
COMODAL_CLI_ELSEWHERE(COMODAL_CLI_PREDICT)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
