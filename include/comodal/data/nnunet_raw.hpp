// SPDX-License-Identifier: Apache-2.0
/// @file
/// nnU-Net raw folders (version 2): dataset.json, imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz, imagesTs; or files
/// anywhere, listed under "dataset". An image without a label is an unlabelled case; an absent file is an absent
/// modality.
#ifndef COMODAL_DATA_NNUNET_RAW_HPP
#define COMODAL_DATA_NNUNET_RAW_HPP

#include <comodal/data/cohort_reader.hpp>
#include <comodal/data/dataset_json.hpp>
#include <comodal/data/folder.hpp>
#include <comodal/data/split.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// A modality's number as files are named: "0002".
[[nodiscard]] inline std::string modality_number(std::size_t m) { return std::to_string(10000 + m).substr(1); }

namespace detail {

// A case without its first modality, and beside it cases of longer names: HEAD_0001.nii.gz beside HEAD_0002_0000.nii.gz
// may be the case HEAD_0001 without its _0000.
inline void doubt_name_of(const case_files& files, const std::map<std::string, case_files>& all,
                          const std::string& ending, std::vector<finding>& findings) {
  const std::string stem = files.id + "_";
  const auto longer = all.upper_bound(stem);
  if (longer == all.end() || !longer->first.starts_with(stem) || files.present(0)) return;
  for (const image_source& image : files.images) {
    if (image.path.empty()) continue;
    const std::string name = image.path.filename().string();
    findings.push_back({finding::level::warning, image.path,
                        text("is taken for a scan of a case '", readable_name(files.id), "', beside the case '",
                             readable_name(longer->first), "'; if it is a case of its own, call it ",
                             readable_name(name.substr(0, name.size() - ending.size())), "_0000", ending),
                        files.id});
    return;
  }
}

// What a folder has in place of images, for a message; empty if it has no file.
inline std::string instead_of_images(const std::filesystem::path& folder, const std::string& ending) {
  const auto files = visible_entries(folder);
  if (files.empty()) return "; it is empty";
  const std::string name = files.front().filename().string();
  const bool volume = name.ends_with(ending) && name.size() > ending.size();
  return text("; it has ", readable_name(name),
              volume ? text(", which would be ", readable_name(name.substr(0, name.size() - ending.size())), "_0000",
                            ending, " if it is a case with one scan")
                     : std::string());
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
                               " modalities are declared, from 0000 on; leave the file out, or declare it. If ", digits,
                               " belongs to the name of the case, call the file ", id, "_", digits, "_0000", ending),
                          id});
      continue;
    }
    entry.images[channel] = file;
  }
  std::vector<case_files> out;
  for (auto& [id, files] : cases) {
    detail::doubt_name_of(files, cases, ending, findings);
    out.push_back(std::move(files));
  }
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

// The cases under "dataset": {"CASE": {"images": ["a.nii.gz", ...], "label": "b.nii.gz"}}, paths relative to the file's
// folder; null stands for an absent modality.
inline std::vector<listed_case> listed_by_path(const nlohmann::ordered_json& cases, const std::filesystem::path& file,
                                               std::size_t modalities) {
  if (!cases.is_object() || cases.empty())
    throw io_error(text(file.string(), ": \"dataset\" must be an object of cases, {\"CASE\": {\"images\": [\"",
                        "CASE_0000.nii.gz\", ...], \"label\": \"CASE.nii.gz\"}}"));
  std::vector<listed_case> out;
  for (const auto& entry : cases.items()) {
    const std::string what = text(file.string(), ": \"dataset\": \"", readable_name(entry.key()), "\"");
    check_case_id(entry.key(), what);
    const auto& images = json_entry(entry.value(), "images", what);
    if (!images.is_array() || images.size() != modalities)
      throw io_error(text(what, ": \"images\" must be a list of ", modalities, " files, one per modality"));
    listed_case one{{entry.key(), std::vector<image_source>(modalities)}, {}};
    for (std::size_t m = 0; m < modalities; ++m)
      if (!images[m].is_null())
        one.files.images[m] = file.parent_path() / json_value<std::string>(images[m], text(what, ": an image"));
    if (entry.value().contains("label") && !entry.value()["label"].is_null())
      one.label = file.parent_path() / json_value<std::string>(entry.value(), "label", what);
    out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.files.id < b.files.id; });
  return out;
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
    c.ignored = detail::ignored_value(json, c.labels, file.string());
  });
  read([&] {
    if (!json.contains("file_ending"))
      throw io_error(
          text(file.string(), ": has no \"file_ending\"; expected \"file_ending\": \".nii.gz\", or \".nii\""));
    if (ending != ".nii.gz" && ending != ".nii")
      throw io_error(text(file.string(), ": \"file_ending\" is \"", ending, "\", expected \".nii.gz\" or \".nii\""));
  });
  if (!lines.empty()) throw io_error(lines);

  if (std::filesystem::is_directory(folder / "imagesTs"))
    c.test = read_nnunet_images(folder / "imagesTs", c.modalities.size(), ending, c.findings);
  if (json.contains("dataset")) {
    c.training = detail::listed_by_path(json["dataset"], file, c.modalities.size());
    return c;
  }
  auto images = read_nnunet_images(folder / "imagesTr", c.modalities.size(), ending, c.findings);
  if (images.empty())
    throw io_error(text((folder / "imagesTr").string(), ": holds no image named CASE_0000", ending,
                        detail::instead_of_images(folder / "imagesTr", ending)));
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
  for (const auto& [label_id, label] : labels) {
    const auto& id = label_id;  // clang before 19 cannot capture a structured binding in a unit with OpenMP
    if (std::none_of(images.begin(), images.end(), [&](const case_files& f) { return f.id == id; }))
      c.findings.push_back(
          {finding::level::error, label,
           text("is a label without images: imagesTr holds no ", id, "_0000", ending, " or other modality of it"), id});
  }
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
  /// A folder with dataset.json, and imagesTr or a list of cases in the file.
  [[nodiscard]] static bool recognises(const std::filesystem::path& path) {
    if (!std::filesystem::is_regular_file(path / "dataset.json")) return false;
    if (std::filesystem::is_directory(path / "imagesTr")) return true;
    const auto json = json_or_nothing(path / "dataset.json");
    return json.is_object() && json.contains("dataset");
  }
  /// @throws as `list_nnunet_raw`
  [[nodiscard]] cohort_listing list() const { return list_nnunet_raw(folder); }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
