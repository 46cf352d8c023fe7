// SPDX-License-Identifier: Apache-2.0
/// @file
/// The choices that make a network, with their defaults, and the network that they make.
#ifndef COMODAL_MODEL_NETWORK_OPTIONS_HPP
#define COMODAL_MODEL_NETWORK_OPTIONS_HPP

#include <comodal/core/compiled.hpp>
#include <comodal/model/any_network.hpp>
#include <comodal/model/early_fusion.hpp>
#include <comodal/model/mixed_precision.hpp>

#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// A network by name and number (method.md section 1). Strides and filters are along NIfTI's axes (i, j, k), as users
/// write them.
struct network_options {
  std::string encoder = "unet";      // unet, residual, vnet
  bool shared_encoder = false;       // one set of weights for all modalities
  std::string fusion = "gated";      // mean, concat, gated, channel, cross_modal, window_cross_modal; or early
  std::vector<index> fusion_stages;  // from 1 (finest); empty: all. Elsewhere: the mean, and nothing handed back
  bool enhance = true;               // hand enhanced maps back to the streams
  bool branches = true;              // a light decoder a modality
  bool deep_supervision = false;
  index checkpointed =
      0;  // finest stages that the backward pass computes again: less memory, more time; last bits differ
  std::vector<index> stream_channels{8, 16, 32, 64};
  std::vector<index> fused_channels{16, 32, 64, 128};
  std::vector<std::vector<index>> strides;      // (i, j, k) between stages; empty: 2, 2, 2
  std::vector<std::vector<index>> kernel_size;  // (i, j, k) a stage; empty: 3, 3, 3
  double dropout = 0;                           // rate on the map of every stage of encoders and decoders
  std::string precision = "fp32";  // or bf16: maps in bfloat16, all else in float (docs/reference/numerics.md)

  [[nodiscard]] int stages() const { return static_cast<int>(stream_channels.size()); }
  /// (i, j, k) lists as (D, H, W) extents.
  [[nodiscard]] static std::vector<extent3> depth_first(const std::vector<std::vector<index>>& lists, const char* key) {
    std::vector<extent3> out;
    for (const auto& list : lists) {
      if (list.size() != 3)
        throw config_error(text("model.", key, ": an entry has ", list.size(), " numbers, expected 3 (along i, j, k)"));
      out.push_back({list[2], list[1], list[0]});
    }
    return out;
  }
  /// The product of all strides, (D, H, W): a patch must be a multiple of it.
  [[nodiscard]] extent3 total_stride() const {
    const encoder_sizes sizes{1, stream_channels, {}, depth_first(strides, "strides")};
    extent3 total{1, 1, 1};
    for (int s = 1; s < stages(); ++s)
      for (std::size_t a = 0; a < 3; ++a) total[a] *= sizes.stride_to(s)[a];
    return total;
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    const auto n = stream_channels.size();
    if (n < 2) throw config_error(text("model.stream_channels: ", n, " stages, expected at least 2"));
    if (fused_channels.size() != n)
      throw config_error(
          text("model.fused_channels: ", fused_channels.size(), " stages, model.stream_channels has ", n));
    if (!strides.empty() && strides.size() != n - 1)
      throw config_error(
          text("model.strides: ", strides.size(), " entries, expected ", n - 1, " (one less than stages)"));
    if (!kernel_size.empty() && kernel_size.size() != n)
      throw config_error(text("model.kernel_size: ", kernel_size.size(), " entries, expected ", n, " (one per stage)"));
    if (precision != "fp32" && precision != "bf16")
      throw config_error(text("model.precision: '", precision, "', expected fp32 or bf16"));
    if (checkpointed < 0 || checkpointed > stages())
      throw config_error(text("model.checkpointed: ", checkpointed, " stages, expected 0 to ", n));
    for (const index s : fusion_stages)
      if (s < 1 || s > stages()) throw config_error(text("model.fusion_stages: stage ", s, ", expected 1 to ", n));
    if (!(dropout >= 0 && dropout < 1))
      throw config_error(text("model.dropout = ", dropout, ", expected 0 or more and below 1"));
    for (const auto& list : {stream_channels, fused_channels})
      for (const index c : list)
        if (c < 1) throw config_error(text("model: ", c, " channels, expected 1 or more"));
    for (const auto& stride : depth_first(strides, "strides"))
      for (const index v : stride)
        if (v < 1 || v > 64) throw config_error(text("model.strides: ", v, ", expected 1 to 64"));
    for (const auto& filter : depth_first(kernel_size, "kernel_size"))
      for (const index v : filter)
        if (v < 1 || v > 15 || v % 2 == 0)  // what conv3d takes
          throw config_error(text("model.kernel_size: ", v, ", expected an odd number from 1 to 15"));
  }
};

