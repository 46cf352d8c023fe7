// SPDX-License-Identifier: Apache-2.0
/// @file
/// The log of a run, as CSV and JSON lines side by side, and the progress line on a terminal.
#ifndef COMODAL_TRAIN_LOG_HPP
#define COMODAL_TRAIN_LOG_HPP

#include <comodal/data/file.hpp>

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// One row of the log: the step it belongs to and its values by name.
struct log_row {
  std::uint32_t step = 0;
  std::vector<std::pair<std::string, double>> values;
};

/// `log.jsonl`, an object a row ({"step": 10, "loss": 1.5}), and `log.csv` in long form (step,name,value): rows of
/// different kinds need no common columns. A resumed run drops the rows behind its checkpoint first.
class training_log {
 public:
  /// @param from_step rows of this step and later are dropped from the files that exist
  /// @throws io_error if the files cannot be written
  training_log(const std::filesystem::path& folder, std::uint32_t from_step) {
    keep_before(folder / "log.jsonl", from_step, [](const std::string& line) {
      const auto row = nlohmann::json::parse(line, nullptr, false);
      return row.is_object() && row.contains("step") ? row["step"].get<std::int64_t>() : -1;
    });
    keep_before(folder / "log.csv", from_step, [](const std::string& line) {
      return line.rfind("step,", 0) == 0 ? std::int64_t{0}
                                         : (line.empty() ? -1 : std::strtoll(line.c_str(), nullptr, 10));
    });
    const bool fresh =
        !std::filesystem::exists(folder / "log.csv") || std::filesystem::file_size(folder / "log.csv") == 0;
    m_json.open(folder / "log.jsonl", std::ios::app);
    m_csv.open(folder / "log.csv", std::ios::app);
    if (!m_json || !m_csv) throw io_error(text(folder.string(), ": the log cannot be written"));
    if (fresh) m_csv << "step,name,value\n";
  }

  void write(const log_row& row) {
    nlohmann::ordered_json object{{"step", row.step}};
    m_csv.precision(9);
    for (const auto& [name, value] : row.values) {
      object[name] = value;
      m_csv << row.step << ',' << name << ',' << value << '\n';
    }
    m_json << object.dump() << '\n';
    m_json.flush();
    m_csv.flush();
  }

 private:
  template <class StepOf>
  static void keep_before(const std::filesystem::path& file, std::uint32_t from_step, StepOf&& step_of) {
    std::ifstream in(file);
    if (!in) return;
    std::string kept;
    for (std::string line; std::getline(in, line);) {
      const std::int64_t step = step_of(line);
      if (step >= 0 && (step < static_cast<std::int64_t>(from_step) || line.rfind("step,", 0) == 0))
        kept += line + "\n";
    }
    in.close();
    write_text(file, kept);
  }

  std::ofstream m_json, m_csv;
};

/// One line that is rewritten in place: step, loss, rate, time left. Silent when stderr is no terminal.
class progress_line {
 public:
  explicit progress_line(std::uint32_t first, std::uint32_t steps)
      : m_visible(::isatty(STDERR_FILENO) == 1),
        m_first(first),
        m_steps(steps),
        m_start(std::chrono::steady_clock::now()) {}
  ~progress_line() { clear(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  /// @param done steps that are finished
  void show(std::uint32_t done, double loss, double rate) {
    if (!m_visible || done <= m_first) return;
    const double passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count();
    const double left = passed / (done - m_first) * (m_steps - done);
    constexpr int width = 30;
    const int filled = static_cast<int>(static_cast<double>(done) / m_steps * width);
    std::string bar(static_cast<std::size_t>(width), '.');
    std::fill_n(bar.begin(), filled, '#');
    std::fprintf(stderr, "\r[%s] %u/%u  loss %.4f  rate %.5f  %.2f s/step  %d:%02d left  ", bar.c_str(), done, m_steps,
                 loss, rate, passed / (done - m_first), static_cast<int>(left) / 60, static_cast<int>(left) % 60);
    m_shown = true;
  }
  /// Leaves the line free for other output.
  void clear() {
    if (m_shown) std::fputs("\r\033[K", stderr);
    m_shown = false;
  }

 private:
  bool m_visible, m_shown = false;
  std::uint32_t m_first, m_steps;
  std::chrono::steady_clock::time_point m_start;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
