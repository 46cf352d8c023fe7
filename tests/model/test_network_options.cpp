// SPDX-License-Identifier: Apache-2.0
// Networks by name and number: encoders, deep supervision, axes of strides and filters, and what is refused.
#define BOOST_TEST_MODULE model_network_options
#include <boost/test/unit_test.hpp>

#include <comodal/model/network_presets.hpp>

#include <model/support.hpp>

#include <set>

namespace comodal::tests {

using B = bench::backend;

BOOST_FIXTURE_TEST_CASE(strides_and_filters_are_along_i_j_k, network_bench) {
  auto o = tiny_options();
  o.stream_channels = {2, 2, 3};
  o.fused_channels = {3, 4, 5};
  o.strides = {{2, 4, 1}, {1, 2, 3}};
  o.kernel_size = {{3, 3, 1}, {1, 3, 3}, {3, 1, 3}};
  BOOST_TEST((o.total_stride() == extent3{3, 8, 2}));
  for (const std::string encoder : {"unet", "residual", "vnet", "resenc"}) {
    o.encoder = encoder;
    const auto net = make(o, 2);
    const auto out = net.forward(volumes(1, 2, {6, 16, 4}), present({{1, 1}}));
    BOOST_TEST((out.fused.shape() == shape{1, 6, 16, 4, classes}));
    BOOST_TEST((out.features[0].shape() == shape{1, 6, 16, 4, 3}));
    BOOST_TEST((out.features[1].shape() == shape{1, 6, 4, 2, 4}));
    BOOST_TEST((out.features[2].shape() == shape{1, 2, 2, 2, 5}));
    for (const auto& branch : out.branches) BOOST_TEST((branch.shape() == shape{1, 6, 16, 4, classes}));
    const std::string first = encoder == "unet"       ? ".0.conv.weight"
                              : encoder == "residual" ? ".first.conv.weight"
                              : encoder == "vnet"     ? ".down.conv.weight"
                                                      : ".0.first.conv.weight";
    // Filters are stored (KD, KH, KW, in, out), so (i, j, k) is the other way round.
    const std::string from_input = encoder == "resenc" ? "stream.0.stem.conv.weight" : "stream.0.0" + first;
    BOOST_TEST((find(net.parameters(), from_input).shape() == shape{1, 3, 3, 1, 2}));
    BOOST_TEST((find(net.parameters(), "stream.1.1" + first).shape() == shape{3, 3, 1, 2, 2}));
    BOOST_TEST((find(net.parameters(), "stream.1.2" + first).shape() == shape{3, 1, 3, 2, 3}));
    BOOST_TEST((find(net.parameters(), "decoder.0.up.weight").shape() == shape{1, 4, 2, 4, 3}));
    BOOST_TEST((find(net.parameters(), "decoder.1.up.weight").shape() == shape{3, 2, 1, 5, 4}));
  }
}

BOOST_FIXTURE_TEST_CASE(deep_supervision_gives_logits_at_all_stages_but_the_coarsest, network_bench) {
  auto o = tiny_options();
  o.stream_channels = {2, 2, 3, 3};
  o.fused_channels = {2, 3, 4, 4};
  o.strides = {{2, 2, 1}, {2, 2, 2}, {2, 2, 1}};
  const auto in = volumes(1, 2, {4, 8, 8});
  const auto p = present({{1, 1}});
  BOOST_TEST(make(o, 2).forward(in, p).deep.empty());
  o.deep_supervision = true;
  const auto out = make(o, 2).forward(in, p);
  BOOST_TEST((out.fused.shape() == shape{1, 4, 8, 8, classes}));
  BOOST_REQUIRE(out.deep.size() == 2u);
  BOOST_TEST((out.deep[0].shape() == shape{1, 4, 4, 4, classes}));
  BOOST_TEST((out.deep[1].shape() == shape{1, 2, 2, 2, classes}));
}

BOOST_FIXTURE_TEST_CASE(early_fusion_is_one_stream_of_the_fused_widths, network_bench) {
  auto o = tiny_options("early");
  const auto net = make(o, 2);
  auto in = volumes(2, 2, {2, 4, 6});
  const auto p = present({{1, 1}, {0, 1}});
  const auto out = net.forward(in, p);
  BOOST_TEST((out.fused.shape() == shape{2, 2, 4, 6, classes}));
  BOOST_TEST(out.branches.empty());
  BOOST_REQUIRE(out.features.size() == 2u);
  BOOST_TEST((out.features[1].shape() == shape{2, 2, 2, 3, 4}));
  BOOST_TEST((find(net.parameters(), "encoder.0.0.conv.weight").shape() == shape{3, 3, 3, 2, 3}));
  for (const auto& one : net.parameters().all())
    BOOST_TEST((one.name.rfind("encoder.", 0) == 0 || one.name.rfind("decoder.", 0) == 0), one.name);
  BOOST_TEST(net.modalities() == 2);

  // What stands in an absent modality changes nothing; what stands in a present one does.
  auto values = to_host(ctx.space(), in[0].value());
  const auto before = to_host(ctx.space(), out.fused.value());
  for (std::size_t i = values.size() / 2; i < values.size(); ++i) values[i] = std::nan("");
  in[0] = home.constant(in[0].shape(), values);
  BOOST_TEST(to_host(ctx.space(), net.forward(in, p).fused.value()) == before, boost::test_tools::per_element());
  values[0] += 1;
  in[0] = home.constant(in[0].shape(), values);
  BOOST_TEST((to_host(ctx.space(), net.forward(in, p).fused.value()) != before));

  home.backward(sum(multiply(out.fused, out.fused)));
  for (const auto& one : net.parameters().all())
    BOOST_TEST(static_cast<bool>(one.value.grad()), one.name << " has no gradient");
  BOOST_CHECK_EXCEPTION((void)net.forward({in[0]}, p), shape_error, says("early_fusion_network: 1 volumes"));
}

BOOST_FIXTURE_TEST_CASE(stages_that_are_computed_again_change_nothing_but_rounding, network_bench) {
  for (const std::string fusion : {"gated", "channel", "early"}) {
    std::vector<std::vector<double>> expected;
    std::size_t kept = 0;
    for (const index stages : {0, 1, 2}) {
      auto o = tiny_options(fusion);
      o.checkpointed = stages;
      const auto net = make(o, 2);
      open_gates(net);
      const auto out = net.forward(volumes(2, 2, {2, 4, 6}), present({{1, 1}, {0, 1}}));
      auto loss = sum(multiply(out.fused, out.fused));
      for (const auto& branch : out.branches) loss = add(loss, sum(multiply(branch, branch)));
      const std::size_t now = ctx.pool().statistics().in_use;
      home.backward(loss);
      std::vector<std::vector<double>> numbers{to_host(ctx.space(), loss.value())};
      for (const auto& one : net.parameters().all()) numbers.push_back(to_host(ctx.space(), one.value.grad()));
      if (stages == 0) {
        expected = numbers;
        kept = now;
      } else {
        for (std::size_t i = 0; i < expected.size(); ++i)
          BOOST_TEST(difference(numbers[i], expected[i]) < 1e-12,
                     fusion << ", " << stages << " stages, " << i << ": " << difference(numbers[i], expected[i]));
        BOOST_TEST(now < kept, fusion << ", " << stages << " stages keep " << now << " bytes, none " << kept);
      }
    }
  }
  auto o = tiny_options();
  o.checkpointed = 3;
  BOOST_CHECK_EXCEPTION((void)make(o, 2), config_error, says("model.checkpointed: 3 stages, expected 0 to 2"));
}

BOOST_FIXTURE_TEST_CASE(encoders_have_their_stages, bench) {
  parameter_store<B> store(home, 1);
  const encoder_sizes sizes{1, {2, 3, 4}, {}, {}};
  const std::vector<any_encoder<B>> encoders{any_encoder<B>(unet_encoder<B>(parameter_scope<B>(store, "u"), sizes)),
                                             any_encoder<B>(residual_encoder<B>(parameter_scope<B>(store, "r"), sizes)),
                                             any_encoder<B>(vnet_encoder<B>(parameter_scope<B>(store, "v"), sizes)),
                                             any_encoder<B>(resenc_encoder<B>(parameter_scope<B>(store, "e"), sizes))};
  for (const auto& encoder : encoders) {
    BOOST_TEST(encoder.stages() == 3);
    variable<B> x = constant({2, 8, 8, 8, 1}, 3);
    for (int s = 0; s < 3; ++s) {
      BOOST_TEST(encoder.channels(s) == s + 2);
      x = encoder.encode_stage(s, x);
      BOOST_TEST((x.shape() == shape{2, 8 >> s, 8 >> s, 8 >> s, s + 2}));
    }
  }
  // V-Net's stages have 1, 2 and 3 convolutions besides the one that comes down.
  std::set<std::string> parts;
  for (const auto& one : store.all())
    if (one.name.starts_with("v.") && one.name.ends_with("conv.weight")) parts.insert(one.name);
  BOOST_TEST(parts.size() == 3u + 1 + 2 + 3);
}

namespace {

/// Convolutions of 3x3x3 per stage of an encoder, its stem among those of stage 0.
template <class Encoder>
std::vector<int> convolutions_of(bench& b, const encoder_sizes& sizes) {
  parameter_store<B> store(b.home, 1);
  const Encoder encoder(parameter_scope<B>(store, "e"), sizes);
  std::vector<int> counts(static_cast<std::size_t>(encoder.stages()), 0);
  for (const auto& one : store.all()) {
    if (!one.name.ends_with("weight") || one.value.shape()[0] != 3) continue;
    const std::string stage = one.name.substr(2, one.name.find('.', 2) - 2);  // "e.1.0.first.conv.weight"
    ++counts.at(stage == "stem" ? 0 : std::stoul(stage));
  }
  return counts;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(blocks_say_how_deep_a_stage_is, bench) {
  encoder_sizes sizes{1, {2, 3, 4, 4, 5}, {}, {}};
  using counts = std::vector<int>;
  // A stem and 1, 3, 4, 6, 6 blocks of two, as in nnU-Net.
  BOOST_TEST((convolutions_of<resenc_encoder<B>>(*this, sizes) == counts{3, 6, 8, 12, 12}));
  BOOST_TEST((convolutions_of<residual_encoder<B>>(*this, sizes) == counts{2, 2, 2, 2, 2}));
  BOOST_TEST((convolutions_of<unet_encoder<B>>(*this, sizes) == counts{2, 2, 2, 2, 2}));
  BOOST_TEST((convolutions_of<vnet_encoder<B>>(*this, sizes) == counts{2, 3, 4, 4, 4}));
  sizes.blocks = {1, 2, 1, 3, 2};
  BOOST_TEST((convolutions_of<resenc_encoder<B>>(*this, sizes) == counts{3, 4, 2, 6, 4}));
  BOOST_TEST((convolutions_of<residual_encoder<B>>(*this, sizes) == counts{2, 4, 2, 6, 4}));
  BOOST_TEST((convolutions_of<unet_encoder<B>>(*this, sizes) == counts{1, 2, 1, 3, 2}));
  BOOST_TEST((convolutions_of<vnet_encoder<B>>(*this, sizes) == counts{2, 3, 2, 4, 3}));
}

BOOST_FIXTURE_TEST_CASE(a_residual_block_adds_its_input, bench) {
  parameter_store<B> store(home, 1);
  const parameter_scope<B> root(store);
  const residual_block<B> same(root / "same", 2, 2, {3, 3, 3}), strided(root / "strided", 2, 2, {3, 3, 3}, {2, 2, 1}),
      wider(root / "wider", 2, 3, {1, 3, 3}, {1, 2, 2});
  const auto change = [&](const auto& one, double to) {
    const shape& extents = one.value.shape();
    one.value.assign(ctx.make(extents, std::vector<double>(static_cast<std::size_t>(extents.size()), to)));
  };
  // With a scale of 0 the second norm gives its shift alone, here 0.25: what is left is lrelu(skip(x) + 0.25).
  for (const auto& one : store.all()) {
    if (one.name.ends_with("second_norm.gamma")) change(one, 0);
    if (one.name.ends_with("second_norm.beta")) change(one, 0.25);
  }
  const variable<B> x = constant({1, 4, 4, 4, 2}, 5), shift = home.constant({1}, std::vector<double>{0.25});
  const auto expected = [&](const variable<B>& skip) { return host(leaky_relu(add(skip, shift), 0.01)); };
  BOOST_TEST(difference(host(same(x)), expected(x)) < 1e-12);
  BOOST_TEST(difference(host(strided(x)), expected(average_pool3d(x, {2, 2, 1}))) < 1e-12);
  BOOST_TEST((wider(x).shape() == shape{1, 4, 2, 2, 3}));
  std::set<std::string> skips;
  for (const auto& one : store.all())
    if (one.name.find(".skip") != std::string::npos) skips.insert(one.name);
  BOOST_TEST((skips == std::set<std::string>{"wider.skip.weight", "wider.skip_norm.gamma", "wider.skip_norm.beta"}));
}

BOOST_FIXTURE_TEST_CASE(decoders_have_as_many_convolutions_as_asked_for, network_bench) {
  const auto in_decoder = [](const network& net, const std::string& prefix) {
    return std::count_if(net.parameters().all().begin(), net.parameters().all().end(), [&](const auto& one) {
      return one.name.starts_with(prefix) && one.name.ends_with("conv.weight");
    });
  };
  for (const std::string fusion : {"gated", "early"})
    for (const index convolutions : {1, 2, 3}) {
      auto o = tiny_options(fusion);
      o.decoder_convolutions = convolutions;
      const auto net = make(o, 2);
      BOOST_TEST(in_decoder(net, "decoder.") == convolutions);
      BOOST_TEST(in_decoder(net, "branch.0.") == (fusion == "early" ? 0 : 1));
    }
}

BOOST_FIXTURE_TEST_CASE(presets_are_networks, network_bench) {
  BOOST_TEST(network_preset("unet").encoder == "unet");
  BOOST_TEST((network_preset("unet").stream_channels == network_options{}.stream_channels));
  for (const std::string name : {"resenc_s", "resenc_m", "resenc_l"}) {
    const auto o = network_preset(name);
    BOOST_CHECK_NO_THROW(o.check());
    BOOST_TEST(o.encoder == "resenc");
    BOOST_TEST(o.deep_supervision);
    BOOST_TEST(o.decoder_convolutions == 1);
    BOOST_TEST(o.blocks.empty());
    for (std::size_t s = 0; s < o.fused_channels.size(); ++s)
      BOOST_TEST(2 * o.stream_channels[s] == o.fused_channels[s]);
  }
  BOOST_TEST((network_preset("resenc_l").fused_channels == std::vector<index>{32, 64, 128, 256, 320}));
  BOOST_CHECK_EXCEPTION((void)network_preset("resenc_xl"), config_error,
                        says("model.preset = 'resenc_xl': this program has no preset of networks of that name; did you "
                             "mean 'resenc_"));
  // Narrower, so that it is quick: logits of three stages, the coarsest has none.
  auto narrow = network_preset("resenc_s");
  narrow.stream_channels = {1, 2, 2, 3};
  narrow.fused_channels = {2, 3, 3, 4};
  const auto out = make(narrow, 2).forward(volumes(1, 2, {16, 16, 16}), present({{1, 0}}));
  BOOST_TEST((out.fused.shape() == shape{1, 16, 16, 16, classes}));
  BOOST_REQUIRE(out.deep.size() == 2u);
  BOOST_TEST((out.deep[1].shape() == shape{1, 4, 4, 4, classes}));
}

BOOST_FIXTURE_TEST_CASE(a_shared_encoder_has_one_set_of_weights, network_bench) {
  auto o = tiny_options();
  o.shared_encoder = true;
  const auto in_streams = [](const network& net) {
    return std::count_if(net.parameters().all().begin(), net.parameters().all().end(),
                         [](const auto& one) { return one.name.starts_with("stream."); });
  };
  // Two stages of two convolutions with their norms.
  BOOST_TEST(in_streams(make(o, 3)) == 12);
  BOOST_TEST(in_streams(make(tiny_options(), 3)) == 3 * 12);
  // The same image in two modalities gives the same map, so their mean is the one alone.
  auto in = volumes(1, 3);
  in[1] = in[0];
  o.fusion = "mean";
  o.enhance = false;
  const auto mean = make(o, 3);
  change(mean.parameters(), "align", [](const auto&, auto& v) { std::fill(v.begin(), v.end(), 0.3); });
  BOOST_TEST(difference(host(mean.forward(in, present({{1, 1, 0}})).fused),
                        host(mean.forward(in, present({{1, 0, 0}})).fused)) < 1e-9);
}

BOOST_FIXTURE_TEST_CASE(networks_of_one_seed_are_the_same, network_bench) {
  BOOST_TEST(
      (all_values(make(tiny_options(), 2, 4).parameters()) == all_values(make(tiny_options(), 2, 4).parameters())));
  BOOST_TEST(
      (all_values(make(tiny_options(), 2, 4).parameters()) != all_values(make(tiny_options(), 2, 5).parameters())));
}

BOOST_FIXTURE_TEST_CASE(one_modality_is_a_network_too, network_bench) {
  const auto net = make(tiny_options(), 1);
  const auto out = net.forward(volumes(2, 1), present({{1}, {1}}));
  BOOST_TEST((out.fused.shape() == shape{2, 2, 4, 4, classes}));
}

BOOST_FIXTURE_TEST_CASE(options_that_make_no_sense_are_refused, network_bench) {
  const auto refused = [&](const std::string& part, const auto& edit) {
    BOOST_TEST_CONTEXT(part) {
      auto o = tiny_options();
      edit(o);
      BOOST_CHECK_EXCEPTION((void)make(o, 2), config_error, says(part));
    }
  };
  refused("model.encoder = 'unett': this program has no encoder of that name; did you mean 'unet'?",
          [](auto& o) { o.encoder = "unett"; });
  refused("model.fusion = 'gate': this program has no fusion block of that name", [](auto& o) { o.fusion = "gate"; });
  refused("model.stream_channels: 1 stages", [](auto& o) { o.stream_channels = {2}; });
  refused("model.fused_channels: 3 stages", [](auto& o) { o.fused_channels = {2, 3, 4}; });
  refused("model.strides: 2 entries, expected 1", [](auto& o) { o.strides = {{2, 2, 2}, {2, 2, 2}}; });
  refused("model.strides: an entry has 2 numbers", [](auto& o) { o.strides = {{2, 2}}; });
  refused("model.kernel_size: 1 entries, expected 2", [](auto& o) { o.kernel_size = {{3, 3, 3}}; });
  refused("model.fusion_stages: stage 0", [](auto& o) { o.fusion_stages = {0}; });
  refused("model.fusion_stages: stage 3", [](auto& o) { o.fusion_stages = {1, 3}; });
  refused("0 channels", [](auto& o) { o.fused_channels = {3, 0}; });
  refused("model.strides", [](auto& o) { o.strides = {{2, 0, 2}}; });
  refused("model.kernel_size: 2, expected an odd number from 1 to 15",
          [](auto& o) { o.kernel_size = {{3, 2, 3}, {3, 3, 3}}; });
  refused("model.kernel_size: 17, expected an odd number from 1 to 15",
          [](auto& o) { o.kernel_size = {{3, 3, 3}, {3, 17, 3}}; });
  refused("model.kernel_size", [](auto& o) { o.kernel_size = {{3, 3, 3}, {3, 3, -1}}; });
  refused("model.blocks: 1 entries, expected 2", [](auto& o) { o.blocks = {3}; });
  refused("model.blocks: 0, expected 1 to 64", [](auto& o) { o.blocks = {1, 0}; });
  refused("model.decoder_convolutions = 0, expected 1 to 64", [](auto& o) { o.decoder_convolutions = 0; });
  BOOST_CHECK_EXCEPTION((void)make(tiny_options(), 0), config_error, says("0 modalities"));
}

}  // namespace comodal::tests
