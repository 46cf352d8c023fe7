// SPDX-License-Identifier: Apache-2.0
/// @file
/// Voxel size, patch and batch from the sizes of a cohort's cases: nnU-Net's rules (Isensee et al., Nature Methods 18,
/// 2021), as its version 2 has them.
#ifndef COMODAL_PLAN_PLANNING_HPP
#define COMODAL_PLAN_PLANNING_HPP

#include <comodal/data/normalise.hpp>
#include <comodal/plan/topology.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What planning knows of a case, along (D, H, W).
struct case_extent {
  extent3 size{};                   // voxels of the cropped volume
  std::array<double, 3> spacing{};  // mm
};

namespace plan_detail {

template <class Value>
double percentile_of(const std::vector<case_extent>& cases, double q, const Value& value) {
  std::vector<double> all;
  for (const case_extent& one : cases) all.push_back(static_cast<double>(value(one)));
  return quantile(all, q);
}

}  // namespace plan_detail

/// The voxel size to resample to: the median along each axis; of an axis with voxels more than three times as long as
/// the others' and less than a third of their number, the 10 % point, but not below the others'.
/// @throws shape_error without cases
[[nodiscard]] inline std::array<double, 3> target_spacing(const std::vector<case_extent>& cases) {
  constexpr double anisotropic = 3;
  std::array<double, 3> target{}, size{};
  for (std::size_t a = 0; a < 3; ++a) {
    target[a] = plan_detail::percentile_of(cases, 0.5, [&](const auto& one) { return one.spacing[a]; });
    size[a] = plan_detail::percentile_of(cases, 0.5, [&](const auto& one) { return one.size[a]; });
  }
  const auto worst = static_cast<std::size_t>(std::max_element(target.begin(), target.end()) - target.begin());
  const std::size_t b = (worst + 1) % 3, c = (worst + 2) % 3;
  const double others = std::max(target[b], target[c]);
  if (target[worst] > anisotropic * others && size[worst] * anisotropic < std::min(size[b], size[c])) {
    const double fine = plan_detail::percentile_of(cases, 0.1, [&](const auto& one) { return one.spacing[worst]; });
    target[worst] = fine < others ? others + 1e-5 : fine;
  }
  return target;
}

/// The median size of the cases in voxels of `spacing`, along each axis. @throws shape_error without cases
[[nodiscard]] inline std::array<double, 3> median_size(const std::vector<case_extent>& cases,
                                                       const std::array<double, 3>& spacing) {
  std::array<double, 3> median{};
  for (std::size_t a = 0; a < 3; ++a)
    median[a] = plan_detail::percentile_of(cases, 0.5, [&](const case_extent& one) {
      return std::nearbyint(static_cast<double>(one.size[a]) * one.spacing[a] / spacing[a]);
    });
  return median;
}

/// What a plan may take.
struct planning_limits {
  double feature_voxels = 560e6;  // that fit for `batch` crops: nnU-Net's number for 8 GB
  index batch = 2;                // crops that fit is counted for; also the least
  double largest_share = 0.05;    // of the cohort's voxels in one batch
  index smallest = 4;             // voxels of the coarsest map along an axis
};

/// Patch, stages and batch.
struct patch_plan {
  network_topology topology;
  index batch = 2;
};

/// Begins with a patch of 256^3 voxels of the aspect of the spacing, at most the median size, and shortens the axis
/// that covers most of the median until the network fits; what is left of the memory makes the batch larger.
/// @param size median size of the cases in voxels of `spacing` @param cases their number
/// @param feature_voxels values of maps that the network keeps of one crop of this topology
[[nodiscard]] inline patch_plan plan_patch(const std::array<double, 3>& spacing, const std::array<double, 3>& size,
                                           std::size_t cases, const planning_limits& limits,
                                           const std::function<double(const network_topology&)>& feature_voxels) {
  double product = 1;
  for (const double s : spacing) product /= s;
  extent3 first{};
  for (std::size_t a = 0; a < 3; ++a) {
    const double length = std::nearbyint(1 / spacing[a] * std::cbrt(256.0 * 256.0 * 256.0 / product));
    first[a] = std::max<index>(1, static_cast<index>(std::min(length, size[a])));
  }
  network_topology t = topology_of(spacing, first, limits.smallest);
  const auto fits = [&] { return feature_voxels(t) <= limits.feature_voxels; };
  while (!fits()) {
    std::size_t longest = 0;
    for (std::size_t a = 1; a < 3; ++a)
      if (static_cast<double>(t.patch[a]) / size[a] >= static_cast<double>(t.patch[longest]) / size[longest])
        longest = a;
    // One step of the finer strides that the shorter patch has: a longer one would skip sizes.
    extent3 shorter = t.patch;
    const index step = t.total_stride()[longest];
    if (shorter[longest] <= step) break;
    shorter[longest] -= step;
    const index fine = topology_of(spacing, shorter, limits.smallest).total_stride()[longest];
    shorter = t.patch;
    shorter[longest] -= fine;
    t = topology_of(spacing, shorter, limits.smallest);
  }
  const double voxels = static_cast<double>(t.patch[0] * t.patch[1] * t.patch[2]);
  const double room = std::nearbyint(limits.feature_voxels / feature_voxels(t) * static_cast<double>(limits.batch));
  const double share =
      std::nearbyint(size[0] * size[1] * size[2] * static_cast<double>(cases) * limits.largest_share / voxels);
  return {t, std::max(limits.batch, static_cast<index>(std::min({room, share, 1e6})))};
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
