// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_png
#include <boost/test/unit_test.hpp>

#include <comodal/report/html.hpp>

#include <zlib.h>

using namespace comodal;

std::size_t bytes_of_a_picture_from_the_second_unit();

namespace {

struct decoded {
  comodal::index width = 0, height = 0;
  byte_buffer pixels;
};

std::size_t number(const byte_buffer& b, std::size_t at) {
  return static_cast<std::size_t>(b[at]) << 24 | static_cast<std::size_t>(b[at + 1]) << 16 |
         static_cast<std::size_t>(b[at + 2]) << 8 | b[at + 3];
}

// Reads an RGB PNG by the specification: chunks with their check sums, zlib, and the five line filters.
decoded decode(const byte_buffer& png) {
  BOOST_REQUIRE(png.size() > 8 && png[0] == 0x89 && png[1] == 'P' && png[2] == 'N' && png[3] == 'G');
  decoded out;
  byte_buffer packed;
  for (std::size_t at = 8; at + 12 <= png.size();) {
    const std::size_t length = number(png, at);
    const std::string type(png.begin() + static_cast<std::ptrdiff_t>(at + 4),
                           png.begin() + static_cast<std::ptrdiff_t>(at + 8));
    BOOST_TEST(crc32(0, png.data() + at + 4, static_cast<uInt>(length + 4)) == number(png, at + 8 + length));
    if (type == "IHDR") {
      out.width = static_cast<comodal::index>(number(png, at + 8));
      out.height = static_cast<comodal::index>(number(png, at + 12));
      BOOST_TEST(png[at + 16] == 8);
      BOOST_TEST(png[at + 17] == 2);
    }
    if (type == "IDAT")
      packed.insert(packed.end(), png.begin() + static_cast<std::ptrdiff_t>(at + 8),
                    png.begin() + static_cast<std::ptrdiff_t>(at + 8 + length));
    at += 12 + length;
  }
  const std::size_t row = static_cast<std::size_t>(3 * out.width);
  byte_buffer lines((row + 1) * static_cast<std::size_t>(out.height));
  uLongf size = lines.size();
  BOOST_REQUIRE(uncompress(lines.data(), &size, packed.data(), packed.size()) == Z_OK);
  BOOST_REQUIRE(size == lines.size());
  out.pixels.resize(row * static_cast<std::size_t>(out.height));
  for (std::size_t y = 0; y < static_cast<std::size_t>(out.height); ++y)
    for (std::size_t i = 0; i < row; ++i) {
      const int left = i < 3 ? 0 : out.pixels[y * row + i - 3], up = y == 0 ? 0 : out.pixels[(y - 1) * row + i],
                corner = i < 3 || y == 0 ? 0 : out.pixels[(y - 1) * row + i - 3];
      const int p = left + up - corner, pa = std::abs(p - left), pb = std::abs(p - up), pc = std::abs(p - corner);
      const int paeth = pa <= pb && pa <= pc ? left : pb <= pc ? up : corner;
      const int filters[] = {0, left, up, (left + up) / 2, paeth};
      out.pixels[y * row + i] =
          static_cast<unsigned char>(lines[y * (row + 1) + 1 + i] + filters[lines[y * (row + 1)]]);
    }
  return out;
}

byte_buffer bytes(std::string_view s) { return {s.begin(), s.end()}; }

}  // namespace

BOOST_AUTO_TEST_CASE(png_holds_the_pixels) {
  picture image(37, 21, {10, 20, 30});
  for (comodal::index y = 0; y < 21; ++y)
    for (comodal::index x = 0; x < 37; ++x)
      image.set(
          x, y,
          {static_cast<std::uint8_t>(x * 6), static_cast<std::uint8_t>(y * 11), static_cast<std::uint8_t>(x * y)});
  draw_text(image, 2, 2, "R", {255, 0, 0});
  const decoded back = decode(encode_png(image));
  BOOST_TEST(back.width == 37);
  BOOST_TEST(back.height == 21);
  BOOST_TEST((back.pixels == image.pixels()));
  BOOST_CHECK_THROW(static_cast<void>(encode_png(picture())), shape_error);
  BOOST_CHECK_THROW(picture(0, 3), shape_error);
}

BOOST_AUTO_TEST_CASE(base64_of_rfc_4648) {
  BOOST_TEST(base64(bytes("")) == "");
  BOOST_TEST(base64(bytes("f")) == "Zg==");
  BOOST_TEST(base64(bytes("fo")) == "Zm8=");
  BOOST_TEST(base64(bytes("foo")) == "Zm9v");
  BOOST_TEST(base64(bytes("foob")) == "Zm9vYg==");
  BOOST_TEST(base64(bytes("fooba")) == "Zm9vYmE=");
  BOOST_TEST(base64(bytes("foobar")) == "Zm9vYmFy");
  BOOST_TEST(base64(byte_buffer{0xfb, 0xff, 0xfe}) == "+//+");
}

BOOST_AUTO_TEST_CASE(drawing_stays_inside_the_picture) {
  picture image(8, 4, {1, 1, 1});
  image.fill_rectangle(-3, -3, 5, 5, {9, 9, 9});
  draw_text(image, 6, 2, "WWW", {5, 5, 5});
  BOOST_TEST((image.at(1, 1) == rgb{9, 9, 9}));
  BOOST_TEST((image.at(2, 1) == rgb{1, 1, 1}));
  picture small(2, 2, {7, 7, 7});
  image.paste(small, 7, 3);
  BOOST_TEST((image.at(7, 3) == rgb{7, 7, 7}));
}

BOOST_AUTO_TEST_CASE(text_has_the_size_that_was_promised) {
  const std::string words = "Flair \xC3\xA4 |g";
  picture image(text_width(words) + 20, text_height() + 20, {0, 0, 0});
  draw_text(image, 10, 10, words, {255, 255, 255});
  comodal::index lit = 0, outside = 0;
  for (comodal::index y = 0; y < image.height(); ++y)
    for (comodal::index x = 0; x < image.width(); ++x) {
      if (image.at(x, y)[0] == 0) continue;
      ++lit;
      outside += x < 10 || y < 10 || x >= image.width() - 10 || y >= image.height() - 10;
    }
  BOOST_TEST(lit > 200);
  BOOST_TEST(outside == 0);
}

BOOST_AUTO_TEST_CASE(headers_may_be_included_twice_in_a_program) {
  BOOST_TEST(bytes_of_a_picture_from_the_second_unit() == encode_png(picture(3, 2, {1, 2, 3})).size());
}
