// SPDX-License-Identifier: Apache-2.0
// What a request carries through encoder, fusion and decoder: dropout, its mode and its key; and gradients of images.
#define BOOST_TEST_MODULE model_request
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/gradients_of.hpp>

#include <model/support.hpp>

namespace comodal::tests {

using B = bench::backend;

struct request_bench : network_bench {
  static constexpr network_outputs all = network_outputs::all;

  [[nodiscard]] std::vector<double> fused(const network& net, const forward_request& request, index modalities = 2) {
    return host(net.forward(volumes(2, modalities), two_samples(modalities), request).fused);
  }
  [[nodiscard]] presence<B> two_samples(index modalities) {
    return present(std::vector<std::vector<float>>(2, std::vector<float>(static_cast<std::size_t>(modalities), 1.f)));
  }
  static network_options with_dropout(double rate, const std::string& encoder = "unet",
                                      const std::string& fusion = "gated") {
    auto o = tiny_options(fusion);
    o.encoder = encoder;
    o.dropout = rate;
    return o;
  }
};

BOOST_FIXTURE_TEST_CASE(without_dropout_every_mode_gives_the_same_bytes, request_bench) {
  const auto net = make(tiny_options(), 2);
  const auto plain = fused(net, all);
  BOOST_TEST((fused(net, {all, forward_mode::train, {1, 2, 3}}) == plain));
  BOOST_TEST((fused(net, {all, forward_mode::stochastic, {1, 2, 3}}) == plain));
}

BOOST_FIXTURE_TEST_CASE(a_pass_that_evaluates_is_one_without_dropout, request_bench) {
  for (const std::string encoder : {"unet", "residual", "vnet"})
    for (const std::string fusion : {"gated", "early"}) {
      const auto plain = make(with_dropout(0, encoder, fusion), 2),
                 dropping = make(with_dropout(0.5, encoder, fusion), 2);
      BOOST_TEST((all_values(plain.parameters()) == all_values(dropping.parameters())));
      BOOST_TEST((fused(plain, all) == fused(dropping, all)), encoder << ", " << fusion);
      BOOST_TEST((fused(plain, all) != fused(dropping, {all, forward_mode::train})), encoder << ", " << fusion);
    }
}

BOOST_FIXTURE_TEST_CASE(the_key_alone_decides_the_masks, request_bench) {
  const auto net = make(with_dropout(0.5), 2), again = make(with_dropout(0.5), 2);
  const auto with = [&](const network& of, forward_mode mode, const random_key& key) {
    return fused(of, {all, mode, key});
  };
  const auto first = with(net, forward_mode::stochastic, {1, 0, 0});
  BOOST_TEST((with(again, forward_mode::stochastic, {1, 0, 0}) == first));
  BOOST_TEST((with(net, forward_mode::train, {1, 0, 0}) == first));
  BOOST_TEST((with(net, forward_mode::stochastic, {2, 0, 0}) != first));
  BOOST_TEST((with(net, forward_mode::stochastic, {1, 1, 0}) != first));
  BOOST_TEST((with(net, forward_mode::stochastic, {1, 0, 1}) != first));
}

BOOST_FIXTURE_TEST_CASE(dropout_acts_in_encoders_and_in_decoders, request_bench) {
  parameter_store<B> store(home, 1);
  const parameter_scope<B> scope(store);
  const unet_encoder<B> encoder(scope / "e", {1, {2, 3}, {}, {}, 0.5});
  const unet_decoder<B> decode(scope / "d", {{2, 3}, {}, {}, classes, 2, false, 0, 0.5});
  const forward_request random{all, forward_mode::train};
  const auto x = constant({1, 4, 4, 4, 1}, 3);
  const auto map = encoder.encode_stage(0, x), dropped = encoder.encode_stage(0, x, random);
  int zeros = 0;
  for (std::size_t i = 0; i < host(map).size(); ++i) {
    const double was = host(map)[i], is = host(dropped)[i];
    BOOST_TEST((is == 0 || std::fabs(is - 2 * was) < 1e-12));
    zeros += is == 0;
  }
  BOOST_TEST(zeros > 32);
  BOOST_TEST(zeros < 96);
  const std::vector<variable<B>> maps{map, encoder.encode_stage(1, map)};
  BOOST_TEST((host(decode.decode(maps, random)[0]) != host(decode.decode(maps)[0])));
}

BOOST_FIXTURE_TEST_CASE(stages_that_are_computed_again_draw_the_same_masks, request_bench) {
  std::vector<double> expected;
  for (const index stages : {0, 1, 2}) {
    auto o = with_dropout(0.3);
    o.checkpointed = stages;
    const auto net = make(o, 2);
    const auto p = two_samples(2);
    home.backward(loss(net.forward(volumes(2, 2), p, {all, forward_mode::train, {5, 6, 7}}), p));
    const auto g = all_gradients(net.parameters());
    if (stages == 0) expected = g;
    BOOST_TEST(difference(g, expected) < 1e-12);
    BOOST_TEST(largest(g) > 1e-3);
  }
}

// A block that takes the request.
struct shaken_fusion {};

}  // namespace comodal::tests

