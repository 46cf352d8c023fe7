// SPDX-License-Identifier: Apache-2.0
/// @file
/// The label maps and probabilities of one case: fused, by branch, and from sets of modalities alone (method.md: three
/// outputs with three names); and how far the branches disagree. Of one model, or the mean of several.
#ifndef COMODAL_INFER_PREDICT_CASE_HPP
#define COMODAL_INFER_PREDICT_CASE_HPP

#include <comodal/infer/case_output.hpp>
#include <comodal/infer/modality_subset.hpp>
#include <comodal/infer/output_filler.hpp>
#include <comodal/infer/plane_resampler.hpp>
#include <comodal/infer/sliding_window.hpp>
#include <comodal/model/model_file.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A network of an ensemble, and the case as it was prepared for it.
template <tensor_backend Backend>
struct ensemble_member {
  const case_data* one = nullptr;
  std::function<network_output<Backend>(const std::vector<variable<Backend>>& volumes, const presence<Backend>& present,
                                        network_outputs outputs)>
      forward;
};

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

// The images of a prepared case, without copies.
inline std::vector<volume_view> views_of(const case_data& one) {
  std::vector<volume_view> images;
  for (std::size_t m = 0; m < one.images.size(); ++m)
    images.push_back(one.present[m] ? volume_view(one.images[m]) : volume_view());
  return images;
}

// The logits of the outputs that a pass wants.
template <tensor_backend Backend>
std::vector<variable<Backend>> wanted_logits(const network_output<Backend>& out,
                                             const std::vector<passed_output>& wanted, std::size_t modalities) {
  std::vector<variable<Backend>> logits;
  for (const passed_output& one : wanted) {
    if (one.number > 0 && out.branches.size() != modalities)
      throw config_error(
          text("predict_case: the network has ", out.branches.size(), " branches for ", modalities, " modalities"));
    logits.push_back(one.number == 0 ? out.fused : out.branches[one.number - 1]);
  }
  return logits;
}

// Fills the outputs of a pass from a set of the case's modalities.
template <tensor_backend Backend>
void fill_outputs(tape<Backend>& home, const model_plan& plan, const std::vector<ensemble_member<Backend>>& members,
                  const modality_subset& set, const window_options& windows, output_filler<Backend>& filler) {
  const case_data& one = *members[0].one;
  const auto& passed = filler.passed();
  const bool branches = std::any_of(passed.begin(), passed.end(), [](const auto& p) { return p.number > 0; });
  const auto outputs = branches ? network_outputs::logits : network_outputs::fused_only;
  std::vector<window_model<Backend>> models;
  for (const auto& member : members)
    models.push_back({views_of(*member.one), [&](const auto& volumes, const auto& mask) {
                        return wanted_logits<Backend>(member.forward(volumes, mask, outputs), passed,
                                                      one.images.size());
                      }});
  const label_kind kind = plan.has_regions() ? label_kind::regions : label_kind::classes;
  const auto mask = mask_of(set, one.images.size());
  const geometry& seen = one.preparation.prepared();
  const extent3 from{seen.size[2], seen.size[1], seen.size[0]}, to = filler.size();
  if (from == to)
    return sliding_planes<Backend>(home, models, mask, kind, windows,
                                   [&](const finished_planes<Backend>& done) { filler.take(done); });
  const auto& nearest = one.preparation.resampling_of_results()->nearest;
  plane_resampler<Backend> resampler(home.ctx(), from, to, {nearest[2], nearest[1], nearest[0]});
  sliding_planes<Backend>(home, models, mask, kind, windows, [&](const finished_planes<Backend>& done) {
    resampler.take(done, [&](const finished_planes<Backend>& planes) { filler.take(planes); });
  });
}

// @throws config_error, geometry_error for cases that do not fit the plan or each other
template <tensor_backend Backend>
void expect_members(const std::vector<ensemble_member<Backend>>& members, const model_plan& plan) {
  if (members.empty()) throw config_error("predict_case: no network, expected at least one");
  const case_data& first = *members[0].one;
  for (const auto& member : members) {
    const case_data& one = *member.one;
    if (one.images.size() != plan.modalities.size())
      throw config_error(
          text("predict_case: the case has ", one.images.size(), " modalities, the plan has ", plan.modalities.size()));
    if (one.present != first.present || !same_grid(one.preparation.prepared(), first.preparation.prepared()))
      throw geometry_error("predict_case: the case was prepared otherwise for another network of the ensemble");
    for (std::size_t m = 0; m < one.images.size(); ++m)
      if (one.present[m] && one.images[m].geometry.size != one.preparation.prepared().size)
        throw geometry_error(
            text("predict_case: the image of '", plan.modalities[m], "' has not the size of the case's prepared grid"));
  }
}

