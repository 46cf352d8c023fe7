// SPDX-License-Identifier: Apache-2.0
/// @file
/// Axial, coronal and sagittal slices of a volume in RAS+ order, in radiological display: the patient's right is on the
/// left of axial and coronal pictures, the front is on the left of sagittal ones.
#ifndef COMODAL_REPORT_PLANES_HPP
#define COMODAL_REPORT_PLANES_HPP

#include <comodal/data/geometry.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

enum class slice_plane { axial, coronal, sagittal };

inline constexpr std::array<slice_plane, 3> slice_planes{slice_plane::axial, slice_plane::coronal,
                                                         slice_plane::sagittal};

[[nodiscard]] inline std::string_view name_of(slice_plane p) {
  constexpr std::string_view names[] = {"axial", "coronal", "sagittal"};
  return names[static_cast<int>(p)];
}

/// The convention in words, for captions.
inline constexpr std::string_view display_convention =
    "Radiological display: the patient's right (R) is on the left of axial and coronal pictures, the front (A) on the "
    "left of sagittal ones.";

/// A place in voxels of a volume in RAS+ order: to the right, to the front, up.
using voxel_place = std::array<index, 3>;

/// One plane of a grid in RAS+ order: which voxel each pixel of a slice shows, one pixel per voxel. All three volume
/// axes run backwards in pictures: right, front and top come first.
class plane_view {
 public:
  /// @param grid in RAS+ order (`to_canonical`) @throws geometry_error for a grid in another order or without voxels
  plane_view(const geometry& grid, slice_plane p) : m_plane(p), m_size(grid.size), m_spacing(grid.spacing()) {
    if (grid.voxels() <= 0) throw geometry_error("slice: the volume has no voxels");
    if (canonical_axes(grid) != axis_map{})
      throw geometry_error(text("slice: the volume is in ", orientation_code(grid), " order, expected RAS"));
  }

  [[nodiscard]] slice_plane plane() const { return m_plane; }
  /// The volume axes that run across the picture, down it, and through the slices.
  [[nodiscard]] std::size_t across() const { return m_plane == slice_plane::sagittal ? 1 : 0; }
  [[nodiscard]] std::size_t down() const { return m_plane == slice_plane::axial ? 1 : 2; }
  [[nodiscard]] std::size_t through() const { return 3 - across() - down(); }

  [[nodiscard]] index width() const { return m_size[across()]; }
  [[nodiscard]] index height() const { return m_size[down()]; }
  [[nodiscard]] index slices() const { return m_size[through()]; }
  /// Millimetres.
  [[nodiscard]] double pixel_width() const { return m_spacing[across()]; }
  [[nodiscard]] double pixel_height() const { return m_spacing[down()]; }

  /// The voxel under pixel (x, y) of a slice; slices are counted along their volume axis.
  [[nodiscard]] voxel_place voxel(index x, index y, index slice) const {
    voxel_place p{};
    p[across()] = width() - 1 - x;
    p[down()] = height() - 1 - y;
    p[through()] = slice;
    return p;
  }

  /// The sides of the patient at the left, right, top and bottom edge of the picture.
  [[nodiscard]] std::array<char, 4> letters() const {
    constexpr char first[] = {'R', 'A', 'S'}, last[] = {'L', 'P', 'I'};
    return {first[across()], last[across()], first[down()], last[down()]};
  }

 private:
  slice_plane m_plane;
  std::array<index, 3> m_size;
  std::array<double, 3> m_spacing;
};

/// The largest angle in degrees between a volume axis and the anatomical direction that its letters name.
[[nodiscard]] inline double tilt_of(const geometry& grid) {
  const axis_map map = canonical_axes(grid);
  const affine3x4 d = directions(grid);
  double largest = 0;
  for (std::size_t a = 0; a < 3; ++a)
    largest = std::max(largest, std::acos(std::min(1.0, std::abs(d[a][map.axis[a]]))));
  return largest * 57.29577951308232;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
