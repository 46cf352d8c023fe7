// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolutions with three taps along the rows on one host thread, by Winograd's minimal filtering F(4, 3) along that axis (Lavin and
/// Gray, CVPR 2016, section 4.1, in one dimension): 6 products for 4 outputs instead of 12. Rounding errors are some 3 times those of
/// direct sums (docs/numerics.md). The order of additions is a function of the sizes alone.
#ifndef COMODAL_ENGINE_PORTABLE_WINOGRAD_HPP
#define COMODAL_ENGINE_PORTABLE_WINOGRAD_HPP

#include <comodal/engine/portable/conv3d_host.hpp>

namespace comodal::inline COMODAL_CONFIG::detail {

inline constexpr int winograd_points = 6, winograd_outputs = 4;

/// True for what these kernels compute, and compute faster than the direct ones: transforming the weights has to pay.
[[nodiscard]] inline bool winograd_serves(const conv3d_sizes& s, index least_tiles = 96) {
  return s.filter[2] == 3 && !s.is_strided() && s.ci >= 4 && s.co >= 8 && s.in[2] >= winograd_outputs &&
         s.batch * s.out[0] * s.out[1] * ((s.out[2] + 3) / 4) >= least_tiles;
}
/// The same for the gradient of the weights, of which each slab holds one.
[[nodiscard]] inline bool winograd_serves_weights(const conv3d_sizes& s) { return winograd_serves(s, 256); }

/// How a convolution is cut into blocks of `depth` x `height` outputs whose transformed inputs stay in cache.
struct winograd_blocks {
  index tiles, depth, height;  // tiles: of 4 outputs along a row

