// SPDX-License-Identifier: Apache-2.0
/// @file
/// Splits: which of the cases that a reader lists are used how. Whoever takes a cohort sees no label that the split
/// does not give away.
#ifndef COMODAL_DATA_SPLIT_HPP
#define COMODAL_DATA_SPLIT_HPP

#include <comodal/core/nearest_name.hpp>
#include <comodal/data/cohort.hpp>
#include <comodal/data/json.hpp>
#include <comodal/data/partial_labels.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Which of the listed training cases are used how. A case of another list or of none keeps no way to its label.
struct cohort_split {
  std::optional<std::vector<std::string>>
      labelled{};                         // ids whose labels train; unset: all that have one (but `validation`)
  std::vector<std::string> validation{};  // ids kept apart, with their labels
  std::vector<std::string> exclude{};     // ids left out, test cases too
  partial_labels partial{};               // cases of which not all classes are annotated
  std::string source{};                   // the file that the ids stand in, for messages; empty: none
};

namespace data_detail {

inline bool contains(const std::vector<std::string>& list, const std::string& id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

inline const listed_case* find_case(const cohort_listing& listing, const std::string& id) {
  const auto found = std::find_if(listing.training.begin(), listing.training.end(),
                                  [&](const listed_case& one) { return one.files.id == id; });
  return found == listing.training.end() ? nullptr : &*found;
}

inline void check_split(const cohort_listing& listing, const cohort_split& split) {
  std::string lines;
  const auto refuse = [&](const auto&... words) {
    lines += text(lines.empty() ? "" : "\n", split.source, split.source.empty() ? "" : ": ", words...);
  };
  const auto is_test = [&](const std::string& id) {
    return std::any_of(listing.test.begin(), listing.test.end(), [&](const case_files& f) { return f.id == id; });
  };
  for (const auto& id : split.exclude)
    if (!find_case(listing, id) && !is_test(id))
      lines += text(lines.empty() ? "" : "\n", "exclude: ", listing.source, " has no case ", id);
  std::vector<std::string> known;
  for (const auto& one : listing.training)
    if (!one.label.empty()) known.push_back(one.files.id);
  const auto labels_needed = [&](const std::vector<std::string>& ids, const char* list) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::string& id = ids[i];
      const listed_case* const found = find_case(listing, id);
      if (!found)
        refuse(list, ": ", listing.source, " has no training case ", id,
               known.empty() ? "" : text("; did you mean '", nearest_name(id, known), "'?"));
      else if (found->label.empty())
        refuse(list, ": case ", id, " has no label in ", listing.source);
      else if (std::find(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(i), id) !=
               ids.begin() + static_cast<std::ptrdiff_t>(i))
        refuse(list, ": case ", id, " is named twice");
    }
  };
  labels_needed(split.validation, "validation");
  if (split.labelled) {
    labels_needed(*split.labelled, "labelled");
    for (const auto& id : *split.labelled)
      if (contains(split.validation, id)) refuse("case ", id, " is listed both as labelled and as validation");
  }
  if (!lines.empty()) throw config_error(lines);
}

// Voxels that nobody looked at have a value of their own.
inline void check_ignored(const cohort_listing& listing) {
  if (!listing.ignored) return;
  const int value = *listing.ignored;
  if (value < 1 || value > 255)
    throw config_error(text(listing.source, ": the ignored label value is ", value, ", expected 1 to 255"));
  const auto declared = declared_values(listing.labels);
  if (std::binary_search(declared.begin(), declared.end(), value))
    throw config_error(text(listing.source, ": the ignored label value ", value, " is that of a class, too"));
  if (listing.has_regions())
    throw config_error(text(listing.source, ": an ignored label (", value,
                            ") beside regions cannot be used; declare exclusive classes, or give such cases no label"));
}

// The names of the classes, without the background.
inline std::vector<std::string> foreground_names(const std::vector<label_class>& labels) {
  std::vector<std::string> names;
  for (std::size_t c = 1; c < labels.size(); ++c) names.push_back(labels[c].name);
  return names;
}

