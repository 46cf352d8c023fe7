// SPDX-License-Identifier: Apache-2.0
/// @file
/// What `rank` has found so far, in a file beside its list.
#ifndef COMODAL_APP_RANK_PROGRESS_HPP
#define COMODAL_APP_RANK_PROGRESS_HPP

#include <comodal/core/readable_name.hpp>
#include <comodal/data/cohort.hpp>
#include <comodal/data/file_stamp.hpp>
#include <comodal/data/json.hpp>
#include <comodal/metric/uncertainty.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// The uncertainties of the cases that are done, by readable name and by size and time of their files. What was found
/// with another model or other settings counts as nothing.
class rank_progress {
 public:
  /// @param list the file that it stands beside; empty: nothing is kept
  /// @param models SHA-256 of the model files, by their names
  /// @param settings everything beside the models that a score depends on
  rank_progress(const std::filesystem::path& list, const std::map<std::string, std::string>& models,
                const std::string& settings) {
    if (list.empty()) return;
    m_file = list.string() + ".progress";
    std::string key = COMODAL_VERSION;
    for (const auto& [file, sum] : models) key += " " + sum;
    key += " " + readable_name(settings);
    m_content = {{"key", key}, {"cases", nlohmann::json::object()}};
    if (!std::filesystem::is_regular_file(m_file)) return;
    const auto earlier = nlohmann::json::parse(read_file(m_file), nullptr, false);
    if (earlier.is_object() && earlier.value("key", nlohmann::json()) == key && earlier.contains("cases") &&
        earlier["cases"].is_object())
      m_content["cases"] = earlier["cases"];
  }

  /// The uncertainty of a case that was done with the files as they are now.
  [[nodiscard]] std::optional<case_uncertainty> find(const case_files& files) const {
    if (m_file.empty()) return std::nullopt;
    const auto found = m_content["cases"].find(readable_name(files.id));
    if (found == m_content["cases"].end()) return std::nullopt;
    try {
      if (json_value<std::string>(*found, "files", "case") != stamp_of(files)) return std::nullopt;
      case_uncertainty out;
      out.voxels = json_value<index>(*found, "judged", "case");
      out.predicted = json_value<index>(*found, "predicted", "case");
      if (out.voxels > 0) out.mean = json_value<double>(*found, "mean", "case");
      return out;
    } catch (const io_error&) {
      return std::nullopt;  // damaged: the case is done anew
    }
  }
  /// Keeps the uncertainty of a case. @throws io_error if the file cannot be written
  void add(const case_files& files, const case_uncertainty& one) {
    if (m_file.empty()) return;
    m_content["cases"][readable_name(files.id)] = {
        {"files", stamp_of(files)}, {"mean", one.mean}, {"judged", one.voxels}, {"predicted", one.predicted}};
    write_text(m_file, m_content.dump() + "\n");
  }
  /// The list is written.
  void remove() const {
    if (!m_file.empty()) std::filesystem::remove(m_file);
  }

 private:
  std::filesystem::path m_file;
  nlohmann::json m_content;
};

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
