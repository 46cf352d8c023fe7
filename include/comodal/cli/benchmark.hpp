// SPDX-License-Identifier: Apache-2.0
/// @file
/// The command `benchmark`: how long a training step or the prediction of a volume takes on this machine, on synthetic
/// volumes.
#ifndef COMODAL_CLI_BENCHMARK_HPP
#define COMODAL_CLI_BENCHMARK_HPP

#include <comodal/app/training_cases.hpp>
#include <comodal/cli/console.hpp>
#include <comodal/cli/measurement.hpp>
#include <comodal/data/prefetch.hpp>
#include <comodal/infer/sliding_window.hpp>
#include <comodal/train/training_step.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace cli_detail {

// Times training steps.
template <tensor_backend Backend>
void measure_training(tape<Backend>& home, app::experiment& e, const cli::benchmark_arguments& arguments,
                      const registry<Backend>& names, profile& recorder, measurement& result) {
  const auto modalities = static_cast<index>(arguments.modalities), classes = static_cast<index>(arguments.classes);
  const auto seed = static_cast<std::uint64_t>(e.train.seed);
  // Volumes half as large again as a crop, so that crops are cut and turned as in a real run.
  std::array<index, 3> size{};
  for (std::size_t a = 0; a < 3; ++a) size[a] = e.batch.patch_size[2 - a] * 3 / 2;
  const double before = now();
  std::deque<made_up_case> cases;
  std::vector<labelled_training_case> labelled;
  std::vector<unlabelled_training_case> unlabelled;
  const auto number = std::max<index>(2, e.batch.unlabelled);
  for (index i = 0; i < 2 * number; ++i) {
    const auto& one = cases.emplace_back(size, modalities, classes, static_cast<std::uint32_t>(i));
    if (i < number)
      labelled.push_back({text("labelled ", i), one.images, &one.label});
    else
      unlabelled.push_back({text("unlabelled ", i), one.images});
  }
  result.volumes_seconds = now() - before;
  const auto targets = target_map::of_classes(classes);
  const auto make = [&](tape<Backend>& on, const network_options& network) {
    return make_method<Backend>(on, e.method, network, modalities, targets, seed, e.losses, names);
  };
  std::optional<any_method<Backend>> method = make(home, e.network);
  batch_maker<> maker(e.batch, std::move(labelled), std::move(unlabelled), seed, method->views());
  if (e.train.memory > 0) {
    method.reset();  // a trial has the memory for itself
    home.ctx().pool().release();
    step_batch batch;
    maker.make(0, batch);
    e.network.checkpointed = app_detail::fitted_stages<Backend>(e, names, batch, make);
    method = make(home, e.network);
  }
  optimiser_set<Backend> optimiser(e.optimiser, method->trained(), names);
  result.parameters = optimiser.count();
  prefetcher<batch_maker<>> batches(maker, 0, e.prefetch);
  std::uint32_t step = 0;
  const auto steps = static_cast<std::uint32_t>(arguments.warm + 2 * arguments.steps + 1);
  skipped_steps<Backend> skipped(home);
  const any_communicator<Backend> alone;
  training_steps<Backend> training(*method, optimiser, skipped, alone, e.train.replay);
  variable<Backend> loss;
  measure(home.ctx(), arguments, recorder, result, [&] {
    auto batch = batches.next();
    const step_request at{step, steps, seed};
    loss = training.run(batch, at, learning_rate(e.optimiser, step, steps)).loss;
    batches.recycle(std::move(batch));
    ++step;
  });
  result.loss = item(loss);
}

// The volume of `--work predict`: its modalities and the probabilities of its classes.
inline void expect_memory_for_volume(const cli::benchmark_arguments& arguments) {
  double bytes = 4.0 * (arguments.modalities + arguments.classes);
  for (const index v : arguments.volume) bytes *= static_cast<double>(v);
  if (const double memory = machine_memory(); arguments.work == "predict" && memory > 0 && bytes > memory)
    throw config_error(text("--volume: its images and probabilities take ", std::round(bytes / (1 << 30)),
                            " GiB, this machine has ", std::round(memory / (1 << 30)),
                            " GiB of memory; make it smaller"));
}

