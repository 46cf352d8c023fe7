// SPDX-License-Identifier: Apache-2.0
/// @file
/// Affines, orientation codes, the way to the closest RAS+ orientation and back, and the comparison of two grids.
#ifndef COMODAL_DATA_GEOMETRY_HPP
#define COMODAL_DATA_GEOMETRY_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/volume.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// A point or a direction: voxels (i, j, k) or millimetres (x, y, z).
using point3 = std::array<double, 3>;

/// The image of a point under an affine.
[[nodiscard]] inline point3 transform(const affine3x4& a, const point3& p) {
  point3 q{};
  for (std::size_t r = 0; r < 3; ++r) q[r] = a[r][0] * p[0] + a[r][1] * p[1] + a[r][2] * p[2] + a[r][3];
  return q;
}

/// `first` after `second`: the affine that maps p to first(second(p)).
[[nodiscard]] inline affine3x4 compose(const affine3x4& first, const affine3x4& second) {
  affine3x4 out{};
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 4; ++c) {
      out[r][c] = c == 3 ? first[r][3] : 0;
      for (std::size_t k = 0; k < 3; ++k) out[r][c] += first[r][k] * second[k][c];
    }
  return out;
}

/// Determinant of the 3 x 3 part: mm^3 a voxel, negative for a left-handed grid.
[[nodiscard]] inline double determinant(const affine3x4& a) {
  return a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) - a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
         a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
}

/// True where the affine spans a volume: finite, and no axis of length zero or inside the plane of the others.
[[nodiscard]] inline bool invertible(const affine3x4& a) {
  double lengths = 1;
  for (std::size_t c = 0; c < 3; ++c) lengths *= std::hypot(a[0][c], a[1][c], a[2][c]);
  if (!std::isfinite(a[0][3]) || !std::isfinite(a[1][3]) || !std::isfinite(a[2][3])) return false;
  return std::isfinite(lengths) && lengths > 0 && std::abs(determinant(a)) > 1e-6 * lengths;
}

/// The inverse affine. @throws geometry_error if there is none
[[nodiscard]] inline affine3x4 inverse(const affine3x4& a) {
  if (!invertible(a)) throw geometry_error("inverse: the affine is singular, its axes span no volume");
  const double d = determinant(a);
  affine3x4 out{};
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t c = 0; c < 3; ++c) {
      const std::size_t r1 = (c + 1) % 3, r2 = (c + 2) % 3, c1 = (r + 1) % 3, c2 = (r + 2) % 3;
      out[r][c] = (a[r1][c1] * a[r2][c2] - a[r1][c2] * a[r2][c1]) / d;
    }
    out[r][3] = -(out[r][0] * a[0][3] + out[r][1] * a[1][3] + out[r][2] * a[2][3]);
  }
  return out;
}

/// Unit vectors along the voxel axes: column c is the direction of axis c in millimetre space, without origin.
[[nodiscard]] inline affine3x4 directions(const geometry& g) {
  const auto spacing = g.spacing();
  affine3x4 out{};
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 3; ++c) out[r][c] = g.affine[r][c] / spacing[c];
  return out;
}

/// How stored axes become canonical ones: canonical axis a runs along stored axis `axis[a]`, backwards where `flip[a]`.
struct axis_map {
  std::array<std::size_t, 3> axis{0, 1, 2};
  std::array<bool, 3> flip{};
  friend bool operator==(const axis_map&, const axis_map&) = default;
};

/// The permutation and flips that bring a grid closest to RAS+ (i to the right, j to the front, k up): the permutation
/// with the largest sum of absolute direction cosines; of equal ones the first. Oblique and sheared grids keep their
/// tilt.
/// @throws geometry_error if the affine is singular
[[nodiscard]] inline axis_map canonical_axes(const geometry& g) {
  if (!invertible(g.affine)) throw geometry_error("orientation: the affine is singular, its axes span no volume");
  const affine3x4 d = directions(g);
  axis_map best;
  double most = -1;
  std::array<std::size_t, 3> p{0, 1, 2};
  do {
    const double sum = std::abs(d[0][p[0]]) + std::abs(d[1][p[1]]) + std::abs(d[2][p[2]]);
    if (sum > most + 1e-9) {
      most = sum;
      best.axis = p;
    }
  } while (std::next_permutation(p.begin(), p.end()));
  for (std::size_t a = 0; a < 3; ++a) best.flip[a] = d[a][best.axis[a]] < 0;
  return best;
}

