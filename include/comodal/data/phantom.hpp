// SPDX-License-Identifier: Apache-2.0
/// @file
/// The phantom: cohorts of synthetic heads with lesions, four modalities each, in nnU-Net raw layout, from one seed.
#ifndef COMODAL_DATA_PHANTOM_HPP
#define COMODAL_DATA_PHANTOM_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/file.hpp>
#include <comodal/data/nifti_write.hpp>
#include <comodal/data/phantom_case.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
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
  visit_phantom_options(options, [&](std::string_view name, const auto& value, auto) {
    // Cohorts from before this option keep their bytes.
    if (name != "oedema_labelled" || options.oedema_labelled != 1) json["phantom"][std::string(name)] = value;
  });
  return json;
}

/// True if oedema is annotated in a labelled case: in the first of every 1 / `oedema_labelled`. Other cases do not
/// matter.
[[nodiscard]] inline bool phantom_oedema_labelled(const phantom_options& options, index number) {
  const auto until = [&](index n) { return std::ceil(static_cast<double>(n) * options.oedema_labelled - 1e-9); };
  return until(number + 1) > until(number);
}

namespace data_detail {

// Oedema that is not annotated, as background.
[[nodiscard]] inline label_volume without_oedema(label_volume labels) {
  std::replace(labels.values.begin(), labels.values.end(), std::uint8_t{2}, std::uint8_t{0});
  return labels;
}

// The file of partial labels of a cohort; an empty object if oedema is annotated everywhere.
[[nodiscard]] inline nlohmann::ordered_json phantom_partial_json(const phantom_options& options) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (index c = 0; c < options.labelled; ++c)
    if (!phantom_oedema_labelled(options, c))
      json[phantom_case_name(c)] = std::array{phantom_labels[1], phantom_labels[3]};
  return json;
}

inline void write_json(const std::filesystem::path& file, const nlohmann::ordered_json& json) {
  const std::string words = json.dump(2) + '\n';
  write_file(file, {reinterpret_cast<const unsigned char*>(words.data()), words.size()});
}

}  // namespace data_detail

/// Writes a cohort to `folder`, which must be new or empty: `imagesTr` (labelled, then unlabelled cases), `labelsTr`
/// (the labelled ones only), `imagesTs`, `labelsTs`, `dataset.json`, and `labelsUn`, the truth of the unlabelled cases
/// for experiments with all labels, which no reader of this layout opens. A missing modality is a file that is not
/// there; a labelled case has all of them. Where oedema is annotated in a part of the labelled cases
/// (`oedema_labelled`), it is background in the labels of the others, `partial.json` says so, and their whole truth is
/// in `labelsUn` too. The same bytes for every number of threads. @throws config_error for options that make no sense,
/// io_error if a file cannot be written
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
    const bool partial = labelled && !phantom_oedema_labelled(options, number);
    if (partial) write_nifti(folder / "labelsTr" / (name + ".nii.gz"), data_detail::without_oedema(made.labels));
    write_nifti(folder /
                    (test                   ? "labelsTs"
                     : labelled && !partial ? "labelsTr"
                                            : "labelsUn") /
                    (name + ".nii.gz"),
                made.labels);
  });
  data_detail::write_json(folder / "dataset.json", phantom_dataset_json(options, seed));
  if (const auto partial = data_detail::phantom_partial_json(options); !partial.empty())
    data_detail::write_json(folder / "partial.json", partial);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
