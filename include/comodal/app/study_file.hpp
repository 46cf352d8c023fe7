// SPDX-License-Identifier: Apache-2.0
/// @file
/// The file of a study: variants of a training, label sets and seeds, which the verb `experiment` compares.
#ifndef COMODAL_APP_STUDY_FILE_HPP
#define COMODAL_APP_STUDY_FILE_HPP

#include <comodal/app/settings.hpp>
#include <comodal/app/study_options.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// One way to train: a name, and what it changes in what all cells share.
struct study_variant {
  std::string name;
  raw_settings changes;
  std::vector<std::string> label_sets;  // those it is trained with; empty: all
};

/// Labelled cases under a name.
struct label_set {
  std::string name;                   // empty: the file has no label sets, and data.labelled stands elsewhere
  std::vector<std::string> labelled;  // as `data.labelled`
};

/// What a study file says.
struct study {
  std::filesystem::path file;
  study_options options;
  std::vector<study_variant> variants;
  std::vector<label_set> label_sets;
  raw_settings base, shared, overrides;  // by precedence; variants stand between `shared` and `overrides`
};

}  // namespace app

namespace app_detail {

using settings_entry = app::raw_settings::entry;

[[nodiscard]] inline bool is_below(std::string_view key, std::string_view table) {
  return key == table || (key.starts_with(table) && key.size() > table.size() && key[table.size()] == '.');
}

// The method whose options an entry belongs to: that of "method.NAME.key", or of an empty table; else empty.
[[nodiscard]] inline std::string_view method_of(const settings_entry& one) {
  const std::string_view key = one.key;
  const auto dot = key.find('.', 7);
  if (!key.starts_with("method.") || (dot == std::string_view::npos && !one.value.is_table())) return {};
  return key.substr(7, dot - 7);
}

// The value of an entry as a T. @throws config_error with place and key
template <class T>
[[nodiscard]] T value_as(const settings_entry& one) {
  T value{};
  if (!read_value(one.value, value)) throw config_error(text(one.where, ": ", one.key, " is not ", kind_of<T>()));
  return value;
}

// What cells differ in is said in one place.
inline void refuse_axes(const app::raw_settings& raw, bool has_label_sets) {
  for (const auto& one : raw.entries()) {
    const auto refuse = [&](std::string_view words) {
      throw config_error(text(one.where, ": '", one.key, "': ", words));
    };
    if (one.key == "method.name") refuse("a study has several methods; name them in experiment.methods or in variants");
    if (one.key == "train.seed") refuse("a study has several seeds; list them in experiment.seeds");
    if (one.key == "compute.threads") refuse("the threads of each process are experiment.threads");
    if (one.key == "data.labelled" && has_label_sets)
      refuse("the file has label sets; give them all in [[experiment.label_sets]]");
  }
}

// The tables of a list of tables.
[[nodiscard]] inline std::vector<std::vector<settings_entry>> tables_of(const settings_entry& list,
                                                                        const std::filesystem::path& file) {
  const auto refuse = [&] {
    throw config_error(text(list.where, ": ", list.key, " is no list of tables; write [[", list.key, "]]"));
  };
  if (!list.value.is_array()) refuse();
  std::vector<std::vector<settings_entry>> tables;
  for (const auto& table : list.value.as_array()) {
    if (!table.is_table()) refuse();
    auto& entries = tables.emplace_back();
    for (const auto& [name, value] : table.as_table())
      entries.push_back({name, value, text(file.string(), ":", value.location().line())});
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    if (std::none_of(entries.begin(), entries.end(), [](const auto& one) { return one.key == "name"; }))
      throw config_error(text(file.string(), ":", table.location().line(), ": an entry of [[", list.key,
                              "]] has no name; give it one"));
  }
  return tables;
}

[[noreturn]] inline void refuse_key(const settings_entry& one, std::string_view what,
                                    const std::vector<std::string>& known) {
  throw config_error(
      text(one.where, ": ", what, " has no key '", one.key, "'; did you mean '", nearest_name(one.key, known), "'?"));
}

[[nodiscard]] inline app::label_set read_label_set(const std::vector<settings_entry>& table) {
  app::label_set set;
  for (const auto& one : table)
    if (one.key == "name")
      set.name = value_as<std::string>(one);
    else if (one.key == "labelled")
      set.labelled = value_as<std::vector<std::string>>(one);
    else
      refuse_key(one, "a label set", {"name", "labelled"});
  return set;
}

[[nodiscard]] inline app::study_variant read_variant(const std::vector<settings_entry>& table,
                                                     const std::filesystem::path& file, bool has_label_sets) {
  app::study_variant variant;
  const settings_entry* options = nullptr;
  for (const auto& one : table)
    if (one.key == "name")
      variant.name = value_as<std::string>(one);
    else if (one.key == "label_sets")
      variant.label_sets = value_as<std::vector<std::string>>(one);
    else if (one.key == "options")
      options = &one;
    else if (one.key == "method" && !one.value.is_table())
      variant.changes.add(settings_entry{"method.name", toml::value(value_as<std::string>(one)), one.where});
    else if (one.value.is_table())
      variant.changes.read_table(one.value, one.key, file.string());
    else
      refuse_key(one, "a variant", {"name", "method", "options", "label_sets"});
  auto checked = variant.changes;
  (void)checked.take([](const settings_entry& one) { return one.key == "method.name"; });
  refuse_axes(checked, has_label_sets);
  const std::string method = variant.changes.text_of("method.name", "");
  if (method.empty())
    throw config_error(text(file.string(), ": the variant '", variant.name, "' has no method; set method = \"...\""));
  if (options != nullptr) {
    if (!options->value.is_table())
      throw config_error(text(options->where, ": options is not a table of options of the method '", method, "'"));
    variant.changes.read_table(options->value, "method." + method, file.string());
  }
  return variant;
}

// A name of a list must be one of `known`.
inline void expect_known(const std::filesystem::path& file, std::string_view key, const std::string& name,
                         const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  throw config_error(text(file.string(), ": ", key, ": there is no '", name, "'",
                          known.empty() ? "" : text("; did you mean '", nearest_name(name, known), "'?")));
}

template <class Named>
[[nodiscard]] std::vector<std::string> names_of(const std::vector<Named>& list) {
  std::vector<std::string> names;
  for (const auto& one : list) names.push_back(one.name);
  return names;
}

inline void refuse_doubles(const std::filesystem::path& file, std::string_view key, std::vector<std::string> names) {
  if (std::find(names.begin(), names.end(), "") != names.end())
    throw config_error(text(file.string(), ": ", key, ": one is empty"));
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) throw config_error(text(file.string(), ": ", key, ": '", *twice, "' is there twice"));
}

