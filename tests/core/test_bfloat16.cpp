// SPDX-License-Identifier: Apache-2.0
// The 16-bit scalar: every value there and back, rounding to nearest with ties to even, infinities, NaN and subnormal
// numbers.
#define BOOST_TEST_MODULE core_bfloat16
#include <boost/test/unit_test.hpp>

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/random.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace comodal::tests {

float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }
std::uint16_t bits_of(float value) { return bfloat16(value).bits; }

// The nearest of the two neighbours, found by comparing distances in double; of equal ones that with an even last bit.
std::uint16_t nearest(double value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const double magnitude = std::fabs(value);
  // Bits of positive numbers are in the order of the numbers; beyond the largest, rounding goes on as if there were one
  // more exponent.
  const auto number = [](std::uint32_t bits) {
    return bits == 0x7f80 ? 0x1p128 : static_cast<double>(from_bits(bits << 16));
  };
  std::uint32_t low = 0, high = 0x7f80;
  if (magnitude >= 0x1p128) return static_cast<std::uint16_t>(sign | 0x7f80);
  while (high - low > 1) {
    const std::uint32_t middle = (low + high) / 2;
    (number(middle) <= magnitude ? low : high) = middle;
  }
  const double below = magnitude - number(low), above = number(high) - magnitude;
  return static_cast<std::uint16_t>(sign | (below < above || (below == above && low % 2 == 0) ? low : high));
}

BOOST_AUTO_TEST_CASE(every_value_there_and_back) {
  for (std::uint32_t b = 0; b < 65536; ++b) {
    const auto x = bfloat16::from_bits(static_cast<std::uint16_t>(b));
    const float f = x;
    BOOST_REQUIRE_EQUAL(std::bit_cast<std::uint32_t>(f), b << 16);
    if (std::isnan(f)) {
      BOOST_REQUIRE(std::isnan(static_cast<float>(bfloat16(f))));
      BOOST_REQUIRE_EQUAL(bfloat16(f).bits, b | 0x40);  // quiet
      BOOST_REQUIRE(std::isnan(static_cast<float>(bfloat16(static_cast<double>(f)))));
    } else {
      BOOST_REQUIRE_EQUAL(bfloat16(f).bits, b);
      BOOST_REQUIRE_EQUAL(bfloat16(static_cast<double>(f)).bits, b);
    }
  }
}

BOOST_AUTO_TEST_CASE(between_two_values_the_nearer_one_and_of_equals_the_even_one) {
  for (std::uint32_t b = 0; b < 0x7f80; ++b)
    for (const std::uint32_t sign : {0u, 0x80000000u})
      for (const std::uint32_t rest : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
        const float f = from_bits(sign | b << 16 | rest);
        BOOST_REQUIRE_EQUAL(bits_of(f), nearest(static_cast<double>(f)));
      }
  BOOST_TEST(bits_of(1 + 0x1p-8f) == bits_of(1.f));              // a tie, to the even neighbour below
  BOOST_TEST(bits_of(1 + 3 * 0x1p-8f) == bits_of(1 + 0x1p-6f));  // a tie, to the even neighbour above
}

BOOST_AUTO_TEST_CASE(doubles_are_rounded_once) {
  // Just above a tie by less than a float can tell: by way of a float it would be a tie, and go down.
  BOOST_TEST(bfloat16(1 + 0x1p-8 + 0x1p-40).bits == bits_of(1 + 0x1p-7f));
  BOOST_TEST(bfloat16(1 + 3 * 0x1p-8 - 0x1p-40).bits == bits_of(1 + 0x1p-7f));
  BOOST_TEST(bfloat16(-1 - 0x1p-8 - 0x1p-40).bits == bits_of(-1 - 0x1p-7f));
  BOOST_TEST(bfloat16(1e300).bits == 0x7f80);
  BOOST_TEST(bfloat16(-1e300).bits == 0xff80);
  BOOST_TEST(bfloat16(1e-300).bits == 0);
  random_stream draw(1, random_purpose::test, 3);
  for (int i = 0; i < 200000; ++i) {
    const double x = draw.uniform(-1, 1) * std::ldexp(1.0, static_cast<int>(draw.uniform(-140, 128)));
    BOOST_REQUIRE_EQUAL(bfloat16(x).bits, nearest(x));
  }
}

BOOST_AUTO_TEST_CASE(the_ends_of_the_range) {
  const float infinity = std::numeric_limits<float>::infinity(), most = std::numeric_limits<float>::max();
  BOOST_TEST(bits_of(infinity) == 0x7f80);
  BOOST_TEST(bits_of(-infinity) == 0xff80);
  BOOST_TEST(bits_of(most) == 0x7f80);  // nearer to 2^128 than to the largest value
  BOOST_TEST(bits_of(from_bits(0x7f7f7fff)) == 0x7f7f);
  BOOST_TEST(bits_of(-0.f) == 0x8000);
  BOOST_TEST(bits_of(from_bits(1)) == 0);       // the smallest float
  BOOST_TEST(bits_of(from_bits(0x8001)) == 1);  // subnormal, up to the smallest bfloat16
  BOOST_TEST(bits_of(from_bits(0x8000)) == 0);  // a tie
  BOOST_TEST(
      std::isnan(static_cast<float>(bfloat16(from_bits(0x7f800001)))));  // its upper half alone would be infinity
  BOOST_TEST(std::isnan(static_cast<float>(bfloat16(from_bits(0xffffffff)))));
}

BOOST_AUTO_TEST_CASE(what_is_moved_is_not_rounded) {
  for (std::uint32_t b = 0; b < 65536; ++b) {
    const auto x = bfloat16::from_bits(static_cast<std::uint16_t>(b));
    BOOST_REQUIRE_EQUAL(exactly<bfloat16>(x).bits, b);
    BOOST_REQUIRE_EQUAL(value_or_zero(true, x).bits, b);
    BOOST_REQUIRE_EQUAL(value_or_zero(false, x).bits, 0);
  }
  BOOST_TEST(exactly<float>(0.1f) == 0.1f);
  BOOST_TEST(value_or_zero(false, 0.1) == 0.0);
}

BOOST_AUTO_TEST_CASE(whole_numbers_and_arithmetic) {
  BOOST_TEST(static_cast<float>(bfloat16(3)) == 3.f);
  BOOST_TEST(static_cast<float>(bfloat16(-256)) == -256.f);
  BOOST_TEST(static_cast<float>(bfloat16(257)) == 256.f);
  BOOST_TEST(static_cast<float>(bfloat16(true)) == 1.f);
  static_assert(std::is_same_v<decltype(bfloat16(1) * bfloat16(2)), float>);
  static_assert(!std::is_convertible_v<float, bfloat16> && std::is_convertible_v<bfloat16, float>);
  static_assert(std::is_same_v<compute_type_t<bfloat16>, float> && std::is_same_v<compute_type_t<double>, double>);
  static_assert(tensor_scalar<bfloat16> && tensor_scalar<float> && !tensor_scalar<int>);
  static_assert(bfloat16(1.5f).bits == 0x3fc0);
}

}  // namespace comodal::tests
