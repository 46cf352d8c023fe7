// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the command `benchmark` measures, and how it is printed.
#ifndef COMODAL_CLI_MEASUREMENT_HPP
#define COMODAL_CLI_MEASUREMENT_HPP

#include <comodal/app/experiment.hpp>
#include <comodal/core/runtime.hpp>

#include <nlohmann/json.hpp>

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

struct benchmark_arguments {
  std::filesystem::path config, json;
  std::string work = "train";
  std::string precision;  // not empty: it is `model.precision`
  int modalities = 3, classes = 3, steps = 10, warm = 3;
  std::vector<index> volume{128, 128, 96};  // i, j, k: three
  bool profile = false;
  double memory = 0;  // GiB; above 0 it is `train.memory`
};

}  // namespace cli

namespace cli_detail {

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds since the process was started, loading of libraries included; in steps of the kernel's clock tick, 10 ms.
inline double process_age() {
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

inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

inline std::size_t process_peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

// Noise with a block of each class, on one grid.
struct made_up_case {
  std::deque<image_volume> volumes;
  label_volume label;
  std::vector<volume_view> images;

  made_up_case(const std::array<index, 3>& size, index modalities, index classes, std::uint32_t number) {
    random_stream draw(1, random_purpose::test, number);
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
template <tensor_backend Backend>
void measure(context<Backend>& ctx, const cli::benchmark_arguments& arguments, profile& recorder, measurement& result,
             const std::function<void()>& work) {
  auto& pool = ctx.pool();
  result.start_seconds = process_age() - result.volumes_seconds;
  const double first = now();
  work();
  ctx.fence();
  result.first_step_seconds = now() - first;
  for (int i = 1; i < arguments.warm; ++i) work();
  for (int i = 0; i < arguments.steps; ++i) {
    ctx.fence();
    const auto before = pool.statistics().allocations;
    const double start = now();
    work();
    ctx.fence();
    result.seconds.push_back(now() - start);
    result.pool_allocations.push_back(pool.statistics().allocations - before);
  }
  result.peak_bytes = process_peak_bytes();
  result.pool_bytes = pool.statistics().peak;
  ctx.recorder = &recorder;
  for (int i = 0; i < arguments.steps; ++i) {
    const double before = recorder.seconds("conv3d") + recorder.seconds("conv_transpose3d"), start = now();
    work();
    ctx.fence();
    result.profiled_seconds.push_back(now() - start);
    result.convolution_seconds.push_back(recorder.seconds("conv3d") + recorder.seconds("conv_transpose3d") - before);
  }
  ctx.recorder = nullptr;
}

struct table_row {
  double forward = 0, backward = 0;
  index calls = 0;
  std::ptrdiff_t kept = 0;
};

inline void print_rows(const std::map<std::string, table_row>& rows, const char* heading, double steps,
                       double step_seconds) {
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
inline void print_profile(const profile& recorder, const measurement& result) {
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
  std::printf("\na profiled step %.1f ms, outside operations %.1f ms (%.1f %%), %.4g multiply-adds\n",
              1e3 * step_seconds, 1e3 * (step_seconds - inside), 100 * (1 - inside / step_seconds),
              recorder.multiply_adds() / steps);
}

inline void write_json(const std::filesystem::path& file, const app::experiment& e,
                       const cli::benchmark_arguments& arguments, const measurement& result) {
  nlohmann::ordered_json out{{"program", "comodal " COMODAL_VERSION},
                             {"work", arguments.work},
                             {"precision", e.network.precision},
                             {"method", e.method.name},
                             {"fusion", e.network.fusion},
                             {"threads", host_threads()},
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
  write_text(file, out.dump(2) + "\n");
}

}  // namespace cli_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
