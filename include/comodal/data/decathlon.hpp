// SPDX-License-Identifier: Apache-2.0
/// @file
/// Lists of files in a dataset.json: Medical Segmentation Decathlon (4-D images), nnU-Net version 1, MONAI's data
/// lists.
#ifndef COMODAL_DATA_DECATHLON_HPP
#define COMODAL_DATA_DECATHLON_HPP

#include <comodal/data/cohort_reader.hpp>
#include <comodal/data/dataset_json.hpp>
#include <comodal/data/nnunet_raw.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace data_detail {

inline std::vector<std::string> decathlon_modalities(const nlohmann::ordered_json& json, const std::string& name,
                                                     std::size_t images) {
  for (const char* key : {"modality", "channel_names"})
    if (json.contains(key)) {
      nlohmann::ordered_json turned{{"channel_names", json[key]}};
      return detail::channel_names(turned, name);
    }
  std::vector<std::string> names;
  for (std::size_t m = 0; m < images; ++m) names.push_back(images == 1 ? "image" : text("image ", m));
  return names;
}

inline std::string id_of_file(const std::filesystem::path& file) {
  std::string name = file.filename().string();
  for (const std::string ending : {".nii.gz", ".nii"})
    if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
  return name;
}

// The images of an entry: a list of files, one 4-D file, or nnU-Net 1's name without _0000.
inline case_files decathlon_case(const nlohmann::ordered_json& entry, const std::filesystem::path& base,
                                 std::size_t modalities, const std::string& what) {
  case_files files{{}, std::vector<image_source>(modalities)};
  if (entry.is_array()) {
    if (entry.size() != modalities)
      throw io_error(text(what, ": ", entry.size(), " images for ", modalities, " modalities"));
    for (std::size_t m = 0; m < modalities; ++m)
      if (!entry[m].is_null()) files.images[m] = (base / json_value<std::string>(entry[m], what)).lexically_normal();
    for (const auto& image : files.images)
      if (files.id.empty() && !image.empty()) files.id = id_of_file(image.path);
    if (modalities > 1 && files.id.ends_with("_0000")) files.id.resize(files.id.size() - 5);
    return files;
  }
  const auto file = (base / json_value<std::string>(entry, what)).lexically_normal();
  files.id = id_of_file(file);
  const std::string name = file.filename().string(), ending = name.substr(files.id.size());
  const auto numbered = [&](std::size_t m) {
    return file.parent_path() / text(files.id, "_", modality_number(m), ending);
  };
  if (!std::filesystem::exists(file) && std::filesystem::exists(numbered(0))) {
    for (std::size_t m = 0; m < modalities; ++m)
      if (std::filesystem::exists(numbered(m))) files.images[m] = numbered(m);
  } else {
    for (std::size_t m = 0; m < modalities; ++m)
      files.images[m] = modalities == 1 ? image_source(file) : image_source(file, static_cast<index>(m));
  }
  return files;
}

}  // namespace data_detail

/// Lists the cases of a list of files; images are not opened: with more than one modality a single file is taken for a
/// 4-D one. "training" and "validation" are training cases (a split tells them apart), "test" and "testing" test cases.
/// @param path the file, or the folder that has it as dataset.json; paths in it are relative to its folder
/// @throws io_error for a list that cannot be used, with a line for each entry
[[nodiscard]] cohort_listing list_decathlon(const std::filesystem::path& path);
#if COMODAL_BODIES
COMODAL_ONCE cohort_listing list_decathlon(const std::filesystem::path& path) {
  const auto file = std::filesystem::is_directory(path) ? path / "dataset.json" : path;
  const auto json = read_json(file);
  const std::string name = file.string();
  const auto& training = json_entry(json, "training", name);
  if (!training.is_array() || training.empty())
    throw io_error(text(name, R"(: "training" must be a list of {"image": "a.nii.gz", "label": "b.nii.gz"})"));
  cohort_listing c;
  c.source = path.string();
  const auto& first = training[0].is_object() && training[0].contains("image") ? training[0]["image"] : training[0];
  c.modalities = data_detail::decathlon_modalities(json, name, first.is_array() ? first.size() : 1);
  if (json.contains("labels")) {
    const auto named = detail::with_labels_by_name(json, name);
    c.labels = detail::label_classes(named, name);
    if (c.has_regions()) c.region_order = detail::region_order(named, c.labels, name);
    c.ignored = detail::ignored_value(named, c.labels, name);
  }
  std::set<std::string> ids;
  std::string lines;
  const auto each = [&](const char* key, const auto& take) {
    if (!json.contains(key)) return;
    for (std::size_t i = 0; json[key].is_array() && i < json[key].size(); ++i) try {
        const auto& entry = json[key][i];
        const std::string what = text(name, ": \"", key, "\"[", i, "]");
        auto files = data_detail::decathlon_case(entry.is_object() ? json_entry(entry, "image", what) : entry,
                                                 file.parent_path(), c.modalities.size(), what);
        check_case_id(files.id, what);
        if (!ids.insert(files.id).second) throw io_error(text(what, ": the case ", files.id, " stands there twice"));
        image_source label;
        if (entry.is_object() && entry.contains("label") && !entry["label"].is_null())
          label = (file.parent_path() / json_value<std::string>(entry, "label", what)).lexically_normal();
        take(std::move(files), std::move(label));
      } catch (const io_error& failure) {
        lines += (lines.empty() ? "" : "\n") + std::string(failure.what());
      }
  };
  for (const char* key : {"training", "validation"})
    each(key,
         [&](case_files files, image_source label) { c.training.push_back({std::move(files), std::move(label)}); });
  for (const char* key : {"test", "testing"})
    each(key, [&](case_files files, const image_source&) { c.test.push_back(std::move(files)); });
  if (!lines.empty()) throw io_error(lines);
  sort_by_id(c);
  return c;
}
#endif

/// The `cohort_reader` of such lists.
struct decathlon_reader {
  std::filesystem::path path;

  [[nodiscard]] static constexpr std::string_view layout() { return "decathlon"; }
  /// A JSON file with a list "training", or a folder with such a dataset.json that has no "channel_names".
  [[nodiscard]] static bool recognises(const std::filesystem::path& path) {
    const bool folder = std::filesystem::is_directory(path);
    const auto file = folder ? path / "dataset.json" : path;
    if (file.extension() != ".json" || !std::filesystem::is_regular_file(file)) return false;
    const auto json = json_or_nothing(file);
    return json.is_object() && json.contains("training") && json["training"].is_array() &&
           !(folder && json.contains("channel_names"));
  }
  /// @throws as `list_decathlon`
  [[nodiscard]] cohort_listing list() const { return list_decathlon(path); }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
