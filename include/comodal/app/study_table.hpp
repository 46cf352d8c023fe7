// SPDX-License-Identifier: Apache-2.0
/// @file
/// The results of a study as a table: for a terminal, as Markdown, as JSON and as an HTML report.
#ifndef COMODAL_APP_STUDY_TABLE_HPP
#define COMODAL_APP_STUDY_TABLE_HPP

#include <comodal/app/report.hpp>
#include <comodal/app/study_results.hpp>
#include <comodal/metric/tables.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

// Three digits and a prefix: "1.23 M".
[[nodiscard]] inline std::string with_prefix(double value) {
  if (value < 1000) return detail::fixed(value, 0);
  const char* prefix = "kMGTP";
  while (value >= 999.5e3 && prefix[1] != '\0') {
    value /= 1000;
    ++prefix;
  }
  value /= 1000;
  return text(detail::fixed(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0), ' ', *prefix);
}

// A Dice in hundredths.
[[nodiscard]] inline std::string dice_cell(const mean_deviation& m) {
  return detail::mean_and_deviation({100 * m.mean, 100 * m.deviation}, 1);
}

[[nodiscard]] inline std::string difference_cell(const app::study& s, const app::study_row& row) {
  if (row.variant == s.options.baseline) return "baseline";
  if (!row.difference) return "-";
  const auto signed_number = [](double value) {
    const std::string words = detail::fixed(100 * value, 1);
    if (words == "0.0" || words == "-0.0") return std::string("0.0");
    return words[0] == '-' ? words : "+" + words;
  };
  const interval& d = row.difference->dice;
  return text(signed_number(d.mean), " [", signed_number(d.low), ", ", signed_number(d.high), "]");
}

// The other outputs of all rows, in the order in which they first appear.
[[nodiscard]] inline std::vector<std::string> output_columns(const std::vector<app::study_row>& rows) {
  std::vector<std::string> names;
  for (const auto& row : rows)
    for (const auto& [name, value] : row.outputs)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

[[nodiscard]] inline bool has_label_sets(const app::study& s) { return !s.label_sets[0].name.empty(); }

}  // namespace app_detail

namespace app {

/// A row per variant and label set. Dice in hundredths, distances in the study's unit.
[[nodiscard]] inline text_table study_table(const study& s, const std::vector<study_row>& rows) {
  const bool sets = app_detail::has_label_sets(s), compared = !s.options.baseline.empty();
  const auto outputs = app_detail::output_columns(rows);
  text_table table;
  auto& head = table.header;
  head = {"variant"};
  if (sets) head.emplace_back("labels");
  head.insert(head.end(), {"seeds", "Dice"});
  if (compared) head.emplace_back("difference [95 %]");
  head.push_back(text("HD95 [", s.options.unit, "]"));
  head.insert(head.end(), outputs.begin(), outputs.end());
  head.insert(head.end(), {"parameters", "multiply-adds", "s per step", "s"});
  for (const auto& row : rows) {
    auto& cells = table.rows.emplace_back();
    cells.push_back(row.variant);
    if (sets) cells.push_back(row.labels);
    const auto wanted = s.options.seeds.size();
    cells.push_back(row.seeds.size() == wanted ? text(wanted) : text(row.seeds.size(), " of ", wanted));
    cells.push_back(app_detail::dice_cell(row.dice));
    if (compared) cells.push_back(app_detail::difference_cell(s, row));
    cells.push_back(detail::mean_and_deviation(row.hd95, 1));
    for (const auto& name : outputs) {
      const auto at =
          std::find_if(row.outputs.begin(), row.outputs.end(), [&](auto& one) { return one.first == name; });
      cells.push_back(at == row.outputs.end() ? "-" : app_detail::dice_cell(at->second));
    }
    cells.push_back(app_detail::with_prefix(static_cast<double>(row.parameters)));
    cells.push_back(app_detail::with_prefix(row.multiply_adds));
    cells.push_back(detail::fixed(row.seconds_per_step, 3));
    cells.push_back(detail::fixed(row.seconds_per_step * static_cast<double>(row.steps), 0));
  }
  return table;
}

/// What the columns of `study_table` mean, in sentences.
[[nodiscard]] inline std::vector<std::string> study_notes(const study& s, const std::vector<study_row>& rows) {
  std::vector<std::string> notes;
  notes.emplace_back(
      "Dice x 100 and HD95: mean over seeds of the mean over cases and classes, with the standard deviation between "
      "seeds (-: one seed). Columns \"only M\": Dice from those modalities alone, over the cases that have them.");
  if (std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.difference.has_value(); })) {
    std::string line = text("Difference: Dice x 100 minus that of '", s.options.baseline,
                            "' with the same labels, paired by seed and case, with a 95 % bootstrap interval (",
                            study_resamples, " resamples) over ");
    const bool one = std::any_of(rows.begin(), rows.end(),
                                 [](const auto& row) { return row.difference && row.difference->seeds == 1; });
    const bool several = std::any_of(rows.begin(), rows.end(),
                                     [](const auto& row) { return row.difference && row.difference->seeds > 1; });
    line += one && several ? "seeds and cases; where there is one seed, over cases alone"
            : one          ? "cases alone, as there is one seed: it says nothing of other seeds"
                           : "seeds and cases; of few seeds it is too narrow";
    notes.push_back(line + ".");
  }
  notes.emplace_back(
      "Multiply-adds: convolutions and matrix products of one window, forward. Seconds: of training, validation "
      "included, as the machine was loaded; s: of all steps.");
  score_options options;
  options.unit = s.options.unit == "voxel" ? length_unit::voxel : length_unit::mm;
  notes.push_back(describe_conventions(options) + ".");
  return notes;
}

