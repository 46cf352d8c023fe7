// SPDX-License-Identifier: Apache-2.0
/// @file
/// The memory that a training step of the default network takes, from its sizes.
#ifndef COMODAL_PLAN_MEMORY_MODEL_HPP
#define COMODAL_PLAN_MEMORY_MODEL_HPP

#include <comodal/plan/topology.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The channels of the default network: 8 per stream and 16 of the fused maps at the finest stage, doubled from stage
/// to stage up to ten times as many (nnU-Net's 32 to 320).
struct default_channels {
  std::vector<index> stream, fused;

  explicit default_channels(std::size_t stages)
      : stream(channels_of(stages, 8, 80)), fused(channels_of(stages, 16, 160)) {}
};

/// Bytes of tensors per crop of a step of contrastive mutual learning with the default network in fp32. Fitted to what
/// `comodal benchmark` reports: within 4 % for 1 to 4 modalities, 64x64x32 and 64x64x64, single and double widths
/// (bench/history/2026-11-29-memory-model.md). Half of it with bf16; weights are small beside it.
[[nodiscard]] inline double bytes_per_crop(const network_topology& t, index modalities) {
  constexpr double per_stream_value = 46.3, per_fused_value = 33.7;
  const default_channels channels(t.stages());
  const auto voxels = voxels_of(t);
  double bytes = 0;
  for (std::size_t s = 0; s < t.stages(); ++s)
    bytes += static_cast<double>(voxels[s]) * (per_stream_value * static_cast<double>(modalities * channels.stream[s]) +
                                               per_fused_value * static_cast<double>(channels.fused[s]));
  return bytes;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