template <comodal::tensor_backend Backend>
struct comodal::fusion_block<comodal::tests::shaken_fusion, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes)
      : m_out(scope / "out", sizes.stream_channels, sizes.fused_channels, {1, 1, 1}), m_drop(scope / "drop", 0.5) {}
  variable<Backend> fuse(const std::vector<variable<Backend>>& maps, const presence<Backend>& present,
                         const forward_request& request) const {
    return m_out(m_drop(weighted_sum(maps, present.share()), request));
  }

 private:
  convolution<Backend> m_out;
  feature_dropout<Backend> m_drop;
};

namespace comodal::tests {

static_assert(fusion_block_type<fusion_block<shaken_fusion, B>, B>);
static_assert(fusion_stage<multi_stage_fusion<shaken_fusion, B>, B>);

BOOST_FIXTURE_TEST_CASE(a_fusion_block_may_take_the_request, request_bench) {
  parameter_store<B> store(home, 1);
  const multi_stage_fusion<shaken_fusion, B> stage({store, "fusion"}, {{2, 3, 4}});
  const std::vector<variable<B>> maps{constant({2, 2, 4, 4, 3}, 5), constant({2, 2, 4, 4, 3}, 6)};
  const auto p = two_samples(2);
  const auto plain = host(stage.fuse(maps, p, {})), random = host(stage.fuse(maps, p, {}, {all, forward_mode::train}));
  BOOST_TEST((plain != random));
}

BOOST_FIXTURE_TEST_CASE(images_have_gradients_where_their_modality_is_present, request_bench) {
  const auto net = make(tiny_options(), 2);
  const auto p = present({{1, 1}, {1, 0}});
  auto in = volumes(2, 2);
  for (auto& volume : in) volume = home.leaf(volume.value());
  const auto found = gradients_of(loss(net.forward(in, p, all), p), in);
  BOOST_TEST(largest(sample(found[0], 0)) > 1e-6);
  BOOST_TEST(largest(sample(found[0], 1)) > 1e-6);
  BOOST_TEST(largest(sample(found[1], 0)) > 1e-6);
  BOOST_TEST(largest(sample(found[1], 1)) == 0);
  for (const auto& one : net.parameters().all()) BOOST_TEST(!one.value.grad(), one.name);
}

BOOST_FIXTURE_TEST_CASE(a_rate_that_makes_no_sense_is_refused, request_bench) {
  for (const double rate : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()})
    BOOST_CHECK_EXCEPTION((void)make(with_dropout(rate), 2), config_error,
                          says(text("model.dropout = ", rate, ", expected 0 or more and below 1")));
}

}  // namespace comodal::tests
