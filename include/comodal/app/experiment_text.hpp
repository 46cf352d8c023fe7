// SPDX-License-Identifier: Apache-2.0
/// @file
/// An experiment file as a program writes it: some keys, a comment above each.
#ifndef COMODAL_APP_EXPERIMENT_TEXT_HPP
#define COMODAL_APP_EXPERIMENT_TEXT_HPP

#include <comodal/app/settings.hpp>

#include <string>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

// A list of keys with words above each, as TOML.
class experiment_text {
 public:
  explicit experiment_text(const app::settings& keys) : m_keys(keys) {}

  void add(const std::string& key, const std::string& words) { add(key, words, ""); }
  /// A key that is not set: its line is a comment with its default.
  void mention(const std::string& key, const std::string& words) { add(key, words, "# "); }
  [[nodiscard]] const std::string& words() const { return m_words; }

 private:
  void add(const std::string& key, const std::string& words, const char* before) {
    const auto dot = key.rfind('.');
    if (const std::string section = key.substr(0, dot); section != m_section) {
      m_words += text("\n[", section, "]\n");
      m_section = section;
    }
    if (!words.empty()) m_words += text("# ", words, "\n");
    m_words += text(before, last_part(key), " = ", m_keys.shown(key), "\n");
  }

  const app::settings& m_keys;
  std::string m_section, m_words;
};

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
