// SPDX-License-Identifier: Apache-2.0
/// @file
/// A folder of masks that `predict` wrote, and the file in it that says what it holds.
#ifndef COMODAL_APP_PREDICTIONS_HPP
#define COMODAL_APP_PREDICTIONS_HPP

#include <comodal/app/provenance.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/data/cohort_json.hpp>
#include <comodal/data/load_case.hpp>
#include <comodal/data/nifti.hpp>
#include <comodal/data/nnunet_raw.hpp>
#include <comodal/infer/modality_subset.hpp>
#include <comodal/model/model_plan.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// What `predict` says of its folder. Names of cases are readable names: a file's may hold any bytes, JSON may not.
struct predictions {
  std::string model;
  std::vector<std::string> outputs, modalities, cases;
  std::vector<label_class> labels;
  std::vector<std::string> uncertainty = {};       // cases that have an uncertainty map
  bool subsets = false;                            // outputs from all sets of modalities were asked for
  std::string recipe = {};                         // everything that decides the bytes of a mask
  std::map<std::string, std::string> failed = {};  // cases that could not be segmented, and why
  std::map<std::string, std::string> images = {};  // of finished cases, what their images were: `stamp_of`
  std::vector<app::provenance> calls = {};         // of `predict` that wrote here
  std::map<std::string, std::string> models = {};  // SHA-256 by file
  std::map<std::string, std::map<std::string, std::string>> inputs = {};  // of finished cases, the same of their images
  std::map<std::string, std::vector<std::string>> warnings = {};          // of finished cases, what is worth a look
};

/// The most modalities that all sets are asked for of: 255 sets.
inline constexpr std::size_t most_modalities_of_subsets = 8;

/// The folder of an output below that of the predictions: "" for the fused one, "branch_T1", "only_T1" ...
[[nodiscard]] inline std::string folder_of(const std::string& output) {
  if (output == "fused") return "";
  std::string name = output;
  for (char& c : name)
    if (c == ' ' || c == '/') c = '_';
  return name;
}

/// That of the probabilities of an output.
[[nodiscard]] inline std::string probabilities_of(const std::string& output) {
  return (std::filesystem::path(folder_of(output)) / "probabilities").string();
}

/// The names of all outputs that a network of these modalities may have, in the order of tables: fused, branches, sets
/// of modalities by size.
[[nodiscard]] inline std::vector<std::string> output_names(const std::vector<std::string>& modalities) {
  std::vector<std::string> names{"fused"};
  for (const auto& name : modalities) names.push_back("branch " + name);
  const std::size_t count = modalities.size();
  const std::size_t largest = count == 1 || count > most_modalities_of_subsets ? 1 : count - 1;
  for (const auto& set : modality_subsets(count, largest)) names.push_back(name_of_subset(modalities, set));
  return names;
}

/// Names in a line: "T1, T2".
[[nodiscard]] inline std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

/// The folder of uncertainty maps below that of the predictions.
inline constexpr const char* uncertainty_folder = "uncertainty";
/// That of entropy maps.
inline constexpr const char* entropy_folder = "entropy";

inline void write_predictions(const std::filesystem::path& folder, const predictions& of) {
  nlohmann::ordered_json description{{"model", of.model},
                                     {"outputs", of.outputs},
                                     {"modalities", of.modalities},
                                     {"cases", of.cases},
                                     {"uncertainty", of.uncertainty},
                                     {"subsets", of.subsets},
                                     {"recipe", of.recipe},
                                     {"failed", nlohmann::ordered_json::object()}};
  for (const auto& [id, reason] : of.failed) description["failed"][id] = reason;
  description["images"] = of.images;
  description["provenance"] = nlohmann::ordered_json::array();
  for (const auto& call : of.calls) description["provenance"].push_back(to_json(call));
  description["models"] = of.models;
  description["inputs"] = of.inputs;
  description["warnings"] = of.warnings;
  description["labels"] = label_classes_to_json(of.labels);
  constexpr auto replace = nlohmann::ordered_json::error_handler_t::replace;  // names of modalities come from anywhere
  write_text(folder / "predictions.json", description.dump(2, ' ', false, replace) + "\n");
}

// An object of texts. @throws io_error naming what is none
[[nodiscard]] inline std::map<std::string, std::string> texts_from(const nlohmann::ordered_json& j,
                                                                   const std::string& what) {
  if (!j.is_object()) throw io_error(text(what, " is no object, expected names and texts"));
  std::map<std::string, std::string> texts;
  for (const auto& one : j.items()) texts[one.key()] = json_value<std::string>(one.value(), what);
  return texts;
}

