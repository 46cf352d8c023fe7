// SPDX-License-Identifier: Apache-2.0
/// @file
/// All keys of an experiment file that a program knows, as TOML and as a page of documentation.
#ifndef COMODAL_APP_KEY_TABLE_HPP
#define COMODAL_APP_KEY_TABLE_HPP

#include <comodal/app/experiment.hpp>

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

// Words of a cell of a Markdown table.
[[nodiscard]] inline std::string cell_of(std::string_view words) {
  std::string out;
  for (const char c : words) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

// What a table of keys is for, where its name does not say it.
[[nodiscard]] inline std::string_view about_table(std::string_view table) {
  constexpr std::array words{
      std::pair{"data", "Which cases, and how they are prepared."},
      std::pair{"model", "The network."},
      std::pair{"batch", "How many crops a step has, and their size."},
      std::pair{"sampling", "Where crops are centred."},
      std::pair{"augment",
                "How crops are changed at random. A range is [low, high]; a chance is from 0 to 1. Intensities are "
                "those of\nnormalised volumes."},
      std::pair{"prefetch", "Threads that make crops beside the training."},
      std::pair{"method", "The semi-supervised method. Its options stand in a table of its name."},
      std::pair{"loss", "The losses of the method. Options of a loss stand in a table of its name."},
      std::pair{"optimiser", "How weights are updated."},
      std::pair{"train", "How long a run is, and what it writes when."},
      std::pair{"compute", "The machine."}};
  for (const auto& [name, about] : words)
    if (table == name) return about;
  return {};
}

}  // namespace app_detail

namespace app {

/// What `f` returns of all keys of an experiment file with their defaults: those of every method and loss that the
/// program knows.
template <tensor_backend Backend, class F>
[[nodiscard]] auto of_all_keys(const registry<Backend>& names, const F& f) {
  experiment e;
  e.take_default_options(names);
  settings keys = e.keys();
  std::map<std::string, any_options> others;  // lives as long as `keys` shows them
  for (const auto& name : names.method_names())
    if (name != e.method.name) keys.bind_all("method." + name, others[name] = names.method_options_of(name));
  visit_loss_choices(e.losses, [&](std::string_view key, const named_options& chosen) {
    for (const auto& name : names.loss_names_of(key))
      if (name != chosen.name) keys.bind_all("loss." + name, others["loss." + name] = names.loss_options_of(key, name));
  });
  return f(std::as_const(keys));
}

/// The words that the value of a key may be: of its kind, or names that the program knows. None for other keys.
/// @param keys as `of_all_keys` hands them over
template <tensor_backend Backend>
[[nodiscard]] std::vector<std::string> choices_of(const std::string& key, const settings& keys,
                                                  const registry<Backend>& names) {
  if (const auto& words = keys.choices(key); !words.empty()) return words;
  if (key == "method.name") return names.method_names();
  if (key == "optimiser.name") return names.optimiser_names();
  if (key == "data.normalise") return names.normalisations.names();
  if (key == "model.preset") return network_preset_names();
  if (key == "augment.preset") return augment_preset_names();
  if (key == "optimiser.schedule") return {"polynomial", "cosine", "constant"};
  if (key == "model.precision") return {"fp32", "tf32", "bf16"};
  std::vector<std::string> words;
  loss_options losses;
  visit_loss_choices(losses, [&](std::string_view name, const named_options&) {
    if (key == text("loss.", name)) words = names.loss_names_of(name);
  });
  if (key.starts_with("model.")) return names.network_names_of(key.substr(6));
  return words;
}

/// What somebody may mean by a word: in words, where other programs call an option so, and the keys that have it in
/// their names, or else in their meanings. Case does not count, nor whether a blank stands for '_'.
struct meant_keys {
  std::string_view hint;
  std::vector<std::string> keys;
};
[[nodiscard]] inline meant_keys keys_with(const settings& keys, const std::string& word) {
  const auto plain = [](std::string words) {
    for (char& c : words) c = c == ' ' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return words;
  };
  const std::string wanted = plain(word);
  meant_keys found{app_detail::synonym_of(wanted), {}};
  std::vector<std::string> meant;
  for (const auto& key : keys.names()) {
    const auto at = found.hint.find(key);  // 'optimiser.learning_rate'
    const bool hinted = at != std::string_view::npos && found.hint.substr(at + key.size()).find_first_of("' ,") == 0;
    if (key.find(wanted) != std::string::npos || hinted) found.keys.push_back(key);
    if (plain(keys.help(key)).find(wanted) != std::string::npos) meant.push_back(key);
  }
  if (found.keys.empty() && found.hint.empty()) found.keys = meant;
  return found;
}

/// These keys as TOML.
template <tensor_backend Backend>
[[nodiscard]] std::string all_keys(const registry<Backend>& names) {
  return of_all_keys(names, [](const settings& keys) { return keys.resolved(); });
}

/// These keys as a page in Markdown: a table per section with defaults and meanings.
[[nodiscard]] inline std::string keys_page(const settings& keys) {
  std::string page =
      "# Keys of an experiment file\n\n"
      "Written by the program: `comodal keys --markdown`. A test compares this page with it.\n\n"
      "A key that is left out has its default. On the command line, `--SECTION.KEY VALUE` wins over the file. Where a "
      "list is\nmeant, one entry needs no brackets. Triples are along NIfTI's axes i, j, k.\n";
  std::string current;
  for (const std::string& key : keys.names()) {
    const std::string table = key.substr(0, key.rfind('.'));
    if (table != current) {
      page += text("\n## [", table, "]\n\n");
      if (const auto about = app_detail::about_table(table); !about.empty()) page += text(about, "\n\n");
      page += "| key | default | meaning |\n| --- | --- | --- |\n";
      current = table;
    }
    page += text("| `", app_detail::last_part(key), "` | `", app_detail::cell_of(keys.shown(key)), "` | ",
                 app_detail::cell_of(keys.help(key)), " |\n");
  }
  return page;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
