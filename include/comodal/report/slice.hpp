// SPDX-License-Identifier: Apache-2.0
/// @file
/// Axial slices of a volume as panels of pixels: which voxel each pixel shows, grey values, contours. Radiological
/// display: the patient's right is on the left of the picture, the front is at the top.
#ifndef COMODAL_REPORT_SLICE_HPP
#define COMODAL_REPORT_SLICE_HPP

#include <comodal/data/geometry.hpp>
#include <comodal/metric/statistics.hpp>
#include <comodal/report/png.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// How the axial slices of a grid become panels: size in pixels and the voxel position of each pixel.
class slice_view {
 public:
  /// @param longest pixels of the panel's longer side; voxels keep their proportions in mm
  /// @throws shape_error for an empty grid, geometry_error for a singular affine; an oblique grid is shown on its own
  /// axes
  slice_view(const geometry& g, index longest) : m_axes(canonical_axes(g)), m_size(g.size) {
    if (g.voxels() <= 0) throw shape_error("slice: the volume has no voxels");
    const std::array<double, 3> spacing = g.spacing();
    const auto across = m_axes.axis[0], down = m_axes.axis[1];
    const double width = static_cast<double>(m_size[across]) * spacing[across],
                 height = static_cast<double>(m_size[down]) * spacing[down];
    const double scale = static_cast<double>(longest) / std::max(width, height);
    m_width = std::max<index>(1, std::llround(width * scale));
    m_height = std::max<index>(1, std::llround(height * scale));
  }

  [[nodiscard]] index width() const { return m_width; }
  [[nodiscard]] index height() const { return m_height; }
  /// Number of axial slices.
  [[nodiscard]] index slices() const { return m_size[m_axes.axis[2]]; }

  /// Position (i, j, k) in voxels of the centre of pixel (x, y) of an axial slice; slices are counted along the voxel
  /// axis.
  [[nodiscard]] std::array<double, 3> position(index x, index y, index slice) const {
    std::array<double, 3> p{};
    p[m_axes.axis[2]] = static_cast<double>(slice);
    // The patient's right is x = 0 and the front is y = 0, so an index that grows that way is read backwards.
    p[m_axes.axis[0]] = along(x, m_width, m_size[m_axes.axis[0]], !m_axes.flip[0]);
    p[m_axes.axis[1]] = along(y, m_height, m_size[m_axes.axis[1]], !m_axes.flip[1]);
    return p;
  }

  /// Value of the voxel under a pixel.
  template <class Scalar>
  [[nodiscard]] Scalar nearest(const volume<Scalar>& v, index x, index y, index slice) const {
    const std::array<double, 3> p = position(x, y, slice);
    return v.at(clamped(std::lround(p[0]), 0), clamped(std::lround(p[1]), 1), clamped(std::lround(p[2]), 2));
  }

  /// Value at a pixel, linear between the four voxels around it in the slice.
  [[nodiscard]] double linear(const image_volume& v, index x, index y, index slice) const {
    const std::array<double, 3> p = position(x, y, slice);
    const std::size_t a = m_axes.axis[0], b = m_axes.axis[1];
    const double low_a = std::floor(p[a]), low_b = std::floor(p[b]), ta = p[a] - low_a, tb = p[b] - low_b;
    double sum = 0;
    for (index corner = 0; corner < 4; ++corner) {
      std::array<index, 3> i{};
      i[m_axes.axis[2]] = slice;
      i[a] = clamped(static_cast<index>(low_a) + (corner & 1), a);
      i[b] = clamped(static_cast<index>(low_b) + (corner >> 1), b);
      const double weight = (corner & 1 ? ta : 1 - ta) * (corner >> 1 ? tb : 1 - tb);
      if (weight > 0) sum += weight * static_cast<double>(v.at(i[0], i[1], i[2]));
    }
    return sum;
  }

  /// Voxels of each slice that are not 0, added to `counts`.
  void count_labels(const label_volume& v, std::vector<index>& counts) const {
    counts.resize(static_cast<std::size_t>(slices()));
    std::array<index, 3> p{};
    for (p[2] = 0; p[2] < m_size[2]; ++p[2])
      for (p[1] = 0; p[1] < m_size[1]; ++p[1])
        for (p[0] = 0; p[0] < m_size[0]; ++p[0])
          counts[static_cast<std::size_t>(p[m_axes.axis[2]])] += v.at(p[0], p[1], p[2]) != 0;
  }

 private:
  static double along(index pixel, index pixels, index voxels, bool backwards) {
    const double place =
        (static_cast<double>(pixel) + 0.5) * static_cast<double>(voxels) / static_cast<double>(pixels) - 0.5;
    return backwards ? static_cast<double>(voxels - 1) - place : place;
  }
  [[nodiscard]] index clamped(index i, std::size_t axis) const { return std::clamp<index>(i, 0, m_size[axis] - 1); }

  axis_map m_axes;
  std::array<index, 3> m_size;
  index m_width = 0, m_height = 0;
};

/// The slice with the most labelled voxels in `counts`, and up to `number - 1` more, evenly spaced over the labelled
/// extent (the whole volume where nothing is labelled); ascending.
/// @param counts labelled voxels of each slice, at least one slice
[[nodiscard]] inline std::vector<index> choose_slices(const std::vector<index>& counts, index number) {
  index first = 0, last = static_cast<index>(counts.size()) - 1;
  const auto labelled = [&counts](index i) { return counts[static_cast<std::size_t>(i)] > 0; };
  index most = std::max_element(counts.begin(), counts.end()) - counts.begin();
  if (labelled(most)) {
    while (!labelled(first)) ++first;
    while (!labelled(last)) --last;
  } else {
    most = last / 2;
  }
  std::vector<index> chosen{most};
  for (index n = 0; n + 1 < number; ++n) {
    const index slice = first + (2 * n + 1) * (last - first) / (2 * std::max<index>(1, number - 1));
    if (std::find(chosen.begin(), chosen.end(), slice) == chosen.end()) chosen.push_back(slice);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

/// Grey window of an image: its 1 % and 99.5 % percentiles over the finite voxels.
struct grey_window {
  double low = 0, high = 1;

  /// 0 to 255; what is not finite is black.
  [[nodiscard]] std::uint8_t operator()(double value) const {
    const double t = (value - low) / (high - low);
    return std::isfinite(t) ? static_cast<std::uint8_t>(std::lround(255 * std::clamp(t, 0.0, 1.0))) : std::uint8_t{0};
  }
};

[[nodiscard]] inline grey_window window_of(const image_volume& image) {
  std::vector<double> values;
  values.reserve(image.values.size());
  for (const float v : image.values)
    if (std::isfinite(v)) values.push_back(static_cast<double>(v));
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  grey_window w{linear_percentile(values, 0.01), linear_percentile(values, 0.995)};
  if (!(w.high > w.low)) w = {values.front(), values.back()};
  if (!(w.high > w.low)) w.high = w.low + 1;
  return w;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