// Times the prediction of a volume.
template <tensor_backend Backend>
void measure_prediction(tape<Backend>& home, const app::experiment& e, const cli::benchmark_arguments& arguments,
                        const registry<Backend>& names, profile& recorder, measurement& result) {
  const auto modalities = static_cast<index>(arguments.modalities), classes = static_cast<index>(arguments.classes);
  const double before = now();
  const made_up_case one({arguments.volume[0], arguments.volume[1], arguments.volume[2]}, modalities, classes, 0);
  result.volumes_seconds = now() - before;
  const auto network =
      make_network<Backend>(home, e.network, modalities, classes, static_cast<std::uint64_t>(e.train.seed), names);
  result.parameters = network.parameters().count();
  const std::vector<float> present(static_cast<std::size_t>(modalities), 1.f);
  measure(home.ctx(), arguments, recorder, result, [&] {
    const auto maps =
        sliding_window<Backend>(home, one.images, present, label_kind::classes, {e.batch.patch_size, 0.5, {}},
                                [&](const auto& volumes, const auto& mask) {
                                  return std::vector{network.forward(volumes, mask, network_outputs::fused_only).fused};
                                });
    (void)most_probable(maps[0]);
  });
}

inline void print_summary(const cli::benchmark_arguments& arguments, const measurement& result) {
  std::printf("start to first step %.2f s without making volumes (%.2f s), first step %.1f ms\n", result.start_seconds,
              result.volumes_seconds, 1e3 * result.first_step_seconds);
  std::printf(
      "%s: median %.1f ms of %zu (%.1f to %.1f), convolutions %.1f ms of a profiled %.1f ms, %d threads, process peak "
      "%.2f GiB, %s peak %.2f GiB\n",
      arguments.work.c_str(), 1e3 * median(result.seconds), result.seconds.size(),
      1e3 * *std::min_element(result.seconds.begin(), result.seconds.end()),
      1e3 * *std::max_element(result.seconds.begin(), result.seconds.end()), 1e3 * median(result.convolution_seconds),
      1e3 * median(result.profiled_seconds), host_threads(), static_cast<double>(result.peak_bytes) / (1 << 30),
      is_host_v<default_space> ? "tensor pool" : "device memory", static_cast<double>(result.pool_bytes) / (1 << 30));
}

// How long the run of an experiment file would take at the measured pace.
inline void print_length_of_run(index steps, const measurement& result) {
  std::printf("train.steps = %ld take about %s at this pace\n", static_cast<long>(steps),
              clock_time(median(result.seconds) * static_cast<double>(steps)).c_str());
}

}  // namespace cli_detail

namespace cli {

/// Times what `arguments.work` says and prints it. @return the exit status @throws config_error for bad keys
template <tensor_backend Backend>
int benchmark(const benchmark_arguments& arguments, const std::vector<std::string>& overrides,
              const registry<Backend>& names) {
  auto e = app::read_experiment(arguments.config, overrides, names);
  if (arguments.memory > 0) e.train.memory = arguments.memory;
  if (!arguments.precision.empty()) e.network.precision = arguments.precision;
  if (!arguments.json.empty()) refuse_foreign_output(arguments.json, "\"program\": \"comodal", "benchmark");
  cli_detail::expect_memory_for_volume(arguments);
  const host_threads_scope threads(e.threads);
  context<Backend> ctx;
  tape<Backend> home(ctx);
  profile recorder;
  cli_detail::measurement result;
  if (arguments.work == "train")
    cli_detail::measure_training(home, e, arguments, names, recorder, result);
  else
    cli_detail::measure_prediction(home, e, arguments, names, recorder, result);
  if (arguments.profile) {
    cli_detail::print_profile(recorder, result);
    std::printf("\n%s", plan_table(ctx.planned()).c_str());
  }
  if (!arguments.json.empty()) cli_detail::write_json(arguments.json, e, arguments, result);
  cli_detail::print_summary(arguments, result);
  if (arguments.work == "train" && !arguments.config.empty()) cli_detail::print_length_of_run(e.train.steps, result);
  return 0;
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
