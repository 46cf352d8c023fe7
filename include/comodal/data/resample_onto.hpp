// SPDX-License-Identifier: Apache-2.0
/// @file
/// An image on the grid of another one of the same patient, however the two lie to each other.
#ifndef COMODAL_DATA_RESAMPLE_ONTO_HPP
#define COMODAL_DATA_RESAMPLE_ONTO_HPP

#include <comodal/data/resample.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// Lines of values become the coefficients of B-splines through them.
struct coefficient_lines {
  index from, to;
  void apply(const float* in, index in_line, index in_step, float* out, index out_line, index out_step,
             index lines) const {
    std::vector<line_values> values(static_cast<std::size_t>(from));
    for (index t = 0; t < from; ++t)
      for (index l = 0; l < lines; ++l)
        values[static_cast<std::size_t>(t)][static_cast<std::size_t>(l)] = in[l * in_line + t * in_step];
    spline_coefficients(values);
    for (index t = 0; t < from; ++t)
      for (index l = 0; l < lines; ++l)
        out[l * out_line + t * out_step] =
            static_cast<float>(values[static_cast<std::size_t>(t)][static_cast<std::size_t>(l)]);
  }
};

// The B-spline through an image whose edges go on for `cubic_spline::margin` voxels.
class image_spline {
 public:
  explicit image_spline(const image_volume& image) : m_size(image.geometry.size) {
    const auto [low, high] = std::minmax_element(image.values.begin(), image.values.end());
    m_low = *low, m_high = *high;
    for (std::size_t a = 0; a < 3; ++a) m_padded[a] = m_size[a] + 2 * margin;
    std::vector<float> next, values(static_cast<std::size_t>(m_padded[0] * m_padded[1] * m_padded[2]));
    const auto inside = [&](std::size_t a, index i) { return std::clamp<index>(i - margin, 0, m_size[a] - 1); };
    host_slices(m_padded[2], static_cast<index>(values.size()), [&](index k) {
      for (index j = 0; j < m_padded[1]; ++j)
        for (index i = 0; i < m_padded[0]; ++i)
          values[static_cast<std::size_t>((k * m_padded[1] + j) * m_padded[0] + i)] =
              image.at(inside(0, i), inside(1, j), inside(2, k));
    });
    for (std::size_t a = 0; a < 3; ++a) {
      const index inner = a == 0 ? 1 : a == 1 ? m_padded[0] : m_padded[0] * m_padded[1];
      resample_axis(values, next, static_cast<index>(values.size()) / (inner * m_padded[a]), inner,
                    coefficient_lines{m_padded[a], m_padded[a]});
      values.swap(next);
    }
    m_coefficients = std::move(values);
  }

  // The value at a place in voxels; the image's least value beyond the voxels at its edge.
  [[nodiscard]] float operator()(const point3& at) const {
    std::array<index, 3> first{};
    std::array<std::array<double, 4>, 3> weights{};
    for (std::size_t a = 0; a < 3; ++a) {
      if (!(at[a] >= -0.5 - rounding && at[a] <= static_cast<double>(m_size[a]) - 0.5 + rounding)) return m_low;
      const double low = std::floor(at[a]);
      first[a] = static_cast<index>(low) + margin - cubic_spline::before;
      weights[a] = cubic_spline::weights(at[a] - low);
    }
    double sum = 0;
    for (index k = 0; k < 4; ++k)
      for (index j = 0; j < 4; ++j) {
        const float* const row =
            m_coefficients.data() + ((first[2] + k) * m_padded[1] + first[1] + j) * m_padded[0] + first[0];
        double along = 0;
        for (index i = 0; i < 4; ++i) along += weights[0][static_cast<std::size_t>(i)] * static_cast<double>(row[i]);
        sum += weights[2][static_cast<std::size_t>(k)] * weights[1][static_cast<std::size_t>(j)] * along;
      }
    return std::min(std::max(static_cast<float>(sum), m_low), m_high);
  }

 private:
  static constexpr index margin = cubic_spline::margin;
  static constexpr double rounding = 1e-4;  // voxels, of an affine in a file

  std::array<index, 3> m_size, m_padded{};
  float m_low = 0, m_high = 0;
  std::vector<float> m_coefficients;
};

}  // namespace detail

/// The share of the voxels of `grid` whose centres an image on `image` shows, from up to 64 places along each axis.
/// @throws geometry_error if its affine is singular
[[nodiscard]] inline double covered_share(const geometry& image, const geometry& grid) {
  const affine3x4 way = compose(inverse(image.affine), grid.affine);
  std::array<index, 3> step{};
  for (std::size_t a = 0; a < 3; ++a) step[a] = (grid.size[a] + 63) / 64;
  index shown = 0, all = 0;
  for (index k = 0; k < grid.size[2]; k += step[2])
    for (index j = 0; j < grid.size[1]; j += step[1])
      for (index i = 0; i < grid.size[0]; i += step[0]) {
        const point3 at = transform(way, {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)});
        bool inside = true;
        for (std::size_t a = 0; a < 3; ++a)
          inside = inside && at[a] >= -0.5 && at[a] <= static_cast<double>(image.size[a]) - 0.5;
        shown += inside;
        ++all;
      }
  return all == 0 ? 0 : static_cast<double>(shown) / static_cast<double>(all);
}

/// The image at the voxels of `grid`: by cubic B-splines at their places in the patient, cut off at the range that it
/// had. What it does not show takes its least value.
/// @throws geometry_error if its affine is singular
[[nodiscard]] image_volume resample_onto(const image_volume& image, const geometry& grid);
#if COMODAL_BODIES
COMODAL_ONCE image_volume resample_onto(const image_volume& image, const geometry& grid) {
  const affine3x4 way = compose(inverse(image.geometry.affine), grid.affine);
  const detail::image_spline spline(image);
  image_volume out{grid, std::vector<float>(static_cast<std::size_t>(grid.voxels()))};
  host_slices(grid.size[2], 64 * grid.voxels(), [&](index k) {
    for (index j = 0; j < grid.size[1]; ++j)
      for (index i = 0; i < grid.size[0]; ++i)
        out.at(i, j, k) =
            spline(transform(way, {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)}));
  });
  return out;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
