// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolutions on one host thread, blocked for registers: a tile of neighbouring outputs and channels is summed over all taps
/// before it is stored, and a tile of weight gradients over many rows. The order of additions is a function of the sizes alone.
#ifndef COMODAL_ENGINE_PORTABLE_CONV3D_HOST_HPP
#define COMODAL_ENGINE_PORTABLE_CONV3D_HOST_HPP

#include <comodal/core/kokkos.hpp>
#include <comodal/engine/conv3d_problem.hpp>

#include <algorithm>

#if defined(__NVCC__)  // does not know "GCC unroll"; these products run on the host alone
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675
#endif

namespace comodal::inline COMODAL_CONFIG::detail {

// A problem as plain numbers for kernels, with the walks along filter taps that forward and backward share. Outputs are
// `out_pitch` elements apart. Weights are the rows [w_first, ...) of `w_rows` rows a tap.
struct conv3d_sizes {
  index batch, in[3], out[3], filter[3], stride[3], pad[3], ci, co, out_pitch, w_rows, w_first = 0;

  explicit conv3d_sizes(const conv3d_problem& p) : batch(p.batch), ci(p.in_channels), co(p.out_channels), out_pitch(co), w_rows(p.in_channels) {
    const extent3 o = p.output(), q = p.padding();
    for (std::size_t a = 0; a < 3; ++a) {
      in[a] = p.input[a];
      out[a] = o[a];
      filter[a] = p.filter[a];
      stride[a] = p.stride[a];
      pad[a] = q[a];
    }
  }
  [[nodiscard]] index taps() const { return filter[0] * filter[1] * filter[2]; }
  [[nodiscard]] bool is_strided() const { return stride[0] * stride[1] * stride[2] != 1; }
  // Of `channels` input channels from `first` on, which stand in a map of their own.
  [[nodiscard]] conv3d_sizes of_part(index first, index channels) const {
    conv3d_sizes s = *this;
    s.ci = channels;
    s.w_first = first;
    return s;
  }
  // The convolution that makes the gradient of the input out of that of the output; stride 1 alone.
  [[nodiscard]] conv3d_sizes of_backward_data() const {
    conv3d_sizes s = *this;
    std::swap(s.ci, s.co);
    s.out_pitch = s.co;
    return s;
  }
  // The convolution with stride = filter that leads back from the output of a transposed convolution to its input.
  [[nodiscard]] static conv3d_sizes of_transposed(const conv_transpose3d_problem& p) {
    conv3d_sizes s(conv3d_problem{p.batch, p.output(), p.out_channels, p.in_channels, {1, 1, 1}, p.factor});
    for (std::size_t a = 0; a < 3; ++a) {
      s.filter[a] = p.factor[a];
      s.pad[a] = 0;
    }
    s.w_rows = p.in_channels;
    return s;
  }
  // Outputs along the last axis that tap k reaches: [first, last).
  [[nodiscard]] index first_output(index k) const {
    const index shift = pad[2] - k;
    return shift <= 0 ? 0 : (shift + stride[2] - 1) / stride[2];
  }
  [[nodiscard]] index last_output(index k) const {
    const index reach = in[2] - 1 + pad[2] - k;
    return reach < 0 ? 0 : std::min(out[2], reach / stride[2] + 1);
  }
  // Input position of output o and tap k along an axis; outside [0, in) is padding.
  KOKKOS_INLINE_FUNCTION index source(int axis, index o, index k) const { return o * stride[axis] + k - pad[axis]; }
  // Output position that input i and tap k belong to along an axis, or -1.
  KOKKOS_INLINE_FUNCTION index target(int axis, index i, index k) const {
    const index t = i + pad[axis] - k;
    if (t < 0 || t % stride[axis] != 0 || t / stride[axis] >= out[axis]) return -1;
    return t / stride[axis];
  }
};

// Tiles: voxels x channels whose sums stay in vector registers.
#if defined(__AVX512F__)
inline constexpr int tile_rows = 8, tile_columns = 32, vector_lanes = 16, most_sums = 16;
#else
inline constexpr int tile_rows = 6, tile_columns = 16, vector_lanes = 8, most_sums = 12;
#endif

// Output channels in blocks: whole tiles, then what is left rounded up to 16, 8 or 4.
[[nodiscard]] inline index tile_width(index left) { return left >= tile_columns ? tile_columns : left > 8 ? 16 : left > 4 ? 8 : 4; }
[[nodiscard]] inline index packed_columns(index co) {
  index total = 0;
  for (index c = 0; c < co; c += tile_width(co - c)) total += tile_width(co - c);
  return total;
}

// How the weights of a convolution stand in memory: (taps, ci, co), (taps, co, ci), or that with the taps from last to first; what
// is written first of a tap are its rows.
enum class weight_order { plain, transposed, flipped };

// Where the weight of a tap, input channel k and output channel c of the convolution stands.
template <weight_order Order>
[[nodiscard]] index weight_at(const conv3d_sizes& s, index tap, index k, index c) {
  if constexpr (Order == weight_order::plain) return (tap * s.w_rows + s.w_first + k) * s.co + c;
  const index from = Order == weight_order::flipped ? s.taps() - 1 - tap : tap;
  return (from * s.w_rows + s.w_first + c) * s.ci + k;
}

// Weights as tiles read them: block after block of output channels, each (taps, ci, width) with zeros behind the last channel.
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

// One of the maps that a convolution reads side by side as its input channels, and its packed weights.
template <class T>
struct conv3d_part {
  const T* x;
  index ci;
  const T* packed;
};

// The (kd, kh) of one output row whose input row is no padding.
template <class T>
struct tap_row {
  const T* in;
  index tap;  // of kw = 0
  int part;
};

inline constexpr int most_parts = 16;

// Slabs that a gradient of so many weights is summed from: each holds one.
[[nodiscard]] constexpr index gradient_slabs(index weights) { return weights < 100000 ? 16 : weights < 400000 ? 8 : 4; }

// out (Rows voxels, `valid` of Columns channels) = bias (Columns) + sum over taps and input channels. `Edge`: some taps may fall beside the
// row; they read `zeros`.
template <int Rows, int Columns, bool Edge, class T, class Out>
void conv_tile(const conv3d_sizes& s, const conv3d_part<T>* parts, const tap_row<T>* rows, int count, index ow, const T* bias, const T* zeros, Out* out,
               index valid) {
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
void conv_block(const conv3d_sizes& s, const conv3d_part<T>* parts, const tap_row<T>* rows, int count, const T* bias, const T* zeros, Out* out, index valid) {
  const index width = s.out[2];
  T first[Columns] = {};  // what the sums begin with
  if (bias) std::copy_n(bias, valid, first);
  index ow = 0;
  for (; ow + tile_rows <= width && (tile_rows == 8 || width - ow != 8); ow += tile_rows) {  // eight are fours rather than six and two
    const bool inner = s.source(2, ow, 0) >= 0 && s.source(2, ow + tile_rows - 1, s.filter[2] - 1) < s.in[2];
    if (inner)
      conv_tile<tile_rows, Columns, false>(s, parts, rows, count, ow, first, zeros, out + ow * s.out_pitch, valid);
    else
      conv_tile<tile_rows, Columns, true>(s, parts, rows, count, ow, first, zeros, out + ow * s.out_pitch, valid);
  }
  for (; ow + 4 <= width; ow += 4) conv_tile<4, Columns, true>(s, parts, rows, count, ow, first, zeros, out + ow * s.out_pitch, valid);
  for (; ow + 2 <= width; ow += 2) conv_tile<2, Columns, true>(s, parts, rows, count, ow, first, zeros, out + ow * s.out_pitch, valid);
  if (ow < width) conv_tile<1, Columns, true>(s, parts, rows, count, ow, first, zeros, out + ow * s.out_pitch, valid);
}

// One row of outputs from its tap rows; `zeros` has the most channels of a part, `bias` co elements or none.
template <class T, class Out>
void conv_columns(const conv3d_sizes& s, const conv3d_part<T>* parts, int number, const tap_row<T>* rows, int count, const T* bias, const T* zeros, Out* out) {
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

inline constexpr index most_tap_rows = 512;  // of all parts together

// Output row (n, od, oh) of a convolution of maps side by side, with packed weights.
template <class T, class Out>
void conv_row(const conv3d_sizes& s, const conv3d_part<T>* parts, int number, const T* bias, const T* zeros, Out* y, index row) {
  const index oh = row % s.out[1], od = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
  tap_row<T> rows[most_tap_rows];
  int count = 0;
  for (int i = 0; i < number; ++i)
    for (index kd = 0; kd < s.filter[0]; ++kd)
      for (index kh = 0; kh < s.filter[1]; ++kh) {
        const index id = s.source(0, od, kd), ih = s.source(1, oh, kh);
        if (id < 0 || id >= s.in[0] || ih < 0 || ih >= s.in[1]) continue;
        rows[count++] = {parts[i].x + ((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] * parts[i].ci, (kd * s.filter[1] + kh) * s.filter[2], i};
      }
  conv_columns(s, parts, number, rows, count, bias, zeros, y + row * s.out[2] * s.out_pitch);
}

// One row of a sum of outer products: `count` voxels of a and b.
template <class T>
struct outer_row {
  const T *a, *b;
  index count;
};

// c[r * c_row + j * c_column] += sum over rows and their voxels of a[r] b[j]. Few rows take every second or fourth voxel into sums
// of their own, so that additions need not wait for each other.
template <int Rows, int Columns, class T>
void outer_tile(const outer_row<T>* rows, index number, index a_pitch, index b_pitch, index a_first, index b_first, T* c, index c_row, index c_column) {
  constexpr int vectors = Rows * ((Columns + vector_lanes - 1) / vector_lanes), ways = vectors >= 8 ? 1 : vectors >= 4 ? 2 : 4;
  T sums[ways][Rows][Columns] = {};
  for (index i = 0; i < number; ++i) {
    const T *a = rows[i].a + a_first, *b = rows[i].b + b_first;
    index v = 0;
    for (; v + ways <= rows[i].count; v += ways, a += ways * a_pitch, b += ways * b_pitch) {
#pragma GCC unroll 4
      for (int way = 0; way < ways; ++way)
#pragma GCC unroll 16
        for (int r = 0; r < Rows; ++r) {
          const T left = a[way * a_pitch + r];
#pragma omp simd
          for (int j = 0; j < Columns; ++j) sums[way][r][j] += left * b[way * b_pitch + j];
        }
    }
    for (; v < rows[i].count; ++v, a += a_pitch, b += b_pitch)
      for (int r = 0; r < Rows; ++r) {
        const T left = a[r];
#pragma omp simd
        for (int j = 0; j < Columns; ++j) sums[0][r][j] += left * b[j];
      }
  }
  for (int r = 0; r < Rows; ++r)
    for (int j = 0; j < Columns; ++j) {
      T total = sums[0][r][j];
      for (int way = 1; way < ways; ++way) total += sums[way][r][j];
      c[r * c_row + j * c_column] += total;
    }
}

template <int Columns, class T>
void outer_block(const outer_row<T>* rows, index number, index a_pitch, index b_pitch, index a_channels, index b_first, T* c, index c_row, index c_column) {
  constexpr int vectors = (Columns + vector_lanes - 1) / vector_lanes;
  index r = 0;
  if constexpr (16 * vectors <= most_sums)  // narrow tiles need more of them in flight
    for (; r + 16 <= a_channels; r += 16) outer_tile<16, Columns>(rows, number, a_pitch, b_pitch, r, b_first, c + r * c_row, c_row, c_column);
  if constexpr (8 * vectors <= most_sums)
    for (; r + 8 <= a_channels; r += 8) outer_tile<8, Columns>(rows, number, a_pitch, b_pitch, r, b_first, c + r * c_row, c_row, c_column);
  else if constexpr (6 * vectors <= most_sums)  // of an even number, sixes and then fours
    for (; a_channels - r >= 6 && a_channels % 2 == 0 && a_channels - r != 8; r += 6)
      outer_tile<6, Columns>(rows, number, a_pitch, b_pitch, r, b_first, c + r * c_row, c_row, c_column);
  for (; r + 4 <= a_channels; r += 4) outer_tile<4, Columns>(rows, number, a_pitch, b_pitch, r, b_first, c + r * c_row, c_row, c_column);
  for (; r < a_channels; ++r) outer_tile<1, Columns>(rows, number, a_pitch, b_pitch, r, b_first, c + r * c_row, c_row, c_column);
}

// c (a_channels, b_channels), at c_row and c_column, += sum over the rows' voxels of a^T b.
template <class T>
void outer_sum(const outer_row<T>* rows, index number, index a_pitch, index a_channels, index b_pitch, index b_channels, T* c, index c_row, index c_column) {
  index j = 0;
  for (; j + tile_columns <= b_channels; j += tile_columns)
    outer_block<tile_columns>(rows, number, a_pitch, b_pitch, a_channels, j, c + j * c_column, c_row, c_column);
  for (; j + 16 <= b_channels; j += 16) outer_block<16>(rows, number, a_pitch, b_pitch, a_channels, j, c + j * c_column, c_row, c_column);
  for (; j + 8 <= b_channels; j += 8) outer_block<8>(rows, number, a_pitch, b_pitch, a_channels, j, c + j * c_column, c_row, c_column);
  for (; j + 4 <= b_channels; j += 4) outer_block<4>(rows, number, a_pitch, b_pitch, a_channels, j, c + j * c_column, c_row, c_column);
  for (; j < b_channels; ++j) outer_block<1>(rows, number, a_pitch, b_pitch, a_channels, j, c + j * c_column, c_row, c_column);
}

// dw (taps, ci, co), or (taps, co, ci) if `Transposed`, += the gradient of the weights of taps [first_tap, last_tap) from output rows
// [first, last).
template <bool Transposed = false, class T>
void conv_weight_gradient(const conv3d_sizes& s, const T* x, const T* dy, index first, index last, T* dw, index first_tap, index last_tap) {
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

}  // namespace comodal::inline COMODAL_CONFIG::detail

#if defined(__NVCC__)
#pragma nv_diagnostic pop
#endif

#endif
