// SPDX-License-Identifier: Apache-2.0
// A fusion block and an encoder of one's own: the forward pass alone, used inside the library's network.
#define BOOST_TEST_MODULE model_extension
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/check_gradient.hpp>

#include <model/support.hpp>

// What a user writes: a tag, the parameters, the forward pass.
struct squared_fusion {};

template <comodal::tensor_backend Backend>
struct comodal::fusion_block<squared_fusion, Backend> {
  fusion_block(const comodal::parameter_scope<Backend>& scope, const comodal::fusion_sizes& sizes)
      : m_out(scope / "out", 2 * sizes.stream_channels, sizes.fused_channels, {1, 1, 1}, true) {}

  comodal::variable<Backend> fuse(const std::vector<comodal::variable<Backend>>& maps,
                                  const comodal::presence<Backend>& present) const {
    std::vector<comodal::variable<Backend>> squares;
    for (const auto& map : maps) squares.push_back(map * map);
    const auto mean = comodal::weighted_sum(maps, present.share()),
               power = comodal::weighted_sum(squares, present.share());
    return m_out(comodal::concat<Backend>({mean, power - mean * mean}));
  }

 private:
  comodal::convolution<Backend> m_out;
};

namespace comodal::tests {

using B = bench::backend;

// One 1x1x1 convolution a stage.
struct plain_encoder {
  plain_encoder(const parameter_scope<B>& scope, const encoder_sizes& sizes) : sizes(sizes) {
    for (int s = 0; s < sizes.stages(); ++s)
      convolutions.emplace_back(scope / s, sizes.in(s), sizes.channel(s), extent3{1, 1, 1}, true, sizes.stride_to(s));
  }
  int stages() const { return sizes.stages(); }
  index channels(int s) const { return sizes.channel(s); }
  variable<B> encode_stage(int s, const variable<B>& x, const forward_request&) const {
    return leaky_relu(convolutions[static_cast<std::size_t>(s)](x));
  }

  encoder_sizes sizes;
  std::vector<convolution<B>> convolutions;
};

struct extension_bench : network_bench {
  // A static composition: no type-erased part.
  auto compose(index modalities) {
    auto store = std::make_shared<parameter_store<B>>(home, 3);
    const parameter_scope<B> root(*store);
    const std::vector<extent3> strides{{1, 2, 2}};
    std::vector<plain_encoder> encoders;
    std::vector<unet_decoder<B>> branches;
    for (index m = 0; m < modalities; ++m) {
      encoders.emplace_back(root / "stream" / m, encoder_sizes{1, {2, 3}, {}, strides});
      branches.emplace_back(root / "branch" / m, decoder_sizes{{2, 3}, {}, strides, classes, 1, false});
    }
    std::vector<multi_stage_fusion<squared_fusion, B>> fusion;
    fusion.emplace_back(root / "fusion" / 0, fusion_stage_sizes{{modalities, 2, 3}, 0, {1, 1, 1}, {3, 3, 3}, true});
    fusion.emplace_back(root / "fusion" / 1, fusion_stage_sizes{{modalities, 3, 4}, 3, {1, 2, 2}, {3, 3, 3}, true});
    unet_decoder<B> fused(root / "decoder", {{3, 4}, {}, strides, classes, 2, false});
    return multimodal_network<B, plain_encoder, multi_stage_fusion<squared_fusion, B>, unet_decoder<B>>(
        store, encoders, fusion, fused, branches);
  }
};

static_assert(fusion_block_type<fusion_block<squared_fusion, B>, B>);
static_assert(modality_encoder<plain_encoder, B>);
static_assert(fusion_stage<multi_stage_fusion<squared_fusion, B>, B>);
static_assert(fusion_stage<any_fusion<B>, B>);
static_assert(modality_encoder<any_encoder<B>, B>);
static_assert(decoder<any_decoder<B>, B>);
static_assert(segmentation_network<network, B>);

BOOST_FIXTURE_TEST_CASE(ones_own_blocks_work_in_the_librarys_network, extension_bench) {
  const auto net = compose(3);
  static_assert(segmentation_network<std::remove_const_t<decltype(net)>, B>);
  change(net.parameters(), "gamma", [](const std::string& name, auto& v) {
    if (name.find("enhance") != std::string::npos) std::fill(v.begin(), v.end(), 0.6);
  });
  const auto p = present({{1, 0, 1}, {1, 1, 1}});
  auto in = volumes(2, 3);
  const auto out = net.forward(in, p);
  BOOST_TEST((out.fused.shape() == shape{2, 2, 4, 4, classes}));

  auto spoilt = host(in[1]);
  std::fill_n(spoilt.begin(), 32, std::numeric_limits<double>::quiet_NaN());
  const auto clean = host(out.fused);
  in[1] = constant(in[1].shape(), spoilt);
  BOOST_TEST((host(net.forward(in, p).fused) == clean));

  variables parameters;
  for (const auto& one : net.parameters().all()) parameters.push_back(one.value);
  const auto report = check_gradient<B>([&](const auto&) { return loss(net.forward(in, p), p); }, parameters, 1e-6, 3);
  BOOST_TEST(report.passed(2e-5), report.worst << " at " << report.place);
}

BOOST_FIXTURE_TEST_CASE(parts_that_do_not_fit_are_refused, extension_bench) {
  using type = decltype(compose(2));
  const auto make_with = [&](std::size_t encoders, std::size_t stages, std::size_t branches) {
    auto store = std::make_shared<parameter_store<B>>(home, 3);
    const parameter_scope<B> root(*store);
    const plain_encoder encoder(root / "stream", encoder_sizes{1, {2, 3}, {}, {}});
    const multi_stage_fusion<squared_fusion, B> stage(root / "fusion", {{2, 2, 3}, 0, {1, 1, 1}, {3, 3, 3}, false});
    const unet_decoder<B> decode(root / "decoder", {{3, 4}, {}, {}, classes, 1, false});
    (void)type(store, std::vector<plain_encoder>(encoders, encoder),
               std::vector<multi_stage_fusion<squared_fusion, B>>(stages, stage), decode,
               std::vector<unet_decoder<B>>(branches, decode));
  };
  make_with(2, 2, 2);
  make_with(2, 2, 0);
  BOOST_CHECK_EXCEPTION(make_with(0, 2, 0), config_error, says("no encoder"));
  BOOST_CHECK_EXCEPTION(make_with(2, 3, 2), config_error, says("an encoder of 2 stages with 3 fusion stages"));
  BOOST_CHECK_EXCEPTION(make_with(2, 2, 1), config_error, says("1 branch decoders for 2 modalities"));
}

}  // namespace comodal::tests
