// SPDX-License-Identifier: Apache-2.0
/// @file
/// Uncertainty of a case: how far the branches of its modalities disagree, voxel by voxel.
#ifndef COMODAL_INFER_UNCERTAINTY_HPP
#define COMODAL_INFER_UNCERTAINTY_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/infer/probability_map.hpp>
#include <comodal/model/model_plan.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace infer_detail {

// p ln(p / q), where q is 0 only if p is.
inline double divergence_term(double p, double q) { return p > 0 ? p * std::log(p / q) : 0; }

// Adds the divergence of one channel's probabilities from their mean, over the branches, to sums of `count` voxels.
// Summed as divergences, not as a difference of entropies: it is exactly 0 where branches are equal.
inline void add_divergence(const std::vector<const float*>& p, bool binary, index count, double* sums) {
  const auto branches = static_cast<double>(p.size());
  for (index i = 0; i < count; ++i) {
    double mean = 0;
    for (const float* const branch : p) mean += static_cast<double>(branch[i]);
    mean /= branches;
    for (const float* const branch : p) {
      const auto one = static_cast<double>(branch[i]);
      sums[i] += divergence_term(one, mean) + (binary ? divergence_term(1 - one, 1 - mean) : 0);
    }
  }
}

}  // namespace infer_detail

/// The generalised Jensen-Shannon divergence (Lin, IEEE Trans. Inf. Theory 37, 1991) of K branches at each voxel, as a
/// share of its bound: with p_k the probabilities of branch k, q their mean over branches, and C classes,
///   classes:  u = (1 / K) sum_k sum_c p_kc ln(p_kc / q_c) / ln(min(M, C)), which is H(q) - (1 / K) sum_k H(p_k) over
///             that bound
///   regions:  u = the mean over channels of (1 / K) sum_k [p ln(p / q) + (1 - p) ln((1 - p) / (1 - q))] / ln 2
/// 0 where all branches agree, 1 where they are certain and differ as much as M branches can. The bound is that of the
/// model, not of the case, so that cases with and without absent modalities have one unit.
/// @param maps of the branches that are there, two or more, all of one size and number of channels
/// @param modalities M, the branches of the model
/// @return 0 to 1 per voxel, (D, H, W)
/// @throws config_error for fewer than two maps, or more than M; shape_error if they differ in size or channels
[[nodiscard]] inline std::vector<float> branch_disagreement(const std::vector<const probability_map*>& maps,
                                                            label_kind kind, std::size_t modalities) {
  if (maps.size() < 2 || maps.size() > modalities)
    throw config_error(text("branch_disagreement: ", maps.size(), " branches, expected 2 to ", modalities));
  const index channels = maps[0]->channels;
  const index voxels = maps[0]->size[0] * maps[0]->size[1] * maps[0]->size[2];
  for (const auto* map : maps)
    if (map->size != maps[0]->size || map->channels != channels ||
        static_cast<index>(map->values.size()) != channels * voxels)
      throw shape_error("branch_disagreement: the branches differ in size or channels");
  const bool binary = kind == label_kind::regions;
  if (!binary && channels < 2)
    throw shape_error(text("branch_disagreement: ", channels, " classes, expected 2 or more"));
  const double bound = binary ? std::log(2.0) * static_cast<double>(channels)
                              : std::log(std::min(static_cast<double>(modalities), static_cast<double>(channels)));
  const double share = 1 / (bound * static_cast<double>(maps.size()));
  std::vector<float> out(static_cast<std::size_t>(voxels));
  constexpr index block = 4096;
  host_slices((voxels + block - 1) / block, voxels * channels, [&](index t) {
    const index first = t * block, count = std::min(block, voxels - first);
    double sums[block] = {};
    std::vector<const float*> p(maps.size());
    for (index c = 0; c < channels; ++c) {
      for (std::size_t k = 0; k < maps.size(); ++k) p[k] = maps[k]->values.data() + c * voxels + first;
      infer_detail::add_divergence(p, binary, count, sums);
    }
    for (index i = 0; i < count; ++i)
      out[static_cast<std::size_t>(first + i)] = static_cast<float>(std::clamp(sums[i] * share, 0.0, 1.0));
  });
  return out;
}

/// The entropy of the probabilities p_c of each voxel, as a share of its bound, with C classes or regions:
///   classes:  -sum_c p_c ln p_c / ln C
///   regions:  the mean over regions of -[p ln p + (1 - p) ln(1 - p)] / ln 2
/// 0 where the model is certain, 1 where it cannot tell at all.
/// @return (D, H, W) @throws shape_error for one class
[[nodiscard]] inline std::vector<float> probability_entropy(const probability_map& map, label_kind kind) {
  const bool binary = kind == label_kind::regions;
  if (!binary && map.channels < 2)
    throw shape_error(text("probability_entropy: ", map.channels, " classes, expected 2 or more"));
  const index voxels = static_cast<index>(map.values.size()) / map.channels;
  const double bound =
      binary ? std::log(2.0) * static_cast<double>(map.channels) : std::log(static_cast<double>(map.channels));
  const auto term = [](double p) { return p > 0 && p < 1 ? -p * std::log(p) : 0; };
  std::vector<float> out(static_cast<std::size_t>(voxels));
  constexpr index block = 4096;
  host_slices((voxels + block - 1) / block, voxels * map.channels, [&](index t) {
    const index first = t * block, count = std::min(block, voxels - first);
    double sums[block] = {};
    for (index c = 0; c < map.channels; ++c)
      for (index i = 0; i < count; ++i) {
        const auto p = static_cast<double>(map.values[static_cast<std::size_t>(c * voxels + first + i)]);
        sums[i] += term(p) + (binary ? term(1 - p) : 0);
      }
    for (index i = 0; i < count; ++i)
      out[static_cast<std::size_t>(first + i)] = static_cast<float>(std::clamp(sums[i] / bound, 0.0, 1.0));
  });
  return out;
}

/// Refuses a model whose branches cannot disagree. @throws config_error for a network without branches (early fusion,
/// or `model.branches = false`), or of one modality
inline void expect_branches(const model_plan& plan, const std::string& what) {
  if (plan.modalities.size() < 2)
    throw config_error(text(what, ": the model has one modality, expected two or more: one branch cannot disagree"));
  if (!plan.network.branches || plan.network.fusion == "early")
    throw config_error(text(what, ": the model has no branches (model.",
                            plan.network.branches ? "fusion = \"early\"" : "branches = false",
                            "), expected one per modality: train one with branches"));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
