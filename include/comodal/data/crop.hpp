// SPDX-License-Identifier: Apache-2.0
/// @file
/// Crops: one geometric draw (flips, rotation, scale about the centre of the patch, elastic displacements), sampled
/// once from the volume: trilinear for images, nearest neighbour for labels, a fixed value outside.
#ifndef COMODAL_DATA_CROP_HPP
#define COMODAL_DATA_CROP_HPP

#include <comodal/data/batch.hpp>
#include <comodal/data/elastic.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

namespace comodal::inline COMODAL_CONFIG {

/// Which place of the volume a voxel of the patch shows; all axes in the order (D, H, W), all lengths in voxels.
/// Voxel p of the patch shows the place `first + (P - 1) / 2 + matrix (p - (P - 1) / 2) + elastic(p)`.
struct crop_map {
  extent3 patch{};  // P
  extent3 first{};  // the patch's first voxel in the volume if the matrix is the identity; may be negative
  std::array<std::array<double, 3>, 3> matrix{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  std::shared_ptr<const elastic_field> elastic{};  // null: none

  /// The matrix only flips: the crop is a copy, without interpolation.
  [[nodiscard]] bool is_copy() const {
    if (elastic) return false;
    for (std::size_t r = 0; r < 3; ++r)
      for (std::size_t c = 0; c < 3; ++c)
        if (r == c ? std::abs(matrix[r][c]) != 1 : matrix[r][c] != 0) return false;
    return true;
  }
};

/// The map of a patch that is flipped, then scaled (above 1: magnified), then rotated about the axes W, H, D by angles
/// in degrees.
/// @param spacing voxel sizes in mm (D, H, W): rotations are rotations in mm
/// @param scaled the axes (D, H, W) along which it is scaled
[[nodiscard]] inline crop_map make_crop_map(const extent3& patch, const extent3& first,
                                            const std::array<double, 3>& spacing, const std::array<bool, 3>& flip,
                                            const std::array<double, 3>& degrees, double scale,
                                            const std::array<bool, 3>& scaled = {true, true, true}) {
  crop_map map{patch, first};
  for (std::size_t a = 0; a < 3; ++a) map.matrix[a][a] = (flip[a] ? -1 : 1) / (scaled[a] ? scale : 1);
  for (std::size_t a = 3; a-- > 0;) {
    if (degrees[a] == 0) continue;
    const double angle = degrees[a] * (3.141592653589793 / 180), c = std::cos(angle), s = std::sin(angle);
    const std::size_t u = (a + 1) % 3, v = (a + 2) % 3;
    for (std::size_t column = 0; column < 3; ++column) {
      const double x = map.matrix[u][column] * spacing[u], y = map.matrix[v][column] * spacing[v];
      map.matrix[u][column] = (c * x - s * y) / spacing[u];
      map.matrix[v][column] = (s * x + c * y) / spacing[v];
    }
  }
  return map;
}

/// Draws flips, angles, scale and displacements as the options say.
[[nodiscard]] inline crop_map draw_crop_map(const batch_options& options, const extent3& first,
                                            const std::array<double, 3>& spacing, random_stream& random) {
  std::array<bool, 3> flip{};
  std::array<double, 3> degrees{};
  for (std::size_t a = 0; a < 3; ++a) flip[a] = random.chance(options.mirror_chance) && options.mirror[a];
  const bool rotate = random.chance(options.rotation_chance);
  for (std::size_t a = 0; a < 3; ++a) {
    const double angle = random.uniform(-options.rotation_degrees[a], options.rotation_degrees[a]);
    if (rotate) degrees[a] = angle;
  }
  const bool resize = random.chance(options.scale_chance);
  const double scale = random.uniform(options.scale[0], options.scale[1]);
  crop_map map =
      make_crop_map(options.patch_size, first, spacing, flip, degrees, resize ? scale : 1, options.resampled_axes);
  if (!random.chance(options.elastic_chance)) return map;
  const double distance = random.uniform(options.elastic_distance[0], options.elastic_distance[1]),
               part = random.uniform(options.elastic_part[0], options.elastic_part[1]);
  map.elastic = std::make_shared<const elastic_field>(options.patch_size, spacing, distance, part,
                                                      options.resampled_axes, random);
  return map;
}

/// One array that is cropped: values (D, H, W) of the volume, the value outside of it, and where the crop (P) goes.
template <class Scalar>
struct crop_layer {
  const Scalar* source;
  Scalar outside;
  Scalar* out;
};

namespace detail {

template <class Scalar>
void copy_crop(const extent3& volume, const crop_map& map, const crop_layer<Scalar>& layer) {
  const extent3& p = map.patch;
  const auto place = [&](std::size_t a, index i) { return map.first[a] + (map.matrix[a][a] < 0 ? p[a] - 1 - i : i); };
  const bool reversed = map.matrix[2][2] < 0;
  // The part [from, to) of a row of the patch that lies in the volume.
  const index low = std::clamp<index>(-map.first[2], 0, p[2]),
              high = std::clamp<index>(volume[2] - map.first[2], low, p[2]);
  const index from = reversed ? p[2] - high : low, to = reversed ? p[2] - low : high;
  Scalar* out = layer.out;
  for (index d = 0; d < p[0]; ++d)
    for (index h = 0; h < p[1]; ++h, out += p[2]) {
      const index z = place(0, d), y = place(1, h);
      if (z < 0 || z >= volume[0] || y < 0 || y >= volume[1] || from == to) {
        std::fill_n(out, p[2], layer.outside);
        continue;
      }
      const Scalar* row = layer.source + (z * volume[1] + y) * volume[2] + map.first[2];
      std::fill(out, out + from, layer.outside);
      if (reversed)
        std::reverse_copy(row + low, row + high, out + from);
      else
        std::copy(row + low, row + high, out + from);
      std::fill(out + to, out + p[2], layer.outside);
    }
}

/// The places that one row of the patch shows, in fixed point with 16 bits behind the point: a place that is a voxel up
/// to rounding is that voxel exactly.
struct crop_row {
  std::array<std::vector<std::int32_t>, 3> place;
  std::array<std::vector<float>, 3> fraction;
  std::vector<std::int32_t> offset;
  std::vector<float> moved;   // by the elastic field
  index first = 0, last = 0;  // the part of the row whose eight neighbours are all in the volume

