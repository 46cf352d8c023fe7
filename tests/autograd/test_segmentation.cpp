// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE autograd_segmentation
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/segmentation.hpp>

#include <autograd/gradients.hpp>

#include <limits>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(gradients_of_the_sums) {
  for (const label_kind kind : {label_kind::classes, label_kind::regions}) {
    gradients("segmentation_sums", {{{2, 3, 2, 2, 3}, -3, 3}}, [kind](const variables& v) {
      auto weight = values(24, 5, 0, 1);
      weight[3] = weight[14] = 0;
      return segmentation_sums(v[0], v[0].home().constant({2, 3, 2, 2, 3}, values(72, 4, 0, 1)),
                               v[0].home().constant({2, 3, 2, 2}, weight), kind);
    });
    gradients("segmentation_sums without weights", {{{2, 5, 16}, -3, 3}}, [kind](const variables& v) {
      return segmentation_sums(v[0], v[0].home().constant({2, 5, 16}, values(160, 4, 0, 1)), {}, kind);
    });
    for (const index many : {17, 50})
      gradients("segmentation_sums of many classes", {{{1, 3, many}, -3, 3}}, [kind, many](const variables& v) {
        return segmentation_sums(v[0], v[0].home().constant({1, 3, many}, values(3 * many, 4, 0, 1)), {}, kind);
      });
  }
}

struct workshop {
  context<twofold> ctx;
  tape<twofold> home{ctx};
};

BOOST_FIXTURE_TEST_CASE(a_voxel_of_weight_zero_is_not_read, workshop) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const label_kind kind : {label_kind::classes, label_kind::regions}) {
    const auto z = home.leaf(ctx.make({1, 2, 2}, {0, 0, nan, nan}));
    const auto y = home.constant({1, 2, 2}, {1, 0, nan, nan}), w = home.constant({1, 2}, {1, 0});
    const auto sums = segmentation_sums(z, y, w, kind);
    const auto s = to_host(ctx.space(), sums.value());
    const std::vector<double> expected{1, std::log(2), 0.5, 0, 0.25, 0.25, 1, 0};
    for (std::size_t i = 0; i < expected.size(); ++i) BOOST_TEST(std::fabs(s[i] - expected[i]) < 1e-15);
    home.backward(sum(sums));
    const auto g = to_host(ctx.space(), z.grad());
    BOOST_TEST((std::isfinite(g[0]) && g[2] == 0 && g[3] == 0));
  }
}

BOOST_FIXTURE_TEST_CASE(large_logits_stay_finite, workshop) {
  for (const label_kind kind : {label_kind::classes, label_kind::regions}) {
    const auto z = home.leaf(ctx.make({1, 1, 2}, {1000, -1000}));
    const auto sums = segmentation_sums(z, home.constant({1, 1, 2}, {0, 1}), {}, kind);
    BOOST_TEST(to_host(ctx.space(), sums.value())[1] == (kind == label_kind::classes ? 2000.0 : 1000.0));
    home.backward(sum(sums));
    for (const double g : to_host(ctx.space(), z.grad())) BOOST_TEST(std::isfinite(g));
  }
}

BOOST_FIXTURE_TEST_CASE(many_classes_of_equal_logits_are_equally_probable, workshop) {
  const index classes = 128;
  std::vector<double> first(128, 0.0);
  first[0] = 1;
  const auto sums = segmentation_sums(home.constant({1, 1, classes}, std::vector<double>(128, 2.5)),
                                      home.constant({1, 1, classes}, first), {}, label_kind::classes);
  const auto s = to_host(ctx.space(), sums.value());
  BOOST_TEST(s[1] == std::log(128.0), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(s[2] == 1 / 128.0, boost::test_tools::tolerance(1e-12));
  for (std::size_t c = 0; c < 128; ++c) BOOST_TEST(s[2 + 128 + c] == 1 / 16384.0, boost::test_tools::tolerance(1e-12));
}

BOOST_FIXTURE_TEST_CASE(shapes_that_do_not_fit_name_the_operation, workshop) {
  const auto tensor = [&](const shape& s) { return home.constant(s, values(s.size(), 1)); };
  BOOST_CHECK_EXCEPTION((void)segmentation_sums(tensor({1, 4, 2}), tensor({1, 4, 3})), shape_error,
                        says("segmentation_sums: logits (1, 4, 2) and targets (1, 4, 3)"));
  BOOST_CHECK_EXCEPTION((void)segmentation_sums(tensor({1, 4, 129}), tensor({1, 4, 129})), shape_error,
                        says("C <= 128"));
  BOOST_CHECK_EXCEPTION((void)segmentation_sums(tensor({1, 4, 2}), tensor({1, 4, 2}), tensor({3})), shape_error,
                        says("segmentation_sums: weights (3)"));
}

}  // namespace comodal::tests
