// SPDX-License-Identifier: Apache-2.0
/// @file
/// One cell of a study in this process: trained, predicted, scored; taken up where an earlier process left it.
#ifndef COMODAL_APP_RUN_CELL_HPP
#define COMODAL_APP_RUN_CELL_HPP

#include <comodal/app/evaluate.hpp>
#include <comodal/app/network_cost.hpp>
#include <comodal/app/study_cells.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// How a call of `run_cell` ended. Busy: another process has the cell.
enum class cell_state { finished, stopped, busy };

}  // namespace app

namespace app_detail {

[[nodiscard]] inline score_options scores_of(const app::study& s) {
  score_options options;
  options.unit = s.options.unit == "voxel" ? length_unit::voxel : length_unit::mm;
  return options;
}

// Trains on. @return false if it was stopped
template <tensor_backend Backend>
bool train_cell(const app::study_cell& cell, const cell_folder& folder, const registry<Backend>& names,
                const app::observer& watch, app::cell_result& result) {
  const auto trained = app::train(cell.settings, folder.run(), true, names, watch);
  auto seconds = read_seconds(folder);
  seconds.steps += static_cast<index>(trained.result.steps_done - trained.result.first_step);
  seconds.training += trained.result.seconds;
  if (trained.begun && trained.result.steps_done > trained.result.first_step) write_seconds(folder, seconds);
  result.method = cell.settings.method.name;
  result.steps = cell.settings.train.steps;
  return trained.result.finished;
}

// Segments the cases to score. @return false if it was stopped
template <tensor_backend Backend>
bool predict_cell(const app::study& s, const app::study_cell& cell, const cell_folder& folder,
                  const registry<Backend>& names, const app::observer& watch) {
  const auto start = std::chrono::steady_clock::now();
  app::predict_request request{folder.run() / "model.safetensors", app::scored_images(s, cell.settings),
                               folder.predictions()};
  const auto wants = [&](const char* subsets) {
    return std::find(s.options.subsets.begin(), s.options.subsets.end(), subsets) != s.options.subsets.end();
  };
  request.only = wants("each");
  request.subsets = wants("every");
  request.threads = s.options.threads;
  const auto predicted = app::predict(request, names, watch);
  std::string lines;
  for (const auto& one : predicted.failures) lines += (lines.empty() ? "" : "\n") + one;
  if (!lines.empty()) throw io_error(lines);
  auto seconds = read_seconds(folder);
  seconds.prediction = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (predicted.finished) write_seconds(folder, seconds);
  return predicted.finished;
}

}  // namespace app_detail

namespace app {

/// Brings a cell of a study to its end, unless another process has it or `watch` stops it: trains from its checkpoint,
/// if there is one, predicts, scores, writes `result.json`, and then deletes checkpoint, weights and masks
/// (`experiment.keep` keeps the last two). A finished cell is left as it is.
/// @throws as `train`, `predict` and `evaluate`; config_error if the cell was begun with other settings
template <tensor_backend Backend>
[[nodiscard]] cell_state run_cell(const study& s, const study_cell& cell, const std::filesystem::path& folder,
                                  const registry<Backend>& names, const observer& watch = {}) {
  expect_runtime();
  const host_threads_scope threads(s.options.threads);
  const app_detail::cell_folder at{folder / "cells" / cell.name};
  make_folder(at.path);
  const file_lock lock(at.lock_file());
  if (!lock.works())
    throw io_error(text(at.lock_file().string(),
                        ": this file system knows no locks (flock), which keep cells apart; use another folder"));
  if (!lock.taken()) return cell_state::busy;
  app_detail::refuse_other_cell(s, cell, at, names);
  if (!at.finished()) {
    write_text(at.settings_file(), app_detail::cell_keys::of(s, cell).keys().resolved());
    cell_result result;
    if (!app_detail::train_cell(cell, at, names, watch, result)) return cell_state::stopped;
    if (!app_detail::predict_cell(s, cell, at, names, watch)) return cell_state::stopped;
    const auto scores = evaluate({.predictions = {at.predictions()},
                                  .labels = scored_labels(s, cell.settings),
                                  .options = app_detail::scores_of(s),
                                  .ignored = cell.settings.read_cohort(names).ignored,
                                  .complete = true});
    result.scores = scores.methods[0].scores;
    const auto model = at.run() / "model.safetensors";
    context<Backend> ctx;
    const auto cost = cost_of_window(ctx, plan_of_model(read_model_file(model), model, names), names);
    result.parameters = cost.parameters;
    result.multiply_adds = cost.multiply_adds;
    app_detail::write_result(at, result);
    at.tidy(s.options.keep);
  }
  std::error_code ignored;
  std::filesystem::remove(at.lock_file(), ignored);  // whoever takes it now sees the result
  return cell_state::finished;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
