// SPDX-License-Identifier: Apache-2.0
// Reductions, soft-max and matrix products: the host and device engines against the reference engine, forward and
// gradients.
#define BOOST_TEST_MODULE engine_agreement_reduction
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>

#include <comodal/autograd/reduction.hpp>

#include <engine/agreement.hpp>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(reductions) {
  agree("sum of all", {{{2, 3, 5, 7}}}, [](const auto& v) { return sum(v[0]); });
  agree("sum of a long row", {{{2, 4096}}}, [](const auto& v) { return sum(v[0], {1}); }, 1e-5);
  agree("sum over axes", {{{2, 3, 5, 7}}}, [](const auto& v) { return sum(v[0], {0, 2}); });
  agree("mean over axes", {{{2, 3, 5, 7}}}, [](const auto& v) { return mean(v[0], {1, 2, 3}); });
  agree("max", {{{2, 3, 5, 7}}}, [](const auto& v) { return max(v[0], 2); });
}

BOOST_AUTO_TEST_CASE(soft_max) {
  agree("softmax over channels", {{{2, 3, 5, 4}, -5, 5}}, [](const auto& v) { return softmax(v[0], -1); });
  for (const index entries : {2, 3, 5})
    agree("softmax, whole blocks of rows and some more", {{{3, 13, entries}, -5, 5}},
          [](const auto& v) { return softmax(v[0], -1); });
  agree("softmax over an inner axis", {{{2, 3, 5, 4}, -5, 5}}, [](const auto& v) { return softmax(v[0], 1); });
  agree("masked_softmax", {{{2, 3, 4}, -5, 5}},
        [](const auto& v) { return masked_softmax(v[0], v[0].home().constant({2, 4}, {1, 0, 1, 1, 0, 1, 0, 0})); });
  agree("l2_normalize", {{{2, 3, 5, 4}}}, [](const auto& v) { return l2_normalize(v[0], 1); });
}

BOOST_AUTO_TEST_CASE(matrix_product) {
  agree("matmul", {{{2, 3, 37, 19}}, {{2, 3, 19, 21}}}, [](const auto& v) { return matmul(v[0], v[1]); });
  agree("matmul of one row", {{{1, 5}}, {{5, 1}}}, [](const auto& v) { return matmul(v[0], v[1]); });
}

}  // namespace comodal::tests
