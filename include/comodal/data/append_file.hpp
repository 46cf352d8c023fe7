// SPDX-License-Identifier: Apache-2.0
/// @file
/// Files that grow at their end, as logs do.
#ifndef COMODAL_DATA_APPEND_FILE_HPP
#define COMODAL_DATA_APPEND_FILE_HPP

#include <comodal/core/error.hpp>
#include <comodal/data/file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// A file that words are added to. What the disk does not take at once is kept, and written with what comes next: a
/// disk that is full for a moment loses nothing.
class append_file {
 public:
  /// @throws io_error if the file cannot be opened or made
  explicit append_file(std::filesystem::path path)
      : m_path(std::move(path)), m_descriptor(::open(m_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666)) {
    if (m_descriptor < 0) data_detail::refuse_write(m_path, errno);
    if (const off_t end = ::lseek(m_descriptor, 0, SEEK_END); end > 0) m_size = end;
  }
  ~append_file() { ::close(m_descriptor); }
  append_file(const append_file&) = delete;
  append_file& operator=(const append_file&) = delete;

  /// Bytes that are written.
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(m_size); }
  /// Adds words. @return true if all words so far are in the file
  bool write(std::string_view words) {
    m_pending += words;
    return flush();
  }
  /// Tries to write what is kept. @return true if nothing is left
  bool flush() {
    while (!m_pending.empty()) {
      const ssize_t count = ::pwrite(m_descriptor, m_pending.data(), m_pending.size(), m_size);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        m_reason = count < 0 ? errno : ENOSPC;
        return false;
      }
      m_size += count;
      m_pending.erase(0, static_cast<std::size_t>(count));
    }
    return true;
  }
  /// Why the last write failed, with the file's name.
  [[nodiscard]] std::string problem() const {
    return text(m_path.string(), ": cannot be written (", std::strerror(m_reason), ")");
  }

 private:
  std::filesystem::path m_path;
  int m_descriptor;
  off_t m_size = 0;
  std::string m_pending;
  int m_reason = 0;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
