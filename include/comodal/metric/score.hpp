// SPDX-License-Identifier: Apache-2.0
/// @file
/// The scores of one case, with a stated policy for empty masks, and their summary over cases.
#ifndef COMODAL_METRIC_SCORE_HPP
#define COMODAL_METRIC_SCORE_HPP

#include <comodal/metric/surface_distance.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Unit of distances, tolerances and volumes. Voxels are for cohorts whose spacing is nominal.
enum class length_unit { mm, voxel };

[[nodiscard]] inline std::string_view name_of(length_unit u) { return u == length_unit::mm ? "mm" : "voxel"; }

/// Which of the two masks of a case is empty.
enum class mask_presence {
  both,         ///< neither is empty
  both_empty,   ///< nothing to find and nothing found: Dice, IoU and surface Dice 1, distances 0
  missed,       ///< the prediction alone is empty: Dice, IoU and surface Dice 0, distances the image's diagonal
  false_alarm,  ///< the reference alone is empty: as `missed`
};

[[nodiscard]] inline std::string_view name_of(mask_presence p) {
  constexpr std::string_view names[] = {"both", "both_empty", "missed", "false_alarm"};
  return names[static_cast<int>(p)];
}

/// What the scores of a case are in which there is nothing to find and nothing was found.
enum class empty_masks {
  perfect,  ///< Dice, IoU and surface Dice 1, distances 0
  nan,      ///< none (NaN), and means leave the case out, as nnU-Net's do
};

/// What the numbers of a score mean.
struct score_options {
  hd95_convention hd95 = hd95_convention::monai;
  assd_convention assd = assd_convention::pooled;
  length_unit unit = length_unit::mm;
  double tolerance = 2;  // of the surface Dice, in `unit`
  empty_masks both_empty = empty_masks::perfect;
};

/// One class or region of one output of one case. Distances in the options' unit; volumes in ml, or in voxels where
/// that is the unit.
struct case_score {
  std::string case_id;
  std::string output;  // "fused", "branch T1", "only T1" ...
  label_class region;
  confusion counts;
  double dice = 0, iou = 0;
  double hd95 = 0, assd = 0;
  double surface_dice = 0;
  double predicted_volume = 0, reference_volume = 0;
  mask_presence presence = mask_presence::both;
};

/// Diagonal of the whole image, sqrt(sum of (voxels * spacing)^2): 373.13 mm for BraTS' 240 x 240 x 155 at 1 mm.
[[nodiscard]] inline double image_diagonal(const geometry& g, length_unit unit = length_unit::mm) {
  const std::array<double, 3> spacing = unit == length_unit::mm ? g.spacing() : std::array<double, 3>{1, 1, 1};
  double square = 0;
  for (std::size_t a = 0; a < 3; ++a) square += std::pow(static_cast<double>(g.size[a]) * spacing[a], 2);
  return std::sqrt(square);
}

/// Makes background, in both masks, of the voxels that nobody looked at: they are neither right nor wrong. Masks of
/// different sizes stay as they are.
inline void leave_out(label_volume& prediction, label_volume& reference, const std::optional<int>& ignored) {
  if (!ignored || prediction.values.size() != reference.values.size()) return;
  for (std::size_t i = 0; i < reference.values.size(); ++i)
    if (reference.values[i] == *ignored) prediction.values[i] = reference.values[i] = 0;
}

/// Scores a prediction against its reference, one entry per class or region; the background, label value 0 alone, is
/// left out, so that `cohort::labels` may be given. Empty masks follow `mask_presence`. A voxel's volume is the
/// affine's determinant.
/// @throws geometry_error if the grids differ, config_error for a class without label values or a negative tolerance
[[nodiscard]] std::vector<case_score> score_case(const volume_view& prediction, const volume_view& reference,
                                                 const std::vector<label_class>& regions, const std::string& case_id,
                                                 const std::string& output = "fused",
                                                 const score_options& options = {});
