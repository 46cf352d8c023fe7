// SPDX-License-Identifier: Apache-2.0
/// @file
/// A table of cases in a CSV file: a line per case, a column per modality.
#ifndef COMODAL_DATA_CASE_LIST_HPP
#define COMODAL_DATA_CASE_LIST_HPP

#include <comodal/data/cohort_reader.hpp>
#include <comodal/data/file.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace data_detail {

struct csv_line {
  std::size_t number = 0;  // in the file, from 1
  std::vector<std::string> cells;
};

// The lines of a CSV file (RFC 4180: cells in quotation marks may hold commas, line feeds and doubled marks). Empty
// lines are left out. @throws io_error for a mark that is not closed
inline std::vector<csv_line> csv_lines(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  std::vector<csv_line> lines;
  csv_line line{1, {}};
  std::string cell;
  bool quoted = false;
  std::size_t number = 1;
  const auto end_line = [&] {
    line.cells.push_back(std::exchange(cell, {}));
    if (line.cells.size() > 1 || !line.cells[0].empty()) lines.push_back(line);
    line = {number + 1, {}};
  };
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (quoted) {
      if (c == '"' && i + 1 < bytes.size() && bytes[i + 1] == '"')
        cell += bytes[++i];
      else if (c == '"')
        quoted = false;
      else
        cell += c;
    } else if (c == '"' && cell.empty()) {
      quoted = true;
    } else if (c == ',') {
      line.cells.push_back(std::exchange(cell, {}));
    } else if (c == '\n') {
      end_line();
    } else if (c != '\r') {
      cell += c;
    }
    number += c == '\n';
  }
  if (quoted) throw io_error(text(name, ": line ", line.number, ": a quotation mark is not closed"));
  end_line();
  return lines;
}

// A label map would become an image that the network sees.
inline bool looks_like_another_column(const std::string& column) {
  std::string name;
  for (const char c : column) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (name.starts_with("label") || name.starts_with("seg") || name.ends_with("_seg")) return true;
  for (const std::string_view word : {"mask", "truth", "ground_truth", "gt", "annotation", "set", "split", "fold",
                                      "case", "id", "subject", "patient", "name"})
    if (name == word) return true;
  return name.empty() || name.front() == ' ' || name.back() == ' ';
}

}  // namespace data_detail

/// Lists the cases of a CSV file. Its first line names the columns: `case`, `label` (may be missing), `set` (may be
/// missing; `test` keeps a case apart, `training` or nothing does not), and one per modality. Paths are relative to the
/// file's folder; an empty cell is an absent modality, or no label.
/// @throws io_error for a file that cannot be used, with a line for each of its lines
[[nodiscard]] cohort_listing list_case_list(const std::filesystem::path& file);
#if COMODAL_BODIES
COMODAL_ONCE cohort_listing list_case_list(const std::filesystem::path& file) {
  const byte_buffer bytes = read_file(file);
  const std::string name = file.string();
  const auto lines = data_detail::csv_lines({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name);
  if (lines.size() < 2)
    throw io_error(
        text(name, ": has no cases; expected a line of columns, \"case,t1,flair,label\", and a line per case"));
  const auto& columns = lines[0].cells;
  cohort_listing c;
  c.source = name;
  std::vector<index> role;  // number of a modality, or below 0: case, label, set
  constexpr index case_column = -1, label_column = -2, set_column = -3;
  for (const std::string& column : columns) {
    if (column == "case" || column == "label" || column == "set") {
      role.push_back(column == "case" ? case_column : column == "label" ? label_column : set_column);
    } else if (data_detail::looks_like_another_column(column)) {
      throw io_error(text(name, ": its first line names the column \"", readable_name(column),
                          "\": every column but \"case\", \"label\" and \"set\" is a modality; take it out, or call it "
                          "as its sequence is called"));
    } else {
      role.push_back(static_cast<index>(c.modalities.size()));
      c.modalities.push_back(column);
    }
  }
  for (const auto& [what, number] : {std::pair{"case", case_column}, {"label", label_column}, {"set", set_column}})
    if (const auto count = std::count(role.begin(), role.end(), number);
        count > 1 || (number == case_column && count == 0))
      throw io_error(text(name, ": its first line names the column \"", what, "\" ", count, " times, expected once"));
  if (c.modalities.empty())
    throw io_error(text(name, ": its first line names no modality; expected \"case,t1,flair,label\""));
  try {
    check_modalities(c.modalities);
  } catch (const config_error& failure) {
    throw io_error(text(name, ": its first line: ", failure.what()));
  }
  std::set<std::string> ids;
  std::string faults;
  for (std::size_t l = 1; l < lines.size(); ++l) try {
      const std::string what = text(name, ": line ", lines[l].number);
      if (lines[l].cells.size() != columns.size())
        throw io_error(text(what, " has ", lines[l].cells.size(), " cells, expected ", columns.size()));
      listed_case one{{{}, std::vector<image_source>(c.modalities.size())}, {}};
      bool test = false, any = false;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const std::string& cell = lines[l].cells[i];
        if (role[i] == case_column) {
          one.files.id = cell;
        } else if (role[i] == set_column) {
          test = cell == "test";
          if (!test && !cell.empty() && cell != "training")
            throw io_error(text(what, ": set '", readable_name(cell), "', expected training or test"));
        } else if (!cell.empty()) {
          image_source& to = role[i] == label_column ? one.label : one.files.images[static_cast<std::size_t>(role[i])];
          to = (file.parent_path() / cell).lexically_normal();
          any = any || role[i] != label_column;
        }
      }
      check_case_id(one.files.id, what);
      if (!any) throw io_error(text(what, ": case ", one.files.id, " has no image"));
      if (!ids.insert(one.files.id).second)
        throw io_error(text(what, ": the case ", one.files.id, " stands there twice"));
      if (test)
        c.test.push_back(std::move(one.files));
      else
        c.training.push_back(std::move(one));
    } catch (const io_error& failure) {
      faults += (faults.empty() ? "" : "\n") + std::string(failure.what());
    }
  if (!faults.empty()) throw io_error(faults);
  sort_by_id(c);
  return c;
}
#endif

/// The `cohort_reader` of such tables.
struct case_list_reader {
  std::filesystem::path file;

  [[nodiscard]] static constexpr std::string_view layout() { return "case-list"; }
  /// A file that ends in .csv.
  [[nodiscard]] static bool recognises(const std::filesystem::path& path) {
    return path.extension() == ".csv" && std::filesystem::is_regular_file(path);
  }
  /// @throws as `list_case_list`
  [[nodiscard]] cohort_listing list() const { return list_case_list(file); }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
