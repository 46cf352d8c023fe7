// SPDX-License-Identifier: Apache-2.0
/// @file
/// A check sum in the metadata of a safetensors file: what was not written by the program, but by a failing disk or a
/// broken copy, is noticed.
#ifndef COMODAL_NN_CHECKSUM_HPP
#define COMODAL_NN_CHECKSUM_HPP

#include <comodal/data/safetensors.hpp>

#include <zlib.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

namespace nn_detail {

inline constexpr const char* checksum_key = "comodal.checksum";

[[nodiscard]] inline std::string hexadecimal(unsigned long value) {
  std::array<char, 16> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr};
}

}  // namespace nn_detail

/// CRC-32 of names, types, shapes and bytes of all arrays and of the metadata, but for the check sum itself, as
/// hexadecimal digits.
[[nodiscard]] inline std::string checksum_of(const safetensors_file& content) {
  unsigned long sum = crc32_z(0, nullptr, 0);
  const auto add = [&sum](const void* bytes, std::size_t count) {
    sum = crc32_z(sum, static_cast<const unsigned char*>(bytes), count);
  };
  const auto add_text = [&](std::string_view words) { add(words.data(), words.size()), add("", 1); };
  for (const auto& [name, array] : content.arrays) {
    add_text(name);
    add_text(array.dtype);
    add_text(array.shape.to_string());
    if (!array.bytes.empty()) add(array.bytes.data(), array.bytes.size());
  }
  for (const auto& [key, words] : content.metadata) {
    if (key == nn_detail::checksum_key) continue;
    add_text(key);
    add_text(words);
  }
  return nn_detail::hexadecimal(sum);
}

/// Writes a file with its check sum. @throws io_error
inline void write_checked_safetensors(const std::filesystem::path& path, safetensors_file content) {
  content.metadata[nn_detail::checksum_key] = checksum_of(content);
  write_safetensors(path, content);
}

/// Compares the check sum of a file with its content. @param name names the file in messages
/// @throws io_error if they differ, or it has none
inline void verify_checksum(const safetensors_file& content, const std::string& name) {
  const auto found = content.metadata.find(nn_detail::checksum_key);
  if (found == content.metadata.end())
    throw io_error(text(name,
                        ": has no check sum (comodal.checksum in its metadata): another program or an older comodal "
                        "wrote it, or it is damaged; take the file that the training wrote, or train again"));
  if (found->second != checksum_of(content))
    throw io_error(text(name, ": is damaged: its check sum is ", found->second, ", its content has ",
                        checksum_of(content), "; copy the file again, or take another"));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
