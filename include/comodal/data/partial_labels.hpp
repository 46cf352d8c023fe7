// SPDX-License-Identifier: Apache-2.0
/// @file
/// Partial labels: which classes are annotated in which case, as a file says it.
#ifndef COMODAL_DATA_PARTIAL_LABELS_HPP
#define COMODAL_DATA_PARTIAL_LABELS_HPP

#include <comodal/data/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The classes (or regions) that are annotated in a case, by name, without the background.
struct annotated_case {
  std::string id;
  std::vector<std::string> classes;
};

/// The cases of a study in which not all classes are annotated. All others are fully annotated.
struct partial_labels {
  std::string source;  // the file, for messages
  std::vector<annotated_case> cases;
};

/// Reads a JSON object {"case_7": ["core", "rim"], ...}. Names are compared with nothing here: `apply_split` does it.
/// @throws io_error if it is no such object, with a line for every entry that is no list of names
[[nodiscard]] inline partial_labels read_partial_labels(const std::filesystem::path& path) {
  const auto json = read_json(path);
  if (!json.is_object())
    throw io_error(text(path.string(), ": expected an object, {\"case\": [\"class\", ...], ...}, found ",
                        data_detail::shown(json)));
  partial_labels read{path.string(), {}};
  std::string lines;
  for (const auto& [id, list] : json.items()) try {
      read.cases.push_back({id, json_value<std::vector<std::string>>(list, id)});
    } catch (const io_error& failure) {
      lines += text(lines.empty() ? "" : "\n", path.string(), ": case ", id, ": expected a list of names of classes (",
                    failure.what(), ")");
    }
  if (!lines.empty()) throw io_error(lines);
  return read;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
