// SPDX-License-Identifier: Apache-2.0
/// @file
/// Pictures in memory and as bytes: PNG, JPEG and base64. Both encoders are stb's.
#ifndef COMODAL_REPORT_IMAGE_BYTES_HPP
#define COMODAL_REPORT_IMAGE_BYTES_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>
#include <comodal/data/file.hpp>

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::detail::stb {

// stb's own deflate makes files that are a fifth larger.
inline unsigned char* deflated(unsigned char* data, int size, int* packed, int level) {
  uLongf most = compressBound(static_cast<uLong>(size));
  auto* out = static_cast<unsigned char*>(malloc(most));
  if (out && compress2(out, &most, data, static_cast<uLong>(size), level) == Z_OK) {
    *packed = static_cast<int>(most);
    return out;
  }
  free(out);
  return nullptr;
}

}  // namespace comodal::inline COMODAL_CONFIG::detail::stb

// A copy of stb of our own inside a namespace, so that a program may have another one in any way that it likes. The C
// headers that stb includes stand above: they must not be opened inside the namespace.
#pragma push_macro("INCLUDE_STB_IMAGE_WRITE_H")
#pragma push_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma push_macro("STB_IMAGE_WRITE_STATIC")
#pragma push_macro("STBIWDEF")
#pragma push_macro("STBIW_ZLIB_COMPRESS")
#undef INCLUDE_STB_IMAGE_WRITE_H
#undef STB_IMAGE_WRITE_IMPLEMENTATION
#undef STB_IMAGE_WRITE_STATIC
#undef STBIWDEF
#undef STBIW_ZLIB_COMPRESS
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBIW_ZLIB_COMPRESS deflated
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wtype-limits"
#endif
namespace comodal::inline COMODAL_CONFIG::detail::stb {
#include <stb_image_write.h>
}  // namespace comodal::inline COMODAL_CONFIG::detail::stb
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#pragma pop_macro("STBIW_ZLIB_COMPRESS")
#pragma pop_macro("STBIWDEF")
#pragma pop_macro("STB_IMAGE_WRITE_STATIC")
#pragma pop_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma pop_macro("INCLUDE_STB_IMAGE_WRITE_H")

namespace comodal::inline COMODAL_CONFIG {

/// A picture: row after row from the top left; one byte per pixel (grey) or three (red, green, blue).
struct picture {
  index width = 0, height = 0, channels = 1;
  std::vector<std::uint8_t> pixels;

  picture() = default;
  /// A black picture. @throws shape_error unless both sizes are positive
  picture(index wide, index high, index bytes_per_pixel = 1) : width(wide), height(high), channels(bytes_per_pixel) {
    if (width <= 0 || height <= 0)
      throw shape_error(text("picture: ", width, " x ", height, " pixels, expected at least 1 x 1"));
    pixels.resize(static_cast<std::size_t>(channels * width * height));
  }
  [[nodiscard]] std::uint8_t* at(index x, index y) { return pixels.data() + channels * (y * width + x); }
  [[nodiscard]] const std::uint8_t* at(index x, index y) const { return pixels.data() + channels * (y * width + x); }
};

namespace detail {

/// Calls one of stb's writers and collects what it writes.
template <class Write>
[[nodiscard]] byte_buffer encoded_by(const picture& image, const char* what, const Write& write) {
  if (image.pixels.empty()) throw shape_error(text(what, ": the picture has no pixels"));
  byte_buffer bytes;
  const auto append = [](void* to, void* data, int size) {
    auto& out = *static_cast<byte_buffer*>(to);
    out.insert(out.end(), static_cast<unsigned char*>(data), static_cast<unsigned char*>(data) + size);
  };
  if (write(append, &bytes) == 0)
    throw io_error(text(what, ": a picture of ", image.width, " x ", image.height,
                        " pixels could not be encoded (out of memory?)"));
  return bytes;
}

}  // namespace detail

/// The bytes of a PNG file: every pixel is kept. @throws shape_error for a picture without pixels
[[nodiscard]] byte_buffer encode_png(const picture& image);
/// The bytes of a JPEG file: smaller, and only near to the pixels. @throws shape_error for a picture without pixels
[[nodiscard]] byte_buffer encode_jpeg(const picture& image, int quality = 85);
#if COMODAL_BODIES
COMODAL_ONCE byte_buffer encode_png(const picture& image) {
  return detail::encoded_by(image, "PNG", [&](auto append, void* to) {
    return detail::stb::stbi_write_png_to_func(append, to, static_cast<int>(image.width),
                                               static_cast<int>(image.height), static_cast<int>(image.channels),
                                               image.pixels.data(), static_cast<int>(image.channels * image.width));
  });
}
COMODAL_ONCE byte_buffer encode_jpeg(const picture& image, int quality) {
  return detail::encoded_by(image, "JPEG", [&](auto append, void* to) {
    return detail::stb::stbi_write_jpg_to_func(append, to, static_cast<int>(image.width),
                                               static_cast<int>(image.height), static_cast<int>(image.channels),
                                               image.pixels.data(), quality);
  });
}
#endif

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

/// The picture as an address that holds it: PNG up to `most_png` bytes, above that JPEG.
[[nodiscard]] inline std::string data_uri(const picture& image, std::size_t most_png = 100'000) {
  const byte_buffer png = encode_png(image);
  if (png.size() <= most_png) return "data:image/png;base64," + base64(png);
  return "data:image/jpeg;base64," + base64(encode_jpeg(image));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
