// SPDX-License-Identifier: Apache-2.0
/// @file
/// Texts of anybody inside HTML, SVG and scripts.
#ifndef COMODAL_REPORT_ESCAPE_HPP
#define COMODAL_REPORT_ESCAPE_HPP

#include <comodal/core/readable_name.hpp>

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// Text for HTML, in elements and attributes: & < > " ' become entities, control characters blanks, bytes that are no
/// UTF-8 `\xHH`.
[[nodiscard]] inline std::string escape_html(std::string_view words) {
  std::string out;
  for (std::size_t at = 0; at < words.size();) {
    const char c = words[at];
    const std::size_t length = core_detail::utf8_length(words.substr(at));
    if (length == 0) {
      out += readable_name(words.substr(at++, 1));
      continue;
    }
    if (length > 1) {
      const std::string_view letter = words.substr(at, length);
      const bool none = letter == "\xEF\xBF\xBE" || letter == "\xEF\xBF\xBF";  // U+FFFE and U+FFFF: XML has them not
      out += none ? std::string(letter == "\xEF\xBF\xBE" ? "\\xEF\\xBF\\xBE" : "\\xEF\\xBF\\xBF") : std::string(letter);
      at += length;
      continue;
    }
    ++at;
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += (static_cast<unsigned char>(c) < ' ' && c != '\n') || c == '\x7f' ? ' ' : c;
  }
  return out;
}

/// JSON for a script element of a page: it has no < > &, so that no name can end the element, open a comment or become
/// an entity, and no letter that XML lacks.
[[nodiscard]] inline std::string json_for_script(const nlohmann::ordered_json& value) {
  std::string out;
  for (const char c : value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) {
    if (c == '<')
      out += "\\u003c";
    else if (c == '>')
      out += "\\u003e";
    else if (c == '&')
      out += "\\u0026";
    else
      out += c;
  }
  for (const auto& [letter, escaped] : {std::pair("\xEF\xBF\xBE", "\\ufffe"), std::pair("\xEF\xBF\xBF", "\\uffff")})
    for (auto at = out.find(letter); at != std::string::npos; at = out.find(letter, at)) out.replace(at, 3, escaped);
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
