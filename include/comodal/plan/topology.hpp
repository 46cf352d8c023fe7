// SPDX-License-Identifier: Apache-2.0
/// @file
/// The stages of a U-Net for voxels of some size: nnU-Net's rules (Isensee et al., Nature Methods 18, 2021), as its
/// version 2 has them.
#ifndef COMODAL_PLAN_TOPOLOGY_HPP
#define COMODAL_PLAN_TOPOLOGY_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// How a U-Net goes from stage to stage; all along (D, H, W).
struct network_topology {
  extent3 patch{};                   // in voxels: a multiple of the total stride
  std::vector<extent3> strides;      // between stages: one less than stages
  std::vector<extent3> kernel_size;  // per stage

  [[nodiscard]] std::size_t stages() const { return kernel_size.size(); }
  /// The product of all strides.
  [[nodiscard]] extent3 total_stride() const {
    extent3 total{1, 1, 1};
    for (const extent3& s : strides)
      for (std::size_t a = 0; a < 3; ++a) total[a] *= s[a];
    return total;
  }
};

/// Halves, from stage to stage, every axis that has at least twice `smallest` voxels left and whose voxels are less
/// than twice as long as the shortest of these; a single axis is halved while it has three times as many. Filters span
/// 3 voxels along an axis from the stage on at which its voxels are less than twice as long as the shortest, and along
/// all axes at the coarsest stage. There are two stages at least. The patch is enlarged to a multiple of the strides.
/// @param spacing mm along (D, H, W) @param patch at least 1 voxel along each
[[nodiscard]] inline network_topology topology_of(std::array<double, 3> spacing, const extent3& patch,
                                                  index smallest = 4) {
  for (std::size_t a = 0; a < 3; ++a)
    if (patch[a] < 1 || !(spacing[a] > 0))
      throw config_error(text("topology_of: ", patch[a], " voxels of ", spacing[a], " mm along ", "DHW"[a],
                              ", expected 1 or more, of more than 0 mm"));
  network_topology t;
  extent3 size = patch, kernel{1, 1, 1};
  for (;;) {
    std::vector<std::size_t> axes;
    double shortest = 0;
    for (std::size_t a = 0; a < 3; ++a)
      if (size[a] >= 2 * smallest)
        shortest = axes.empty() ? spacing[a] : std::min(shortest, spacing[a]), axes.push_back(a);
    std::erase_if(axes, [&](std::size_t a) { return spacing[a] / shortest >= 2; });
    if (axes.empty() || (axes.size() == 1 && size[axes[0]] < 3 * smallest)) break;
    const double least = *std::min_element(spacing.begin(), spacing.end());
    for (std::size_t a = 0; a < 3; ++a)
      if (spacing[a] / least < 2) kernel[a] = 3;
    extent3 stride{1, 1, 1};
    for (const std::size_t a : axes) {
      stride[a] = 2;
      spacing[a] *= 2;
      size[a] = (size[a] + 1) / 2;
    }
    t.strides.push_back(stride);
    t.kernel_size.push_back(kernel);
  }
  if (t.strides.empty()) {  // a network has two stages at least
    extent3 stride{1, 1, 1};
    for (std::size_t a = 0; a < 3; ++a)
      if (patch[a] >= smallest) stride[a] = 2;
    t.strides.push_back(stride);
    t.kernel_size.push_back({3, 3, 3});
  }
  t.kernel_size.push_back({3, 3, 3});
  const extent3 total = t.total_stride();
  for (std::size_t a = 0; a < 3; ++a) t.patch[a] = (patch[a] + total[a] - 1) / total[a] * total[a];
  return t;
}

/// The channels of each stage: twice those of the one before, at most `most`.
[[nodiscard]] inline std::vector<index> channels_of(std::size_t stages, index first, index most) {
  std::vector<index> channels;
  for (std::size_t s = 0; s < stages; ++s) channels.push_back(std::min(most, s == 0 ? first : 2 * channels[s - 1]));
  return channels;
}

/// The voxels of each stage's maps.
[[nodiscard]] inline std::vector<index> voxels_of(const network_topology& t) {
  std::vector<index> voxels;
  extent3 size = t.patch;
  for (std::size_t s = 0; s < t.stages(); ++s) {
    for (std::size_t a = 0; s > 0 && a < 3; ++a) size[a] /= t.strides[s - 1][a];
    voxels.push_back(size[0] * size[1] * size[2]);
  }
  return voxels;
}

/// nnU-Net's measure of what a plain U-Net keeps of one crop for the backward pass: values of its maps, two
/// convolutions per stage on either side, 32 to 320 channels.
[[nodiscard]] inline double nnunet_feature_voxels(const network_topology& t, index classes) {
  const auto channels = channels_of(t.stages(), 32, 320), voxels = voxels_of(t);
  double sum = static_cast<double>(classes * voxels[0]);
  for (std::size_t s = 0; s < t.stages(); ++s) {
    const bool has_decoder = s + 1 < t.stages();  // two convolutions and the transposed one below it
    sum += static_cast<double>((has_decoder ? 5 : 2) * channels[s] * voxels[s]);
  }
  return sum;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
