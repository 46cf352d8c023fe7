// SPDX-License-Identifier: Apache-2.0
/// @file
/// What is made of a case: which outputs are wanted, each output, and its way back to the grid of the case's images.
#ifndef COMODAL_INFER_CASE_OUTPUT_HPP
#define COMODAL_INFER_CASE_OUTPUT_HPP

#include <comodal/infer/labelling.hpp>
#include <comodal/infer/probability_map.hpp>
#include <comodal/model/model_plan.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Which outputs of a case are wanted.
struct output_choice {
  bool fused = true;           // p_f from all modalities that are there
  bool branches = false;       // p_m: modality m's own decoder, which has seen the others
  bool only = false;           // p_f from modality m alone
  bool probabilities = false;  // keep the probabilities of each output, too: 4 bytes per voxel and channel
  bool subsets = false;        // p_f from each set of the model's modalities but that of all, which is p_f itself
  bool uncertainty = false;    // with `fused`, which it implies: how far the branches disagree
  bool prepared_grid = false;  // where volumes were resampled: outputs on the grid that the network saw
  bool entropy = false;        // with `fused`, which it implies: the entropy of its probabilities
  /// Called with the probabilities (C, planes, H, W) of each output, from its first plane to its last: for maps that
  /// memory does not hold. The set of all modalities that a case has is computed anew then.
  std::function<void(const std::string& output, index first, const probability_map& planes)> planes{};
};

/// One output of a case, on the grid of its preparation's results unless the prepared one is asked for: `fused`,
/// `branch T1`, `only T1`, `only T1 + T2` ...
struct case_output {
  std::string name;
  label_volume labels;
  std::optional<probability_map> probabilities{};  // if wanted
  std::optional<image_volume> uncertainty{};       // of `fused` if wanted: `branch_disagreement`; none from one branch
  std::optional<image_volume> entropy{};           // of `fused` if wanted: `probability_entropy`
};

namespace infer_detail {

// The label that each channel stands for: of the plan's classes, or of its regions in their order.
// @throws config_error for labels that make no sense
inline std::vector<std::uint8_t> labels_of_channels(const model_plan& plan) {
  check_labels(plan.labels, plan.region_order);
  std::vector<std::uint8_t> out;
  if (plan.has_regions()) {
    for (const auto label : plan.region_order) out.push_back(static_cast<std::uint8_t>(label));
  } else {
    for (const auto& label : plan.labels) out.push_back(static_cast<std::uint8_t>(label.values[0]));
  }
  return out;
}

inline void expect_channels(index channels, const model_plan& plan) {
  if (channels != plan.channels())
    throw config_error(
        text("predict_case: the network's logits have ", channels, " channels, the plan expects ", plan.channels()));
}

}  // namespace infer_detail

/// The label map of probabilities (C, D, H, W): the most probable class, or regions in the plan's order.
/// @param grid of the map
/// @throws config_error if the plan has another number of channels; geometry_error if the grid has another size
[[nodiscard]] inline label_volume labels_of(const probability_map& map, const geometry& grid, const model_plan& plan) {
  infer_detail::expect_channels(map.channels, plan);
  if (map.size != extent3{grid.size[2], grid.size[1], grid.size[0]})
    throw geometry_error("labels_of: the probabilities have another size than their grid");
  const auto labels = infer_detail::labels_of_channels(plan);
  return {grid, infer_detail::labels_on_host(map, labels, plan.has_regions())};
}

/// Probabilities on the grid of results, back on the grid of the case's own images. What was left out is background:
/// probability 1 of the first of exclusive classes, 0 of every region.
/// @throws geometry_error if the map has not the size of the grid of results
[[nodiscard]] inline probability_map restore(const probability_map& map, const case_preparation& preparation,
                                             label_kind kind) {
  const geometry &from = preparation.results(), &to = preparation.original();
  if (map.size != extent3{from.size[2], from.size[1], from.size[0]})
    throw geometry_error("restore: the probabilities have not the size of the grid of results");
  probability_map out{{to.size[2], to.size[1], to.size[0]}, map.channels, {}};
  for (index c = 0; c < map.channels; ++c) {
    const auto first = map.values.begin() + c * from.voxels();
    image_volume channel{from, {first, first + from.voxels()}};
    const float outside = kind == label_kind::classes && c == 0 ? 1.f : 0.f;
    channel = preparation.restore(std::move(channel), outside);
    out.values.insert(out.values.end(), channel.values.begin(), channel.values.end());
  }
  return out;
}

/// An output on the grid of results, back on the grid of the case's own images: probabilities first, if there are any,
/// and labels from them, so that no label is interpolated; else the labels. Uncertainty and entropy are 0 where voxels
/// were left out.
/// @throws as `restore` and `labels_of`
[[nodiscard]] inline case_output restore(const case_output& output, const case_preparation& preparation,
                                         const model_plan& plan) {
  case_output back{output.name, {}};
  if (output.uncertainty) back.uncertainty = restore(*output.uncertainty, preparation, 0.f);
  if (output.entropy) back.entropy = restore(*output.entropy, preparation, 0.f);
  if (!output.probabilities) {
    back.labels = restore(output.labels, preparation);
    return back;
  }
  const auto kind = plan.has_regions() ? label_kind::regions : label_kind::classes;
  back.probabilities = restore(*output.probabilities, preparation, kind);
  back.labels = labels_of(*back.probabilities, preparation.original(), plan);
  return back;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
