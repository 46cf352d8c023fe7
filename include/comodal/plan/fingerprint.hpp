// SPDX-License-Identifier: Apache-2.0
/// @file
/// What planning has to know of a cohort: the sizes of its cases, and how its images are to be normalised.
#ifndef COMODAL_PLAN_FINGERPRINT_HPP
#define COMODAL_PLAN_FINGERPRINT_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/case_data.hpp>
#include <comodal/plan/planning.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The training cases of a cohort in numbers.
struct cohort_fingerprint {
  std::vector<case_extent> cases;      // after cropping, along (D, H, W) of RAS+
  std::vector<std::string> normalise;  // per modality
  index onto = -1;                     // modality whose grid the others are resampled to; -1: they share one
};

namespace plan_detail {

// Normalisation by the name of a modality; empty: its voxels decide.
inline std::string normalisation_by_name(const std::string& modality) {
  std::string name;
  for (const char c : modality) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto is = [&](std::string_view word) {
    return name == word ||
           (name.starts_with(word) && std::string_view(" _-").find(name[word.size()]) != std::string_view::npos);
  };
  if (is("ct") || is("cta") || is("cbct")) return "ct";
  if (is("pet") || is("suv")) return "pet";
  return {};
}

// The modality whose grid is that of the labels, where a case's images do not share one.
inline index common_modality(const cohort& c) {
  for (const labelled_case& one : c.labelled) {
    if (!one.label.memory.empty()) continue;
    std::vector<std::pair<index, geometry>> grids;
    for (std::size_t m = 0; m < one.files.images.size(); ++m)
      if (const auto& image = one.files.images[m]; !image.path.empty())
        grids.emplace_back(static_cast<index>(m), read_nifti_header(image.path).grid);
    const bool shared = std::all_of(grids.begin(), grids.end(),
                                    [&](const auto& other) { return same_grid(other.second, grids[0].second); });
    if (shared) continue;
    const geometry label = read_nifti_header(one.label.path).grid;
    for (const auto& [m, grid] : grids)
      if (same_grid(grid, label)) return m;
  }
  return -1;
}

struct case_numbers {
  case_extent extent;
  std::vector<double> zeros;  // share of voxels that are exactly 0; NaN: absent
};

inline case_numbers numbers_of(const case_files& files, const cohort_fingerprint& so_far,
                               const std::vector<std::string>& modalities) {
  loaded_images loaded = load_images(files, so_far.onto);
  refuse_errors(loaded.findings);
  case_numbers found;
  prepare_options options;
  options.onto = so_far.onto;
  options.normalise.clear();
  for (std::size_t m = 0; m < modalities.size(); ++m) {
    const auto& values = loaded.images[m].values;
    const double share = values.empty() ? std::numeric_limits<double>::quiet_NaN()
                                        : static_cast<double>(std::count(values.begin(), values.end(), 0.f)) /
                                              static_cast<double>(values.size());
    found.zeros.push_back(share);
    options.normalise.push_back(normalisation_by_name(modalities[m]).empty() && share >= 0.25 ? normalisation::nonzero
                                                                                              : normalisation::none);
  }
  const case_data prepared = detail::prepared_images(files, std::move(loaded), options);
  const geometry& grid = prepared.preparation.prepared();
  const auto spacing = grid.spacing();
  found.extent = {{grid.size[2], grid.size[1], grid.size[0]}, {spacing[2], spacing[1], spacing[0]}};
  return found;
}

}  // namespace plan_detail

/// Reads every training case, several at a time. Normalisation goes by the modality's name (CT, PET) or by its voxels:
/// `nonzero` where a quarter or more is exactly 0 in half of the cases (skull-stripped), else `head`.
/// @throws io_error with the lines of all cases that cannot be used; config_error without a case
[[nodiscard]] inline cohort_fingerprint fingerprint_of(const cohort& c) {
  cohort_fingerprint found;
  found.onto = plan_detail::common_modality(c);
  std::vector<const case_files*> files;
  for (const labelled_case& one : c.labelled) files.push_back(&one.files);
  for (const unlabelled_case& one : c.unlabelled)
    if (!c.partially_annotated(one.files.id)) files.push_back(&one.files);
  if (files.empty()) throw config_error(text(c.source, ": has no training case to plan for"));
  std::vector<plan_detail::case_numbers> numbers(files.size());
  std::vector<std::string> lines(files.size());
  host_tasks(static_cast<index>(files.size()), [&](index i) {
    const auto at = static_cast<std::size_t>(i);
    try {
      numbers[at] = plan_detail::numbers_of(*files[at], found, c.modalities);
    } catch (const io_error& failure) {
      lines[at] = failure.what();
    }
  });
  std::string all;
  for (const auto& line : lines)
    if (!line.empty()) all += (all.empty() ? "" : "\n") + line;
  if (!all.empty()) throw io_error(all);
  for (const auto& one : numbers) found.cases.push_back(one.extent);
  for (std::size_t m = 0; m < c.modalities.size(); ++m) {
    std::vector<double> zeros;
    for (const auto& one : numbers)
      if (!std::isnan(one.zeros[m])) zeros.push_back(one.zeros[m]);
    const std::string by_name = plan_detail::normalisation_by_name(c.modalities[m]);
    found.normalise.push_back(!by_name.empty()                                 ? by_name
                              : !zeros.empty() && quantile(zeros, 0.5) >= 0.25 ? "nonzero"
                                                                               : "head");
  }
  return found;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
