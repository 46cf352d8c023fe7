// SPDX-License-Identifier: Apache-2.0
// Gradients of whole networks against finite differences, for every fusion, every encoder, and fusion at some stages.
#define BOOST_TEST_MODULE model_network_gradient
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/check_gradient.hpp>

#include <model/support.hpp>

namespace comodal::tests {

using B = bench::backend;

struct gradient_bench : network_bench {
  void check(const network_options& o, const std::vector<std::vector<float>>& rows) {
    const auto net = make(o, static_cast<index>(rows[0].size()));
    open_gates(net);
    const auto p = present(rows);
    const auto in = volumes(static_cast<index>(rows.size()), net.modalities());
    network_bench::variables parameters;
    for (const auto& one : net.parameters().all()) parameters.push_back(one.value);
    const auto report =
        check_gradient<B>([&](const auto&) { return loss(net.forward(in, p), p); }, parameters, 1e-6, 2);
    BOOST_TEST(report.passed(2e-5), report.worst << " at " << report.place);
    BOOST_TEST(report.compared >= static_cast<index>(parameters.size()));
  }
};

BOOST_FIXTURE_TEST_CASE(fusion_blocks, gradient_bench) {
  for (const std::string& fusion : std::vector<std::string>{"mean", "concat", "gated", "channel", "cross_modal"}) {
    BOOST_TEST_CONTEXT(fusion) { check(tiny_options(fusion), {{1, 0, 1}, {1, 1, 1}}); }
  }
}

BOOST_FIXTURE_TEST_CASE(encoders, gradient_bench) {
  for (const std::string& encoder : std::vector<std::string>{"unet", "residual", "vnet", "resenc"}) {
    BOOST_TEST_CONTEXT(encoder) {
      auto o = tiny_options();
      o.encoder = encoder;
      o.fusion_stages = {2};
      if (encoder == "resenc" || encoder == "residual") o.blocks = {1, 2};
      check(o, {{1, 1}, {0, 1}});
    }
  }
}

BOOST_FIXTURE_TEST_CASE(early_fusion_of_a_residual_encoder, gradient_bench) {
  auto o = tiny_options("early");
  o.encoder = "resenc";
  o.blocks = {1, 2};
  o.decoder_convolutions = 1;
  check(o, {{1, 1}, {0, 1}});
}

BOOST_FIXTURE_TEST_CASE(shared_weights, gradient_bench) {
  auto o = tiny_options();
  o.shared_encoder = true;
  check(o, {{1, 1}, {0, 1}});
}

}  // namespace comodal::tests
