// SPDX-License-Identifier: Apache-2.0
/// @file
/// What an uncertainty map is worth: its mean over a case, and whether it is high where the mask is wrong.
#ifndef COMODAL_METRIC_UNCERTAINTY_HPP
#define COMODAL_METRIC_UNCERTAINTY_HPP

#include <comodal/data/morphology.hpp>
#include <comodal/metric/overlap.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// How uncertainty is judged.
struct uncertainty_options {
  int border = 2;  // voxels along axes: how far from the predicted foreground voxels still count
  int bins = 10;   // of a reliability table
};

/// The voxels where a case's uncertainty counts: 1 in the predicted foreground (mask not 0) and its border, the voxels
/// at most `border` steps along axes from it; elsewhere 0. Nothing for an empty mask.
/// @param mask uint8
[[nodiscard]] inline label_volume judged_voxels(const volume_view& mask, const uncertainty_options& options = {}) {
  const auto labels = mask.values<std::uint8_t>();
  label_volume foreground{mask.grid(), std::vector<std::uint8_t>(labels.size())};
  std::transform(labels.begin(), labels.end(), foreground.values.begin(), [](std::uint8_t v) { return v != 0; });
  return dilation(foreground, options.border);
}

/// A case's uncertainty as one number.
struct case_uncertainty {
  double mean = std::numeric_limits<double>::quiet_NaN();  // over the judged voxels; NaN where there is none
  index voxels = 0;                                        // that are judged
  index predicted = 0;                                     // voxels of the predicted foreground
};

/// The uncertainties of judged voxels, of one case or of several, apart by whether the mask is wrong there.
struct voxel_uncertainty {
  std::vector<float> right, wrong;
  index wrong_elsewhere = 0;  // wrong voxels that are not judged: foreground that was missed far from the predicted one

  [[nodiscard]] std::size_t voxels() const { return right.size() + wrong.size(); }
  /// Judged voxels where the mask is wrong, as a share; NaN where none is judged.
  [[nodiscard]] double error_rate() const { return static_cast<double>(wrong.size()) / static_cast<double>(voxels()); }
  /// Adds the voxels of another case.
  voxel_uncertainty& operator+=(const voxel_uncertainty& other) {
    right.insert(right.end(), other.right.begin(), other.right.end());
    wrong.insert(wrong.end(), other.wrong.begin(), other.wrong.end());
    wrong_elsewhere += other.wrong_elsewhere;
    return *this;
  }
};

/// One row of a reliability table: the voxels whose uncertainty is above that of the row before and at most `to`.
struct reliability_bin {
  double from = 0, to = 0;  // the least and the greatest uncertainty in it
  index voxels = 0;
  double uncertainty = 0;  // mean
  double error_rate = 0;   // wrong voxels, as a share
};

namespace metric_detail {

inline void check_uncertainty_map(const volume_view& map, const volume_view& mask) {
  if (const std::string how = grid_difference(map.grid(), mask.grid()); !how.empty())
    throw geometry_error(text("uncertainty: the map's grid differs from the mask's: ", how));
  for (const float u : map.values<float>())
    if (!(u >= 0 && u <= 1)) throw config_error(text("uncertainty: the map holds ", u, ", expected 0 to 1"));
}

// A number for each label value: equal for two values that the same classes and regions hold.
inline std::array<int, 256> label_groups(const std::vector<label_class>& classes) {
  std::array<std::vector<bool>, 256> held;
  for (const label_class& c : classes) {
    const auto set = detail::label_set(c);
    for (std::size_t v = 0; v < 256; ++v)
      if (c.values != std::vector{0}) held[v].push_back(set[v]);
  }
  std::map<std::vector<bool>, int> numbers;
  std::array<int, 256> groups{};
  for (std::size_t v = 0; v < 256; ++v)
    groups[v] = numbers.try_emplace(held[v], static_cast<int>(numbers.size())).first->second;
  return groups;
}

// The mean of ascending values, and how many there are.
struct run_of_values {
  std::vector<float>::const_iterator first, last;
  [[nodiscard]] index count() const { return last - first; }
  [[nodiscard]] double sum() const {
    double all = 0;
    for (auto at = first; at != last; ++at) all += static_cast<double>(*at);
    return all;
  }
};

}  // namespace metric_detail

/// The mean of a map over a case's judged voxels. @param map float, 0 to 1 @param mask uint8, on the map's grid
/// @throws geometry_error if the grids differ; config_error for a value outside 0 to 1 and another type
[[nodiscard]] case_uncertainty mean_uncertainty(const volume_view& map, const volume_view& mask,
                                                const uncertainty_options& options = {});
#if COMODAL_BODIES
COMODAL_ONCE case_uncertainty mean_uncertainty(const volume_view& map, const volume_view& mask,
                                               const uncertainty_options& options) {
  metric_detail::check_uncertainty_map(map, mask);
  const auto judged = judged_voxels(mask, options);
  const auto values = map.values<float>();
  const auto labels = mask.values<std::uint8_t>();
  case_uncertainty out;
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    out.predicted += labels[i] != 0;
    if (judged.values[i] == 0) continue;
    ++out.voxels;
    sum += static_cast<double>(values[i]);
  }
  if (out.voxels > 0) out.mean = sum / static_cast<double>(out.voxels);
  return out;
}
#endif