/// @throws io_error if the folder was not written by `predict`, or its description is damaged
[[nodiscard]] inline predictions read_predictions(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "predictions.json";
  if (!std::filesystem::is_regular_file(file))
    throw io_error(text(folder.string(), ": is no folder that `predict` wrote (it has no predictions.json)"));
  const auto j = read_json(file);
  try {
    const std::string what = "the description";
    predictions d{json_value<std::string>(j, "model", what), json_value<std::vector<std::string>>(j, "outputs", what),
                  json_value<std::vector<std::string>>(j, "modalities", what),
                  json_value<std::vector<std::string>>(j, "cases", what),
                  label_classes_from(json_entry(j, "labels", what), "\"labels\"")};
    for (const auto& c : d.labels) check_label_values(c);
    if (j.contains("uncertainty")) d.uncertainty = json_value<std::vector<std::string>>(j, "uncertainty", what);
    if (j.contains("subsets")) d.subsets = json_value<bool>(j, "subsets", what);
    if (j.contains("recipe")) d.recipe = json_value<std::string>(j, "recipe", what);
    if (j.contains("images"))
      for (const auto& one : j["images"].items()) d.images[one.key()] = json_value<std::string>(one.value(), "images");
    if (j.contains("provenance"))
      for (const auto& call : j["provenance"]) d.calls.push_back(provenance_from(call));
    if (j.contains("models")) d.models = texts_from(j["models"], "\"models\"");
    if (j.contains("inputs")) {
      if (!j["inputs"].is_object()) throw io_error("\"inputs\" is no object, expected one per case");
      for (const auto& one : j["inputs"].items()) d.inputs[one.key()] = texts_from(one.value(), "\"inputs\"");
    }
    if (j.contains("warnings")) {
      if (!j["warnings"].is_object()) throw io_error("\"warnings\" is no object, expected a list per case");
      for (const auto& one : j["warnings"].items())
        if (auto words = json_value<std::vector<std::string>>(one.value(), "\"warnings\""); !words.empty())
          d.warnings[one.key()] = std::move(words);
    }
    if (j.contains("failed"))
      for (const auto& one : j["failed"].items())
        d.failed[one.key()] = json_value<std::string>(one.value(), "a reason");
    return d;
  } catch (const std::exception& failure) {
    throw io_error(text(file.string(), ": is damaged or of another version (", failure.what(),
                        "); make the masks again with `predict`, or remove it and name the classes with --dataset"));
  }
}

/// The masks of a folder by case, sorted; all .nii.gz, or all .nii; hidden files are none.
/// @throws io_error if there is no such folder
[[nodiscard]] inline std::map<std::string, std::filesystem::path> masks_of(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw io_error(text(folder.string(), ": there is no such folder of masks"));
  const std::string ending = volume_ending(folder);
  std::map<std::string, std::filesystem::path> masks;
  for (const auto& file : visible_entries(folder)) {
    const std::string name = file.filename().string();
    if (name.size() > ending.size() && name.ends_with(ending))
      masks[name.substr(0, name.size() - ending.size())] = file;
  }
  return masks;
}

/// The masks of an output that the run which wrote the folder's description made: others are left from another run.
[[nodiscard]] inline std::map<std::string, std::filesystem::path> predicted_masks(const std::filesystem::path& folder,
                                                                                  const predictions& d,
                                                                                  const std::string& output) {
  auto masks = masks_of(folder / folder_of(output));
  std::erase_if(masks, [&](const auto& entry) {
    return std::find(d.cases.begin(), d.cases.end(), readable_name(entry.first)) == d.cases.end();
  });
  return masks;
}

/// A mask that holds a label which nobody declared.
struct undeclared_label_error : io_error {
  using io_error::io_error;
};

/// A mask of declared labels only: another value would count as background. @param ignored a further value that may be
/// there @throws io_error naming the file
[[nodiscard]] inline label_volume read_mask(const std::filesystem::path& file, const std::vector<label_class>& classes,
                                            const std::optional<int>& ignored = {}) {
  auto mask = read_nifti_labels(file);
  if (const auto words = undeclared_labels(mask, classes, ignored); !words.empty())
    throw undeclared_label_error(text(file.string(), ": ", words.front()));
  return mask;
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