// What is wrong with the entry of a case in the file of partial labels, each without a remedy of its own in one line.
inline std::vector<std::string> partial_label_faults(const cohort_listing& listing, const cohort_split& split,
                                                     const annotated_case& entry) {
  const bool is_test = std::any_of(listing.test.begin(), listing.test.end(),
                                   [&](const case_files& files) { return files.id == entry.id; });
  const listed_case* const found = find_case(listing, entry.id);
  if (!found && !is_test) return {text(listing.source, " has no such case; leave it out")};
  if (!found || found->label.empty()) return {text("it has no label in ", listing.source, "; leave it out")};
  std::vector<std::string> faults;
  if (contains(split.validation, entry.id))
    faults.push_back("it is kept apart to validate on, which needs all classes; validate on other cases");
  if (entry.classes.empty())
    faults.push_back(
        "its list is empty; a case in which no class is annotated is an unlabelled one: take its label away, or list "
        "the classes that are annotated");
  const auto names = foreground_names(listing.labels);
  for (const std::string& name : entry.classes) {
    if (contains(names, name)) continue;
    if (!listing.labels.empty() && name == listing.labels[0].name)
      faults.push_back(text("'", name, "' is not listed: it is what no other class is; leave it out"));
    else
      faults.push_back(text("there is no class '", name, "'; did you mean '", nearest_name(name, names), "'?"));
  }
  return faults;
}

// Marks the classes that are annotated in a labelled case; none where all are.
inline std::vector<bool> annotated_classes(const cohort_listing& listing, const partial_labels& partial,
                                           const std::string& id) {
  const auto entry =
      std::find_if(partial.cases.begin(), partial.cases.end(), [&](const annotated_case& one) { return one.id == id; });
  if (entry == partial.cases.end()) return {};
  std::vector<bool> annotated{true};
  for (const std::string& name : foreground_names(listing.labels)) annotated.push_back(contains(entry->classes, name));
  if (std::find(annotated.begin(), annotated.end(), false) == annotated.end()) annotated.clear();
  return annotated;
}

// Refuses partial labels that make no sense, with a line for each fault.
inline void check_partial_labels(const cohort_listing& listing, const cohort_split& split) {
  std::string lines;
  for (const annotated_case& entry : split.partial.cases)
    for (const std::string& fault : partial_label_faults(listing, split, entry))
      lines += text(lines.empty() ? "" : "\n", split.partial.source, ": case ", entry.id, ": ", fault);
  if (!lines.empty()) throw config_error(lines);
}

// Refuses classes that nothing would teach.
inline void check_all_annotated(const cohort& c, const std::string& source) {
  std::string lines;
  for (std::size_t k = 1; k < c.labels.size() && c.has_partial_labels(); ++k)
    if (std::none_of(c.labelled.begin(), c.labelled.end(),
                     [&](const labelled_case& one) { return one.fully_annotated() || one.annotated[k]; }))
      lines += text(lines.empty() ? "" : "\n", source, ": class '", c.labels[k].name,
                    "' is annotated in no labelled case, so that nothing would teach it; use a case that has it, or "
                    "take the class out of the data set");
  if (!lines.empty()) throw config_error(lines);
}

}  // namespace data_detail