  explicit crop_row(index width) : offset(static_cast<std::size_t>(width)) {
    for (auto& p : place) p.resize(offset.size());
    for (auto& f : fraction) f.resize(offset.size());
  }

  // 2e9 is far outside, too.
  [[nodiscard]] static std::int32_t fixed_point(double place) {
    return static_cast<std::int32_t>(std::floor(std::clamp(place, -2e9, 2e9)));
  }

  void set(const extent3& volume, const crop_map& map, index d, index h) {
    const auto width = static_cast<std::int32_t>(offset.size());
    const std::array<double, 3> p{static_cast<double>(d), static_cast<double>(h), 0};
    for (std::size_t a = 0; a < 3; ++a) {
      double start = static_cast<double>(map.first[a]) + static_cast<double>(map.patch[a] - 1) / 2;
      for (std::size_t c = 0; c < 3; ++c)
        start += map.matrix[a][c] * (p[c] - static_cast<double>(map.patch[c] - 1) / 2);
      const double origin = start * 65536 + 0.5, stride = map.matrix[a][2] * 65536;
      std::int32_t* out = place[a].data();
      float* part = fraction[a].data();
      if (map.elastic) {
        moved.resize(offset.size());
        map.elastic->row(a, d, h, moved.data());
        for (std::int32_t w = 0; w < width; ++w)
          out[w] = fixed_point(origin + w * stride + static_cast<double>(moved[static_cast<std::size_t>(w)]) * 65536);
      } else {
#pragma omp simd
        for (std::int32_t w = 0; w < width; ++w) out[w] = fixed_point(origin + w * stride);
      }
#pragma omp simd
      for (std::int32_t w = 0; w < width; ++w) part[w] = static_cast<float>(out[w] & 65535) * 0x1p-16f;
    }
    const auto inside = [&](index w) {
      for (std::size_t a = 0; a < 3; ++a) {
        const std::int32_t i = place[a][static_cast<std::size_t>(w)] >> 16;
        if (i < 0 || i + 1 >= volume[a]) return false;
      }
      return true;
    };
    for (first = 0, last = width; first < last && !inside(first);) ++first;
    while (last > first && !inside(last - 1)) --last;
    if (map.elastic)  // a bent row may leave the volume in its middle
      for (index w = first; w < last; ++w)
        if (!inside(w)) first = last = 0;
    const auto plane = static_cast<std::int32_t>(volume[1] * volume[2]), row = static_cast<std::int32_t>(volume[2]);
#pragma omp simd
    for (index w = first; w < last; ++w) {
      const auto i = static_cast<std::size_t>(w);
      offset[i] = (place[0][i] >> 16) * plane + (place[1][i] >> 16) * row + (place[2][i] >> 16);
    }
  }
};

[[nodiscard]] inline float between(float a, float b, float t) { return a + t * (b - a); }

inline void interpolate_row(const extent3& volume, const crop_row& row, const crop_layer<float>& layer, float* out) {
  const float *fd = row.fraction[0].data(), *fh = row.fraction[1].data(), *fw = row.fraction[2].data();
  const auto width = static_cast<index>(row.offset.size());
  const auto border = [&](index w) {
    const auto i = static_cast<std::size_t>(w);
    const index z = row.place[0][i] >> 16, y = row.place[1][i] >> 16, x = row.place[2][i] >> 16;
    if (z < -1 || z >= volume[0] || y < -1 || y >= volume[1] || x < -1 || x >= volume[2]) return layer.outside;
    const auto value = [&](index dz, index dy, index dx) {
      const index k = z + dz, j = y + dy, l = x + dx;
      const bool in = k >= 0 && k < volume[0] && j >= 0 && j < volume[1] && l >= 0 && l < volume[2];
      return in ? layer.source[(k * volume[1] + j) * volume[2] + l] : layer.outside;
    };
    const auto line = [&](index dz, index dy) { return between(value(dz, dy, 0), value(dz, dy, 1), fw[i]); };
    return between(between(line(0, 0), line(0, 1), fh[i]), between(line(1, 0), line(1, 1), fh[i]), fd[i]);
  };
  for (index w = 0; w < row.first; ++w) out[w] = border(w);
  const float* c00 = layer.source;
  const float *c01 = c00 + volume[2], *c10 = c00 + volume[1] * volume[2], *c11 = c10 + volume[2];
  const std::int32_t* offset = row.offset.data();
#pragma omp simd
  for (index w = row.first; w < row.last; ++w) {
    const std::int32_t o = offset[w];
    const float near = between(between(c00[o], c00[o + 1], fw[w]), between(c01[o], c01[o + 1], fw[w]), fh[w]);
    const float far = between(between(c10[o], c10[o + 1], fw[w]), between(c11[o], c11[o + 1], fw[w]), fh[w]);
    out[w] = between(near, far, fd[w]);
  }
  for (index w = row.last; w < width; ++w) out[w] = border(w);
}

inline void nearest_row(const extent3& volume, const crop_row& row, const crop_layer<std::uint8_t>& layer,
                        std::uint8_t* out) {
  for (std::size_t w = 0; w < row.offset.size(); ++w) {
    const index z = (row.place[0][w] + 32768) >> 16, y = (row.place[1][w] + 32768) >> 16,
                x = (row.place[2][w] + 32768) >> 16;
    const bool in = z >= 0 && z < volume[0] && y >= 0 && y < volume[1] && x >= 0 && x < volume[2];
    out[w] = in ? layer.source[(z * volume[1] + y) * volume[2] + x] : layer.outside;
  }
}

}  // namespace detail

/// Crops images and labels of one volume through one map, so that voxels correspond. Outside the volume images count as
/// their value `outside` (interpolation sees it too).
/// @param volume size (D, H, W) of the source; at most 8192 along an axis and below 2^31 voxels
void extract_crop(const extent3& volume, const crop_map& map, std::span<const crop_layer<float>> images,
                  std::span<const crop_layer<std::uint8_t>> labels = {});
#if COMODAL_BODIES
COMODAL_ONCE void extract_crop(const extent3& volume, const crop_map& map, std::span<const crop_layer<float>> images,
                               std::span<const crop_layer<std::uint8_t>> labels) {
  if (map.is_copy()) {
    for (const auto& layer : images) detail::copy_crop(volume, map, layer);
    for (const auto& layer : labels) detail::copy_crop(volume, map, layer);
    return;
  }
  detail::crop_row row(map.patch[2]);
  for (index d = 0, at = 0; d < map.patch[0]; ++d)
    for (index h = 0; h < map.patch[1]; ++h, at += map.patch[2]) {
      row.set(volume, map, d, h);
      for (const auto& layer : images) detail::interpolate_row(volume, row, layer, layer.out + at);
      for (const auto& layer : labels) detail::nearest_row(volume, row, layer, layer.out + at);
    }
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
