// SPDX-License-Identifier: Apache-2.0
// Layers and blocks: names and shapes of their parameters, shapes and gradients of their results.
#define BOOST_TEST_MODULE nn_layers
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/check_gradient.hpp>
#include <comodal/nn/layers.hpp>

#include <nn/support.hpp>

namespace comodal::tests {

using B = bench::backend;

struct layers : bench {
  parameter_store<B> store{home, 3};
  parameter_scope<B> root{store, "net"};

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& p : store.all())
      out.push_back(p.name + " " + p.value.shape().to_string() + (p.decay ? " decay" : ""));
    return out;
  }
  // Gradients with respect to the input and every parameter.
  template <class Layer>
  void check(const Layer& layer, const shape& extents) {
    std::vector<variable<B>> inputs{leaf(extents, 1)};
    for (const auto& p : store.all()) inputs.push_back(p.value);
    const auto report = check_gradient<B>([&](const auto& v) { return layer(v[0]); }, inputs, 1e-6, 8);
    BOOST_TEST(report.passed(1e-6), report.worst << " at " << report.place);
  }
};

BOOST_FIXTURE_TEST_CASE(convolution_pads_and_strides, layers) {
  const convolution<B> c(root / "c", 2, 3, {3, 1, 3}, true, {2, 1, 2});
  BOOST_TEST(names() == (std::vector<std::string>{"net.c.weight (3, 1, 3, 2, 3) decay", "net.c.bias (3)"}),
             boost::test_tools::per_element());
  BOOST_TEST((c(leaf({2, 4, 3, 6, 2}, 1)).shape() == shape{2, 2, 3, 3, 3}));
  change(store, "bias", [](const auto&, auto& v) { v = {0.1, -0.2, 0.3}; });
  check(c, {1, 4, 3, 4, 2});
}

BOOST_FIXTURE_TEST_CASE(up_convolution_multiplies_extents, layers) {
  const up_convolution<B> up(root / "up", 3, 2, {1, 2, 3});
  BOOST_TEST(names() == (std::vector<std::string>{"net.up.weight (1, 2, 3, 3, 2) decay", "net.up.bias (2)"}),
             boost::test_tools::per_element());
  BOOST_TEST((up(leaf({2, 2, 2, 2, 3}, 1)).shape() == shape{2, 2, 4, 6, 2}));
  check(up, {1, 2, 2, 1, 3});
}

BOOST_FIXTURE_TEST_CASE(up_convolution_keeps_the_scale_of_its_input, layers) {
  // Every output voxel is a sum over the input channels alone, so the variance of a weight is 2 / in.
  const up_convolution<B> up(root / "up", 32, 64, {2, 2, 2});
  double square = 0;
  const auto w = host(find(store, "net.up.weight"));
  for (const double v : w) square += v * v / static_cast<double>(w.size());
  BOOST_TEST(square * 16 == 1.0, boost::test_tools::tolerance(0.05));
}

BOOST_FIXTURE_TEST_CASE(up_sampling_is_trilinear_or_nearest, layers) {
  const up_convolution<B> smooth(root / "t", 3, 2, {1, 2, 3}, up_sampling::trilinear),
      copied(root / "n", 3, 2, {1, 2, 3}, up_sampling::nearest);
  BOOST_TEST(names() == (std::vector<std::string>{"net.t.weight (1, 1, 1, 3, 2) decay", "net.t.bias (2)",
                                                  "net.n.weight (1, 1, 1, 3, 2) decay", "net.n.bias (2)"}),
             boost::test_tools::per_element());
  change(store, "bias", [](const auto&, auto& v) { v = {0.3, -0.2}; });
  const auto x = leaf({2, 2, 2, 2, 3}, 1);
  // First up, then the convolution: the other way round is the same.
  const auto fine =
      host(conv3d(upsample3d(x, {1, 2, 3}), find(store, "net.t.weight"), {1, 1, 1}, find(store, "net.t.bias")));
  BOOST_TEST((smooth(x).shape() == shape{2, 2, 4, 6, 2}));
  BOOST_TEST(difference(host(smooth(x)), fine) < 1e-12);
  const auto coarse = host(conv3d(x, find(store, "net.n.weight"), {1, 1, 1}, find(store, "net.n.bias"))),
             repeated = host(copied(x));
  BOOST_REQUIRE(repeated.size() == 6 * coarse.size());
  double worst = 0;
  for (std::size_t i = 0; i < repeated.size(); ++i) {
    const std::size_t c = i % 2, w = i / 2 % 6, h = i / 12 % 4, nd = i / 48;
    worst = std::max(worst, std::fabs(repeated[i] - coarse[((nd * 2 + h / 2) * 2 + w / 3) * 2 + c]));
  }
  BOOST_TEST(worst < 1e-12);
  check([&](const auto& v) { return smooth(v) + copied(v); }, {1, 2, 2, 1, 3});
}

BOOST_FIXTURE_TEST_CASE(normalised_activation_has_mean_0_and_variance_1, layers) {
  const normalised_activation<B> norm(root / "norm", 2, 1);
  const auto y = host(norm(leaf({2, 3, 4, 5, 2}, 1, 3, 8)));
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t c = 0; c < 2; ++c) {
      double mean = 0, square = 0;
      for (std::size_t i = 0; i < 60; ++i) {
        const double v = y[(n * 60 + i) * 2 + c];
        mean += v / 60;
        square += v * v / 60;
      }
      BOOST_TEST(std::fabs(mean) < 1e-9);
      BOOST_TEST(square == 1.0, boost::test_tools::tolerance(1e-4));
    }
}

BOOST_FIXTURE_TEST_CASE(blocks_name_and_chain_their_parts, layers) {
  const conv_block<B> block(root, 2, 3, {3, 3, 1});
  BOOST_TEST(names() == (std::vector<std::string>{"net.0.conv.weight (3, 3, 1, 2, 3) decay", "net.0.norm.gamma (3)",
                                                  "net.0.norm.beta (3)", "net.1.conv.weight (3, 3, 1, 3, 3) decay",
                                                  "net.1.norm.gamma (3)", "net.1.norm.beta (3)"}),
             boost::test_tools::per_element());
  BOOST_TEST((block(leaf({2, 3, 4, 5, 2}, 1)).shape() == shape{2, 3, 4, 5, 3}));
  change(store, "norm", [](const auto&, auto& v) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] += 0.1 * static_cast<double>(i + 1);
  });
  check(block, {1, 3, 4, 3, 2});
}

}  // namespace comodal::tests
