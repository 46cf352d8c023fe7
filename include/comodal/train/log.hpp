// SPDX-License-Identifier: Apache-2.0
/// @file
/// The log of a run, as CSV and JSON lines side by side.
#ifndef COMODAL_TRAIN_LOG_HPP
#define COMODAL_TRAIN_LOG_HPP

#include <comodal/data/append_file.hpp>
#include <comodal/data/file.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <locale>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// One row of the log: the step that it belongs to, from 1 on, and its values by name.
struct log_row {
  std::uint32_t step = 0;
  std::vector<std::pair<std::string, double>> values;
};

/// `log.jsonl`, one object per row ({"step": 10, "loss": 1.5}), and `log.csv` in long form (step,name,value): rows of
/// different kinds need no common columns. A resumed run drops the rows behind its checkpoint first. Rows that the disk
/// does not take now are written with a later one.
class training_log {
 public:
  /// @param last_step rows of later steps are dropped from the files that exist
  /// @param writes false: no file is touched
  /// @throws io_error if the files cannot be written
  training_log(const std::filesystem::path& folder, std::uint32_t last_step, bool writes = true) {
    if (!writes) return;
    keep_until(folder / "log.jsonl", last_step, [](const std::string& line) {
      const auto row = nlohmann::json::parse(line, nullptr, false);
      return row.is_object() && row.contains("step") && row["step"].is_number_integer()
                 ? row["step"].get<std::int64_t>()
                 : -1;
    });
    keep_until(folder / "log.csv", last_step, [](const std::string& line) {
      return line == header ? std::int64_t{0} : std::strtoll(line.c_str(), nullptr, 10);
    });
    m_json.emplace(folder / "log.jsonl");
    m_csv.emplace(folder / "log.csv");
    if (m_csv->size() == 0) put(*m_csv, std::string(header) + "\n");
  }

  /// Who hears that the disk refuses rows; once until it takes them again.
  std::function<void(const std::string& words)> warning = {};

  void write(const log_row& row) {
    if (!m_json) return;
    nlohmann::ordered_json object{{"step", row.step}};
    std::ostringstream csv;
    csv.imbue(std::locale::classic());
    csv.precision(9);
    for (const auto& [name, value] : row.values) {
      object[name] = value;
      csv << row.step << ',' << name << ',' << value << '\n';
    }
    const bool all = put(*m_json, object.dump() + "\n");
    if (put(*m_csv, csv.str()) && all) m_warned = false;
  }
  /// @throws io_error if rows are still not written
  void finish() {
    for (auto* file : {&m_json, &m_csv})
      if (*file && !(*file)->flush()) throw disk_error(text((*file)->problem(), "; the last rows of the log are lost"));
  }

 private:
  static constexpr const char* header = "step,name,value";

  bool put(append_file& file, const std::string& words) {
    if (file.write(words)) return true;
    if (warning && !std::exchange(m_warned, true)) warning(text(file.problem(), "; its rows are kept and tried again"));
    return false;
  }

  // A line without its end is what a killed program left.
  template <class StepOf>
  static void keep_until(const std::filesystem::path& file, std::uint32_t last_step, StepOf&& step_of) {
    if (!std::filesystem::exists(file)) return;
    const byte_buffer bytes = read_file(file);
    const std::string whole(bytes.begin(), bytes.end());
    std::string kept;
    for (std::size_t first = 0, end; (end = whole.find('\n', first)) != std::string::npos; first = end + 1) {
      const std::string line = whole.substr(first, end - first);
      const std::int64_t step = line.empty() ? -1 : step_of(line);
      if (step >= 0 && step <= static_cast<std::int64_t>(last_step)) kept += line + "\n";
    }
    write_text(file, kept);
  }

  std::optional<append_file> m_json, m_csv;
  bool m_warned = false;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
