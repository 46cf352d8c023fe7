// SPDX-License-Identifier: Apache-2.0
/// @file
/// A lock that keeps a folder to one process.
#ifndef COMODAL_CORE_FILE_LOCK_HPP
#define COMODAL_CORE_FILE_LOCK_HPP

#include <comodal/core/error.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// A lock on a file, on one machine or on a file system that knows flock. The kernel gives it back when the process
/// ends, however it ends. Where the file system knows no locks everybody has it: see `works`.
class file_lock {
 public:
  /// Alone: nobody else has it; shared: others may share it, too.
  enum class kind { alone, shared };

  /// Tries to take the lock, without waiting; makes the file unless it exists.
  /// @throws io_error if the file cannot be made or locked
  explicit file_lock(const std::filesystem::path& file, kind wanted = kind::alone) : m_file(file) {
    open();
    take(wanted, LOCK_NB);
  }
  ~file_lock() {
    if (m_descriptor >= 0) ::close(m_descriptor);
  }
  file_lock(const file_lock&) = delete;
  file_lock& operator=(const file_lock&) = delete;

  /// Takes the lock as soon as nobody else has it. @throws as the constructor that does not wait
  static std::unique_ptr<file_lock> waiting(const std::filesystem::path& file, kind wanted = kind::alone) {
    auto lock = std::make_unique<file_lock>(file, wanted);
    if (!lock->taken()) lock->wait(wanted);
    return lock;
  }
  /// False: another process has it.
  [[nodiscard]] bool taken() const { return m_taken; }
  /// False: the file system knows no locks, so that nothing keeps others away.
  [[nodiscard]] bool works() const { return m_works; }
  /// Waits until the lock is taken; one that is held alone may become shared. @throws io_error if the kernel refuses
  void wait(kind wanted = kind::alone) { take(wanted, 0); }

 private:
  void open() {
    m_descriptor = ::open(m_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (m_descriptor < 0) throw io_error(text(m_file.string(), ": cannot be made (", std::strerror(errno), ")"));
  }
  // A file that somebody removed meanwhile locks nobody out: then the new one is taken.
  void take(kind wanted, int flags) {
    for (;;) {
      int state = -1;
      do state = ::flock(m_descriptor, (wanted == kind::alone ? LOCK_EX : LOCK_SH) | flags);
      while (state != 0 && errno == EINTR);
      if (state != 0) {
        const int reason = errno;
        m_taken = false;
        if (reason == EWOULDBLOCK) return;
        m_works = reason != ENOSYS && reason != EOPNOTSUPP && reason != ENOLCK;
        m_taken = !m_works;
        if (m_taken) return;
        ::close(std::exchange(m_descriptor, -1));
        throw io_error(text(m_file.string(), ": cannot be locked (", std::strerror(reason), ")"));
      }
      struct stat mine{}, there{};
      m_taken = true;
      if (::fstat(m_descriptor, &mine) != 0 || (::stat(m_file.c_str(), &there) == 0 && mine.st_ino == there.st_ino))
        return;
      ::close(std::exchange(m_descriptor, -1));
      open();
    }
  }

  std::filesystem::path m_file;
  int m_descriptor = -1;
  bool m_taken = false, m_works = true;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
