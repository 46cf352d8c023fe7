// SPDX-License-Identifier: Apache-2.0
/// @file
/// Distances between the surfaces of two masks: Hausdorff and its 95th percentile, average surface distances, and the
/// normalised surface Dice. A surface is the set of border voxels: those with one of six neighbours outside the mask,
/// or outside the image.
#ifndef COMODAL_METRIC_SURFACE_DISTANCE_HPP
#define COMODAL_METRIC_SURFACE_DISTANCE_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/distance_transform.hpp>
#include <comodal/metric/overlap.hpp>
#include <comodal/metric/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What "HD95" means; the same two masks give different numbers.
enum class hd95_convention {
  monai,  ///< the larger of the two directed 95th percentiles, linearly interpolated (MONAI's `percentile=95`)
  medpy,  ///< the 95th percentile of both directions' distances in one list, linearly interpolated (MedPy's `hd95`)
  pymic,  ///< the larger of the two directed values sorted[int(0.95 n)], no interpolation (PyMIC)
};

/// What "ASSD" means.
enum class assd_convention {
  pooled,            ///< mean of both directions' distances in one list (MedPy from 0.5.2, MONAI `symmetric=True`)
  mean_of_directed,  ///< mean of the two directed means
};

[[nodiscard]] inline std::string_view name_of(hd95_convention c) {
  return c == hd95_convention::monai ? "monai" : c == hd95_convention::medpy ? "medpy" : "pymic";
}
[[nodiscard]] inline std::string_view name_of(assd_convention c) {
  return c == assd_convention::pooled ? "pooled" : "mean_of_directed";
}

/// Distances in mm (or voxels) from each border voxel of one mask to the nearest border voxel of the other, sorted
/// ascending. Both lists are empty where one of the masks is.
struct surface_distances {
  std::vector<double> prediction_to_reference;
  std::vector<double> reference_to_prediction;
  index prediction_surface = 0;  // border voxels of the prediction
  index reference_surface = 0;   // border voxels of the reference
};

namespace detail {

struct box3 {
  std::array<index, 3> first{}, last{};  // half-open; empty while first >= last
  [[nodiscard]] bool empty() const { return first[0] >= last[0]; }
};

/// The smallest box that holds every voxel of `set` in either volume.
[[nodiscard]] inline box3 bounding_box(const volume_view& one, const volume_view& other,
                                       const std::array<bool, 256>& set) {
  const std::array<index, 3>& size = one.grid().size;
  const auto a = one.values<std::uint8_t>(), b = other.values<std::uint8_t>();
  box3 box{size, {0, 0, 0}};
  std::size_t at = 0;
  for (index k = 0; k < size[2]; ++k)
    for (index j = 0; j < size[1]; ++j)
      for (index i = 0; i < size[0]; ++i, ++at)
        if (set[a[at]] || set[b[at]]) {
          const std::array<index, 3> here{i, j, k};
          for (std::size_t x = 0; x < 3; ++x) {
            box.first[x] = std::min(box.first[x], here[x]);
            box.last[x] = std::max(box.last[x], here[x] + 1);
          }
        }
  return box;
}

/// The mask inside the box with one voxel of background around it.
[[nodiscard]] inline std::vector<std::uint8_t> padded_mask(const volume_view& v, const std::array<bool, 256>& set,
                                                           const box3& box, const std::array<index, 3>& padded) {
  const auto values = v.values<std::uint8_t>();
  const auto& full = v.grid().size;
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(padded[0] * padded[1] * padded[2]));
  for (index k = box.first[2]; k < box.last[2]; ++k)
    for (index j = box.first[1]; j < box.last[1]; ++j)
      for (index i = box.first[0]; i < box.last[0]; ++i)
        mask[static_cast<std::size_t>(((k - box.first[2] + 1) * padded[1] + j - box.first[1] + 1) * padded[0] + i -
                                      box.first[0] + 1)] =
            set[values[static_cast<std::size_t>((k * full[1] + j) * full[0] + i)]];
  return mask;
}

/// Border voxels of a mask whose outermost layer is background.
[[nodiscard]] inline std::vector<std::uint8_t> border_voxels(const std::vector<std::uint8_t>& mask,
                                                             const std::array<index, 3>& size) {
  std::vector<std::uint8_t> border(mask.size());
  const index row = size[0], plane = size[0] * size[1];
  for (index k = 1; k + 1 < size[2]; ++k)
    for (index j = 1; j + 1 < size[1]; ++j)
      for (index i = 1; i + 1 < size[0]; ++i) {
        const std::uint8_t* m = mask.data() + k * plane + j * row + i;
        border[static_cast<std::size_t>(k * plane + j * row + i)] =
            m[0] && !(m[-1] && m[1] && m[-row] && m[row] && m[-plane] && m[plane]);
      }
  return border;
}

[[nodiscard]] inline std::vector<double> directed_distances(const std::vector<std::uint8_t>& from,
                                                            const std::vector<std::uint8_t>& to,
                                                            const std::array<index, 3>& size,
                                                            const std::array<double, 3>& spacing) {
  const std::vector<double> squares = squared_distance(to, size, spacing, from);
  std::vector<double> distances;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i]) distances.push_back(std::sqrt(squares[i]));
  std::sort(distances.begin(), distances.end());
  return distances;
}

