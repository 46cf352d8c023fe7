// SPDX-License-Identifier: Apache-2.0
/// @file
/// Pictures in memory: RGB pixels, text in a small bitmap font, PNG and base64. PNG and the font are stb's.
#ifndef COMODAL_REPORT_PNG_HPP
#define COMODAL_REPORT_PNG_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>
#include <comodal/data/file.hpp>

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// A copy of stb of our own inside a namespace, so that a program may have another one in any way that it likes. The C
// headers that stb includes stand above: they must not be opened inside the namespace.
#pragma push_macro("INCLUDE_STB_IMAGE_WRITE_H")
#pragma push_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma push_macro("STB_IMAGE_WRITE_STATIC")
#pragma push_macro("STBIWDEF")
#pragma push_macro("INCLUDE_STB_EASY_FONT_H")
#undef INCLUDE_STB_IMAGE_WRITE_H
#undef STB_IMAGE_WRITE_IMPLEMENTATION
#undef STB_IMAGE_WRITE_STATIC
#undef STBIWDEF
#undef INCLUDE_STB_EASY_FONT_H
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wtype-limits"
#endif
namespace comodal::inline COMODAL_CONFIG::detail::stb {
#include <stb_easy_font.h>
#include <stb_image_write.h>
}  // namespace comodal::inline COMODAL_CONFIG::detail::stb
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#pragma pop_macro("INCLUDE_STB_EASY_FONT_H")
#pragma pop_macro("STBIWDEF")
#pragma pop_macro("STB_IMAGE_WRITE_STATIC")
#pragma pop_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma pop_macro("INCLUDE_STB_IMAGE_WRITE_H")

namespace comodal::inline COMODAL_CONFIG {

/// Red, green, blue, 0 to 255.
using rgb = std::array<std::uint8_t, 3>;

/// A picture: row after row from the top left, three bytes a pixel.
class picture {
 public:
  picture() = default;
  /// @throws shape_error unless both sizes are positive
  picture(index width, index height, rgb fill = {0, 0, 0}) : m_width(width), m_height(height) {
    if (width <= 0 || height <= 0)
      throw shape_error(text("picture: ", width, " x ", height, " pixels, expected at least 1 x 1"));
    m_pixels.resize(static_cast<std::size_t>(3 * width * height));
    for (std::size_t i = 0; i < m_pixels.size(); ++i) m_pixels[i] = fill[i % 3];
  }

  [[nodiscard]] index width() const { return m_width; }
  [[nodiscard]] index height() const { return m_height; }
  [[nodiscard]] const std::vector<std::uint8_t>& pixels() const { return m_pixels; }
  [[nodiscard]] rgb at(index x, index y) const {
    const std::uint8_t* p = m_pixels.data() + 3 * (y * m_width + x);
    return {p[0], p[1], p[2]};
  }
  /// Sets a pixel; one outside the picture is left out.
  void set(index x, index y, rgb colour) {
    if (x < 0 || y < 0 || x >= m_width || y >= m_height) return;
    for (std::size_t c = 0; c < 3; ++c) m_pixels[static_cast<std::size_t>(3 * (y * m_width + x)) + c] = colour[c];
  }
  void fill_rectangle(index x, index y, index width, index height, rgb colour) {
    for (index j = y; j < y + height; ++j)
      for (index i = x; i < x + width; ++i) set(i, j, colour);
  }
  /// Copies another picture with its top left corner at (x, y).
  void paste(const picture& other, index x, index y) {
    for (index j = 0; j < other.m_height; ++j)
      for (index i = 0; i < other.m_width; ++i) set(x + i, y + j, other.at(i, j));
  }

 private:
  index m_width = 0, m_height = 0;
  std::vector<std::uint8_t> m_pixels;
};

namespace detail {

/// The font knows printable ASCII; each other character becomes one `?`.
[[nodiscard]] inline std::string ascii(std::string_view s) {
  std::string out;
  for (const char c : s)
    if ((c & 0xC0) != 0x80) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

}  // namespace detail

/// Height in pixels of a line of text that `draw_text` draws.
[[nodiscard]] inline index text_height(index scale = 2) { return 9 * scale; }

/// Width in pixels of a line of text that `draw_text` draws.
[[nodiscard]] inline index text_width(std::string_view line, index scale = 2) {
  std::string copy = detail::ascii(line);
  return scale * detail::stb::stb_easy_font_width(copy.data());
}

/// Draws one line of text with its top left corner at (x, y), each pixel of the font `scale` pixels wide.
inline void draw_text(picture& canvas, index x, index y, std::string_view line, rgb colour, index scale = 2) {
  struct vertex {
    float x, y, z;
    unsigned char colour[4];
  };
  std::string copy = detail::ascii(line);
  std::vector<vertex> corners(copy.size() * 4 * 24 + 4);
  const int quads = detail::stb::stb_easy_font_print(0, 0, copy.data(), nullptr, corners.data(),
                                                     static_cast<int>(corners.size() * sizeof(vertex)));
  for (int q = 0; q < quads; ++q) {
    const vertex &first = corners[static_cast<std::size_t>(4 * q)],
                 &last = corners[static_cast<std::size_t>(4 * q + 2)];
    const auto pixel = [scale](float v) { return static_cast<index>(std::lround(v)) * scale; };
    canvas.fill_rectangle(x + pixel(first.x), y + pixel(first.y), pixel(last.x) - pixel(first.x),
                          pixel(last.y) - pixel(first.y), colour);
  }
}

/// The bytes of a PNG file. @throws shape_error for a picture without pixels
[[nodiscard]] byte_buffer encode_png(const picture& image);
#if COMODAL_BODIES
COMODAL_ONCE byte_buffer encode_png(const picture& image) {
  if (image.pixels().empty()) throw shape_error("PNG: the picture has no pixels");
  byte_buffer bytes;
  const auto append = [](void* to, void* data, int size) {
    auto& out = *static_cast<byte_buffer*>(to);
    out.insert(out.end(), static_cast<unsigned char*>(data), static_cast<unsigned char*>(data) + size);
  };
  const int good = detail::stb::stbi_write_png_to_func(append, &bytes, static_cast<int>(image.width()),
                                                       static_cast<int>(image.height()), 3, image.pixels().data(),
                                                       static_cast<int>(3 * image.width()));
  if (good == 0)
    throw io_error(text("PNG: a picture of ", image.width(), " x ", image.height(),
                        " pixels could not be encoded (out of memory?)"));
  return bytes;
}
#endif

/// Writes a PNG file. @throws io_error if it cannot be written
inline void write_png(const std::filesystem::path& path, const picture& image) { write_file(path, encode_png(image)); }

/// Base64 with padding (RFC 4648, section 4).
[[nodiscard]] inline std::string base64(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (i + j < bytes.size() ? bytes[i + j] : 0u);
    for (std::size_t j = 0; j < 4; ++j) out += i + j <= bytes.size() ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
