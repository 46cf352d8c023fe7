// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolutions on one host thread, blocked for registers: a tile of neighbouring outputs and channels is summed over
/// all taps before it is stored. The order of additions is a function of the sizes alone.
#ifndef COMODAL_ENGINE_HOST_CONV3D_FORWARD_HPP
#define COMODAL_ENGINE_HOST_CONV3D_FORWARD_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/engine/host/conv3d_sizes.hpp>
#include <comodal/engine/host/register_tiles.hpp>

#include <algorithm>

#if defined(__NVCC__)  // does not know "GCC unroll"; these products run on the host alone
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675
#endif

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// Output channels in blocks: whole tiles, then what is left rounded up to 16, 8 or 4.
[[nodiscard]] inline index tile_width(index left) {
  return left >= tile_columns ? tile_columns : left > 8 ? 16 : left > 4 ? 8 : 4;
}
[[nodiscard]] inline index packed_columns(index co) {
  index total = 0;
  for (index c = 0; c < co; c += tile_width(co - c)) total += tile_width(co - c);
  return total;
}

// Weights as tiles read them: block after block of output channels, each (taps, ci, width) with zeros behind the last
// channel.
template <weight_order Order, class C, class T>
void pack_weights(const conv3d_sizes& s, const T* w, C* packed, index tap) {
  const index taps = s.taps();
  index before = 0;
  for (index c = 0; c < s.co;) {
    const index width = tile_width(s.co - c), valid = std::min(width, s.co - c);
    C* to = packed + before * taps * s.ci + tap * s.ci * width;
    for (index k = 0; k < s.ci; ++k, to += width) {
      for (index j = 0; j < valid; ++j) to[j] = static_cast<C>(w[weight_at<Order>(s, tap, k, c + j)]);
      std::fill(to + valid, to + width, C(0));
    }
    before += width;
    c += width;
  }
}

// The (kd, kh) of one output row whose input row is no padding.
template <class T>
struct tap_row {
  const T* in;
  index tap;  // of kw = 0
  int part;
};

// out (Rows voxels, `valid` of Columns channels) = bias (Columns) + sum over taps and input channels. `Edge`: some taps
// may fall beside the row; they read `zeros`.
template <int Rows, int Columns, bool Edge, class T, class Out>
void conv_tile(const conv3d_sizes& s, const conv3d_part<T>* parts, const tap_row<T>* rows, int count, index ow,
               const T* bias, const T* zeros, Out* out, index valid) {
  T sums[Rows][Columns];
  for (int r = 0; r < Rows; ++r)
#pragma omp simd
    for (int j = 0; j < Columns; ++j) sums[r][j] = bias[j];
  for (int t = 0; t < count; ++t) {
    const conv3d_part<T>& part = parts[rows[t].part];
    const index ci = part.ci, pitch = s.stride[2] * ci;
    for (index kw = 0; kw < s.filter[2]; ++kw) {
      const T* b = part.packed + (rows[t].tap + kw) * ci * Columns;
      const T* const a = rows[t].in + s.source(2, ow, kw) * ci;
      const T* edge[Rows];
      if constexpr (Edge)
        for (int r = 0; r < Rows; ++r) {
          const index iw = s.source(2, ow + r, kw);
          edge[r] = iw >= 0 && iw < s.in[2] ? rows[t].in + iw * ci : zeros;
        }
      for (index k = 0; k < ci; ++k, b += Columns) {
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r) {
          const T left = Edge ? edge[r][k] : a[r * pitch + k];
#pragma omp simd
          for (int j = 0; j < Columns; ++j) sums[r][j] += left * b[j];
        }
      }
    }
  }
  for (int r = 0; r < Rows; ++r) {
    if (valid == Columns) {
#pragma omp simd
      for (int j = 0; j < Columns; ++j) out[r * s.out_pitch + j] = stored<Out>(sums[r][j]);
    } else {
      for (index j = 0; j < valid; ++j) out[r * s.out_pitch + j] = stored<Out>(sums[r][j]);
    }
  }
}

