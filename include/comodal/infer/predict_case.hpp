// SPDX-License-Identifier: Apache-2.0
/// @file
/// The label maps and probabilities of one case: fused, by branch, and from sets of modalities alone (method.md: three
/// outputs with three names); and how far the branches disagree.
#ifndef COMODAL_INFER_PREDICT_CASE_HPP
#define COMODAL_INFER_PREDICT_CASE_HPP

#include <comodal/infer/modality_subset.hpp>
#include <comodal/infer/plane_resampler.hpp>
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
  bool prepared_grid = false;  // where volumes were resampled: outputs on the grid that the network saw
};

/// One output of a case, on the grid of its preparation's results unless the prepared one is asked for: `fused`,
/// `branch T1`, `only T1`, `only T1 + T2` ...
struct case_output {
  std::string name;
  label_volume labels;
  std::optional<probability_map> probabilities{};  // if wanted
  std::optional<image_volume> uncertainty{};       // of `fused` if wanted: `branch_disagreement`; none from one branch
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

// The outputs of one run over the windows of a case, filled plane by plane.
template <tensor_backend Backend>
class output_filler {
 public:
  output_filler(context<Backend>& ctx, const model_plan& plan, const case_data& one, const output_choice& wanted)
      : m_context(&ctx),
        m_plan(&plan),
        m_case(&one),
        m_grid(wanted.prepared_grid ? one.preparation.prepared() : one.preparation.results()),
        m_probabilities(wanted.probabilities),
        m_label(ctx, labels_of_channels(plan), plan.has_regions()) {}

  std::vector<case_output> outputs;            // by output of the network; those without a name are not wanted
  std::optional<image_volume> disagreement{};  // of the branches of the case's own modalities
  bool wants_disagreement = false;

  void add(std::string name) { outputs.push_back({std::move(name), {}}); }
  // (D, H, W) of the outputs.
  [[nodiscard]] extent3 size() const { return {m_grid.size[2], m_grid.size[1], m_grid.size[0]}; }

  void take(const finished_planes<Backend>& done) {
    const std::size_t plane = static_cast<std::size_t>(m_grid.size[0] * m_grid.size[1]);
    const std::size_t first = static_cast<std::size_t>(done.first) * plane;
    for (std::size_t k = 0; k < std::min(outputs.size(), done.outputs.size()); ++k) {
      case_output& out = outputs[k];
      if (out.name.empty()) continue;
      expect_channels(done.outputs[k].shape()[0], *m_plan);
      if (out.labels.values.empty())
        out.labels = {m_grid, std::vector<std::uint8_t>(static_cast<std::size_t>(m_grid.voxels()))};
      const auto labels = m_label(done.outputs[k]);
      std::copy(labels.begin(), labels.end(), out.labels.values.begin() + static_cast<std::ptrdiff_t>(first));
      if (!m_probabilities) continue;
      if (!out.probabilities) out.probabilities = map_of(size(), done.outputs[k].shape()[0]);
      write_planes(*m_context, done, k, *out.probabilities);
    }
    if (wants_disagreement) add_disagreement(done, first);
  }

 private:
  // The branches of absent modalities say nothing; one branch has nobody to disagree with.
  void add_disagreement(const finished_planes<Backend>& done, std::size_t first) {
    std::vector<probability_map> maps;
    for (std::size_t m = 0; m + 1 < done.outputs.size(); ++m)
      if (m_case->present[m]) {
        const auto& p = done.outputs[m + 1];
        maps.push_back({{done.planes, size()[1], size()[2]}, p.shape()[0], to_host(m_context->space(), p)});
      }
    if (maps.size() < 2) return;
    if (!disagreement)
      disagreement = image_volume{m_grid, std::vector<float>(static_cast<std::size_t>(m_grid.voxels()))};
    std::vector<const probability_map*> branches;
    for (const auto& map : maps) branches.push_back(&map);
    const auto kind = m_plan->has_regions() ? label_kind::regions : label_kind::classes;
    const auto values = branch_disagreement(branches, kind, m_case->present.size());
    std::copy(values.begin(), values.end(), disagreement->values.begin() + static_cast<std::ptrdiff_t>(first));
  }

