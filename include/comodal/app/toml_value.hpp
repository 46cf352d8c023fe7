// SPDX-License-Identifier: Apache-2.0
/// @file
/// TOML values as options of any type, and back.
#ifndef COMODAL_APP_TOML_VALUE_HPP
#define COMODAL_APP_TOML_VALUE_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/core/shape.hpp>

#include <toml.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

template <class T>
struct is_array : std::false_type {};
template <class T, std::size_t N>
struct is_array<std::array<T, N>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

// What a value must be, in words.
template <class T>
[[nodiscard]] std::string kind_of() {
  if constexpr (std::is_same_v<T, bool>)
    return "true or false";
  else if constexpr (std::is_integral_v<T>)
    return sizeof(T) == 8 ? "a whole number of at most 18 digits" : "a whole number";
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

// The words that a value may be; none where it is no choice of few.
template <class T>
[[nodiscard]] std::vector<std::string> choices_of() {
  if constexpr (std::is_same_v<T, bool>) {
    return {"true", "false"};
  } else if constexpr (std::is_enum_v<T>) {
    const auto names = choice_names(T{});
    return {names.begin(), names.end()};
  } else {
    return {};
  }
}

// False for a whole number that 64 bits do not hold: the parser cuts it to the largest or the smallest that they do.
[[nodiscard]] inline bool is_whole(const toml::value& value) {
  return value.is_integer() && value.as_integer() != std::numeric_limits<std::int64_t>::max() &&
         value.as_integer() != std::numeric_limits<std::int64_t>::min();
}

// How deep brackets and dotted keys of a TOML text are nested. The parser calls itself for each, and the stack ends.
[[nodiscard]] inline std::size_t nesting_of(std::string_view words) {
  std::size_t deepest = 0, depth = 0, dots = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const char c = words[i];
    if (c == '#') {
      i = std::min(words.find('\n', i), words.size());
    } else if (c == '"' || c == '\'') {
      const std::string_view triple = words.substr(i, 3);
      const bool many = triple.size() == 3 && triple[1] == c && triple[2] == c;
      for (i += many ? 3 : 1; i < words.size(); ++i) {
        if (c == '"' && words[i] == '\\')
          ++i;
        else if (words[i] == c && (!many || words.substr(i, 3) == triple))
          break;
        else if (!many && words[i] == '\n')
          break;
      }
      if (many) i += 2;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      depth -= depth > 0 ? 1 : 0;
    } else if (c == '.') {
      deepest = std::max(deepest, ++dots);
    }
    if (c == '\n' || c == '=' || c == ',') dots = 0;
  }
  return deepest;
}
inline constexpr std::size_t deepest_nesting = 32;

// Where the first byte stands that no TOML text may have: a control character, or one that is no UTF-8; npos if there
// is none. The parser reads past the end of some such texts.
[[nodiscard]] inline std::size_t first_bad_byte(std::string_view words) {
  for (std::size_t i = 0; i < words.size();) {
    const std::size_t length = core_detail::utf8_length(words.substr(i));
    const auto c = static_cast<unsigned char>(words[i]);
    if (length == 0 || (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F) return i;
    i += length;
  }
  return std::string_view::npos;
}

// Reads a TOML value into `out`; false if it is of another kind.
template <class T>
[[nodiscard]] bool read_value(const toml::value& value, T& out) {
  if constexpr (std::is_same_v<T, bool>) {
    if (value.is_boolean()) out = value.as_boolean();
    return value.is_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    if (!is_whole(value) || !std::in_range<T>(value.as_integer())) return false;
    out = static_cast<T>(value.as_integer());
    return true;
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_floating() && !is_whole(value)) return false;
    out = value.is_floating() ? static_cast<T>(value.as_floating()) : static_cast<T>(value.as_integer());
    return true;
  } else if constexpr (std::is_enum_v<T>) {
    if (!value.is_string()) return false;
    const auto names = choice_names(T{});
    const auto found = std::find(names.begin(), names.end(), value.as_string().str);
    if (found == names.end()) return false;
    out = static_cast<T>(found - names.begin());
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    const bool is_text = value.is_string() && value.as_string().str.find('\0') == std::string::npos;  // no name has it
    if (is_text) out = value.as_string().str;
    return is_text;
  } else {
    if (!value.is_array()) {  // one entry is a list of one, but for lists of lists
      if constexpr (is_vector<T>::value && !is_vector<typename T::value_type>::value) {
        typename T::value_type entry{};
        if (!read_value(value, entry)) return false;
        out = {entry};
        return true;
      }
      return false;
    }
    const auto& list = value.as_array();
    if constexpr (is_array<T>::value) {
      if (list.size() != std::tuple_size_v<T>) return false;
      for (std::size_t i = 0; i < list.size(); ++i)
        if (!read_value(list[i], out[i])) return false;
    } else {
      out.clear();
      for (const auto& entry : list)
        if ((is_vector<typename T::value_type>::value && !entry.is_array()) || !read_value(entry, out.emplace_back()))
          return false;
    }
    return true;
  }
}

