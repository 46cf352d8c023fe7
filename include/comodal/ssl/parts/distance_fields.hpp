// SPDX-License-Identifier: Apache-2.0
/// @file
/// Signed distances of labelled crops, made by the threads that make batches, as targets on the device.
#ifndef COMODAL_SSL_PARTS_DISTANCE_FIELDS_HPP
#define COMODAL_SSL_PARTS_DISTANCE_FIELDS_HPP

#include <comodal/data/batch_views.hpp>
#include <comodal/data/signed_distance.hpp>
#include <comodal/ssl/parts/foreground_maps.hpp>
#include <comodal/ssl/targets.hpp>

#include <array>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

inline std::string distance_name(index channel) { return text("distance.", channel); }

}  // namespace ssl_detail

/// For `batch_views::fields`: the `signed_distance` of every foreground channel of a crop's labels.
[[nodiscard]] inline std::vector<crop_field> distance_fields(const target_map& targets) {
  std::vector<crop_field> fields;
  for (index c = first_foreground(targets.kind); c < targets.channels; ++c) {
    std::array<std::uint8_t, 256> inside{};  // by label
    for (std::size_t label = 0; label < inside.size(); ++label)
      inside[label] =
          targets.table[label * static_cast<std::size_t>(targets.channels) + static_cast<std::size_t>(c)] > 0 ? 1 : 0;
    fields.push_back({ssl_detail::distance_name(c),
                      [inside](std::span<const std::uint8_t> labels, const extent3& size, std::span<float> field) {
                        std::vector<std::uint8_t> mask(labels.size());
                        for (std::size_t i = 0; i < labels.size(); ++i) mask[i] = inside[labels[i]];
                        signed_distance(mask, size, field);
                      }});
  }
  return fields;
}

/// The distances of labelled crops, foreground channels side by side: a constant (N, D, H, W, K).
/// @throws config_error for crops without them
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> distance_targets(const target_map& targets, const device_crops<Backend>& labelled) {
  std::vector<variable<Backend>> all;
  for (index c = first_foreground(targets.kind); c < targets.channels; ++c) {
    const auto found = labelled.fields.find(ssl_detail::distance_name(c));
    if (found == labelled.fields.end())
      throw config_error(text("distance_targets: the labelled crops have no field '", ssl_detail::distance_name(c),
                              "'; make them with the views() of the method"));
    all.push_back(found->second);
  }
  return stack(all, 4);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
