// SPDX-License-Identifier: Apache-2.0
/// @file
/// Random changes of the intensities of one modality's crop (models of `volume_transform`), the weak and the strong
/// view made from them, and modality dropout.
#ifndef COMODAL_DATA_AUGMENT_HPP
#define COMODAL_DATA_AUGMENT_HPP

#include <comodal/data/batch.hpp>
#include <comodal/data/volume_transform.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

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

/// x -> gain x + shift, each drawn uniformly from its range.
struct random_gain_shift {
  batch_options::range gain{1, 1}, shift{0, 0};

  void operator()(std::span<float> crop, const extent3&, random_stream& random) const {
    const auto a = static_cast<float>(random.uniform(gain[0], gain[1])),
               b = static_cast<float>(random.uniform(shift[0], shift[1]));
#pragma omp simd
    for (std::size_t i = 0; i < crop.size(); ++i) crop[i] = a * crop[i] + b;
  }
};

/// `apply_gamma` with the exponential of a uniform number, with some chance.
struct random_gamma {
  batch_options::range log_gamma{0, 0};
  double chance = 1;

  void operator()(std::span<float> crop, const extent3&, random_stream& random) const {
    const bool applies = random.chance(chance);
    const double gamma = std::exp(random.uniform(log_gamma[0], log_gamma[1]));
    if (applies) apply_gamma(crop, static_cast<float>(gamma));
  }
};

/// `add_noise` with a uniform standard deviation, with some chance.
struct random_noise {
  batch_options::range deviation{0, 0};
  double chance = 1;

  void operator()(std::span<float> crop, const extent3&, random_stream& random) const {
    const bool applies = random.chance(chance);
    const double sigma = random.uniform(deviation[0], deviation[1]);
    if (applies) add_noise(crop, static_cast<float>(sigma), random);
  }
};

/// `blur` with a uniform standard deviation (voxels), with some chance.
struct random_blur {
  batch_options::range sigma{0.5, 1};
  double chance = 1;

  void operator()(std::span<float> crop, const extent3& size, random_stream& random) const {
    const bool applies = random.chance(chance);
    const double s = random.uniform(sigma[0], sigma[1]);
    if (applies) blur(crop, size, s);
  }
};

/// The intensities of the weak view, which the teacher sees.
using weak_intensities = transform_chain<random_gain_shift>;
/// The intensities of the strong view and of labelled crops.
using strong_intensities = transform_chain<random_gain_shift, random_gamma, random_noise, random_blur>;

[[nodiscard]] inline weak_intensities make_weak_intensities(const batch_options& o) {
  return weak_intensities(random_gain_shift{o.weak_gain, o.weak_shift});
}
[[nodiscard]] inline strong_intensities make_strong_intensities(const batch_options& o) {
  return strong_intensities(random_gain_shift{o.strong_gain, o.strong_shift}, random_gamma{o.log_gamma, o.gamma_chance},
                            random_noise{o.noise, o.noise_chance}, random_blur{o.blur, o.blur_chance});
}

/// Modality dropout: with the given chance, a sample that has P > 1 modalities keeps a uniformly drawn number 1..P-1 of
/// them, a uniform subset of that size.
/// @param present (M), 0 or 1; changed in place, never to all zeros
inline void drop_modalities(std::span<float> present, double chance, random_stream& random) {
  std::vector<std::size_t> has;
  for (std::size_t m = 0; m < present.size(); ++m)
    if (present[m] != 0) has.push_back(m);
  if (!random.chance(chance) || has.size() < 2) return;
  const std::size_t keep = 1 + random.below(static_cast<std::uint32_t>(has.size() - 1));
  for (std::size_t left = has.size(); left > keep; --left) {
    std::swap(has[left - 1], has[random.below(static_cast<std::uint32_t>(left))]);
    present[has[left - 1]] = 0;
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
