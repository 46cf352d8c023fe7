// SPDX-License-Identifier: Apache-2.0
/// @file
/// The cells of a study: every variant with every label set and every seed, as experiments with names.
#ifndef COMODAL_APP_STUDY_CELLS_HPP
#define COMODAL_APP_STUDY_CELLS_HPP

#include <comodal/app/cell_folder.hpp>
#include <comodal/app/predict.hpp>
#include <comodal/app/study_file.hpp>
#include <comodal/app/train.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// One training of a study, with its scores.
struct study_cell {
  std::size_t variant = 0, labels = 0;  // numbers in the study
  index seed = 0;
  std::string name;   // of its folder
  std::string title;  // for people: "CPS, weight 1; few; seed 2"
  experiment settings;
};

/// The folders of images and of true masks that cells are scored on.
[[nodiscard]] inline std::filesystem::path scored_images(const study& s, const experiment& e) {
  return s.options.images.empty() ? std::filesystem::path(e.folder) / "imagesTs"
                                  : std::filesystem::path(s.options.images);
}
[[nodiscard]] inline std::filesystem::path scored_labels(const study& s, const experiment& e) {
  return s.options.labels.empty() ? std::filesystem::path(e.folder) / "labelsTs"
                                  : std::filesystem::path(s.options.labels);
}

}  // namespace app

namespace app_detail {

// Letters and digits; everything else becomes one underscore.
[[nodiscard]] inline std::string folder_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || (!out.empty() && out.back() != '_')) out += plain ? c : '_';
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  return out;
}

// The values of a cell, by precedence. Options of methods that other variants choose are left out.
[[nodiscard]] inline app::raw_settings settings_of(const app::study& s, const app::study_variant& variant,
                                                   const app::label_set& labels, index seed) {
  const std::string method = variant.changes.text_of("method.name", "");
  std::set<std::string, std::less<>> chosen_by_others;
  for (const auto& other : s.variants) chosen_by_others.insert(other.changes.text_of("method.name", ""));
  chosen_by_others.erase(method);
  const auto drop = [](app::raw_settings& from, const auto& which) { (void)from.take(which); };
  const auto is_axis = [&](const settings_entry& one) {
    return one.key == "method.name" || one.key == "train.seed" || one.key == "compute.threads" ||
           (one.key == "data.labelled" && !labels.name.empty());
  };
  app::raw_settings all = s.base, shared = s.shared, overrides = s.overrides;
  drop(all, [&](const settings_entry& one) {
    const auto of = method_of(one);
    return is_axis(one) || (!of.empty() && of != method);
  });
  for (auto* layer : {&shared, &overrides})
    drop(*layer, [&](const settings_entry& one) { return chosen_by_others.contains(method_of(one)); });
  all.add(shared);
  all.add(variant.changes);
  all.add(overrides);
  const std::string here = s.file.string();
  all.add(settings_entry{"train.seed", toml::value(seed), here});
  all.add(settings_entry{"compute.threads", toml::value(s.options.threads), here});
  if (!labels.name.empty()) {
    toml::array ids(labels.labelled.begin(), labels.labelled.end());
    all.add(settings_entry{"data.labelled", toml::value(ids), here});
  }
  return all;
}

// All keys of a cell: those of its training, and what is scored.
struct cell_keys {
  app::experiment e;
  std::string variant, label_set, images, labels, unit;
  std::vector<std::string> subsets;

  [[nodiscard]] app::settings keys() {
    app::settings all = e.keys();
    all.bind("cell.variant", variant);
    all.bind("cell.label_set", label_set);
    all.bind("cell.images", images);
    all.bind("cell.labels", labels);
    all.bind("cell.subsets", subsets);
    all.bind("cell.unit", unit);
    return all;
  }
  [[nodiscard]] static cell_keys of(const app::study& s, const app::study_cell& cell) {
    const auto& o = s.options;
    return {cell.settings, s.variants[cell.variant].name, s.label_sets[cell.labels].name, o.images, o.labels, o.unit,
            o.subsets};
  }
};

