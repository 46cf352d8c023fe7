// SPDX-License-Identifier: Apache-2.0
/// @file
/// Networks that are made by name and number.
#ifndef COMODAL_MODEL_MAKE_NETWORK_HPP
#define COMODAL_MODEL_MAKE_NETWORK_HPP

#include <comodal/core/compiled.hpp>
#include <comodal/model/early_fusion.hpp>
#include <comodal/model/mixed_precision.hpp>
#include <comodal/model/network_registry.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {

namespace model_detail {

// The sizes that all parts of a network of `options` share.
struct network_shape {
  std::vector<extent3> strides, filters;
  int checkpointed, convolutions;

  explicit network_shape(const network_options& options)
      : strides(network_options::depth_first(options.strides, "strides")),
        filters(network_options::depth_first(options.kernel_size, "kernel_size")),
        checkpointed(static_cast<int>(options.checkpointed)),
        convolutions(static_cast<int>(options.decoder_convolutions)) {}
};

using head_list = std::vector<network_head>;

template <tensor_backend Backend>
[[nodiscard]] network_heads<Backend, any_decoder<Backend>> make_heads(const parameter_scope<Backend>& root,
                                                                      const network_options& options, index classes,
                                                                      const any_decoder<Backend>& fused_decoder,
                                                                      const network_registry<Backend>& names,
                                                                      const head_list& wanted) {
  const network_shape at(options);
  network_heads<Backend, any_decoder<Backend>> heads;
  for (const network_head& head : wanted) {
    const auto scope = root / "heads" / head.name;
    const index channels = head.channels > 0 ? head.channels : classes;
    if (!head.decoder.empty())
      heads.add(head.name, names.decoder_of(head.decoder, head.key)(
                               scope, {options.fused_channels, at.filters, at.strides, channels, at.convolutions, false,
                                       at.checkpointed, options.dropout}));
    else if (fused_decoder.has_map())
      heads.add(head.name, convolution<Backend>(scope, options.fused_channels[0], channels, {1, 1, 1}, true));
    else
      throw config_error(text("model.decoder = '", options.decoder, "': it hands out no map for the further output '",
                              head.name, "'; choose 'unet', or give the decoder a member decode_with_map"));
  }
  return heads;
}

// One encoder and decoder of the fused widths; keys that are about streams have no meaning.
template <tensor_backend Backend>
[[nodiscard]] any_network<Backend> make_early_fusion(std::shared_ptr<parameter_store<Backend>> store,
                                                     const network_options& options, index modalities, index classes,
                                                     const network_registry<Backend>& names, const head_list& wanted) {
  const parameter_scope<Backend> root(*store);
  const network_shape at(options);
  auto encoder = names.encoder_of(options.encoder)(
      root / "encoder", {modalities, options.fused_channels, at.filters, at.strides, options.dropout, options.blocks});
  auto decoder = names.decoder_of(options.decoder)(
      root / "decoder", {options.fused_channels, at.filters, at.strides, classes, at.convolutions,
                         options.deep_supervision, at.checkpointed, options.dropout});
  auto heads = make_heads(root, options, classes, decoder, names, wanted);
  return early_fusion_network<Backend, any_encoder<Backend>, any_decoder<Backend>>(
      std::move(store), modalities, std::move(encoder), std::move(decoder), at.checkpointed, std::move(heads));
}

template <tensor_backend Backend>
[[nodiscard]] std::vector<any_encoder<Backend>> make_streams(const parameter_scope<Backend>& root,
                                                             const network_options& options, index modalities,
                                                             const encoder_sizes& sizes,
                                                             const network_registry<Backend>& names) {
  const auto make = names.encoder_of(options.encoder);
  std::vector<any_encoder<Backend>> encoders;
  for (index m = 0; m < modalities; ++m)
    encoders.push_back(options.shared_encoder && m > 0
                           ? encoders[0]
                           : make(options.shared_encoder ? root / "stream" : root / "stream" / m, sizes));
  return encoders;
}

template <tensor_backend Backend>
[[nodiscard]] std::vector<any_fusion<Backend>> make_fusion_stages(const parameter_scope<Backend>& root,
                                                                  const network_options& options, index modalities,
                                                                  const encoder_sizes& streams,
                                                                  const encoder_sizes& fused,
                                                                  const network_registry<Backend>& names) {
  std::vector<any_fusion<Backend>> fusion;
  for (int s = 0; s < options.stages(); ++s) {
    const bool chosen =
        options.fusion_stages.empty() ||
        std::find(options.fusion_stages.begin(), options.fusion_stages.end(), s + 1) != options.fusion_stages.end();
    const fusion_stage_sizes sizes{{modalities, streams.channel(s), fused.channel(s)},
                                   s == 0 ? 0 : fused.channel(s - 1),
                                   fused.stride_to(s),
                                   fused.filter(s),
                                   chosen && options.enhance};
    fusion.push_back(names.fusion_of(chosen ? options.fusion : "mean")(root / "fusion" / s, sizes));
  }
  return fusion;
}

template <tensor_backend Backend>
[[nodiscard]] any_network<Backend> make_multimodal(std::shared_ptr<parameter_store<Backend>> store,
                                                   const network_options& options, index modalities, index classes,
                                                   const network_registry<Backend>& names, const head_list& wanted) {
  const parameter_scope<Backend> root(*store);
  const network_shape at(options);
  const encoder_sizes streams{1, options.stream_channels, at.filters, at.strides, options.dropout, options.blocks},
      fused{1, options.fused_channels, at.filters, at.strides};
  auto encoders = make_streams(root, options, modalities, streams, names);
  auto fusion = make_fusion_stages(root, options, modalities, streams, fused, names);
  const auto make_decoder = names.decoder_of(options.decoder);
  auto fused_decoder =
      make_decoder(root / "decoder", {options.fused_channels, at.filters, at.strides, classes, at.convolutions,
                                      options.deep_supervision, at.checkpointed, options.dropout});
  std::vector<any_decoder<Backend>> branch_decoders;
  if (options.branches)
    for (index m = 0; m < modalities; ++m)
      branch_decoders.push_back(make_decoder(
          root / "branch" / m,
          {options.stream_channels, at.filters, at.strides, classes, 1, false, at.checkpointed, options.dropout}));
  auto heads = make_heads(root, options, classes, fused_decoder, names, wanted);
  return multimodal_network<Backend, any_encoder<Backend>, any_fusion<Backend>, any_decoder<Backend>>(
      std::move(store), std::move(encoders), std::move(fusion), std::move(fused_decoder), std::move(branch_decoders),
      at.checkpointed, std::move(heads));
}

template <tensor_backend Backend>
[[nodiscard]] any_network<Backend> make_network_in(std::shared_ptr<parameter_store<Backend>> store,
                                                   const network_options& options, index modalities, index classes,
                                                   const network_registry<Backend>& names, const head_list& wanted) {
  return options.fusion == network_registry<Backend>::early_fusion_name
             ? make_early_fusion<Backend>(std::move(store), options, modalities, classes, names, wanted)
             : make_multimodal<Backend>(std::move(store), options, modalities, classes, names, wanted);
}

}  // namespace model_detail

