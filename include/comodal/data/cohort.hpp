// SPDX-License-Identifier: Apache-2.0
/// @file
/// A cohort: which files belong to which case, which cases may be used with their label, and what the labels mean.
#ifndef COMODAL_DATA_COHORT_HPP
#define COMODAL_DATA_COHORT_HPP

#include <comodal/data/finding.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The images of a case.
struct case_files {
  std::string id;
  std::vector<std::filesystem::path> images;  // one a modality; an empty path is an absent modality

  [[nodiscard]] bool present(std::size_t modality) const { return !images[modality].empty(); }
};

/// A case whose label may be read.
struct labelled_case {
  case_files files;
  std::filesystem::path label;
};

/// A case without a label, or one whose label must not be used: the type has no way to it.
struct unlabelled_case {
  case_files files;
};

/// A class of the label maps: one value; or a region, the union of several values.
struct label_class {
  std::string name;
  std::vector<int> values;

  friend bool operator==(const label_class&, const label_class&) = default;
};

/// The cases of a study, sorted by id within each list, and the reader's findings about the folder itself.
struct cohort {
  std::string source;                   // the folder or list that it was read from
  std::vector<std::string> modalities;  // names, in the order of case_files::images
  std::vector<label_class> labels;      // background first
  std::vector<int> region_order;        // with regions: the label value that each region is written as
  std::vector<labelled_case> labelled;
  std::vector<labelled_case> validation;
  std::vector<unlabelled_case> unlabelled;
  std::vector<unlabelled_case> test;
  std::vector<finding> findings;

  /// True if a class stands for more than one label value.
  [[nodiscard]] bool has_regions() const {
    return std::any_of(labels.begin(), labels.end(), [](const label_class& c) { return c.values.size() > 1; });
  }
};

/// Every value that occurs in the classes, sorted.
[[nodiscard]] inline std::vector<int> declared_values(const std::vector<label_class>& classes) {
  std::vector<int> values;
  for (const label_class& c : classes) values.insert(values.end(), c.values.begin(), c.values.end());
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
