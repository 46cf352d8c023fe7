// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which cases a folder of images, or one image, names.
#ifndef COMODAL_APP_IMAGES_TO_PREDICT_HPP
#define COMODAL_APP_IMAGES_TO_PREDICT_HPP

#include <comodal/app/observer.hpp>
#include <comodal/app/predictions.hpp>
#include <comodal/core/nearest_name.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/data/nnunet_raw.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// The cases of a folder of images, and what is wrong with single files of them.
struct images_of_cases {
  std::vector<case_files> cases;
  std::vector<finding> faults;  // errors, each with its case
};

// The case that an image of it stands for: CASE of CASE_0000.nii.gz; empty if it is not named so.
inline std::string case_of_image(const std::filesystem::path& file) {
  std::string name = file.filename().string();
  for (const std::string ending : {".nii.gz", ".nii"}) {
    if (!name.ends_with(ending)) continue;
    name.resize(name.size() - ending.size());
    if (name.size() < 6 || name[name.size() - 5] != '_' ||
        name.find_first_not_of("0123456789", name.size() - 4) != std::string::npos)
      return {};
    return name.substr(0, name.size() - 5);
  }
  return {};
}

/// Refuses images of a data set whose modalities are not the model's: a number would stand for another sequence.
/// @param images a folder of images or one image; dataset.json is looked for beside the folder
/// @throws config_error naming both lists; a dataset.json without a list of modalities says nothing
inline void refuse_other_modalities(const std::filesystem::path& images, const std::vector<std::string>& expected) {
  auto folder = std::filesystem::absolute(images);
  if (std::filesystem::is_regular_file(folder)) folder = folder.parent_path();
  const auto dataset = (folder / "").parent_path().parent_path() / "dataset.json";
  std::vector<std::string> found;
  try {
    if (std::filesystem::is_regular_file(dataset)) found = detail::channel_names(read_json(dataset), dataset.string());
  } catch (const io_error&) {
  }
  if (found.empty() || found == expected) return;
  throw config_error(text(dataset.string(), ": the images beside it have the modalities ", joined(found),
                          ", the model expects ", joined(expected),
                          " in this order; number the files so, or correct the names in dataset.json"));
}

/// The cases of a folder of images; of one image, its case with all modalities that lie beside it.
/// @param ids the cases that are wanted; empty: all
/// @throws io_error for a folder without images; config_error for an id that it does not have
[[nodiscard]] inline images_of_cases images_to_predict(const std::filesystem::path& images, std::size_t modalities,
                                                       std::vector<std::string> ids, const app::observer& watch) {
  std::filesystem::path folder = images;
  if (std::filesystem::is_regular_file(images)) {
    const std::string id = case_of_image(images);
    if (id.empty())
      throw io_error(
          text(images.string(),
               ": expected a folder of images, or an image named CASE_0000.nii.gz (its number is the modality's)"));
    if (!ids.empty() && ids != std::vector{id})
      throw config_error(
          text("cases: ", images.string(), " is an image of case ", id, "; name its folder to segment others"));
    ids = {id};
    folder = images.has_parent_path() ? images.parent_path() : std::filesystem::path(".");
  }
  if (!std::filesystem::is_directory(folder))
    throw io_error(
        text(folder.string(), ": there is no such folder of images",
             folder.string().ends_with(".nii") || folder.string().ends_with(".nii.gz") ? ", and no such image" : ""));
  if (std::filesystem::exists(folder / "dataset.json") && std::filesystem::is_directory(folder / "imagesTr"))
    throw io_error(text(folder.string(), ": is a data set; name one of its folders of images, such as ",
                        (folder / "imagesTs").string()));
  if (const auto whole = (std::filesystem::absolute(folder) / "").parent_path();
      whole.filename().string().starts_with("labels") && std::filesystem::exists(whole.parent_path() / "dataset.json"))
    throw io_error(text(folder.string(), ": is the folder of labels of a data set; name its images, such as ",
                        (whole.parent_path() / "imagesTs").string()));
  std::vector<finding> findings;
  const std::string ending = volume_ending(folder);
  images_of_cases found;
  found.cases = read_nnunet_images(folder, modalities, ending, findings);
  watch.warn(findings);
  std::vector<finding> of_folder;
  for (auto& one : findings)
    if (one.severity == finding::level::error) (one.case_id.empty() ? of_folder : found.faults).push_back(one);
  refuse_errors(of_folder);
  if (found.cases.empty() && found.faults.empty())
    throw io_error(text(folder.string(), ": holds no image CASE_0000", ending, " ... CASE_",
                        modality_number(modalities - 1), ending));
  if (ids.empty()) return found;
  std::vector<std::string> known;
  for (const auto& one : found.cases) known.push_back(one.id);
  for (const auto& id : ids)
    if (!known.empty() && std::find(known.begin(), known.end(), id) == known.end())
      throw config_error(text("cases: ", folder.string(), " has no case '", readable_name(id), "'; did you mean '",
                              readable_name(nearest_name(id, known)), "'?"));
  const auto unwanted = [&](const std::string& id) { return std::find(ids.begin(), ids.end(), id) == ids.end(); };
  std::erase_if(found.cases, [&](const case_files& one) { return unwanted(one.id); });
  std::erase_if(found.faults, [&](const finding& one) { return unwanted(one.case_id); });
  return found;
}

/// All cases of a folder of images. @throws as above, and io_error with the lines of all files that are wrong
[[nodiscard]] inline std::vector<case_files> images_to_predict(const std::filesystem::path& images,
                                                               std::size_t modalities, const app::observer& watch) {
  auto found = images_to_predict(images, modalities, {}, watch);
  refuse_errors(found.faults);
  return std::move(found.cases);
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
