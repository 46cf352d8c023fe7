// SPDX-License-Identifier: Apache-2.0
// Instance normalisation where the mean is far larger than the deviation.
#define BOOST_TEST_MODULE engine_norm_act
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>
#include <comodal/ops/elementwise.hpp>
#include <comodal/ops/norm_act.hpp>

#include <core/support.hpp>

namespace comodal::tests {

template <class Backend>
std::vector<double> normalised(const std::vector<double>& x, const shape& extents) {
  using T = typename Backend::scalar_type;
  context<Backend> ctx;
  const index channels = extents[-1];
  const auto gamma = ops::full(ctx, {channels}, T(1)), beta = ops::full(ctx, {channels}, T(0));
  const auto p = ops::norm_act_problem_of(extents, gamma.shape(), beta.shape(), 0.01, 1e-5);
  return converted<double>(
      to_host(ctx.space(), ops::norm_act(ctx, p, ctx.make(extents, converted<T>(x)), gamma, beta).y));
}

// E[x^2] - E[x]^2 in double would lose all digits of the variance here: squares of 1e7 have an error of 1e-2.
BOOST_AUTO_TEST_CASE(variances_in_double_survive_a_large_mean) {
  const shape extents{2, 5, 6, 7, 3};
  auto x = values(extents.size(), 1);
  for (double& v : x) v += 1e7;
  const auto expected = normalised<xtensor_backend<double>>(x, extents);
  BOOST_TEST(difference(normalised<kokkos_backend<default_space, double>>(x, extents), expected) <= 1e-8);
  using device_on_host = kokkos_backend<default_space, double, false, engine_list<device_engine>>;
  BOOST_TEST(difference(normalised<device_on_host>(x, extents), expected) <= 1e-8);
}

// Floats are summed in double. What is lost is the rounding of the stored mean: 3.1e-5, where the deviation is 0.58.
BOOST_AUTO_TEST_CASE(variances_of_floats_survive_a_mean_of_a_thousand_deviations) {
  const shape extents{1, 8, 8, 8, 4};
  auto x = values(extents.size(), 2);
  for (double& v : x) v = static_cast<double>(static_cast<float>(v + 1000));
  const auto expected = normalised<xtensor_backend<double>>(x, extents);
  BOOST_TEST(difference(normalised<kokkos_backend<default_space, float>>(x, extents), expected) <= 5.4e-5);
}

}  // namespace comodal::tests
