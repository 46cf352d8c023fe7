// SPDX-License-Identifier: Apache-2.0
/// @file
/// The label maps of one case: fused, by branch, and from each modality alone (method.md: three outputs with three
/// names).
#ifndef COMODAL_INFER_PREDICT_CASE_HPP
#define COMODAL_INFER_PREDICT_CASE_HPP

#include <comodal/infer/sliding_window.hpp>
#include <comodal/model/model_file.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Which outputs of a case are wanted.
struct output_choice {
  bool fused = true;      // p_f from all modalities that are there
  bool branches = false;  // p_m: modality m's own decoder, which has seen the others
  bool only = false;      // p_f from modality m alone
};

/// One output of a case, on the prepared grid: `fused`, `branch T1`, `only T1` ...
struct case_output {
  std::string name;
  label_volume labels;
};

namespace detail {

inline label_volume labels_on(const geometry& grid, const probability_map& map, const model_plan& plan) {
  if (map.channels != plan.channels())
    throw config_error(text("predict_case: the network's logits have ", map.channels, " channels, the plan expects ",
                            plan.channels()));
  label_volume out{grid, {}};
  if (plan.has_regions()) {
    out.values = labels_of_regions(map, std::vector<std::uint8_t>(plan.region_order.begin(), plan.region_order.end()));
    return out;
  }
  out.values = most_probable(map);
  for (auto& v : out.values) v = static_cast<std::uint8_t>(plan.labels[v].values[0]);
  return out;
}

}  // namespace detail

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
  const geometry grid = one.grid.prepared();
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
  if (wanted.fused || wanted.branches) {
    const auto maps = run(present, wanted.branches ? network_outputs::all : network_outputs::fused_only);
    if (wanted.fused) results.push_back({"fused", detail::labels_on(grid, maps[0], plan)});
    for (std::size_t m = 0; m + 1 < maps.size(); ++m)
      if (one.present[m])
        results.push_back({"branch " + plan.modalities[m], detail::labels_on(grid, maps[m + 1], plan)});
  }
  for (std::size_t m = 0; wanted.only && m < images.size(); ++m) {
    if (!one.present[m]) continue;
    std::vector<float> alone(images.size(), 0.f);
    alone[m] = 1;
    results.push_back(
        {"only " + plan.modalities[m], detail::labels_on(grid, run(alone, network_outputs::fused_only)[0], plan)});
  }
  return results;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