/// Where the stored axes i, j, k point, as three letters: "RAS", "LPS", "PIR" ... (the closest anatomical directions).
[[nodiscard]] inline std::string orientation_code(const geometry& g) {
  const axis_map map = canonical_axes(g);
  std::string code = "???";
  for (std::size_t a = 0; a < 3; ++a) code[map.axis[a]] = (map.flip[a] ? "LPI" : "RAS")[a];
  return code;
}

/// The grid after permutation and flips: the same voxels at the same millimetres, axes closest to RAS+.
[[nodiscard]] inline geometry to_canonical(const geometry& g) {
  const axis_map map = canonical_axes(g);
  geometry out = g;
  for (std::size_t a = 0; a < 3; ++a) {
    const std::size_t s = map.axis[a];
    const double sign = map.flip[a] ? -1 : 1;
    out.size[a] = g.size[s];
    for (std::size_t r = 0; r < 3; ++r) {
      out.affine[r][a] = sign * g.affine[r][s];
      if (map.flip[a]) out.affine[r][3] += static_cast<double>(g.size[s] - 1) * g.affine[r][s];
    }
  }
  return out;
}

namespace detail {

// Calls body(canonical offset, stored offset) for every voxel.
template <class Body>
void for_reoriented(const geometry& stored, const Body& body) {
  const axis_map map = canonical_axes(stored);
  const std::array<index, 3> strides{1, stored.size[0], stored.size[0] * stored.size[1]};
  std::array<index, 3> size{}, step{};
  index base = 0;
  for (std::size_t a = 0; a < 3; ++a) {
    size[a] = stored.size[map.axis[a]];
    step[a] = map.flip[a] ? -strides[map.axis[a]] : strides[map.axis[a]];
    if (map.flip[a]) base += (size[a] - 1) * strides[map.axis[a]];
  }
  host_slices(size[2], stored.voxels(), [&](index k) {
    for (index j = 0; j < size[1]; ++j)
      for (index i = 0; i < size[0]; ++i)
        body((k * size[1] + j) * size[0] + i, base + i * step[0] + j * step[1] + k * step[2]);
  });
}

}  // namespace detail

/// The volume with axes permuted and flipped to the closest RAS+ orientation; no value changes.
template <class Scalar>
[[nodiscard]] volume<Scalar> to_canonical(const volume<Scalar>& v) {
  volume<Scalar> out{to_canonical(v.geometry), std::vector<Scalar>(v.values.size())};
  detail::for_reoriented(v.geometry, [&](index canonical, index stored) {
    out.values[static_cast<std::size_t>(canonical)] = v.values[static_cast<std::size_t>(stored)];
  });
  return out;
}

/// The exact inverse of `to_canonical`: a volume on the canonical grid of `original`, back on `original` itself.
/// @throws geometry_error if the sizes are not those of the canonical grid
template <class Scalar>
[[nodiscard]] volume<Scalar> from_canonical(const volume<Scalar>& v, const geometry& original) {
  if (v.geometry.size != to_canonical(original).size)
    throw geometry_error("from_canonical: the volume has not the size of the original grid in canonical orientation");
  volume<Scalar> out{original, std::vector<Scalar>(v.values.size())};
  detail::for_reoriented(original, [&](index canonical, index stored) {
    out.values[static_cast<std::size_t>(stored)] = v.values[static_cast<std::size_t>(canonical)];
  });
  return out;
}

namespace detail {

template <class Array>
std::string listed(const Array& v, const char* separator) {
  return text(v[0], separator, v[1], separator, v[2]);
}

}  // namespace detail

