// SPDX-License-Identifier: Apache-2.0
/// @file
/// The phantom: cohorts of synthetic heads with lesions, four modalities each, in nnU-Net raw layout, from one seed.
#ifndef COMODAL_DATA_PHANTOM_HPP
#define COMODAL_DATA_PHANTOM_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/file.hpp>
#include <comodal/data/nifti.hpp>
#include <comodal/data/phantom_case.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace comodal::inline COMODAL_CONFIG {

/// Number of the first test case: training cases count from 0, so that neither part changes when the other grows.
inline constexpr index phantom_first_test = 5000;

/// Name of a case in the files of a cohort, for example `phantom_0007`.
[[nodiscard]] inline std::string phantom_case_name(index number) {
  const std::string digits = std::to_string(number);
  return "phantom_" + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits;
}

/// The `dataset.json` of a cohort: channel names, labels, number of labelled cases, and under `phantom` the seed and
/// options.
[[nodiscard]] inline nlohmann::ordered_json phantom_dataset_json(const phantom_options& options, std::uint64_t seed) {
  nlohmann::ordered_json json;
  for (std::size_t m = 0; m < phantom_modality_count; ++m)
    json["channel_names"][std::to_string(m)] = phantom_modalities[m];
  for (std::size_t l = 0; l < phantom_labels.size(); ++l) json["labels"][std::string(phantom_labels[l])] = l;
  json["numTraining"] = options.labelled;
  json["file_ending"] = ".nii.gz";
  json["name"] = "comodal phantom";
  json["description"] =
      "Synthetic heads; cases of imagesTr without a file in labelsTr are unlabelled, their truth is in labelsUn";
  json["phantom"]["seed"] = seed;
  visit_phantom_options(options,
                        [&](std::string_view name, const auto& value) { json["phantom"][std::string(name)] = value; });
  return json;
}

/// Writes a cohort to `folder`, which must be new or empty: `imagesTr` (labelled, then unlabelled cases), `labelsTr`
/// (the labelled ones only), `imagesTs`, `labelsTs`, `dataset.json`, and `labelsUn`, the truth of the unlabelled cases
/// for experiments with all labels, which no reader of this layout opens. A missing modality is a file that is not
/// there; a labelled case has all of them. The same bytes for every number of threads. @throws config_error for options
/// that make no sense, io_error if a file cannot be written
inline void write_phantom_cohort(const std::filesystem::path& folder, const phantom_options& options,
                                 std::uint64_t seed) {
  check(options);
  namespace fs = std::filesystem;
  std::error_code failed;
  if (fs::exists(folder, failed) && (!fs::is_directory(folder, failed) || !fs::is_empty(folder, failed)))
    throw io_error(
        text(folder.string(), ": expected a new or empty folder for the phantom; choose another or empty this one"));
  for (const char* part : {"imagesTr", "labelsTr", "labelsUn", "imagesTs", "labelsTs"}) {
    fs::create_directories(folder / part, failed);
    if (failed) throw io_error(text((folder / part).string(), ": cannot make this folder: ", failed.message()));
  }
  const index training = options.labelled + options.unlabelled, all = training + options.test;
  host_tasks(all, [&](index c) {
    const bool labelled = c < options.labelled, test = c >= training;
    const index number = test ? phantom_first_test + c - training : c;
    const std::string name = phantom_case_name(number);
    const phantom_case made = make_phantom_case(options, seed, static_cast<std::uint32_t>(number));
    for (std::size_t m = 0; m < phantom_modality_count; ++m)
      if (labelled || made.present[m])
        write_nifti(folder / (test ? "imagesTs" : "imagesTr") / (name + "_000" + std::to_string(m) + ".nii.gz"),
                    made.images[m]);
    write_nifti(folder / (test ? "labelsTs" : labelled ? "labelsTr" : "labelsUn") / (name + ".nii.gz"), made.labels);
  });
  const std::string json = phantom_dataset_json(options, seed).dump(2) + '\n';
  write_file(folder / "dataset.json", {reinterpret_cast<const unsigned char*>(json.data()), json.size()});
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
