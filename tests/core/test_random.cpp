// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE core_random
#include <boost/test/unit_test.hpp>

#include <comodal/core/random.hpp>

#include <core/support.hpp>

#include <set>

namespace comodal::tests {

// Random123's known answers of philox4x32 with ten rounds (its file kat_vectors).
BOOST_AUTO_TEST_CASE(known_answers) {
  random_stream zero(0, static_cast<random_purpose>(0), 0, 0);
  for (const std::uint32_t expected : {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u})
    BOOST_TEST(zero.bits() == expected);

  constexpr std::uint32_t ones = 0xffffffffu;
  const r123::Philox4x32::ctr_type full = r123::Philox4x32()({{ones, ones, ones, ones}}, {{ones, ones}});
  BOOST_TEST((full == r123::Philox4x32::ctr_type{{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}}));
}

BOOST_AUTO_TEST_CASE(the_key_and_the_counter_stand_where_they_are_documented) {
  random_stream s(0x0123456789abcdefull, random_purpose::sampling, 7, 9);
  for (std::uint32_t block = 0; block < 3; ++block) {
    const auto expected = r123::Philox4x32()({{block, 2, 7, 9}}, {{0x89abcdefu, 0x01234567u}});
    for (std::size_t i = 0; i < 4; ++i) BOOST_TEST(s.bits() == expected[i]);
  }
}

BOOST_AUTO_TEST_CASE(equal_keys_give_equal_numbers_and_a_copy_keeps_its_place) {
  random_stream a(1, random_purpose::mixing, 2, 3), b(1, random_purpose::mixing, 2, 3);
  for (int i = 0; i < 5; ++i) BOOST_TEST(a.uniform() == b.uniform());
  random_stream copy = a;
  BOOST_TEST(copy.bits() == a.bits());
}

double correlation(random_stream a, random_stream b, int count) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5) * 12;
  return sum / count;
}

BOOST_AUTO_TEST_CASE(streams_of_different_keys_are_independent) {
  constexpr int count = 20000;
  const random_stream base(5, random_purpose::sampling, 1, 1);
  const random_stream others[] = {
      random_stream(6, random_purpose::sampling, 1, 1), random_stream(5, random_purpose::mixing, 1, 1),
      random_stream(5, random_purpose::sampling, 2, 1), random_stream(5, random_purpose::sampling, 1, 2),
      random_stream(5 + (1ull << 32), random_purpose::sampling, 1, 1)};
  const double limit = 5 / std::sqrt(static_cast<double>(count));  // five standard deviations
  for (const random_stream& other : others) BOOST_TEST(std::fabs(correlation(base, other, count)) < limit);
  BOOST_TEST(correlation(base, base, count) > 0.9);
}

BOOST_AUTO_TEST_CASE(uniform_numbers_fill_their_interval) {
  random_stream s(3, random_purpose::test);
  constexpr int count = 40000;
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const double u = s.uniform();
    BOOST_REQUIRE((u >= 0 && u < 1));
    sum += u;
    squares += u * u;
  }
  BOOST_TEST(std::fabs(sum / count - 0.5) < 5 * std::sqrt(1.0 / 12 / count));
  BOOST_TEST(std::fabs(squares / count - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / count));
  for (int i = 0; i < 1000; ++i) {
    const double v = s.uniform(-3, 2);
    BOOST_REQUIRE((v >= -3 && v < 2));
  }
}

BOOST_AUTO_TEST_CASE(normal_numbers_have_the_moments_asked_for) {
  random_stream s(4, random_purpose::test);
  constexpr int count = 40000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < count; ++i) {
    const double z = (s.normal(10, 2) - 10) / 2;
    BOOST_REQUIRE(std::isfinite(z));
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
  }
  BOOST_TEST(std::fabs(sum / count) < 5 / std::sqrt(static_cast<double>(count)));
  BOOST_TEST(std::fabs(squares / count - 1) < 5 * std::sqrt(2.0 / count));
  BOOST_TEST(std::fabs(fourth / count - 3) < 5 * std::sqrt(96.0 / count));
}

BOOST_AUTO_TEST_CASE(below_is_even_and_in_range) {
  random_stream s(5, random_purpose::test);
  for (const std::uint32_t sides : {1u, 2u, 3u, 7u, 10u}) {
    constexpr int count = 20000;
    std::vector<int> seen(sides);
    for (int i = 0; i < count; ++i) {
      const std::uint32_t v = s.below(sides);
      BOOST_REQUIRE(v < sides);
      ++seen[v];
    }
    double chi = 0;
    const double expected = static_cast<double>(count) / sides;
    for (const int n : seen) chi += (n - expected) * (n - expected) / expected;
    BOOST_TEST(chi < sides - 1 + 5 * std::sqrt(2.0 * sides), sides << " sides: chi squared " << chi);
  }
  // Far from a power of two, a plain remainder or product would be uneven by a third.
  constexpr std::uint32_t large = 0xc0000000u;
  int low = 0;
  for (int i = 0; i < 30000; ++i) low += s.below(large) < large / 3;
  BOOST_TEST(std::fabs(low / 30000.0 - 1.0 / 3) < 5 * std::sqrt(2.0 / 9 / 30000));
}

BOOST_AUTO_TEST_CASE(chance_happens_as_often_as_asked) {
  random_stream s(6, random_purpose::test);
  int hits = 0;
  for (int i = 0; i < 20000; ++i) {
    hits += s.chance(0.3);
    BOOST_REQUIRE(!s.chance(0));
    BOOST_REQUIRE(s.chance(1));
  }
  BOOST_TEST(std::fabs(hits / 20000.0 - 0.3) < 5 * std::sqrt(0.21 / 20000));
}

BOOST_AUTO_TEST_CASE(names_hash_as_fnv_1a) {
  static_assert(hash_name("") == 0x811c9dc5u);
  static_assert(hash_name("a") == 0xe40c292cu);
  static_assert(hash_name("foobar") == 0xbf9cf968u);
}

}  // namespace comodal::tests
