// SPDX-License-Identifier: Apache-2.0
// The reference engine's own gradients, by finite differences on that engine.
#define BOOST_TEST_MODULE autograd_reference
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>

#include <comodal/autograd/convolution.hpp>
#include <comodal/autograd/segmentation.hpp>

#include <autograd/gradients.hpp>

namespace comodal::tests {

using oracle = xtensor_backend<double>;
using oracle_variables = std::vector<variable<oracle>>;

BOOST_AUTO_TEST_CASE(gradients_of_layers) {
  gradients<oracle>("conv3d", {{{1, 4, 3, 5, 2}}, {{3, 1, 3, 2, 3}}},
                    [](const oracle_variables& v) { return conv3d(v[0], v[1], {2, 1, 1}); });
  gradients<oracle>("conv_transpose3d", {{{1, 2, 3, 2, 2}}, {{2, 1, 2, 2, 3}}},
                    [](const oracle_variables& v) { return conv_transpose3d(v[0], v[1]); });
  gradients<oracle>("instance_norm", {{{2, 3, 2, 2, 3}}, {{3}}, {{3}}},
                    [](const oracle_variables& v) { return instance_norm(v[0], v[1], v[2]); });
  gradients<oracle>("upsample3d", {{{1, 2, 3, 1, 2}}},
                    [](const oracle_variables& v) { return upsample3d(v[0], {2, 3, 2}); });
}

BOOST_AUTO_TEST_CASE(gradients_of_losses) {
  gradients<oracle>("segmentation_sums", {{{2, 6, 3}}}, [](const oracle_variables& v) {
    return segmentation_sums(v[0], v[0].home().constant({2, 6, 3}, values(36, 4, 0, 1)),
                             v[0].home().constant({2, 6}, values(12, 5, 0, 1)));
  });
}

}  // namespace comodal::tests
