// SPDX-License-Identifier: Apache-2.0
/// @file
/// nnU-Net raw folders (version 2): dataset.json, imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz, imagesTs. An image
/// without a label is an unlabelled case; an absent file is an absent modality.
#ifndef COMODAL_DATA_NNUNET_RAW_HPP
#define COMODAL_DATA_NNUNET_RAW_HPP

#include <comodal/data/cohort_reader.hpp>
#include <comodal/data/folder.hpp>
#include <comodal/data/json.hpp>
#include <comodal/data/split.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

inline std::vector<std::string> channel_names(const nlohmann::ordered_json& json, const std::string& name) {
  if (!json.contains("channel_names"))
    throw io_error(text(name,
                        json.contains("modality")
                            ? ": has \"modality\" (nnU-Net version 1 or Medical Segmentation Decathlon)"
                            : ": has no modalities",
                        "; expected \"channel_names\": {\"0\": \"flair\", ...}"));
  const auto& channels = json["channel_names"];
  std::vector<std::string> names;
  while (channels.is_object() && channels.contains(std::to_string(names.size()))) {
    const auto& value = channels[std::to_string(names.size())];
    if (!value.is_string()) break;
    names.push_back(value.get<std::string>());
  }
  if (names.empty() || names.size() != channels.size())
    throw io_error(
        text(name,
             ": \"channel_names\" must be an object with the keys \"0\", \"1\", ... without gaps and names as values"));
  try {
    check_modalities(names);
  } catch (const config_error& failure) {
    throw io_error(text(name, ": \"channel_names\": ", failure.what()));
  }
  return names;
}

inline std::vector<label_class> label_classes(const nlohmann::ordered_json& json, const std::string& name) {
  if (!json.contains("labels") || !json["labels"].is_object())
    throw io_error(text(name, ": has no \"labels\"; expected \"labels\": {\"background\": 0, \"tumour\": 1, ...}"));
  std::vector<label_class> classes;
  bool regions = false;
  for (const auto& entry : json["labels"].items()) {
    // Not a structured binding: clang before 19 cannot capture one in a unit with OpenMP.
    const auto& label = entry.key();
    const auto& value = entry.value();
    try {
      check_name("class", label);
    } catch (const config_error& failure) {
      throw io_error(text(name, ": \"labels\": ", failure.what()));
    }
    label_class c{label, {}};
    const auto add = [&](const nlohmann::ordered_json& number) {
      if (!number.is_number_integer() || number.get<std::int64_t>() < 0 || number.get<std::int64_t>() > 255)
        throw io_error(text(name, ": label \"", label, "\" is ", value.dump(),
                            "; expected an integer from 0 to 255, or a list of them for a region"));
      c.values.push_back(number.get<int>());
    };
    if (label == "ignore")
      throw io_error(text(name, ": declares an \"ignore\" label, which cannot be used; give such cases no label file"));
    if (value.is_array())
      for (const auto& number : value) add(number);
    else
      add(value);
    if (c.values.empty()) throw io_error(text(name, ": label \"", label, "\" is an empty list"));
    for (std::size_t i = 0; i < c.values.size() && c.values.size() > 1; ++i)
      if (c.values[i] == 0 || std::find(c.values.begin(), c.values.begin() + static_cast<std::ptrdiff_t>(i),
                                        c.values[i]) != c.values.begin() + static_cast<std::ptrdiff_t>(i))
        throw io_error(text(name, ": label \"", label, "\" has ", c.values[i],
                            c.values[i] == 0 ? ", the background, in its list; leave it out" : " twice in its list"));
    regions |= c.values.size() > 1;
    classes.push_back(std::move(c));
  }
  std::stable_sort(classes.begin(), classes.end(), [&](const label_class& a, const label_class& b) {
    return regions ? (a.values == std::vector{0}) > (b.values == std::vector{0}) : a.values < b.values;
  });
  if (classes.size() < 2 || classes[0].values != std::vector{0})
    throw io_error(text(name, ": \"labels\" must hold the background, 0, and at least one class"));
  for (std::size_t i = 0; !regions && i < classes.size(); ++i)
    if (classes[i].values[0] != static_cast<int>(i))
      throw io_error(text(name, ": label \"", classes[i].name, "\" is ", classes[i].values[0], ", expected ", i,
                          ": values are 0, 1, 2 ... without gaps"));
  return classes;
}

