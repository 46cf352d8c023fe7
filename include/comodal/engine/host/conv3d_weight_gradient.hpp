// SPDX-License-Identifier: Apache-2.0
/// @file
/// Weight gradients of convolutions on one host thread: sums of outer products in tiles of registers. The order of
/// additions is a function of the sizes alone.
#ifndef COMODAL_ENGINE_HOST_CONV3D_WEIGHT_GRADIENT_HPP
#define COMODAL_ENGINE_HOST_CONV3D_WEIGHT_GRADIENT_HPP

#include <comodal/engine/host/conv3d_sizes.hpp>
#include <comodal/engine/host/lanes.hpp>
#include <comodal/engine/host/register_tiles.hpp>

#include <algorithm>

#if defined(__NVCC__)  // does not know "GCC unroll"; these products run on the host alone
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675
#endif

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// One row of a sum of outer products: `count` voxels of a and b.
template <class T>
struct outer_row {
  const T *a, *b;
  index count;
};

// c[r * c_row + j * c_column] += sum over rows and their voxels of a[r] b[j]. Few rows take every second or fourth
// voxel into sums of their own, so that additions need not wait for each other.
template <int Rows, int Columns, class T>
void outer_tile(const outer_row<T>* rows, index number, index a_pitch, index b_pitch, index a_first, index b_first,
                T* c, index c_row, index c_column) {
  constexpr int vectors = Rows * ((Columns + vector_lanes - 1) / vector_lanes), ways = vectors >= 8   ? 1
                                                                                       : vectors >= 4 ? 2
                                                                                                      : 4;
  lanes<T, Columns> sums[ways][Rows], right;
#pragma GCC unroll 4
  for (int way = 0; way < ways; ++way)
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) sums[way][r].clear();
  for (index i = 0; i < number; ++i) {
    const T *a = rows[i].a + a_first, *b = rows[i].b + b_first;
    index v = 0;
    for (; v + ways <= rows[i].count; v += ways, a += ways * a_pitch, b += ways * b_pitch) {
#pragma GCC unroll 4
      for (int way = 0; way < ways; ++way) {
        right.load(b + way * b_pitch);
#pragma GCC unroll 16
        for (int r = 0; r < Rows; ++r) sums[way][r].add_product(a[way * a_pitch + r], right);
      }
    }
    for (; v < rows[i].count; ++v, a += a_pitch, b += b_pitch) {
      right.load(b);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) sums[0][r].add_product(a[r], right);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int way = 1; way < ways; ++way) sums[0][r].add(sums[way][r]);
    T* const to = c + r * c_row;
    if (c_column == 1) {
      right.load(to);
      right.add(sums[0][r]);
      right.store(to);
    } else {
      T total[Columns];
      sums[0][r].store(total);
      for (int j = 0; j < Columns; ++j) to[j * c_column] += total[j];
    }
  }
}

template <int Columns, class T>
void outer_block(const outer_row<T>* rows, index number, index a_pitch, index b_pitch, index a_channels, index b_first,
                 T* c, index c_row, index c_column) {
  constexpr int vectors = (Columns + vector_lanes - 1) / vector_lanes;
  index r = 0;
  if constexpr (16 * vectors <= most_sums)  // narrow tiles need more of them in flight
    for (; r + 16 <= a_channels; r += 16)
      outer_tile<16, Columns>(rows, number, a_pitch, b_pitch, r, b_first, c + r * c_row, c_row, c_column);
  if constexpr (8 * vectors <= most_sums)
    for (; r + 8 <= a_channels; r += 8)
      outer_tile<8, Columns>(rows, number, a_pitch, b_pitch, r, b_first, c + r * c_row, c_row, c_column);
  else if constexpr (6 * vectors <= most_sums)  // of an even number, sixes and then fours
    for (; a_channels - r >= 6 && a_channels % 2 == 0 && a_channels - r != 8; r += 6)
      outer_tile<6, Columns>(rows, number, a_pitch, b_pitch, r, b_first, c + r * c_row, c_row, c_column);
  for (; r + 4 <= a_channels; r += 4)
    outer_tile<4, Columns>(rows, number, a_pitch, b_pitch, r, b_first, c + r * c_row, c_row, c_column);
  for (; r < a_channels; ++r)
    outer_tile<1, Columns>(rows, number, a_pitch, b_pitch, r, b_first, c + r * c_row, c_row, c_column);
}

