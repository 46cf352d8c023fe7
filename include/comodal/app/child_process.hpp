// SPDX-License-Identifier: Apache-2.0
/// @file
/// A program that runs beside this one, with its output in a file.
#ifndef COMODAL_APP_CHILD_PROCESS_HPP
#define COMODAL_APP_CHILD_PROCESS_HPP

#include <comodal/core/error.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

extern char** environ;

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// A child process in a process group of its own, so that a Ctrl-C of the terminal reaches this process alone, which
/// then decides. Its input is empty. The object stops the child and waits for it when it goes.
class child_process {
 public:
  /// @param program path of the program @param words its arguments, its name first
  /// @param log what the child prints is added to this file
  /// @throws io_error if it cannot be started
  child_process(const std::filesystem::path& program, const std::vector<std::string>& words,
                const std::filesystem::path& log) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    std::signal(SIGCHLD, SIG_DFL);  // where it is ignored, as some parents leave it, nobody learns that a child ended
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    ::posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int failure = ::posix_spawn(&m_id, program.c_str(), &files, &attributes, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    if (failure != 0)
      throw io_error(text(program.string(), ": cannot be started (", std::strerror(failure), "), with its output in ",
                          log.string()));
  }
  child_process(child_process&& other) noexcept : m_id(std::exchange(other.m_id, 0)), m_status(other.m_status) {}
  child_process& operator=(child_process&& other) noexcept {
    std::swap(m_id, other.m_id);
    std::swap(m_status, other.m_status);
    return *this;
  }
  ~child_process() {
    if (m_id == 0 || m_status) return;
    stop();
    int status = 0;
    while (::waitpid(m_id, &status, 0) < 0 && errno == EINTR) {
    }
  }

  /// The exit status once it has ended, 128 + the signal's number where a signal ended it; does not wait.
  [[nodiscard]] std::optional<int> status() {
    int status = 0;
    if (m_status) return m_status;
    const pid_t ended = ::waitpid(m_id, &status, WNOHANG);
    if (ended == m_id)
      m_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    else if (ended < 0 && errno != EINTR)
      m_status = 1;  // somebody else took the status
    return m_status;
  }
  /// Asks it to stop (SIGTERM).
  void stop() {
    if (!status()) ::kill(m_id, SIGTERM);
  }

 private:
  pid_t m_id = 0;
  std::optional<int> m_status;
};

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
