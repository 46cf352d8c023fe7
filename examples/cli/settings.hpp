// SPDX-License-Identifier: Apache-2.0
// Experiment files: TOML keys bound to options, overrides from the command line, and messages for what does not fit.
#ifndef COMODAL_EXAMPLES_CLI_SETTINGS_HPP
#define COMODAL_EXAMPLES_CLI_SETTINGS_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>

#include <toml.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace cli {

using comodal::config_error;
using comodal::text;

namespace detail {

template <class T>
struct is_array : std::false_type {};
template <class T, std::size_t N>
struct is_array<std::array<T, N>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

template <class T>
[[nodiscard]] std::string kind_of() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  else if constexpr (std::is_integral_v<T>) return "a whole number";
  else if constexpr (std::is_floating_point_v<T>) return "a number";
  else if constexpr (std::is_enum_v<T>) {
    std::string names;
    for (const auto name : choice_names(T{})) names += (names.empty() ? "\"" : ", \"") + std::string(name) + "\"";
    return "one of " + names;
  } else if constexpr (std::is_same_v<T, std::string>) return "a text in quotes";
  else if constexpr (is_array<T>::value) return text("a list of ", std::tuple_size_v<T>, ", each ", kind_of<typename T::value_type>());
  else return "a list, each " + kind_of<typename T::value_type>();
}

// Reads a TOML value into `out`; false if it is of another kind.
template <class T>
[[nodiscard]] bool read_value(const toml::value& value, T& out) {
  if constexpr (std::is_same_v<T, bool>) {
    if (value.is_boolean()) out = value.as_boolean();
    return value.is_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    if (value.is_integer()) out = static_cast<T>(value.as_integer());
    return value.is_integer();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (value.is_floating()) out = value.as_floating();
    else if (value.is_integer()) out = static_cast<T>(value.as_integer());
    return value.is_floating() || value.is_integer();
  } else if constexpr (std::is_enum_v<T>) {
    if (!value.is_string()) return false;
    const auto names = choice_names(T{});
    const auto found = std::find(names.begin(), names.end(), value.as_string().str);
    if (found == names.end()) return false;
    out = static_cast<T>(found - names.begin());
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (value.is_string()) out = value.as_string().str;
    return value.is_string();
  } else {
    if (!value.is_array()) return false;
    const auto& list = value.as_array();
    if constexpr (is_array<T>::value) {
      if (list.size() != std::tuple_size_v<T>) return false;
      for (std::size_t i = 0; i < list.size(); ++i)
        if (!read_value(list[i], out[i])) return false;
    } else {
      out.clear();
      for (const auto& entry : list)
        if (!read_value(entry, out.emplace_back())) return false;
    }
    return true;
  }
}

template <class T>
[[nodiscard]] std::string show_value(const T& value) {
  if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
  else if constexpr (std::is_integral_v<T>) return std::to_string(value);
  else if constexpr (std::is_floating_point_v<T>) {
    for (int digits = 6; digits <= 17; ++digits) {
      std::ostringstream out;
      out.precision(digits);
      out << value;
      if (std::stod(out.str()) == value || digits == 17) return out.str().find_first_of(".en") == std::string::npos ? out.str() + ".0" : out.str();
    }
    return {};
  } else if constexpr (std::is_enum_v<T>) return "\"" + std::string(choice_names(T{})[static_cast<std::size_t>(value)]) + "\"";
  else if constexpr (std::is_same_v<T, std::string>) {
    std::string out = "\"";
    for (const char c : value) out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return out + "\"";
  } else {
    std::string out = "[";
    for (const auto& entry : value) out += (out.size() > 1 ? ", " : "") + show_value(entry);
    return out + "]";
  }
}

// The number of insertions, deletions, changes and swaps of neighbours between two words (Damerau's distance, adjacent swaps once).
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

}  // namespace detail

/// All keys of an experiment file with the options behind them.
class settings {
 public:
  /// Binds a key ("train.steps", or "seed" at the top) to an option, which must outlive this.
  template <class T>
  void bind(const std::string& key, T& option) {
    m_order.push_back(key);
    m_keys[key] = {[key, &option](const toml::value& value, const std::string& where) {
                     T read = option;
                     if (!detail::read_value(value, read))
                       throw config_error(text(where, ": ", key, " is not ", detail::kind_of<T>()));
                     option = std::move(read);
                   },
                   [&option] { return detail::show_value(option); }};
  }
  /// Binds a triple that is kept as (D, H, W) and written as (i, j, k), the order of NIfTI's axes.
  template <class T>
  void bind_reversed(const std::string& key, T& option) {
    m_order.push_back(key);
    m_keys[key] = {[key, &option](const toml::value& value, const std::string& where) {
                     T read = option;
                     if (!detail::read_value(value, read))
                       throw config_error(text(where, ": ", key, " is not ", detail::kind_of<T>(), " (along i, j, k)"));
                     std::reverse(read.begin(), read.end());
                     option = read;
                   },
                   [&option] {
                     T shown = option;
                     std::reverse(shown.begin(), shown.end());
                     return detail::show_value(shown);
                   }};
  }

  /// Reads a file. @throws config_error naming file and key for what is unknown or of the wrong kind
  void read_file(const std::filesystem::path& file) {
    if (!std::filesystem::is_regular_file(file)) throw config_error(text(file.string(), ": there is no such experiment file"));
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

  /// Applies `--section.key value` or `--section.key=value` pairs. @throws config_error
  void read_overrides(const std::vector<std::string>& words) {
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

  /// The whole experiment as TOML, every key with its value.
  [[nodiscard]] std::string resolved() const {
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

  /// The first key, but for those in `free`, whose value differs from that in `other`, as "key = value" here and there; empty if there is none.
  [[nodiscard]] std::pair<std::string, std::string> first_difference(const settings& other, const std::set<std::string>& free) const {
    for (const std::string& key : m_order) {
      const std::string here = m_keys.at(key).show(), there = other.m_keys.at(key).show();
      if (here != there && free.count(key) == 0) return {key + " = " + here, key + " = " + there};
    }
    return {};
  }

 private:
  struct bound {
    std::function<void(const toml::value&, const std::string&)> set;
    std::function<std::string()> show;
  };

  static toml::value parse_word(const std::string& word) {
    try {
      std::istringstream in("x = " + word + "\n");
      return toml::parse(in, "command line").at("x");
    } catch (const std::exception&) {
      return toml::value(word);
    }
  }

  const bound& find(const std::string& key, const std::string& where) const {
    const auto found = m_keys.find(key);
    if (found != m_keys.end()) return found->second;
    std::string nearest;
    std::size_t best = ~std::size_t{0};
    for (const auto& [name, unused] : m_keys)
      if (const auto d = detail::edit_distance(key, name); d < best) {
        best = d;
        nearest = name;
      }
    throw config_error(text(where, ": there is no key '", key, "'; did you mean '", nearest, "'? (comodal train --help lists all keys)"));
  }

  void read_table(const toml::value& table, const std::string& prefix, const std::string& where) {
    for (const auto& [name, value] : table.as_table()) {
      const std::string key = prefix.empty() ? name : prefix + "." + name;
      if (value.is_table() && !m_keys.contains(key))
        read_table(value, key, where);
      else
        find(key, text(where, ":", value.location().line())).set(value, text(where, ":", value.location().line()));
    }
  }

  std::map<std::string, bound> m_keys;
  std::vector<std::string> m_order;
};

}  // namespace cli

#endif
