// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `check`: every fault of a data set.
#ifndef COMODAL_APP_CHECK_HPP
#define COMODAL_APP_CHECK_HPP

#include <comodal/app/fold_file.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/data/check.hpp>
#include <comodal/data/reader_registry.hpp>
#include <comodal/data/split.hpp>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

// The file of folds of a data set; it need not exist.
[[nodiscard]] inline std::filesystem::path folds_of(const std::filesystem::path& data) {
  return (std::filesystem::is_directory(data) ? data : data.parent_path()) / "splits_final.json";
}
// @throws config_error, io_error for a file that is none of folds
[[nodiscard]] inline index count_folds(const std::filesystem::path& file) {
  (void)read_fold(file, 0);
  return static_cast<index>(read_json(file).size());
}

}  // namespace app_detail

namespace app {

/// What a data set is, before anything is judged: its layout, cases, modalities and classes, a line each. Opens no
/// image. @throws config_error, io_error as the reader
[[nodiscard]] inline std::vector<std::string> describe_data(const std::filesystem::path& folder,
                                                            const reader_registry& readers,
                                                            const layout_options& layout = {}) {
  const cohort_listing listing = readers.list(folder, "folder", layout);
  const auto with_label = std::count_if(listing.training.begin(), listing.training.end(),
                                        [](const listed_case& one) { return !one.label.empty(); });
  std::vector<std::string> lines;
  lines.push_back(text(folder.string(), ": ",
                       layout.images.empty() ? readers.layout_of(folder, "folder") : std::string("case-folders"), ", ",
                       counted(listing.training.size(), "training case"), ", ", with_label, " of them labelled, ",
                       counted(listing.test.size(), "test case")));
  std::string modalities, classes;
  for (std::size_t m = 0; m < listing.modalities.size(); ++m) {
    std::size_t cases = 0;
    for (const auto& one : listing.training) cases += one.files.present(m);
    for (const auto& one : listing.test) cases += one.present(m);
    modalities += text(m == 0 ? "" : ", ", listing.modalities[m], " (", cases, ")");
  }
  lines.push_back(text("modalities, and cases that have them: ", modalities));
  for (const label_class& c : listing.labels) {
    classes += text(classes.empty() ? "" : ", ", c.name);
    for (const int& value : c.values) classes += text(&value == &c.values[0] ? " " : "+", value);
  }
  if (listing.ignored) classes += text(", ignored ", *listing.ignored);
  lines.push_back(text("classes: ", classes.empty() ? "not declared (data.classes)" : classes));
  if (const auto folds = app_detail::folds_of(folder); std::filesystem::exists(folds)) try {
      lines.push_back(text(counted(app_detail::count_folds(folds), "fold"), " in ", folds.filename().string()));
    } catch (const error&) {  // the findings say why
    }
  return lines;
}

/// Reads every file of a data set. @return everything that is wrong with it (errors) or worth a look (warnings)
/// @param resample_to the modality whose grid the others are resampled to; empty: they must share one
/// @param layout what the data set does not say itself
/// @throws config_error if no reader recognises the folder, or it has no such modality
[[nodiscard]] inline std::vector<finding> check_data(const std::filesystem::path& folder,
                                                     const reader_registry& readers = reader_registry::built_in(),
                                                     const std::string& resample_to = "",
                                                     const layout_options& layout = {}) {
  if (layout.images.empty()) (void)readers.layout_of(folder, "folder");
  cohort data;
  try {
    data = apply_split(readers.list(folder, "folder", layout));
  } catch (const std::exception& failure) {
    return findings_of(folder, failure);
  }
  auto found = check_cohort(data, number_of_modality(data.modalities, resample_to, "--resample-to"));
  if (const auto folds = app_detail::folds_of(folder); std::filesystem::exists(folds)) {
    std::vector<std::string> whole;
    for (const labelled_case& one : data.labelled) whole.push_back(one.files.id);
    try {
      app_detail::check_folds(folds, app_detail::count_folds(folds), whole);
    } catch (const error& failure) {  // who does not ask for folds can train all the same
      found.push_back(finding_of(folds, failure));
      found.back().severity = finding::level::warning;
      found.back().reason += "; crossval refuses such folds";
    }
  }
  return found;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
