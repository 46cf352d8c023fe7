// SPDX-License-Identifier: Apache-2.0
/// @file
/// The label maps and probabilities of one case: fused, by branch, and from each modality alone (method.md: three
/// outputs with three names).
#ifndef COMODAL_INFER_PREDICT_CASE_HPP
#define COMODAL_INFER_PREDICT_CASE_HPP

#include <comodal/infer/sliding_window.hpp>
#include <comodal/model/model_file.hpp>

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
};

/// One output of a case, on the prepared grid: `fused`, `branch T1`, `only T1` ...
struct case_output {
  std::string name;
  label_volume labels;
  std::optional<probability_map> probabilities{};  // if wanted
};

/// The label map of probabilities (C, D, H, W): the most probable class, or regions in the plan's order.
/// @param grid of the map
/// @throws config_error if the plan has another number of channels; geometry_error if the grid has another size
[[nodiscard]] inline label_volume labels_of(const probability_map& map, const geometry& grid, const model_plan& plan) {
  if (map.channels != plan.channels())
    throw config_error(text("predict_case: the network's logits have ", map.channels, " channels, the plan expects ",
                            plan.channels()));
  if (map.size != extent3{grid.size[2], grid.size[1], grid.size[0]})
    throw geometry_error("labels_of: the probabilities have another size than their grid");
  check_labels(plan.labels, plan.region_order);
  label_volume out{grid, {}};
  if (plan.has_regions()) {
    out.values = labels_of_regions(map, std::vector<std::uint8_t>(plan.region_order.begin(), plan.region_order.end()));
    return out;
  }
  out.values = most_probable(map);
  for (auto& v : out.values) v = static_cast<std::uint8_t>(plan.labels[v].values[0]);
  return out;
}

/// Probabilities on the prepared grid, back on the grid of the case's own images. What was left out is background:
/// probability 1 of the first of exclusive classes, 0 of every region.
/// @throws geometry_error if the map has not the size of the prepared grid
[[nodiscard]] inline probability_map restore(const probability_map& map, const case_preparation& preparation,
                                             label_kind kind) {
  const geometry &from = preparation.prepared(), &to = preparation.original();
  if (map.size != extent3{from.size[2], from.size[1], from.size[0]})
    throw geometry_error("restore: the probabilities have not the size of the prepared grid");
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

/// An output on the prepared grid, back on the grid of the case's own images: probabilities first, if there are any,
/// and labels from them, so that no label is interpolated; else the labels. @throws as `restore` and `labels_of`
[[nodiscard]] inline case_output restore(const case_output& output, const case_preparation& preparation,
                                         const model_plan& plan) {
  if (!output.probabilities) return {output.name, restore(output.labels, preparation)};
  const auto kind = plan.has_regions() ? label_kind::regions : label_kind::classes;
  probability_map map = restore(*output.probabilities, preparation, kind);
  label_volume labels = labels_of(map, preparation.original(), plan);
  return {output.name, std::move(labels), std::move(map)};
}

/// Segments a prepared case. Outputs of absent modalities are left out.
/// @param forward `network_output<Backend>(volumes, present, network_outputs)`, for example of a method's `predict`;
/// branches that it
///        returns unasked are not used
/// @throws config_error for a case without any modality, and where case, network and plan do not fit
template <tensor_backend Backend, class Forward>
[[nodiscard]] std::vector<case_output> predict_case(tape<Backend>& home, const model_plan& plan, const case_data& one,
                                                    const output_choice& wanted, const window_options& windows,
                                                    Forward&& forward) {
  if (one.images.size() != plan.modalities.size())
    throw config_error(
        text("predict_case: the case has ", one.images.size(), " modalities, the plan has ", plan.modalities.size()));
  check_labels(plan.labels, plan.region_order);
  const label_kind kind = plan.has_regions() ? label_kind::regions : label_kind::classes;
  const geometry& grid = one.preparation.prepared();
  std::vector<volume_view> images;
  std::vector<float> present;
  for (std::size_t m = 0; m < one.images.size(); ++m) {
    images.push_back(one.present[m] ? volume_view(one.images[m]) : volume_view());
    present.push_back(one.present[m] ? 1.f : 0.f);
  }
  const auto run = [&](const std::vector<float>& subset, network_outputs outputs) {
    return sliding_window<Backend>(home, images, subset, kind, windows, [&](const auto& volumes, const auto& mask) {
      auto out = forward(volumes, mask, outputs);
      std::vector<variable<Backend>> logits{out.fused};
      if (outputs == network_outputs::fused_only) return logits;
      if (!out.branches.empty() && out.branches.size() != images.size())
        throw config_error(text("predict_case: the network has ", out.branches.size(), " branches for ", images.size(),
                                " modalities"));
      logits.insert(logits.end(), out.branches.begin(), out.branches.end());
      return logits;
    });
  };

  std::vector<case_output> results;
  const auto add = [&](const std::string& name, probability_map& map) {
    results.push_back({name, labels_of(map, grid, plan)});
    if (wanted.probabilities) results.back().probabilities = std::move(map);
  };
  if (wanted.fused || wanted.branches) {
    auto maps = run(present, wanted.branches ? network_outputs::all : network_outputs::fused_only);
    if (wanted.fused) add("fused", maps[0]);
    for (std::size_t m = 0; m + 1 < maps.size(); ++m)
      if (one.present[m]) add("branch " + plan.modalities[m], maps[m + 1]);
  }
  for (std::size_t m = 0; wanted.only && m < images.size(); ++m) {
    if (!one.present[m]) continue;
    std::vector<float> alone(images.size(), 0.f);
    alone[m] = 1;
    auto maps = run(alone, network_outputs::fused_only);
    add("only " + plan.modalities[m], maps[0]);
  }
  return results;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