template <int Columns, class T, class Out>
void conv_block(const conv3d_sizes& s, const conv3d_part<T>* parts, const tap_row<T>* rows, int count, const T* bias,
                const T* zeros, Out* out, index valid) {
  const index width = s.out[2];
  T first[Columns] = {};  // what the sums begin with
  if (bias) std::copy_n(bias, valid, first);
  index ow = 0;
  for (; ow + tile_rows <= width && (tile_rows == 8 || width - ow != 8);
       ow += tile_rows) {  // eight are fours rather than six and two
    const bool inner = s.source(2, ow, 0) >= 0 && s.source(2, ow + tile_rows - 1, s.filter[2] - 1) < s.in[2];
    if (inner)
      conv_tile<tile_rows, Columns, false>(s, parts, rows, count, ow, first, zeros, out + ow * s.out_pitch, valid);
    else
      conv_tile<tile_rows, Columns, true>(s, parts, rows, count, ow, first, zeros, out + ow * s.out_pitch, valid);
  }
  for (; ow + 4 <= width; ow += 4)
    conv_tile<4, Columns, true>(s, parts, rows, count, ow, first, zeros, out + ow * s.out_pitch, valid);
  for (; ow + 2 <= width; ow += 2)
    conv_tile<2, Columns, true>(s, parts, rows, count, ow, first, zeros, out + ow * s.out_pitch, valid);
  if (ow < width) conv_tile<1, Columns, true>(s, parts, rows, count, ow, first, zeros, out + ow * s.out_pitch, valid);
}

// One row of outputs from its tap rows; `zeros` has the most channels of a part, `bias` co elements or none.
template <class T, class Out>
void conv_columns(const conv3d_sizes& s, const conv3d_part<T>* parts, int number, const tap_row<T>* rows, int count,
                  const T* bias, const T* zeros, Out* out) {
  conv3d_part<T> of_block[most_parts];
  std::copy_n(parts, number, of_block);
  for (index c = 0; c < s.co;) {
    const index width = tile_width(s.co - c), valid = std::min(width, s.co - c);
    const T* const b = bias ? bias + c : nullptr;
    if (width == tile_columns)
      conv_block<tile_columns>(s, of_block, rows, count, b, zeros, out + c, valid);
    else if (width == 16)
      conv_block<16>(s, of_block, rows, count, b, zeros, out + c, valid);
    else if (width == 8)
      conv_block<8>(s, of_block, rows, count, b, zeros, out + c, valid);
    else
      conv_block<4>(s, of_block, rows, count, b, zeros, out + c, valid);
    for (int i = 0; i < number; ++i) of_block[i].packed += s.taps() * of_block[i].ci * width;
    c += width;
  }
}

// The most tap rows that an output row has room for on the stack; more of them need scratch memory.
inline constexpr index most_tap_rows = 512;

// Output row (n, od, oh) of a convolution of maps side by side, with packed weights.
// @param rows scratch: number x filter[0] x filter[1] elements
template <class T, class Out>
void conv_row(const conv3d_sizes& s, const conv3d_part<T>* parts, int number, const T* bias, const T* zeros, Out* y,
              index row, tap_row<T>* rows) {
  const index oh = row % s.out[1], od = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
  int count = 0;
  for (int i = 0; i < number; ++i)
    for (index kd = 0; kd < s.filter[0]; ++kd)
      for (index kh = 0; kh < s.filter[1]; ++kh) {
        const index id = s.source(0, od, kd), ih = s.source(1, oh, kh);
        if (id < 0 || id >= s.in[0] || ih < 0 || ih >= s.in[1]) continue;
        rows[count++] = {parts[i].x + ((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] * parts[i].ci,
                         (kd * s.filter[1] + kh) * s.filter[2], i};
      }
  conv_columns(s, parts, number, rows, count, bias, zeros, y + row * s.out[2] * s.out_pitch);
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#if defined(__NVCC__)
#pragma nv_diagnostic pop
#endif

#endif
