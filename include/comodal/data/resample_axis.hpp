// SPDX-License-Identifier: Apache-2.0
/// @file
/// Resampling of lines of values: each new value is a weighted sum of up to four old ones, or of the coefficients of a
/// cubic B-spline through them.
#ifndef COMODAL_DATA_RESAMPLE_AXIS_HPP
#define COMODAL_DATA_RESAMPLE_AXIS_HPP

#include <comodal/core/shape.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// How the values of a line are joined: how many of them make one, how far its ends are continued with the value there,
/// and the weights of those from the voxel before the first one that counts.
struct nearest_voxel {
  static constexpr int taps = 1, margin = 0, before = 0;
  static constexpr bool is_spline = false;
  [[nodiscard]] static std::array<double, 1> weights(double) { return {1}; }
};
struct linear_interpolation {
  static constexpr int taps = 2, margin = 1, before = 0;
  static constexpr bool is_spline = false;
  [[nodiscard]] static std::array<double, 2> weights(double part) { return {1 - part, part}; }
};
struct cubic_spline {
  // The influence of a value on coefficients falls by 0.27 per voxel: the ends of twelve more do not matter in float.
  static constexpr int taps = 4, margin = 12, before = 1;
  static constexpr bool is_spline = true;
  [[nodiscard]] static std::array<double, 4> weights(double t) {
    const double u = 1 - t;
    return {u * u * u / 6, (4 - 6 * t * t + 3 * t * t * t) / 6, (4 - 6 * u * u + 3 * u * u * u) / 6, t * t * t / 6};
  }
};

/// The place of voxel `i` of `to` among `from` that cover the same extent: 0 is the middle of the first.
[[nodiscard]] inline double resampled_place(index i, index from, index to) {
  return (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
}

/// Where a new voxel lies between old ones: its neighbours, and the weight of the upper one.
struct axis_place {
  index lower = 0, upper = 0;
  float part = 0;
};

/// The places of all `to` voxels of an axis. @param nearest takes the nearer one alone; of equals the upper
[[nodiscard]] inline std::vector<axis_place> axis_places(index from, index to, bool nearest) {
  std::vector<axis_place> places;
  for (index i = 0; i < to; ++i) {
    const double at = resampled_place(i, from, to);
    const auto low = static_cast<index>(std::floor(nearest ? at + 0.5 : at));
    const auto inside = [&](index v) { return std::clamp<index>(v, 0, from - 1); };
    places.push_back({inside(low), nearest ? inside(low) : inside(low + 1),
                      nearest ? 0.f : static_cast<float>(at - static_cast<double>(low))});
  }
  return places;
}

/// Lines that are made together, and one value of each.
inline constexpr index resampled_lanes = 16;
using line_values = std::array<double, static_cast<std::size_t>(resampled_lanes)>;

namespace detail {

// Coefficients whose B-spline goes through the values (Unser, Aldroubi and Eden, IEEE Trans. Signal Process. 41,
// 1993): one recursion in each direction, mirrored at the ends.
inline void spline_coefficients(std::vector<line_values>& c) {
  const double pole = std::sqrt(3.0) - 2;
  const std::size_t n = c.size();
  line_values start{};
  double power = 1;
  for (std::size_t t = 0; t < std::min<std::size_t>(n, 40); ++t, power *= pole) {
#pragma omp simd
    for (std::size_t l = 0; l < resampled_lanes; ++l) start[l] += power * c[t][l];
  }
  c[0] = start;
  for (std::size_t t = 1; t < n; ++t) {
#pragma omp simd
    for (std::size_t l = 0; l < resampled_lanes; ++l) c[t][l] += pole * c[t - 1][l];
  }
#pragma omp simd
  for (std::size_t l = 0; l < resampled_lanes; ++l)
    c[n - 1][l] = pole / (pole * pole - 1) * (c[n - 1][l] + pole * c[n - 2][l]);
  for (std::size_t t = n - 1; t-- > 0;) {
#pragma omp simd
    for (std::size_t l = 0; l < resampled_lanes; ++l) c[t][l] = pole * (c[t + 1][l] - c[t][l]);
  }
  for (auto& row : c) {
#pragma omp simd
    for (std::size_t l = 0; l < resampled_lanes; ++l) row[l] *= 6;
  }
}

}  // namespace detail

/// Resamples lines of `from` values to `to`.
template <class Kind>
class axis_resampler {
 public:
  index from, to;

  axis_resampler(index from_voxels, index to_voxels) : from(from_voxels), to(to_voxels) {
    for (index i = 0; i < to; ++i) {
      const double at = resampled_place(i, from, to);
      const double low = std::floor(Kind::taps == 1 ? at + 0.5 : at);
      m_first.push_back(std::clamp<index>(static_cast<index>(low), -1, from) - Kind::before + Kind::margin);
      m_weights.push_back(Kind::weights(at - low));
      if constexpr (Kind::taps == 1) m_first.back() = std::clamp<index>(m_first.back(), 0, from - 1);
    }
  }

  /// Up to `resampled_lanes` lines: value t of line l lies at `in[l * in_line + t * in_step]`, and at `out` likewise.
  void apply(const float* in, index in_line, index in_step, float* out, index out_line, index out_step,
             index lines) const {
    const index length = from + 2 * Kind::margin;
    thread_local std::vector<line_values> values;
    values.assign(static_cast<std::size_t>(length), {});
    for (index t = 0; t < length; ++t) {
      const float* const row = in + std::clamp<index>(t - Kind::margin, 0, from - 1) * in_step;
      for (index l = 0; l < lines; ++l)
        values[static_cast<std::size_t>(t)][static_cast<std::size_t>(l)] = row[l * in_line];
    }
    if constexpr (Kind::is_spline) detail::spline_coefficients(values);
    for (index i = 0; i < to; ++i) {
      const auto& weight = m_weights[static_cast<std::size_t>(i)];
      const auto* const taps = values.data() + m_first[static_cast<std::size_t>(i)];
      line_values sum{};
      for (std::size_t k = 0; k < Kind::taps; ++k) {
#pragma omp simd
        for (std::size_t l = 0; l < resampled_lanes; ++l) sum[l] += weight[k] * taps[k][l];
      }
      for (index l = 0; l < lines; ++l)
        out[l * out_line + i * out_step] = static_cast<float>(sum[static_cast<std::size_t>(l)]);
    }
  }

 private:
  std::vector<index> m_first;
  std::vector<std::array<double, static_cast<std::size_t>(Kind::taps)>> m_weights;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
