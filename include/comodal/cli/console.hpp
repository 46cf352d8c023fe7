// SPDX-License-Identifier: Apache-2.0
/// @file
/// A verb's observer on a terminal, and how Ctrl-C stops a verb.
#ifndef COMODAL_CLI_CONSOLE_HPP
#define COMODAL_CLI_CONSOLE_HPP

#include <comodal/app/observer.hpp>
#include <comodal/core/readable_name.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

namespace cli_detail {

// "1:02:03", "2:03": hours, minutes and seconds.
[[nodiscard]] inline std::string clock_time(double seconds) {
  const auto whole = static_cast<long>(std::min(seconds, 3.6e9));
  char words[48];
  if (whole >= 3600)
    std::snprintf(words, sizeof words, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(words, sizeof words, "%ld:%02ld", whole / 60, whole % 60);
  return words;
}

// What other programs do to a run on this machine; empty if they leave it alone. The load counts those of the whole
// machine, also where this process has a part of it.
[[nodiscard]] inline std::string words_of_load() {
  double load = 0;
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  if (::getloadavg(&load, 1) != 1 || cores < 1 || load < 0.5 * static_cast<double>(cores)) return {};
  return text("other programs had a load of ", std::round(10 * load) / 10, " on the ", counted(cores, "core"),
              " of this machine in the last minute: with them, steps take longer");
}
// Calls `tell` in front of the first note of `watch`: what is refused before needs no such words.
inline void before_first_note(app::observer& watch, std::function<void()> tell) {
  watch.note = [note = std::move(watch.note), tell = std::move(tell)](const std::string& line) mutable {
    if (const auto once = std::exchange(tell, {})) once();
    if (note) note(line);
  };
}

}  // namespace cli_detail

namespace cli {

/// True: verbs print no notes and no progress; warnings stay. Set by `--quiet`.
[[nodiscard]] inline bool& console_is_quiet() {
  static bool value = false;
  return value;
}

/// Words for a terminal: control characters, which a name may hold, become `\xHH`; lines stay.
[[nodiscard]] inline std::string printable(const std::string& words) {
  std::string out;
  for (const char c : words) {
    const auto code = static_cast<unsigned char>(c);
    if ((code >= 0x20 && code != 0x7F) || c == '\n' || c == '\t')
      out += c;
    else
      out += readable_name({&c, 1});
  }
  return out;
}

/// Units, values and time left on stderr: one line that is rewritten in place on a terminal, else one line each time.
class progress_line {
 public:
  progress_line() : m_terminal(::isatty(STDERR_FILENO) == 1), m_start(clock::now()) {}
  ~progress_line() { clear(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  void show(const app::work_progress& at) {
    if (at.done <= at.first) return;
    if (at.unit != m_last.unit || at.total != m_last.total || at.first != m_last.first || at.done <= m_last.done)
      m_start = m_told;  // other work: it began when the last was told
    m_last = at;
    m_told = clock::now();
    const double passed = std::chrono::duration<double>(clock::now() - m_start).count();
    const auto here = static_cast<double>(at.done - at.first), rest = static_cast<double>(at.total - at.done);
    std::string words = text(at.unit, " ", at.done, " of ", at.total);
    if (!at.name.empty()) words += text(" (", readable_name(at.name), ")");
    for (const auto& [name, value] : at.values) words += text(", ", name, " ", value);
    words += text(", ", rounded(passed / here), " s per ", at.unit, ", ", cli_detail::clock_time(passed / here * rest),
                  " left");
    if (m_terminal) {
      constexpr int width = 30;
      std::string bar(static_cast<std::size_t>(width), '.');
      std::fill_n(bar.begin(), static_cast<int>(at.done * width / std::max<index>(at.total, 1)), '#');
      std::fprintf(stderr, "\r\033[K[%s] %s  ", bar.c_str(), words.c_str());
    } else {
      std::fprintf(stderr, "%s\n", words.c_str());
    }
    m_shown = m_terminal;
  }
  /// Leaves the line free for other output.
  void clear() {
    if (m_shown) std::fputs("\r\033[K", stderr);
    m_shown = false;
  }

 private:
  using clock = std::chrono::steady_clock;

  static std::string rounded(double seconds) {
    char words[32];
    std::snprintf(words, sizeof words, seconds < 10 ? "%.2f" : "%.0f", seconds);
    return words;
  }
  bool m_terminal, m_shown = false;
  clock::time_point m_start, m_told = m_start;
  app::work_progress m_last{"", 0, -1, 0};
};

/// Warnings, notes and progress on stderr. A line that is rewritten is cleared with the last copy.
[[nodiscard]] inline app::observer console_observer() {
  const auto line = std::make_shared<progress_line>();
  const auto print = [line](const char* kind, const std::string& words) {
    line->clear();
    std::fprintf(stderr, "%s%s\n", kind, printable(words).c_str());
  };
  const auto warn = [print](const std::string& words) { print("warning: ", words); };
  if (console_is_quiet()) return {warn, {}, {}, {}};
  return {warn,
          [print](const std::string& words) { print("", words); },
          [line](const app::work_progress& at) { line->show(at); },
          {}};
}

/// Warnings on stderr, for verbs that take seconds.
[[nodiscard]] inline app::observer warning_observer() {
  auto watch = console_observer();
  watch.progress = {};
  return watch;
}

/// While it lives, the first Ctrl-C, SIGTERM or SIGHUP (a closed terminal) does not end the process but is remembered;
/// a second one ends it.
class stop_signals {
 public:
  stop_signals() {
    asked() = 0;
    std::signal(SIGINT, remember);
    std::signal(SIGTERM, remember);
    if (std::signal(SIGHUP, remember) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);  // nohup has its way
  }
  ~stop_signals() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    if (std::signal(SIGHUP, SIG_DFL) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
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