[[nodiscard]] inline double sum_of(const std::vector<double>& values) {
  double total = 0;
  for (const double v : values) total += v;
  return total;
}

inline void check_not_empty(const surface_distances& d, const char* what) {
  if (d.prediction_to_reference.empty() || d.reference_to_prediction.empty())
    throw config_error(text(what, ": a mask is empty and has no surface; score_case gives the policy for empty masks"));
}

}  // namespace detail

/// Measures the surfaces of one class or region of two label maps.
/// @param prediction, reference uint8
/// @param spacing the unit: `reference.grid().spacing()` for mm, {1, 1, 1} for voxels
/// @throws geometry_error if the grids differ, config_error for a class without label values
[[nodiscard]] surface_distances measure_surfaces(const volume_view& prediction, const volume_view& reference,
                                                 const label_class& c, const std::array<double, 3>& spacing);
#if COMODAL_BODIES
COMODAL_ONCE surface_distances measure_surfaces(const volume_view& prediction, const volume_view& reference,
                                                const label_class& c, const std::array<double, 3>& spacing) {
  check_same_grid(prediction, reference, text("surface of '", c.name, "'"));
  const std::array<bool, 256> set = detail::label_set(c);
  const detail::box3 box = detail::bounding_box(prediction, reference, set);
  surface_distances result;
  if (box.empty()) return result;
  std::array<index, 3> size{};
  for (std::size_t x = 0; x < 3; ++x) size[x] = box.last[x] - box.first[x] + 2;
  std::array<std::vector<std::uint8_t>, 2> borders;
  host_tasks(2, [&](index i) {
    const volume_view& mask = i == 0 ? prediction : reference;
    borders[static_cast<std::size_t>(i)] = detail::border_voxels(detail::padded_mask(mask, set, box, size), size);
  });
  const auto& [p, r] = borders;
  result.prediction_surface = std::count(p.begin(), p.end(), 1);
  result.reference_surface = std::count(r.begin(), r.end(), 1);
  if (result.prediction_surface == 0 || result.reference_surface == 0) return result;
  result.prediction_to_reference = detail::directed_distances(p, r, size, spacing);
  result.reference_to_prediction = detail::directed_distances(r, p, size, spacing);
  return result;
}
#endif

/// Hausdorff distance: the largest of all distances. @throws config_error if a mask is empty, as do the next five
[[nodiscard]] inline double hausdorff(const surface_distances& d) {
  detail::check_not_empty(d, "Hausdorff distance");
  return std::max(d.prediction_to_reference.back(), d.reference_to_prediction.back());
}

/// 95th percentile of the Hausdorff distance under a named convention.
[[nodiscard]] inline double hd95(const surface_distances& d, hd95_convention convention = hd95_convention::monai) {
  detail::check_not_empty(d, "HD95");
  if (convention == hd95_convention::medpy) {
    std::vector<double> pooled(d.prediction_to_reference.size() + d.reference_to_prediction.size());
    std::merge(d.prediction_to_reference.begin(), d.prediction_to_reference.end(), d.reference_to_prediction.begin(),
               d.reference_to_prediction.end(), pooled.begin());
    return linear_percentile(pooled, 0.95);
  }
  const auto directed = [convention](const std::vector<double>& list) {
    if (convention == hd95_convention::monai) return linear_percentile(list, 0.95);
    return list[std::min(static_cast<std::size_t>(0.95 * static_cast<double>(list.size())), list.size() - 1)];
  };
  return std::max(directed(d.prediction_to_reference), directed(d.reference_to_prediction));
}

/// Directed average surface distance: the mean of one list of `measure_surfaces`. @throws config_error for an empty
/// list
[[nodiscard]] inline double mean_distance(const std::vector<double>& distances) {
  if (distances.empty()) throw config_error("average surface distance: the list is empty, because a mask is");
  return detail::sum_of(distances) / static_cast<double>(distances.size());
}

/// Average symmetric surface distance under a named convention.
[[nodiscard]] inline double assd(const surface_distances& d, assd_convention convention = assd_convention::pooled) {
  detail::check_not_empty(d, "ASSD");
  if (convention == assd_convention::mean_of_directed)
    return (mean_distance(d.prediction_to_reference) + mean_distance(d.reference_to_prediction)) / 2;
  return (detail::sum_of(d.prediction_to_reference) + detail::sum_of(d.reference_to_prediction)) /
         static_cast<double>(d.prediction_to_reference.size() + d.reference_to_prediction.size());
}

/// Normalised surface Dice: the part of both surfaces' border voxels that lie within `tolerance` of the other surface.
/// Voxels are counted, as MONAI does by default; no surface areas.
[[nodiscard]] inline double surface_dice(const surface_distances& d, double tolerance) {
  detail::check_not_empty(d, "surface Dice");
  const auto within = [tolerance](const std::vector<double>& sorted) {
    return std::upper_bound(sorted.begin(), sorted.end(), tolerance) - sorted.begin();
  };
  return static_cast<double>(within(d.prediction_to_reference) + within(d.reference_to_prediction)) /
         static_cast<double>(d.prediction_to_reference.size() + d.reference_to_prediction.size());
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
