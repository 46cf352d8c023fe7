// SPDX-License-Identifier: Apache-2.0
/// @file
/// Things that are found by name: what registries are made of.
#ifndef COMODAL_CORE_NAME_TABLE_HPP
#define COMODAL_CORE_NAME_TABLE_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/nearest_name.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// The names of a table, in the order in which they were added.
class name_list {
 public:
  name_list(std::string kind, std::vector<std::string> elsewhere, std::vector<std::string> reserved)
      : m_kind(std::move(kind)), m_elsewhere(std::move(elsewhere)), m_reserved(std::move(reserved)) {}

  void add(std::string name) {
    const auto fits = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    if (name.empty() || !std::all_of(name.begin(), name.end(), fits))
      throw config_error(
          text("registry: '", name, "' cannot name a ", m_kind, ", expected letters, digits, '_' and '-'"));
    if (is_in(m_names, name) || is_in(m_elsewhere, name) || is_in(m_reserved, name))
      throw config_error(text("registry: there is a ", m_kind, " '", name, "' already; choose another name"));
    m_names.push_back(std::move(name));
  }
  [[nodiscard]] bool contains(std::string_view name) const { return is_in(m_names, name); }
  [[nodiscard]] const std::vector<std::string>& all() const { return m_names; }
  // The place of a name. @throws config_error as name_table::at
  [[nodiscard]] std::size_t at(std::string_view name, std::string_view key) const {
    const auto found = std::find(m_names.begin(), m_names.end(), name);
    if (found != m_names.end()) return static_cast<std::size_t>(found - m_names.begin());
    std::vector<std::string> known = m_names;
    known.insert(known.end(), m_elsewhere.begin(), m_elsewhere.end());
    std::string list;
    for (const auto& one : known) list += (list.empty() ? "" : ", ") + one;
    const std::string nearest = nearest_name(name, known);
    const bool near = edit_distance(name, nearest) <= std::max<std::size_t>(2, name.size() / 3);
    throw config_error(text(key, " = '", name, "': this program has no ", m_kind, " of that name",
                            near ? text("; did you mean '", nearest, "'?") : std::string("."), " It has: ", list,
                            "; a program of your own may register more (docs/how-to/names.md)"));
  }

 private:
  static bool is_in(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  std::string m_kind;
  std::vector<std::string> m_names, m_elsewhere, m_reserved;
};

}  // namespace detail

/// Things of one kind by name, in the order in which they were added.
template <class T>
class name_table {
 public:
  /// @param kind what the things are, for messages: "fusion block"
  /// @param elsewhere names that the owner of the table handles itself @param reserved names that nothing may have
  explicit name_table(std::string kind, std::vector<std::string> elsewhere = {}, std::vector<std::string> reserved = {})
      : m_names(std::move(kind), std::move(elsewhere), std::move(reserved)) {}

  /// @param name of letters, digits, '_' and '-', as it stands in experiment files
  /// @throws config_error for a name with other characters, and for one that is taken
  void add(std::string name, T thing) {
    m_things.push_back(std::move(thing));
    try {
      m_names.add(std::move(name));
    } catch (...) {
      m_things.pop_back();
      throw;
    }
  }
  [[nodiscard]] bool contains(std::string_view name) const { return m_names.contains(name); }
  /// The names in the order in which they were added.
  [[nodiscard]] const std::vector<std::string>& names() const { return m_names.all(); }
  /// The thing of a name.
  /// @param key the option that holds the name, for the message: "model.fusion"
  /// @throws config_error that says which name this program lacks, the nearest one if it is near, and all that it has
  [[nodiscard]] const T& at(std::string_view name, std::string_view key) const {
    return m_things[m_names.at(name, key)];
  }

 private:
  detail::name_list m_names;
  std::vector<T> m_things;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
