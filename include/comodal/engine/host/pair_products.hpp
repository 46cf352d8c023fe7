// SPDX-License-Identifier: Apache-2.0
/// @file
/// Products of bfloat16 in the vector registers of a processor with AVX-512 BF16, which multiplies pairs of them and
/// adds both products to a float: the kernels of convolutions with single taps and of transposed convolutions. They are
/// compiled for that processor in every program and run where `processor` finds it. Denormal numbers count as 0.
#ifndef COMODAL_ENGINE_HOST_PAIR_PRODUCTS_HPP
#define COMODAL_ENGINE_HOST_PAIR_PRODUCTS_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/shape.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && !defined(__NVCC__)
#define COMODAL_HAS_PAIR_PRODUCTS
#define COMODAL_FOR_PAIRS __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#include <immintrin.h>
#endif

namespace comodal::inline COMODAL_CONFIG::engine_detail {

/// Channels of a vector register of floats.
inline constexpr index pair_lanes = 16;
[[nodiscard]] constexpr index pair_blocks(index channels) { return (channels + pair_lanes - 1) / pair_lanes; }

/// One of the maps whose products are added: voxels `pitch` elements apart, an even number of channels, and their
/// weights, packed as (blocks of 16 outputs, pairs of channels, 16, 2) with zeros behind the last output.
struct pair_source {
  const bfloat16* x = nullptr;
  index pitch = 0, channels = 0;
  const bfloat16* packed = nullptr;
};

/// Elements of the packed weights of a source.
[[nodiscard]] constexpr index packed_pairs(index channels, index outputs) {
  return pair_blocks(outputs) * pair_lanes * channels;
}

/// Packs one block of outputs. `weight(k, j)` is the weight of input channel k and output j.
template <class Weight>
void pack_pairs(index channels, index outputs, index block, const Weight& weight, bfloat16* packed) {
  bfloat16* to = packed + block * pair_lanes * channels;
  const index first = block * pair_lanes, valid = std::min(pair_lanes, outputs - first);
  for (index k = 0; k < channels; k += 2)
    for (index j = 0; j < pair_lanes; ++j, to += 2) {
      to[0] = j < valid ? weight(k, first + j) : bfloat16::from_bits(0);
      to[1] = j < valid ? weight(k + 1, first + j) : bfloat16::from_bits(0);
    }
}

#if defined(COMODAL_HAS_PAIR_PRODUCTS)

inline constexpr bool pairs_compiled = true;

COMODAL_FOR_PAIRS inline __mmask16 pair_mask(index valid) {
  return static_cast<__mmask16>(valid >= pair_lanes ? 0xffff : (1u << valid) - 1);
}

// y (Rows voxels `y_pitch` apart, Blocks x 16 outputs, of the last block those of `last`) = bias + the products of all
// sources, of voxels [voxel, voxel + Rows).
template <int Rows, int Blocks>
COMODAL_FOR_PAIRS void pair_tile(const pair_source* sources, int count, index voxel, index block, const float* bias,
                                 bfloat16* y, index y_pitch, __mmask16 last) {
  __m512 sums[Rows][Blocks];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int b = 0; b < Blocks; ++b) sums[r][b] = _mm512_loadu_ps(bias + (block + b) * pair_lanes);
  for (int i = 0; i < count; ++i) {
    const index pitch = sources[i].pitch, channels = sources[i].channels;
    const bfloat16* const a = sources[i].x + voxel * pitch;
    const bfloat16* const w = sources[i].packed + block * pair_lanes * channels;
    for (index k = 0; k < channels; k += 2) {
      __m512i right[Blocks];
#pragma GCC unroll 2
      for (int b = 0; b < Blocks; ++b) right[b] = _mm512_loadu_si512(w + (b * channels + k) * pair_lanes);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        std::int32_t pair;
        std::memcpy(&pair, a + r * pitch + k, sizeof pair);
        const __m512i left = _mm512_set1_epi32(pair);
#pragma GCC unroll 2
        for (int b = 0; b < Blocks; ++b) sums[r][b] = _mm512_dpbf16_ps(sums[r][b], (__m512bh)left, (__m512bh)right[b]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int b = 0; b < Blocks; ++b)
      _mm256_mask_storeu_epi16(y + r * y_pitch + (block + b) * pair_lanes, b + 1 == Blocks ? last : __mmask16{0xffff},
                               (__m256i)_mm512_cvtneps_pbh(sums[r][b]));
}

template <int Rows>
COMODAL_FOR_PAIRS void pair_voxels(const pair_source* sources, int count, index voxel, index outputs, const float* bias,
                                   bfloat16* y, index y_pitch) {
  const index blocks = pair_blocks(outputs);
  for (index block = 0; block < blocks; block += 2) {
    const __mmask16 last = pair_mask(outputs - (std::min(block + 2, blocks) - 1) * pair_lanes);
    if (block + 1 < blocks)
      pair_tile<Rows, 2>(sources, count, voxel, block, bias, y, y_pitch, last);
    else
      pair_tile<Rows, 1>(sources, count, voxel, block, bias, y, y_pitch, last);
  }
}

/// y (voxels `y_pitch` apart, outputs) = bias + the products of all sources, rounded once.
/// @param bias blocks of 16 floats
COMODAL_FOR_PAIRS inline void pair_line(const pair_source* sources, int count, index voxels, index outputs,
                                        const float* bias, bfloat16* y, index y_pitch) {
  index v = 0;
  for (; v + 8 <= voxels; v += 8) pair_voxels<8>(sources, count, v, outputs, bias, y + v * y_pitch, y_pitch);
  if (v + 4 <= voxels) pair_voxels<4>(sources, count, v, outputs, bias, y + v * y_pitch, y_pitch), v += 4;
  for (; v < voxels; ++v) pair_voxels<1>(sources, count, v, outputs, bias, y + v * y_pitch, y_pitch);
}

/// Voxels of a map two by two: to (pairs `to_pitch` apart, channels) = (even voxel, odd voxel or 0 behind the last).
COMODAL_FOR_PAIRS inline void pair_up(const bfloat16* x, index pitch, index channels, index voxels, std::uint32_t* to,
                                      index to_pitch) {
  for (index v = 0; v < voxels; v += 2, x += 2 * pitch, to += to_pitch)
    for (index c = 0; c < channels; c += pair_lanes) {
      const __mmask16 some = pair_mask(channels - c), odd = v + 1 < voxels ? some : __mmask16{0};
      const __m512i low = _mm512_maskz_cvtepu16_epi32(some, _mm256_maskz_loadu_epi16(some, x + c));
      const __m512i high = _mm512_maskz_cvtepu16_epi32(odd, _mm256_maskz_loadu_epi16(odd, x + pitch + c));
      _mm512_mask_storeu_epi32(to + c, some, _mm512_or_si512(low, _mm512_maskz_slli_epi32(some, high, 16)));
    }
}

// c (Rows rows, of which `valid` count, and 16 columns, of which those of `columns` count) += the outer products of
// `pairs` pairs of voxels.
template <int Rows>
COMODAL_FOR_PAIRS void pair_outer_tile(const std::uint32_t* a, index a_pitch, const std::uint32_t* b, index b_pitch,
                                       index pairs, index valid, __mmask16 columns, float* c, index c_pitch) {
  __m512 sums[Rows];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) sums[r] = _mm512_setzero_ps();
  for (index p = 0; p < pairs; ++p, a += a_pitch, b += b_pitch) {
    const __m512i right = _mm512_maskz_loadu_epi32(columns, b);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r)
      sums[r] =
          _mm512_dpbf16_ps(sums[r], (__m512bh)_mm512_set1_epi32(static_cast<std::int32_t>(a[r])), (__m512bh)right);
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
    if (r < valid) {
      float* const to = c + r * c_pitch;
      _mm512_mask_storeu_ps(to, columns, _mm512_add_ps(_mm512_maskz_loadu_ps(columns, to), sums[r]));
    }
}

/// Elements from one pair of voxels to the next: tiles read whole runs of 8 channels.
[[nodiscard]] constexpr index pair_pitch(index channels) { return (channels + 7) / 8 * 8; }

/// c (rows, columns) += the sum of the outer products of `pairs` pairs of voxels, as `pair_up` makes them.
COMODAL_FOR_PAIRS inline void pair_outer_sum(const std::uint32_t* a, index rows, const std::uint32_t* b, index columns,
                                             index pairs, float* c) {
  const index a_pitch = pair_pitch(rows), b_pitch = pair_pitch(columns);
  for (index j = 0; j < columns; j += pair_lanes) {
    const __mmask16 some = pair_mask(columns - j);
    index r = 0;
    for (; r + 8 < rows; r += 16)
      pair_outer_tile<16>(a + r, a_pitch, b + j, b_pitch, pairs, rows - r, some, c + r * columns + j, columns);
    if (r < rows)
      pair_outer_tile<8>(a + r, a_pitch, b + j, b_pitch, pairs, rows - r, some, c + r * columns + j, columns);
  }
}

#else

inline constexpr bool pairs_compiled = false;

#endif

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#undef COMODAL_FOR_PAIRS

#endif
