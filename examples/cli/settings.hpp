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
  if constexpr (std::is_same_v<T, bool>)
    return "true or false";
  else if constexpr (std::is_integral_v<T>)
    return "a whole number";
  else if constexpr (std::is_floating_point_v<T>)
    return "a number";
  else if constexpr (std::is_enum_v<T>) {
    std::string names;
    for (const auto name : choice_names(T{})) names += (names.empty() ? "\"" : ", \"") + std::string(name) + "\"";
    return "one of " + names;
  } else if constexpr (std::is_same_v<T, std::string>)
    return "a text in quotes";
  else if constexpr (is_array<T>::value)
    return text("a list of ", std::tuple_size_v<T>, ", each ", kind_of<typename T::value_type>());
  else
    return "a list, each " + kind_of<typename T::value_type>();
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
    if (value.is_floating())
      out = value.as_floating();
    else if (value.is_integer())
      out = static_cast<T>(value.as_integer());
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
  if constexpr (std::is_same_v<T, bool>)
    return value ? "true" : "false";
  else if constexpr (std::is_integral_v<T>)
    return std::to_string(value);
  else if constexpr (std::is_floating_point_v<T>) {
    for (int digits = 6; digits <= 17; ++digits) {
      std::ostringstream out;
      out.precision(digits);
      out << value;
      if (std::stod(out.str()) == value || digits == 17)
        return out.str().find_first_of(".en") == std::string::npos ? out.str() + ".0" : out.str();
    }
    return {};
  } else if constexpr (std::is_enum_v<T>)
    return "\"" + std::string(choice_names(T{})[static_cast<std::size_t>(value)]) + "\"";
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
  void read_file(const std::filesystem::path& file);

  /// Applies `--section.key value` or `--section.key=value` pairs. @throws config_error
  void read_overrides(const std::vector<std::string>& words);

  /// The whole experiment as TOML, every key with its value.
  [[nodiscard]] std::string resolved() const;

  /// The first key, but for those in `free`, whose value differs from that in `other`, as "key = value" here and there;
  /// empty if there is none.
  [[nodiscard]] std::pair<std::string, std::string> first_difference(const settings& other,
                                                                     const std::set<std::string>& free) const;

 private:
  struct bound {
    std::function<void(const toml::value&, const std::string&)> set;
    std::function<std::string()> show;
  };

  const bound& find(const std::string& key, const std::string& where) const;
  void read_table(const toml::value& table, const std::string& prefix, const std::string& where);

  std::map<std::string, bound> m_keys;
  std::vector<std::string> m_order;
};

}  // namespace cli

#endif
