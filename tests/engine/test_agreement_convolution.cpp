// SPDX-License-Identifier: Apache-2.0
// Convolutions and normalisation: portable (and oneDNN) against the reference engine, forward and gradients.
#define BOOST_TEST_MODULE engine_agreement_convolution
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>

#include <comodal/autograd/convolution.hpp>

#include <engine/agreement.hpp>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(convolution) {
  const auto f = [](const auto& v) { return conv3d(v[0], v[1], {1, 2, 1}); };
  agree("conv3d", {{{2, 4, 5, 6, 8}}, {{3, 3, 3, 8, 16}}}, f);
  agree("conv3d, odd channels", {{{1, 4, 5, 3, 3}}, {{1, 5, 3, 3, 7}}}, f);
}

BOOST_AUTO_TEST_CASE(transposed_convolution) {
  const auto f = [](const auto& v) { return conv_transpose3d(v[0], v[1]); };
  agree("conv_transpose3d", {{{2, 3, 4, 5, 16}}, {{2, 2, 2, 16, 8}}}, f);
  agree("conv_transpose3d, odd sizes", {{{1, 2, 3, 1, 5}}, {{1, 3, 2, 5, 3}}}, f);
}

BOOST_AUTO_TEST_CASE(normalisation) {
  // A kink of the activation may fall between two roundings of one voxel; these values keep clear of it.
  agree("instance_norm", {{{2, 5, 6, 7, 16}}, {{16}, 0.5, 1.5}, {{16}}}, [](const auto& v) { return instance_norm(v[0], v[1], v[2]); });
  agree("instance_norm, odd channels", {{{3, 1, 4, 3, 5}, 10, 12}, {{5}}, {{5}}}, [](const auto& v) { return instance_norm(v[0], v[1], v[2], 0.2, 1e-3); },
        2e-5);
  agree("instance_norm without activation", {{{1, 3, 2, 2, 3}}, {{3}}, {{3}}}, [](const auto& v) { return instance_norm(v[0], v[1], v[2], 1.0); });
}

}  // namespace comodal::tests
