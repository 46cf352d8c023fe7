// SPDX-License-Identifier: Apache-2.0
/// @file
/// SHA-256 of bytes and files: the sums that `sha256sum` prints. Source: FIPS 180-4.
#ifndef COMODAL_DATA_SHA256_HPP
#define COMODAL_DATA_SHA256_HPP

#include <comodal/core/error.hpp>
#include <comodal/data/file.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A sum that takes bytes piece by piece.
class sha256 {
 public:
  void add(const void* bytes, std::size_t count) {
    const auto* at = static_cast<const unsigned char*>(bytes);
    m_count += count;
    while (count > 0) {
      const std::size_t part = std::min(count, m_block.size() - m_filled);
      std::memcpy(m_block.data() + m_filled, at, part);
      m_filled += part;
      at += part;
      count -= part;
      if (m_filled == m_block.size()) take_block();
    }
  }
  void add(std::string_view words) { add(words.data(), words.size()); }

  /// The sum of all bytes so far: 64 hexadecimal digits. Nothing may be added afterwards.
  [[nodiscard]] std::string digits() {
    const std::uint64_t bits = m_count * 8;
    const unsigned char one = 0x80, zero = 0;
    add(&one, 1);
    while (m_filled != m_block.size() - 8) add(&zero, 1);
    std::array<unsigned char, 8> length{};
    for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(bits >> (56 - 8 * i));
    add(length.data(), length.size());
    std::string words;
    for (const std::uint32_t part : m_state)
      for (int shift = 28; shift >= 0; shift -= 4) words += "0123456789abcdef"[(part >> shift) & 15U];
    return words;
  }

 private:
  void take_block() {
    static constexpr std::array<std::uint32_t, 64> k{
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    std::array<std::uint32_t, 64> w{};
    for (std::size_t t = 0; t < 16; ++t)
      for (std::size_t b = 0; b < 4; ++b) w[t] = (w[t] << 8U) | m_block[4 * t + b];
    for (std::size_t t = 16; t < 64; ++t) {
      const std::uint32_t a = w[t - 15], b = w[t - 2];
      w[t] = w[t - 16] + w[t - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3U)) +
             (std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10U));
    }
    auto [a, b, c, d, e, f, g, h] = m_state;
    for (std::size_t t = 0; t < 64; ++t) {
      const std::uint32_t first =
          h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + k[t] + w[t];
      const std::uint32_t second =
          (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + first;
      d = c;
      c = b;
      b = a;
      a = first + second;
    }
    const std::array more{a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) m_state[i] += more[i];
    m_filled = 0;
  }

  std::array<std::uint32_t, 8> m_state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> m_block{};
  std::size_t m_filled = 0;
  std::uint64_t m_count = 0;
};

/// The sum of a text.
[[nodiscard]] inline std::string sha256_of(std::string_view words) {
  sha256 sum;
  sum.add(words);
  return sum.digits();
}

/// The sum of a file, which is read in pieces. @throws io_error if it is missing, no regular file or unreadable
[[nodiscard]] inline std::string sha256_of_file(const std::filesystem::path& path) {
  expect_regular_file(path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) throw io_error(text(path.string(), ": cannot be opened (", std::strerror(errno), ")"));
  std::vector<unsigned char> piece(1 << 16);
  sha256 sum;
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), file.get())) sum.add(piece.data(), got);
  if (std::ferror(file.get()) != 0) throw io_error(text(path.string(), ": cannot be read to its end"));
  return sum.digits();
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
