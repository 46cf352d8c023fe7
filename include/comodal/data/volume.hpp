// SPDX-License-Identifier: Apache-2.0
/// @file
/// A 3-D image on the host, with the place of its voxels in the patient.
#ifndef COMODAL_DATA_VOLUME_HPP
#define COMODAL_DATA_VOLUME_HPP

#include <comodal/core/shape.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Voxel (i, j, k) -> millimetres (x, y, z) in RAS+ (x to the right, y to the front, z up): rows of a 3 x 4 matrix.
using affine3x4 = std::array<std::array<double, 4>, 3>;

/// Where the voxels of a grid are: sizes along NIfTI's (i, j, k) and the affine to RAS+ millimetres.
struct geometry {
  std::array<index, 3> size{};  // voxels along i, j, k
  affine3x4 affine{{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};

  /// Voxel sizes in mm along i, j, k: the lengths of the affine's columns.
  [[nodiscard]] std::array<double, 3> spacing() const;
  /// Number of voxels.
  [[nodiscard]] index voxels() const { return size[0] * size[1] * size[2]; }
};

/// A scalar image: `values[(k * size[1] + j) * size[0] + i]`, that is NIfTI's own order (i fastest), which is the
/// row-major order of a tensor (D, H, W) with D = size[2], H = size[1], W = size[0].
template <class Scalar>
struct volume {
  comodal::geometry geometry;
  std::vector<Scalar> values;

  [[nodiscard]] Scalar& at(index i, index j, index k) {
    return values[static_cast<std::size_t>((k * geometry.size[1] + j) * geometry.size[0] + i)];
  }
  [[nodiscard]] const Scalar& at(index i, index j, index k) const {
    return values[static_cast<std::size_t>((k * geometry.size[1] + j) * geometry.size[0] + i)];
  }
};

/// Label map of a case: class numbers, 0 is background.
using label_volume = volume<std::uint8_t>;
/// Intensities of one modality.
using image_volume = volume<float>;

inline std::array<double, 3> geometry::spacing() const {
  std::array<double, 3> result{};
  for (std::size_t c = 0; c < 3; ++c)
    result[c] = std::sqrt(affine[0][c] * affine[0][c] + affine[1][c] * affine[1][c] + affine[2][c] * affine[2][c]);
  return result;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