// The passes in which outputs are computed: all in one where their open sums stay within `windows.memory` bytes, else
// each by itself; but branches whose disagreement is wanted together.
inline std::vector<std::vector<passed_output>> passes_of(const std::vector<passed_output>& outputs, bool together,
                                                         const geometry& seen, const model_plan& plan,
                                                         const window_options& windows) {
  const double planes = static_cast<double>(std::min(windows.window[0], seen.size[2]) * seen.size[1] * seen.size[0]);
  const double bytes = 4 * planes * static_cast<double>(plan.channels()) * static_cast<double>(outputs.size());
  if (bytes <= windows.memory) return {outputs};
  std::vector<std::vector<passed_output>> passes;
  for (const passed_output& one : outputs)
    if (together && one.number > 0 && !passes.empty() && passes.back()[0].number > 0)
      passes.back().push_back(one);
    else
      passes.push_back({one});
  return passes;
}

// Fused output and branches, from all modalities that the case has.
template <tensor_backend Backend, class Take>
void predict_all(tape<Backend>& home, const model_plan& plan, const std::vector<ensemble_member<Backend>>& members,
                 const modality_subset& all, const output_choice& wanted, const window_options& windows,
                 const geometry& grid, const Take& take) {
  const bool fused = wanted.fused || wanted.uncertainty || wanted.entropy;
  std::vector<passed_output> outputs;
  if (fused) outputs.push_back({0, "fused"});
  for (const std::size_t m : all)
    if (wanted.branches || wanted.uncertainty)
      outputs.push_back({m + 1, wanted.branches ? "branch " + plan.modalities[m] : std::string()});
  std::vector<case_output> made;
  std::optional<image_volume> disagreement;
  for (auto& pass : passes_of(outputs, wanted.uncertainty, members[0].one->preparation.prepared(), plan, windows)) {
    output_filler<Backend> filler(home.ctx(), plan, grid, wanted, std::move(pass), wanted.uncertainty);
    fill_outputs(home, plan, members, all, windows, filler);
    if (filler.disagreement) disagreement = std::move(filler.disagreement);
    for (auto& output : filler.outputs)
      if (!output.name.empty()) made.push_back(std::move(output));
    if (wanted.uncertainty) continue;  // it belongs to the fused output, and comes last
    for (auto& output : made) take(std::move(output));
    made.clear();
  }
  if (!made.empty()) made[0].uncertainty = std::move(disagreement);
  for (auto& output : made) take(std::move(output));
}

}  // namespace infer_detail

/// Segments a prepared case by the mean probabilities of some networks and hands each output to `take(case_output&&)`:
/// fused and branches, then each set of modalities as soon as it is made, by size. Outputs that need an absent modality
/// are left out. A set that is all the case has is the fused output under another name; nothing is computed twice,
/// unless `windows.memory` asks for it.
/// @param members with cases that differ in intensities alone
/// @throws config_error for a case without any modality, and where case, network and plan do not fit
template <tensor_backend Backend, class Take>
void predict_outputs(tape<Backend>& home, const model_plan& plan, const std::vector<ensemble_member<Backend>>& members,
                     const output_choice& wanted, const window_options& windows, Take&& take) {
  infer_detail::expect_members(members, plan);
  const case_data& one = *members[0].one;
  const geometry grid = wanted.prepared_grid ? one.preparation.prepared() : one.preparation.results();
  modality_subset all;
  for (std::size_t m = 0; m < one.present.size(); ++m)
    if (one.present[m]) all.push_back(m);
  std::optional<case_output> fused;  // kept for the set that is all the case has
  const auto sets = infer_detail::subsets_of(one.present, wanted);
  const bool again = !wanted.planes && std::find(sets.begin(), sets.end(), all) != sets.end();
  if (wanted.fused || wanted.branches || wanted.uncertainty || wanted.entropy)
    infer_detail::predict_all(home, plan, members, all, wanted, windows, grid, [&](case_output&& output) {
      if (again && output.name == "fused") fused = case_output{"", output.labels, output.probabilities};
      take(std::move(output));
    });
  for (const auto& set : sets) {
    const std::string name = name_of_subset(plan.modalities, set);
    if (set == all && fused) {
      fused->name = name;
      take(*std::exchange(fused, std::nullopt));
      continue;
    }
    infer_detail::output_filler<Backend> filler(home.ctx(), plan, grid, wanted, {{0, name}}, false);
    infer_detail::fill_outputs(home, plan, members, set, windows, filler);
    take(std::move(filler.outputs[0]));
  }
}

/// The same of one network.
/// @param forward `network_output<Backend>(volumes, present, network_outputs)`, for example of a method's `predict`;
/// branches that it returns unasked are not used
template <tensor_backend Backend, class Forward, class Take>
void predict_outputs(tape<Backend>& home, const model_plan& plan, const case_data& one, const output_choice& wanted,
                     const window_options& windows, Forward&& forward, Take&& take) {
  const std::vector<ensemble_member<Backend>> members{
      {&one, [&](const auto& volumes, const auto& present, network_outputs outputs) {
         return forward(volumes, present, outputs);
       }}};
  predict_outputs<Backend>(home, plan, members, wanted, windows, std::forward<Take>(take));
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
