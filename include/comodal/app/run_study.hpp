// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `experiment`: every cell of a study, side by side in processes of their own, and the table of all.
#ifndef COMODAL_APP_RUN_STUDY_HPP
#define COMODAL_APP_RUN_STUDY_HPP

#include <comodal/app/child_process.hpp>
#include <comodal/app/run_cell.hpp>
#include <comodal/app/study_table.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// The exit status of a process that runs one cell (`run_cell`) where another process has it.
inline constexpr int busy_status = 75;

/// What `run_study` is asked for.
struct study_request {
  study what;
  std::filesystem::path folder;  // of the cells and the tables; made unless it exists
  /// The command that runs one cell of this study with `run_cell`; its name is added as the last word. Empty: cells run
  /// in this process, one after another.
  std::filesystem::path program = {};
  std::vector<std::string> words = {};
};

/// What `run_study` came to.
struct study_summary {
  index cells = 0, finished = 0;
  std::vector<std::string> failures;  // a line per cell that failed
  bool stopped = false;
  std::vector<study_row> rows;
  text_table table;
  std::vector<std::string> notes;
};

}  // namespace app

namespace app_detail {

/// The last line of a file that is not empty; of a log, what went wrong.
[[nodiscard]] inline std::string last_line(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return {};
  const auto bytes = read_file(file);
  std::string line, last;
  for (const unsigned char c : bytes) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    if (!line.empty()) last = line;
    line.clear();
  }
  return line.empty() ? last : line;
}

/// The cells of a study on their way.
template <tensor_backend Backend>
class study_run {
 public:
  study_run(const app::study_request& request, std::vector<app::study_cell> cells, const registry<Backend>& names,
            const app::observer& watch)
      : m_request(request), m_cells(std::move(cells)), m_names(names), m_watch(watch) {
    for (std::size_t c = 0; c < m_cells.size(); ++c)
      if (!folder_of(c).finished()) m_waiting.push_back(c);
    m_first = m_done = std::ssize(m_cells) - std::ssize(m_waiting);
  }

  app::study_summary run() {
    m_summary.cells = static_cast<index>(m_cells.size());
    const std::size_t most = processes();
    m_watch.tell(text(m_cells.size(), " cells, ", m_cells.size() - m_waiting.size(), " of them finished, ", most,
                      most == 1 ? " process" : " processes"));
    if (m_request.program.empty())
      run_here();
    else
      run_beside(most);
    return collect();
  }

 private:
  struct running_cell {
    std::size_t cell;
    child_process process;
  };
  static constexpr std::chrono::milliseconds rest{50};

  [[nodiscard]] cell_folder folder_of(std::size_t c) const { return {m_request.folder / "cells" / m_cells[c].name}; }
  [[nodiscard]] std::string title_of(std::size_t c) const {
    return text("cell ", c + 1, " of ", m_cells.size(), ": ", m_cells[c].title);
  }
  [[nodiscard]] std::size_t processes() const {
    if (m_request.program.empty()) return 1;
    const auto& o = m_request.what.options;
    const index cores = is_host_v<typename Backend::space_type> ? std::max(1u, std::thread::hardware_concurrency()) : 1;
    const index asked = o.processes > 0 ? o.processes : std::max<index>(1, cores / o.threads);
    return static_cast<std::size_t>(std::clamp<index>(asked, 1, std::max<index>(1, std::ssize(m_waiting))));
  }

  // The next cell that nobody else has; the number of cells if there is none.
  [[nodiscard]] std::size_t next() {
    for (std::size_t n = m_waiting.size(); n > 0; --n) {
      const std::size_t c = m_waiting.front();
      m_waiting.pop_front();
      const auto folder = folder_of(c);
      if (folder.finished()) {
        ended(c);
        continue;
      }
      if (!is_locked(folder)) return c;
      if (m_told_busy.insert(c).second) m_watch.tell(text(title_of(c), ": another process has it"));
      m_waiting.push_back(c);
    }
    return m_cells.size();
  }
  void begins(std::size_t c) const {
    m_watch.tell(text(title_of(c), folder_of(c).begun() ? ": continues" : ": begins"));
  }
  void ended(std::size_t c) {
    const auto folder = folder_of(c);
    const auto seconds = read_seconds(folder);
    m_watch.tell(text(title_of(c), ": finished, Dice x 100 ",
                      detail::fixed(100 * mean_of(dice_by_case(read_result(folder))), 1), ", ",
                      detail::fixed(seconds.training + seconds.prediction, 0), " s"));
    m_watch.show({"cell", m_first, ++m_done, static_cast<index>(m_cells.size())});
  }
  void failed(std::size_t c, const std::string& words) {
    m_summary.failures.push_back(text(title_of(c), ": failed: ", words));
    m_watch.warn(m_summary.failures.back());
  }

