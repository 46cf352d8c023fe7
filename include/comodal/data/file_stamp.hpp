// SPDX-License-Identifier: Apache-2.0
/// @file
/// Whether the files of a case are those of an earlier call.
#ifndef COMODAL_DATA_FILE_STAMP_HPP
#define COMODAL_DATA_FILE_STAMP_HPP

#include <comodal/data/cohort.hpp>

#include <filesystem>
#include <string>
#include <system_error>

namespace comodal::inline COMODAL_CONFIG {

/// Size and time of every image of a case, as words: others after a change.
[[nodiscard]] inline std::string stamp_of(const case_files& files) {
  std::string stamp;
  for (const auto& image : files.images) {
    stamp += ";";
    if (image.path.empty()) continue;
    std::error_code ignored;
    stamp += text(std::filesystem::file_size(image.path, ignored), " ",
                  std::filesystem::last_write_time(image.path, ignored).time_since_epoch().count());
  }
  return stamp;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
