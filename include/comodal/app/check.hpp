// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `check`: every fault of a data set.
#ifndef COMODAL_APP_CHECK_HPP
#define COMODAL_APP_CHECK_HPP

#include <comodal/app/observer.hpp>
#include <comodal/data/check.hpp>
#include <comodal/data/reader_registry.hpp>
#include <comodal/data/split.hpp>

#include <exception>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// Reads every file of a data set. @return everything that is wrong with it (errors) or worth a look (warnings)
/// @param resample_to the modality whose grid the others are resampled to; empty: they must share one
/// @throws config_error if no reader recognises the folder, or it has no such modality
[[nodiscard]] inline std::vector<finding> check_data(const std::filesystem::path& folder,
                                                     const reader_registry& readers = reader_registry::built_in(),
                                                     const std::string& resample_to = "") {
  (void)readers.layout_of(folder, "folder");
  cohort data;
  try {
    data = apply_split(readers.list(folder, "folder"));
  } catch (const std::exception& failure) {
    return findings_of(folder, failure);
  }
  return check_cohort(data, number_of_modality(data.modalities, resample_to, "--resample-to"));
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