/// A cell on disk must have been begun with what the study says now. @throws config_error with the first difference
template <tensor_backend Backend>
void refuse_other_cell(const app::study& s, const app::study_cell& cell, const cell_folder& folder,
                       const registry<Backend>& names) {
  const auto file = folder.settings_file();
  if (!std::filesystem::exists(file)) {
    if (!folder.finished() && !folder.begun()) return;
    throw config_error(text(file.string(), ": is missing, so nobody can tell what the cell was begun with; delete ",
                            folder.path.string(), ", or name a new folder"));
  }
  app::raw_settings raw, scored;
  raw.read_file(file);
  scored = raw.take([](const settings_entry& one) { return is_below(one.key, "cell"); });
  cell_keys now = cell_keys::of(s, cell), then{app::experiment::from(raw, names), {}, {}, {}, {}, {}, {}};
  auto begun = then.keys();
  begun.apply(scored);
  auto free = free_to_differ();
  for (const char* cohort : {"data.folder", "data.splits"}) free.erase(cohort);  // results are those of these cases
  if (!folder.finished())                                                        // nothing was scored yet
    free.insert({"cell.images", "cell.labels", "cell.subsets", "cell.unit"});
  const auto [here, there] = now.keys().first_difference(begun, free);
  if (!here.empty())
    throw config_error(text(file.string(), ": the cell was begun with ", there, ", ", s.file.string(), " has ", here,
                            "; take the same settings, delete the cell's folder, or name a new folder"));
}

}  // namespace app_detail

namespace app {

/// The cells of a study, seed by seed, so that the first seed of all variants is there first. All settings are checked,
/// as `train` checks them.
/// @throws config_error with the variant's name for a key or value that makes no sense, and for two names that differ
/// in nothing that a folder's name keeps
template <tensor_backend Backend>
[[nodiscard]] std::vector<study_cell> cells_of(const study& s, const registry<Backend>& names) {
  std::vector<study_cell> cells;
  std::map<std::string, std::string> taken;
  std::string lines;
  std::set<std::string> told;
  for (const index seed : s.options.seeds)
    for (std::size_t l = 0; l < s.label_sets.size(); ++l)
      for (std::size_t v = 0; v < s.variants.size(); ++v) {
        const auto& [variant, labels] = std::tie(s.variants[v], s.label_sets[l]);
        const auto& wanted = variant.label_sets;
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), labels.name) == wanted.end()) continue;
        study_cell cell{v, l, seed, app_detail::folder_name(variant.name), variant.name, {}};
        if (!labels.name.empty()) {
          cell.name += "-" + app_detail::folder_name(labels.name);
          cell.title += "; " + labels.name;
        }
        cell.name += text("-seed", seed);
        cell.title += text("; seed ", seed);
        try {
          cell.settings = experiment::checked(app_detail::settings_of(s, variant, labels, seed), names);
        } catch (const config_error& failure) {
          // Of other variants, label sets and seeds it is the same fault.
          if (told.insert(failure.what()).second) {
            std::string line = text("variant '", variant.name, "': ", failure.what());
            for (std::size_t at = 0; (at = line.find('\n', at)) != std::string::npos; ++at)
              line.insert(at + 1, text("variant '", variant.name, "': "));
            lines += (lines.empty() ? "" : "\n") + line;
          }
        }
        if (const auto [at, fresh] = taken.emplace(cell.name, cell.title); !fresh)
          throw config_error(text(s.file.string(), ": '", at->second, "' and '", cell.title,
                                  "' would share the folder ", cell.name,
                                  "; give them names that differ in letters or digits"));
        cells.push_back(std::move(cell));
      }
  if (!lines.empty()) throw config_error(lines);
  return cells;
}

/// Refuses, before anything is trained or written, whatever can be known without reading a volume: settings that differ
/// from those of cells in `folder`, data sets, methods that lack something, cases without images or true masks.
/// @throws config_error, io_error with the cell's title
template <tensor_backend Backend>
void check_cells(const study& s, const std::vector<study_cell>& cells, const std::filesystem::path& folder,
                 const registry<Backend>& names, const observer& watch) {
  std::set<std::string> told;
  observer once;  // the cells of a study share their data
  once.warning = [&](const std::string& line) {
    if (told.insert(line).second) watch.warn(line);
  };
  std::set<std::pair<std::size_t, std::size_t>> checked;
  for (const auto& cell : cells) {
    const app_detail::cell_folder at{folder / "cells" / cell.name};
    app_detail::refuse_other_cell(s, cell, at, names);
    if (at.finished() || !checked.emplace(cell.variant, cell.labels).second) continue;
    try {
      check_training(cell.settings, at.run(), true, names, once);
      const auto modalities = cell.settings.read_cohort(names).modalities.size();
      const auto images = scored_images(s, cell.settings), labels = scored_labels(s, cell.settings);
      auto truth = app_detail::masks_of(labels);
      for (const auto& files : app_detail::images_to_predict(images, modalities, once))
        if (truth.erase(files.id) == 0)
          throw io_error(text(labels.string(), ": has no mask of case ", files.id, ", which is in ", images.string()));
      if (!truth.empty())
        throw io_error(text(images.string(), ": has no images of case ", truth.begin()->first, ", whose mask is in ",
                            labels.string()));
    } catch (const config_error& failure) {
      throw config_error(text(cell.title, ": ", failure.what()));
    } catch (const io_error& failure) {
      throw io_error(text(cell.title, ": ", failure.what()));
    }
  }
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
