// SPDX-License-Identifier: Apache-2.0
// Copies, dropout and segmentation sums: the host and device engines against the reference engine, forward and
// gradients.
#define BOOST_TEST_MODULE engine_agreement_structure
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>

#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>

#include <engine/agreement.hpp>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(copies) {
  agree("concat", {{{2, 3, 4, 5}}, {{2, 3, 4, 1}}, {{2, 3, 4, 8}}}, [](const auto& v) { return concat(v); });
  agree("stack", {{{2, 3, 4}}, {{2, 3, 4}}}, [](const auto& v) { return stack(v, 1); });
  agree("slice", {{{2, 6, 4}}}, [](const auto& v) { return slice(v[0], 1, 2, 5); });
  agree("dropout", {{{4, 5, 6}}}, [](const auto& v) { return dropout(v[0], 0.3, 11, 4, 2); });
}

BOOST_AUTO_TEST_CASE(segmentation) {
  for (const label_kind kind : {label_kind::classes, label_kind::regions}) {
    const auto f = [kind](const auto& v) {
      auto& home = v[0].home();
      using scalar = typename std::remove_cvref_t<decltype(v[0].value())>::scalar_type;
      auto weight = converted<scalar>(values(2 * 60, 8, 0, 1));
      for (std::size_t i = 0; i < weight.size(); i += 7) weight[i] = 0;
      auto target = converted<scalar>(values(2 * 60 * 3, 9, 0, 1));
      for (std::size_t i = 0; i < target.size(); i += 15)  // nobody looked there
        target[i] = target[i + 1] = target[i + 2] = 0;
      const auto y = home.constant({2, 3, 4, 5, 3}, target), w = home.constant({2, 3, 4, 5}, weight);
      return segmentation_sums(v[0], y, w, kind);
    };
    agree("segmentation_sums", {{{2, 3, 4, 5, 3}, -4, 4}}, f);
  }
}

}  // namespace comodal::tests
