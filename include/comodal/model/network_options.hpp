// SPDX-License-Identifier: Apache-2.0
/// @file
/// The choices that make a network, with their defaults.
#ifndef COMODAL_MODEL_NETWORK_OPTIONS_HPP
#define COMODAL_MODEL_NETWORK_OPTIONS_HPP

#include <comodal/model/encoder.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A network by name and number (method.md section 1); `visit_network_options` says what each option is. Encoders,
/// fusion blocks and decoders are those of a `network_registry`. Strides and filters are along NIfTI's axes (i, j, k),
/// as users write them.
struct network_options {
  std::string encoder = "unet";
  bool shared_encoder = false;
  std::string fusion = "gated";
  std::string decoder = "unet";
  std::vector<index> fusion_stages;  // from 1 (finest); empty: all. Elsewhere: the mean, and nothing handed back
  bool enhance = true;
  bool branches = true;
  bool deep_supervision = false;
  index checkpointed =
      0;  // finest stages that the backward pass computes again: less memory, more time; last bits differ
  std::vector<index> stream_channels{8, 16, 32, 64};
  std::vector<index> fused_channels{16, 32, 64, 128};
  std::vector<std::vector<index>> strides;      // (i, j, k) between stages; empty: 2, 2, 2
  std::vector<std::vector<index>> kernel_size;  // (i, j, k) per stage; empty: 3, 3, 3
  double dropout = 0;
  std::vector<index> blocks;
  index decoder_convolutions = 2;
  std::string precision = "fp32";

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
  void check() const;
};

#if COMODAL_BODIES
COMODAL_ONCE void network_options::check() const {
  const auto n = stream_channels.size();
  if (n < 2) throw config_error(text("model.stream_channels: ", n, " stages, expected at least 2"));
  if (fused_channels.size() != n)
    throw config_error(text("model.fused_channels: ", fused_channels.size(), " stages, model.stream_channels has ", n));
  if (!strides.empty() && strides.size() != n - 1)
    throw config_error(
        text("model.strides: ", strides.size(), " entries, expected ", n - 1, " (one less than stages)"));
  if (!kernel_size.empty() && kernel_size.size() != n)
    throw config_error(text("model.kernel_size: ", kernel_size.size(), " entries, expected ", n, " (one per stage)"));
  if (precision != "fp32" && precision != "tf32" && precision != "bf16")
    throw config_error(text("model.precision: '", precision, "', expected fp32, tf32 or bf16"));
  if (checkpointed < 0 || checkpointed > stages())
    throw config_error(text("model.checkpointed: ", checkpointed, " stages, expected 0 to ", n));
  for (const index s : fusion_stages)
    if (s < 1 || s > stages()) throw config_error(text("model.fusion_stages: stage ", s, ", expected 1 to ", n));
  if (!(dropout >= 0 && dropout < 1))
    throw config_error(text("model.dropout = ", dropout, ", expected 0 or more and below 1"));
  if (!blocks.empty() && blocks.size() != n)
    throw config_error(text("model.blocks: ", blocks.size(), " entries, expected ", n, " (one per stage)"));
  for (const index b : blocks)
    if (b < 1 || b > 64) throw config_error(text("model.blocks: ", b, ", expected 1 to 64"));
  if (decoder_convolutions < 1 || decoder_convolutions > 64)
    throw config_error(text("model.decoder_convolutions = ", decoder_convolutions, ", expected 1 to 64"));
  for (const auto& list : {stream_channels, fused_channels})
    for (const index c : list)
      if (c < 1)
        throw config_error(text("model.stream_channels, model.fused_channels: ", c, " channels, expected 1 or more"));
  for (const auto& stride : depth_first(strides, "strides"))
    for (const index v : stride)
      if (v < 1 || v > 64) throw config_error(text("model.strides: ", v, ", expected 1 to 64"));
  for (const auto& filter : depth_first(kernel_size, "kernel_size"))
    for (const index v : filter)
      if (v < 1 || v > 15 || v % 2 == 0)  // what conv3d takes
        throw config_error(text("model.kernel_size: ", v, ", expected an odd number from 1 to 15"));
}
#endif

/// Calls `visit(name, reference, help)` for every option; names are keys of the table `model` of an experiment file.
template <class Options, class Visit>
void visit_network_options(Options& o, Visit&& visit) {
  visit("encoder", o.encoder, "encoder of each modality: unet, residual, vnet or resenc");
  visit("shared_encoder", o.shared_encoder, "true: all modalities share one set of encoder weights");
  visit("fusion", o.fusion,
        "fusion block: mean, concat, gated, channel, cross_modal or window_cross_modal; early: one network for all");
  visit("decoder", o.decoder, "decoder of the fused maps and of the branches: unet, unet_trilinear or unet_nearest");
  visit("fusion_stages", o.fusion_stages,
        "stages with the fusion block, from 1 (finest); the others have the mean; empty: all");
  visit("enhance", o.enhance, "true: enhanced maps are handed back to the modalities' encoders");
  visit("branches", o.branches, "true: each modality has a light decoder of its own");
  visit("deep_supervision", o.deep_supervision, "true: the loss also sees the outputs of coarser stages");
  visit("checkpointed", o.checkpointed,
        "finest stages that are computed again in the backward pass: less memory, more time");
  visit("stream_channels", o.stream_channels, "channels of each modality's encoder per stage, from fine to coarse");
  visit("fused_channels", o.fused_channels, "channels of the fused maps per stage, from fine to coarse");
  visit("strides", o.strides, "strides [i, j, k] between stages, one less than stages; empty: 2, 2, 2");
  visit("kernel_size", o.kernel_size, "sizes [i, j, k] of the filters per stage; empty: 3, 3, 3");
  visit("dropout", o.dropout, "rate of dropout on the map of every stage, 0 to below 1");
  visit("blocks", o.blocks, "blocks per stage of the encoder; empty: what the encoder has of itself");
  visit("decoder_convolutions", o.decoder_convolutions,
        "convolutions per stage of the fused decoder; those of branches have one");
  visit("precision", o.precision,
        "fp32; tf32: products of convolutions on devices that have it; bf16: maps in bfloat16");
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
