// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_volume_transform
#include <comodal/data/augment.hpp>
#include <comodal/data/volume_transform.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <vector>

namespace comodal::tests {
namespace {

// The archetype: nothing but what the concept asks for.
struct add {
  float value;
  void operator()(std::span<float> crop, const extent3&, random_stream&) const {
    for (float& v : crop) v += value;
  }
};
struct multiply_by_draw {
  void operator()(std::span<float> crop, const extent3&, random_stream& random) const {
    const auto a = static_cast<float>(random.uniform());
    for (float& v : crop) v *= a;
  }
};

static_assert(volume_transform<add>);
static_assert(volume_transform<transform_chain<>>);
static_assert(volume_transform<transform_chain<add, transform_chain<multiply_by_draw, add>>>);
static_assert(volume_transform<random_gain_shift> && volume_transform<random_gamma> && volume_transform<random_noise> &&
              volume_transform<random_blur> && volume_transform<weak_intensities> &&
              volume_transform<strong_intensities>);

struct changes_itself {
  void operator()(std::span<float>, const extent3&, random_stream&) {}
};
struct gives_a_copy {
  std::vector<float> operator()(std::span<float> crop, const extent3&, random_stream&) const {
    return {crop.begin(), crop.end()};
  }
};
struct without_random {
  void operator()(std::span<float>, const extent3&) const {}
};
struct not_copyable : add {
  std::unique_ptr<int> owner;
};
static_assert(!volume_transform<changes_itself>);
static_assert(!volume_transform<gives_a_copy>);
static_assert(!volume_transform<without_random>);
static_assert(!volume_transform<not_copyable>);
static_assert(!volume_transform<int>);

}  // namespace

BOOST_AUTO_TEST_CASE(a_chain_applies_its_parts_in_order) {
  const transform_chain chain(add{1}, multiply_by_draw{}, add{10}, multiply_by_draw{});
  std::vector<float> crop{0, 1, 2, 3, 4, 5, 6, 7};
  random_stream random(1, random_purpose::test), same = random;
  chain(crop, {2, 2, 2}, random);
  const auto a = static_cast<float>(same.uniform()), b = static_cast<float>(same.uniform());
  for (std::size_t i = 0; i < crop.size(); ++i)
    BOOST_TEST(crop[i] == ((static_cast<float>(i) + 1) * a + 10) * b, boost::test_tools::tolerance(1e-6f));
  BOOST_TEST(random.bits() == same.bits());
}

}  // namespace comodal::tests
