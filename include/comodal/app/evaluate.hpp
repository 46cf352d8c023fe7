// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `evaluate`: folders of masks and true masks in, scores out.
#ifndef COMODAL_APP_EVALUATE_HPP
#define COMODAL_APP_EVALUATE_HPP

#include <comodal/app/observer.hpp>
#include <comodal/app/predictions.hpp>
#include <comodal/metric/summary_json.hpp>
#include <comodal/metric/tables.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `evaluate` is asked for.
struct evaluate_request {
  std::vector<std::filesystem::path> predictions;  // folders that `predict` wrote
  std::filesystem::path labels;                    // folder of the true masks
  score_options options = {};
};

/// What `evaluate` came to: the scores of each folder, in the order of the request, and the table of all.
struct evaluate_summary {
  std::vector<method_scores> methods;
  text_table table;
};

}  // namespace app

namespace app_detail {

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
  return scores;
}

// A short name for a folder of predictions: its own, or its parent's if it is called "predictions".
inline std::string name_of_predictions(const std::filesystem::path& folder) {
  const std::filesystem::path clean = (folder / "").parent_path();
  return clean.filename() == "predictions" ? clean.parent_path().filename().string() : clean.filename().string();
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

/// Scores folders of masks against labels, and writes `scores.csv` and `summary.json` into each.
/// @throws io_error for a folder that `predict` did not write, a case without a prediction or without a label, and a
/// mask with an undeclared label
[[nodiscard]] inline evaluate_summary evaluate(const evaluate_request& request, const observer& watch = {}) {
  if (request.predictions.empty()) throw config_error("evaluate: no folder of predictions, expected at least one");
  evaluate_summary summary;
  for (const auto& folder : request.predictions) {
    summary.methods.push_back(
        {app_detail::name_of_predictions(folder), app_detail::score_folder(folder, request.labels, request.options)});
    app_detail::write_scores(folder, summary.methods.back().scores, request.labels, request.options);
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
