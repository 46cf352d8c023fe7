// SPDX-License-Identifier: Apache-2.0
/// @file
/// Scores as tables: rows of text for a terminal or a report, a CSV file with one line per case, region and output, and
/// a comparison of several methods.
#ifndef COMODAL_METRIC_TABLES_HPP
#define COMODAL_METRIC_TABLES_HPP

#include <comodal/core/readable_name.hpp>
#include <comodal/data/file.hpp>
#include <comodal/metric/score.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A table of text; every row has as many cells as the header.
struct text_table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

namespace detail {

/// A number with a fixed number of decimals; `-` for NaN.
[[nodiscard]] inline std::string fixed(double value, int decimals) {
  if (std::isnan(value)) return "-";
  char buffer[400];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, decimals).ptr;
  return {buffer, end};
}

/// The shortest text that reads back as the same number.
[[nodiscard]] inline std::string exact(double value) {
  char buffer[64];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

[[nodiscard]] inline std::string mean_and_deviation(const mean_deviation& m, int decimals) {
  return fixed(m.mean, decimals) + " ± " + fixed(m.deviation, decimals);
}

/// Characters of a UTF-8 string.
[[nodiscard]] inline std::size_t characters(const std::string& s) {
  return static_cast<std::size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// A text that begins like a formula would be one to a spreadsheet; a quotation mark before it says that it is text.
[[nodiscard]] inline std::string csv_cell(const std::string& written) {
  double number = 0;
  const auto end = written.data() + written.size();
  const bool formula = written.size() > 1 && std::string_view("=+-@\t\r").find(written[0]) != std::string_view::npos &&
                       std::from_chars(written.data(), end, number).ptr != end;
  const std::string cell = formula ? "'" + written : written;
  if (cell.find_first_of(",\"\n\r") == std::string::npos) return cell;
  std::string out = "\"";
  for (const char c : cell) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

}  // namespace detail

/// The names of the conventions behind a set of scores, in one line for captions and file headers.
[[nodiscard]] inline std::string describe_conventions(const score_options& o) {
  return text("HD95 ", name_of(o.hd95), ", ASSD ", name_of(o.assd), ", surface Dice at ", detail::exact(o.tolerance),
              " ", name_of(o.unit), ", distances in ", name_of(o.unit),
              o.both_empty == empty_masks::perfect ? "; both masks empty: Dice 1, distance 0"
                                                   : "; both masks empty: no score, left out of means",
              "; one empty: Dice 0, distance the image diagonal");
}

/// The table as aligned plain text: the first two columns to the left, the others to the right.
[[nodiscard]] inline std::string to_text(const text_table& table) {
  std::vector<std::size_t> width;
  for (const std::string& cell : table.header) width.push_back(detail::characters(cell));
  for (const auto& row : table.rows)
    for (std::size_t c = 0; c < row.size() && c < width.size(); ++c)
      width[c] = std::max(width[c], detail::characters(row[c]));
  std::string out;
  const auto line = [&](const std::vector<std::string>& row) {
    std::string padded;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string gap(width[c] - detail::characters(row[c]), ' ');
      padded += text(c ? "  " : "", c < 2 ? row[c] : gap, c < 2 ? gap : row[c]);
    }
    out += padded.substr(0, padded.find_last_not_of(' ') + 1) + "\n";
  };
  line(table.header);
  std::size_t total = 0;
  for (const std::size_t w : width) total += w + 2;
  out += std::string(total - 2, '-') + "\n";
  for (const auto& row : table.rows) line(row);
  return out;
}

/// The table as CSV (RFC 4180 quoting, line feeds).
[[nodiscard]] inline std::string to_csv(const text_table& table) {
  std::string out;
  const auto line = [&out](const std::vector<std::string>& row) {
    for (std::size_t c = 0; c < row.size(); ++c) out += text(c ? "," : "", detail::csv_cell(row[c]));
    out += "\n";
  };
  line(table.header);
  for (const auto& row : table.rows) line(row);
  return out;
}

/// One row per case, region and output with every score in full precision; the header names units and conventions.
/// Names of cases are readable names.
[[nodiscard]] text_table case_table(const std::vector<case_score>& scores, const score_options& options = {});
#if COMODAL_BODIES
COMODAL_ONCE text_table case_table(const std::vector<case_score>& scores, const score_options& options) {
  const std::string_view unit = name_of(options.unit), volume = options.unit == length_unit::mm ? "ml" : "voxel";
  text_table table;
  table.header = {"case",
                  "output",
                  "class",
                  "dice",
                  "iou",
                  text("hd95_", name_of(options.hd95), "_", unit),
                  text("assd_", name_of(options.assd), "_", unit),
                  text("surface_dice_", detail::exact(options.tolerance), "_", unit),
                  text("predicted_", volume),
                  text("reference_", volume),
                  "tp",
                  "fp",
                  "fn",
                  "tn",
                  "empty"};
  for (const case_score& s : scores)
    table.rows.push_back({readable_name(s.case_id), s.output, s.region.name, detail::exact(s.dice),
                          detail::exact(s.iou), detail::exact(s.hd95), detail::exact(s.assd),
                          detail::exact(s.surface_dice), detail::exact(s.predicted_volume),
                          detail::exact(s.reference_volume), std::to_string(s.counts.tp), std::to_string(s.counts.fp),
                          std::to_string(s.counts.fn), std::to_string(s.counts.tn),
                          s.presence == mask_presence::both ? "" : std::string(name_of(s.presence))});
  return table;
}
#endif

/// Writes `case_table` as CSV. @throws io_error if it cannot be written
inline void write_case_csv(const std::filesystem::path& path, const std::vector<case_score>& scores,
                           const score_options& options = {}) {
  write_text(path, to_csv(case_table(scores, options)));
}

/// One row per region and output: mean ± standard deviation over cases, and how many cases had empty masks.
[[nodiscard]] text_table summary_table(const std::vector<case_score>& scores, const score_options& options = {});
#if COMODAL_BODIES
COMODAL_ONCE text_table summary_table(const std::vector<case_score>& scores, const score_options& options) {
  const std::string unit = text(" [", name_of(options.unit), "]");
  text_table table;
  table.header = {"output",      "class",        "cases",      "Dice",   "IoU",        "HD95" + unit,
                  "ASSD" + unit, "surface Dice", "both empty", "missed", "false alarm"};
  for (const score_summary& s : summarise(scores))
    table.rows.push_back({s.output, s.region.name, std::to_string(s.cases), detail::mean_and_deviation(s.dice, 4),
                          detail::mean_and_deviation(s.iou, 4), detail::mean_and_deviation(s.hd95, 2),
                          detail::mean_and_deviation(s.assd, 2), detail::mean_and_deviation(s.surface_dice, 4),
                          std::to_string(s.n_both_empty), std::to_string(s.n_missed), std::to_string(s.n_false_alarm)});
  return table;
}
#endif

/// A method's name and its scores, for a comparison.
struct method_scores {
  std::string name;
  std::vector<case_score> scores;
};

/// Rows: class and output; columns: Dice and HD95 (mean ± standard deviation over cases) of each method. `-` where a
/// method has no such output. Methods should be scored on the same cases; the row tells where their number differs.
[[nodiscard]] text_table comparison_table(const std::vector<method_scores>& methods, const score_options& options = {});
#if COMODAL_BODIES
COMODAL_ONCE text_table comparison_table(const std::vector<method_scores>& methods, const score_options& options) {
  text_table table{{"class", "output"}, {}};
  std::vector<std::vector<score_summary>> summaries;
  for (const method_scores& m : methods) {
    table.header.push_back(m.name + " Dice");
    table.header.push_back(text(m.name, " HD95 [", name_of(options.unit), "]"));
    summaries.push_back(summarise(m.scores));
  }
  table.header.push_back("cases");
  std::vector<score_summary> keys;
  const auto same = [](const score_summary& a) {
    return [&a](const score_summary& b) { return a.region.name == b.region.name && a.output == b.output; };
  };
  for (const auto& summary : summaries)
    for (const score_summary& s : summary)
      if (std::none_of(keys.begin(), keys.end(), same(s))) {
        // Behind the last row of its class, so that a class's outputs stand together.
        const auto last = std::find_if(keys.rbegin(), keys.rend(),
                                       [&s](const score_summary& k) { return k.region.name == s.region.name; });
        keys.insert(last == keys.rend() ? keys.end() : last.base(), s);
      }
  for (const score_summary& key : keys) {
    std::vector<std::string> row{key.region.name, key.output}, counts;
    for (const auto& summary : summaries) {
      const auto found = std::find_if(summary.begin(), summary.end(), same(key));
      row.push_back(found == summary.end() ? "-" : detail::mean_and_deviation(found->dice, 4));
      row.push_back(found == summary.end() ? "-" : detail::mean_and_deviation(found->hd95, 2));
      if (found != summary.end()) counts.push_back(std::to_string(found->cases));
    }
    const bool equal =
        std::all_of(counts.begin(), counts.end(), [&counts](const std::string& c) { return c == counts[0]; });
    std::string cases = counts[0];
    if (!equal)
      for (std::size_t i = 1; i < counts.size(); ++i) cases.append("/").append(counts[i]);
    row.push_back(cases);
    table.rows.push_back(std::move(row));
  }
  return table;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
