// SPDX-License-Identifier: Apache-2.0
/// @file
/// Whole files, and writes that never leave half a file behind.
#ifndef COMODAL_DATA_FILE_HPP
#define COMODAL_DATA_FILE_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/machine_memory.hpp>
#include <comodal/data/folder.hpp>
#include <comodal/data/gzip.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Says in words why a path is no file that can be read: missing, a link to nothing, a folder, a pipe.
/// @throws io_error unless it is a regular file, or a link to one; a pipe is never opened
inline void expect_regular_file(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code failure;
  const auto kind = fs::status(path, failure).type();
  if (kind == fs::file_type::regular) return;
  std::error_code unknown;
  if (kind == fs::file_type::not_found && fs::is_symlink(path, unknown))
    throw io_error(text(path.string(), ": is a link to ", fs::read_symlink(path, unknown).string(),
                        ", which does not exist; fetch its content (git annex, DataLad), or copy the file here"));
  if (kind == fs::file_type::not_found) throw io_error(text(path.string(), ": there is no such file"));
  if (kind == fs::file_type::directory) throw io_error(text(path.string(), ": is a folder, expected a file"));
  if (kind == fs::file_type::none || kind == fs::file_type::unknown)
    throw io_error(text(path.string(), ": cannot be opened (", failure.message(), ")"));
  throw io_error(text(path.string(), ": is a pipe, a socket or a device, expected a file"));
}

/// Reads a file as it is. @throws io_error if it is missing, no regular file or unreadable
[[nodiscard]] byte_buffer read_file(const std::filesystem::path& path);
#if COMODAL_BODIES
COMODAL_ONCE byte_buffer read_file(const std::filesystem::path& path) {
  expect_regular_file(path);
  std::error_code failure;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) throw io_error(text(path.string(), ": cannot be opened (", std::strerror(errno), ")"));
  const auto size = std::filesystem::file_size(path, failure);
  byte_buffer bytes(failure ? 0 : static_cast<std::size_t>(size));
  const std::size_t got = bytes.empty() ? 0 : std::fread(bytes.data(), 1, bytes.size(), file.get());
  if (failure || got != bytes.size())
    throw io_error(text(path.string(), ": cannot be read to its end (", got, " bytes came)"));
  return bytes;
}
#endif

namespace data_detail {

// Brings a renamed entry to the disk, where the file system can do that.
inline void sync_folder(const std::filesystem::path& folder) {
  const int opened = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return;
  (void)::fsync(opened);
  ::close(opened);
}

}  // namespace data_detail

/// Where a file that is written stands: behind links, which stay what they are.
/// @throws io_error if no file can be written there: something else than a file is in its place, or the folder is
/// missing
[[nodiscard]] std::filesystem::path output_place(const std::filesystem::path& path);
#if COMODAL_BODIES
COMODAL_ONCE std::filesystem::path output_place(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  const auto refuse = [&](const auto&... why) { throw io_error(text(path.string(), ": cannot be written: ", why...)); };
  if (path.empty()) throw io_error("a file to write has no name; name a file");
  std::error_code failure, none;
  const auto kind = fs::status(path, failure).type();
  if (kind == fs::file_type::directory) refuse("it is a folder; name a file");
  if (kind != fs::file_type::regular && kind != fs::file_type::not_found)
    refuse(kind == fs::file_type::none ? failure.message() + "; name another place"
                                       : "it is a pipe, a socket or a device; name a file");
  fs::path place = path;
  for (int links = 0; links < 40 && fs::is_symlink(place, none); ++links) {
    const auto target = fs::read_symlink(place, none);
    place = target.is_absolute() ? target : place.parent_path() / target;
  }
  if (!place.has_filename()) refuse("its name ends in a slash; name a file");
  const auto folder = place.has_parent_path() ? place.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, none))
    refuse("there is no folder ", folder.string(), "; make it, or name another place");
  return place;
}
#endif

