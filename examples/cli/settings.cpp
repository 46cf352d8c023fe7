// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <comodal/core/renamed_options.hpp>

#include <string_view>

namespace cli {
namespace {

// The number of insertions, deletions, changes and swaps of neighbours between two words (Damerau's distance, adjacent
// swaps once).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

// The part of a key behind its last dot.
std::string_view last_part(std::string_view key) { return key.substr(key.rfind('.') + 1); }

// How far a key is from a known one, wherever in the file either stands.
std::size_t key_distance(std::string_view key, std::string_view known) {
  const auto whole = edit_distance(key, known);
  if (last_part(key) == key && last_part(known) == known) return whole;
  return std::min(whole, edit_distance(last_part(key), last_part(known)) + 1);
}

// What other programs call an option that has another name here, in any table; empty for all else.
std::string_view synonym_of(std::string_view key) {
  const std::string_view name = last_part(key);
  if (name == "batch_size") return "batch.labelled and batch.unlabelled say how many crops of each kind a step has";
  if (name == "lr" || name == "learning_rate") return "the key is 'optimiser.learning_rate'";
  if (name == "weight_decay") return "the key is 'optimiser.weight_decay'";
  if (name == "epochs" || name == "max_epochs" || name == "iterations")
    return "the length of a run is 'train.steps', the number of updates";
  if (name == "seed" || name == "random_seed") return "the key is 'train.seed'";
  if (name == "fold") return "the cases of a fold are named by 'data.labelled', 'data.validation' and 'data.splits'";
  if (name == "device" || name == "gpu")
    return "the device is that of the Kokkos that the program was built with; `comodal info` names it";
  return {};
}

// A value as TOML has it, or else the word itself.
toml::value parse_word(const std::string& word) {
  try {
    std::istringstream in("x = " + word + "\n");
    return toml::parse(in, "command line").at("x");
  } catch (const std::exception&) {
    return toml::value(word);
  }
}

}  // namespace

void settings::read_file(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file))
    throw config_error(text(file.string(), ": there is no such experiment file"));
  toml::value root;
  try {
    root = toml::parse(file);
  } catch (const std::exception& failure) {
    std::string words = failure.what();
    std::replace(words.begin(), words.end(), '\n', ' ');
    throw config_error(text(file.string(), ": is no valid TOML: ", words));
  }
  read_table(root, "", file.string());
}

void settings::read_overrides(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].rfind("--", 0) != 0) throw config_error(text("'", words[i], "': not expected here; see --help"));
    std::string key = words[i].substr(2), value;
    if (const auto equal = key.find('='); equal != std::string::npos) {
      value = key.substr(equal + 1);
      key.resize(equal);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      throw config_error(text("--", key, ": a value is missing"));
    }
    const auto& bound = find(key, "command line");
    bound.set(parse_word(value), "command line");
  }
}

std::string settings::resolved() const {
  std::string top, sections, current;
  for (const std::string& key : m_order) {
    const auto dot = key.rfind('.');
    const std::string line = key.substr(dot == std::string::npos ? 0 : dot + 1) + " = " + m_keys.at(key).show() + "\n";
    if (dot == std::string::npos) {
      top += line;
      continue;
    }
    if (key.substr(0, dot) != current) sections += "\n[" + (current = key.substr(0, dot)) + "]\n";
    sections += line;
  }
  return top + sections;
}

std::pair<std::string, std::string> settings::first_difference(const settings& other,
                                                               const std::set<std::string>& free) const {
  for (const std::string& key : m_order) {
    const std::string here = m_keys.at(key).show(), there = other.m_keys.at(key).show();
    if (here != there && free.count(key) == 0) return {key + " = " + here, key + " = " + there};
  }
  return {};
}

const settings::bound& settings::find(const std::string& key, const std::string& where) const {
  const auto found = m_keys.find(key);
  if (found != m_keys.end()) return found->second;
  if (const auto now = comodal::renamed_to(key); !now.empty())
    throw config_error(text(where, ": there is no key '", key, "'; it is called '", now, "' now"));
  if (const auto words = synonym_of(key); !words.empty())
    throw config_error(text(where, ": there is no key '", key, "'; ", words));
  std::string nearest;
  std::size_t best = ~std::size_t{0};
  for (const auto& [name, unused] : m_keys)
    if (const auto d = key_distance(key, name); d < best) {
      best = d;
      nearest = name;
    }
  throw config_error(text(where, ": there is no key '", key, "'; did you mean '", nearest,
                          "'? (comodal train --help lists all keys)"));
}

void settings::read_table(const toml::value& table, const std::string& prefix, const std::string& where) {
  for (const auto& [name, value] : table.as_table()) {
    const std::string key = prefix.empty() ? name : prefix + "." + name;
    if (value.is_table() && !m_keys.contains(key))
      read_table(value, key, where);
    else
      find(key, text(where, ":", value.location().line())).set(value, text(where, ":", value.location().line()));
  }
}

}  // namespace cli
