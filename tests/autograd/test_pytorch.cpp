// SPDX-License-Identifier: Apache-2.0
// Values, gradients and a training step agree with PyTorch in double; see reference/make_ops.py.
#define BOOST_TEST_MODULE autograd_pytorch
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/convolution.hpp>
#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>

#include <core/support.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <string>
#include <vector>

namespace comodal::tests {

using backend = kokkos_backend<default_space, double>;
using variables = std::vector<variable<backend>>;
using nlohmann::json;

// The file holds nine digits; gradients of the second step are differences of such numbers.
constexpr double tolerance = 2e-8;

const json& golden() {
  static const json all = json::parse(std::ifstream(COMODAL_TEST_DATA "/ops.json"));
  return all;
}

std::vector<double> numbers(const json& stored) { return stored.at("values").get<std::vector<double>>(); }

shape extents(const json& stored) {
  shape s;
  for (const auto& e : stored.at("shape")) s.push_back(e.get<index>());
  return s;
}

struct bench {
  context<backend> ctx;
  tape<backend> home{ctx};

  variable<backend> leaf(const json& stored) { return home.leaf(ctx.make(extents(stored), numbers(stored))); }
  variable<backend> constant(const json& stored) { return home.constant(extents(stored), numbers(stored)); }
  std::vector<double> host(const context<backend>::tensor_type& t) { return to_host(ctx.space(), t); }

  // `f` receives the inputs of the given names in order.
  template <class F>
  void compare(const std::string& name, const std::vector<std::string>& names, const F& f) {
    BOOST_TEST_CONTEXT(name) {
      const json& stored = golden().at(name);
      variables inputs;
      for (const auto& input : names) inputs.push_back(leaf(stored.at("inputs").at(input)));
      const variable<backend> output = f(inputs);
      BOOST_TEST((output.shape() == extents(stored.at("output"))));
      BOOST_TEST(difference(host(output.value()), numbers(stored.at("output"))) <= tolerance);
      home.backward(sum(multiply(output, constant(stored.at("direction")))));
      BOOST_TEST(stored.at("gradients").size() == names.size());
      for (std::size_t i = 0; i < names.size(); ++i)
        BOOST_TEST(difference(host(inputs[i].grad()), numbers(stored.at("gradients").at(names[i]))) <= tolerance,
                   "gradient of " << names[i]);
    }
  }
};

BOOST_FIXTURE_TEST_CASE(convolution, bench) {
  compare("conv3d", {"x", "w"}, [](const variables& v) { return conv3d(v[0], v[1]); });
  compare("conv3d_stride", {"x", "w"}, [](const variables& v) { return conv3d(v[0], v[1], {2, 1, 2}); });
  compare("conv_transpose3d", {"x", "w"}, [](const variables& v) { return conv_transpose3d(v[0], v[1]); });
}

BOOST_FIXTURE_TEST_CASE(normalisation_and_activation, bench) {
  compare("instance_norm", {"x", "gamma", "beta"},
          [](const variables& v) { return instance_norm(v[0], v[1], v[2], 0.01, 1e-5); });
}

BOOST_FIXTURE_TEST_CASE(resampling, bench) {
  compare("max_pool3d", {"x"}, [](const variables& v) { return max_pool3d(v[0], {2, 3, 1}); });
  compare("average_pool3d", {"x"}, [](const variables& v) { return average_pool3d(v[0], {2, 3, 1}); });
  compare("upsample3d", {"x"}, [](const variables& v) { return upsample3d(v[0], {2, 3, 1}); });
}

BOOST_FIXTURE_TEST_CASE(soft_max, bench) {
  compare("softmax", {"x"}, [](const variables& v) { return softmax(v[0], 1); });
}

BOOST_FIXTURE_TEST_CASE(cross_entropy_and_dice_sums, bench) {
  for (const auto& [name, kind] : {std::pair{"segmentation_classes", label_kind::classes},
                                   std::pair{"segmentation_regions", label_kind::regions}}) {
    const json& inputs = golden().at(name).at("inputs");
    const auto y = constant(inputs.at("y")), w = constant(inputs.at("w"));
    compare(name, {"z"}, [&](const variables& v) { return segmentation_sums(v[0], y, w, kind); });
  }
}

BOOST_FIXTURE_TEST_CASE(two_steps_of_gradient_descent, bench) {
  const json& stored = golden().at("training_step");
  const std::vector<std::string> names{"w", "gamma", "beta", "head"};
  const auto x = constant(stored.at("x")), y = constant(stored.at("y"));
  variables p;
  for (const auto& name : names) p.push_back(leaf(stored.at("before").at(name)));
  const auto loss = [&] {
    const auto hidden = instance_norm(conv3d(x, p[0]), p[1], p[2]);
    const auto s = sum(segmentation_sums(conv3d(hidden, p[3]), y), {0});
    const auto dice = 2.0 * slice(s, 1, 2, 4) / (slice(s, 1, 4, 6) + slice(s, 1, 6, 8));
    return shift(reshape(slice(s, 1, 1, 2) / slice(s, 1, 0, 1), shape{}) - mean(dice), 1);
  };
  const double rate = stored.at("rate").get<double>();
  const auto losses = stored.at("losses").get<std::vector<double>>();
  for (std::size_t step = 0; step < losses.size(); ++step) {
    const auto value = loss();
    BOOST_TEST(std::fabs(item(value) - losses[step]) <= tolerance);
    if (step + 1 == losses.size()) break;
    home.backward(value);
    for (auto& parameter : p) {
      auto values = host(parameter.value());
      const auto gradient = host(parameter.grad());
      for (std::size_t i = 0; i < values.size(); ++i) values[i] -= rate * gradient[i];
      parameter.assign(ctx.make(parameter.shape(), values));
      parameter.zero_grad();
    }
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    BOOST_TEST(difference(host(p[i].value()), numbers(stored.at("after").at(names[i]))) <= tolerance,
               "parameter " << names[i]);
}

}  // namespace comodal::tests
