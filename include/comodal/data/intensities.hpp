// SPDX-License-Identifier: Apache-2.0
/// @file
/// Changes of the intensities of one crop with given numbers: noise, gamma, blur, contrast, resolution. The random ones
/// of augment.hpp draw the numbers.
#ifndef COMODAL_DATA_INTENSITIES_HPP
#define COMODAL_DATA_INTENSITIES_HPP

#include <comodal/core/random.hpp>
#include <comodal/core/shape.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// Polynomials that the compiler can vectorise; relative error below 1e-6.

/// log2(x) of a positive, normal x.
[[nodiscard]] inline float fast_log2(float x) {
  const auto bits = static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(x)) -
                    0x3f3504f3;  // sqrt(1/2): m is in [sqrt(1/2), sqrt(2))
  const std::int32_t exponent = bits >> 23;
  const float m = std::bit_cast<float>(static_cast<std::uint32_t>((bits & 0x7fffff) + 0x3f3504f3));
  const float s = (m - 1) / (m + 1), q = s * s;
  return static_cast<float>(exponent) +
         2.885390082f * s * (1 + q * (1 / 3.f + q * (1 / 5.f + q * (1 / 7.f + q / 9.f))));
}

/// 2^x; 0 or nearly so below -126.
[[nodiscard]] inline float fast_exp2(float x) {
  const float limited = std::min(std::max(x, -126.f), 126.f);
  const std::int32_t whole = static_cast<std::int32_t>(limited + 126.5f) - 126;
  const float t = (limited - static_cast<float>(whole)) * 0.6931471806f;
  const float m = 1 + t * (1 + t * (1 / 2.f + t * (1 / 6.f + t * (1 / 24.f + t * (1 / 120.f + t * (1 / 720.f))))));
  return m * std::bit_cast<float>(static_cast<std::uint32_t>((whole + 127) << 23));
}

}  // namespace detail

/// Adds normal noise of the given standard deviation. (Box and Muller's method, both values of each pair.)
inline void add_noise(std::span<float> values, float deviation, random_stream& random) {
  constexpr std::size_t pairs = 256;
  std::array<std::uint32_t, 2 * pairs> bits;
  std::array<float, 2 * pairs> normal;
  for (std::size_t first = 0; first < values.size(); first += 2 * pairs) {
    for (auto& b : bits) b = random.bits();
#pragma omp simd
    for (std::size_t i = 0; i < pairs; ++i) {
      // u in (0, 1]; -2 ln u = -2 ln 2 log2 u.
      const float u = static_cast<float>(static_cast<std::int32_t>((bits[i] >> 8) + 1)) * 0x1p-24f;
      const float radius = deviation * std::sqrt(-1.386294361f * detail::fast_log2(u));
      // An angle t in [-pi/4, pi/4); two bits choose a sign and whether sine and cosine change places: the whole
      // circle.
      const std::uint32_t b = bits[pairs + i];
      const float t = static_cast<float>((static_cast<std::int32_t>(b) << 2) >> 8) * (0.7853981634f * 0x1p-23f),
                  q = t * t;
      const float s = t * (1 - q * (1 / 6.f - q * (1 / 120.f - q / 5040.f)));
      const float c = 1 - q * (1 / 2.f - q * (1 / 24.f - q * (1 / 720.f - q / 40320.f)));
      const bool swapped = (b >> 30 & 1u) != 0;
      const float sign = (b >> 31) != 0 ? -radius : radius;
      normal[i] = sign * (swapped ? s : c);
      normal[pairs + i] = sign * (swapped ? c : s);
    }
    const std::size_t count = std::min(2 * pairs, values.size() - first);
    for (std::size_t i = 0; i < count; ++i) values[first + i] += normal[i];
  }
}