/// Makes the network of `options` for M modalities and `classes` output channels (background included, or regions).
/// @param seed decides the initial weights, which are the same in any precision
/// @param names what the names in `options` stand for
/// @param heads further outputs that a method asks for
/// `precision = "tf32"` allows it in the whole context of `home`, "fp32" forbids it there: the last network decides.
/// @throws config_error naming the key that makes no sense, or the name that this program lacks
template <tensor_backend Backend>
[[nodiscard]] any_network<Backend> make_network(
    tape<Backend>& home, const network_options& options, index modalities, index classes, std::uint64_t seed,
    const network_registry<Backend>& names = network_registry<Backend>::built_in(),
    const std::vector<network_head>& heads = {}) {
  options.check();
  names.check_network_names(options);
  if (modalities < 1) throw config_error(text("make_network: ", modalities, " modalities"));
  if (options.precision != "bf16") home.ctx().allow_tf32(options.precision == "tf32");
  if (options.precision == "bf16") {
    if constexpr (mixed_precision_available_v<Backend>)
      return mixed_precision_network<Backend>(home, seed, [&](auto copies) {
        return model_detail::make_network_in(std::move(copies), options, modalities, classes, names.partner(), heads);
      });
    else
      throw config_error(
          "model.precision: this program was compiled without bf16; make its networks with comodal::mixed_backend");
  }
  return model_detail::make_network_in(std::make_shared<parameter_store<Backend>>(home, seed), options, modalities,
                                       classes, names, heads);
}

#define COMODAL_NETWORK(kind, Backend)                                                                        \
  kind any_network<Backend> make_network(tape<Backend>&, const network_options&, index, index, std::uint64_t, \
                                         const network_registry<Backend>&, const std::vector<network_head>&);
COMODAL_COMPILED_ELSEWHERE(COMODAL_NETWORK)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
