// SPDX-License-Identifier: Apache-2.0
/// @file
/// How long a run trains and what it writes when, with its checks, and what it came to.
#ifndef COMODAL_TRAIN_TRAIN_OPTIONS_HPP
#define COMODAL_TRAIN_TRAIN_OPTIONS_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// Whether steps are recorded and replayed: on GPUs (`automatic`), always, or never. `on` makes a step that cannot be
/// recorded an error.
enum class step_replay { automatic, on, off };
[[nodiscard]] constexpr std::array<std::string_view, 3> choice_names(step_replay) { return {"auto", "on", "off"}; }

/// How long to train and what to write when; `visit_train_options` says what each option is.
struct train_options {
  index steps = 2000;
  index seed = 1;
  index log_every = 10;
  index validate_every = 0;
  index checkpoint_every = 200;
  double memory = 0;
  step_replay replay = step_replay::automatic;
};

/// Calls `visit(name, reference, help)` for every option; names are keys of the table `train` of an experiment file.
template <class Options, class Visit>
void visit_train_options(Options& o, Visit&& visit) {
  const auto option = [&](std::string_view name, auto& value, std::string_view help) { visit(name, value, help); };
  option("steps", o.steps, "number of updates of the weights");
  option("seed", o.seed, "decides initial weights, crops and augmentation");
  option("log_every", o.log_every, "steps between two lines of the log");
  option("validate_every", o.validate_every, "steps between two validations; 0: never");
  option("checkpoint_every", o.checkpoint_every, "steps between two checkpoints; the last step always writes one");
  option("memory", o.memory, "GiB of tensors that a step may take; above it, stages are computed again; 0: no limit");
  option("replay", o.replay, "auto: steps are recorded and replayed on GPUs; on: always; off: never");
}

/// @throws config_error naming the key that makes no sense
inline void check(const train_options& o) {
  constexpr index most = std::numeric_limits<std::uint32_t>::max();  // steps are counters of random streams
  expect_option(o.steps >= 1 && o.steps <= most, "train.steps", o.steps, text("1 to ", most));
  expect_option(o.log_every >= 1, "train.log_every", o.log_every, "1 or more");
  expect_option(o.validate_every >= 0, "train.validate_every", o.validate_every, "0 (never) or more");
  expect_option(o.checkpoint_every >= 1, "train.checkpoint_every", o.checkpoint_every, "1 or more");
  expect_option(o.seed >= 0, "train.seed", o.seed, "0 or more");
  expect_option(o.memory >= 0 && o.memory <= 1e6, "train.memory", o.memory, "GiB, 0 (no limit) to 1e6");
}

/// How far a run is, after a step that is logged.
struct train_progress {
  std::uint32_t first = 0;  // step at which this call began: 0, or the checkpoint's
  std::uint32_t done = 0;   // steps that are finished
  std::uint32_t steps = 0;  // of the whole run
  double loss = 0, rate = 0;
};

/// What a run has come to.
struct train_result {
  std::uint32_t first_step = 0;                // where this run began: 0, or the checkpoint's
  std::uint32_t steps_done = 0;                // in all, earlier runs that were resumed included
  bool finished = false;                       // false: stopped on request, and ready to be resumed
  double seconds = 0;                          // of this run
  double waited = 0;                           // of these, for the crops of a step
  bool logged = false;                         // true if this run reached a step that is logged
  double last_loss = 0;                        // of the last logged step
  std::uint32_t skipped = 0;                   // steps whose loss or gradient was not finite, up to the last look
  std::optional<double> best_validation = {};  // the best first score of a validation; none: never validated
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
