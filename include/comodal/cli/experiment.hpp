// SPDX-License-Identifier: Apache-2.0
/// @file
/// The command `experiment`: a study's cells in processes of their own, and its table.
#ifndef COMODAL_CLI_EXPERIMENT_HPP
#define COMODAL_CLI_EXPERIMENT_HPP

#include <comodal/app/run_study.hpp>
#include <comodal/cli/console.hpp>

#include <signal.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

struct experiment_arguments {
  std::string program = "comodal";     // its name, for messages of the cells
  std::filesystem::path file, folder;  // without a folder: the file's name without its ending
  bool list = false;
  std::string cell;  // not empty: this one alone, here
  int parent = 0;    // process that runs this cell; 0: nobody does
};

}  // namespace cli

namespace cli_detail {

/// Ends with the process that runs this cell: SIGTERM when it is gone, as if somebody had asked to stop.
inline void end_with(int parent) {
#if defined(__linux__)
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
  if (::getppid() != parent) throw error("the program that ran this cell has ended");
}

inline void list_cells(const std::vector<app::study_cell>& cells, const std::filesystem::path& folder) {
  for (const auto& cell : cells) {
    const app_detail::cell_folder at{folder / "cells" / cell.name};
    const char* state = at.finished() ? "finished" : app_detail::is_locked(at) ? "running" : at.begun() ? "begun" : "-";
    std::printf("%-8s  %s\n", state, cell.name.c_str());
  }
}

template <tensor_backend Backend>
int run_one(const app::study& s, const std::vector<app::study_cell>& cells, const std::filesystem::path& folder,
            const std::string& name, const registry<Backend>& names) {
  std::vector<std::string> known;
  for (const auto& cell : cells) known.push_back(cell.name);
  const auto found = std::find(known.begin(), known.end(), name);
  if (found == known.end())
    throw config_error(
        text(s.file.string(), ": there is no cell '", name, "'; did you mean '", nearest_name(name, known), "'?"));
  const app::study_cell& cell = cells[static_cast<std::size_t>(found - known.begin())];
  app::check_cells(s, {cell}, folder, names, cli::console_observer());
  const auto state = app::run_cell(s, cell, folder, names, cli::interruptible_observer());
  if (state == app::cell_state::finished) return 0;
  std::printf(state == app::cell_state::busy ? "%s: another process has this cell\n"
                                             : "%s: stopped on request; the same command continues it\n",
              name.c_str());
  return state == app::cell_state::busy ? app::busy_status : 1;
}

}  // namespace cli_detail

namespace cli {

/// Runs a study, or one of its cells. @return 0: every cell is finished; 1: one failed, or it was stopped
template <tensor_backend Backend>
int experiment(const experiment_arguments& arguments, const std::vector<std::string>& overrides,
               const registry<Backend>& names) {
  if (arguments.parent != 0) cli_detail::end_with(arguments.parent);
  app::study_request request{app::read_study(arguments.file, overrides), arguments.folder};
  if (request.folder.empty()) request.folder = arguments.file.parent_path() / arguments.file.stem();
  if (!arguments.cell.empty() || arguments.list) {
    const auto cells = app::cells_of(request.what, names);
    if (!arguments.cell.empty()) return cli_detail::run_one(request.what, cells, request.folder, arguments.cell, names);
    app::check_cells(request.what, cells, request.folder, names, console_observer());
    cli_detail::list_cells(cells, request.folder);
    return 0;
  }
  request.program = "/proc/self/exe";
  request.words = {arguments.program,       "experiment", arguments.file.string(),   "--folder",
                   request.folder.string(), "--parent",   std::to_string(::getpid())};
  request.words.insert(request.words.end(), overrides.begin(), overrides.end());
  request.words.emplace_back("--cell");
  auto watch = interruptible_observer();
  const auto summary = app::run_study(request, names, watch);
  watch = {};  // clears the progress line
  if (!summary.rows.empty()) {
    std::printf("%s", to_text(summary.table).c_str());
    for (const auto& note : summary.notes) std::printf("%s\n", note.c_str());
  }
  std::printf("%s: %ld of %ld cells are finished%s\n", request.folder.c_str(), static_cast<long>(summary.finished),
              static_cast<long>(summary.cells),
              summary.stopped ? "; stopped on request, the same command continues" : "");
  return summary.failures.empty() && !summary.stopped ? 0 : 1;
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