  context<Backend>* m_context;
  const model_plan* m_plan;
  const case_data* m_case;
  geometry m_grid;
  bool m_probabilities;
  labeller<Backend> m_label;
};

// Fills the outputs of a case from a set of its modalities.
template <tensor_backend Backend, class Forward>
void fill_outputs(tape<Backend>& home, const model_plan& plan, const case_data& one, const modality_subset& set,
                  network_outputs outputs, const window_options& windows, Forward& forward,
                  output_filler<Backend>& filler) {
  std::vector<volume_view> images;
  for (std::size_t m = 0; m < one.images.size(); ++m)
    images.push_back(one.present[m] ? volume_view(one.images[m]) : volume_view());
  const label_kind kind = plan.has_regions() ? label_kind::regions : label_kind::classes;
  const auto predict = [&](const auto& volumes, const auto& mask) {
    auto out = forward(volumes, mask, outputs);
    std::vector<variable<Backend>> logits{out.fused};
    if (outputs == network_outputs::fused_only) return logits;
    if (!out.branches.empty() && out.branches.size() != images.size())
      throw config_error(
          text("predict_case: the network has ", out.branches.size(), " branches for ", images.size(), " modalities"));
    logits.insert(logits.end(), out.branches.begin(), out.branches.end());
    return logits;
  };
  const auto mask = mask_of(set, images.size());
  const geometry& seen = one.preparation.prepared();
  const extent3 from{seen.size[2], seen.size[1], seen.size[0]}, to = filler.size();
  if (from == to)
    return sliding_planes(home, images, mask, kind, windows, predict,
                          [&](const finished_planes<Backend>& done) { filler.take(done); });
  const auto& nearest = one.preparation.resampling_of_results()->nearest;
  plane_resampler<Backend> resampler(home.ctx(), from, to, {nearest[2], nearest[1], nearest[0]});
  sliding_planes(home, images, mask, kind, windows, predict, [&](const finished_planes<Backend>& done) {
    resampler.take(done, [&](const finished_planes<Backend>& planes) { filler.take(planes); });
  });
}

}  // namespace infer_detail

/// Segments a prepared case and hands each output to `take(case_output&&)`: fused and branches, then each set of
/// modalities as soon as it is made, by size. Outputs that need an absent modality are left out. A set that is all the
/// case has is the fused output under another name; nothing is computed twice.
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
  modality_subset all;
  for (std::size_t m = 0; m < count; ++m) {
    if (!one.present[m]) continue;
    all.push_back(m);
    if (one.images[m].geometry.size != one.preparation.prepared().size)
      throw geometry_error(
          text("predict_case: the image of '", plan.modalities[m], "' has not the size of the case's prepared grid"));
  }
  std::optional<case_output> fused;  // kept for the set that is all the case has
  const auto sets = infer_detail::subsets_of(one.present, wanted);
  if (wanted.fused || wanted.branches || wanted.uncertainty) {
    const bool branches = wanted.branches || wanted.uncertainty;
    infer_detail::output_filler<Backend> filler(home.ctx(), plan, one, wanted);
    filler.add("fused");
    for (std::size_t m = 0; wanted.branches && m < count; ++m)
      filler.add(one.present[m] ? "branch " + plan.modalities[m] : std::string());
    filler.wants_disagreement = wanted.uncertainty;
    infer_detail::fill_outputs(home, plan, one, all, branches ? network_outputs::all : network_outputs::fused_only,
                               windows, forward, filler);
    if (std::find(sets.begin(), sets.end(), all) != sets.end()) fused = filler.outputs[0];
    filler.outputs[0].uncertainty = std::move(filler.disagreement);
    for (std::size_t k = wanted.fused || wanted.uncertainty ? 0 : 1; k < filler.outputs.size(); ++k)
      if (!filler.outputs[k].labels.values.empty()) take(std::move(filler.outputs[k]));
  }
  for (const auto& set : sets) {
    const std::string name = name_of_subset(plan.modalities, set);
    if (set == all && fused) {
      fused->name = name;
      take(*std::exchange(fused, std::nullopt));
      continue;
    }
    infer_detail::output_filler<Backend> filler(home.ctx(), plan, one, wanted);
    filler.add(name);
    infer_detail::fill_outputs(home, plan, one, set, network_outputs::fused_only, windows, forward, filler);
    take(std::move(filler.outputs[0]));
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
