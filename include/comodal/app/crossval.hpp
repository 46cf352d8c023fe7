// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `crossval`: every fold of a cohort trained, each labelled case segmented by the fold that has not seen it,
/// and the scores of all.
#ifndef COMODAL_APP_CROSSVAL_HPP
#define COMODAL_APP_CROSSVAL_HPP

#include <comodal/app/fold_file.hpp>
#include <comodal/app/postprocess.hpp>
#include <comodal/app/predict.hpp>
#include <comodal/app/train.hpp>
#include <comodal/metric/summary_json.hpp>
#include <comodal/metric/tables.hpp>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `crossval` is asked for.
struct crossval_request {
  experiment what;                       // of every fold; its data.labelled are the cases that are divided
  std::filesystem::path folder;          // of the folds: fold_0, fold_1 ...
  index folds = 5;                       // without a file of folds
  index only = -1;                       // train and segment this fold alone; -1: all
  double step = 0.5;                     // distance between windows, as a fraction of their size
  std::vector<std::string> mirror = {};  // average over flips along these axes: i, j, k
};

/// What `crossval` came to.
struct crossval_summary {
  index folds = 0, finished = 0;   // all, and those that are trained and segmented
  std::vector<case_score> scores;  // of all cases, without post-processing; empty unless all folds are finished
  chosen_postprocessing chosen;    // which the models of all folds keep
  bool stopped = false;
};

}  // namespace app

namespace app_detail {

// One fold: where it is, and what it trains.
struct fold_run {
  std::filesystem::path folder;
  app::experiment what;

  [[nodiscard]] std::filesystem::path model() const { return folder / "model.safetensors"; }
  [[nodiscard]] std::filesystem::path masks() const { return folder / "validation"; }
};

// The folds of a request; their file is made unless it is there.
template <tensor_backend Backend>
std::vector<fold_run> folds_of(const app::crossval_request& request, const registry<Backend>& names) {
  const app::experiment& e = request.what;
  if (e.fold >= 0) throw config_error("data.fold: crossval trains all folds; leave it out");
  if (!e.validation.empty())
    throw config_error("data.validation: crossval divides the labelled cases itself; leave it out");
  const cohort data = e.read_cohort(names);
  refuse_errors(data.findings);
  expect_classes(data);
  const auto file = std::filesystem::absolute(request.folder / "splits.json").lexically_normal();
  const index count = fold_file(file, e, data, request.folds);
  std::vector<fold_run> folds;
  for (index k = 0; k < count; ++k) {
    fold_run one{request.folder / text("fold_", k), e};
    if (!e.exclude.empty() && !e.splits.empty()) one.what.exclude = split_ids(base_of(e) / e.splits, e.exclude);
    one.what.labelled.clear();
    one.what.splits = file.string();
    one.what.fold = k;
    folds.push_back(std::move(one));
  }
  return folds;
}

// Segments the cases that a fold has kept apart. @return false if it was stopped
template <tensor_backend Backend>
bool segment_fold(const fold_run& fold, const app::crossval_request& request, const registry<Backend>& names,
                  const app::observer& watch) {
  app::predict_request wanted{.model = fold.model(), .images = {}, .folder = fold.masks()};
  wanted.keep = std::filesystem::exists(fold.masks() / "predictions.json");
  wanted.raw = true;
  wanted.step = request.step;
  wanted.mirror = request.mirror;
  wanted.threads = fold.what.threads;
  const host_threads_scope threads(wanted.threads);
  app::segmenter<Backend> segment(fold.model(), "", names);
  images_of_cases images;
  for (const labelled_case& one : fold.what.read_cohort(names).validation) images.cases.push_back(one.files);
  const auto summary = predict_images(wanted, segment, images, watch);
  std::string lines;
  for (const auto& one : summary.failures) lines += (lines.empty() ? "" : "\n") + one;
  if (!lines.empty()) throw io_error(lines);
  return summary.finished;
}

// True if a fold is trained, and all its cases are segmented.
template <tensor_backend Backend>
bool fold_finished(const fold_run& fold, const registry<Backend>& names) {
  if (!std::filesystem::exists(fold.model()) || !std::filesystem::exists(fold.masks() / "predictions.json"))
    return false;
  const auto done = predicted_masks(fold.masks(), read_predictions(fold.masks()), "fused");
  for (const labelled_case& one : fold.what.read_cohort(names).validation)
    if (!done.contains(one.files.id)) return false;
  return true;
}

// Scores all cases, chooses the post-processing and gives it to the models.
template <tensor_backend Backend>
void score_folds(const std::vector<fold_run>& folds, const app::crossval_request& request,
                 const registry<Backend>& names, app::crossval_summary& summary) {
  std::vector<std::filesystem::path> masks;
  std::vector<labelled_case> cases;
  std::vector<label_class> classes;
  std::vector<int> region_order;
  std::optional<int> ignored;
  for (const fold_run& fold : folds) {
    const cohort data = fold.what.read_cohort(names);
    classes = data.labels, region_order = data.region_order, ignored = data.ignored;
    for (const labelled_case& one : data.validation) {
      masks.push_back(fold.masks() / (one.files.id + ".nii.gz"));
      cases.push_back(one);
    }
  }
  const auto pair = [&](std::size_t i) {
    scored_pair one{read_mask(masks[i], classes), detail::load_labels(cases[i].label, cases[i].label_name())};
    leave_out(one.prediction, one.reference, ignored);
    return one;
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const scored_pair one = pair(i);
    for (auto& score : score_case(one.prediction, one.reference, classes, cases[i].files.id))
      summary.scores.push_back(std::move(score));
  }
  summary.chosen = choose_postprocessing(cases.size(), pair, classes, region_order);
  for (const fold_run& fold : folds) keep_postprocessing(fold.model(), summary.chosen.rules, names.normalisations);
  write_case_csv(request.folder / "scores.csv", summary.scores);
  write_summary_json(request.folder / "summary.json", summary.scores, "fused", {}, [&](const std::string& id) {
    for (std::size_t i = 0; i < cases.size(); ++i)
      if (cases[i].files.id == id) return scored_files{masks[i].string(), cases[i].label_name()};
    return scored_files{id, id};
  });
}

}  // namespace app_detail