// The label that each region is written as, where there are regions.
inline std::vector<int> region_order(const nlohmann::ordered_json& json, const std::vector<label_class>& classes,
                                     const std::string& name) {
  if (!json.contains("regions_class_order"))
    throw io_error(text(name, ": has regions; expected \"regions_class_order\", a list of ", classes.size() - 1,
                        " labels: what each region is written as, later ones over earlier ones"));
  std::vector<int> order;
  try {
    order = json_value<std::vector<int>>(json["regions_class_order"], "entry");
  } catch (const io_error& failure) {
    throw io_error(text(name, ": \"regions_class_order\" must be a list of integers (", failure.what(), ")"));
  }
  if (order.size() != classes.size() - 1)
    throw io_error(
        text(name, ": \"regions_class_order\" has ", order.size(), " labels for ", classes.size() - 1, " regions"));
  const auto declared = declared_values(classes);
  for (const int value : order)
    if (!std::binary_search(declared.begin(), declared.end(), value))
      throw io_error(text(name, ": \"regions_class_order\": ", value, " is no declared label"));
  const auto regions_of = [&](int value) {
    std::vector<std::size_t> regions;
    for (std::size_t r = 0; r < order.size(); ++r)
      if (const auto& values = classes[r + 1].values; std::find(values.begin(), values.end(), value) != values.end())
        regions.push_back(r);
    return regions;
  };
  for (const int value : declared)
    if (const auto regions = regions_of(value); !regions.empty() && regions_of(order[regions.back()]) != regions)
      throw io_error(text(name, ": \"regions_class_order\": voxels of label ", value, " would be written as ",
                          order[regions.back()],
                          ", which is not in the same regions; declare outer regions first, and list for each a label "
                          "that no later one holds"));
  return order;
}

}  // namespace detail

/// The cases of a folder of images CASE_0000.nii.gz, CASE_0001.nii.gz, ... (imagesTr, imagesTs, or what `predict` is
/// given), sorted by id.
/// @param modalities their number M
/// @param ending ".nii.gz" or ".nii"
/// @param findings receives files that do not fit: another name (warning), a number of M or more (error)
/// @throws io_error if the folder cannot be listed
[[nodiscard]] std::vector<case_files> read_nnunet_images(const std::filesystem::path& folder, std::size_t modalities,
                                                         const std::string& ending, std::vector<finding>& findings);
#if COMODAL_BODIES
COMODAL_ONCE std::vector<case_files> read_nnunet_images(const std::filesystem::path& folder, std::size_t modalities,
                                                        const std::string& ending, std::vector<finding>& findings) {
  std::map<std::string, case_files> cases;
  for (const auto& file : visible_entries(folder)) {
    const std::string name = file.filename().string();
    const std::size_t tail = 5 + ending.size();
    const bool fits = name.size() > tail && name.ends_with(ending) && name[name.size() - tail] == '_';
    const std::string digits = fits ? name.substr(name.size() - tail + 1, 4) : "";
    if (!fits || digits.find_first_not_of("0123456789") != std::string::npos) {
      findings.push_back({finding::level::warning, file, text("is ignored: not named CASE_0000", ending)});
      continue;
    }
    std::size_t channel = 0;
    for (const char digit : digits) channel = 10 * channel + static_cast<std::size_t>(digit - '0');
    const std::string id = name.substr(0, name.size() - tail);
    case_files& entry = cases[id];
    entry.id = id;
    entry.images.resize(modalities);
    if (channel >= modalities) {
      findings.push_back({finding::level::error, file,
                          text("has modality number ", digits, ", but ", modalities,
                               " modalities are declared, from 0000 on; leave the file out, or declare it"),
                          id});
      continue;
    }
    entry.images[channel] = file;
  }
  std::vector<case_files> out;
  for (auto& [id, files] : cases) out.push_back(std::move(files));
  return out;
}
#endif

/// How the files of a folder of volumes end: ".nii.gz", or ".nii" if there are only such. @throws io_error for a folder
/// that has both
[[nodiscard]] inline std::string volume_ending(const std::filesystem::path& folder) {
  std::filesystem::path packed, plain;
  for (const auto& file : visible_entries(folder)) {
    if (file.filename().string().ends_with(".nii.gz")) packed = file;
    if (file.filename().string().ends_with(".nii")) plain = file;
  }
  if (!packed.empty() && !plain.empty())
    throw io_error(text(folder.string(), ": holds both ", packed.filename().string(), " and ",
                        plain.filename().string(), "; take one ending for all files"));
  return plain.empty() ? ".nii.gz" : ".nii";
}

namespace detail {

// The label files of a folder by case id; the folder may be missing.
inline std::map<std::string, std::filesystem::path> nnunet_labels(const std::filesystem::path& folder,
                                                                  const std::string& ending,
                                                                  std::vector<finding>& findings) {
  std::map<std::string, std::filesystem::path> labels;
  if (!std::filesystem::is_directory(folder)) return labels;
  for (const auto& label : visible_entries(folder)) {
    const std::string name = label.filename().string();
    if (name.ends_with(ending) && name.size() > ending.size())
      labels[name.substr(0, name.size() - ending.size())] = label;
    else
      findings.push_back({finding::level::warning, label, text("is ignored: not named CASE", ending)});
  }
  return labels;
}

}  // namespace detail

