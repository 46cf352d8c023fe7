// SPDX-License-Identifier: Apache-2.0
/// @file
/// A verb's observer on a terminal, and how Ctrl-C stops a verb.
#ifndef COMODAL_CLI_CONSOLE_HPP
#define COMODAL_CLI_CONSOLE_HPP

#include <comodal/app/observer.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

/// One line on stderr that is rewritten in place: units, values, time left. Silent when stderr is no terminal.
class progress_line {
 public:
  progress_line() : m_visible(::isatty(STDERR_FILENO) == 1), m_start(std::chrono::steady_clock::now()) {}
  ~progress_line() { clear(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  void show(const app::work_progress& at) {
    if (!m_visible || at.done <= at.first) return;
    const double passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count();
    const auto here = static_cast<double>(at.done - at.first), rest = static_cast<double>(at.total - at.done);
    const int left = static_cast<int>(passed / here * rest);
    constexpr int width = 30;
    std::string bar(static_cast<std::size_t>(width), '.');
    std::fill_n(bar.begin(), static_cast<int>(at.done * width / std::max<index>(at.total, 1)), '#');
    std::fprintf(stderr, "\r\033[K[%s] %ld/%ld", bar.c_str(), static_cast<long>(at.done), static_cast<long>(at.total));
    for (const auto& [name, value] : at.values) std::fprintf(stderr, "  %s %.5g", name.c_str(), value);
    std::fprintf(stderr, "  %.2f s per %s  %d:%02d left  ", passed / here, at.unit.c_str(), left / 60, left % 60);
    m_shown = true;
  }
  /// Leaves the line free for other output.
  void clear() {
    if (m_shown) std::fputs("\r\033[K", stderr);
    m_shown = false;
  }

 private:
  bool m_visible, m_shown = false;
  std::chrono::steady_clock::time_point m_start;
};

/// Warnings and notes on stderr, a progress line where it is a terminal. The line is cleared with the last copy.
[[nodiscard]] inline app::observer console_observer() {
  const auto line = std::make_shared<progress_line>();
  const auto print = [line](const char* kind, const std::string& words) {
    line->clear();
    std::fprintf(stderr, "%s%s\n", kind, words.c_str());
  };
  return {[print](const std::string& words) { print("warning: ", words); },
          [print](const std::string& words) { print("", words); },
          [line](const app::work_progress& at) { line->show(at); },
          {}};
}

/// While it lives, the first Ctrl-C or SIGTERM does not end the process but is remembered; a second one ends it.
class stop_signals {
 public:
  stop_signals() {
    asked() = 0;
    std::signal(SIGINT, remember);
    std::signal(SIGTERM, remember);
  }
  ~stop_signals() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;
  [[nodiscard]] static bool came() { return asked() != 0; }

 private:
  static volatile std::sig_atomic_t& asked() {
    static volatile std::sig_atomic_t value = 0;
    return value;
  }
  static void remember(int which) {
    asked() = 1;
    std::signal(which, SIG_DFL);
    static constexpr char words[] = "\nstopping at the next step or case; again: stop at once\n";
    if (::write(STDERR_FILENO, words, sizeof words - 1) < 0) return;  // nobody reads: the request stands all the same
  }
};

/// The same, and Ctrl-C stops the verb. From the first question on: until then a signal ends the process, as nothing is
/// written yet.
[[nodiscard]] inline app::observer interruptible_observer() {
  auto watch = console_observer();
  watch.cancelled = [signals = std::make_shared<std::optional<stop_signals>>()] {
    if (!*signals) signals->emplace();
    return stop_signals::came();
  };
  return watch;
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
