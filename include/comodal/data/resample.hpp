// SPDX-License-Identifier: Apache-2.0
/// @file
/// Resampling along the axes of a grid, by nnU-Net's rules: cubic B-splines for images, linear per label for labels,
/// linear for probabilities; along a thick axis the nearest slice. Grids cover the same extent, and voxels are their
/// middles.
#ifndef COMODAL_DATA_RESAMPLE_HPP
#define COMODAL_DATA_RESAMPLE_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/data/geometry.hpp>
#include <comodal/data/resample_axis.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Which grid a volume is resampled to.
struct resampling {
  std::array<index, 3> size{};    // voxels along i, j, k afterwards
  std::array<bool, 3> nearest{};  // axes along which the nearest voxel is taken: a thick one
  friend bool operator==(const resampling&, const resampling&) = default;
};

/// The axis along which voxels are more than three times as long as along another, if there is one and no other is as
/// long; else -1. @param spacing mm
[[nodiscard]] inline int thick_axis(const std::array<double, 3>& spacing) {
  const double most = *std::max_element(spacing.begin(), spacing.end()),
               least = *std::min_element(spacing.begin(), spacing.end());
  if (!(most > 3 * least) || std::count(spacing.begin(), spacing.end(), most) != 1) return -1;
  return static_cast<int>(std::max_element(spacing.begin(), spacing.end()) - spacing.begin());
}

/// The resampling of a grid to voxels of about `spacing` mm along its axes: round(size . old / new) voxels, one at
/// least. The thick axis of the grid, or else of the new spacing, takes the nearest voxel.
/// @param spacing 0 along an axis keeps its voxels
/// @throws config_error for a spacing that is negative or not finite, or asks for more than 8192 voxels along an axis
[[nodiscard]] inline resampling resampling_to(const geometry& grid, const std::array<double, 3>& spacing) {
  resampling to;
  const auto old = grid.spacing();
  auto wanted = spacing;
  for (std::size_t a = 0; a < 3; ++a) {
    if (!(wanted[a] >= 0) || !std::isfinite(wanted[a]))
      throw config_error(text("resampling: a spacing of ", wanted[a], " mm, expected more than 0, or 0: as it is"));
    if (wanted[a] == 0) wanted[a] = old[a];
    const double voxels = std::nearbyint(static_cast<double>(grid.size[a]) * old[a] / wanted[a]);
    if (voxels > 8192)
      throw config_error(text("resampling: voxels of ", old[a], " mm become ", wanted[a], " mm, which makes ", voxels,
                              " voxels along axis ", a, ", expected at most 8192"));
    to.size[a] = std::max<index>(1, static_cast<index>(voxels));
  }
  int thick = thick_axis(old);
  if (thick < 0) thick = thick_axis(wanted);
  if (thick >= 0) to.nearest[static_cast<std::size_t>(thick)] = true;
  return to;
}

/// The grid afterwards: the same extent in the patient.
[[nodiscard]] inline geometry resampled(const geometry& before, const resampling& to) {
  geometry after = before;
  after.size = to.size;
  for (std::size_t a = 0; a < 3; ++a) {
    const double step = static_cast<double>(before.size[a]) / static_cast<double>(to.size[a]);
    for (std::size_t r = 0; r < 3; ++r) {
      after.affine[r][a] = before.affine[r][a] * step;
      after.affine[r][3] += before.affine[r][a] * (step - 1) / 2;  // the first voxel's middle
    }
  }
  return after;
}

namespace detail {

// Values (rows, n, inner) become (rows, m, inner), the axis in the middle resampled.
template <class Table>
void resample_axis(const std::vector<float>& from, std::vector<float>& to, index rows, index inner,
                   const Table& table) {
  constexpr index lanes = resampled_lanes;
  // Along the fastest axis lines lie one behind the other, along others side by side.
  const index lines = inner == 1 ? rows : inner, blocks = (lines + lanes - 1) / lanes;
  const index in_line = inner == 1 ? table.from : 1, out_line = inner == 1 ? table.to : 1;
  const index outer = inner == 1 ? 1 : rows;
  to.resize(static_cast<std::size_t>(rows * table.to * inner));
  host_slices(outer * blocks, static_cast<index>(from.size() + to.size()), [&](index t) {
    const index row = t / blocks, first = t % blocks * lanes;
    table.apply(from.data() + row * table.from * inner + first * in_line, in_line, inner,
                to.data() + row * table.to * inner + first * out_line, out_line, inner, std::min(lanes, lines - first));
  });
}

// All three axes, those that shrink most first. @param Kind of interpolation along axes that are not `nearest`
template <class Kind>
[[nodiscard]] image_volume resample_by(const image_volume& image, const resampling& to) {
  image_volume out{resampled(image.geometry, to), image.values};
  std::array<index, 3> size = image.geometry.size;
  std::array<std::size_t, 3> order{0, 1, 2};
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return to.size[a] * size[b] < to.size[b] * size[a]; });
  std::vector<float> next;
  for (const std::size_t a : order) {
    if (to.size[a] == size[a]) continue;
    const index inner = a == 0 ? 1 : a == 1 ? size[0] : size[0] * size[1];
    const index rows = static_cast<index>(out.values.size()) / (inner * size[a]);
    if (to.nearest[a])
      resample_axis(out.values, next, rows, inner, axis_resampler<nearest_voxel>(size[a], to.size[a]));
    else
      resample_axis(out.values, next, rows, inner, axis_resampler<Kind>(size[a], to.size[a]));
    out.values.swap(next);
    size[a] = to.size[a];
  }
  return out;
}

