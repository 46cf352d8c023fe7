// SPDX-License-Identifier: Apache-2.0
/// @file
/// Names of files and cases in texts that must be UTF-8: file names may hold any bytes.
#ifndef COMODAL_CORE_READABLE_NAME_HPP
#define COMODAL_CORE_READABLE_NAME_HPP

#include <comodal/core/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

namespace core_detail {

// Bytes of the UTF-8 character (RFC 3629) at the beginning of `s`; 0 if there is none.
[[nodiscard]] inline std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first < 0xE0   ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  if (length == 0 || s.size() < length) return 0;
  // The second byte excludes longer forms than needed, surrogates, and what is above U+10FFFF.
  const unsigned char low = first == 0xE0   ? 0xA0
                            : first == 0xF0 ? 0x90
                                            : 0x80,
                      high = first == 0xED   ? 0x9F
                             : first == 0xF4 ? 0x8F
                                             : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  return length;
}

}  // namespace core_detail

/// A name as UTF-8 text on one line: bytes that are no UTF-8, control characters and backslashes become `\xHH`.
/// Different names stay different.
[[nodiscard]] inline std::string readable_name(std::string_view name) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  while (!name.empty()) {
    const auto first = static_cast<unsigned char>(name[0]);
    const std::size_t length = core_detail::utf8_length(name);
    if (length == 0 || first < 0x20 || first == 0x7F || first == '\\') {
      out += {'\\', 'x', digits[first >> 4], digits[first & 15]};
      name.remove_prefix(1);
    } else {
      out += name.substr(0, length);
      name.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
