// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a report says of itself and of runs: dates, versions, machines, settings.
#ifndef COMODAL_APP_REPORT_FACTS_HPP
#define COMODAL_APP_REPORT_FACTS_HPP

#include <comodal/app/mask_folder.hpp>
#include <comodal/report/html.hpp>

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cmath>
#include <ctime>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// The head of a report that is made now, here.
[[nodiscard]] inline report_head head_of_report() {
  report_head head;
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  char words[64] = "";
  if (::gmtime_r(&now, &parts)) head.date = {words, std::strftime(words, sizeof words, "%Y-%m-%d %H:%M UTC", &parts)};
  char host[256] = "";
  if (::gethostname(host, sizeof host - 1) == 0) head.host = host;
  return head;
}

/// "1 h 5 min", "2 min 3 s", "4.5 s".
[[nodiscard]] inline std::string duration_words(double seconds) {
  const auto whole = static_cast<index>(std::llround(seconds));
  if (seconds < 60) return detail::fixed(seconds, 1) + " s";
  return whole < 3600 ? text(whole / 60, " min ", whole % 60, " s")
                      : text(whole / 3600, " h ", whole % 3600 / 60, " min");
}

/// What `predict` says of how masks were made, as far as it says it: the object "provenance" of predictions.json.
[[nodiscard]] inline std::vector<std::pair<std::string, std::string>> facts_of(const mask_folder& masks) {
  std::vector<std::pair<std::string, std::string>> facts{{"masks", readable_name(masks.folder.string())}};
  if (!masks.by_predict) {
    facts.emplace_back("classes from", readable_name(masks.dataset.string()));
    return facts;
  }
  facts.emplace_back("model", masks.about.model);
  facts.emplace_back("modalities", joined(masks.about.modalities));
  const auto j = read_json(masks.folder / "predictions.json");
  const auto& from = j.contains("provenance") ? j["provenance"] : nlohmann::ordered_json::object();
  const auto words = [&from](const char* key) {
    return from.is_object() && from.contains(key) && from[key].is_string() ? from[key].get<std::string>()
                                                                           : std::string();
  };
  const std::string version = words("version"), commit = words("commit");
  facts.emplace_back("masks made", words("date"));
  if (!version.empty()) facts.emplace_back("with", "comodal " + version + (commit.empty() ? "" : ", commit " + commit));
  facts.emplace_back("host", words("host"));
  facts.emplace_back("command", words("command"));
  if (from.is_object() && from.contains("seconds") && from["seconds"].is_number())
    facts.emplace_back("took", duration_words(from["seconds"].get<double>()));
  if (!masks.about.failed.empty()) {
    std::vector<std::string> failed;
    for (const auto& [id, reason] : masks.about.failed) failed.push_back(id);
    facts.emplace_back("failed", some_of(failed));
  }
  return facts;
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
