// SPDX-License-Identifier: Apache-2.0
/// @file
/// Experiment files: TOML keys bound to options, overrides, and messages for what does not fit.
#ifndef COMODAL_APP_SETTINGS_HPP
#define COMODAL_APP_SETTINGS_HPP

#include <comodal/app/key_hints.hpp>
#include <comodal/app/toml_value.hpp>
#include <comodal/core/any_options.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/core/renamed_options.hpp>
#include <comodal/data/file.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// Where a value comes from that stands in no file.
inline constexpr std::string_view command_line = "command line";

/// Values of an experiment by key, before anybody knows which keys there are: a file, and overrides on top of it.
class raw_settings {
 public:
  /// Reads a file. @throws config_error if it is missing or no TOML
  void read_file(const std::filesystem::path& file) {
    if (!std::filesystem::exists(file)) throw config_error(text(file.string(), ": there is no such experiment file"));
    std::string words;
    try {
      const auto bytes = comodal::read_file(file);
      words.assign(bytes.begin(), bytes.end());
    } catch (const io_error& failure) {
      throw config_error(failure.what());
    }
    read_text(words, file.string());
  }
  /// The same from memory. @param name names the text in messages @throws config_error if it is no TOML
  void read_text(const std::string& words, const std::string& name) {
    if (constexpr std::size_t most = 1 << 20; words.size() > most)
      throw config_error(text(name, ": has ", words.size(), " bytes, expected an experiment file of at most ", most));
    if (const auto bad = app_detail::first_bad_byte(words); bad != std::string::npos)
      throw config_error(text(name, ":",
                              1 + std::count(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(bad), '\n'),
                              ": is no valid TOML: it has a control character, or a letter that is no UTF-8; write it "
                              "in an editor that saves UTF-8"));
    if (app_detail::nesting_of(words) > app_detail::deepest_nesting)
      throw config_error(
          text(name, ": is nested deeper than ", app_detail::deepest_nesting, " levels, expected tables of keys"));
    std::istringstream in(words);
    toml::value root;
    try {
      root = toml::parse(in, name);
    } catch (const toml::exception& failure) {
      throw config_error(text(name, ":", failure.location().line(), ": is no valid TOML: '",
                              readable_name(failure.location().line_str()),
                              "'; expected lines like [train], steps = 100 or name = \"adamw\", each key once"));
    } catch (const std::exception&) {
      throw config_error(
          text(name, ": is no valid TOML; expected lines like [train], steps = 100 or name = \"adamw\""));
    }
    read_table(root, "", name);
  }
  /// Takes `--section.key value` or `--section.key=value` pairs; they win over a file. @throws config_error
  void read_overrides(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i].rfind("--", 0) != 0)
        throw config_error(
            text("'", words[i], "': not expected here; numbers of a list are written --KEY 96,96,32; see --help"));
      std::string key = words[i].substr(2), value;
      if (const auto equal = key.find('='); equal != std::string::npos) {
        value = key.substr(equal + 1);
        key.resize(equal);
      } else if (i + 1 < words.size()) {
        value = words[++i];
      } else {
        throw config_error(text("--", key, ": a value is missing"));
      }
      m_entries.push_back({key, app_detail::parse_word(value), std::string(command_line)});
    }
  }
  /// The text under a key; `otherwise` if it is not set. @throws config_error if it is set to something else
  [[nodiscard]] std::string text_of(const std::string& key, std::string otherwise) const {
    for (const auto& one : m_entries)
      if (one.key == key && !app_detail::read_value(one.value, otherwise))
        throw config_error(text(one.where, ": ", key, " is not ", app_detail::kind_of<std::string>()));
    return otherwise;
  }

  /// Gives keys of 0.1.0 the names of today. Options that the chosen method does not have are dropped: 0.1.0 wrote
  /// those of all methods. For files that a program wrote: in a file of somebody's own an old name is refused.
  /// @param options the keys of the chosen method's options
  void translate_renamed(const std::set<std::string>& options) {
    const std::string own = "method." + text_of("method.name", "") + ".";
    std::vector<entry> translated;
    for (entry& one : m_entries) {
      std::string now(renamed_to(one.key));
      if (now.empty()) {
        translated.push_back(std::move(one));
        continue;
      }
      if (const std::string any = "method.<method>."; now.starts_with(any)) now = text(own, now.substr(any.size()));
      if (!now.starts_with("method.") || (now.starts_with(own) && options.contains(now.substr(own.size()))))
        translated.push_back({now, std::move(one.value), std::move(one.where)});
    }
    m_entries = std::move(translated);
  }

  struct entry {
    std::string key;
    toml::value value;
    std::string where;  // file and line, or `command_line`
  };
  [[nodiscard]] const std::vector<entry>& entries() const { return m_entries; }
  /// The value that decides a key with which a message begins, of the longest such key; null if there is none.
  [[nodiscard]] const entry* named_first_in(std::string_view message) const {
    const entry* found = nullptr;
    for (const entry& one : m_entries) {
      const bool begins = message.starts_with(one.key) &&
                          (message.size() == one.key.size() ||
                           std::string_view(" :[,").find(message[one.key.size()]) != std::string_view::npos);
      if (begins && (found == nullptr || one.key.size() >= found->key.size())) found = &one;
    }
    return found;
  }
  /// Adds a value on top of all others.
  void add(entry one) { m_entries.push_back(std::move(one)); }
  void add(const raw_settings& others) {
    m_entries.insert(m_entries.end(), others.m_entries.begin(), others.m_entries.end());
  }
  /// Moves the values whose entry `chosen` picks out of here. @return them, in their order
  template <class Choose>
  [[nodiscard]] raw_settings take(const Choose& chosen) {
    const auto first =
        std::stable_partition(m_entries.begin(), m_entries.end(), [&](const entry& one) { return !chosen(one); });
    raw_settings taken;
    taken.m_entries.assign(std::make_move_iterator(first), std::make_move_iterator(m_entries.end()));
    m_entries.erase(first, m_entries.end());
    return taken;
  }
  /// Takes the values of a TOML table below the key `prefix`. @param file for messages
  void read_table(const toml::value& table, const std::string& prefix, const std::string& file) {
    std::vector<const toml::table::value_type*> in_order;  // of the file
    for (const auto& one : table.as_table()) in_order.push_back(&one);
    std::sort(in_order.begin(), in_order.end(), [](const auto* a, const auto* b) {
      return std::pair(a->second.location().line(), a->first) < std::pair(b->second.location().line(), b->first);
    });
    for (const auto* one : in_order) {
      const auto& [name, value] = *one;
      const std::string key = prefix.empty() ? name : text(prefix, ".", name);
      if (value.is_table() && !value.as_table().empty())
        read_table(value, key, file);
      else
        m_entries.push_back({key, value, text(file, ":", value.location().line())});
    }
  }

 private:
  std::vector<entry> m_entries;
};

