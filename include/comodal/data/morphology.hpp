// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a head mask is made with: Otsu's threshold, dilation, closing, the filling of holes and the removal of islands
/// on voxel grids.
#ifndef COMODAL_DATA_MORPHOLOGY_HPP
#define COMODAL_DATA_MORPHOLOGY_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/volume.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Otsu's threshold (IEEE Trans. SMC 9, 1979) from a histogram of `bins` equal bins between the extremes: the upper
/// edge of the last bin of the darker class, so that the brighter class is `x > threshold`. The extremes' common value
/// if all are equal.
/// @throws shape_error without values
[[nodiscard]] inline float otsu_threshold(std::span<const float> values, int bins = 256) {
  if (values.empty() || bins < 2) throw shape_error("otsu_threshold: expected at least one value and two bins");
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double least = *low, width = (static_cast<double>(*high) - *low) / bins;
  if (!(width > 0)) return *low;
  std::vector<std::int64_t> histogram(static_cast<std::size_t>(bins));
  for (const float v : values)
    ++histogram[static_cast<std::size_t>(std::min(bins - 1, static_cast<int>((v - least) / width)))];

  double total = 0;
  for (int b = 0; b < bins; ++b) total += b * static_cast<double>(histogram[static_cast<std::size_t>(b)]);
  const auto count = static_cast<double>(values.size());
  double below = 0, sum = 0, best = -1;
  int split = 0;
  for (int b = 0; b + 1 < bins; ++b) {
    const auto here = static_cast<double>(histogram[static_cast<std::size_t>(b)]);
    below += here;
    sum += b * here;
    if (below == 0 || below == count) continue;
    const double difference = sum / below - (total - sum) / (count - below);
    const double between = below * (count - below) * difference * difference;
    if (between > best) best = between, split = b;
  }
  return static_cast<float>(least + (split + 1) * width);
}

namespace detail {

// Marks the voxels at most `radius` steps (along axes) from a voxel whose value is `target`: city-block distance, one
// forward and one backward pass an axis.
inline std::vector<std::uint8_t> within(const std::vector<std::uint8_t>& mask, const std::array<index, 3>& size,
                                        std::uint8_t target, int radius) {
  std::vector<std::uint8_t> distance(mask.size());
  const auto far = static_cast<std::uint8_t>(radius + 1);
  for (std::size_t i = 0; i < mask.size(); ++i) distance[i] = mask[i] == target ? 0 : far;
  const index row = size[0], plane = size[0] * size[1];
  const auto relax = [](std::uint8_t* to, const std::uint8_t* from, index count) {
    for (index i = 0; i < count; ++i) to[i] = std::min(to[i], static_cast<std::uint8_t>(from[i] + 1));
  };
  host_slices(size[2], plane * size[2], [&](index k) {
    std::uint8_t* p = distance.data() + k * plane;
    for (index j = 0; j < size[1]; ++j) {
      std::uint8_t* r = p + j * row;
      for (index i = 1; i < row; ++i) relax(r + i, r + i - 1, 1);
      for (index i = row - 1; i > 0; --i) relax(r + i - 1, r + i, 1);
    }
    for (index j = 1; j < size[1]; ++j) relax(p + j * row, p + (j - 1) * row, row);
    for (index j = size[1] - 1; j > 0; --j) relax(p + (j - 1) * row, p + j * row, row);
  });
  for (index k = 1; k < size[2]; ++k) relax(distance.data() + k * plane, distance.data() + (k - 1) * plane, plane);
  for (index k = size[2] - 1; k > 0; --k) relax(distance.data() + (k - 1) * plane, distance.data() + k * plane, plane);
  for (std::uint8_t& d : distance) d = d <= radius;
  return distance;
}

// Calls visit(voxel) for the up to six neighbours along axes.
template <class Visit>
void for_neighbours(index at, const std::array<index, 3>& size, index row, index plane, const Visit& visit) {
  const index i = at % row, j = at / row % size[1], k = at / plane;
  if (i > 0) visit(at - 1);
  if (i + 1 < row) visit(at + 1);
  if (j > 0) visit(at - row);
  if (j + 1 < size[1]) visit(at + row);
  if (k > 0) visit(at - plane);
  if (k + 1 < size[2]) visit(at + plane);
}

// The same for the up to 26 neighbours that share a corner.
template <class Visit>
void for_corner_neighbours(index at, const std::array<index, 3>& size, index row, index plane, const Visit& visit) {
  const index i = at % row, j = at / row % size[1], k = at / plane;
  for (index z = std::max<index>(k - 1, 0); z <= std::min(k + 1, size[2] - 1); ++z)
    for (index y = std::max<index>(j - 1, 0); y <= std::min(j + 1, size[1] - 1); ++y)
      for (index x = std::max<index>(i - 1, 0); x <= std::min(i + 1, row - 1); ++x)
        if (const index there = z * plane + y * row + x; there != at) visit(there);
}

}  // namespace detail

/// Dilation of a mask (0 or 1) with the ball of `radius` voxels in the city-block metric: the voxels at most `radius`
/// steps along axes from the mask. Equals `radius` iterations of SciPy's `binary_dilation`.
/// @throws config_error for a radius outside 0 to 100
[[nodiscard]] inline label_volume dilation(const label_volume& mask, int radius) {
  if (radius < 0 || radius > 100) throw config_error(text("dilation: radius ", radius, ", expected 0 to 100 voxels"));
  return {mask.geometry, detail::within(mask.values, mask.geometry.size, 1, radius)};
}