/// The table in Markdown, with its notes.
[[nodiscard]] inline std::string study_markdown(const study& s, const std::vector<study_row>& rows) {
  const text_table table = study_table(s, rows);
  std::string out = text("# ", s.file.stem().string(), "\n\n");
  const auto line = [&out](const std::vector<std::string>& cells) {
    for (const std::string& cell : cells) {
      out += "| ";
      for (const char c : cell) out += c == '|' ? std::string("\\|") : std::string(1, c);
      out += ' ';
    }
    out += "|\n";
  };
  line(table.header);
  for (std::size_t c = 0; c < table.header.size(); ++c)
    out += c < (app_detail::has_label_sets(s) ? 2u : 1u) ? "| --- " : "| ---: ";
  out += "|\n";
  for (const auto& row : table.rows) line(row);
  for (const auto& note : study_notes(s, rows)) out += "\n" + note + "\n";
  return out;
}

/// The results as JSON: rows and cells, without anything that depends on time.
[[nodiscard]] inline std::string study_json(const study& s, const std::vector<study_row>& rows,
                                            const std::vector<finished_cell>& cells) {
  using json = nlohmann::ordered_json;
  const auto pair = [](const mean_deviation& m) { return json{{"mean", m.mean}, {"deviation", m.deviation}}; };
  json all{{"format", 1},
           {"file", readable_name(s.file.filename().string())},
           {"baseline", s.options.baseline},
           {"unit", s.options.unit},
           {"resamples", study_resamples},
           {"rows", json::array()},
           {"cells", json::array()}};
  for (const auto& row : rows) {
    json one{{"variant", row.variant}, {"labels", row.labels},   {"seeds", row.seeds},
             {"cases", row.cases},     {"dice", pair(row.dice)}, {"hd95", pair(row.hd95)}};
    if (row.difference) {
      const auto& [dice, seeds, number] = *row.difference;
      one["difference"] = {
          {"mean", dice.mean}, {"low", dice.low}, {"high", dice.high}, {"seeds", seeds}, {"cases", number}};
    }
    for (const auto& [name, value] : row.outputs) one["outputs"][name] = pair(value);
    one["parameters"] = row.parameters;
    one["multiply_adds"] = row.multiply_adds;
    all["rows"].push_back(std::move(one));
  }
  for (const auto& cell : cells) {
    json one{{"name", cell.name},
             {"variant", s.variants[cell.variant].name},
             {"labels", s.label_sets[cell.labels].name},
             {"seed", cell.seed},
             {"method", cell.result.method},
             {"steps", cell.result.steps}};
    for (const auto& summary : summarise(cell.result.scores))
      one["outputs"][summary.output][summary.region.name] = {{"dice", summary.dice.mean}, {"hd95", summary.hd95.mean}};
    all["cells"].push_back(std::move(one));
  }
  return all.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace app

namespace app_detail {

// Dice and HD95 of each cell by class, folded away.
inline void add_cells(html_report& html, const app::study& s, const std::vector<app::finished_cell>& cells) {
  text_table table{{"variant", "labels", "seed", "class", "Dice x 100", text("HD95 [", s.options.unit, "]")}, {}};
  for (const auto& cell : cells)
    for (const auto& summary : summarise(cell.result.scores))
      if (summary.output == "fused")
        table.rows.push_back({s.variants[cell.variant].name, s.label_sets[cell.labels].name, text(cell.seed),
                              summary.region.name, dice_cell(summary.dice),
                              detail::mean_and_deviation(summary.hd95, 1)});
  html.table(table, "Cell by cell: fused output, mean and standard deviation over cases", true);
}

// The curve `name` of the logs of each label set's first seed, one per variant.
inline void add_study_curves(html_report& html, const app::study& s, const std::vector<app::finished_cell>& cells,
                             const std::filesystem::path& folder, const std::string& name, curve_plot plot) {
  const std::string title = plot.title;
  std::vector<curve_figure> figures;
  for (std::size_t l = 0; l < s.label_sets.size(); ++l) {
    plot.curves.clear();
    for (const auto& cell : cells) {
      const auto log = folder / "cells" / cell.name / "run" / "log.jsonl";
      if (cell.labels != l || cell.seed != s.options.seeds[0] || !std::filesystem::exists(log)) continue;
      for (const auto& one : read_json_lines(log))
        if (one.name == name) plot.curves.push_back({s.variants[cell.variant].name, one.x, one.y});
    }
    if (plot.curves.empty()) continue;
    const std::string set = s.label_sets[l].name.empty() ? "" : ", " + s.label_sets[l].name;
    plot.title = text(title, set, ", seed ", s.options.seeds[0]);
    figures.push_back(draw_curves(plot));
  }
  html.curves(figures);
}

}  // namespace app_detail

namespace app {

/// Writes `table.md`, `results.json` and `report.html` into the folder of a study. @throws io_error
inline void write_study_tables(const study& s, const std::filesystem::path& folder, const std::vector<study_row>& rows,
                               const std::vector<finished_cell>& cells) {
  write_text(folder / "table.md", study_markdown(s, rows));
  write_text(folder / "results.json", study_json(s, rows, cells));
  html_report html(s.file.stem().string(), app_detail::head_of_report());
  html.heading("Results");
  html.table(study_table(s, rows), "A row per variant and label set");
  for (const auto& note : study_notes(s, rows)) html.reading(note);
  app_detail::add_cells(html, s, cells);
  html.heading("Curves");
  app_detail::add_study_curves(html, s, cells, folder, "validation.dice",
                               {"Dice on validation cases", "step", "Dice (0 to 1)", {}});
  app_detail::add_study_curves(
      html, s, cells, folder, "loss",
      {"Loss", "step", "loss", {}, false, app_detail::smoothed_steps, app_detail::smoothing_note()});
  html.write(folder / "report.html");
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