/// Calls `visit(name, reference)` for every option; names are keys of the table `model` of an experiment file.
template <class Options, class Visit>
void visit_network_options(Options& o, Visit&& visit) {
  visit(std::string_view("encoder"), o.encoder);
  visit(std::string_view("shared_encoder"), o.shared_encoder);
  visit(std::string_view("fusion"), o.fusion);
  visit(std::string_view("fusion_stages"), o.fusion_stages);
  visit(std::string_view("enhance"), o.enhance);
  visit(std::string_view("branches"), o.branches);
  visit(std::string_view("deep_supervision"), o.deep_supervision);
  visit(std::string_view("checkpointed"), o.checkpointed);
  visit(std::string_view("stream_channels"), o.stream_channels);
  visit(std::string_view("fused_channels"), o.fused_channels);
  visit(std::string_view("strides"), o.strides);
  visit(std::string_view("kernel_size"), o.kernel_size);
  visit(std::string_view("dropout"), o.dropout);
  visit(std::string_view("precision"), o.precision);
}

namespace detail {

template <tensor_backend Backend>
[[nodiscard]] any_encoder<Backend> make_encoder(const std::string& name, const parameter_scope<Backend>& scope,
                                                const encoder_sizes& sizes) {
  if (name == "unet") return any_encoder<Backend>(unet_encoder<Backend>(scope, sizes));
  if (name == "residual") return any_encoder<Backend>(residual_encoder<Backend>(scope, sizes));
  if (name == "vnet") return any_encoder<Backend>(vnet_encoder<Backend>(scope, sizes));
  throw config_error(text("model.encoder: '", name, "', expected unet, residual or vnet"));
}

template <tensor_backend Backend>
[[nodiscard]] any_fusion<Backend> make_fusion(const std::string& name, const parameter_scope<Backend>& scope,
                                              const fusion_stage_sizes& sizes) {
  if (name == "mean") return any_fusion<Backend>(multi_stage_fusion<mean_fusion, Backend>(scope, sizes));
  if (name == "concat") return any_fusion<Backend>(multi_stage_fusion<concat_fusion, Backend>(scope, sizes));
  if (name == "gated") return any_fusion<Backend>(multi_stage_fusion<gated_fusion, Backend>(scope, sizes));
  if (name == "channel") return any_fusion<Backend>(multi_stage_fusion<channel_fusion, Backend>(scope, sizes));
  if (name == "cross_modal") return any_fusion<Backend>(multi_stage_fusion<cross_modal_fusion, Backend>(scope, sizes));
  if (name == "window_cross_modal")
    return any_fusion<Backend>(multi_stage_fusion<window_cross_modal_fusion, Backend>(scope, sizes));
  throw config_error(text("model.fusion: '", name,
                          "', expected early, mean, concat, gated, channel, cross_modal or window_cross_modal"));
}

}  // namespace detail