/// x -> ((x - min) / (max - min))^gamma (max - min) + min, over the range of the crop: keeps its ends. A constant crop
/// stays.
inline void apply_gamma(std::span<float> values, float gamma) {
  float low = values.empty() ? 0 : values[0], high = low;
#pragma omp simd reduction(min : low) reduction(max : high)
  for (std::size_t i = 0; i < values.size(); ++i) {
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
  }
  const float extent = high - low;
  if (!(extent > 1e-6f)) return;
#pragma omp simd
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float x = std::max((values[i] - low) / extent, 0x1p-120f);
    values[i] = low + extent * detail::fast_exp2(gamma * detail::fast_log2(x));
  }
}

/// Convolves with a Gaussian of standard deviation `sigma` voxels along all three axes, cut off at three standard
/// deviations; the crop continues with the value at its border.
inline void blur(std::span<float> values, const extent3& size, double sigma) {
  const auto radius = static_cast<index>(std::ceil(3 * sigma));
  std::vector<float> weight(static_cast<std::size_t>(2 * radius + 1));
  double sum = 0;
  for (index t = -radius; t <= radius; ++t) sum += std::exp(-0.5 * static_cast<double>(t * t) / (sigma * sigma));
  for (index t = -radius; t <= radius; ++t)
    weight[static_cast<std::size_t>(t + radius)] =
        static_cast<float>(std::exp(-0.5 * static_cast<double>(t * t) / (sigma * sigma)) / sum);

  // Along an axis of `length` entries that are `stride` apart, each a run of `run` neighbours in memory.
  std::vector<float> line;
  const auto along = [&](float* data, index length, index stride, index run) {
    line.resize(static_cast<std::size_t>((length + 2 * radius) * run));
    for (index i = 0; i < length + 2 * radius; ++i)
      std::copy_n(data + std::clamp<index>(i - radius, 0, length - 1) * stride, run, line.data() + i * run);
    for (index i = 0; i < length; ++i) {
      float* out = data + i * stride;
      std::fill_n(out, run, 0.f);
      for (index t = 0; t <= 2 * radius; ++t) {
        const float w = weight[static_cast<std::size_t>(t)];
        const float* in = line.data() + (i + t) * run;
#pragma omp simd
        for (index r = 0; r < run; ++r) out[r] += w * in[r];
      }
    }
  };
  const auto row = [&](float* data, index length) {
    line.resize(static_cast<std::size_t>(length + 2 * radius));
    for (index i = 0; i < length + 2 * radius; ++i)
      line[static_cast<std::size_t>(i)] = data[std::clamp<index>(i - radius, 0, length - 1)];
    std::fill_n(data, length, 0.f);
    for (index t = 0; t <= 2 * radius; ++t) {
      const float w = weight[static_cast<std::size_t>(t)];
      const float* in = line.data() + t;
#pragma omp simd
      for (index i = 0; i < length; ++i) data[i] += w * in[i];
    }
  };
  const index plane = size[1] * size[2];
  for (index r = 0; r < size[0] * size[1]; ++r) row(values.data() + r * size[2], size[2]);
  for (index d = 0; d < size[0]; ++d) along(values.data() + d * plane, size[1], size[2], size[2]);
  for (index h = 0; h < size[1]; ++h) along(values.data() + h * size[2], size[0], plane, size[2]);
}

namespace detail {

struct moments {
  float low = 0, high = 0;
  double mean = 0, deviation = 0;  // with count - 1 in the denominator
};

/// Range, mean and standard deviation. Sums are of deviations from the first value, in double.
[[nodiscard]] inline moments moments_of(std::span<const float> values) {
  moments m;
  if (values.empty()) return m;
  const float first = values[0];
  float low = first, high = first;
  double sum = 0, squares = 0;
#pragma omp simd reduction(min : low) reduction(max : high) reduction(+ : sum, squares)
  for (std::size_t i = 0; i < values.size(); ++i) {
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
    const double d = static_cast<double>(values[i]) - static_cast<double>(first);
    sum += d;
    squares += d * d;
  }
  const auto count = static_cast<double>(values.size());
  m.low = low;
  m.high = high;
  m.mean = static_cast<double>(first) + sum / count;
  m.deviation = count > 1 ? std::sqrt(std::max(0., (squares - sum * sum / count) / (count - 1))) : 0;
  return m;
}

}  // namespace detail