// Options of a method belong to the variants that have it.
inline void refuse_other_methods(const app::study& s) {
  std::vector<std::string> chosen;
  std::string list;
  for (const auto& one : s.variants) {
    const std::string method = one.changes.text_of("method.name", "");
    if (std::find(chosen.begin(), chosen.end(), method) != chosen.end()) continue;
    list += (list.empty() ? "" : ", ") + method;
    chosen.push_back(method);
  }
  for (const auto* layer : {&s.shared, &s.overrides})
    for (const auto& one : layer->entries())
      if (const std::string method(method_of(one));
          !method.empty() && std::find(chosen.begin(), chosen.end(), method) == chosen.end())
        throw config_error(text(one.where, ": '", one.key, "': no variant of the study has the method '", method,
                                "', but: ", list, "; leave it out, or add a variant"));
}

// Calls parts of a check one by one, so that one fault does not hide the next.
class gathered_faults {
 public:
  template <class Part>
  void look(const Part& part) {
    try {
      part();
    } catch (const config_error& failure) {
      add(failure.what());
    }
  }
  [[nodiscard]] bool any() const { return !m_lines.empty(); }
  void add(const std::string& line) { m_lines += (m_lines.empty() ? "" : "\n") + line; }
  /// @throws config_error with the lines of all faults, if there was one
  void refuse() const {
    if (!m_lines.empty()) throw config_error(m_lines);
  }

 private:
  std::string m_lines;
};