/// The uncertainties of a case's judged voxels. The mask is wrong at a voxel if a class or region holds one of both
/// labels there and not the other.
/// @param map float, 0 to 1 @param mask, truth uint8, on the map's grid
/// @throws geometry_error if the grids differ; config_error for a value outside 0 to 1 and another type
[[nodiscard]] voxel_uncertainty judge_uncertainty(const volume_view& map, const volume_view& mask,
                                                  const volume_view& truth, const std::vector<label_class>& classes,
                                                  const uncertainty_options& options = {});
#if COMODAL_BODIES
COMODAL_ONCE voxel_uncertainty judge_uncertainty(const volume_view& map, const volume_view& mask,
                                                 const volume_view& truth, const std::vector<label_class>& classes,
                                                 const uncertainty_options& options) {
  check_same_grid(mask, truth, "uncertainty");
  metric_detail::check_uncertainty_map(map, mask);
  const auto groups = metric_detail::label_groups(classes);
  const auto judged = judged_voxels(mask, options);
  const auto values = map.values<float>();
  const auto predicted = mask.values<std::uint8_t>(), labels = truth.values<std::uint8_t>();
  voxel_uncertainty out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool wrong = groups[predicted[i]] != groups[labels[i]];
    if (judged.values[i] != 0)
      (wrong ? out.wrong : out.right).push_back(values[i]);
    else
      out.wrong_elsewhere += wrong;
  }
  std::sort(out.right.begin(), out.right.end());
  std::sort(out.wrong.begin(), out.wrong.end());
  return out;
}
#endif

/// Reliability: the voxels in bins of equal mass by their uncertainty, with mean uncertainty and error rate of each.
/// Bin b ends at the uncertainty of rank ceil(n (b + 1) / bins); voxels of equal uncertainty share a bin, and bins that
/// hold no voxel are left out, so that the table does not depend on the order of voxels.
/// @throws config_error for fewer than one bin
[[nodiscard]] std::vector<reliability_bin> reliability_table(voxel_uncertainty voxels, int bins = 10);
#if COMODAL_BODIES
COMODAL_ONCE std::vector<reliability_bin> reliability_table(voxel_uncertainty voxels, int bins) {
  if (bins < 1) throw config_error(text("reliability: ", bins, " bins, expected 1 or more"));
  auto& [right, wrong, elsewhere] = voxels;
  std::sort(right.begin(), right.end());
  std::sort(wrong.begin(), wrong.end());
  std::vector<float> all(voxels.voxels());
  std::merge(right.begin(), right.end(), wrong.begin(), wrong.end(), all.begin());
  std::vector<reliability_bin> table;
  auto right_from = right.cbegin(), wrong_from = wrong.cbegin();
  for (std::size_t b = 0, from = 0; b < static_cast<std::size_t>(bins) && from < all.size(); ++b) {
    const std::size_t n = static_cast<std::size_t>(bins), rank = (all.size() * (b + 1) + n - 1) / n;
    if (rank <= from) continue;
    const float edge = all[rank - 1];
    const metric_detail::run_of_values correct{right_from, std::upper_bound(right_from, right.cend(), edge)};
    const metric_detail::run_of_values failed{wrong_from, std::upper_bound(wrong_from, wrong.cend(), edge)};
    const index count = correct.count() + failed.count();
    table.push_back({static_cast<double>(all[from]), static_cast<double>(edge), count,
                     (correct.sum() + failed.sum()) / static_cast<double>(count),
                     static_cast<double>(failed.count()) / static_cast<double>(count)});
    from += static_cast<std::size_t>(count);
    right_from = correct.last;
    wrong_from = failed.last;
  }
  return table;
}
#endif

/// Expected calibration error: the mean over voxels of |mean uncertainty - error rate| of their bin; NaN without one.
[[nodiscard]] inline double calibration_error(const std::vector<reliability_bin>& table) {
  double sum = 0, voxels = 0;
  for (const reliability_bin& bin : table) {
    sum += static_cast<double>(bin.voxels) * std::abs(bin.uncertainty - bin.error_rate);
    voxels += static_cast<double>(bin.voxels);
  }
  return sum / voxels;
}

/// The area under the ROC curve of "the mask is wrong here" by uncertainty: the probability that a wrong voxel is more
/// uncertain than a right one, ties counted half. Exact, by sorting. NaN where no voxel is wrong, or none is right.
[[nodiscard]] double error_auroc(voxel_uncertainty voxels);
#if COMODAL_BODIES
COMODAL_ONCE double error_auroc(voxel_uncertainty voxels) {
  auto& [right, wrong, elsewhere] = voxels;
  std::sort(right.begin(), right.end());
  std::sort(wrong.begin(), wrong.end());
  std::size_t below = 0, equal = 0;  // right voxels of less uncertainty than the wrong one, and of up to as much
  double wins = 0;                   // whole and half numbers below 2^52: exact
  for (const float u : wrong) {
    while (below < right.size() && right[below] < u) ++below;
    while (equal < right.size() && right[equal] <= u) ++equal;
    wins += static_cast<double>(below + equal) / 2;
  }
  return wins / (static_cast<double>(right.size()) * static_cast<double>(wrong.size()));
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
