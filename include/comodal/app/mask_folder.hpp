// SPDX-License-Identifier: Apache-2.0
/// @file
/// Folders of masks by anybody: `predict`, nnU-Net, another tool, a second rater.
#ifndef COMODAL_APP_MASK_FOLDER_HPP
#define COMODAL_APP_MASK_FOLDER_HPP

#include <comodal/app/observer.hpp>
#include <comodal/app/predictions.hpp>
#include <comodal/data/dataset_json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// A folder of masks, and what its values mean.
struct mask_folder {
  std::filesystem::path folder;
  predictions about;
  bool by_predict = false;
  std::filesystem::path dataset = {};  // the dataset.json that names the classes of masks by others
  std::optional<int> ignored = {};     // the label value of voxels of the truth that nobody looked at

  /// The masks of an output by case. Those that `predict` did not record are left from another run.
  [[nodiscard]] std::map<std::string, std::filesystem::path> masks(const std::string& output) const {
    return by_predict ? predicted_masks(folder, about, output) : masks_of(folder);
  }
  /// Those of the first output, which is the answer.
  [[nodiscard]] std::map<std::string, std::filesystem::path> first_masks() const {
    return masks(about.outputs.empty() ? "fused" : about.outputs[0]);
  }
};

/// A mask of a folder, of its classes only. @throws io_error as `read_mask`, and says where the classes come from
[[nodiscard]] inline label_volume read_mask_of(const mask_folder& masks, const std::filesystem::path& file) {
  try {
    return read_mask(file, masks.about.labels);
  } catch (const undeclared_label_error& failure) {
    if (masks.dataset.empty()) throw;
    throw io_error(text(failure.what(), " (in ", masks.dataset.string(),
                        "); correct that file, or name the dataset.json of these masks with --dataset"));
  }
}

/// The value of the voxels of true masks that nobody looked at, as the data set says it.
/// @param dataset dataset.json; empty: that beside the folder of the true masks
[[nodiscard]] inline std::optional<int> ignored_in(const std::filesystem::path& labels,
                                                   const std::filesystem::path& dataset) {
  const auto beside = (std::filesystem::absolute(labels) / "").parent_path().parent_path() / "dataset.json";
  const auto& file = dataset.empty() ? beside : dataset;
  if (!std::filesystem::is_regular_file(file)) return {};
  return detail::ignored_value(detail::with_labels_by_name(json_or_nothing(file), file.string()), {}, file.string());
}

/// The name of the only output of a folder that `predict` did not write.
inline constexpr const char* foreign_output = "masks";

/// @param labels the folder of the true masks; without labels, that of the images
/// @param dataset dataset.json that names the classes; empty: that in the folder, beside it, or beside the labels
/// @throws io_error for a folder without masks, or one that neither `predict` wrote nor a dataset.json describes
[[nodiscard]] inline mask_folder read_mask_folder(const std::filesystem::path& folder,
                                                  const std::filesystem::path& labels,
                                                  const std::filesystem::path& dataset = {}) {
  if (!std::filesystem::is_directory(folder))
    throw io_error(text(folder.string(), ": there is no such folder of masks"));
  if (std::filesystem::exists(folder / "predictions.json")) {
    mask_folder own{folder, read_predictions(folder), true, {}, ignored_in(labels, dataset)};
    if (!dataset.empty() && detail::label_classes(read_json(dataset), dataset.string()) != own.about.labels)
      throw config_error(
          text(dataset.string(), ": has other classes than those that `predict` wrote to ", folder.string()));
    return own;
  }
  const auto above = [](const std::filesystem::path& path) { return (path / "").parent_path().parent_path(); };
  const std::array<std::filesystem::path, 4> places{dataset, folder / "dataset.json", above(labels) / "dataset.json",
                                                    above(folder) / "dataset.json"};
  for (const auto& file : places) {
    if (file.empty() || (file != dataset && !std::filesystem::is_regular_file(file))) continue;
    predictions about;
    about.outputs = {foreign_output};
    const auto json = detail::with_labels_by_name(read_json(file), file.string());
    about.labels = detail::label_classes(json, file.string());
    try {
      about.modalities = detail::channel_names(json, file.string());
    } catch (const io_error&) {  // nnU-Net writes one without into its results
    }
    return {folder, std::move(about), false, file, ignored_in(labels, dataset)};
  }
  throw io_error(text(folder.string(),
                      ": has neither predictions.json (of `predict`) nor dataset.json, so that nobody knows its "
                      "classes; name a dataset.json with --dataset"));
}

