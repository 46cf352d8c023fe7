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
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// Reads every file of a data set. @return everything that is wrong with it (errors) or worth a look (warnings)
/// @throws config_error if no reader recognises the folder
[[nodiscard]] inline std::vector<finding> check_data(const std::filesystem::path& folder,
                                                     const reader_registry& readers = reader_registry::built_in()) {
  (void)readers.layout_of(folder, "folder");
  try {
    return check_cohort(apply_split(readers.list(folder, "folder")));
  } catch (const std::exception& failure) {
    return findings_of(folder, failure);
  }
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
