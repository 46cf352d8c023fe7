// SPDX-License-Identifier: Apache-2.0
/// @file
/// Lesion-wise scores as in the BraTS challenge of 2023: each lesion has scores of its own, and what is found
/// where there is none counts as a lesion without overlap.
#ifndef COMODAL_METRIC_LESION_SCORES_HPP
#define COMODAL_METRIC_LESION_SCORES_HPP

#include <comodal/data/box.hpp>
#include <comodal/data/morphology.hpp>
#include <comodal/metric/score.hpp>
#include <comodal/metric/tables.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What a lesion is. The defaults are those of BraTS 2023 for gliomas; for metastases and meningiomas `dilation` is 1,
/// for metastases `smallest` 2.
struct lesion_options {
  index dilation = 3;    // times by which the true mask grows by the 18 neighbours of a voxel: parts that meet then are
                         // one lesion
  double smallest = 50;  // mm^3: lesions of this volume or less are left out
  double penalty = 374;  // mm: HD95 of a lesion that is missed, or found where there is none
  hd95_convention hd95 = hd95_convention::monai;
};

/// The lesions of one class or region of one case.
struct lesion_score {
  std::string case_id, output;
  label_class region;
  index lesions = 0;          // of the true mask, but for small ones
  index missed = 0;           // of them, those that no predicted component touches
  index invented = 0;         // predicted components that touch no lesion, small ones included
  double dice = 1, hd95 = 0;  // means over lesions and invented ones; 1 and 0 where there is neither
};

namespace metric_detail {

// The mask grown by the 18 neighbours of its voxels (those that share a face or an edge), some times.
[[nodiscard]] inline label_volume grown_by_edges(label_volume mask, index times) {
  const auto& size = mask.geometry.size;
  for (index t = 0; t < times; ++t) {
    const label_volume before = mask;
    host_slices(size[2], mask.geometry.voxels(), [&](index k) {
      for (index j = 0; j < size[1]; ++j)
        for (index i = 0; i < size[0]; ++i) {
          if (before.at(i, j, k) != 0) continue;
          bool near = false;
          for (index z = std::max<index>(k - 1, 0); z <= std::min(k + 1, size[2] - 1) && !near; ++z)
            for (index y = std::max<index>(j - 1, 0); y <= std::min(j + 1, size[1] - 1) && !near; ++y)
              for (index x = std::max<index>(i - 1, 0); x <= std::min(i + 1, size[0] - 1) && !near; ++x)
                near = (x == i || y == j || z == k) && before.at(x, y, z) != 0;
          if (near) mask.at(i, j, k) = 1;
        }
    });
  }
  return mask;
}

// The voxels of the components of a mask, by component, from 1 on.
[[nodiscard]] inline std::vector<std::vector<index>> voxels_of(const mask_islands& islands) {
  std::vector<std::vector<index>> out(islands.voxels.size());
  for (std::size_t i = 0; i < islands.of_voxel.size(); ++i)
    if (islands.of_voxel[i] > 0) out[static_cast<std::size_t>(islands.of_voxel[i])].push_back(static_cast<index>(i));
  return out;
}

// Dice and HD95 of two lists of voxels of a grid.
[[nodiscard]] inline std::pair<double, double> compared(const geometry& grid, const std::vector<index>& prediction,
                                                        const std::vector<index>& reference, hd95_convention how) {
  box around{grid.size, {0, 0, 0}};
  const auto place = [&](index v) {
    return std::array<index, 3>{v % grid.size[0], v / grid.size[0] % grid.size[1], v / (grid.size[0] * grid.size[1])};
  };
  for (const auto* list : {&prediction, &reference})
    for (const index v : *list)
      for (std::size_t a = 0; a < 3; ++a) {
        around.first[a] = std::min(around.first[a], place(v)[a]);
        around.last[a] = std::max(around.last[a], place(v)[a] + 1);
      }
  const geometry part = crop(grid, around);
  const auto mask_of = [&](const std::vector<index>& list) {
    label_volume mask{part, std::vector<std::uint8_t>(static_cast<std::size_t>(part.voxels()))};
    for (const index v : list) {
      const auto at = place(v);
      mask.at(at[0] - around.first[0], at[1] - around.first[1], at[2] - around.first[2]) = 1;
    }
    return mask;
  };
  const label_volume p = mask_of(prediction), r = mask_of(reference);
  const label_class one{"lesion", {1}};
  return {dice(count_overlap(p, r, one)), hd95(measure_surfaces(p, r, one, part.spacing()), how)};
}

}  // namespace metric_detail

/// Scores the lesions of one class or region. Lesions are the components (26 neighbours) of the true mask when it has
/// grown by `dilation`; a predicted component (26 neighbours) belongs to every grown lesion that it has a voxel of. The
/// Dice and the HD95 of a lesion are those of its own voxels and all predicted components that belong to it; a lesion
/// without one has Dice 0 and the penalty, and so has a predicted component that belongs to none.
/// Source of the rules: the description of the BraTS 2023 metrics.
/// @throws geometry_error if the grids differ; config_error for a class without label values, or options that make no
/// sense
[[nodiscard]] lesion_score score_lesions(const label_volume& prediction, const label_volume& reference,
                                         const label_class& region, const std::string& case_id,
                                         const std::string& output = "fused", const lesion_options& options = {});