inline void check_study(const app::study& s, gathered_faults& faults) {
  const auto& o = s.options;
  const auto refuse = [&](const auto&... words) { faults.add(text(s.file.string(), ": ", words...)); };
  const auto variants = names_of(s.variants), sets = names_of(s.label_sets);
  if (variants.empty() && !faults.any())
    refuse("experiment.methods is empty; name a method, or add a table [[experiment.variants]]");
  if (o.seeds.empty()) refuse("experiment.seeds is empty, expected at least one seed");
  if (o.processes < 0) refuse("experiment.processes = ", o.processes, ", expected 0 (one per core) or more");
  if (o.threads < 1) refuse("experiment.threads = ", o.threads, ", expected 1 or more");
  if (o.unit != "mm" && o.unit != "voxel") refuse("experiment.unit = '", o.unit, "', expected mm or voxel");
  for (const auto& name : o.subsets)
    faults.look([&] { expect_known(s.file, "experiment.subsets", name, {"each", "every"}); });
  faults.look([&] { refuse_doubles(s.file, "the names of variants", variants); });
  if (sets.size() > 1 || !s.label_sets.at(0).labelled.empty())  // else there are none, and the one has no name
    faults.look([&] { refuse_doubles(s.file, "the names of label sets", sets); });
  std::vector<std::string> seeds;
  for (const index seed : o.seeds) seeds.push_back(std::to_string(seed));
  for (const index seed : o.seeds)
    if (seed < 0) refuse("experiment.seeds: ", seed, ", expected 0 or more");
  faults.look([&] { refuse_doubles(s.file, "experiment.seeds", seeds); });
  if (!o.baseline.empty()) faults.look([&] { expect_known(s.file, "experiment.baseline", o.baseline, variants); });
  for (const auto& variant : s.variants)
    for (const auto& name : variant.label_sets)
      faults.look([&] {
        expect_known(s.file, text("label_sets of the variant '", variant.name, "'"), name,
                     s.label_sets[0].name.empty() ? std::vector<std::string>{} : sets);
      });
}

}  // namespace app_detail

namespace app {

/// Reads a study file, with overrides of any of its keys. What its cells are made of is checked by `cells_of`.
/// @throws config_error with file, place and key
[[nodiscard]] inline study read_study(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  using app_detail::settings_entry;
  study s;
  s.file = file;
  s.shared.read_file(file);
  s.overrides.read_overrides(overrides);
  const auto own = [](const settings_entry& one) { return app_detail::is_below(one.key, "experiment"); };
  raw_settings keys = s.shared.take(own);
  if (keys.entries().empty())
    throw config_error(text(file.string(), ": has no table [experiment]; `train` takes such a file"));
  keys.add(s.overrides.take(own));
  const auto list_of = [&](std::string_view key) {
    return keys.take([&](const settings_entry& one) { return one.key == key; }).entries();
  };
  const auto sets = list_of("experiment.label_sets"), variants = list_of("experiment.variants");
  settings known;
  visit_study_options(s.options,
                      [&](std::string_view name, auto& value, auto) { known.bind(text("experiment.", name), value); });
  known.refuse("experiment.seed", "a study has several seeds; list them in experiment.seeds");
  app_detail::gathered_faults faults;
  faults.look([&] { known.apply(keys); });

  for (const auto& list : sets)
    faults.look([&] {
      for (const auto& table : app_detail::tables_of(list, file))
        faults.look([&] { s.label_sets.push_back(app_detail::read_label_set(table)); });
    });
  const bool has_label_sets = !s.label_sets.empty();
  if (!has_label_sets) s.label_sets.emplace_back();
  for (const auto& name : s.options.methods) {
    s.variants.push_back({name, {}, {}});
    s.variants.back().changes.add(settings_entry{"method.name", toml::value(name), file.string()});
  }
  for (const auto& list : variants)
    faults.look([&] {
      for (const auto& table : app_detail::tables_of(list, file))
        faults.look([&] { s.variants.push_back(app_detail::read_variant(table, file, has_label_sets)); });
    });
  faults.look([&] {
    if (!s.options.base.empty()) s.base.read_file(file.parent_path() / s.options.base);
  });
  faults.look([&] { app_detail::refuse_axes(s.shared, has_label_sets); });
  faults.look([&] { app_detail::refuse_axes(s.overrides, has_label_sets); });
  app_detail::check_study(s, faults);
  faults.refuse();
  app_detail::refuse_other_methods(s);
  return s;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