/// Entries that are refused, each a line of the message, and their keys.
class settings_error : public config_error {
 public:
  settings_error(const std::string& lines, std::vector<std::string> refused)
      : config_error(lines), keys(std::move(refused)) {}
  std::vector<std::string> keys;
};

/// All keys of an experiment file with the options behind them.
class settings {
 public:
  /// Binds a key ("train.steps", or "seed" at the top) to an option, which must outlive this.
  /// @param help says what it is wherever it is shown
  template <class T>
  void bind(const std::string& key, T& option, std::string help = {}) {
    add(key, {[key, &option](const toml::value& value, const std::string& where) {
                T read = option;
                bool fits = false;
                if constexpr (std::is_same_v<T, std::vector<std::string>>)
                  fits = where == command_line && app_detail::read_words(value, read);
                if (!fits && !app_detail::read_value(value, read))
                  throw config_error(text(where, ": ", key, " is not ", app_detail::kind_of<T>()));
                option = std::move(read);
              },
              [&option] { return app_detail::show_value(option); }, std::move(help), app_detail::choices_of<T>()});
  }
  /// Binds a triple that is kept as (D, H, W) and written as (i, j, k), the order of NIfTI's axes.
  template <class T>
  void bind_reversed(const std::string& key, T& option, std::string help = {}) {
    add(key, {[key, &option](const toml::value& value, const std::string& where) {
                T read = option;
                if (!app_detail::read_value(value, read))
                  throw config_error(text(where, ": ", key, " is not ", app_detail::kind_of<T>(), " (along i, j, k)"));
                std::reverse(read.begin(), read.end());
                option = read;
              },
              [&option] {
                T shown = option;
                std::reverse(shown.begin(), shown.end());
                return app_detail::show_value(shown);
              },
              std::move(help),
              {}});
  }
  /// Binds every value of a struct of options, below the keys `prefix`.
  void bind_all(const std::string& prefix, any_options& options) {
    options.visit([&](std::string_view key, option_pointer value, std::string_view help) {
      std::visit([&](auto* place) { bind(text(prefix, ".", key), *place, std::string(help)); }, value);
    });
  }
  /// Keys below `prefix` are refused with `sentence`, unless they are bound.
  void refuse(const std::string& prefix, const std::string& sentence) { m_refused[prefix] = sentence; }

