// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a report says of itself and of runs: dates, versions, machines, settings.
#ifndef COMODAL_APP_REPORT_FACTS_HPP
#define COMODAL_APP_REPORT_FACTS_HPP

#include <comodal/app/mask_folder.hpp>
#include <comodal/app/provenance.hpp>
#include <comodal/report/html.hpp>

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// The head of a report that is made now, here.
[[nodiscard]] inline report_head head_of_report() {
  const auto now = app::provenance_now();
  return {now.version, now.commit, now.date, now.host, now.command};
}

/// "1 h 5 min", "2 min 3 s", "4.5 s".
[[nodiscard]] inline std::string duration_words(double seconds) {
  const auto whole = static_cast<index>(std::llround(seconds));
  if (seconds < 60) return detail::fixed(seconds, 1) + " s";
  return whole < 3600 ? text(whole / 60, " min ", whole % 60, " s")
                      : text(whole / 3600, " h ", whole % 3600 / 60, " min");
}

/// What `predict` says of how masks were made.
[[nodiscard]] inline std::vector<std::pair<std::string, std::string>> facts_of(const mask_folder& masks) {
  std::vector<std::pair<std::string, std::string>> facts{{"masks", readable_name(masks.folder.string())}};
  if (!masks.by_predict) {
    facts.emplace_back("classes from", readable_name(masks.dataset.string()));
    return facts;
  }
  facts.emplace_back("model", masks.about.model);
  for (const auto& [file, sum] : masks.about.models) facts.emplace_back("SHA-256 of " + file, sum);
  facts.emplace_back("modalities", joined(masks.about.modalities));
  if (!masks.about.calls.empty()) {
    const app::provenance& last = masks.about.calls.back();
    facts.emplace_back("masks made", last.date);
    facts.emplace_back("with", text("comodal ", last.version, last.commit.empty() ? "" : ", commit " + last.commit));
    facts.emplace_back("host", last.host);
    facts.emplace_back("command", last.command);
  }
  if (!masks.about.failed.empty()) {
    std::vector<std::string> failed;
    for (const auto& [id, reason] : masks.about.failed) failed.push_back(id);
    facts.emplace_back("failed", some_of(failed));
  }
  return facts;
}

/// What the folder of a run says of its training, over all calls; nothing for somebody's folder of masks.
[[nodiscard]] inline std::vector<std::pair<std::string, std::string>> facts_of_run(const std::filesystem::path& run) {
  const auto calls = run_record::calls_in(run);
  const auto training = run_record::last_training(calls);
  if (training.is_null()) return {};
  const app::provenance last = provenance_from(training);
  double seconds = 0;
  bool all = true;  // a call that was killed says no seconds
  for (const auto& call : calls)
    if (call.is_object() && call.contains("changed"))
      continue;  // no training
    else if (call.is_object() && call.contains("seconds") && call["seconds"].is_number())
      seconds += call["seconds"].get<double>();
    else
      all = false;
  return {{"trained", last.date},
          {"with", text("comodal ", last.version, last.commit.empty() ? "" : ", commit " + last.commit)},
          {"host", last.host},
          {"command", last.command},
          {"took", text(all ? "" : "at least ", duration_words(seconds))}};
}

/// The settings of a run as they stand in its folder; empty without.
[[nodiscard]] inline std::string settings_of(const std::filesystem::path& run) {
  if (!std::filesystem::exists(run / "experiment.toml")) return {};
  const auto bytes = read_file(run / "experiment.toml");
  return {bytes.begin(), bytes.end()};
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