/// x -> mean + factor (x - mean), cut off at the range that the crop had.
inline void change_contrast(std::span<float> values, float factor) {
  const auto m = detail::moments_of(values);
  const auto mean = static_cast<float>(m.mean);
#pragma omp simd
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::min(std::max(mean + factor * (values[i] - mean), m.low), m.high);
}

/// Whether a gamma acts on the crop or on its negative: bright and dark change places before and after.
enum class gamma_of { values, negative };

/// `apply_gamma`, then the mean and the standard deviation that the crop had before. A constant crop stays.
inline void apply_retained_gamma(std::span<float> values, float gamma, gamma_of side) {
  const auto negate = [&] {
    if (side == gamma_of::values) return;
#pragma omp simd
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = -values[i];
  };
  negate();
  const auto before = detail::moments_of(values);
  if (before.high - before.low > 1e-6f) {  // as apply_gamma
    apply_gamma(values, gamma);
    const auto after = detail::moments_of(values);
    const auto factor = static_cast<float>(before.deviation / std::max(after.deviation, 1e-7)),
               from = static_cast<float>(after.mean), to = static_cast<float>(before.mean);
#pragma omp simd
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = to + factor * (values[i] - from);
  }
  negate();
}

/// The noise of a magnitude image, as an MR scanner makes it: x -> low + |x - low + n1 + i n2| with two normal noises
/// of the given standard deviation, and the least value of the crop as `low`. (Gudbjartsson and Patz, MRM 1995.)
inline void add_rician_noise(std::span<float> values, float deviation, random_stream& random) {
  if (values.empty()) return;
  const float low = *std::min_element(values.begin(), values.end());
  std::vector<float> other(values.size(), 0.f);
  add_noise(values, deviation, random);
  add_noise(other, deviation, random);
#pragma omp simd
  for (std::size_t i = 0; i < other.size(); ++i) {
    const float real = values[i] - low;
    values[i] = low + std::sqrt(real * real + other[i] * other[i]);
  }
}

/// The numbers of the coefficients of `apply_bias_field`.
inline constexpr std::size_t bias_coefficients = 20;

/// x -> low + (x - low) exp(p(d, h, w)), with the least value of the crop as `low` and a polynomial of third degree in
/// the place, -1 to 1 along each axis: an uneven sensitivity of the coil. (Van Leemput et al., IEEE TMI 1999.)
/// @param coefficients of w^i h^j d^k, i + j + k <= 3: by k, then j, then i
inline void apply_bias_field(std::span<float> values, const extent3& size,
                             const std::array<double, bias_coefficients>& coefficients) {
  if (values.empty()) return;
  const float low = *std::min_element(values.begin(), values.end());
  const auto place = [&](std::size_t a, index i) {
    return size[a] > 1 ? 2 * static_cast<double>(i) / static_cast<double>(size[a] - 1) - 1 : 0.;
  };
  constexpr double to_exp2 = 1.4426950408889634;  // 1 / ln 2
  float* row = values.data();
  for (index d = 0; d < size[0]; ++d)
    for (index h = 0; h < size[1]; ++h, row += size[2]) {
      const double z = place(0, d), y = place(1, h);
      std::array<float, 4> of_w{};  // of w^0 to w^3 in this row
      std::size_t at = 0;
      double zk = 1;
      for (int k = 0; k <= 3; ++k, zk *= z) {
        double yj = 1;
        for (int j = 0; j + k <= 3; ++j, yj *= y)
          for (int i = 0; i + j + k <= 3; ++i)
            of_w[static_cast<std::size_t>(i)] += static_cast<float>(coefficients[at++] * zk * yj * to_exp2);
      }
      const auto step = static_cast<float>(size[2] > 1 ? 2. / static_cast<double>(size[2] - 1) : 0);
      const float first = size[2] > 1 ? -1.f : 0.f;
#pragma omp simd
      for (std::int32_t w = 0; w < static_cast<std::int32_t>(size[2]); ++w) {
        const float x = first + step * static_cast<float>(w);
        const float field = detail::fast_exp2(of_w[0] + x * (of_w[1] + x * (of_w[2] + x * of_w[3])));
        row[w] = low + (row[w] - low) * field;
      }
    }
}