/// Lists the cases of an nnU-Net raw folder; opens dataset.json alone.
/// @throws io_error for an unusable dataset.json, a missing imagesTr or a folder without cases
[[nodiscard]] cohort_listing list_nnunet_raw(const std::filesystem::path& folder);
#if COMODAL_BODIES
COMODAL_ONCE cohort_listing list_nnunet_raw(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "dataset.json";
  const auto json = read_json(file);
  cohort_listing c;
  c.source = folder.string();
  if (!json.is_object())
    throw io_error(text(file.string(),
                        ": is no object; expected {\"channel_names\": {...}, \"labels\": {...}, "
                        "\"file_ending\": \".nii.gz\"}"));
  const std::string ending =
      json.contains("file_ending") && json["file_ending"].is_string() ? json["file_ending"].get<std::string>() : "";
  std::string lines;  // one fault does not hide the next
  const auto read = [&](const auto& part) {
    try {
      part();
    } catch (const error& failure) {
      lines += (lines.empty() ? "" : "\n") + std::string(failure.what());
    }
  };
  read([&] { c.modalities = detail::channel_names(json, file.string()); });
  read([&] {
    c.labels = detail::label_classes(json, file.string());
    if (c.has_regions()) c.region_order = detail::region_order(json, c.labels, file.string());
  });
  read([&] {
    if (json.contains("dataset"))
      throw io_error(
          text(file.string(),
               ": lists its files under \"dataset\", which is not read; put them into imagesTr and labelsTr"));
  });
  read([&] {
    if (!json.contains("file_ending"))
      throw io_error(
          text(file.string(), ": has no \"file_ending\"; expected \"file_ending\": \".nii.gz\", or \".nii\""));
    if (ending != ".nii.gz" && ending != ".nii")
      throw io_error(text(file.string(), ": \"file_ending\" is \"", ending, "\", expected \".nii.gz\" or \".nii\""));
  });
  if (!lines.empty()) throw io_error(lines);

  auto images = read_nnunet_images(folder / "imagesTr", c.modalities.size(), ending, c.findings);
  if (images.empty()) throw io_error(text((folder / "imagesTr").string(), ": holds no image named CASE_0000", ending));
  const auto labels = detail::nnunet_labels(folder / "labelsTr", ending, c.findings);
  if (json.contains("numTraining") && json["numTraining"].is_number_integer() &&
      json["numTraining"].get<std::int64_t>() != static_cast<std::int64_t>(labels.size()))
    c.findings.push_back(
        {finding::level::warning, file,
         text("\"numTraining\" is ", json["numTraining"].dump(), ", but labelsTr holds ", labels.size(), " labels")});
  for (std::size_t m = 0; m < c.modalities.size(); ++m)
    if (std::none_of(images.begin(), images.end(), [&](const case_files& f) { return f.present(m); }))
      c.findings.push_back({finding::level::warning, file,
                            text("declares the modality '", c.modalities[m], "', which no case of imagesTr has")});
  if (labels.empty())
    c.findings.push_back({finding::level::warning, folder / "labelsTr",
                          text("holds no label CASE", ending, ", so that no case is labelled")});
  if (std::filesystem::is_directory(folder / "imagesTs"))
    c.test = read_nnunet_images(folder / "imagesTs", c.modalities.size(), ending, c.findings);
  for (const auto& [id, label] : labels)
    if (std::none_of(images.begin(), images.end(), [&](const case_files& f) { return f.id == id; }))
      c.findings.push_back(
          {finding::level::error, label,
           text("is a label without images: imagesTr holds no ", id, "_0000", ending, " or other modality of it"), id});
  for (case_files& files : images) {
    const auto label = labels.find(files.id);
    c.training.push_back({std::move(files), label == labels.end() ? image_source() : image_source(label->second)});
  }
  return c;
}
#endif

/// Lists the cases of an nnU-Net raw folder and splits them. @throws as `list_nnunet_raw` and `apply_split`
[[nodiscard]] inline cohort read_nnunet_raw(const std::filesystem::path& folder, const cohort_split& split = {}) {
  return apply_split(list_nnunet_raw(folder), split);
}

/// The `cohort_reader` of nnU-Net raw folders.
struct nnunet_raw_reader {
  std::filesystem::path folder;

  [[nodiscard]] static constexpr std::string_view layout() { return "nnunet-raw"; }
  /// A folder with dataset.json and imagesTr.
  [[nodiscard]] static bool recognises(const std::filesystem::path& path) {
    return std::filesystem::is_regular_file(path / "dataset.json") && std::filesystem::is_directory(path / "imagesTr");
  }
  /// @throws as `list_nnunet_raw`
  [[nodiscard]] cohort_listing list() const { return list_nnunet_raw(folder); }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
