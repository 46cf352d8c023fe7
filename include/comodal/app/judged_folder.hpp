// SPDX-License-Identifier: Apache-2.0
/// @file
/// What else can be said of a folder of masks: whether its uncertainty maps tell errors, and its lesions one by one.
#ifndef COMODAL_APP_JUDGED_FOLDER_HPP
#define COMODAL_APP_JUDGED_FOLDER_HPP

#include <comodal/app/mask_folder.hpp>
#include <comodal/metric/lesion_scores.hpp>
#include <comodal/metric/uncertainty_report.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

// @throws io_error for a folder without uncertainty maps
inline void expect_uncertainty(const std::filesystem::path& folder) {
  if (read_predictions(folder).uncertainty.empty())
    throw io_error(
        text(folder.string(),
             ": has no uncertainty map; run `predict` with --uncertainty (a case of one modality gets none)"));
}

// The uncertainty maps of a folder against the labels; every fused mask has one (see `score_folder`).
inline uncertainty_summary judge_folder(const std::filesystem::path& folder, const std::filesystem::path& labels,
                                        const uncertainty_options& options, const std::optional<int>& ignored,
                                        const std::set<std::string>* only = nullptr) {
  const predictions d = read_predictions(folder);
  const auto truth = masks_of(labels);
  std::vector<uncertainty_score> cases;
  std::vector<std::string> without;
  voxel_uncertainty pooled;
  for (const auto& [id, file] : predicted_masks(folder, d, "fused")) {
    if (!truth.contains(id) || (only != nullptr && !only->contains(id))) continue;
    if (std::find(d.uncertainty.begin(), d.uncertainty.end(), readable_name(id)) == d.uncertainty.end()) {
      without.push_back(id);
      continue;
    }
    const std::filesystem::path place = folder / uncertainty_folder / file.filename();
    try {
      label_volume found = read_mask(file, d.labels), reference = read_mask(truth.at(id), d.labels, ignored);
      leave_out(found, reference, ignored);
      cases.push_back(score_uncertainty(read_nifti(place), found, reference, d.labels, id, pooled, options));
    } catch (const config_error& failure) {
      throw io_error(text(place.string(), ": ", failure.what()));
    }
  }
  auto summary = summarise_uncertainty(std::move(cases), pooled, options);
  summary.without_map = std::move(without);
  return summary;
}

// The lesions of every output of a folder.
inline std::vector<lesion_score> score_lesions_of(const mask_folder& masks, const std::filesystem::path& labels,
                                                  const lesion_options& options,
                                                  const std::set<std::string>* only = nullptr) {
  std::vector<lesion_score> scores;
  const auto truth = masks_of(labels);
  const auto& d = masks.about;
  for (const std::string& output : d.outputs.empty() ? std::vector<std::string>{"fused"} : d.outputs)
    for (const auto& [id, file] : masks.masks(output)) {
      const auto at = truth.find(id);
      if (at == truth.end() || (only != nullptr && !only->contains(id))) continue;
      label_volume found = read_mask_of(masks, file), reference = read_mask(at->second, d.labels, masks.ignored);
      leave_out(found, reference, masks.ignored);
      for (std::size_t c = 1; c < d.labels.size(); ++c)
        scores.push_back(score_lesions(found, reference, d.labels[c], id, output, options));
    }
  return scores;
}

inline void write_uncertainty(const std::filesystem::path& folder, const uncertainty_summary& summary,
                              const uncertainty_options& options) {
  write_text(folder / "uncertainty.csv", to_csv(uncertainty_table(summary)));
  write_text(folder / "uncertainty.json", uncertainty_json(summary, options));
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