  explicit winograd_blocks(const conv3d_sizes& s) : tiles((s.in[2] + 3) / 4), depth(1), height(s.out[1]) {
    constexpr index budget = 64 * 1024;  // elements
    const auto input = [&](index d, index h) { return (d + s.filter[0] - 1) * (h + s.filter[1] - 1) * winograd_points * tiles * s.ci; };
    while (height > 4 && input(1, height) > budget) height = (height + 1) / 2;
    const index rows = s.batch * ((s.out[1] + height - 1) / height);
    while (depth < s.out[0] && input(depth + 1, height) <= budget && rows * ((s.out[0] + depth) / (depth + 1)) >= 16) ++depth;
  }
  [[nodiscard]] index across(const conv3d_sizes& s) const { return (s.out[1] + height - 1) / height; }
  [[nodiscard]] index count(const conv3d_sizes& s) const { return s.batch * ((s.out[0] + depth - 1) / depth) * across(s); }
  // Elements of the transformed inputs of a block, (planes, points, rows, tiles, ci), and of one plane.
  [[nodiscard]] index plane(const conv3d_sizes& s) const { return winograd_points * (height + s.filter[1] - 1) * tiles * s.ci; }
  [[nodiscard]] index inputs(const conv3d_sizes& s) const { return (depth + s.filter[0] - 1) * plane(s); }
};

// One block: outputs of sample n, depths [d0, d1), rows [h0, h1).
struct winograd_block {
  index n, d0, d1, h0, h1;
  winograd_block(const conv3d_sizes& s, const winograd_blocks& b, index t) {
    const index across = b.across(s), deep = (s.out[0] + b.depth - 1) / b.depth;
    n = t / across / deep;
    d0 = t / across % deep * b.depth;
    d1 = std::min(d0 + b.depth, s.out[0]);
    h0 = t % across * b.height;
    h1 = std::min(h0 + b.height, s.out[1]);
  }
};

// Weights G g of three taps, packed as tiles read them: block after block of output channels, each (points, kd kh, ci, width).
template <weight_order Order, class T>
void winograd_pack(const conv3d_sizes& s, const T* w, T* packed, index pair) {
  const index pairs = s.filter[0] * s.filter[1], taps = s.taps();
  index before = 0;
  for (index c = 0; c < s.co;) {
    const index width = tile_width(s.co - c), valid = std::min(width, s.co - c);
    for (index k = 0; k < s.ci; ++k)
      for (index j = 0; j < width; ++j) {
        T g[3] = {};
        for (index tap = 0; j < valid && tap < 3; ++tap) {
          const index at = pair * 3 + tap, from = Order == weight_order::flipped ? taps - 1 - at : at;
          g[tap] = Order == weight_order::plain ? w[(from * s.w_rows + s.w_first + k) * s.co + c + j] : w[(from * s.w_rows + s.w_first + c + j) * s.ci + k];
        }
        const T even = (g[0] + g[2]) / 6, odd = g[1] / 6, far = g[0] / 24 + g[2] / 6, near = g[1] / 12;
        const T u[winograd_points] = {g[0] / 4, -even - odd, odd - even, far + near, far - near, g[2]};
        for (int t = 0; t < winograd_points; ++t) packed[before * winograd_points * pairs * s.ci + ((t * pairs + pair) * s.ci + k) * width + j] = u[t];
      }
    before += width;
    c += width;
  }
}

// B^T d of six neighbouring voxels for `channels` channels; `to` + t step is point t. Null voxels are 0.
template <class T>
void winograd_input(const T* const (&d)[6], index channels, T* to, index step) {
#pragma omp simd
  for (index c = 0; c < channels; ++c) {
    const T d0 = d[0][c], d1 = d[1][c], d2 = d[2][c], d3 = d[3][c], d4 = d[4][c], d5 = d[5][c];
    const T p = d4 - 4 * d2, q = d3 - 4 * d1, r = d4 - d2, u = 2 * (d3 - d1);
    to[c] = 4 * d0 - 5 * d2 + d4;
    to[step + c] = p + q;
    to[2 * step + c] = p - q;
    to[3 * step + c] = r + u;
    to[4 * step + c] = r - u;
    to[5 * step + c] = 4 * d1 - 5 * d3 + d5;
  }
}

// The transformed inputs of a block, (planes, points, rows, tiles, ci) with the channels of all parts side by side; rows beyond the
// volume are 0, planes beyond it are left alone.
template <class T>
void winograd_inputs(const conv3d_sizes& s, const winograd_blocks& b, const winograd_block& at, const conv3d_part<T>* parts, int number, const T* zeros, T* to) {
  const index rows = at.h1 - at.h0 + s.filter[1] - 1, step = rows * b.tiles * s.ci;
  for (index plane = 0; plane < at.d1 - at.d0 + s.filter[0] - 1; ++plane, to += winograd_points * step) {
    const index id = at.d0 + plane - s.pad[0];
    if (id < 0 || id >= s.in[0]) continue;
    for (index row = 0; row < rows; ++row) {
      const index ih = at.h0 + row - s.pad[1];
      T* const line = to + row * b.tiles * s.ci;
      if (ih < 0 || ih >= s.in[1]) {
        for (int t = 0; t < winograd_points; ++t) std::fill_n(line + t * step, b.tiles * s.ci, T(0));
        continue;
      }
      index first = 0;
      for (int i = 0; i < number; ++i) {
        const T* const x = parts[i].x + ((at.n * s.in[0] + id) * s.in[1] + ih) * s.in[2] * parts[i].ci;
        for (index tile = 0; tile < b.tiles; ++tile) {
          const T* d[6];
          for (int j = 0; j < 6; ++j) {
            const index iw = tile * winograd_outputs + j - 1;
            d[j] = iw >= 0 && iw < s.in[2] ? x + iw * parts[i].ci : zeros;
          }
          winograd_input(d, parts[i].ci, line + tile * s.ci + first, step);
        }
        first += parts[i].ci;
      }
    }
  }
}

// sums (Rows, Columns) = the products of one point: over the (kd, kh) pairs, each with its first transformed voxel, and channels.
template <int Rows, int Columns, class T>
void winograd_tile(const T* const* pairs, const index* pair_numbers, int count, index ci, index first, const T* packed, T* out) {
  T sums[Rows][Columns] = {};
  for (int p = 0; p < count; ++p) {
    const T *a = pairs[p] + first * ci, *b = packed + pair_numbers[p] * ci * Columns;
    for (index k = 0; k < ci; ++k, b += Columns) {
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const T left = a[r * ci + k];
#pragma omp simd
        for (int j = 0; j < Columns; ++j) sums[r][j] += left * b[j];
      }
    }
  }
  for (int r = 0; r < Rows; ++r)
#pragma omp simd
    for (int j = 0; j < Columns; ++j) out[r * Columns + j] = sums[r][j];
}