  // In this process.
  void run_here() {
    while (!m_waiting.empty()) {
      if (m_watch.stops()) break;
      const std::size_t c = next();
      if (c == m_cells.size()) {
        std::this_thread::sleep_for(rest);
        continue;
      }
      begins(c);
      try {
        const auto state = app::run_cell(m_request.what, m_cells[c], m_request.folder, m_names, m_watch);
        if (state == app::cell_state::finished)
          ended(c);
        else
          m_waiting.push_back(c);  // a stopped one: the loop ends
      } catch (const device_error&) {
        throw;  // memory that is short here is short for the next cell, too
      } catch (const disk_error&) {
        throw;  // so is a disk
      } catch (const error& failure) {
        failed(c, failure.what());
      }
    }
    m_summary.stopped = !m_waiting.empty();
  }

  // In processes of their own.
  void run_beside(std::size_t most) {
    bool stopping = false;
    while (!m_running.empty() || (!m_waiting.empty() && !stopping)) {
      if (!stopping && m_watch.stops()) {
        stopping = true;
        for (auto& one : m_running) one.process.stop();
      }
      while (!stopping && m_running.size() < most) {
        const std::size_t c = next();
        if (c == m_cells.size()) break;
        start(c);
      }
      std::this_thread::sleep_for(rest);
      for (std::size_t i = m_running.size(); i > 0; --i)
        if (const auto status = m_running[i - 1].process.status()) {
          const std::size_t c = m_running[i - 1].cell;
          m_running.erase(m_running.begin() + static_cast<std::ptrdiff_t>(i - 1));
          leave(c, *status, stopping);
        }
    }
    m_summary.stopped = stopping;
  }
  void start(std::size_t c) {
    const auto folder = folder_of(c);
    make_folder(folder.path);
    auto words = m_request.words;
    words.push_back(m_cells[c].name);
    begins(c);
    m_running.push_back({c, child_process(m_request.program, words, folder.log_file())});
  }
  // What a process that has ended leaves behind.
  void leave(std::size_t c, int status, bool stopping) {
    if (folder_of(c).finished())
      ended(c);
    else if (status == app::busy_status)
      m_waiting.push_back(c);
    else if (!stopping)
      failed(c, text(last_line(folder_of(c).log_file()), " (status ", status, "); its log is ",
                     folder_of(c).log_file().string()));
  }

  app::study_summary collect() {
    std::vector<app::finished_cell> finished;
    for (std::size_t c = 0; c < m_cells.size(); ++c) {
      const auto folder = folder_of(c);
      if (!folder.finished()) continue;
      const auto& cell = m_cells[c];
      finished.push_back({cell.variant, cell.labels, cell.seed, cell.name, read_result(folder), read_seconds(folder)});
    }
    const app::study& s = m_request.what;
    m_summary.finished = static_cast<index>(finished.size());
    m_summary.rows = app::compare(s, finished);
    m_summary.table = app::study_table(s, m_summary.rows);
    m_summary.notes = app::study_notes(s, m_summary.rows);
    if (!finished.empty()) app::write_study_tables(s, m_request.folder, m_summary.rows, finished);
    return std::move(m_summary);
  }

  const app::study_request& m_request;
  std::vector<app::study_cell> m_cells;
  const registry<Backend>& m_names;
  const app::observer& m_watch;
  std::deque<std::size_t> m_waiting;
  std::vector<running_cell> m_running;
  std::set<std::size_t> m_told_busy;
  index m_first = 0, m_done = 0;  // finished cells: when this call began, and now
  app::study_summary m_summary;
};

}  // namespace app_detail

namespace app {

/// Runs every cell of a study that is not finished, and writes `table.md`, `results.json` and `report.html` of those
/// that are. Cells are in `folder`/cells. All of them are checked before the first begins. A cell that fails is a line
/// in `failures`; the others are run. Cells that another process has are waited for. Where `watch.cancelled` says so,
/// cells write a checkpoint and end; the same call takes them up.
/// @throws config_error, io_error for a study that cannot be run; see `check_cells`
template <tensor_backend Backend>
[[nodiscard]] study_summary run_study(const study_request& request,
                                      const registry<Backend>& names = registry<Backend>::built_in(),
                                      const observer& watch = {}) {
  expect_runtime();
  auto cells = cells_of(request.what, names);
  check_cells(request.what, cells, request.folder, names, watch);
  return app_detail::study_run<Backend>(request, std::move(cells), names, watch).run();
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
