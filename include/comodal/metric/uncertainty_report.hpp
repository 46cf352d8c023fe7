// SPDX-License-Identifier: Apache-2.0
/// @file
/// Uncertainty maps of a cohort against its labels: numbers by case and of all voxels, as tables and as JSON.
#ifndef COMODAL_METRIC_UNCERTAINTY_REPORT_HPP
#define COMODAL_METRIC_UNCERTAINTY_REPORT_HPP

#include <comodal/metric/statistics.hpp>
#include <comodal/metric/tables.hpp>
#include <comodal/metric/uncertainty.hpp>

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// One case's uncertainty against its label.
struct uncertainty_score {
  std::string case_id;
  case_uncertainty uncertainty;
  double error = 0;           // 1 - Dice, the mean over classes or regions
  double error_rate = 0;      // of the judged voxels, wrong ones
  double auroc = 0;           // of voxel errors (`error_auroc`)
  double calibration = 0;     // expected calibration error of `reliability`
  index wrong_elsewhere = 0;  // wrong voxels that are not judged
  std::vector<reliability_bin> reliability;
};

/// Uncertainty of a cohort against its labels.
struct uncertainty_summary {
  std::vector<uncertainty_score> cases;
  std::vector<std::string> without_map;      // cases that have a mask and a label but no map
  index correlated = 0;                      // cases with judged voxels, of which `correlation` is
  double correlation = 0;                    // Spearman's, of a case's mean uncertainty and its 1 - Dice
  double auroc = 0, calibration = 0;         // of the judged voxels of all cases
  std::vector<reliability_bin> reliability;  // the same
};

/// The mean Dice over classes or regions, without the background; 1 for one that both lack. @throws as `count_overlap`
[[nodiscard]] inline double mean_dice(const volume_view& mask, const volume_view& truth,
                                      const std::vector<label_class>& classes) {
  std::vector<double> all;
  for (const label_class& c : classes)
    if (c.values != std::vector{0}) all.push_back(dice(count_overlap(mask, truth, c)));
  return describe(all).mean;
}

/// One case's numbers. @param pooled receives the voxels of the case @throws as `judge_uncertainty`
[[nodiscard]] inline uncertainty_score score_uncertainty(const volume_view& map, const volume_view& mask,
                                                         const volume_view& truth,
                                                         const std::vector<label_class>& classes,
                                                         const std::string& case_id, voxel_uncertainty& pooled,
                                                         const uncertainty_options& options = {}) {
  const voxel_uncertainty voxels = judge_uncertainty(map, mask, truth, classes, options);
  uncertainty_score out;
  out.case_id = case_id;
  out.uncertainty = mean_uncertainty(map, mask, options);
  out.error = 1 - mean_dice(mask, truth, classes);
  out.error_rate = voxels.error_rate();
  out.auroc = error_auroc(voxels);
  out.reliability = reliability_table(voxels, options.bins);
  out.calibration = calibration_error(out.reliability);
  out.wrong_elsewhere = voxels.wrong_elsewhere;
  pooled += voxels;
  return out;
}

/// The numbers of a cohort. @param pooled the voxels of all cases
[[nodiscard]] inline uncertainty_summary summarise_uncertainty(std::vector<uncertainty_score> cases,
                                                               const voxel_uncertainty& pooled,
                                                               const uncertainty_options& options = {}) {
  uncertainty_summary out;
  std::vector<double> uncertainties, errors;
  for (const uncertainty_score& one : cases) {
    if (one.uncertainty.voxels == 0) continue;
    uncertainties.push_back(one.uncertainty.mean);
    errors.push_back(one.error);
  }
  out.correlated = static_cast<index>(errors.size());
  out.correlation = spearman(uncertainties, errors);
  out.auroc = error_auroc(pooled);
  out.reliability = reliability_table(pooled, options.bins);
  out.calibration = calibration_error(out.reliability);
  out.cases = std::move(cases);
  return out;
}

