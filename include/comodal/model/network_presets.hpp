// SPDX-License-Identifier: Apache-2.0
/// @file
/// Whole networks by name: `model.preset` of an experiment file.
#ifndef COMODAL_MODEL_NETWORK_PRESETS_HPP
#define COMODAL_MODEL_NETWORK_PRESETS_HPP

#include <comodal/core/name_table.hpp>
#include <comodal/model/network_options.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace model_detail {

/// Residual encoders with nnU-Net's blocks per stage, one convolution per stage of the decoder, deep supervision.
[[nodiscard]] inline network_options residual_network(std::vector<index> streams, std::vector<index> fused) {
  network_options o;
  o.encoder = "resenc";
  o.decoder_convolutions = 1;
  o.deep_supervision = true;
  o.stream_channels = std::move(streams);
  o.fused_channels = std::move(fused);
  return o;
}

using network_preset_maker = network_options (*)();

// Fused widths are a half, three quarters and all of nnU-Net's (32, 64, 128, 256, 320), and a stream has half of them:
// there is one per modality.
[[nodiscard]] inline const name_table<network_preset_maker>& network_preset_table() {
  static const name_table<network_preset_maker> table = [] {
    name_table<network_preset_maker> t("preset of networks");
    t.add("unet", [] { return network_options{}; });
    t.add("resenc_s", [] { return residual_network({8, 16, 32, 64}, {16, 32, 64, 128}); });
    t.add("resenc_m", [] { return residual_network({12, 24, 48, 96, 120}, {24, 48, 96, 192, 240}); });
    t.add("resenc_l", [] { return residual_network({16, 32, 64, 128, 160}, {32, 64, 128, 256, 320}); });
    return t;
  }();
  return table;
}

}  // namespace model_detail

/// The options of a preset: "unet" (the defaults), "resenc_s", "resenc_m" or "resenc_l"; what they cost stands in
/// docs/how-to/strong-baseline.md.
/// @throws config_error for another name, with the nearest one
[[nodiscard]] inline network_options network_preset(std::string_view name) {
  return model_detail::network_preset_table().at(name, "model.preset")();
}

/// The names of all presets, the default first.
[[nodiscard]] inline const std::vector<std::string>& network_preset_names() {
  return model_detail::network_preset_table().names();
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