namespace app {

/// Divides the labelled cases into folds (those of the data set's splits_final.json, if it has one and data.labelled is
/// not set), trains each fold on the others' cases and all unlabelled ones, and segments the cases that it kept apart.
/// When all folds are finished: `scores.csv` and `summary.json` of all cases in the folder, and the post-processing
/// that they speak for in every model. `predict` with the folder averages the models. What is finished is not done
/// again; a fold goes on from its checkpoint. Processes may share the work by `only`.
/// @throws as `train` and `predict`; config_error for fewer labelled cases than folds
template <tensor_backend Backend>
[[nodiscard]] crossval_summary crossval(const crossval_request& request,
                                        const registry<Backend>& names = registry<Backend>::built_in(),
                                        const observer& watch = {}) {
  expect_runtime();
  const auto folds = app_detail::folds_of(request, names);
  crossval_summary summary;
  summary.folds = static_cast<index>(folds.size());
  if (request.only >= summary.folds)
    throw config_error(text("fold ", request.only, ": there are ", summary.folds, " folds, from 0 on"));
  for (index k = 0; k < summary.folds && !summary.stopped; ++k) {
    if (request.only >= 0 && k != request.only) continue;
    const auto& fold = folds[static_cast<std::size_t>(k)];
    if (app_detail::fold_finished(fold, names)) continue;
    watch.tell(text("fold ", k, " of ", summary.folds));
    if (!std::filesystem::exists(fold.model()))
      summary.stopped = !train(fold.what, fold.folder, true, names, watch).result.finished;
    if (!summary.stopped) summary.stopped = !app_detail::segment_fold(fold, request, names, watch);
  }
  for (const auto& fold : folds) summary.finished += app_detail::fold_finished(fold, names);
  if (summary.finished == summary.folds) app_detail::score_folds(folds, request, names, summary);
  return summary;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
