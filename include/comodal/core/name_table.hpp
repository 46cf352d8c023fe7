// SPDX-License-Identifier: Apache-2.0
/// @file
/// Things that are found by name: what registries are made of.
#ifndef COMODAL_CORE_NAME_TABLE_HPP
#define COMODAL_CORE_NAME_TABLE_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/nearest_name.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Things of one kind by name, in the order in which they were added.
template <class T>
class name_table {
 public:
  /// @param kind what the things are, for messages: "fusion block"
  /// @param elsewhere names that the owner of the table handles itself @param reserved names that nothing may have
  explicit name_table(std::string kind, std::vector<std::string> elsewhere = {}, std::vector<std::string> reserved = {})
      : m_kind(std::move(kind)), m_elsewhere(std::move(elsewhere)), m_reserved(std::move(reserved)) {}

  /// @param name of letters, digits, '_' and '-', as it stands in experiment files
  /// @throws config_error for a name with other characters, and for one that is taken
  void add(std::string name, T thing) {
    const auto fits = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    if (name.empty() || !std::all_of(name.begin(), name.end(), fits))
      throw config_error(
          text("registry: '", name, "' cannot name a ", m_kind, ", expected letters, digits, '_' and '-'"));
    if (find(name) != nullptr || is_in(m_elsewhere, name) || is_in(m_reserved, name))
      throw config_error(text("registry: there is a ", m_kind, " '", name, "' already; choose another name"));
    m_things.emplace_back(std::move(name), std::move(thing));
  }

  [[nodiscard]] bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// The names in the order in which they were added.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, thing] : m_things) out.push_back(name);
    return out;
  }
  /// The thing of a name.
  /// @param key the option that holds the name, for the message: "model.fusion"
  /// @throws config_error that says which name this program lacks, the nearest one it has, and all of them
  [[nodiscard]] const T& at(std::string_view name, std::string_view key) const {
    if (const T* found = find(name)) return *found;
    std::vector<std::string> known = names();
    known.insert(known.end(), m_elsewhere.begin(), m_elsewhere.end());
    std::string list;
    for (const auto& one : known) list += (list.empty() ? "" : ", ") + one;
    throw config_error(text(key, " = '", name, "': this program has no ", m_kind, " of that name; did you mean '",
                            nearest_name(name, known), "'? It has: ", list,
                            "; a program of your own may register more (docs/how-to/names.md)"));
  }

 private:
  static bool is_in(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
  [[nodiscard]] const T* find(std::string_view name) const {
    for (const auto& [known, thing] : m_things)
      if (known == name) return &thing;
    return nullptr;
  }

  std::string m_kind;
  std::vector<std::string> m_elsewhere, m_reserved;
  std::vector<std::pair<std::string, T>> m_things;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
