// SPDX-License-Identifier: Apache-2.0
/// @file
/// Counts of agreeing and disagreeing voxels of two label maps, and the overlap scores that follow from them.
#ifndef COMODAL_METRIC_OVERLAP_HPP
#define COMODAL_METRIC_OVERLAP_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/cohort.hpp>
#include <comodal/data/volume_view.hpp>

#include <array>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// nnU-Net's key of a class: `1` for one label value, `(1, 3)` for a region.
[[nodiscard]] inline std::string label_key(const label_class& c) {
  if (c.values.size() == 1) return std::to_string(c.values[0]);
  std::string out = "(";
  for (std::size_t i = 0; i < c.values.size(); ++i) out += text(i ? ", " : "", c.values[i]);
  return out + ")";
}

/// Voxels by (predicted, true): both, predicted alone, true alone, neither.
struct confusion {
  index tp = 0, fp = 0, fn = 0, tn = 0;

  /// Voxels of the prediction.
  [[nodiscard]] index predicted() const { return tp + fp; }
  /// Voxels of the reference.
  [[nodiscard]] index reference() const { return tp + fn; }
  /// Adds the voxels of another part of the grid.
  confusion& operator+=(const confusion& other) {
    tp += other.tp, fp += other.fp, fn += other.fn, tn += other.tn;
    return *this;
  }
  [[nodiscard]] bool both_empty() const { return tp + fp + fn == 0; }
  /// Exactly one of the two is empty.
  [[nodiscard]] bool one_empty() const { return !both_empty() && (predicted() == 0 || reference() == 0); }
};

/// Checks that prediction and reference, both uint8, lie on one grid (`grid_difference`) and fill it.
/// @throws geometry_error otherwise; config_error for another type
inline void check_same_grid(const volume_view& prediction, const volume_view& reference, const std::string& what) {
  const std::string difference = grid_difference(prediction.grid(), reference.grid());
  if (!difference.empty())
    throw geometry_error(text(what, ": the prediction's grid differs from the reference's: ", difference,
                              "; resample the prediction to the reference's grid before it is scored"));
  for (const auto* v : {&prediction, &reference})
    if (static_cast<index>(v->values<std::uint8_t>().size()) != v->grid().voxels())
      throw geometry_error(text(what, ": ", v->voxels(), " values for a grid of ", v->grid().voxels(), " voxels"));
}

namespace detail {

[[nodiscard]] inline std::array<bool, 256> label_set(const label_class& c) {
  check_label_values(c);
  std::array<bool, 256> set{};
  for (const int value : c.values) set[static_cast<std::size_t>(value)] = true;
  return set;
}

}  // namespace detail

/// Counts the voxels of one class or region over the whole grid.
/// @throws geometry_error if the grids differ, config_error for a class without label values
[[nodiscard]] inline confusion count_overlap(const volume_view& prediction, const volume_view& reference,
                                             const label_class& c) {
  check_same_grid(prediction, reference, text("overlap of '", c.name, "'"));
  const std::array<bool, 256> set = detail::label_set(c);
  const index n = reference.voxels();
  const auto predicted = prediction.values<std::uint8_t>(), truth = reference.values<std::uint8_t>();
  confusion counts = host_sum(n, confusion{}, [&](index first, index last) {
    confusion block;
    for (index i = first; i < last; ++i) {
      const bool p = set[predicted[static_cast<std::size_t>(i)]], r = set[truth[static_cast<std::size_t>(i)]];
      block.tp += p && r;
      block.fp += p && !r;
      block.fn += !p && r;
    }
    return block;
  });
  counts.tn = n - counts.tp - counts.fp - counts.fn;
  return counts;
}

/// Dice, 2 tp / (2 tp + fp + fn); 1 where both are empty, 0 where one is.
[[nodiscard]] inline double dice(const confusion& c) {
  return c.both_empty() ? 1.0 : 2.0 * static_cast<double>(c.tp) / static_cast<double>(c.predicted() + c.reference());
}

/// Intersection over union (Jaccard), tp / (tp + fp + fn); 1 where both are empty, 0 where one is.
[[nodiscard]] inline double iou(const confusion& c) {
  return c.both_empty() ? 1.0 : static_cast<double>(c.tp) / static_cast<double>(c.tp + c.fp + c.fn);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
