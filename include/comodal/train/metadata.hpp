// SPDX-License-Identifier: Apache-2.0
/// @file
/// Numbers in the metadata of a checkpoint.
#ifndef COMODAL_TRAIN_METADATA_HPP
#define COMODAL_TRAIN_METADATA_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

namespace comodal::inline COMODAL_CONFIG::train_detail {

using metadata_entry = std::pair<const std::string, std::string>;

[[nodiscard]] inline index whole_number(const std::filesystem::path& file, const metadata_entry& entry) {
  const auto& [name, words] = entry;
  index value = 0;
  const auto [end, failure] = std::from_chars(words.data(), words.data() + words.size(), value);
  if (failure != std::errc() || end != words.data() + words.size())
    throw io_error(text(file.string(), ": ", name, " = '", words, "', expected a whole number; the file is damaged"));
  return value;
}
// As std::hexfloat writes it: 0x1.8p-1.
[[nodiscard]] inline double hexadecimal_number(const std::filesystem::path& file, const metadata_entry& entry) {
  const auto& [name, words] = entry;
  const std::string digits = words.rfind("0x", 0) == 0 ? words.substr(2) : "";
  double value = 0;
  const auto [end, failure] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::hex);
  if (failure != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value))
    throw io_error(
        text(file.string(), ": ", name, " = '", words, "', expected a hexadecimal number; the file is damaged"));
  return value;
}

}  // namespace comodal::inline COMODAL_CONFIG::train_detail

#endif
