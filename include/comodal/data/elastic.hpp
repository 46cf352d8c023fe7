// SPDX-License-Identifier: Apache-2.0
/// @file
/// Smooth random displacements of the voxels of a patch: cubic B-splines between control points.
#ifndef COMODAL_DATA_ELASTIC_HPP
#define COMODAL_DATA_ELASTIC_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/random.hpp>
#include <comodal/core/shape.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A smooth field of displacements of a patch, in voxels of the volume. Control points lie `distance` mm apart along
/// each axis and move by up to `part` of that distance; between them uniform cubic B-splines. With a part of at most
/// 0.4 the field never folds (Choi and Lee, IEEE TVCG 2000: 0.48).
class elastic_field {
 public:
  /// Draws the moves of all control points. @param patch (D, H, W) voxels @param spacing mm (D, H, W)
  /// @param moved along which axes @throws config_error for a distance or a part that make no sense
  elastic_field(const extent3& patch, const std::array<double, 3>& spacing, double distance, double part,
                const std::array<bool, 3>& moved, random_stream& random) {
    if (!(distance > 0) || !(part >= 0 && part <= 0.4))
      throw config_error(text("elastic_field: control points ", distance, " mm apart that move by ", part,
                              " of it; expected more than 0, and 0 to 0.4"));
    std::size_t points = 1;
    for (std::size_t a = 0; a < 3; ++a) {
      m_step[a] = distance / spacing[a];
      m_points[a] = static_cast<index>(std::floor(static_cast<double>(patch[a] - 1) / m_step[a])) + 4;
      points *= static_cast<std::size_t>(m_points[a]);
      for (index i = 0; i < patch[a]; ++i) m_weights[a].push_back(weights_at(static_cast<double>(i) / m_step[a]));
    }
    for (std::size_t a = 0; a < 3; ++a) {
      m_moves[a].resize(points);
      for (float& v : m_moves[a]) {
        const double drawn = random.uniform(-1, 1);
        v = static_cast<float>(moved[a] ? drawn * part * m_step[a] : 0);
      }
    }
  }

  /// The displacements along axis `a` of the row (d, h) of the patch. @param out as long as the row
  void row(std::size_t a, index d, index h, float* out) const {
    const weighted &z = m_weights[0][static_cast<std::size_t>(d)], &y = m_weights[1][static_cast<std::size_t>(h)];
    std::vector<float> line(static_cast<std::size_t>(m_points[2]), 0.f);
    for (index k = 0; k < 4; ++k)
      for (index j = 0; j < 4; ++j) {
        const float w = z.weight[static_cast<std::size_t>(k)] * y.weight[static_cast<std::size_t>(j)];
        const float* from = m_moves[a].data() + ((z.first + k) * m_points[1] + y.first + j) * m_points[2];
        for (std::size_t i = 0; i < line.size(); ++i) line[i] += w * from[i];
      }
    for (std::size_t i = 0; i < m_weights[2].size(); ++i) {
      const weighted& x = m_weights[2][i];
      const float* from = line.data() + x.first;
      out[i] = x.weight[0] * from[0] + x.weight[1] * from[1] + x.weight[2] * from[2] + x.weight[3] * from[3];
    }
  }

 private:
  // The four control points that a voxel lies between, and their weights.
  struct weighted {
    index first = 0;
    std::array<float, 4> weight{};
  };
  static weighted weights_at(double place) {
    const double cell = std::floor(place), t = place - cell, u = 1 - t;
    return {static_cast<index>(cell),
            {static_cast<float>(u * u * u / 6), static_cast<float>((3 * t * t * t - 6 * t * t + 4) / 6),
             static_cast<float>((3 * u * u * u - 6 * u * u + 4) / 6), static_cast<float>(t * t * t / 6)}};
  }

  std::array<double, 3> m_step{};  // voxels between control points
  extent3 m_points{};
  std::array<std::vector<weighted>, 3> m_weights;  // by axis and voxel
  std::array<std::vector<float>, 3> m_moves;       // by axis of the displacement: (points), voxels
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
