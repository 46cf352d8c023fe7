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

/// Size and time of a file, as words: others after a change. Empty for memory.
[[nodiscard]] inline std::string stamp_of(const image_source& source) {
  if (source.path.empty()) return {};
  std::error_code ignored;
  return text(std::filesystem::file_size(source.path, ignored), " ",
              std::filesystem::last_write_time(source.path, ignored).time_since_epoch().count());
}

/// The stamps of every image of a case.
[[nodiscard]] inline std::string stamp_of(const case_files& files) {
  std::string stamp;
  for (const auto& image : files.images) stamp += ";" + stamp_of(image);
  return stamp;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
