// SPDX-License-Identifier: Apache-2.0
/// @file
/// The data doctor: reads every file of a cohort to its end and reports all that is wrong, in one run.
#ifndef COMODAL_DATA_CHECK_HPP
#define COMODAL_DATA_CHECK_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/cohort_reader.hpp>
#include <comodal/data/load_case.hpp>
#include <comodal/data/split.hpp>

#include <cstddef>
#include <exception>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A failure as findings: one for each line of its message.
[[nodiscard]] inline std::vector<finding> findings_of(const std::filesystem::path& source,
                                                      const std::exception& failure) {
  std::vector<finding> found;
  std::istringstream lines(failure.what());
  for (std::string line; std::getline(lines, line);) found.push_back(finding_of(source, std::runtime_error(line)));
  return found;
}

/// What is hard to believe of the grid of a scan of a head or a body; empty if nothing is.
[[nodiscard]] inline std::string doubt_of(const geometry& grid) {
  constexpr double finest = 0.05, coarsest = 25, widest = 3000;  // mm
  const auto spacing = grid.spacing();
  bool voxels = false, width = false;
  for (std::size_t a = 0; a < 3; ++a) {
    voxels |= !(spacing[a] >= finest && spacing[a] <= coarsest);
    width |= !(spacing[a] * static_cast<double>(grid.size[a]) <= widest);
  }
  if (!voxels && !width) return {};
  return text("has ", grid.size[0], " x ", grid.size[1], " x ", grid.size[2], " voxels of ", spacing[0], " x ",
              spacing[1], " x ", spacing[2], " mm along i, j, k, expected ",
              voxels ? text(finest, " to ", coarsest, " mm") : text("at most ", widest, " mm in all"),
              " for a head or a body; is the voxel size in its header right, and its unit?");
}

/// Everything that is wrong with the files of a cohort: the reader's findings first, then the cases' in the order
/// labelled, validation, unlabelled, test, whatever the number of threads; last a grid that is hard to believe. Labels
/// are opened for labelled and validation cases only. Never throws for a bad file. See `load_images` and `load_label`
/// for what is looked for.
/// @param onto as of `load_images`
[[nodiscard]] inline std::vector<finding> check_cohort(const cohort& c, index onto = -1) {
  std::vector<const labelled_case*> labelled;
  for (const auto& list : {&c.labelled, &c.validation})
    for (const labelled_case& one : *list) labelled.push_back(&one);
  std::vector<const unlabelled_case*> unlabelled;
  for (const auto& list : {&c.unlabelled, &c.test})
    for (const unlabelled_case& one : *list)
      if (!c.partially_annotated(one.files.id)) unlabelled.push_back(&one);  // looked at among the labelled ones

  const auto with_label = static_cast<index>(labelled.size()), all = with_label + static_cast<index>(unlabelled.size());
  std::vector<std::vector<finding>> found(static_cast<std::size_t>(all));
  std::vector<finding> doubts(static_cast<std::size_t>(all));
  host_tasks(all, [&](index i) {
    const auto at = static_cast<std::size_t>(i);
    const case_files& files =
        i < with_label ? labelled[at]->files : unlabelled[static_cast<std::size_t>(i - with_label)]->files;
    try {
      loaded_images loaded = load_images(files, onto);
      if (i < with_label) static_cast<void>(load_label(*labelled[at], c.labels, loaded, c.ignored));
      found[at] = std::move(loaded.findings);
      if (!loaded.reference.empty())
        doubts[at] = {finding::level::warning, loaded.reference, doubt_of(loaded.grid), files.id};
    } catch (const std::exception& failure) {
      found[at] = {finding_of(files.id, failure)};
    }
  });
  std::vector<finding> out = c.findings;
  for (auto& list : found) out.insert(out.end(), list.begin(), list.end());
  std::erase_if(doubts, [](const finding& one) { return one.reason.empty(); });
  if (doubts.size() > 1) doubts[0].reason += text(" (", counted(doubts.size() - 1, "further case"), " such, too)");
  if (!doubts.empty()) out.push_back(doubts[0]);
  return out;
}

/// The same for a data set that is read first: a folder that cannot be read at all is one finding too.
template <class Reader>
[[nodiscard]] std::vector<finding> check_cohort(const Reader& reader, const std::filesystem::path& source) {
  check_cohort_reader<Reader>();
  try {
    return check_cohort(apply_split(reader.list()));
  } catch (const std::exception& failure) {
    return findings_of(source, failure);
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