/// How grid `found` differs from `expected`, in words ("size 108 x 120 x 33, expected 108 x 120 x 34; ..."); empty if
/// it does not.
/// @param tolerance of spacings (relative) and direction cosines (absolute); origins may differ by ten times this share
/// of a voxel
[[nodiscard]] std::string grid_difference(const geometry& found, const geometry& expected, double tolerance = 1e-3);
#if COMODAL_BODIES
COMODAL_ONCE std::string grid_difference(const geometry& found, const geometry& expected, double tolerance) {
  std::string out;
  const auto add = [&](const std::string& words) { out += (out.empty() ? "" : "; ") + words; };
  if (found.size != expected.size)
    add(text("size ", detail::listed(found.size, " x "), ", expected ", detail::listed(expected.size, " x ")));
  if (!invertible(found.affine) || !invertible(expected.affine)) {
    if (found.affine != expected.affine) add("a singular affine");
    return out;
  }
  const auto a = found.spacing(), b = expected.spacing();
  bool spacing = false;
  for (std::size_t c = 0; c < 3; ++c) spacing |= std::abs(a[c] - b[c]) > tolerance * b[c];
  if (spacing) add(text("spacing ", detail::listed(a, " x "), " mm, expected ", detail::listed(b, " x "), " mm"));
  const affine3x4 u = directions(found), v = directions(expected);
  double tilt = 0, largest = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    const double chord = std::hypot(u[0][c] - v[0][c], u[1][c] - v[1][c], u[2][c] - v[2][c]);
    tilt = std::max(tilt, 2 * std::asin(std::min(1.0, chord / 2)));
    for (std::size_t r = 0; r < 3; ++r) largest = std::max(largest, std::abs(u[r][c] - v[r][c]));
  }
  if (largest > tolerance) {
    const std::string code = orientation_code(found), wanted = orientation_code(expected);
    if (code != wanted)
      add(text("orientation ", code, ", expected ", wanted));
    else
      add(text("axes tilted by ", tilt * 57.29577951308232, " degrees"));
  }
  const point3 p{found.affine[0][3], found.affine[1][3], found.affine[2][3]};
  const point3 q{expected.affine[0][3], expected.affine[1][3], expected.affine[2][3]};
  const double shift = std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
  if (shift > 10 * tolerance * std::min({b[0], b[1], b[2]}))
    add(text("origin (", detail::listed(p, ", "), ") mm, expected (", detail::listed(q, ", "), ") mm"));
  return out;
}
#endif

/// True if two grids have the same voxels in the same places; tolerance as in `grid_difference`.
[[nodiscard]] inline bool same_grid(const geometry& a, const geometry& b, double tolerance = 1e-3) {
  return grid_difference(a, b, tolerance).empty();
}

/// The median voxel size of grids along each of their axes, in mm; of an even number the smaller of the middle two.
/// Zeros without grids.
[[nodiscard]] inline std::array<double, 3> median_spacing(const std::vector<geometry>& grids) {
  std::array<double, 3> median{};
  for (std::size_t a = 0; a < 3 && !grids.empty(); ++a) {
    std::vector<double> along;
    for (const geometry& g : grids) along.push_back(g.spacing()[a]);
    const auto middle = along.begin() + static_cast<std::ptrdiff_t>((along.size() - 1) / 2);
    std::nth_element(along.begin(), middle, along.end());
    median[a] = *middle;
  }
  return median;
}

/// Words where the voxel size of a grid is not that of the training cases: another by more than a quarter along an
/// axis; else empty.
/// @param trained mm along the grid's axes, as of `median_spacing`; zeros where it is not known
[[nodiscard]] inline std::string spacing_warning(const geometry& grid, const std::array<double, 3>& trained) {
  const auto spacing = grid.spacing();
  for (std::size_t a = 0; a < 3; ++a)
    if (trained[a] > 0 && std::abs(std::log(spacing[a] / trained[a])) > std::log(1.25))
      return text("has voxels of ", detail::listed(spacing, " x "), " mm, the training cases ",
                  detail::listed(trained, " x "),
                  " mm (median): what is learnt at one size may fail at another; data.spacing resamples volumes");
  return {};
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