// c (a_channels, b_channels), at c_row and c_column, += sum over the rows' voxels of a^T b.
template <class T>
void outer_sum(const outer_row<T>* rows, index number, index a_pitch, index a_channels, index b_pitch, index b_channels,
               T* c, index c_row, index c_column) {
  index j = 0;
  for (; j + tile_columns <= b_channels; j += tile_columns)
    outer_block<tile_columns>(rows, number, a_pitch, b_pitch, a_channels, j, c + j * c_column, c_row, c_column);
  for (; j + 16 <= b_channels; j += 16)
    outer_block<16>(rows, number, a_pitch, b_pitch, a_channels, j, c + j * c_column, c_row, c_column);
  for (; j + 8 <= b_channels; j += 8)
    outer_block<8>(rows, number, a_pitch, b_pitch, a_channels, j, c + j * c_column, c_row, c_column);
  for (; j + 4 <= b_channels; j += 4)
    outer_block<4>(rows, number, a_pitch, b_pitch, a_channels, j, c + j * c_column, c_row, c_column);
  for (; j < b_channels; ++j)
    outer_block<1>(rows, number, a_pitch, b_pitch, a_channels, j, c + j * c_column, c_row, c_column);
}

// dw (taps, ci, co), or (taps, co, ci) if `Transposed`, += the gradient of the weights of taps [first_tap, last_tap)
// from output rows [first, last).
template <bool Transposed = false, class T>
void conv_weight_gradient(const conv3d_sizes& s, const T* x, const T* dy, index first, index last, T* dw,
                          index first_tap, index last_tap) {
  constexpr index most_rows = 32;  // what is read again for each tap should stay in cache
  outer_row<T> rows[most_rows];
  // Vectors run along the channels that fill them better.
  const bool along_input = s.co % 16 != 0 && s.ci % 16 == 0;
  for (index begin = first; begin < last; begin += most_rows)
    for (index tap = first_tap; tap < last_tap; ++tap) {
      const index kw = tap % s.filter[2], kh = tap / s.filter[2] % s.filter[1], kd = tap / s.filter[2] / s.filter[1];
      const index from = s.first_output(kw), to = s.last_output(kw);
      if (from >= to) continue;
      index number = 0;
      for (index row = begin; row < std::min(begin + most_rows, last); ++row) {
        const index oh = row % s.out[1], od = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
        const index id = s.source(0, od, kd), ih = s.source(1, oh, kh);
        if (id < 0 || id >= s.in[0] || ih < 0 || ih >= s.in[1]) continue;
        const T* in = x + (((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] + s.source(2, from, kw)) * s.ci;
        const T* out = dy + (row * s.out[2] + from) * s.out_pitch;
        rows[number++] = along_input ? outer_row<T>{out, in, to - from} : outer_row<T>{in, out, to - from};
      }
      T* const c = dw + (tap * s.w_rows + s.w_first) * (Transposed ? s.ci : s.co);
      const index in_step = Transposed ? 1 : s.co, out_step = Transposed ? s.ci : 1;
      if (along_input)
        outer_sum(rows, number, s.out_pitch, s.co, s.stride[2] * s.ci, s.ci, c, out_step, in_step);
      else
        outer_sum(rows, number, s.stride[2] * s.ci, s.ci, s.out_pitch, s.co, c, in_step, out_step);
    }
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#if defined(__NVCC__)
#pragma nv_diagnostic pop
#endif

#endif
