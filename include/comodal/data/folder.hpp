// SPDX-License-Identifier: Apache-2.0
/// @file
/// Folders: making them, listing them, and cleaning up behind a program that was killed while it wrote.
#ifndef COMODAL_DATA_FOLDER_HPP
#define COMODAL_DATA_FOLDER_HPP

#include <comodal/core/error.hpp>

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Makes a folder, and those that it lies in, unless it exists. @throws io_error naming it if that fails
inline void make_folder(const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  std::error_code unknown;
  if (std::filesystem::is_directory(folder, unknown)) return;
  if (failure == std::errc::no_space_on_device || failure == std::errc::io_error || failure.value() == EDQUOT)
    throw disk_error(text(folder.string(), ": this folder cannot be made (", failure.message(), "); make room"));
  throw io_error(text(folder.string(), ": this folder cannot be made (",
                      failure ? failure.message() : "a file stands in its place", "); name another place"));
}

/// Refuses a folder that could not be made or written to, and makes nothing. @throws io_error naming it
inline void expect_writable(const std::filesystem::path& folder) {
  std::error_code failure;
  auto there = std::filesystem::absolute(folder, failure);
  while (!std::filesystem::exists(there, failure) && there.has_relative_path())
    there = (there / "").parent_path().parent_path();
  const char* why = nullptr;
  if (!std::filesystem::is_directory(there, failure)) {
    why = "is no folder";
  } else if (std::filesystem::is_symlink(folder, failure) && !std::filesystem::exists(folder, failure)) {
    why = "a link to nothing stands in its place";
  } else {  // some places refuse for other reasons than their mode
    std::string probe = (there / ".comodal-XXXXXX").string();
    if (::mkdtemp(probe.data()) == nullptr)
      why = std::strerror(errno);
    else
      ::rmdir(probe.c_str());
  }
  if (why != nullptr)
    throw io_error(text(folder.string(), ": cannot be written (", there.string(), ": ", why, "); name another place"));
}

/// What a folder holds, sorted by name, without hidden entries: names that begin with a dot, such as `.DS_Store` and
/// the `._NAME` that macOS leaves beside every NAME. @throws io_error if it cannot be listed
[[nodiscard]] inline std::vector<std::filesystem::path> visible_entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  std::error_code failure;
  for (std::filesystem::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure))
    if (!at->path().filename().string().starts_with('.')) entries.push_back(at->path());
  if (failure) throw io_error(text(folder.string(), ": cannot be listed (", failure.message(), ")"));
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// How the names of temporary files of `write_file` begin: cut short, as a name has at most 255 bytes.
[[nodiscard]] inline std::string partial_mark(const std::string& name) { return name.substr(0, 200) + ".partial-"; }

/// Removes what `write_file` leaves in a folder if the program is killed in the middle of it: `NAME.partial-...`. Only
/// for files that no other process may be writing now.
/// @param name of the file; empty: all files of the folder
inline void remove_partial_files(const std::filesystem::path& folder, std::string_view name = {}) {
  std::error_code ignored;  // what cannot be removed does no harm
  const std::string mark = partial_mark(std::string(name));
  std::vector<std::filesystem::path> left;
  for (std::filesystem::directory_iterator at(folder, ignored), end; !ignored && at != end; at.increment(ignored)) {
    const std::string entry = at->path().filename().string();
    if (name.empty() ? entry.find(mark) != std::string::npos : entry.starts_with(mark)) left.push_back(at->path());
  }
  for (const auto& one : left) std::filesystem::remove(one, ignored);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
