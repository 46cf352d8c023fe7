// SPDX-License-Identifier: Apache-2.0
// `comodal benchmark`: how long a training step or the prediction of a volume takes on this machine, on synthetic
// volumes.
#include "commands.hpp"
#include "experiment.hpp"
#include "session.hpp"

#include <comodal/core/runtime.hpp>
#include <comodal/infer/sliding_window.hpp>

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <sstream>

namespace cli {
namespace {

using comodal::index;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Seconds since the process was started, loading of libraries included; in steps of the kernel's clock tick, 10 ms.
double process_age() {
  std::ifstream stat("/proc/self/stat");
  std::string line, word;
  std::getline(stat, line);
  std::istringstream words(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  for (int i = 0; i < 20; ++i) words >> word;
  timespec since_boot{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return static_cast<double>(since_boot.tv_sec) + 1e-9 * static_cast<double>(since_boot.tv_nsec) -
         std::strtod(word.c_str(), nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::size_t process_peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

// Noise with a block of each class, on one grid.
struct made_up_case {
  std::deque<comodal::image_volume> volumes;
  comodal::label_volume label;
  std::vector<comodal::volume_view> images;

  made_up_case(const std::array<index, 3>& size, index modalities, index classes, std::uint32_t number) {
    comodal::random_stream draw(1, comodal::random_purpose::test, number);
    label.geometry.size = size;
    label.values.assign(static_cast<std::size_t>(label.geometry.voxels()), 0);
    for (index c = 1; c < classes; ++c)
      for (index k = size[2] / 4; k < size[2] / 2; ++k)
        for (index j = size[1] / 4; j < size[1] / 2; ++j)
          for (index i = size[0] * c / (classes + 1); i < size[0] * (c + 1) / (classes + 1); ++i)
            label.at(i, j, k) = static_cast<std::uint8_t>(c);
    for (index m = 0; m < modalities; ++m) {
      auto& volume = volumes.emplace_back();
      volume.geometry.size = size;
      volume.values.resize(label.values.size());
      for (std::size_t v = 0; v < volume.values.size(); ++v)
        volume.values[v] = static_cast<float>(draw.uniform(-1, 1) + 0.5 * label.values[v]);
      images.push_back(&volume);
    }
  }
};

// What was measured; the JSON file holds it all.
struct measurement {
  std::vector<double> seconds, convolution_seconds, profiled_seconds;
  std::vector<std::size_t> pool_allocations;
  std::size_t peak_bytes = 0, pool_bytes = 0;
  // From the start of the program to the beginning of the first step, without making volumes; making them; the first
  // step.
  double start_seconds = 0, volumes_seconds = 0, first_step_seconds = 0;
  double loss = 0;
  index parameters = 0;
};

// Runs `work` for warm-up, then timed, then again under the recorder.
void measure(session& on, const benchmark_arguments& arguments, comodal::profile& recorder, measurement& result,
             const std::function<void()>& work) {
  auto& pool = on.context.pool();
  result.start_seconds = process_age() - result.volumes_seconds;
  const double first = now();
  work();
  on.context.fence();
  result.first_step_seconds = now() - first;
  for (int i = 1; i < arguments.warm; ++i) work();
  for (int i = 0; i < arguments.steps; ++i) {
    on.context.fence();
    const auto before = pool.statistics().allocations;
    const double start = now();
    work();
    on.context.fence();
    result.seconds.push_back(now() - start);
    result.pool_allocations.push_back(pool.statistics().allocations - before);
  }
  result.peak_bytes = process_peak_bytes();
  result.pool_bytes = pool.statistics().peak;
  on.context.recorder = &recorder;
  for (int i = 0; i < arguments.steps; ++i) {
    const double before = recorder.seconds("conv3d") + recorder.seconds("conv_transpose3d"), start = now();
    work();
    on.context.fence();
    result.profiled_seconds.push_back(now() - start);
    result.convolution_seconds.push_back(recorder.seconds("conv3d") + recorder.seconds("conv_transpose3d") - before);
  }
  on.context.recorder = nullptr;
}

struct table_row {
  double forward = 0, backward = 0;
  index calls = 0;
  std::ptrdiff_t kept = 0;
};

void print_rows(const std::map<std::string, table_row>& rows, const char* heading, double steps, double step_seconds) {
  std::vector<std::pair<std::string, table_row>> sorted(rows.begin(), rows.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second.forward + a.second.backward > b.second.forward + b.second.backward;
  });
  std::printf("\n%-40s %10s %11s %7s %7s %9s\n", heading, "forward ms", "backward ms", "% step", "calls", "kept MiB");
  for (const auto& [name, row] : sorted)
    std::printf("%-40s %10.2f %11.2f %7.1f %7.0f %9.1f\n", name.c_str(), 1e3 * row.forward / steps,
                1e3 * row.backward / steps, 100 * (row.forward + row.backward) / steps / step_seconds,
                static_cast<double>(row.calls) / steps, static_cast<double>(row.kept) / steps / (1 << 20));
}

// Kept memory is that of forward calls: what stands in memory when the backward pass begins.
void print_profile(const comodal::profile& recorder, const measurement& result) {
  const double steps = static_cast<double>(result.profiled_seconds.size()),
               step_seconds = median(result.profiled_seconds);
  std::map<std::string, table_row> layers, operations;
  for (const auto& [what, sums] : recorder.all()) {
    const std::string operation =
        std::string(what.operation) + (what.engine.empty() ? "" : text(" [", what.engine, "]"));
    for (table_row* row : {&layers[what.layer.empty() ? "(no layer)" : what.layer], &operations[operation]}) {
      (what.backward ? row->backward : row->forward) += sums.seconds;
      row->calls += sums.calls;
      if (!what.backward) row->kept += sums.kept_bytes;
    }
  }
  print_rows(layers, "layer", steps, step_seconds);
  print_rows(operations, "operation", steps, step_seconds);
  const double inside = recorder.seconds() / steps;
  std::printf("\na profiled step %.1f ms, outside operations %.1f ms (%.1f %%)\n", 1e3 * step_seconds,
              1e3 * (step_seconds - inside), 100 * (1 - inside / step_seconds));
}

void write_json(const path& file, const experiment& e, const benchmark_arguments& arguments,
                const measurement& result) {
  nlohmann::ordered_json out{{"program", "comodal " COMODAL_VERSION},
                             {"work", arguments.work},
                             {"precision", e.network.precision},
                             {"method", e.method.name},
                             {"fusion", e.network.fusion},
                             {"threads", comodal::host_threads()},
                             {"modalities", arguments.modalities},
                             {"classes", arguments.classes},
                             {"patch", {e.batch.patch_size[2], e.batch.patch_size[1], e.batch.patch_size[0]}},
                             {"checkpointed", e.network.checkpointed},
                             {"parameters", result.parameters},
                             {"seconds", result.seconds},
                             {"profiled_seconds", result.profiled_seconds},
                             {"convolution_seconds", result.convolution_seconds},
                             {"peak_bytes", result.peak_bytes},
                             {"pool_bytes", result.pool_bytes},
                             {"allocations", result.pool_allocations},
                             {"start_seconds", result.start_seconds},
                             {"volumes_seconds", result.volumes_seconds},
                             {"first_step_seconds", result.first_step_seconds},
                             {"loss", result.loss}};
  comodal::write_text(file, out.dump(2) + "\n");
}

}  // namespace

int benchmark(const benchmark_arguments& arguments, const std::vector<std::string>& overrides) {
  experiment e;
  settings keys = e.keys();
  if (!arguments.config.empty()) keys.read_file(arguments.config);
  keys.read_overrides(overrides);
  if (arguments.memory > 0) e.train.memory = arguments.memory;
  if (!arguments.precision.empty()) e.network.precision = arguments.precision;
  e.method.check();
  e.refuse_bad_patch();

  const comodal::runtime scope(e.threads);
  session on;
  comodal::profile recorder;
  measurement result;
  const auto modalities = static_cast<index>(arguments.modalities), classes = static_cast<index>(arguments.classes);
  const auto seed = static_cast<std::uint64_t>(e.train.seed);

  if (arguments.work == "train") {
    // Volumes half as large again as a crop, so that crops are cut and turned as in a real run.
    std::array<index, 3> size{};
    for (std::size_t a = 0; a < 3; ++a) size[a] = e.batch.patch_size[2 - a] * 3 / 2;
    const double before = now();
    std::deque<made_up_case> cases;
    std::vector<comodal::labelled_training_case> labelled;
    std::vector<comodal::unlabelled_training_case> unlabelled;
    const auto number = std::max<index>(2, e.batch.unlabelled);
    for (index i = 0; i < 2 * number; ++i) {
      const auto& one = cases.emplace_back(size, modalities, classes, static_cast<std::uint32_t>(i));
      if (i < number)
        labelled.push_back({text("labelled ", i), one.images, &one.label});
      else
        unlabelled.push_back({text("unlabelled ", i), one.images});
    }
    result.volumes_seconds = now() - before;
    comodal::batch_maker<> maker(e.batch, std::move(labelled), std::move(unlabelled), seed, e.method.views());
    const auto targets = comodal::target_map::of_classes(classes);
    e.fit_memory(maker, modalities, targets);
    auto method = comodal::make_method<backend>(on.tape, e.method, e.network, modalities, targets, seed);
    comodal::optimiser_set<backend> optimiser(e.optimiser, method.trained());
    result.parameters = optimiser.count();
    comodal::prefetcher<comodal::batch_maker<>> batches(maker, 0, e.prefetch);
    std::uint32_t step = 0;
    const auto steps = static_cast<std::uint32_t>(arguments.warm + 2 * arguments.steps + 1);
    comodal::variable<backend> loss;
    measure(on, arguments, recorder, result, [&] {
      auto batch = batches.next();
      const comodal::step_request at{step, steps, seed};
      optimiser.zero_grad();
      loss = comodal::loss_of(method.step(batch, at));
      (void)optimiser.update(comodal::learning_rate(e.optimiser, step, steps), step);
      method.after_update(at);
      batches.recycle(std::move(batch));
      ++step;
    });
    result.loss = comodal::item(loss);
  } else {
    const double before = now();
    const made_up_case one({arguments.volume[0], arguments.volume[1], arguments.volume[2]}, modalities, classes, 0);
    result.volumes_seconds = now() - before;
    const auto network = comodal::make_network<backend>(on.tape, e.network, modalities, classes, seed);
    result.parameters = network.parameters().count();
    const std::vector<float> present(static_cast<std::size_t>(modalities), 1.f);
    measure(on, arguments, recorder, result, [&] {
      const auto maps = comodal::sliding_window<backend>(
          on.tape, one.images, present, comodal::label_kind::classes, {e.batch.patch_size, 0.5, {}},
          [&](const auto& volumes, const auto& mask) {
            return std::vector{network.forward(volumes, mask, comodal::network_outputs::fused_only).fused};
          });
      (void)comodal::most_probable(maps[0]);
    });
  }

  if (arguments.profile) {
    print_profile(recorder, result);
    std::printf("\n%s", comodal::plan_table(on.context.planned()).c_str());
  }
  if (!arguments.json.empty()) write_json(arguments.json, e, arguments, result);
  std::printf("start to first step %.2f s without making volumes (%.2f s), first step %.1f ms\n", result.start_seconds,
              result.volumes_seconds, 1e3 * result.first_step_seconds);
  std::printf(
      "%s: median %.1f ms of %zu (%.1f to %.1f), convolutions %.1f ms of a profiled %.1f ms, %d threads, process peak "
      "%.2f GiB, tensor pool peak %.2f GiB\n",
      arguments.work.c_str(), 1e3 * median(result.seconds), result.seconds.size(),
      1e3 * *std::min_element(result.seconds.begin(), result.seconds.end()),
      1e3 * *std::max_element(result.seconds.begin(), result.seconds.end()), 1e3 * median(result.convolution_seconds),
      1e3 * median(result.profiled_seconds), comodal::host_threads(),
      static_cast<double>(result.peak_bytes) / (1 << 30), static_cast<double>(result.pool_bytes) / (1 << 30));
  return 0;
}

}  // namespace cli