/// Closing of a mask (0 or 1) with the ball of `radius` voxels in the city-block metric: dilation, then erosion, as if
/// the grid went on as background on all sides. Equals `radius` steps of SciPy's `binary_closing` on the padded grid.
/// @throws config_error for a radius outside 0 to 100
[[nodiscard]] inline label_volume closing(const label_volume& mask, int radius) {
  if (radius < 0 || radius > 100) throw config_error(text("closing: radius ", radius, ", expected 0 to 100 voxels"));
  const auto& size = mask.geometry.size;
  const index pad = radius + 1;
  const std::array<index, 3> wide{size[0] + 2 * pad, size[1] + 2 * pad, size[2] + 2 * pad};
  std::vector<std::uint8_t> padded(static_cast<std::size_t>(wide[0] * wide[1] * wide[2]));
  const auto row = [&](auto& values, index j, index k) {
    return values.begin() + ((k + pad) * wide[1] + j + pad) * wide[0] + pad;
  };
  for (index k = 0; k < size[2]; ++k)
    for (index j = 0; j < size[1]; ++j) std::copy_n(&mask.at(0, j, k), size[0], row(padded, j, k));
  const auto eroded = detail::within(detail::within(padded, wide, 1, radius), wide, 0, radius);
  label_volume out = mask;
  for (index k = 0; k < size[2]; ++k)
    for (index j = 0; j < size[1]; ++j)
      std::transform(row(eroded, j, k), row(eroded, j, k) + size[0], &out.at(0, j, k),
                     [](std::uint8_t v) { return std::uint8_t(!v); });
  return out;
}

/// Which voxels touch each other: those that share a face (6 neighbours), or a corner at least (26).
enum class connectivity { faces, corners };

/// The components of a mask.
struct mask_islands {
  std::vector<std::int32_t> of_voxel;  // from 1 on; 0: background
  std::vector<index> voxels;           // of each component; of 0 none are counted

  [[nodiscard]] index largest() const { return *std::max_element(voxels.begin(), voxels.end()); }
};

[[nodiscard]] inline mask_islands find_islands(const label_volume& mask, connectivity touch = connectivity::faces) {
  const auto& size = mask.geometry.size;
  const index row = size[0], plane = size[0] * size[1];
  mask_islands found{std::vector<std::int32_t>(mask.values.size()), {0}};
  std::vector<index> open;
  const auto visit = [&](index at) {
    const auto i = static_cast<std::size_t>(at);
    if (mask.values[i] == 0 || found.of_voxel[i] != 0) return;
    found.of_voxel[i] = static_cast<std::int32_t>(found.voxels.size() - 1);
    ++found.voxels.back();
    open.push_back(at);
  };
  for (std::size_t start = 0; start < mask.values.size(); ++start) {
    if (mask.values[start] == 0 || found.of_voxel[start] != 0) continue;
    found.voxels.push_back(0);
    visit(static_cast<index>(start));
    while (!open.empty()) {
      const index at = open.back();
      open.pop_back();
      if (touch == connectivity::faces)
        detail::for_neighbours(at, size, row, plane, visit);
      else
        detail::for_corner_neighbours(at, size, row, plane, visit);
    }
  }
  return found;
}

/// The mask without its small islands: those of at least `share` of the largest one's voxels stay.
/// @throws config_error for a share outside 0 to 1
[[nodiscard]] inline label_volume drop_islands(const label_volume& mask, const mask_islands& islands, double share) {
  if (!(share >= 0 && share <= 1)) throw config_error(text("drop_islands: share ", share, ", expected 0 to 1"));
  const double least = share * static_cast<double>(islands.largest());
  label_volume out = mask;
  for (std::size_t i = 0; i < out.values.size(); ++i)
    if (static_cast<double>(islands.voxels[static_cast<std::size_t>(islands.of_voxel[i])]) < least) out.values[i] = 0;
  return out;
}
[[nodiscard]] inline label_volume drop_islands(const label_volume& mask, double share) {
  return drop_islands(mask, find_islands(mask), share);
}

/// The mask with its holes: background that no path along axes connects to the border of the grid becomes 1
/// (as SciPy's `binary_fill_holes`).
[[nodiscard]] inline label_volume fill_holes(const label_volume& mask) {
  const auto& size = mask.geometry.size;
  const index row = size[0], plane = size[0] * size[1];
  label_volume out{mask.geometry, std::vector<std::uint8_t>(mask.values.size(), 1)};
  std::vector<index> open;
  const auto visit = [&](index i) {
    const auto at = static_cast<std::size_t>(i);
    if (mask.values[at] != 0 || out.values[at] == 0) return;
    out.values[at] = 0;
    open.push_back(i);
  };
  for (index k = 0; k < size[2]; ++k)
    for (index j = 0; j < size[1]; ++j) {
      const bool face = k == 0 || k == size[2] - 1 || j == 0 || j == size[1] - 1;
      const index step = face ? 1 : std::max<index>(1, row - 1);
      for (index i = 0; i < row; i += step) visit(k * plane + j * row + i);
    }
  while (!open.empty()) {
    const index at = open.back();
    open.pop_back();
    detail::for_neighbours(at, size, row, plane, visit);
  }
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