namespace detail {

/// Where the voxels of an axis lie between those of a coarser one: lower neighbour, upper neighbour, part of the upper.
struct axis_places {
  std::vector<index> lower, upper;
  std::vector<float> part;

  axis_places(index fine, index coarse) {
    for (index i = 0; i < fine; ++i) {
      const double at =
          std::max(0., (static_cast<double>(i) + 0.5) * static_cast<double>(coarse) / static_cast<double>(fine) - 0.5);
      const auto low = std::min(static_cast<index>(at), coarse - 1);
      lower.push_back(low);
      upper.push_back(std::min(low + 1, coarse - 1));
      part.push_back(static_cast<float>(at - static_cast<double>(low)));
    }
  }
};

}  // namespace detail

/// What a scan of fewer voxels would show: the crop is sampled at its nearest voxels on a grid of `coarse` voxels, and
/// these are interpolated linearly on the old grid. Both grids cover the same extent, and voxels are their middles
/// (PyTorch's "nearest-exact" and "trilinear" without aligned corners).
/// @param coarse (D, H, W), from 1 to `size`
inline void lower_resolution(std::span<float> values, const extent3& size, const extent3& coarse) {
  if (coarse == size) return;
  const auto nearest = [&](std::size_t a, index i) {
    return std::min((2 * i + 1) * size[a] / (2 * coarse[a]), size[a] - 1);
  };
  std::vector<float> kept(static_cast<std::size_t>(coarse[0] * coarse[1] * coarse[2]));
  for (index d = 0, at = 0; d < coarse[0]; ++d)
    for (index h = 0; h < coarse[1]; ++h) {
      const float* row = values.data() + (nearest(0, d) * size[1] + nearest(1, h)) * size[2];
      for (index w = 0; w < coarse[2]; ++w, ++at) kept[static_cast<std::size_t>(at)] = row[nearest(2, w)];
    }
  const detail::axis_places z(size[0], coarse[0]), y(size[1], coarse[1]), x(size[2], coarse[2]);
  std::vector<float> line(static_cast<std::size_t>(coarse[2]));
  const auto row_of = [&](index d, index h) { return kept.data() + (d * coarse[1] + h) * coarse[2]; };
  float* out = values.data();
  for (std::size_t d = 0; d < z.lower.size(); ++d)
    for (std::size_t h = 0; h < y.lower.size(); ++h, out += size[2]) {
      const float *a = row_of(z.lower[d], y.lower[h]), *b = row_of(z.lower[d], y.upper[h]),
                  *c = row_of(z.upper[d], y.lower[h]), *e = row_of(z.upper[d], y.upper[h]);
      const float fz = z.part[d], fy = y.part[h];
#pragma omp simd
      for (std::size_t w = 0; w < line.size(); ++w) {
        const float near = a[w] + fy * (b[w] - a[w]), far = c[w] + fy * (e[w] - c[w]);
        line[w] = near + fz * (far - near);
      }
      for (std::size_t w = 0; w < x.lower.size(); ++w) {
        const float low = line[static_cast<std::size_t>(x.lower[w])];
        out[w] = low + x.part[w] * (line[static_cast<std::size_t>(x.upper[w])] - low);
      }
    }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
