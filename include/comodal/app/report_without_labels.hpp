// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a report says of masks whose truth nobody knows: volumes, how alike runs are, and which cases are uncertain.
#ifndef COMODAL_APP_REPORT_WITHOUT_LABELS_HPP
#define COMODAL_APP_REPORT_WITHOUT_LABELS_HPP

#include <comodal/app/evaluate.hpp>
#include <comodal/app/report_cases.hpp>
#include <comodal/report/html.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// A case that nobody labelled. Numbers are by run and class (NaN: the run has no mask of it, or not this class).
struct unlabelled_case {
  std::string case_id;
  std::vector<std::vector<double>> volumes, agreement;  // ml; Dice with the mask of the first run
  double uncertainty = std::nan("");
};

/// What the first outputs of runs hold, the case that is shown first in front.
struct unlabelled_cases {
  std::vector<label_class> classes;  // of all runs, without the background
  std::vector<unlabelled_case> cases;
  std::optional<std::size_t> mapped;  // the run whose uncertainty maps order the cases; unset: nothing but their names
};

/// The mean of a map over the voxels that a mask labels, or over the volume if there are none; NaN without a number.
[[nodiscard]] inline double mean_uncertainty(const image_volume& map, const label_volume& mask) {
  const bool all = !detail::labelled_anywhere(mask);
  double sum = 0, number = 0;
  for (std::size_t v = 0; v < mask.values.size(); ++v)
    if (const auto value = static_cast<double>(map.values[v]); (all || mask.values[v] != 0) && std::isfinite(value))
      sum += value, ++number;
  return number > 0 ? sum / number : std::nan("");
}

/// The classes of all runs in the order in which they first appear.
[[nodiscard]] inline std::vector<label_class> classes_of(const std::vector<mask_folder>& folders) {
  std::vector<label_class> classes;
  for (const auto& folder : folders)
    for (const auto& c : folder.about.labels)
      if (c.values != std::vector<int>{0} && std::find(classes.begin(), classes.end(), c) == classes.end())
        classes.push_back(c);
  return classes;
}

/// Reads the first outputs of runs and puts their cases in order.
class unlabelled_reader {
 public:
  explicit unlabelled_reader(const std::vector<mask_folder>& folders) : m_folders(folders) {
    m_found.classes = classes_of(folders);
    for (const auto& folder : folders) m_masks.push_back(folder.first_masks());
    for (std::size_t r = 0; r < folders.size() && !m_found.mapped; ++r)
      if (std::any_of(m_masks[r].begin(), m_masks[r].end(),
                      [&](const auto& mask) { return !map_of(r, mask.second).empty(); }))
        m_found.mapped = r;
  }

  /// What could not be used, in words.
  std::vector<std::string> warnings = {};

  /// The most uncertain cases first, then those without a map; cases that are equal in the order of their names.
  /// @throws io_error for a mask that cannot be read; geometry_error for one on another grid than the first run's
  [[nodiscard]] unlabelled_cases read() {
    std::set<std::string> ids;
    for (const auto& masks : m_masks)
      for (const auto& mask : masks) ids.insert(mask.first);
    for (const auto& id : ids) m_found.cases.push_back(read(id));
    const auto rank = [](const unlabelled_case& c) { return std::isnan(c.uncertainty) ? -1 : c.uncertainty; };
    std::stable_sort(m_found.cases.begin(), m_found.cases.end(),
                     [&](const auto& a, const auto& b) { return rank(a) > rank(b); });
    return m_found;
  }

 private:
  // The uncertainty map that belongs to a mask; empty if there is none.
  [[nodiscard]] std::filesystem::path map_of(std::size_t run, const std::filesystem::path& mask) const {
    const auto file = m_folders[run].folder / uncertainty_folder / mask.filename();
    return m_folders[run].by_predict && std::filesystem::exists(file) ? file : std::filesystem::path();
  }

  [[nodiscard]] unlabelled_case read(const std::string& id) {
    const std::vector<double> nothing(m_found.classes.size(), std::nan(""));
    unlabelled_case one{id, {}, {}};
    one.volumes.assign(m_folders.size(), nothing);
    one.agreement = one.volumes;
    std::optional<label_volume> first;
    for (std::size_t r = 0; r < m_folders.size(); ++r) {
      const auto at = m_masks[r].find(id);
      if (at == m_masks[r].end()) continue;
      const label_volume mask = read_mask_of(m_folders[r], at->second);
      const double millilitres = std::abs(determinant(mask.geometry.affine)) / 1000;
      if (r == 0) first = mask;
      if (first) expect_grid(mask, *first, at->second, m_masks[0].at(id));
      for (std::size_t c = 0; c < m_found.classes.size(); ++c) {
        if (!has_class(r, c)) continue;
        const confusion counts = count_overlap(mask, first ? *first : mask, m_found.classes[c]);
        one.volumes[r][c] = static_cast<double>(counts.predicted()) * millilitres;
        if (r > 0 && first && has_class(0, c)) one.agreement[r][c] = dice(counts);
      }
      if (m_found.mapped == r) one.uncertainty = uncertainty_of(r, at->second, mask);
    }
    return one;
  }

  static void expect_grid(const label_volume& mask, const label_volume& first, const std::filesystem::path& file,
                          const std::filesystem::path& of_first) {
    if (const std::string other = grid_difference(mask.geometry, first.geometry); !other.empty())
      throw geometry_error(text(file.string(), ": ", other, " (the grid of ", of_first.string(), ")"));
  }

  [[nodiscard]] bool has_class(std::size_t run, std::size_t c) const {
    const auto& labels = m_folders[run].about.labels;
    return std::find(labels.begin(), labels.end(), m_found.classes[c]) != labels.end();
  }