#if COMODAL_BODIES
COMODAL_ONCE std::vector<case_score> score_case(const volume_view& prediction, const volume_view& reference,
                                                const std::vector<label_class>& regions, const std::string& case_id,
                                                const std::string& output, const score_options& options) {
  check_same_grid(prediction, reference, text("case ", case_id));
  if (!(options.tolerance >= 0))
    throw config_error(
        text("score: tolerance = ", options.tolerance, " ", name_of(options.unit), ", expected 0 or more"));
  const geometry& g = reference.grid();
  const bool mm = options.unit == length_unit::mm;
  const double unit_volume = mm ? std::abs(determinant(g.affine)) / 1000 : 1;
  std::vector<case_score> scores;
  for (const label_class& region : regions) {
    if (region.values == std::vector<int>{0}) continue;
    case_score s{
        .case_id = case_id, .output = output, .region = region, .counts = count_overlap(prediction, reference, region)};
    s.dice = dice(s.counts);
    s.iou = iou(s.counts);
    s.predicted_volume = static_cast<double>(s.counts.predicted()) * unit_volume;
    s.reference_volume = static_cast<double>(s.counts.reference()) * unit_volume;
    if (s.counts.both_empty()) {
      s.presence = mask_presence::both_empty;
      s.surface_dice = 1;
      if (options.both_empty == empty_masks::nan)
        s.dice = s.iou = s.surface_dice = s.hd95 = s.assd = std::numeric_limits<double>::quiet_NaN();
    } else if (s.counts.one_empty()) {
      s.presence = s.counts.predicted() == 0 ? mask_presence::missed : mask_presence::false_alarm;
      s.hd95 = s.assd = image_diagonal(g, options.unit);
    } else {
      const surface_distances d =
          measure_surfaces(prediction, reference, region, mm ? g.spacing() : std::array<double, 3>{1, 1, 1});
      s.hd95 = hd95(d, options.hd95);
      s.assd = assd(d, options.assd);
      s.surface_dice = surface_dice(d, options.tolerance);
    }
    scores.push_back(std::move(s));
  }
  return scores;
}
#endif

/// One class or region of one output over the cases that have a score: all, but for `empty_masks::nan`.
struct score_summary {
  std::string output;
  label_class region;
  index cases = 0;
  mean_deviation dice{}, iou{}, hd95{}, assd{}, surface_dice{};
  index n_both_empty = 0, n_missed = 0, n_false_alarm = 0;
};

/// Summaries by output and region, in the order in which they first appear.
[[nodiscard]] std::vector<score_summary> summarise(const std::vector<case_score>& scores);
#if COMODAL_BODIES
COMODAL_ONCE std::vector<score_summary> summarise(const std::vector<case_score>& scores) {
  std::vector<score_summary> result;
  for (const case_score& s : scores) {
    const auto same = [&s](const score_summary& r) { return r.output == s.output && r.region.name == s.region.name; };
    if (std::none_of(result.begin(), result.end(), same)) result.push_back({.output = s.output, .region = s.region});
  }
  for (score_summary& r : result) {
    std::vector<double> dices, ious, hd95s, assds, surfaces;
    for (const case_score& s : scores) {
      if (s.output != r.output || s.region.name != r.region.name) continue;
      if (!std::isnan(s.dice)) {
        ++r.cases;
        dices.push_back(s.dice);
        ious.push_back(s.iou);
        hd95s.push_back(s.hd95);
        assds.push_back(s.assd);
        surfaces.push_back(s.surface_dice);
      }
      r.n_both_empty += s.presence == mask_presence::both_empty;
      r.n_missed += s.presence == mask_presence::missed;
      r.n_false_alarm += s.presence == mask_presence::false_alarm;
    }
    const auto nothing = std::numeric_limits<double>::quiet_NaN();
    const auto of = [&](const std::vector<double>& values) {
      return values.empty() ? mean_deviation{nothing, nothing} : describe(values);
    };
    r.dice = of(dices);
    r.iou = of(ious);
    r.hd95 = of(hd95s);
    r.assd = of(assds);
    r.surface_dice = of(surfaces);
  }
  return result;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
