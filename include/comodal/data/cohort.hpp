// SPDX-License-Identifier: Apache-2.0
/// @file
/// A cohort: which files belong to which case, which cases may be used with their label, and what the labels mean.
#ifndef COMODAL_DATA_COHORT_HPP
#define COMODAL_DATA_COHORT_HPP

#include <comodal/core/readable_name.hpp>
#include <comodal/data/finding.hpp>
#include <comodal/data/image_source.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The images of a case.
struct case_files {
  std::string id;
  std::vector<image_source> images;  // one per modality; an empty source is an absent modality

  [[nodiscard]] bool present(std::size_t modality) const { return !images[modality].empty(); }
  /// How messages name an image: its file, or "case ID, modality 2 in memory".
  [[nodiscard]] std::string name(std::size_t modality) const {
    return images[modality].name(text("case ", id, ", modality ", modality, " in memory"));
  }
};

/// The number of a modality; -1 for an empty name. @param key of the option that names it
/// @throws config_error for a name that is none of them
[[nodiscard]] inline index number_of_modality(const std::vector<std::string>& modalities, const std::string& name,
                                              const std::string& key) {
  if (name.empty()) return -1;
  std::string all;
  for (std::size_t m = 0; m < modalities.size(); ++m) {
    if (modalities[m] == name) return static_cast<index>(m);
    all += (all.empty() ? "" : ", ") + modalities[m];
  }
  throw config_error(text(key, " = \"", name, "\": the data set has no such modality, but ", all));
}

/// A case whose label may be read.
struct labelled_case {
  case_files files;
  image_source label;
  std::vector<bool> annotated{};  // by class of the cohort, background first; empty: all are

  [[nodiscard]] bool fully_annotated() const { return annotated.empty(); }

  /// How messages name the label.
  [[nodiscard]] std::string label_name() const { return label.name(text("case ", files.id, ", label in memory")); }
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

/// A case as a reader lists it. Only a split (`apply_split`) decides who may see its label.
struct listed_case {
  case_files files;
  image_source label;  // empty if there is none
};

/// What a reader of a layout finds: all cases of a study, sorted by id within each list, what the labels mean, and
/// findings about the folder itself.
struct cohort_listing {
  std::string source;                   // the folder or list that it was read from
  std::vector<std::string> modalities;  // names, in the order of case_files::images
  std::vector<label_class> labels;      // background first
  std::vector<int> region_order;        // with regions: the label value that each region is written as
  std::optional<int> ignored;           // the label value of voxels that nobody looked at
  std::vector<listed_case> training;
  std::vector<case_files> test;  // cases that the layout keeps apart
  std::vector<finding> findings;

  /// True if a class stands for more than one label value.
  [[nodiscard]] bool has_regions() const {
    return std::any_of(labels.begin(), labels.end(), [](const label_class& c) { return c.values.size() > 1; });
  }
};

/// The cases of a study as a split uses them, sorted by id within each list, and the reader's findings. A case of which
/// not all classes are annotated is listed twice: as a labelled case, and, without its label, as an unlabelled one.
struct cohort {
  std::string source;                   // the folder or list that it was read from
  std::vector<std::string> modalities;  // names, in the order of case_files::images
  std::vector<label_class> labels;      // background first
  std::vector<int> region_order;        // with regions: the label value that each region is written as
  std::optional<int> ignored;           // the label value of voxels that nobody looked at
  std::vector<labelled_case> labelled;
  std::vector<labelled_case> validation;
  std::vector<unlabelled_case> unlabelled;
  std::vector<unlabelled_case> test;
  std::vector<finding> findings;

