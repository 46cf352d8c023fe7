// SPDX-License-Identifier: Apache-2.0
/// @file
/// Exact Euclidean distance transform with anisotropic voxels: lower envelopes of parabolas, one axis after the other
/// (Felzenszwalb and Huttenlocher, Theory of Computing 8, 2012).
#ifndef COMODAL_DATA_DISTANCE_TRANSFORM_HPP
#define COMODAL_DATA_DISTANCE_TRANSFORM_HPP

#include <comodal/core/host_tasks.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

/// The transform of one line of n samples `step` mm apart: out(q) = min over p of in(p) + (step (q - p))^2.
class line_transform {
 public:
  explicit line_transform(index longest) : m_value(size(longest)), m_vertex(size(longest)), m_from(size(longest) + 1) {}

  void operator()(double* data, index n, index stride, double step) {
    const double square = step * step, infinity = std::numeric_limits<double>::infinity();
    index last = -1;
    for (index q = 0; q < n; ++q) {
      const double f = data[q * stride];
      m_value[size(q)] = f;
      if (f == infinity) continue;
      double from = -infinity;
      while (last >= 0) {
        const index v = m_vertex[size(last)];
        const double dq = static_cast<double>(q), dv = static_cast<double>(v);
        from = ((f - m_value[size(v)]) / square + dq * dq - dv * dv) / (2 * (dq - dv));
        if (from > m_from[size(last)]) break;
        from = -infinity;
        --last;
      }
      m_vertex[size(++last)] = q;
      m_from[size(last)] = from;
    }
    if (last < 0) return;
    index k = 0;
    for (index q = 0; q < n; ++q) {
      while (k < last && m_from[size(k + 1)] < static_cast<double>(q)) ++k;
      const double d = static_cast<double>(q - m_vertex[size(k)]);
      data[q * stride] = square * d * d + m_value[size(m_vertex[size(k)])];
    }
  }

 private:
  static std::size_t size(index i) { return static_cast<std::size_t>(i); }

  std::vector<double> m_value;
  std::vector<index> m_vertex;
  std::vector<double> m_from;
};

}  // namespace detail

/// Squared distance in mm^2 from each voxel's centre to the nearest voxel that is set in `feature`; infinite where none
/// is.
/// @param feature one byte per voxel, first axis fastest, `size[0] * size[1] * size[2]` of them
/// @param size voxels along the axes
/// @param spacing voxel sizes in mm along the axes (1, 1, 1 gives voxels)
/// @param wanted one byte per voxel: where the distance is asked for; elsewhere it is any number. Empty: everywhere
/// @throws shape_error if a number of bytes is wrong, geometry_error for a spacing that is not positive
[[nodiscard]] inline std::vector<double> squared_distance(std::span<const std::uint8_t> feature,
                                                          const std::array<index, 3>& size,
                                                          const std::array<double, 3>& spacing,
                                                          std::span<const std::uint8_t> wanted = {}) {
  const index nx = size[0], ny = size[1], nz = size[2];
  if (static_cast<index>(feature.size()) != nx * ny * nz)
    throw shape_error(text("distance transform: ", feature.size(), " voxels for ", nx, " x ", ny, " x ", nz));
  if (!wanted.empty() && wanted.size() != feature.size())
    throw shape_error(text("distance transform: ", wanted.size(), " voxels are wanted of ", feature.size()));
  for (const double s : spacing)
    if (!(s > 0)) throw geometry_error(text("distance transform: spacing ", s, " mm, expected a positive number"));
  std::vector<double> squares(feature.size());

  // The columns along the last axis that are asked for, and the planes that they lie in: later axes need no others.
  std::vector<std::uint8_t> column(static_cast<std::size_t>(nx * ny), wanted.empty()),
      plane(static_cast<std::size_t>(nx), wanted.empty());
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i]) column[i % column.size()] = 1;
  for (std::size_t i = 0; i < column.size(); ++i)
    if (column[i]) plane[i % plane.size()] = 1;

  const std::array<index, 3> stride{1, nx, nx * ny};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    // The lines along `axis` start at every voxel of the plane of the two other axes.
    const std::size_t a = axis == 0 ? 1 : 0, b = axis == 2 ? 1 : 2;
    const index lines = size[a] * size[b];
    constexpr index run = 64;  // lines per task
    host_slices((lines + run - 1) / run, lines * size[axis], [&](index t) {
      detail::line_transform line(size[axis]);
      for (index l = t * run; l < std::min(lines, (t + 1) * run); ++l) {
        if (axis == 0) {
          const auto row = feature.subspan(static_cast<std::size_t>(l * nx), static_cast<std::size_t>(nx));
          bool any = false;
          for (const std::uint8_t f : row) any |= f != 0;
          std::transform(row.begin(), row.end(), squares.begin() + l * nx,
                         [](std::uint8_t f) { return f ? 0.0 : std::numeric_limits<double>::infinity(); });
          if (!any) continue;
        }
        if (axis == 1 && !plane[static_cast<std::size_t>(l % nx)]) continue;
        if (axis == 2 && !column[static_cast<std::size_t>(l)]) continue;
        line(squares.data() + l % size[a] * stride[a] + l / size[a] * stride[b], size[axis], stride[axis],
             spacing[axis]);
      }
    });
  }
  return squares;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