namespace data_detail {

// What a failed write is: a disk's fault, or a place that cannot be written.
[[noreturn]] inline void refuse_write(const std::filesystem::path& path, int reason) {
  const std::string words = text(path.string(), ": cannot be written (", std::strerror(reason), ")");
  if (reason == ENOSPC || reason == EDQUOT || reason == EIO || reason == EFBIG)
    throw disk_error(text(words, reason == EIO ? "" : "; make room"));
  throw io_error(words + "; name another place");
}

}  // namespace data_detail

/// A file that is written piece by piece and appears in one step: to a temporary file `NAME.partial-...` beside it,
/// synced, then renamed, and the folder is synced. A reader sees the old file or the new one, after a power failure
/// too. A link is written through. Without `commit` nothing is left.
class output_file {
 public:
  /// @throws io_error as `output_place`; disk_error if the disk refuses
  explicit output_file(std::filesystem::path path) : m_path(std::move(path)), m_place(output_place(m_path)) { open(); }
  ~output_file() {
    if (m_file == nullptr) return;
    std::fclose(m_file);
    std::remove(m_partial.c_str());
  }
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;

  /// Adds bytes. @throws disk_error, io_error if they cannot be written
  void add(std::span<const unsigned char> bytes) {
    if (!bytes.empty() && std::fwrite(bytes.data(), 1, bytes.size(), m_file) != bytes.size())
      data_detail::refuse_write(m_path, errno);
  }
  /// Puts the file in its place. @throws disk_error, io_error if that fails: then nothing is there
  void commit() {
    bool good = std::fflush(m_file) == 0 && ::fsync(::fileno(m_file)) == 0;
    int reason = good ? 0 : errno;
    if (std::fclose(std::exchange(m_file, nullptr)) != 0 && good) good = false, reason = errno;
    if (good && std::rename(m_partial.c_str(), m_place.c_str()) != 0) good = false, reason = errno;
    if (good) return data_detail::sync_folder(m_place.parent_path());
    std::remove(m_partial.c_str());
    data_detail::refuse_write(m_path, reason);
  }

 private:
  void open();

  std::filesystem::path m_path, m_place, m_partial;
  std::FILE* m_file = nullptr;
};
#if COMODAL_BODIES
COMODAL_ONCE void output_file::open() {
  static std::atomic<unsigned> number{0};
  // A killed program leaves its temporary file behind, and in a container the next one may have the same process
  // number.
  for (int tries = 0; m_file == nullptr && (tries == 0 || (errno == EEXIST && tries < 1000)); ++tries) {
    m_partial = m_place.parent_path() / text(partial_mark(m_place.filename().string()), ::getpid(), "-", number++);
    m_file = std::fopen(m_partial.c_str(), "wbx");
  }
  if (m_file == nullptr) data_detail::refuse_write(m_path, errno);
}
#endif

/// Writes a file in one step, as an `output_file`. @throws as it does
inline void write_file(const std::filesystem::path& path, std::span<const unsigned char> bytes) {
  output_file file(path);
  file.add(bytes);
  file.commit();
}

/// Refuses to replace a file that this program did not write.
/// @param mark words that stand in the first 4096 bytes of every file of that kind @param by what writes such files
/// @throws config_error if there is another file; io_error as `output_place`
inline void refuse_foreign_output(const std::filesystem::path& path, std::string_view mark, std::string_view by) {
  const auto place = output_place(path);
  if (std::error_code none; !std::filesystem::exists(place, none) || std::filesystem::file_size(place, none) == 0)
    return;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(place.c_str(), "rb"), &std::fclose);
  std::string front(4096, '\0');
  front.resize(file ? std::fread(front.data(), 1, front.size(), file.get()) : 0);
  if (front.find(mark) == std::string::npos)
    throw config_error(
        text(path.string(), ": is a file that `", by, "` did not write; name another, or remove it first"));
}

/// Writes text as `write_file` does. @throws as `write_file`
inline void write_text(const std::filesystem::path& path, std::string_view words) {
  write_file(path, {reinterpret_cast<const unsigned char*>(words.data()), words.size()});
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
