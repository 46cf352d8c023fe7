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
#include <comodal/data/file_stamp.hpp>
#include <comodal/metric/summary_json.hpp>
#include <comodal/metric/tables.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `crossval` is asked for.
struct crossval_request {
  experiment what;                       // of every fold; its data.labelled are the cases that are divided
  std::filesystem::path folder;          // of the folds: fold_0, fold_1 ...
  std::optional<index> folds = {};       // to draw; unset: as many as there are, or 5
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

// Refuses a folder of something else. @throws config_error
inline void refuse_foreign_folds(const std::filesystem::path& folder) {
  std::error_code none;
  const auto foreign = [](const std::filesystem::path& one) {
    const std::string name = one.filename().string();
    return !name.starts_with("splits.json") && !name.starts_with("cases.json");
  };
  if (std::filesystem::is_directory(folder, none))
    if (const auto there = visible_entries(folder);  // another process may begin the same folds now
        std::any_of(there.begin(), there.end(), foreign) && !std::filesystem::exists(folder / "splits.json"))
      throw config_error(text(folder.string(), ": holds something else than folds of `crossval`; name a new folder"));
  expect_writable(folder);
}

// Keeps what the cases of the first call were, and refuses others: models and masks of both would be mixed.
// @throws config_error that names the first case that is new, gone or changed
inline void keep_cases(const std::filesystem::path& folder, const cohort& data) {
  std::map<std::string, std::string> now;
  for (const labelled_case& one : data.labelled)
    now[readable_name(one.files.id)] = stamp_of(one.files) + "; label " + stamp_of(one.label);
  for (const unlabelled_case& one : data.unlabelled) now.emplace(readable_name(one.files.id), stamp_of(one.files));
  const auto file = folder / "cases.json";
  if (!std::filesystem::exists(file)) return write_text(file, nlohmann::ordered_json(now).dump(1) + "\n");
  const auto there = read_json(file);
  const auto refuse = [&](const std::string& id, const char* how) {
    throw config_error(text(folder.string(), ": case ", id, " ", how,
                            " since these folds were begun; name a new folder, or bring the data back"));
  };
  for (const auto& [id, stamp] : now) {
    if (!there.contains(id)) refuse(id, "has come");
    if (there[id] != stamp) refuse(id, "has changed its images or its label");
  }
  for (const auto& one : there.items())
    if (!now.contains(one.key())) refuse(one.key(), "has gone");
}

// The folds of a request; their file is made unless it is there. Those that were begun with other settings are refused.
template <tensor_backend Backend>
std::vector<fold_run> folds_of(const app::crossval_request& request, const registry<Backend>& names,
                               const app::observer& watch) {
  app::experiment e = request.what;
  e.take_default_options(names);
  e.check(names);
  if (e.fold >= 0)
    throw config_error("data.fold: crossval trains all folds; leave it out, and name one fold by --fold");
  if (!e.validation.empty())
    throw config_error("data.validation: crossval divides the labelled cases itself; leave it out");
  const cohort data = e.read_cohort(names);
  refuse_errors(data.findings);
  expect_classes(data);
  refuse_foreign_folds(request.folder);
  const auto file = std::filesystem::absolute(request.folder / "splits.json").lexically_normal();
  const index count = fold_file(file, e, data, request.folds, request.only, watch);
  keep_cases(request.folder, data);
  std::vector<fold_run> folds;
  for (index k = 0; k < count; ++k) {
    fold_run one{request.folder / text("fold_", k), e};
    if (!e.exclude.empty() && !e.splits.empty()) one.what.exclude = split_ids(base_of(e) / e.splits, e.exclude);
    one.what.labelled.clear();
    one.what.splits = file.string();
    one.what.fold = k;
    if (const auto begun = one.folder / "experiment.toml"; std::filesystem::exists(begun))
      refuse_other_settings(one.what.keys(), begun, one.what.train.memory <= 0, names);
    folds.push_back(std::move(one));
  }
  return folds;
}

// How the cases that a fold has kept apart are segmented.
inline app::predict_request segmentation_of(const fold_run& fold, const app::crossval_request& request) {
  app::predict_request wanted{.model = fold.model(), .images = {}, .folder = fold.masks()};
  wanted.raw = true;
  wanted.step = request.step;
  wanted.mirror = request.mirror;
  wanted.threads = fold.what.threads;
  return wanted;
}

// True if a fold is trained, and all its cases are segmented as the request says.
template <tensor_backend Backend>
bool fold_finished(const fold_run& fold, const app::crossval_request& request, const registry<Backend>& names) {
  if (!std::filesystem::exists(fold.model()) || !std::filesystem::exists(fold.masks() / "predictions.json"))
    return false;
  const auto sum = weights_checksum(read_model_file(fold.model()));
  const auto found = read_predictions(fold.masks());
  if (found.recipe != recipe_of(segmentation_of(fold, request), {sum}, {})) return false;
  const auto done = predicted_masks(fold.masks(), found, "fused");
  for (const labelled_case& one : fold.what.read_cohort(names).validation)
    if (const auto images = found.images.find(readable_name(one.files.id));
        !done.contains(one.files.id) || images == found.images.end() || images->second != stamp_of(one.files))
      return false;
  return true;
}

// Segments the cases that a fold has kept apart; those that are finished stay. @return false if it was stopped
// @throws io_error with a line for each case that cannot be segmented
template <tensor_backend Backend>
bool segment_fold(const fold_run& fold, const app::crossval_request& request, const registry<Backend>& names,
                  const app::observer& watch) {
  auto wanted = segmentation_of(fold, request);
  const host_threads_scope threads(wanted.threads);
  app::segmenter<Backend> segment(fold.model(), "", names);
  wanted.keep = std::filesystem::exists(fold.masks() / "predictions.json") &&
                read_predictions(fold.masks()).recipe == recipe_of(wanted, segment.checksums(), {});
  images_of_cases images;
  for (const labelled_case& one : fold.what.read_cohort(names).validation) images.cases.push_back(one.files);
  const auto summary = predict_images(wanted, segment, images, watch);
  std::string lines;
  for (const auto& one : summary.failures) lines += (lines.empty() ? "" : "\n") + one;
  if (!lines.empty()) throw io_error(lines);
  return summary.finished;
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
    expect_same_grid(one, masks[i], cases[i].label_name());
    return one;
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    scored_pair one = pair(i);
    leave_out(one.prediction, one.reference, ignored);
    for (auto& score : score_case(one.prediction, one.reference, classes, cases[i].files.id))
      summary.scores.push_back(std::move(score));
  }
  summary.chosen = choose_postprocessing(cases.size(), pair, classes, region_order, {}, ignored);
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

/// Divides the labelled cases into folds (`fold_file`), trains each fold on the others' cases and all unlabelled ones,
/// and segments the cases that it kept apart. When all folds are finished: `scores.csv` and `summary.json` of all cases
/// in the folder, and the post-processing that they speak for in every model. `predict` with the folder averages the
/// models. What is finished is not done again; a fold goes on from its checkpoint. Processes may share the work by
/// `only`.
/// @throws as `train` and `predict`; config_error for fewer labelled cases than folds
template <tensor_backend Backend>
[[nodiscard]] crossval_summary crossval(const crossval_request& request,
                                        const registry<Backend>& names = registry<Backend>::built_in(),
                                        const observer& watch = {}) {
  expect_runtime();
  const auto folds = app_detail::folds_of(request, names, watch);
  crossval_summary summary;
  summary.folds = static_cast<index>(folds.size());
  std::string lines;  // of cases that cannot be segmented: the other folds go on
  for (index k = 0; k < summary.folds && !summary.stopped; ++k) {
    if (request.only >= 0 && k != request.only) continue;
    const auto& fold = folds[static_cast<std::size_t>(k)];
    if (app_detail::fold_finished(fold, request, names)) continue;
    watch.tell(text("fold ", k, " of ", summary.folds));
    if (!std::filesystem::exists(fold.model()))
      summary.stopped = !train(fold.what, fold.folder, true, names, watch).result.finished;
    try {
      if (!summary.stopped) summary.stopped = !app_detail::segment_fold(fold, request, names, watch);
    } catch (const disk_error&) {
      throw;
    } catch (const io_error& failure) {
      lines += (lines.empty() ? "" : "\n") + std::string(failure.what());
    }
  }
  if (!lines.empty()) throw io_error(lines);
  for (const auto& fold : folds) summary.finished += app_detail::fold_finished(fold, request, names);
  std::error_code none;  // tables of other masks are not those of these
  for (const char* name : {"scores.csv", "summary.json"}) std::filesystem::remove(request.folder / name, none);
  if (summary.stopped || summary.finished < summary.folds) return summary;
  watch.tell("scoring the cases of all folds");
  app_detail::score_folds(folds, request, names, summary);
  return summary;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
