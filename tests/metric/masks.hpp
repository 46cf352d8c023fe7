// SPDX-License-Identifier: Apache-2.0
/// @file
/// Label maps of boxes and spheres. Axes, sizes and spacings are given as (z, y, x), as in the table of golden values.
#ifndef COMODAL_TESTS_METRIC_MASKS_HPP
#define COMODAL_TESTS_METRIC_MASKS_HPP

#include <comodal/data/volume.hpp>

#include <array>

namespace masks {

using comodal::index;

struct box {
  std::array<index, 3> first, last;  // half-open
};

struct sphere {
  std::array<double, 3> centre;
  double radius;
};

inline comodal::label_volume empty(std::array<index, 3> size, std::array<double, 3> spacing = {1, 1, 1}) {
  comodal::label_volume v;
  v.geometry.size = {size[2], size[1], size[0]};
  for (std::size_t a = 0; a < 3; ++a) v.geometry.affine[a][a] = spacing[2 - a];
  v.values.assign(static_cast<std::size_t>(v.geometry.voxels()), 0);
  return v;
}

inline void add(comodal::label_volume& v, const box& b, std::uint8_t label = 1) {
  for (index z = b.first[0]; z < b.last[0]; ++z)
    for (index y = b.first[1]; y < b.last[1]; ++y)
      for (index x = b.first[2]; x < b.last[2]; ++x) v.at(x, y, z) = label;
}

/// Voxels whose distance to the centre, index * `unit`, is at most the radius.
inline void add(comodal::label_volume& v, const sphere& s, std::uint8_t label = 1,
                std::array<double, 3> unit = {1, 1, 1}) {
  for (index z = 0; z < v.geometry.size[2]; ++z)
    for (index y = 0; y < v.geometry.size[1]; ++y)
      for (index x = 0; x < v.geometry.size[0]; ++x) {
        const double dz = static_cast<double>(z) * unit[0] - s.centre[0],
                     dy = static_cast<double>(y) * unit[1] - s.centre[1],
                     dx = static_cast<double>(x) * unit[2] - s.centre[2];
        if (dz * dz + dy * dy + dx * dx <= s.radius * s.radius) v.at(x, y, z) = label;
      }
}

}  // namespace masks

#endif