// The products of all points of a block's depth d for one block of output channels, and the outputs y = A^T m + bias.
template <int Columns, class T>
void winograd_columns(const conv3d_sizes& s, const winograd_blocks& b, const winograd_block& at, index d, const T* inputs, const T* packed, const T* bias,
                      T* products, T* y, index valid) {
  const index height = at.h1 - at.h0, flat = height * b.tiles, step = (height + s.filter[1] - 1) * b.tiles * s.ci, pairs = s.filter[0] * s.filter[1];
  for (int t = 0; t < winograd_points; ++t) {
    const T* from[most_tap_rows];
    index numbers[most_tap_rows];
    int count = 0;
    for (index kd = 0; kd < s.filter[0]; ++kd) {
      const index id = d + kd - s.pad[0];
      if (id < 0 || id >= s.in[0]) continue;
      for (index kh = 0; kh < s.filter[1]; ++kh) {
        from[count] = inputs + ((d - at.d0 + kd) * winograd_points + t) * step + kh * b.tiles * s.ci;
        numbers[count++] = kd * s.filter[1] + kh;
      }
    }
    const T* const weights = packed + t * pairs * s.ci * Columns;
    T* const out = products + t * flat * Columns;
    index f = 0;
    for (; f + tile_rows <= flat; f += tile_rows) winograd_tile<tile_rows, Columns>(from, numbers, count, s.ci, f, weights, out + f * Columns);
    for (; f + 4 <= flat; f += 4) winograd_tile<4, Columns>(from, numbers, count, s.ci, f, weights, out + f * Columns);
    for (; f < flat; ++f) winograd_tile<1, Columns>(from, numbers, count, s.ci, f, weights, out + f * Columns);
  }
  for (index row = 0; row < height; ++row)
    for (index tile = 0; tile < b.tiles; ++tile) {
      const T* const m = products + (row * b.tiles + tile) * Columns;
      T outputs[winograd_outputs][Columns];
#pragma omp simd
      for (int j = 0; j < Columns; ++j) {
        const T m0 = m[j], m1 = m[flat * Columns + j], m2 = m[2 * flat * Columns + j], m3 = m[3 * flat * Columns + j], m4 = m[4 * flat * Columns + j],
                m5 = m[5 * flat * Columns + j];
        const T near = m1 + m2, apart = m1 - m2, far = m3 + m4, wide = m3 - m4;
        outputs[0][j] = m0 + near + far;
        outputs[1][j] = apart + 2 * wide;
        outputs[2][j] = near + 4 * far;
        outputs[3][j] = apart + 8 * wide + m5;
      }
      const index ow = tile * winograd_outputs;
      T* const to = y + (((at.n * s.out[0] + d) * s.out[1] + at.h0 + row) * s.out[2] + ow) * s.out_pitch;
      for (index v = 0; v < std::min<index>(winograd_outputs, s.out[2] - ow); ++v)
        for (index j = 0; j < valid; ++j) to[v * s.out_pitch + j] = outputs[v][j] + (bias ? bias[j] : T(0));
    }
}

// Scratch of one block: transformed inputs, and products of one depth and one block of channels.
[[nodiscard]] inline index winograd_scratch(const conv3d_sizes& s, const winograd_blocks& b) {
  return b.inputs(s) + winograd_points * b.height * b.tiles * tile_columns;
}

template <class T>
void winograd_forward(const conv3d_sizes& s, const winograd_blocks& b, const conv3d_part<T>* parts, int number, const T* packed, const T* bias, const T* zeros,
                      T* scratch, T* y, index block) {
  const winograd_block at(s, b, block);
  T* const products = scratch + b.inputs(s);
  winograd_inputs(s, b, at, parts, number, zeros, scratch);
  for (index c = 0; c < s.co;) {
    const index width = tile_width(s.co - c), valid = std::min(width, s.co - c);
    const T* const own = bias ? bias + c : nullptr;
    for (index d = at.d0; d < at.d1; ++d) {
      if (width == tile_columns)
        winograd_columns<tile_columns>(s, b, at, d, scratch, packed, own, products, y + c, valid);
      else if (width == 16)
        winograd_columns<16>(s, b, at, d, scratch, packed, own, products, y + c, valid);
      else if (width == 8)
        winograd_columns<8>(s, b, at, d, scratch, packed, own, products, y + c, valid);
      else
        winograd_columns<4>(s, b, at, d, scratch, packed, own, products, y + c, valid);
    }
    packed += winograd_points * s.filter[0] * s.filter[1] * s.ci * width;
    c += width;
  }
}

}  // namespace comodal::inline COMODAL_CONFIG::detail

#endif