namespace detail {

/// One encoder and decoder of the fused widths; keys that are about streams have no meaning.
template <tensor_backend Backend>
[[nodiscard]] any_network<Backend> make_early_fusion(std::shared_ptr<parameter_store<Backend>> store,
                                                     const network_options& options, index modalities, index classes) {
  const parameter_scope<Backend> root(*store);
  const auto strides = network_options::depth_first(options.strides, "strides"),
             filters = network_options::depth_first(options.kernel_size, "kernel_size");
  auto encoder = make_encoder(options.encoder, root / "encoder",
                              {modalities, options.fused_channels, filters, strides, options.dropout});
  any_decoder<Backend> decoder(unet_decoder<Backend>(
      root / "decoder", {options.fused_channels, filters, strides, classes, 2, options.deep_supervision,
                         static_cast<int>(options.checkpointed), options.dropout}));
  return early_fusion_network<Backend, any_encoder<Backend>, any_decoder<Backend>>(
      std::move(store), modalities, std::move(encoder), std::move(decoder), static_cast<int>(options.checkpointed));
}

template <tensor_backend Backend>
[[nodiscard]] any_network<Backend> make_multimodal(std::shared_ptr<parameter_store<Backend>> store,
                                                   const network_options& options, index modalities, index classes) {
  const parameter_scope<Backend> root(*store);
  const auto strides = network_options::depth_first(options.strides, "strides"),
             filters = network_options::depth_first(options.kernel_size, "kernel_size");
  const encoder_sizes streams{1, options.stream_channels, filters, strides, options.dropout},
      fused{1, options.fused_channels, filters, strides};

  std::vector<any_encoder<Backend>> encoders;
  for (index m = 0; m < modalities; ++m)
    encoders.push_back(options.shared_encoder && m > 0
                           ? encoders[0]
                           : detail::make_encoder(options.encoder,
                                                  options.shared_encoder ? root / "stream" : root / "stream" / m,
                                                  streams));
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
    fusion.push_back(detail::make_fusion(chosen ? options.fusion : "mean", root / "fusion" / s, sizes));
  }
  any_decoder<Backend> fused_decoder(unet_decoder<Backend>(
      root / "decoder", {options.fused_channels, filters, strides, classes, 2, options.deep_supervision,
                         static_cast<int>(options.checkpointed), options.dropout}));
  std::vector<any_decoder<Backend>> branch_decoders;
  if (options.branches)
    for (index m = 0; m < modalities; ++m)
      branch_decoders.emplace_back(
          unet_decoder<Backend>(root / "branch" / m, {options.stream_channels, filters, strides, classes, 1, false,
                                                      static_cast<int>(options.checkpointed), options.dropout}));
  return multimodal_network<Backend, any_encoder<Backend>, any_fusion<Backend>, any_decoder<Backend>>(
      std::move(store), std::move(encoders), std::move(fusion), std::move(fused_decoder), std::move(branch_decoders),
      static_cast<int>(options.checkpointed));
}

template <tensor_backend Backend>
[[nodiscard]] any_network<Backend> make_network_of(std::shared_ptr<parameter_store<Backend>> store,
                                                   const network_options& options, index modalities, index classes) {
  return options.fusion == "early" ? make_early_fusion<Backend>(std::move(store), options, modalities, classes)
                                   : make_multimodal<Backend>(std::move(store), options, modalities, classes);
}

}  // namespace detail

/// Makes the network of `options` for M modalities and `classes` output channels (background included, or regions).
/// @param seed decides the initial weights, which are the same in any precision
/// @throws config_error naming the key that makes no sense
template <tensor_backend Backend>
[[nodiscard]] any_network<Backend> make_network(tape<Backend>& home, const network_options& options, index modalities,
                                                index classes, std::uint64_t seed) {
  options.check();
  if (modalities < 1) throw config_error(text("make_network: ", modalities, " modalities"));
  if (options.precision == "bf16") {
    if constexpr (mixed_precision_available_v<Backend>)
      return mixed_precision_network<Backend>(home, seed, [&](auto copies) {
        return detail::make_network_of<bfloat16_backend<Backend>>(std::move(copies), options, modalities, classes);
      });
    else
      throw config_error(
          "model.precision: this program was compiled without bf16; make its networks with comodal::mixed_backend");
  }
  return detail::make_network_of<Backend>(std::make_shared<parameter_store<Backend>>(home, seed), options, modalities,
                                          classes);
}

#define COMODAL_NETWORK(kind, Backend) \
  kind any_network<Backend> make_network(tape<Backend>&, const network_options&, index, index, std::uint64_t);
COMODAL_COMPILED_ELSEWHERE(COMODAL_NETWORK)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
