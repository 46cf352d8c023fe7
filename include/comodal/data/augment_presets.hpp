// SPDX-License-Identifier: Apache-2.0
/// @file
/// Whole sets of augmentation by name: `augment.preset` of an experiment file.
#ifndef COMODAL_DATA_AUGMENT_PRESETS_HPP
#define COMODAL_DATA_AUGMENT_PRESETS_HPP

#include <comodal/core/name_table.hpp>
#include <comodal/data/batch.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

/// Geometry and intensities stay as they are. Modality dropout and mixing belong to methods and stay, too.
inline void set_no_augmentation(batch_options& o) {
  o.mirror = {false, false, false};
  o.rotation_chance = o.scale_chance = 0;
  o.weak_gain = o.strong_gain = {1, 1};
  o.weak_shift = o.strong_shift = {0, 0};
  o.gamma_chance = o.noise_chance = o.blur_chance = 0;
  o.brightness_chance = o.contrast_chance = o.low_resolution_chance = 0;
  o.inverted_gamma_chance = o.retained_gamma_chance = 0;
  o.elastic_chance = o.bias_chance = o.rician_chance = 0;
}

/// The default 3-D training augmentation of nnU-Net 2 (nnUNetTrainer.get_training_transforms with batchgeneratorsv2);
/// docs/how-to/strong-baseline.md lists numbers and differences. Weak views stay ours.
inline void set_nnunet_augmentation(batch_options& o) {
  o.mirror = {true, true, true};
  o.mirror_chance = 0.5;
  // A flat patch is turned and scaled in its plane alone ("dummy 2-D"). nnU-Net takes the axis of the largest spacing
  // for the thin one; here it is the one with the fewest voxels.
  const auto thin =
      static_cast<std::size_t>(std::min_element(o.patch_size.begin(), o.patch_size.end()) - o.patch_size.begin());
  const bool flat = *std::max_element(o.patch_size.begin(), o.patch_size.end()) > 3 * o.patch_size[thin];
  o.rotation_degrees = {30, 30, 30};
  if (flat) {
    o.rotation_degrees = {0, 0, 0};
    o.rotation_degrees[thin] = 180;
    o.resampled_axes[thin] = false;
  }
  o.rotation_chance = o.scale_chance = 0.2;
  o.scale = {1 / 1.4, 1 / 0.7};  // nnU-Net's factors are those of the extent that is shown
  o.strong_gain = {1, 1};
  o.strong_shift = {0, 0};
  o.gamma_chance = 0;
  o.joint = true;
  o.noise = {0, 0.1};
  o.noise_chance = 0.1;
  o.blur = {0.5, 1};
  o.blur_chance = 0.2;
  o.blur_share = 0.5;
  o.brightness = o.contrast = {0.75, 1.25};
  o.brightness_chance = o.contrast_chance = 0.15;
  o.low_resolution = {0.5, 1};
  o.low_resolution_chance = 0.25;
  o.low_resolution_share = 0.5;
  o.retained_gamma = {0.7, 1.5};
  o.inverted_gamma_chance = 0.1;
  o.retained_gamma_chance = 0.3;
}

using augment_setter = void (*)(batch_options&);

[[nodiscard]] inline const name_table<augment_setter>& augment_preset_table() {
  static const name_table<augment_setter> table = [] {
    name_table<augment_setter> t("set of augmentation");
    t.add("comodal", [](batch_options&) {});
    t.add("nnunet", &set_nnunet_augmentation);
    t.add("none", &set_no_augmentation);
    return t;
  }();
  return table;
}

}  // namespace detail

/// The options of a preset: "comodal" (the defaults), "nnunet" or "none". Keys outside of the table `augment`,
/// modality dropout and mixing have their defaults.
/// @param patch_size (D, H, W): a flat one is turned in its plane alone in "nnunet"
/// @throws config_error for another name, with the nearest one
[[nodiscard]] inline batch_options augment_preset(std::string_view name, const extent3& patch_size) {
  batch_options o;
  o.patch_size = patch_size;
  detail::augment_preset_table().at(name, "augment.preset")(o);
  return o;
}

/// The names of all presets, the default first.
[[nodiscard]] inline const std::vector<std::string>& augment_preset_names() {
  return detail::augment_preset_table().names();
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
