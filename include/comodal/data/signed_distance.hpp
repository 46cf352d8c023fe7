// SPDX-License-Identifier: Apache-2.0
/// @file
/// Signed distances to the boundary of a mask, as a target of regression.
#ifndef COMODAL_DATA_SIGNED_DISTANCE_HPP
#define COMODAL_DATA_SIGNED_DISTANCE_HPP

#include <comodal/data/distance_transform.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Signed distances in voxels, from -1 to 1 (Xue et al., AAAI 2020; Luo et al., AAAI 2021). Outside a mask: the
/// distance to its nearest voxel, divided by the largest. Inside: minus the distance to the nearest voxel outside,
/// divided by the largest; but 0 for voxels that share a face with one outside. A mask without any voxel is far away: 1
/// everywhere. One that fills the crop has no boundary: -1 everywhere.
/// @param mask, field (D, H, W); a voxel is inside where its byte is not 0
/// @throws shape_error for other numbers of voxels
inline void signed_distance(std::span<const std::uint8_t> mask, const extent3& size, std::span<float> field) {
  const auto voxels = static_cast<std::size_t>(size[0] * size[1] * size[2]);
  if (mask.size() != voxels || field.size() != voxels)
    throw shape_error(text("signed_distance: a mask of ", mask.size(), " and a field of ", field.size(),
                           " voxels, expected ", size[0], " x ", size[1], " x ", size[2]));
  const auto inside = voxels - static_cast<std::size_t>(std::count(mask.begin(), mask.end(), std::uint8_t{0}));
  if (inside == 0 || inside == voxels) {
    std::fill(field.begin(), field.end(), inside == 0 ? 1.f : -1.f);
    return;
  }
  std::vector<std::uint8_t> outside(voxels);
  std::transform(mask.begin(), mask.end(), outside.begin(), [](std::uint8_t m) { return m == 0 ? 1 : 0; });
  const std::array<index, 3> axes{size[2], size[1], size[0]};
  const std::array<double, 3> voxel{1, 1, 1};
  const auto to_mask = squared_distance(mask, axes, voxel), to_outside = squared_distance(outside, axes, voxel);
  const double furthest = *std::max_element(to_mask.begin(), to_mask.end()),
               deepest = *std::max_element(to_outside.begin(), to_outside.end());
  for (std::size_t i = 0; i < voxels; ++i) {
    if (mask[i] == 0)
      field[i] = static_cast<float>(std::sqrt(to_mask[i] / furthest));
    else  // a squared distance of 1: a face is shared
      field[i] = to_outside[i] > 1 ? -static_cast<float>(std::sqrt(to_outside[i] / deepest)) : 0.f;
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
