// SPDX-License-Identifier: Apache-2.0
/// @file
/// Reads what the library writes as pictures: PNG files, and addresses that hold one.
#ifndef COMODAL_TESTS_REPORT_PNG_READER_HPP
#define COMODAL_TESTS_REPORT_PNG_READER_HPP

#include <boost/test/unit_test.hpp>

#include <comodal/core/shape.hpp>
#include <comodal/data/file.hpp>

#include <zlib.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace comodal::tests {

/// A picture that was read back.
struct read_picture {
  index width = 0, height = 0, channels = 0;
  byte_buffer pixels;
};

inline std::size_t big_endian(const byte_buffer& b, std::size_t at) {
  return static_cast<std::size_t>(b[at]) << 24 | static_cast<std::size_t>(b[at + 1]) << 16 |
         static_cast<std::size_t>(b[at + 2]) << 8 | b[at + 3];
}

/// Reads a grey or RGB PNG by the specification: chunks with their check sums, zlib, and the five line filters.
inline read_picture read_png(const byte_buffer& png) {
  BOOST_REQUIRE(png.size() > 8 && png[0] == 0x89 && png[1] == 'P' && png[2] == 'N' && png[3] == 'G');
  read_picture out;
  byte_buffer packed;
  for (std::size_t at = 8; at + 12 <= png.size();) {
    const std::size_t length = big_endian(png, at);
    const std::string type(png.begin() + static_cast<std::ptrdiff_t>(at + 4),
                           png.begin() + static_cast<std::ptrdiff_t>(at + 8));
    BOOST_TEST(crc32(0, png.data() + at + 4, static_cast<uInt>(length + 4)) == big_endian(png, at + 8 + length));
    if (type == "IHDR") {
      out.width = static_cast<index>(big_endian(png, at + 8));
      out.height = static_cast<index>(big_endian(png, at + 12));
      BOOST_TEST(png[at + 16] == 8);
      out.channels = png[at + 17] == 2 ? 3 : 1;
    }
    if (type == "IDAT")
      packed.insert(packed.end(), png.begin() + static_cast<std::ptrdiff_t>(at + 8),
                    png.begin() + static_cast<std::ptrdiff_t>(at + 8 + length));
    at += 12 + length;
  }
  const auto step = static_cast<std::size_t>(out.channels);
  const std::size_t row = static_cast<std::size_t>(out.channels * out.width);
  byte_buffer lines((row + 1) * static_cast<std::size_t>(out.height));
  uLongf size = lines.size();
  BOOST_REQUIRE(uncompress(lines.data(), &size, packed.data(), packed.size()) == Z_OK);
  BOOST_REQUIRE(size == lines.size());
  out.pixels.resize(row * static_cast<std::size_t>(out.height));
  for (std::size_t y = 0; y < static_cast<std::size_t>(out.height); ++y)
    for (std::size_t i = 0; i < row; ++i) {
      const int left = i < step ? 0 : out.pixels[y * row + i - step], up = y == 0 ? 0 : out.pixels[(y - 1) * row + i],
                corner = i < step || y == 0 ? 0 : out.pixels[(y - 1) * row + i - step];
      const int p = left + up - corner, pa = std::abs(p - left), pb = std::abs(p - up), pc = std::abs(p - corner);
      const int paeth = pa <= pb && pa <= pc ? left : pb <= pc ? up : corner;
      const int filters[] = {0, left, up, (left + up) / 2, paeth};
      out.pixels[y * row + i] =
          static_cast<unsigned char>(lines[y * (row + 1) + 1 + i] + filters[lines[y * (row + 1)]]);
    }
  return out;
}

/// The bytes that Base64 stands for.
inline byte_buffer from_base64(std::string_view words) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  byte_buffer out;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : words) {
    if (c == '=') break;
    group = group << 6 | static_cast<std::uint32_t>(digits.find(c));
    bits += 6;
    if (bits >= 8) out.push_back(static_cast<unsigned char>(group >> (bits -= 8) & 255));
  }
  return out;
}

/// The picture of an address "data:image/png;base64,...".
inline read_picture read_address(std::string_view address) {
  constexpr std::string_view front = "data:image/png;base64,";
  BOOST_REQUIRE(address.starts_with(front));
  return read_png(from_base64(address.substr(front.size())));
}

}  // namespace comodal::tests

#endif
