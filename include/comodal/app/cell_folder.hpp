// SPDX-License-Identifier: Apache-2.0
/// @file
/// The folder of a cell: its files, the lock that keeps it to one process, and what it came to.
#ifndef COMODAL_APP_CELL_FOLDER_HPP
#define COMODAL_APP_CELL_FOLDER_HPP

#include <comodal/core/file_lock.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/data/json.hpp>
#include <comodal/metric/score.hpp>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What a cell came to: nothing that depends on time or on the number of processes.
struct cell_result {
  std::string method;
  index steps = 0, parameters = 0;
  double multiply_adds = 0;        // of the fused output of one window, forward
  std::vector<case_score> scores;  // case, output, class, Dice, distances
};

/// How long a cell's training took, over all processes that trained it and were not killed.
struct cell_seconds {
  index steps = 0;        // that were timed
  double training = 0;    // seconds of those steps
  double prediction = 0;  // seconds of the last prediction
};

}  // namespace app

namespace app_detail {

/// The files of one cell. Nothing is made before a cell is run.
struct cell_folder {
  std::filesystem::path path;

  [[nodiscard]] std::filesystem::path settings_file() const { return path / "cell.toml"; }
  [[nodiscard]] std::filesystem::path lock_file() const { return path / "lock"; }
  [[nodiscard]] std::filesystem::path log_file() const { return path / "log.txt"; }
  [[nodiscard]] std::filesystem::path run() const { return path / "run"; }
  [[nodiscard]] std::filesystem::path predictions() const { return path / "predictions"; }
  /// Written last: a cell that has it is finished.
  [[nodiscard]] std::filesystem::path result_file() const { return path / "result.json"; }
  [[nodiscard]] std::filesystem::path seconds_file() const { return path / "seconds.json"; }
  [[nodiscard]] bool finished() const { return std::filesystem::exists(result_file()); }
  [[nodiscard]] bool begun() const { return std::filesystem::exists(run() / "checkpoint.safetensors"); }

  /// Removes what only an unfinished cell needs, and weights and masks unless they are kept.
  void tidy(bool keep) const {
    std::error_code ignored;  // another process may do the same
    for (const char* name : {"checkpoint.safetensors", "checkpoint.previous.safetensors"})
      std::filesystem::remove(run() / name, ignored);
    if (keep) return;
    for (const char* name : {"model.safetensors", "best.safetensors"}) std::filesystem::remove(run() / name, ignored);
    std::filesystem::remove_all(predictions(), ignored);
  }
};

[[nodiscard]] inline bool is_locked(const cell_folder& cell) {
  return std::filesystem::exists(cell.lock_file()) && !file_lock(cell.lock_file(), file_lock::kind::shared).taken();
}

inline void write_result(const cell_folder& cell, const app::cell_result& result) {
  nlohmann::ordered_json scores = nlohmann::ordered_json::array();
  for (const auto& s : result.scores)
    scores.push_back({{"case", readable_name(s.case_id)},
                      {"output", s.output},
                      {"class", s.region.name},
                      {"dice", s.dice},
                      {"hd95", s.hd95},
                      {"assd", s.assd},
                      {"surface_dice", s.surface_dice}});
  const nlohmann::ordered_json all{{"format", 1},
                                   {"method", result.method},
                                   {"steps", result.steps},
                                   {"parameters", result.parameters},
                                   {"multiply_adds", result.multiply_adds},
                                   {"scores", std::move(scores)}};
  write_text(cell.result_file(), all.dump(1) + "\n");
}

/// @throws io_error if the file is damaged or of another version
[[nodiscard]] inline app::cell_result read_result(const cell_folder& cell) {
  const auto json = read_json(cell.result_file());
  try {
    const std::string what = "the result";
    if (const auto format = json_value<index>(json, "format", what); format != 1)
      throw io_error(text("its format is ", format, ", expected 1"));
    app::cell_result result{json_value<std::string>(json, "method", what),
                            json_value<index>(json, "steps", what),
                            json_value<index>(json, "parameters", what),
                            json_value<double>(json, "multiply_adds", what),
                            {}};
    for (const auto& one : json_entry(json, "scores", what)) {
      auto& s = result.scores.emplace_back();
      s.case_id = json_value<std::string>(one, "case", "a score");
      s.output = json_value<std::string>(one, "output", "a score");
      s.region.name = json_value<std::string>(one, "class", "a score");
      s.dice = json_value<double>(one, "dice", "a score");
      s.hd95 = json_value<double>(one, "hd95", "a score");
      s.assd = json_value<double>(one, "assd", "a score");
      s.surface_dice = json_value<double>(one, "surface_dice", "a score");
    }
    return result;
  } catch (const io_error& failure) {
    throw io_error(text(cell.result_file().string(), ": ", failure.what(), "; delete it to score the cell again"));
  }
}

/// The times of a cell; zero where nothing was timed yet.
[[nodiscard]] inline app::cell_seconds read_seconds(const cell_folder& cell) {
  if (!std::filesystem::exists(cell.seconds_file())) return {};
  const auto json = read_json(cell.seconds_file());
  const std::string what = cell.seconds_file().string();
  return {json_value<index>(json, "steps", what), json_value<double>(json, "training", what),
          json_value<double>(json, "prediction", what)};
}

inline void write_seconds(const cell_folder& cell, const app::cell_seconds& seconds) {
  const nlohmann::ordered_json json{
      {"steps", seconds.steps}, {"training", seconds.training}, {"prediction", seconds.prediction}};
  write_text(cell.seconds_file(), json.dump(1) + "\n");
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