/// The cohort that a split makes of the cases of a listing. Findings about excluded cases are left out.
/// @throws config_error for ids that the listing does not have, that have no label where one is needed, or that a list
/// names twice, a line for each; for labels that no label map can hold (`check_labels`, `check_modalities`); for
/// partial labels with unknown cases or classes, an empty list, a case without a label or one to validate on, and for a
/// class that no labelled case has, a line for each
[[nodiscard]] cohort apply_split(const cohort_listing& listing, const cohort_split& split = {});
#if COMODAL_BODIES
COMODAL_ONCE cohort apply_split(const cohort_listing& listing, const cohort_split& split) {
  check_modalities(listing.modalities);
  if (!listing.labels.empty()) check_labels(listing.labels, listing.region_order);
  data_detail::check_ignored(listing);
  data_detail::check_split(listing, split);
  data_detail::check_partial_labels(listing, split);
  cohort c;
  c.source = listing.source;
  c.modalities = listing.modalities;
  c.labels = listing.labels;
  c.region_order = listing.region_order;
  c.ignored = listing.ignored;
  for (const finding& f : listing.findings)
    if (f.case_id.empty() || !data_detail::contains(split.exclude, f.case_id)) c.findings.push_back(f);
  for (const listed_case& one : listing.training) {
    const std::string& id = one.files.id;
    if (data_detail::contains(split.exclude, id)) continue;
    const bool may_use = split.labelled ? data_detail::contains(*split.labelled, id) : !one.label.empty();
    if (data_detail::contains(split.validation, id))
      c.validation.push_back({one.files, one.label});
    else if (may_use)
      c.labelled.push_back({one.files, one.label, data_detail::annotated_classes(listing, split.partial, id)});
    if (!data_detail::contains(split.validation, id) && (!may_use || !c.labelled.back().fully_annotated()))
      c.unlabelled.push_back({one.files});
  }
  data_detail::check_all_annotated(c, split.partial.source);
  for (const case_files& files : listing.test)
    if (!data_detail::contains(split.exclude, files.id)) c.test.push_back({files});
  return c;
}
#endif

/// The ids under `name` in a JSON file of named lists: {"labelled_6": ["case_1", ...], "validation": [...]}.
/// @throws io_error if the file is no such object; config_error if it has no list of that name (the message names those
/// it has)
[[nodiscard]] inline std::vector<std::string> read_split(const std::filesystem::path& path, const std::string& name) {
  const auto json = read_json(path);
  if (!json.is_object()) throw io_error(text(path.string(), ": expected an object of named lists of case ids"));
  std::string names;
  for (const auto& [key, list] : json.items()) names += (names.empty() ? "" : ", ") + key;
  if (!json.contains(name)) throw config_error(text(path.string(), ": has no list \"", name, "\"; it has ", names));
  try {
    return json_value<std::vector<std::string>>(json[name], name);
  } catch (const io_error& failure) {
    throw io_error(text(path.string(), ": \"", name, "\" is not a list of case ids (", failure.what(), ")"));
  }
}

/// The cases of a fold of nnU-Net's `splits_final.json`: a list of {"train": [ids], "val": [ids]}.
struct cohort_fold {
  std::vector<std::string> train, validation;
};

/// Reads one fold, from 0 on. @throws io_error if the file is no such list; config_error if it has no such fold
[[nodiscard]] inline cohort_fold read_fold(const std::filesystem::path& path, index fold) {
  const auto json = read_json(path);
  if (!json.is_array())
    throw io_error(
        text(path.string(), R"(: expected a list of folds, [{"train": ["case", ...], "val": ["case", ...]}, ...])"));
  if (fold < 0 || fold >= static_cast<index>(json.size()))
    throw config_error(text(path.string(), ": has no fold ", fold, "; it has ", json.size(), " folds, from 0 on"));
  const auto& one = json[static_cast<std::size_t>(fold)];
  const std::string what = text(path.string(), ": fold ", fold);
  return {json_value<std::vector<std::string>>(one, "train", what),
          json_value<std::vector<std::string>>(one, "val", what)};
}

/// The ids that `names` stand for: names of lists in a file of named lists, each id of theirs once, or ids if `lists`
/// is empty.
/// @throws as `read_split`
[[nodiscard]] inline std::vector<std::string> split_ids(const std::filesystem::path& lists,
                                                        const std::vector<std::string>& names) {
  if (lists.empty()) return names;
  std::vector<std::string> ids;
  for (const std::string& name : names) {
    for (auto& id : read_split(lists, name))
      if (!data_detail::contains(ids, id)) ids.push_back(std::move(id));
  }
  return ids;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
