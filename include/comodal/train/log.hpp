// SPDX-License-Identifier: Apache-2.0
/// @file
/// The log of a run, as CSV and JSON lines side by side.
#ifndef COMODAL_TRAIN_LOG_HPP
#define COMODAL_TRAIN_LOG_HPP

#include <comodal/data/file.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
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

/// `log.jsonl`, one object per row ({"step": 10, "loss": 1.5}), and `log.csv` in long form (step,name,value): rows of
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

}  // namespace comodal::inline COMODAL_CONFIG

#endif