// A value as TOML.
template <class T>
[[nodiscard]] std::string show_value(const T& value) {
  if constexpr (std::is_same_v<T, bool>)
    return value ? "true" : "false";
  else if constexpr (std::is_integral_v<T>)
    return std::to_string(value);
  else if constexpr (std::is_floating_point_v<T>) {
    std::string words;
    double again = 0;
    for (int digits = 6; digits <= 17; ++digits) {
      std::array<char, 32> out{};
      const char* end =
          std::to_chars(out.data(), out.data() + out.size(), value, std::chars_format::general, digits).ptr;
      words.assign(static_cast<const char*>(out.data()), end);
      std::from_chars(out.data(), end, again);
      if (again == static_cast<double>(value)) break;
    }
    return words.find_first_of(".en") == std::string::npos ? words + ".0" : words;
  } else if constexpr (std::is_enum_v<T>)
    return "\"" + std::string(choice_names(T{})[static_cast<std::size_t>(value)]) + "\"";
  else if constexpr (std::is_same_v<T, std::string>) {
    // A folder may have any bytes, TOML may not: such a name is shown, and keys of folders are free to differ.
    const bool any_bytes = readable_name(value) != value && readable_name(value).find("\\x") != std::string::npos &&
                           value.find('\\') == std::string::npos;
    std::string out = "\"";
    for (const char c : any_bytes ? readable_name(value) : value)
      out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return out + "\"";
  } else {
    std::string out = "[";
    for (const auto& entry : value) out += (out.size() > 1 ? ", " : "") + show_value(entry);
    return out + "]";
  }
}

// The words of a list that a command line gives without brackets: a,b,c, and numbers, which may be names of cases.
// False for other values.
[[nodiscard]] inline bool read_words(const toml::value& value, std::vector<std::string>& out) {
  std::vector<std::string> words;
  if (value.is_integer()) {
    words.push_back(std::to_string(value.as_integer()));
  } else if (value.is_array()) {
    for (const auto& one : value.as_array()) {
      if (!one.is_integer()) return false;
      words.push_back(std::to_string(one.as_integer()));
    }
  } else if (value.is_string() && value.as_string().str.find(',') != std::string::npos) {
    words.emplace_back();
    for (const char c : value.as_string().str)
      if (c == ',')
        words.emplace_back();
      else if (c != ' ' || !words.back().empty())
        words.back() += c;
  }
  for (auto& word : words) {
    word.resize(word.find_last_not_of(' ') + 1);
    if (word.empty() || word.find('\0') != std::string::npos) return false;
  }
  if (words.empty()) return false;
  out = std::move(words);
  return true;
}

// A word of a command line as TOML has it, or a list of numbers such as 96,96,32, or else the word itself.
[[nodiscard]] inline toml::value parse_word(const std::string& word) {
  if (nesting_of(word) > deepest_nesting || first_bad_byte(word) != std::string::npos) return toml::value(word);
  const bool numbers = word.find(',') != std::string::npos && word.find_first_not_of("0123456789.,-+eE") == word.npos;
  try {
    std::istringstream in(numbers ? "x = [" + word + "]\n" : "x = " + word + "\n");
    return toml::parse(in, "command line").at("x");
  } catch (const std::exception&) {
    return toml::value(word);
  }
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
