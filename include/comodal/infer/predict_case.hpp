// SPDX-License-Identifier: Apache-2.0
/// @file
/// The label maps and probabilities of one case: fused, by branch, and from sets of modalities alone (method.md: three
/// outputs with three names); and how far the branches disagree.
#ifndef COMODAL_INFER_PREDICT_CASE_HPP
#define COMODAL_INFER_PREDICT_CASE_HPP

#include <comodal/infer/modality_subset.hpp>
#include <comodal/infer/sliding_window.hpp>
#include <comodal/infer/uncertainty.hpp>
#include <comodal/model/model_file.hpp>

#include <algorithm>
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
};

/// One output of a case, on the prepared grid: `fused`, `branch T1`, `only T1`, `only T1 + T2` ...
struct case_output {
  std::string name;
  label_volume labels;
  std::optional<probability_map> probabilities{};  // if wanted
  std::optional<image_volume> uncertainty{};       // of `fused` if wanted: `branch_disagreement`; none from one branch
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
/// and labels from them, so that no label is interpolated; else the labels. Uncertainty is 0 where voxels were left
/// out.
/// @throws as `restore` and `labels_of`
[[nodiscard]] inline case_output restore(const case_output& output, const case_preparation& preparation,
                                         const model_plan& plan) {
  case_output back{output.name, {}};
  if (output.uncertainty) back.uncertainty = restore(*output.uncertainty, preparation, 0.f);
  if (!output.probabilities) {
    back.labels = restore(output.labels, preparation);
    return back;
  }
  const auto kind = plan.has_regions() ? label_kind::regions : label_kind::classes;
  back.probabilities = restore(*output.probabilities, preparation, kind);
  back.labels = labels_of(*back.probabilities, preparation.original(), plan);
  return back;
}

namespace infer_detail {

// The sets of modalities that the network shall see alone: of those that are wanted, what the case has.
inline std::vector<modality_subset> subsets_of(const std::vector<bool>& present, const output_choice& wanted) {
  const std::size_t count = present.size(), proper = wanted.subsets ? count - 1 : 0;
  auto sets = modality_subsets(count, std::max<std::size_t>(proper, wanted.only ? 1 : 0));
  std::erase_if(sets, [&](const modality_subset& set) {
    return std::any_of(set.begin(), set.end(), [&](std::size_t m) { return !present[m]; });
  });
  return sets;
}

// One value per modality for the network: 1 where it shall be used.
inline std::vector<float> mask_of(const modality_subset& set, std::size_t count) {
  std::vector<float> mask(count, 0.f);
  for (const std::size_t m : set) mask[m] = 1.f;
  return mask;
}

// The probabilities of a case from a set of its modalities: the fused output, and the branches if wanted.
template <tensor_backend Backend, class Forward>
std::vector<probability_map> probabilities_from(tape<Backend>& home, const model_plan& plan, const case_data& one,
                                                const modality_subset& set, network_outputs outputs,
                                                const window_options& windows, Forward& forward) {
  std::vector<volume_view> images;
  for (std::size_t m = 0; m < one.images.size(); ++m)
    images.push_back(one.present[m] ? volume_view(one.images[m]) : volume_view());
  const label_kind kind = plan.has_regions() ? label_kind::regions : label_kind::classes;
  return sliding_window<Backend>(home, images, mask_of(set, images.size()), kind, windows,
                                 [&](const auto& volumes, const auto& mask) {
                                   auto out = forward(volumes, mask, outputs);
                                   std::vector<variable<Backend>> logits{out.fused};
                                   if (outputs == network_outputs::fused_only) return logits;
                                   if (!out.branches.empty() && out.branches.size() != images.size())
                                     throw config_error(text("predict_case: the network has ", out.branches.size(),
                                                             " branches for ", images.size(), " modalities"));
                                   logits.insert(logits.end(), out.branches.begin(), out.branches.end());
                                   return logits;
                                 });
}

// The disagreement of the branches of a case's own modalities. @param maps fused, then one per modality, or none
inline std::optional<image_volume> disagreement_of(const std::vector<probability_map>& maps, const case_data& one,
                                                   label_kind kind) {
  std::vector<const probability_map*> branches;
  for (std::size_t m = 0; m + 1 < maps.size(); ++m)
    if (one.present[m]) branches.push_back(&maps[m + 1]);
  if (branches.size() < 2) return std::nullopt;
  return image_volume{one.preparation.prepared(), branch_disagreement(branches, kind, one.present.size())};
}

}  // namespace infer_detail

/// Segments a prepared case and hands each output to `take(case_output&&)` as soon as it is made: fused, branches, then
/// sets of modalities by size. Outputs that need an absent modality are left out. A set that is all the case has is the
/// fused output under another name; nothing is computed twice.
/// @param forward `network_output<Backend>(volumes, present, network_outputs)`, for example of a method's `predict`;
/// branches that it
///        returns unasked are not used
/// @throws config_error for a case without any modality, and where case, network and plan do not fit
template <tensor_backend Backend, class Forward, class Take>
void predict_outputs(tape<Backend>& home, const model_plan& plan, const case_data& one, const output_choice& wanted,
                     const window_options& windows, Forward&& forward, Take&& take) {
  const std::size_t count = plan.modalities.size();
  if (one.images.size() != count)
    throw config_error(text("predict_case: the case has ", one.images.size(), " modalities, the plan has ", count));
  check_labels(plan.labels, plan.region_order);
  const auto made = [&](std::string name, const probability_map& map) {
    return case_output{std::move(name), labels_of(map, one.preparation.prepared(), plan)};
  };
  const auto give = [&](case_output output, probability_map& map) {
    if (wanted.probabilities) output.probabilities = std::move(map);
    take(std::move(output));
  };
  modality_subset all;
  for (std::size_t m = 0; m < count; ++m)
    if (one.present[m]) all.push_back(m);
  std::optional<probability_map> fused;  // kept for the set that is all the case has
  const auto sets = infer_detail::subsets_of(one.present, wanted);
  if (wanted.fused || wanted.branches || wanted.uncertainty) {
    const bool branches = wanted.branches || wanted.uncertainty;
    auto maps = infer_detail::probabilities_from<Backend>(
        home, plan, one, all, branches ? network_outputs::all : network_outputs::fused_only, windows, forward);
    case_output output = made("fused", maps[0]);
    if (wanted.uncertainty)
      output.uncertainty =
          infer_detail::disagreement_of(maps, one, plan.has_regions() ? label_kind::regions : label_kind::classes);
    if (std::find(sets.begin(), sets.end(), all) != sets.end()) fused = maps[0];
    if (wanted.fused || wanted.uncertainty) give(std::move(output), maps[0]);
    for (std::size_t m = 0; wanted.branches && m + 1 < maps.size(); ++m)
      if (one.present[m]) give(made("branch " + plan.modalities[m], maps[m + 1]), maps[m + 1]);
  }
  for (const auto& set : sets) {
    auto map = set == all && fused ? std::move(*fused)
                                   : std::move(infer_detail::probabilities_from<Backend>(
                                         home, plan, one, set, network_outputs::fused_only, windows, forward)[0]);
    give(made(name_of_subset(plan.modalities, set), map), map);
  }
}

/// The same outputs in a list. @throws as `predict_outputs`
template <tensor_backend Backend, class Forward>
[[nodiscard]] std::vector<case_output> predict_case(tape<Backend>& home, const model_plan& plan, const case_data& one,
                                                    const output_choice& wanted, const window_options& windows,
                                                    Forward&& forward) {
  std::vector<case_output> results;
  predict_outputs<Backend>(home, plan, one, wanted, windows, forward,
                           [&](case_output&& output) { results.push_back(std::move(output)); });
  return results;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
