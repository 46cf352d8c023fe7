// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which slices are shown: those with the most truth, whatever a method found; without truth those with the most of a
/// mask.
#ifndef COMODAL_REPORT_SLICE_CHOICE_HPP
#define COMODAL_REPORT_SLICE_CHOICE_HPP

#include <comodal/report/planes.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The place through which slices are shown, and why.
struct slice_choice {
  voxel_place place{};
  std::string reason;
};

namespace detail {

/// The largest count; of equal ones that which is nearest to the mean place, so that of a block the middle is taken.
[[nodiscard]] inline index fullest(const std::vector<index>& counts) {
  double sum = 0, moment = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    sum += static_cast<double>(counts[i]);
    moment += static_cast<double>(counts[i]) * static_cast<double>(i);
  }
  const double mean = sum > 0 ? moment / sum : static_cast<double>(counts.size() - 1) / 2;
  const auto away = [&](std::size_t i) { return std::abs(static_cast<double>(i) - mean); };
  std::size_t best = 0;
  for (std::size_t i = 1; i < counts.size(); ++i)
    if (counts[i] > counts[best] || (counts[i] == counts[best] && away(i) < away(best))) best = i;
  return static_cast<index>(best);
}

/// Labelled voxels by their place on an axis; with `slice` 0 or more only those of that axial slice.
[[nodiscard]] inline std::vector<index> labelled_along(const label_volume& v, std::size_t axis, index slice = -1) {
  std::vector<index> counts(static_cast<std::size_t>(v.geometry.size[axis]));
  voxel_place p{};
  for (p[2] = slice < 0 ? 0 : slice; p[2] < (slice < 0 ? v.geometry.size[2] : slice + 1); ++p[2])
    for (p[1] = 0; p[1] < v.geometry.size[1]; ++p[1])
      for (p[0] = 0; p[0] < v.geometry.size[0]; ++p[0])
        if (v.at(p[0], p[1], p[2]) != 0) ++counts[static_cast<std::size_t>(p[axis])];
  return counts;
}

[[nodiscard]] inline bool labelled_anywhere(const label_volume& v) {
  return std::any_of(v.values.begin(), v.values.end(), [](std::uint8_t label) { return label != 0; });
}

/// The axial slice with the most labelled voxels; in it the row and the column with the most.
[[nodiscard]] inline voxel_place fullest_place(const label_volume& v) {
  voxel_place place{};
  place[2] = fullest(labelled_along(v, 2));
  for (std::size_t axis = 0; axis < 2; ++axis) place[axis] = fullest(labelled_along(v, axis, place[2]));
  return place;
}

[[nodiscard]] inline slice_choice middle_slices(const geometry& grid) {
  const auto& size = grid.size;
  return {{size[0] / 2, size[1] / 2, size[2] / 2}, "nothing is labelled in this case: the middle slices"};
}

}  // namespace detail

/// The axial slice with the most voxels of all classes of the truth; in it the row and the column with the most. Where
/// the truth is empty the same of the prediction, and where nothing is labelled the middle.
/// @param truth, prediction in RAS+ order, on one grid; the prediction may be null
[[nodiscard]] inline slice_choice choose_slices(const label_volume& truth, const label_volume* prediction = nullptr) {
  const bool of_truth = detail::labelled_anywhere(truth);
  if (!of_truth && (prediction == nullptr || !detail::labelled_anywhere(*prediction)))
    return detail::middle_slices(truth.geometry);
  return {detail::fullest_place(of_truth ? truth : *prediction),
          of_truth ? "the axial slice has the most voxels of the truth, all classes together; the coronal and the "
                     "sagittal one cross it where it has the most"
                   : "the truth is empty: the axial slice has the most predicted voxels"};
}

/// The same of a case without truth: the mask alone decides. @param whose names the mask, in words
[[nodiscard]] inline slice_choice choose_slices_by_mask(const label_volume& mask, const std::string& whose) {
  if (!detail::labelled_anywhere(mask)) return detail::middle_slices(mask.geometry);
  return {detail::fullest_place(mask),
          text("the axial slice has the most voxels of ", whose,
               ", all classes together; the coronal and the sagittal one cross it where it has the most")};
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