// The labels of eight neighbours with their weights: the heaviest, of equals the largest label.
class label_votes {
 public:
  void clear() { m_count = 0; }
  void add(std::uint8_t label, float weight) {
    for (int v = 0; v < m_count; ++v)
      if (m_label[static_cast<std::size_t>(v)] == label) {
        m_weight[static_cast<std::size_t>(v)] += weight;
        return;
      }
    m_label[static_cast<std::size_t>(m_count)] = label;
    m_weight[static_cast<std::size_t>(m_count++)] = weight;
  }
  [[nodiscard]] std::uint8_t winner() const {
    std::size_t best = 0;
    for (std::size_t v = 1; v < static_cast<std::size_t>(m_count); ++v)
      if (m_weight[v] > m_weight[best] + 1e-6f || (m_weight[v] > m_weight[best] - 1e-6f && m_label[v] > m_label[best]))
        best = v;
    return m_label[best];
  }

 private:
  std::array<std::uint8_t, 8> m_label{};
  std::array<float, 8> m_weight{};
  int m_count = 0;
};

}  // namespace detail

/// An image by cubic B-splines (SciPy's `zoom` of order 3 with `grid_mode` and the edge continued), cut off at the
/// range that it had.
[[nodiscard]] image_volume resample_image(const image_volume& image, const resampling& to);
/// Probabilities or other maps by linear interpolation.
[[nodiscard]] image_volume resample_linear(const image_volume& image, const resampling& to);
/// A label map: of the labels of the eight neighbours, whose indicators are interpolated linearly, the largest; of
/// equals the larger label. (Where a label has half of the weight or more this is nnU-Net's rule.)
[[nodiscard]] label_volume resample_labels(const label_volume& labels, const resampling& to);
#if COMODAL_BODIES
COMODAL_ONCE image_volume resample_image(const image_volume& image, const resampling& to) {
  if (image.values.empty()) return {resampled(image.geometry, to), {}};
  image_volume out = detail::resample_by<cubic_spline>(image, to);
  const auto [low, high] = std::minmax_element(image.values.begin(), image.values.end());
  const float least = *low, most = *high;
  for (float& v : out.values) v = std::min(std::max(v, least), most);
  return out;
}
COMODAL_ONCE image_volume resample_linear(const image_volume& image, const resampling& to) {
  return detail::resample_by<linear_interpolation>(image, to);
}
COMODAL_ONCE label_volume resample_labels(const label_volume& labels, const resampling& to) {
  const auto &from = labels.geometry.size, &size = to.size;
  label_volume out{resampled(labels.geometry, to),
                   std::vector<std::uint8_t>(static_cast<std::size_t>(size[0] * size[1] * size[2]))};
  std::array<std::vector<axis_place>, 3> places;
  for (std::size_t a = 0; a < 3; ++a) places[a] = axis_places(from[a], size[a], to.nearest[a]);
  host_slices(size[2], out.geometry.voxels(), [&](index k) {
    const axis_place& z = places[2][static_cast<std::size_t>(k)];
    detail::label_votes votes;
    for (index j = 0; j < size[1]; ++j) {
      const axis_place& y = places[1][static_cast<std::size_t>(j)];
      const std::uint8_t* const rows[4] = {
          labels.values.data() + (z.lower * from[1] + y.lower) * from[0],
          labels.values.data() + (z.lower * from[1] + y.upper) * from[0],
          labels.values.data() + (z.upper * from[1] + y.lower) * from[0],
          labels.values.data() + (z.upper * from[1] + y.upper) * from[0],
      };
      const float weights[4] = {(1 - z.part) * (1 - y.part), (1 - z.part) * y.part, z.part * (1 - y.part),
                                z.part * y.part};
      for (index i = 0; i < size[0]; ++i) {
        const axis_place& x = places[0][static_cast<std::size_t>(i)];
        const std::uint8_t first = rows[0][x.lower];
        bool same = true;
        for (const auto* row : rows) same = same && row[x.lower] == first && row[x.upper] == first;
        std::uint8_t chosen = first;
        if (!same) {
          votes.clear();
          for (int r = 0; r < 4; ++r) {
            votes.add(rows[r][x.lower], weights[r] * (1 - x.part));
            votes.add(rows[r][x.upper], weights[r] * x.part);
          }
          chosen = votes.winner();
        }
        out.at(i, j, k) = chosen;
      }
    }
  });
  return out;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
