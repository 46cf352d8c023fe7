// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `evaluate`: folders of masks and true masks in, scores out; and what their uncertainty maps are worth.
#ifndef COMODAL_APP_EVALUATE_HPP
#define COMODAL_APP_EVALUATE_HPP

#include <comodal/app/observer.hpp>
#include <comodal/app/predictions.hpp>
#include <comodal/metric/summary_json.hpp>
#include <comodal/metric/tables.hpp>
#include <comodal/metric/uncertainty_report.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `evaluate` is asked for.
struct evaluate_request {
  std::vector<std::filesystem::path> predictions;  // folders that `predict` wrote
  std::filesystem::path labels;                    // folder of the true masks
  score_options options = {};
  bool uncertainty = false;  // also judge the uncertainty maps that `predict` wrote
  uncertainty_options uncertainties = {};
};

/// What `evaluate` came to: the scores of each folder, in the order of the request, and the table of all.
struct evaluate_summary {
  std::vector<method_scores> methods;
  text_table table;
  std::vector<uncertainty_summary> uncertainty;  // one per folder, if asked for
};

}  // namespace app

namespace app_detail {

// The row of all modalities, where the fused output is also that of cases that lack some: its scores of the others.
inline void add_complete_cases(const predictions& d, std::vector<case_score>& scores) {
  std::map<std::string, std::set<std::string>> alone;  // the modalities that a case was segmented from, one by one
  std::set<std::string> all;
  for (const auto& s : scores) {
    all.insert(s.case_id);
    for (const auto& name : d.modalities)
      if (s.output == name_of_subset({name}, {0})) alone[s.case_id].insert(name);
  }
  const auto complete = [&](const std::string& id) { return alone[id].size() == d.modalities.size(); };
  if (std::all_of(all.begin(), all.end(), complete)) return;
  const std::string name =
      name_of_subset(d.modalities, modality_subsets(d.modalities.size(), d.modalities.size()).back());
  for (std::size_t i = 0, count = scores.size(); i < count; ++i) {
    if (scores[i].output != "fused" || !complete(scores[i].case_id)) continue;
    scores.push_back(scores[i]);
    scores.back().output = name;
  }
}

inline std::vector<case_score> score_folder(const std::filesystem::path& folder, const std::filesystem::path& labels,
                                            const score_options& options) {
  const predictions d = read_predictions(folder);
  const auto truth = masks_of(labels);
  std::vector<case_score> scores;
  for (const std::string& output : d.outputs) {
    const auto masks = predicted_masks(folder, d, output);
    if (output == "fused")
      for (const auto& [id, file] : truth)
        if (!masks.contains(id))
          throw io_error(text(folder.string(), ": has no prediction of case ", id, ", whose label is ", file.string()));
    for (const auto& [id, file] : masks) {
      const auto found = truth.find(id);
      if (found == truth.end()) throw io_error(text(file.string(), ": has no label in ", labels.string()));
      const auto one =
          score_case(read_mask(file, d.labels), read_mask(found->second, d.labels), d.labels, id, output, options);
      scores.insert(scores.end(), one.begin(), one.end());
    }
  }
  if (scores.empty()) throw io_error(text(folder.string(), ": there is nothing to score: `predict` finished no case"));
  if (d.subsets) add_complete_cases(d, scores);
  return scores;
}

// @throws io_error for a folder without uncertainty maps
inline void expect_uncertainty(const std::filesystem::path& folder) {
  if (read_predictions(folder).uncertainty.empty())
    throw io_error(
        text(folder.string(),
             ": has no uncertainty map; run `predict` with --uncertainty (a case of one modality gets none)"));
}

// The uncertainty maps of a folder against the labels; every fused mask has one (see `score_folder`).
inline uncertainty_summary judge_folder(const std::filesystem::path& folder, const std::filesystem::path& labels,
                                        const uncertainty_options& options) {
  const predictions d = read_predictions(folder);
  const auto truth = masks_of(labels);
  std::vector<uncertainty_score> cases;
  std::vector<std::string> without;
  voxel_uncertainty pooled;
  for (const auto& [id, file] : predicted_masks(folder, d, "fused")) {
    if (std::find(d.uncertainty.begin(), d.uncertainty.end(), readable_name(id)) == d.uncertainty.end()) {
      without.push_back(id);
      continue;
    }
    const std::filesystem::path place = folder / uncertainty_folder / file.filename();
    try {
      cases.push_back(score_uncertainty(read_nifti(place), read_mask(file, d.labels), read_mask(truth.at(id), d.labels),
                                        d.labels, id, pooled, options));
    } catch (const config_error& failure) {
      throw io_error(text(place.string(), ": ", failure.what()));
    }
  }
  auto summary = summarise_uncertainty(std::move(cases), pooled, options);
  summary.without_map = std::move(without);
  return summary;
}

inline void write_uncertainty(const std::filesystem::path& folder, const uncertainty_summary& summary,
                              const uncertainty_options& options) {
  write_text(folder / "uncertainty.csv", to_csv(uncertainty_table(summary)));
  write_text(folder / "uncertainty.json", uncertainty_json(summary, options));
}

// A short name for a folder of predictions: its own, or its parent's if it is called "predictions".
inline std::string name_of_predictions(const std::filesystem::path& folder) {
  const std::filesystem::path clean = (folder / "").parent_path();
  const auto named = clean.filename() == "predictions" ? clean.parent_path() : clean;
  return readable_name(named.filename().string());
}

inline void write_scores(const std::filesystem::path& folder, const std::vector<case_score>& scores,
                         const std::filesystem::path& labels, const score_options& options) {
  write_case_csv(folder / "scores.csv", scores, options);
  const std::string ending = volume_ending(labels);
  write_summary_json(folder / "summary.json", scores, "fused", options, [&](const std::string& id) {
    return scored_files{(folder / (id + ".nii.gz")).string(), (labels / (id + ending)).string()};
  });
}

}  // namespace app_detail

namespace app {

/// Scores folders of masks against labels, and writes `scores.csv` and `summary.json` into each; if uncertainty is
/// asked for, `uncertainty.csv` and `uncertainty.json`, too.
/// @throws io_error for a folder that `predict` did not write, or wrote without the uncertainty that is asked for; a
/// case without a prediction or without a label; a mask with an undeclared label
[[nodiscard]] inline evaluate_summary evaluate(const evaluate_request& request, const observer& watch = {}) {
  if (request.predictions.empty()) throw config_error("evaluate: no folder of predictions, expected at least one");
  evaluate_summary summary;
  for (const auto& folder : request.predictions)
    if (request.uncertainty) app_detail::expect_uncertainty(folder);
  for (const auto& folder : request.predictions) {
    summary.methods.push_back(
        {app_detail::name_of_predictions(folder), app_detail::score_folder(folder, request.labels, request.options)});
    app_detail::write_scores(folder, summary.methods.back().scores, request.labels, request.options);
    if (request.uncertainty) {
      summary.uncertainty.push_back(app_detail::judge_folder(folder, request.labels, request.uncertainties));
      app_detail::write_uncertainty(folder, summary.uncertainty.back(), request.uncertainties);
    }
    watch.show(
        {"folder", 0, static_cast<index>(summary.methods.size()), static_cast<index>(request.predictions.size())});
  }
  summary.table = summary.methods.size() == 1 ? summary_table(summary.methods[0].scores, request.options)
                                              : comparison_table(summary.methods, request.options);
  return summary;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