/// One row per case with every number in full precision; names of cases are readable names.
[[nodiscard]] inline text_table uncertainty_table(const uncertainty_summary& summary) {
  text_table table{{"case", "uncertainty", "one_minus_dice", "error_rate", "auroc", "calibration_error",
                    "judged_voxels", "predicted_voxels", "wrong_elsewhere"},
                   {}};
  for (const uncertainty_score& one : summary.cases)
    table.rows.push_back({readable_name(one.case_id), detail::exact(one.uncertainty.mean), detail::exact(one.error),
                          detail::exact(one.error_rate), detail::exact(one.auroc), detail::exact(one.calibration),
                          std::to_string(one.uncertainty.voxels), std::to_string(one.uncertainty.predicted),
                          std::to_string(one.wrong_elsewhere)});
  return table;
}

/// A reliability table for people.
[[nodiscard]] inline text_table to_table(const std::vector<reliability_bin>& bins) {
  text_table table{{"uncertainty from", "to", "mean", "error rate", "voxels"}, {}};
  for (const reliability_bin& bin : bins)
    table.rows.push_back({detail::fixed(bin.from, 4), detail::fixed(bin.to, 4), detail::fixed(bin.uncertainty, 4),
                          detail::fixed(bin.error_rate, 4), std::to_string(bin.voxels)});
  return table;
}

/// What the numbers of a cohort are, in two lines.
[[nodiscard]] inline std::string describe_uncertainty(const uncertainty_summary& s,
                                                      const uncertainty_options& options = {}) {
  std::string left_out;
  if (!s.without_map.empty()) left_out += text(", ", s.without_map.size(), " without a map");
  if (const auto empty = static_cast<index>(s.cases.size()) - s.correlated; empty > 0)
    left_out += text(", ", empty, " without predicted foreground");
  return text("voxels of the predicted foreground and ", options.border, " voxels around it, ", s.cases.size(),
              " cases", left_out, ": AUROC of errors ", detail::fixed(s.auroc, 4), ", expected calibration error ",
              detail::fixed(s.calibration, 4), "\nmean uncertainty of a case and 1 - Dice, ", s.correlated,
              " cases: Spearman correlation ", detail::fixed(s.correlation, 4));
}

namespace metric_detail {

inline nlohmann::ordered_json to_json(const std::vector<reliability_bin>& bins) {
  auto list = nlohmann::ordered_json::array();
  for (const reliability_bin& bin : bins)
    list.push_back({{"from", bin.from},
                    {"to", bin.to},
                    {"voxels", bin.voxels},
                    {"uncertainty", bin.uncertainty},
                    {"error_rate", bin.error_rate}});
  return list;
}

}  // namespace metric_detail

/// All numbers of a cohort with their definition; what does not exist is null. Names of cases are readable names.
[[nodiscard]] inline std::string uncertainty_json(const uncertainty_summary& s,
                                                  const uncertainty_options& options = {}) {
  nlohmann::ordered_json whole{{"border", options.border},
                               {"bins", "of equal mass"},
                               {"spearman", s.correlation},
                               {"spearman_cases", s.correlated},
                               {"auroc", s.auroc},
                               {"calibration_error", s.calibration},
                               {"reliability", metric_detail::to_json(s.reliability)}};
  auto cases = nlohmann::ordered_json::array(), without = nlohmann::ordered_json::array();
  for (const uncertainty_score& one : s.cases)
    cases.push_back({{"case", readable_name(one.case_id)},
                     {"uncertainty", one.uncertainty.mean},
                     {"one_minus_dice", one.error},
                     {"error_rate", one.error_rate},
                     {"auroc", one.auroc},
                     {"calibration_error", one.calibration},
                     {"judged_voxels", one.uncertainty.voxels},
                     {"predicted_voxels", one.uncertainty.predicted},
                     {"wrong_elsewhere", one.wrong_elsewhere},
                     {"reliability", metric_detail::to_json(one.reliability)}});
  for (const std::string& id : s.without_map) without.push_back(readable_name(id));
  whole["cases"] = std::move(cases);
  whole["cases_without_map"] = std::move(without);
  return whole.dump(2) + "\n";
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