/// Words where the data set of the labels has other classes than the masks; else empty.
[[nodiscard]] inline std::string other_classes(const mask_folder& masks, const std::filesystem::path& labels) {
  const auto file = (std::filesystem::absolute(labels) / "").parent_path().parent_path() / "dataset.json";
  try {
    if (!std::filesystem::is_regular_file(file)) return {};
    const auto theirs =
        detail::label_classes(detail::with_labels_by_name(read_json(file), file.string()), file.string());
    if (theirs == masks.about.labels) return {};
    const auto names_of = [](const std::vector<label_class>& classes) {
      std::vector<std::string> names;
      for (const auto& c : classes) names.push_back(c.name);
      return joined(names);
    };
    return text(masks.folder.string(), ": its masks have the classes ", names_of(masks.about.labels), ", ",
                file.string(), " has ", names_of(theirs), ": equal values are compared, whatever they are called");
  } catch (const io_error&) {
    return {};
  }
}

/// A list of names for a message, cut short.
[[nodiscard]] inline std::string some_of(const std::vector<std::string>& names, std::size_t most = 5) {
  std::string list;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) list += (i == 0 ? "" : ", ") + readable_name(names[i]);
  return names.size() > most ? text(list, " and ", names.size() - most, " more") : list;
}

/// A folder that is named twice, in whatever words.
inline void refuse_same_folders(const std::vector<std::filesystem::path>& folders) {
  std::set<std::filesystem::path> seen;
  for (const auto& folder : folders) {
    std::error_code failure;
    const auto whole = (std::filesystem::weakly_canonical(folder, failure) / "").parent_path();
    if (!failure && !seen.insert(whole).second)
      throw config_error(text(folder.string(), ": is named twice; name each folder once"));
  }
}

/// The cases of which every folder has a mask of its first output. @throws config_error if there is none
inline std::set<std::string> common_cases(const std::vector<mask_folder>& folders) {
  std::set<std::string> common;
  for (const auto& masks : folders) {
    std::set<std::string> ids;
    for (const auto& [id, file] : masks.first_masks())
      if (&masks == &folders[0] || common.contains(id)) ids.insert(id);
    common = std::move(ids);
  }
  if (common.empty()) throw config_error("common: there is no case of which every folder has a mask");
  return common;
}

/// Short names for folders of masks, in their order: each its own name (its parent's if it is called "predictions"),
/// with as many of the folders that it lies in as tell it from the others: "fold_0/validation", "fold_1/validation".
inline std::vector<std::string> names_of_folders(const std::vector<std::filesystem::path>& folders) {
  std::vector<std::filesystem::path> rest;
  std::vector<std::string> names;
  for (const auto& folder : folders) {
    std::error_code failure;
    auto whole = std::filesystem::weakly_canonical(folder, failure);
    if (failure) whole = folder;
    const std::filesystem::path clean = (whole / "").parent_path();
    const auto named = clean.filename() == "predictions" ? clean.parent_path() : clean;
    names.push_back(readable_name(named.filename().string()));
    rest.push_back(named.parent_path());
  }
  for (bool longer = true; std::exchange(longer, false);) {
    const auto before = names;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (std::count(before.begin(), before.end(), before[i]) < 2 || !rest[i].has_filename()) continue;
      names[i] = text(readable_name(rest[i].filename().string()), "/", names[i]);
      rest[i] = rest[i].parent_path();
      longer = true;
    }
  }
  return names;
}

/// Looks at a folder of true masks. @throws io_error if there is none; config_error if its masks are to be scored
inline void look_at_labels(const std::filesystem::path& labels, const std::vector<std::filesystem::path>& folders,
                           const app::observer& watch) {
  (void)masks_of(labels);
  std::error_code none;
  for (const auto& folder : folders)
    if (std::filesystem::equivalent(labels, folder, none))
      throw config_error(text(labels.string(),
                              ": its masks would be scored against themselves; name the true masks, "
                              "such as labelsTs, with --labels"));
  if (std::filesystem::exists(labels / "predictions.json"))
    watch.warn(text(labels.string(), ": holds masks that `predict` wrote; they are taken for the truth"));
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
