// SPDX-License-Identifier: Apache-2.0
// Pooling and up-sampling: the host and device engines against the reference engine, forward and gradients.
#define BOOST_TEST_MODULE engine_agreement_resampling
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>

#include <comodal/autograd/convolution.hpp>

#include <engine/agreement.hpp>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(pooling) {
  for (const extent3& window : {extent3{2, 2, 2}, extent3{1, 2, 2}, extent3{1, 3, 2}, extent3{5, 1, 1}})
    for (const index channels : {3, 29}) {  // one at a time; sixteen, eight, four and one
      agree("max_pool3d", {{{2, 5, 7, 4, channels}}}, [&](const auto& v) { return max_pool3d(v[0], window); });
      agree("average_pool3d", {{{2, 5, 7, 4, channels}}}, [&](const auto& v) { return average_pool3d(v[0], window); });
    }
  agree("average_pool3d", {{{1, 9, 8, 8, 3}}}, [](const auto& v) { return average_pool3d(v[0], {4, 8, 8}); });
}

template <class Backend>
std::vector<double> gradient_of_tied_maximum() {
  context<Backend> ctx;
  tape<Backend> home(ctx);
  const auto x = home.leaf(ctx.make({1, 1, 2, 2, 1}, {3, 5, 5, 5}));
  home.backward(sum(max_pool3d(x, {1, 2, 2})));
  return to_host(ctx.space(), x.grad());
}

BOOST_AUTO_TEST_CASE(ties_of_a_maximum_go_to_the_first_voxel) {
  const std::vector<double> expected{0, 1, 0, 0};
  BOOST_TEST((gradient_of_tied_maximum<kokkos_backend<default_space, double>>()) == expected,
             boost::test_tools::per_element());
  BOOST_TEST((gradient_of_tied_maximum<xtensor_backend<double>>()) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(upsampling) {
  for (const extent3& factor : {extent3{2, 2, 2}, extent3{1, 3, 2}, extent3{4, 1, 5}})
    agree("upsample3d", {{{2, 3, 1, 4, 3}}}, [&](const auto& v) { return upsample3d(v[0], factor); });
}

}  // namespace comodal::tests