#if COMODAL_BODIES
COMODAL_ONCE lesion_score score_lesions(const label_volume& prediction, const label_volume& reference,
                                        const label_class& region, const std::string& case_id,
                                        const std::string& output, const lesion_options& options) {
  check_same_grid(prediction, reference, text("lesions of case ", case_id));
  if (options.dilation < 0 || options.dilation > 100 || !(options.smallest >= 0) || !(options.penalty >= 0))
    throw config_error(text("lesions: dilation ", options.dilation, ", smallest ", options.smallest, ", penalty ",
                            options.penalty, "; expected 0 to 100, and no negative numbers"));
  const auto set = detail::label_set(region);
  lesion_score score{case_id, output, region};
  label_volume both = reference;
  for (std::size_t i = 0; i < both.values.size(); ++i)
    both.values[i] = set[both.values[i]] || set[prediction.values[i]];
  const box found = bounding_box(both);
  if (found.empty()) return score;
  const box around = grown(found, options.dilation + 1, reference.geometry);
  label_volume predicted = crop(prediction, around), truth = crop(reference, around);
  for (auto* mask : {&predicted, &truth})
    for (std::uint8_t& v : mask->values) v = set[v];

  const mask_islands parts = find_islands(predicted, connectivity::corners);
  const mask_islands lesions =
      find_islands(metric_detail::grown_by_edges(truth, options.dilation), connectivity::corners);
  std::vector<std::vector<index>> own(lesions.voxels.size());  // voxels of the true mask, by lesion
  std::vector<std::set<std::int32_t>> touching(lesions.voxels.size());
  std::vector<bool> belongs(parts.voxels.size(), false);
  for (std::size_t i = 0; i < truth.values.size(); ++i) {
    const auto lesion = static_cast<std::size_t>(lesions.of_voxel[i]);
    if (lesion == 0) continue;
    if (truth.values[i] != 0) own[lesion].push_back(static_cast<index>(i));
    if (const std::int32_t part = parts.of_voxel[i]; part > 0) {
      touching[lesion].insert(part);
      belongs[static_cast<std::size_t>(part)] = true;
    }
  }
  const auto voxels = metric_detail::voxels_of(parts);
  const double voxel = std::abs(determinant(reference.geometry.affine));
  double dices = 0, distances = 0;
  for (std::size_t lesion = 1; lesion < own.size(); ++lesion) {
    if (static_cast<double>(own[lesion].size()) * voxel <= options.smallest) continue;
    ++score.lesions;
    if (touching[lesion].empty()) {
      ++score.missed;
      distances += options.penalty;
      continue;
    }
    std::vector<index> all;
    for (const std::int32_t part : touching[lesion]) {
      const auto& more = voxels[static_cast<std::size_t>(part)];
      all.insert(all.end(), more.begin(), more.end());
    }
    const auto [d, h] = metric_detail::compared(truth.geometry, all, own[lesion], options.hd95);
    dices += d;
    distances += h;
  }
  score.invented = std::count(belongs.begin() + 1, belongs.end(), false);
  distances += static_cast<double>(score.invented) * options.penalty;
  if (const index all = score.lesions + score.invented; all > 0) {
    score.dice = dices / static_cast<double>(all);
    score.hd95 = distances / static_cast<double>(all);
  }
  return score;
}
#endif

/// One row per case, output and region, in full precision. Names of cases are readable names.
[[nodiscard]] inline text_table lesion_table(const std::vector<lesion_score>& scores, const lesion_options& options) {
  text_table table{{"case", "output", "class", "lesion_dice", text("lesion_hd95_", name_of(options.hd95), "_mm"),
                    "lesions", "missed", "invented"},
                   {}};
  for (const lesion_score& s : scores)
    table.rows.push_back({readable_name(s.case_id), s.output, s.region.name, detail::exact(s.dice),
                          detail::exact(s.hd95), std::to_string(s.lesions), std::to_string(s.missed),
                          std::to_string(s.invented)});
  return table;
}

/// One row per output and region: means over cases, and sums of lesions.
[[nodiscard]] inline text_table lesion_summary(const std::vector<lesion_score>& scores) {
  text_table table{{"output", "class", "cases", "lesion Dice", "lesion HD95 [mm]", "lesions", "missed", "invented"},
                   {}};
  std::vector<std::pair<std::string, std::string>> keys;
  for (const auto& s : scores)
    if (std::pair key{s.output, s.region.name}; std::find(keys.begin(), keys.end(), key) == keys.end())
      keys.push_back(std::move(key));
  for (const auto& [output, name] : keys) {
    std::vector<double> dices, distances;
    index lesions = 0, missed = 0, invented = 0;
    for (const auto& s : scores) {
      if (s.output != output || s.region.name != name) continue;
      dices.push_back(s.dice);
      distances.push_back(s.hd95);
      lesions += s.lesions, missed += s.missed, invented += s.invented;
    }
    table.rows.push_back({output, name, std::to_string(dices.size()), detail::mean_and_deviation(describe(dices), 4),
                          detail::mean_and_deviation(describe(distances), 2), std::to_string(lesions),
                          std::to_string(missed), std::to_string(invented)});
  }
  return table;
}

/// The rules in a line, for captions.
[[nodiscard]] inline std::string describe_lesions(const lesion_options& o) {
  return text("lesion-wise as BraTS 2023: true mask grown ", o.dilation, " times, lesions of ",
              detail::exact(o.smallest), " mm^3 or less left out, HD95 ", name_of(o.hd95), ", ",
              detail::exact(o.penalty), " mm and Dice 0 for a lesion that is missed or invented");
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
