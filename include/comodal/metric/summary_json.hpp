// SPDX-License-Identifier: Apache-2.0
/// @file
/// nnU-Net's summary.json with surface distances and the names of the conventions added.
#ifndef COMODAL_METRIC_SUMMARY_JSON_HPP
#define COMODAL_METRIC_SUMMARY_JSON_HPP

#include <comodal/core/readable_name.hpp>
#include <comodal/metric/tables.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The files of a case, for the records of summary.json.
struct scored_files {
  std::string prediction, reference;
};

namespace detail {

using ordered_json = nlohmann::ordered_json;

[[nodiscard]] inline ordered_json case_metrics(const case_score& s) {
  return {{"ASSD", s.assd},
          {"Dice", s.dice},
          {"FN", s.counts.fn},
          {"FP", s.counts.fp},
          {"HD95", s.hd95},
          {"IoU", s.iou},
          {"NSD", s.surface_dice},
          {"TN", s.counts.tn},
          {"TP", s.counts.tp},
          {"n_pred", s.counts.predicted()},
          {"n_ref", s.counts.reference()},
          {"presence", name_of(s.presence)}};
}

/// Means of the numbers of some metric records, key by key. @param skip_nan leaves out what is no number
[[nodiscard]] inline ordered_json mean_metrics(const std::vector<ordered_json>& records, bool skip_nan) {
  ordered_json mean = ordered_json::object();
  for (const auto& [key, first] : records.front().items()) {
    if (!first.is_number()) continue;
    double sum = 0, count = 0;
    for (const ordered_json& r : records) {
      const double value = r.at(key).get<double>();
      if (skip_nan && std::isnan(value)) continue;
      sum += value;
      ++count;
    }
    mean[key] = sum / count;
  }
  return mean;
}

// Python writes NaN, which no JSON number is; so does nnU-Net, and Python reads it.
inline constexpr const char* nan_mark = "\x01NaN\x01";

inline void mark_nan(ordered_json& value) {
  if (value.is_number_float() && std::isnan(value.get<double>())) value = nan_mark;
  if (value.is_structured())
    for (auto& one : value) mark_nan(one);
}
[[nodiscard]] inline std::string dump_with_nan(ordered_json whole) {
  mark_nan(whole);
  std::string words = whole.dump(4);
  const std::string mark = ordered_json(nan_mark).dump();
  for (std::size_t at = 0; (at = words.find(mark, at)) != std::string::npos;) words.replace(at, mark.size(), "NaN");
  return words;
}

}  // namespace detail

/// One output's scores in the layout of nnU-Net's `summary.json`: `foreground_mean` (mean over classes), `mean` by
/// label value or region, `metric_per_case` (metrics Dice, IoU, TP, FP, FN, TN, n_pred, n_ref by label; files), and
/// beside them HD95, ASSD, NSD and an object `comodal` with conventions, unit and counts of empty masks. Where nnU-Net
/// writes NaN (both masks empty), this has the policy's value, which may be NaN, too, and `presence` says so. Files
/// stand there as readable names.
/// @param files the files of a case by its id; without it, the case's id stands for both
/// @throws config_error if there are no scores of that output
[[nodiscard]] std::string summary_json(const std::vector<case_score>& scores, const std::string& output = "fused",
                                       const score_options& options = {},
                                       const std::function<scored_files(const std::string& case_id)>& files = {});
#if COMODAL_BODIES
COMODAL_ONCE std::string summary_json(const std::vector<case_score>& scores, const std::string& output,
                                      const score_options& options,
                                      const std::function<scored_files(const std::string& case_id)>& files) {
  using detail::ordered_json;
  std::vector<case_score> chosen;
  for (const case_score& s : scores)
    if (s.output == output) chosen.push_back(s);
  if (chosen.empty()) throw config_error(text("summary.json: there are no scores of the output '", output, "'"));

  ordered_json per_case = ordered_json::array(), mean = ordered_json::object(), counts = ordered_json::object();
  std::vector<std::string> ids;
  for (const case_score& s : chosen) {
    const auto known = std::find(ids.begin(), ids.end(), s.case_id);
    const auto place = static_cast<std::size_t>(known - ids.begin());
    if (known == ids.end()) {
      ids.push_back(s.case_id);
      const scored_files f = files ? files(s.case_id) : scored_files{s.case_id, s.case_id};
      per_case.push_back({{"metrics", ordered_json::object()},
                          {"prediction_file", readable_name(f.prediction)},
                          {"reference_file", readable_name(f.reference)}});
    }
    per_case[place]["metrics"][label_key(s.region)] = detail::case_metrics(s);
  }
  std::vector<ordered_json> means;
  for (const score_summary& s : summarise(chosen)) {
    std::vector<ordered_json> records;
    for (const case_score& c : chosen)
      if (c.region.name == s.region.name) records.push_back(detail::case_metrics(c));
    mean[label_key(s.region)] = detail::mean_metrics(records, true);
    means.push_back(mean[label_key(s.region)]);
    counts[label_key(s.region)] = {{"name", s.region.name},
                                   {"cases", s.cases},
                                   {"n_both_empty", s.n_both_empty},
                                   {"n_missed", s.n_missed},
                                   {"n_false_alarm", s.n_false_alarm}};
  }
  ordered_json whole;
  whole["foreground_mean"] = detail::mean_metrics(means, false);
  whole["mean"] = std::move(mean);
  whole["metric_per_case"] = std::move(per_case);
  whole["comodal"] = {{"output", output},
                      {"hd95_convention", name_of(options.hd95)},
                      {"assd_convention", name_of(options.assd)},
                      {"unit", name_of(options.unit)},
                      {"nsd_tolerance", options.tolerance},
                      {"conventions", describe_conventions(options)},
                      {"counts", std::move(counts)}};
  return detail::dump_with_nan(std::move(whole)) + "\n";
}
#endif

/// Writes `summary_json`. @throws io_error if it cannot be written, and what `summary_json` throws
inline void write_summary_json(const std::filesystem::path& path, const std::vector<case_score>& scores,
                               const std::string& output = "fused", const score_options& options = {},
                               const std::function<scored_files(const std::string& case_id)>& files = {}) {
  write_text(path, summary_json(scores, output, options, files));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
