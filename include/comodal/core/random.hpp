// SPDX-License-Identifier: Apache-2.0
/// @file
/// Counter-based random numbers (Random123's Philox 4x32-10; Salmon et al., SC 2011): a draw depends on its key alone,
/// never on the order of calls elsewhere or on the number of threads.
#ifndef COMODAL_CORE_RANDOM_HPP
#define COMODAL_CORE_RANDOM_HPP

#include <comodal/core/kokkos.hpp>

// Random123 knows nvcc, but not hipcc: its functions are marked for kernels here. What it has for SSE is declared for
// the host alone.
#if defined(__HIPCC__) && !defined(R123_CUDA_DEVICE)
#define R123_CUDA_DEVICE __host__ __device__
#define R123_USE_SSE 0
#endif
#include <Random123/philox.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// What a stream of random numbers is for; part of its key, so that no two uses share numbers.
enum class random_purpose : std::uint32_t {
  initialisation = 1,
  sampling = 2,
  augmentation = 3,
  modality_dropout = 4,
  mixing = 5,
  feature_dropout = 6,
  phantom = 7,
  splitting = 8,
  test = 9,
  positions = 10,
};

/// FNV-1a hash of a name: a stable 32-bit key for streams that belong to something named.
[[nodiscard]] constexpr std::uint32_t hash_name(std::string_view name) {
  std::uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

/// A sequence of random numbers with the key (seed, purpose, index, iteration). Two streams with the same key give the
/// same numbers. A value type; copying it copies its position.
class random_stream {
 public:
  random_stream(std::uint64_t seed, random_purpose purpose, std::uint32_t index = 0, std::uint32_t iteration = 0)
      : m_key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}},
        m_counter{{0, static_cast<std::uint32_t>(purpose), index, iteration}} {}

  /// 32 uniform bits.
  std::uint32_t bits() {
    if (m_left == 0) {
      m_block = r123::Philox4x32()(m_counter, m_key);
      ++m_counter[0];
      m_left = 4;
    }
    return m_block[4 - m_left--];
  }

  /// Uniform in [0, 1), 53 bits.
  double uniform() {
    const std::uint64_t high = bits() >> 5, low = bits() >> 6;
    return static_cast<double>((high << 26) | low) * 0x1p-53;
  }

  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// Normal with the given mean and standard deviation (Box and Muller; two uniforms a draw).
  double normal(double mean = 0, double deviation = 1) {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return mean + deviation * radius * std::cos(6.283185307179586 * uniform());
  }

  /// Uniform integer in [0, count); `count` must be positive. Unbiased (rejection).
  std::uint32_t below(std::uint32_t count) {
    const std::uint32_t limit = static_cast<std::uint32_t>(-count) % count;
    for (;;) {
      const std::uint64_t product = static_cast<std::uint64_t>(bits()) * count;
      if (static_cast<std::uint32_t>(product) >= limit) return static_cast<std::uint32_t>(product >> 32);
    }
  }

  /// True with the given probability.
  bool chance(double probability) { return uniform() < probability; }

 private:
  r123::Philox4x32::key_type m_key;
  r123::Philox4x32::ctr_type m_counter;
  r123::Philox4x32::ctr_type m_block{};
  int m_left = 0;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
