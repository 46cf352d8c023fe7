// SPDX-License-Identifier: Apache-2.0
// The presence mask: what it accepts, its weights, and how it removes what stands in an absent modality.
#define BOOST_TEST_MODULE model_presence
#include <boost/test/unit_test.hpp>

#include <comodal/model/presence.hpp>

#include <nn/support.hpp>

namespace comodal::tests {

using B = bench::backend;

BOOST_FIXTURE_TEST_CASE(mask_and_share, bench) {
  const presence<B> p(home, 2, 3, {1, 0, 1, 0, 1, 0});
  BOOST_TEST(p.samples() == 2);
  BOOST_TEST(p.modalities() == 3);
  BOOST_TEST((p.mask().shape() == shape{2, 3}));
  BOOST_TEST((host(p.mask()) == std::vector<double>{1, 0, 1, 0, 1, 0}));
  BOOST_TEST((host(p.share()) == std::vector<double>{0.5, 0, 0.5, 0, 1, 0}));
  BOOST_TEST(!p.mask().requires_grad());
}

BOOST_FIXTURE_TEST_CASE(what_makes_no_sense_is_refused, bench) {
  const auto make = [&](const std::vector<float>& v) { (void)presence<B>(home, 2, 2, v); };
  BOOST_CHECK_EXCEPTION(make({1, 1, 1}), shape_error, says("3 values for 2 samples of 2 modalities"));
  BOOST_CHECK_EXCEPTION(make({1, 0.5f, 1, 1}), config_error, says("0.5 for sample 0, modality 1"));
  BOOST_CHECK_EXCEPTION(make({1, 1, 0, 0}), config_error, says("sample 1 has no modality"));
  BOOST_CHECK_THROW(make({1, std::numeric_limits<float>::quiet_NaN(), 1, 1}), config_error);
}

BOOST_FIXTURE_TEST_CASE(absent_volumes_become_zero_whatever_they_held, bench) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const presence<B> p(home, 2, 2, {0, 1, 1, 1});
  const auto x = home.leaf(ctx.make({2, 1, 1, 2, 1}, {nan, std::numeric_limits<double>::infinity(), 3, 4}));
  BOOST_TEST((host(absent_to_zero(x, p, 0)) == std::vector<double>{0, 0, 3, 4}));
  // A leaf receives its gradient where the modality is present; a constant asks for none.
  home.backward(sum(absent_to_zero(x, p, 0)));
  BOOST_TEST((gradient(x) == std::vector<double>{0, 0, 1, 1}));
  BOOST_TEST(!absent_to_zero(detach(x), p, 0).requires_grad());
}

BOOST_FIXTURE_TEST_CASE(weighted_sums, bench) {
  const presence<B> p(home, 2, 2, {1, 0, 1, 1});
  const auto a = constant({2, 1, 1, 2, 1}, {1, 2, 3, 4}), b = constant({2, 1, 1, 2, 1}, {10, 20, 30, 40});
  BOOST_TEST((host(weighted_sum<B>({a, b}, p.share())) == std::vector<double>{1, 2, 16.5, 22}));
  // Weights a voxel, (N, D, H, W, M).
  const auto w = constant({2, 1, 1, 2, 2}, {1, 0, 0, 1, 0.5, 0.5, 1, 1});
  BOOST_TEST((host(weighted_sum<B>({a, b}, w)) == std::vector<double>{1, 20, 16.5, 44}));
}

}  // namespace comodal::tests
