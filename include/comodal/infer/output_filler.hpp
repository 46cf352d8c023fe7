// SPDX-License-Identifier: Apache-2.0
/// @file
/// The outputs of one pass over the windows of a case, filled plane by plane.
#ifndef COMODAL_INFER_OUTPUT_FILLER_HPP
#define COMODAL_INFER_OUTPUT_FILLER_HPP

#include <comodal/infer/case_output.hpp>
#include <comodal/infer/uncertainty.hpp>
#include <comodal/infer/window_sums.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::infer_detail {

// An output of the network that a pass computes.
struct passed_output {
  std::size_t number = 0;  // 0: fused; m + 1: the branch of modality m
  std::string name;        // empty: it is not kept
};

// Takes the planes of the outputs of a pass.
template <tensor_backend Backend>
class output_filler {
 public:
  // `grid`: of the outputs; `disagreement`: that of the branches among the outputs is wanted.
  output_filler(context<Backend>& ctx, const model_plan& plan, const geometry& grid, const output_choice& wanted,
                std::vector<passed_output> passed, bool disagreement)
      : m_context(&ctx),
        m_plan(&plan),
        m_wanted(&wanted),
        m_grid(grid),
        m_passed(std::move(passed)),
        m_disagree(disagreement),
        m_label(ctx, labels_of_channels(plan), plan.has_regions()) {
    for (const auto& one : m_passed) outputs.push_back({one.name, {}});
  }

  std::vector<case_output> outputs;            // in the order of the pass
  std::optional<image_volume> disagreement{};  // of the branches

  // (D, H, W) of the outputs.
  [[nodiscard]] extent3 size() const { return {m_grid.size[2], m_grid.size[1], m_grid.size[0]}; }
  [[nodiscard]] const std::vector<passed_output>& passed() const { return m_passed; }

  void take(const finished_planes<Backend>& done) {
    std::vector<probability_map> branches;
    for (std::size_t k = 0; k < m_passed.size(); ++k) {
      const auto& p = done.outputs.at(k);
      expect_channels(p.shape()[0], *m_plan);
      const bool branch = m_passed[k].number > 0, kept = !m_passed[k].name.empty();
      const bool entropy = m_wanted->entropy && m_passed[k].name == "fused";
      if (kept) put(outputs[k].labels, m_label(p), done.first);
      if (!(kept && (m_wanted->probabilities || m_wanted->planes)) && !entropy && !(m_disagree && branch)) continue;
      probability_map map{{done.planes, size()[1], size()[2]}, p.shape()[0], to_host(m_context->space(), p)};
      if (kept && m_wanted->probabilities) keep(outputs[k], map, done.first);
      if (kept && m_wanted->planes) m_wanted->planes(m_passed[k].name, done.first, map);
      if (entropy) put(outputs[k].entropy, probability_entropy(map, kind()), done.first);
      if (m_disagree && branch) branches.push_back(std::move(map));
    }
    if (branches.size() < 2) return;  // one branch has nobody to disagree with
    std::vector<const probability_map*> maps;
    for (const auto& map : branches) maps.push_back(&map);
    put(disagreement, branch_disagreement(maps, kind(), m_plan->modalities.size()), done.first);
  }

 private:
  [[nodiscard]] label_kind kind() const { return m_plan->has_regions() ? label_kind::regions : label_kind::classes; }

  // Puts planes of values in their place in a volume of the whole case.
  template <class Scalar>
  void put(volume<Scalar>& whole, const std::vector<Scalar>& values, index first) const {
    if (whole.values.empty()) whole = {m_grid, std::vector<Scalar>(static_cast<std::size_t>(m_grid.voxels()))};
    std::copy(values.begin(), values.end(), whole.values.begin() + first * m_grid.size[0] * m_grid.size[1]);
  }
  template <class Scalar>
  void put(std::optional<volume<Scalar>>& whole, const std::vector<Scalar>& values, index first) const {
    if (!whole) whole.emplace();
    put(*whole, values, first);
  }
  void keep(case_output& out, const probability_map& planes, index first) const {
    if (!out.probabilities) out.probabilities = map_of(size(), planes.channels);
    const index plane = m_grid.size[0] * m_grid.size[1], count = planes.size[0] * plane;
    for (index c = 0; c < planes.channels; ++c)
      std::copy_n(planes.values.begin() + c * count, count,
                  out.probabilities->values.begin() + (c * size()[0] + first) * plane);
  }

  context<Backend>* m_context;
  const model_plan* m_plan;
  const output_choice* m_wanted;
  geometry m_grid;
  std::vector<passed_output> m_passed;
  bool m_disagree;
  labeller<Backend> m_label;
};

}  // namespace comodal::inline COMODAL_CONFIG::infer_detail

#endif
