// SPDX-License-Identifier: Apache-2.0
/// @file
/// Files that the system maps into memory, read-only: pages come when they are touched and take no memory of their own.
#ifndef COMODAL_DATA_MAPPED_FILE_HPP
#define COMODAL_DATA_MAPPED_FILE_HPP

#include <comodal/data/file.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>

namespace comodal::inline COMODAL_CONFIG {

/// A whole file, mapped read-only until the object ends. A file that another program cuts short meanwhile ends this one
/// (SIGBUS), so map only files that nobody changes.
class mapped_file {
 public:
  /// @throws io_error if the file cannot be opened or mapped, or is no regular file
  explicit mapped_file(const std::filesystem::path& path) {
    expect_regular_file(path);
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw io_error(text(path.string(), ": cannot be opened (", std::strerror(errno), ")"));
    struct stat status{};
    const bool regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    m_size = regular ? static_cast<std::size_t>(status.st_size) : 0;
    void* const mapped = m_size > 0 ? ::mmap(nullptr, m_size, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
    const int reason = errno;
    ::close(file);
    if (!regular) throw io_error(text(path.string(), ": is no regular file, which alone can be mapped"));
    if (mapped == MAP_FAILED) throw io_error(text(path.string(), ": cannot be mapped (", std::strerror(reason), ")"));
    m_data = mapped;
  }
  ~mapped_file() {
    if (m_data) ::munmap(m_data, m_size);
  }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;

  [[nodiscard]] std::span<const unsigned char> bytes() const {
    return {static_cast<const unsigned char*>(m_data), m_size};
  }

 private:
  void* m_data = nullptr;
  std::size_t m_size = 0;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