  /// True if not all classes are annotated in some labelled case.
  [[nodiscard]] bool has_partial_labels() const {
    return std::any_of(labelled.begin(), labelled.end(), [](const labelled_case& c) { return !c.fully_annotated(); });
  }
  /// True if that case is labelled, and not all classes are annotated in it.
  [[nodiscard]] bool partially_annotated(const std::string& id) const {
    return std::any_of(labelled.begin(), labelled.end(),
                       [&](const labelled_case& c) { return !c.fully_annotated() && c.files.id == id; });
  }
  /// True if a class stands for more than one label value.
  [[nodiscard]] bool has_regions() const {
    return std::any_of(labels.begin(), labels.end(), [](const label_class& c) { return c.values.size() > 1; });
  }
};

/// Checks the name of a modality or a class: files and folders are called after it. @param what "modality", "class"
/// @throws config_error if it is empty, longer than 100 bytes, or no text of one line
inline void check_name(std::string_view what, const std::string& name) {
  if (name.empty()) throw config_error(text("a ", what, " has an empty name; name it"));
  std::size_t kept = std::min<std::size_t>(name.size(), 100);
  while (kept < name.size() && kept > 0 && (static_cast<unsigned char>(name[kept]) & 0xC0) == 0x80) --kept;
  if (kept < name.size())
    throw config_error(
        text("the ", what, " '", readable_name(name.substr(0, kept)), "...': expected a name of at most 100 bytes"));
  if (const std::string shown = readable_name(name); shown != name)
    throw config_error(
        text("the ", what, " '", shown, "': expected letters, digits and signs on one line, without \\"));
}

/// Checks the id of a case: files are called after it. @param where of messages @throws io_error
inline void check_case_id(const std::string& id, const std::string& where) {
  if (id.empty() || id.size() > 200 || id[0] == '.' || id.find('/') != std::string::npos || readable_name(id) != id)
    throw io_error(text(where, ": '", readable_name(id.substr(0, 200)),
                        "' cannot be the id of a case: files are called after it; expected 1 to 200 letters, digits "
                        "and signs on one line, without / and \\, not beginning with a dot"));
}

/// Checks the names of modalities. @throws config_error as `check_name`, and for a name that stands there twice
inline void check_modalities(const std::vector<std::string>& names) {
  for (const auto& name : names) check_name("modality", name);
  for (std::size_t m = 0; m < names.size(); ++m)
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(m), names[m]) !=
        names.begin() + static_cast<std::ptrdiff_t>(m))
      throw config_error(text("modalities: '", names[m], "' stands there twice"));
}

/// Checks the label values of a class. @throws config_error if there is none, or one is not from 0 to 255
inline void check_label_values(const label_class& c) {
  if (c.values.empty()) throw config_error(text("class '", c.name, "' has no label values"));
  for (const int value : c.values)
    if (value < 0 || value > 255)
      throw config_error(text("class '", c.name, "' has the label value ", value, ", expected 0 to 255"));
}

/// Checks that a label map can be turned into the classes and back.
/// @param region_order empty for exclusive classes; else the label value that each region is written as
/// @throws config_error if there is no class beside the background, 0; for a value that is not from 0 to 255; for an
/// exclusive class without exactly one value, or one whose value another class has; for a region order of another
/// length, or with a value that no class has; as `check_name`, and for a name that two classes have
void check_labels(const std::vector<label_class>& classes, const std::vector<int>& region_order);
#if COMODAL_BODIES
COMODAL_ONCE void check_labels(const std::vector<label_class>& classes, const std::vector<int>& region_order) {
  std::set<std::string> names;
  for (const label_class& c : classes) {
    check_name("class", c.name);
    check_label_values(c);
    if (!names.insert(c.name).second) throw config_error(text("labels: two classes are called '", c.name, "'"));
  }
  if (classes.size() < 2 || classes[0].values != std::vector{0})
    throw config_error(text("labels: ", classes.size(), " classes, expected the background, 0, and at least one more"));
  if (!region_order.empty() && region_order.size() != classes.size() - 1)
    throw config_error(
        text("region order: ", region_order.size(), " label values for ", classes.size() - 1, " regions"));
  for (const int value : region_order)
    if (std::none_of(classes.begin(), classes.end(), [&](const label_class& c) {
          return std::find(c.values.begin(), c.values.end(), value) != c.values.end();
        }))
      throw config_error(text("region order: ", value, " is no declared label value"));
  std::array<bool, 256> taken{};
  for (const label_class& c : classes) {
    if (!region_order.empty()) break;
    if (c.values.size() != 1)
      throw config_error(text("label '", c.name, "' stands for ", c.values.size(), " values, expected one"));
    if (std::exchange(taken[static_cast<std::size_t>(c.values[0])], true))
      throw config_error(text("label '", c.name, "' is ", c.values[0], ", which another label is, too"));
  }
}
#endif

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