  [[nodiscard]] double uncertainty_of(std::size_t run, const std::filesystem::path& file, const label_volume& mask) {
    const auto place = map_of(run, file);
    if (place.empty()) return std::nan("");
    const image_volume map = read_nifti(place);
    if (const std::string other = grid_difference(map.geometry, mask.geometry); !other.empty()) {
      warnings.push_back(text(place.string(), ": does not order the cases: ", other, " (the grid of its mask)"));
      return std::nan("");
    }
    return mean_uncertainty(map, mask);
  }

  const std::vector<mask_folder>& m_folders;
  std::vector<std::map<std::string, std::filesystem::path>> m_masks;  // by run and case
  unlabelled_cases m_found;
};

/// The first cases, marked with their uncertainty.
[[nodiscard]] inline std::vector<chosen_case> first_cases(const unlabelled_cases& found, std::size_t number) {
  std::vector<chosen_case> chosen;
  for (std::size_t c = 0; c < std::min(number, found.cases.size()); ++c) {
    const double u = found.cases[c].uncertainty;
    chosen.push_back(
        {found.cases[c].case_id, std::isnan(u) ? "" : "mean uncertainty " + detail::short_number(u, 3), {}});
  }
  return chosen;
}

/// How the cases were put in order, in words.
[[nodiscard]] inline std::string order_in_words(const unlabelled_cases& found, const std::vector<std::string>& names) {
  if (!found.mapped) return "Cases stand in the order of their names.";
  std::string words = text("The most uncertain cases come first. Mean uncertainty is that of the uncertainty map of ",
                           names[*found.mapped],
                           " over the voxels that its first output labels, or over the volume where it labels none.");
  if (std::any_of(found.cases.begin(), found.cases.end(), [](const auto& c) { return std::isnan(c.uncertainty); }))
    words += " Cases without such a map come last.";
  return words;
}

/// A longer table is folded.
inline constexpr std::size_t most_open_rows = 20;

// The volumes of each case and run.
[[nodiscard]] inline text_table volume_table(const unlabelled_cases& found, const std::vector<std::string>& names) {
  text_table table{{"case"}, {}};
  if (names.size() > 1) table.header.emplace_back("run");
  for (const auto& c : found.classes) table.header.push_back(c.name + " [ml]");
  if (found.mapped) table.header.emplace_back("mean uncertainty");
  for (const auto& one : found.cases)
    for (std::size_t r = 0; r < names.size(); ++r) {
      std::vector<std::string> row{readable_name(one.case_id)};
      if (names.size() > 1) row.push_back(names[r]);
      for (const double v : one.volumes[r]) row.push_back(detail::fixed(v, 2));
      if (found.mapped)
        row.push_back(found.mapped != r || std::isnan(one.uncertainty) ? "-"
                                                                       : detail::short_number(one.uncertainty, 3));
      table.rows.push_back(std::move(row));
    }
  return table;
}

// How alike the masks of the first run and of the others are: means over cases, and case by case.
inline void add_agreement(html_report& html, const unlabelled_cases& found, const std::vector<std::string>& names) {
  text_table means{{"run", "class", "cases", "Dice with " + names[0]}, {}}, cases{{"case", "run"}, {}};
  for (const auto& c : found.classes) cases.header.push_back(c.name);
  for (std::size_t r = 1; r < names.size(); ++r)
    for (std::size_t c = 0; c < found.classes.size(); ++c) {
      std::vector<double> values;
      for (const auto& one : found.cases)
        if (!std::isnan(one.agreement[r][c])) values.push_back(one.agreement[r][c]);
      means.rows.push_back({names[r], found.classes[c].name, std::to_string(values.size()),
                            values.empty() ? "-" : detail::mean_and_deviation(describe(values), 4)});
    }
  for (const auto& one : found.cases)
    for (std::size_t r = 1; r < names.size(); ++r) {
      cases.rows.push_back({readable_name(one.case_id), names[r]});
      for (const double v : one.agreement[r]) cases.rows.back().push_back(detail::fixed(v, 4));
    }
  html.table(means, text("Agreement with ", names[0], ", mean ± standard deviation over cases"));
  html.table(cases, text("Agreement with ", names[0], ", case by case"), true);
  html.reading(text("Agreement is the Dice between the masks of ", names[0],
                    " and of another run: 1 for equal masks and where both are empty, 0 without a common voxel. It is "
                    "no score: nobody knows which mask is right."));
}

/// The part of a report that stands where the scores would.
inline void add_volumes(html_report& html, const unlabelled_cases& found, const std::vector<std::string>& names) {
  html.heading("Volumes");
  const text_table table = volume_table(found, names);
  html.table(table, "Volume of each class", table.rows.size() > most_open_rows);
  html.reading(
      text("Voxels of the class in the first output, times the volume of a voxel. ", order_in_words(found, names)));
  if (names.size() > 1) add_agreement(html, found, names);
}

/// What a folder of masks lacks. @throws io_error if it holds no mask
inline void look_at_cases(const mask_folder& masks, const std::filesystem::path& images, const app::observer& watch) {
  const auto predicted = masks.first_masks();
  if (predicted.empty()) throw io_error(text(masks.folder.string(), ": there is nothing to show: ", why_empty(masks)));
  std::set<std::string> ids;
  for (const auto& file : visible_entries(images))
    if (const std::string id = case_of_image(file); !id.empty()) ids.insert(id);
  std::vector<std::string> missing;
  for (const auto& id : ids)
    if (!predicted.contains(id)) missing.push_back(id);
  if (!missing.empty())
    watch.warn(text(masks.folder.string(), ": has no mask of ", missing.size(), " of ", ids.size(),
                    " cases with images: ", some_of(missing), why_failed(masks)));
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