  /// Takes all values. @throws settings_error naming place and key for what is unknown or of the wrong kind, a line for
  /// each
  void apply(const raw_settings& raw) const {
    std::string lines;
    std::vector<std::string> refused;
    std::set<std::string> told;  // of tables that do not belong here, once each
    for (const auto& one : raw.entries()) try {
        if (const auto table = refused_table(one.key); !table.empty() && !told.insert(table).second) continue;
        if (!is_empty_section(one)) find(one.key, one.where).set(one.value, one.where);
      } catch (const config_error& failure) {
        lines += (lines.empty() ? "" : "\n") + std::string(failure.what());
        refused.push_back(one.key);
      }
    if (!lines.empty()) throw settings_error(lines, std::move(refused));
  }

  /// The whole experiment as TOML, every key with its value and what it is.
  [[nodiscard]] std::string resolved() const {
    std::string top, sections, current;
    for (const std::string& key : m_order) {
      const auto dot = key.rfind('.');
      const bound& option = m_keys.at(key);
      std::string line = text(app_detail::last_part(key), " = ", option.show());
      if (constexpr std::size_t column = 28; !option.help.empty()) {
        line.resize(std::max(line.size(), column), ' ');
        line += "  # " + option.help;
      }
      line += '\n';
      if (dot == std::string::npos) {
        top += line;
        continue;
      }
      if (key.substr(0, dot) != current) sections += "\n[" + (current = key.substr(0, dot)) + "]\n";
      sections += line;
    }
    return top + sections;
  }

  /// All keys, in the order in which they were bound.
  [[nodiscard]] const std::vector<std::string>& names() const { return m_order; }
  /// What a key is; empty if nobody said it. @throws std::out_of_range for a key that is not bound
  [[nodiscard]] const std::string& help(const std::string& key) const { return m_keys.at(key).help; }
  /// The words that the value of a key may be; none where it is no choice of few, or one of names that a registry has.
  /// @throws std::out_of_range for a key that is not bound
  [[nodiscard]] const std::vector<std::string>& choices(const std::string& key) const { return m_keys.at(key).choices; }
  /// The value of a key as TOML. @throws std::out_of_range for a key that is not bound
  [[nodiscard]] std::string shown(const std::string& key) const { return m_keys.at(key).show(); }

  /// The first key, but for those in `free`, whose value differs from that in `other`, as "key = value" here and there;
  /// a key that one of both lacks has the value "not set". Empty if there is none.
  [[nodiscard]] std::pair<std::string, std::string> first_difference(const settings& other,
                                                                     const std::set<std::string>& free) const {
    const auto shown = [](const settings& of, const std::string& key) {
      const auto found = of.m_keys.find(key);
      return found == of.m_keys.end() ? std::string("not set") : found->second.show();
    };
    for (const settings* side : {this, &other})
      for (const std::string& key : side->m_order) {
        const std::string here = shown(*this, key), there = shown(other, key);
        if (here != there && free.count(key) == 0) return {text(key, " = ", here), text(key, " = ", there)};
      }
    return {};
  }

 private:
  struct bound {
    std::function<void(const toml::value&, const std::string&)> set;
    std::function<std::string()> show;
    std::string help;
    std::vector<std::string> choices;
  };

  void add(const std::string& key, bound option) {
    if (m_keys.contains(key)) throw error(text("settings: the key '", key, "' is bound twice"));
    m_order.push_back(key);
    m_keys[key] = std::move(option);
  }

  // A table without keys, of a section that there is.
  [[nodiscard]] bool is_empty_section(const raw_settings::entry& one) const {
    return one.value.is_table() && std::any_of(m_order.begin(), m_order.end(),
                                               [&](const std::string& key) { return key.starts_with(one.key + "."); });
  }

  // The table that `refuse` named and a key is in; empty if there is none.
  [[nodiscard]] std::string refused_table(const std::string& key) const {
    if (m_keys.contains(key)) return {};
    for (const auto& [prefix, sentence] : m_refused)
      if (key == prefix || key.starts_with(prefix + ".")) return prefix;
    return {};
  }

  const bound& find(const std::string& key, const std::string& where) const {
    const auto found = m_keys.find(key);
    if (found != m_keys.end()) return found->second;
    if (const auto table = refused_table(key); !table.empty())
      throw config_error(text(where, ": '", app_detail::shown_key(key), "': ", m_refused.at(table)));
    const std::string_view now = renamed_to(key);
    throw config_error(text(where, ": there is no key '", app_detail::shown_key(key), "'; ",
                            now.empty() ? app_detail::hint_for(key, m_order) : text("it is called '", now, "' now")));
  }

  std::map<std::string, bound> m_keys;
  std::vector<std::string> m_order;
  std::map<std::string, std::string> m_refused;
};

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
