// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_image_bytes
#include <boost/test/unit_test.hpp>

#include <comodal/report/image_bytes.hpp>

#include <report/png_reader.hpp>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb_image.h>

using namespace comodal;

std::size_t bytes_of_a_picture_from_the_second_unit();

namespace {

byte_buffer bytes(std::string_view s) { return {s.begin(), s.end()}; }

picture pattern(comodal::index width, comodal::index height, comodal::index channels) {
  picture image(width, height, channels);
  for (comodal::index y = 0; y < height; ++y)
    for (comodal::index x = 0; x < width; ++x)
      for (comodal::index c = 0; c < channels; ++c)
        image.at(x, y)[c] = static_cast<std::uint8_t>(120 + 100 * std::sin(0.1 * static_cast<double>(x + 2 * y + c)));
  return image;
}

}  // namespace

BOOST_AUTO_TEST_CASE(png_holds_the_pixels) {
  for (const comodal::index channels : {1, 3}) {
    const picture image = pattern(37, 21, channels);
    const auto back = tests::read_png(encode_png(image));
    BOOST_TEST(back.width == 37);
    BOOST_TEST(back.height == 21);
    BOOST_TEST(back.channels == channels);
    BOOST_TEST((back.pixels == image.pixels));
  }
  BOOST_CHECK_THROW(static_cast<void>(encode_png(picture())), shape_error);
  BOOST_CHECK_THROW(picture(0, 3), shape_error);
}

BOOST_AUTO_TEST_CASE(jpeg_is_near_to_the_pixels_and_smaller) {
  const picture image = pattern(240, 200, 1);
  std::size_t before = encode_png(image).size();
  for (const int quality : {85, 45}) {
    const byte_buffer jpeg = encode_jpeg(image, quality);
    BOOST_TEST(jpeg.size() < before);
    before = jpeg.size();
    int width = 0, height = 0, channels = 0;
    unsigned char* pixels =
        stbi_load_from_memory(jpeg.data(), static_cast<int>(jpeg.size()), &width, &height, &channels, 1);
    BOOST_REQUIRE(pixels != nullptr);
    BOOST_TEST(width == 240);
    BOOST_TEST(height == 200);
    int most = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      most = std::max(most, std::abs(int{pixels[i]} - int{image.pixels[i]}));
    stbi_image_free(pixels);
    BOOST_TEST(most < (quality == 85 ? 12 : 30));
  }
}

BOOST_AUTO_TEST_CASE(an_address_holds_a_png_unless_it_is_large) {
  const picture image = pattern(240, 200, 1);
  BOOST_TEST(data_uri(image).starts_with("data:image/png;base64,iVBORw0KGgo"));
  BOOST_TEST(data_uri(image, 100).starts_with("data:image/jpeg;base64,/9j/"));
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

BOOST_AUTO_TEST_CASE(headers_may_be_included_twice_in_a_program) {
  BOOST_TEST(bytes_of_a_picture_from_the_second_unit() == encode_png(picture(3, 2, 3)).size());
}
