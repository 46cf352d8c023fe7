// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolutions with 3 x 3 taps in the plane of the rows on one host thread, by Winograd's minimal filtering F(4x4,
/// 3x3) in that plane (Lavin and Gray, CVPR 2016, section 4): 36 products for 16 outputs instead of 144; taps along the
/// depth are summed. Maps are stored as T, everything between is of the wider type C. Rounding errors:
/// docs/reference/numerics.md. The order of additions is a function of the sizes alone.
#ifndef COMODAL_ENGINE_HOST_WINOGRAD_HPP
#define COMODAL_ENGINE_HOST_WINOGRAD_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/host/conv3d_forward.hpp>
#include <comodal/engine/host/conv3d_weight_gradient.hpp>
#include <comodal/engine/host/lanes.hpp>
#include <comodal/engine/host/winograd_transforms.hpp>

#if defined(__NVCC__)  // does not know "GCC unroll"; these products run on the host alone
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675
#endif

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// Elements between two points: an odd number of cache lines, so that the points of a tile do not fall into the same
// sets of a cache.
[[nodiscard]] inline index winograd_step(index tiles, index channels) {
  return (tiles * channels + 15) / 16 / 2 * 32 + 16;
}

/// How a convolution is cut into blocks whose transformed inputs stay in cache.
struct winograd_blocks {
  index across, high;                  // tiles of 4 x 4 outputs along a row and down a plane
  index samples = 1, depth = 1, rows;  // of one block: samples, outputs along the depth, rows of tiles

  /// @param channels of what is transformed
  /// @param budget elements of the transformed inputs of a block
  winograd_blocks(const conv3d_sizes& s, index channels, index budget)
      : across((s.out[2] + 3) / 4), high((s.out[1] + 3) / 4), rows(high) {
    constexpr index whole = 6 * 1024 * 1024;  // elements
    const auto elements = [&](index d, index r) {
      return (d + s.filter[0] - 1) * winograd_points * r * across * channels;
    };
    // Many weights are read once, for everything; of few tiles, blocks would be too small.
    if ((s.ci * s.co >= 2048 || s.batch * s.out[0] * high * across <= 256) &&
        s.batch * elements(s.out[0], high) <= whole) {
      samples = s.batch;
      depth = s.out[0];
      return;
    }
    // Planes that taps reach beyond a block are transformed twice: blocks are deep first, then high.
    const auto blocks = [&](index d, index r) { return s.batch * ((high + r - 1) / r) * ((s.out[0] + d - 1) / d); };
    rows = 1;
    while (depth < s.out[0] && elements(depth + 1, 1) <= budget && blocks(depth + 1, 1) >= 16) ++depth;
    while (rows < high && elements(depth, rows + 1) <= budget && blocks(depth, rows + 1) >= 16) ++rows;
  }
  /// True if one block is everything: then its parts run in parallel, not blocks.
  [[nodiscard]] bool whole(const conv3d_sizes& s) const {
    return samples == s.batch && depth == s.out[0] && rows == high;
  }
  [[nodiscard]] index count(const conv3d_sizes& s) const {
    return (s.batch + samples - 1) / samples * ((s.out[0] + depth - 1) / depth) * ((high + rows - 1) / rows);
  }
  /// Elements of the largest block: of its transformed inputs, with the planes that taps reach beyond it, and of its
  /// outputs.
  [[nodiscard]] index input_elements(const conv3d_sizes& s) const {
    return winograd_points * winograd_step(samples * (depth + s.filter[0] - 1) * rows * across, s.ci);
  }
  [[nodiscard]] index output_elements(index channels) const {
    return winograd_points * winograd_step(samples * depth * rows * across, channels);
  }
};

// One block: samples [n0, n1), output depths [d0, d1), rows of tiles [r0, r1). Its tiles are numbered by sample, depth,
// row and place.
struct winograd_block {
  index n0, n1, d0, d1, r0, r1, across, reach;  // reach: taps along the depth
  winograd_block(const conv3d_sizes& s, const winograd_blocks& b, index t) : across(b.across), reach(s.filter[0]) {
    const index bands = (b.high + b.rows - 1) / b.rows, deep = (s.out[0] + b.depth - 1) / b.depth;
    r0 = t % bands * b.rows;
    r1 = std::min(r0 + b.rows, b.high);
    d0 = t / bands % deep * b.depth;
    d1 = std::min(d0 + b.depth, s.out[0]);
    n0 = t / bands / deep * b.samples;
    n1 = std::min(n0 + b.samples, s.batch);
  }
  [[nodiscard]] index samples() const { return n1 - n0; }
  [[nodiscard]] index depth() const { return d1 - d0; }
  [[nodiscard]] index planes() const { return depth() + reach - 1; }  // of inputs
  [[nodiscard]] index tiles() const { return (r1 - r0) * across; }    // of a plane
  [[nodiscard]] index input_step(index channels) const {
    return winograd_step(samples() * planes() * tiles(), channels);
  }
  [[nodiscard]] index output_step(index channels) const {
    return winograd_step(samples() * depth() * tiles(), channels);
  }
};

/// Tiles of 4 x 4 outputs in the planes of the rows of a whole convolution.
[[nodiscard]] inline index winograd_tiles(const conv3d_sizes& s) {
  return s.batch * s.out[0] * ((s.out[1] + 3) / 4) * ((s.out[2] + 3) / 4);
}

/// True for what these kernels compute, and compute faster than the direct ones: transforming the weights has to pay.
[[nodiscard]] inline bool winograd_serves(const conv3d_sizes& s) {
  constexpr index least_tiles = 24;
  const index tiles = (s.out[1] + 3) / 4 * ((s.out[2] + 3) / 4);
  return s.filter[1] == 3 && s.filter[2] == 3 && s.keeps_size() && s.ci >= 4 && s.co >= 8 &&
         2 * s.out[1] * s.out[2] >= 16 * tiles && winograd_tiles(s) >= least_tiles;
}

// The weights of one tap along the depth, G g G^T, packed as products read them: block after block of output channels,
// each (points, kd, ci, width) with zeros behind the last channel.
template <weight_order Order, class C, class T>
void winograd_pack(const conv3d_sizes& s, const T* w, C* packed, index kd) {
  index before = 0;
  for (index c = 0; c < s.co;) {
    const index width = tile_width(s.co - c), valid = std::min(width, s.co - c), step = s.filter[0] * s.ci * width;
    C* const block = packed + before * winograd_points * s.filter[0] * s.ci + kd * s.ci * width;
    for (index k = 0; k < s.ci; ++k)
      for (index j = 0; j < width; j += 4) {
        constexpr int lanes = 4;
        C g[9][lanes] = {}, half[winograd_edge][3][lanes];
        for (index tap = 0; tap < 9; ++tap)
          for (int l = 0; l < std::min<index>(lanes, valid - j); ++l)
            g[tap][l] = static_cast<C>(w[weight_at<Order>(s, kd * 9 + tap, k, c + j + l)]);
        for (int x = 0; x < 3; ++x) {
          const C* const column[3] = {g[x], g[3 + x], g[6 + x]};
          C* const to[winograd_edge] = {half[0][x], half[1][x], half[2][x], half[3][x], half[4][x], half[5][x]};
          winograd_weight_points<lanes>(column, to);
        }
        for (int y = 0; y < winograd_edge; ++y) {
          const C* const row[3] = {half[y][0], half[y][1], half[y][2]};
          C* const first = block + (y * winograd_edge) * step + k * width + j;
          C* const to[winograd_edge] = {
              first, first + step, first + 2 * step, first + 3 * step, first + 4 * step, first + 5 * step};
          winograd_weight_points<lanes>(row, to);
        }
      }
    before += width;
    c += width;
  }
}

// B^T d B of one plane of inputs of a block, (points, tiles, ci) with the channels of all parts side by side. Planes
// beyond the volume are left alone: no product reads them. `plane` counts through the samples.
template <class C, class T>
void winograd_inputs(const conv3d_sizes& s, const winograd_block& at, const conv3d_part<T>* parts, int number,
                     const T* zeros, C* to, index plane) {
  const index n = at.n0 + plane / at.planes(), id = at.d0 + plane % at.planes() - s.pad[0], step = at.input_step(s.ci);
  if (id < 0 || id >= s.in[0]) return;
  C* line = to + plane * at.tiles() * s.ci;
  for (index r = at.r0; r < at.r1; ++r)
    for (index tile = 0; tile < at.across; ++tile, line += s.ci) {
      index offset[winograd_edge], channel = 0;
      for (int j = 0; j < winograd_edge; ++j) {
        const index iw = tile * winograd_outputs + j - 1;
        offset[j] = iw >= 0 && iw < s.in[2] ? iw : -1;
      }
      for (int i = 0; i < number; channel += parts[i++].ci) {
        const index ci = parts[i].ci;
        const T* const volume = parts[i].x + (n * s.in[0] + id) * s.in[1] * s.in[2] * ci;
        in_lanes(ci, [&](index c, auto lanes_of) {
          constexpr int lanes = decltype(lanes_of)::value;
          C half[winograd_edge][winograd_edge][lanes];  // (w point, row)
          for (int y = 0; y < winograd_edge; ++y) {
            const index ih = r * winograd_outputs + y - 1;
            C* const points[winograd_edge] = {half[0][y], half[1][y], half[2][y], half[3][y], half[4][y], half[5][y]};
            const bool outside = ih < 0 || ih >= s.in[1];
            const T *const row = volume + ih * s.in[2] * ci + c, *voxels[winograd_edge];
            for (int j = 0; j < winograd_edge; ++j) voxels[j] = outside || offset[j] < 0 ? zeros : row + offset[j] * ci;
            for (int j = 0; j < winograd_outputs; ++j) __builtin_prefetch(row + (tile * winograd_outputs + 9 + j) * ci);
            winograd_to_points<lanes>(voxels, points);
          }
          for (int x = 0; x < winograd_edge; ++x) {
            C* const first = line + channel + c + x * step;
            C* const points[winograd_edge] = {
                first, first + 6 * step, first + 12 * step, first + 18 * step, first + 24 * step, first + 30 * step};
            const C* const rows[winograd_edge] = {half[x][0], half[x][1], half[x][2],
                                                  half[x][3], half[x][4], half[x][5]};
            winograd_to_points<lanes>(rows, points);
          }
        });
      }
    }
}

// out (Rows, Columns) = sum over `count` taps along the depth and channels of a transformed tile, from[tap] + row ci,
// times its weights.
template <int Rows, int Columns, class C>
void winograd_tile(const C* const* from, index count, index ci, const C* packed, C* out) {
  lanes<C, Columns> sums[Rows], right;
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) sums[r].clear();
  for (index p = 0; p < count; ++p) {
    const C *a = from[p], *b = packed + p * ci * Columns;
    for (index k = 0; k < ci; ++k, b += Columns) {
      right.load(b);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) sums[r].add_product(a[r * ci + k], right);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) sums[r].store(out + r * Columns);
}

// The products of point t of a block and one block of output channels: out (output tiles, Columns).
template <int Columns, class C>
void winograd_products(const conv3d_sizes& s, const winograd_block& at, const C* inputs, const C* packed, index t,
                       C* out) {
  constexpr index most_taps = conv3d_problem::largest_filter;
  const index tiles = at.tiles();
  const C* const points = inputs + t * at.input_step(s.ci);
  for (index n = 0; n < at.samples(); ++n)
    for (index d = at.d0; d < at.d1;) {
      // Depths that see the same taps are done at once.
      const auto first_tap = [&](index depth) { return std::max<index>(0, s.pad[0] - depth); };
      const auto last_tap = [&](index depth) { return std::min(s.filter[0], s.in[0] + s.pad[0] - depth); };
      const index first = first_tap(d), last = last_tap(d);
      index end = d + 1;
      while (end < at.d1 && first_tap(end) == first && last_tap(end) == last) ++end;
      const C *from[most_taps], *const weights = packed + (t * s.filter[0] + first) * s.ci * Columns;
      for (index kd = first; kd < last; ++kd)
        from[kd - first] = points + (n * at.planes() + d - at.d0 + kd) * tiles * s.ci;
      index left = (end - d) * tiles;
      const auto run = [&](auto rows_of) {
        constexpr int rows = decltype(rows_of)::value;
        for (; left >= rows; left -= rows, out += rows * Columns) {
          winograd_tile<rows, Columns>(from, last - first, s.ci, weights, out);
          for (index kd = 0; kd < last - first; ++kd) from[kd] += rows * s.ci;
        }
      };
      if constexpr (2 * tile_rows * ((Columns + vector_lanes - 1) / vector_lanes) <= most_sums)
        run(std::integral_constant<int, 2 * tile_rows>{});  // narrow tiles need more of them in flight
      run(std::integral_constant<int, tile_rows>{});
      run(std::integral_constant<int, 4>{});
      run(std::integral_constant<int, 2>{});
      run(std::integral_constant<int, 1>{});
      d = end;
    }
}

// Outputs A^T m A + bias of one plane of a block and one block of output channels, from products (points, output tiles,
// Columns). `plane` counts through the samples; y begins at the block's first channel.
template <int Columns, class C, class T>
void winograd_results(const conv3d_sizes& s, const winograd_block& at, const C* products, const T* bias, index valid,
                      T* y, index plane) {
  const index n = at.n0 + plane / at.depth(), d = at.d0 + plane % at.depth(), step = at.output_step(Columns);
  const C* m = products + plane * at.tiles() * Columns;
  constexpr C none[Columns] = {};
  C own[Columns] = {};
  for (index j = 0; bias && j < valid; ++j) own[j] = static_cast<C>(bias[j]);
  for (index r = at.r0; r < at.r1; ++r)
    for (index tile = 0; tile < at.across; ++tile, m += Columns) {
      C half[winograd_outputs][winograd_edge][Columns];  // (column of outputs, h point)
      for (int v = 0; v < winograd_edge; ++v) {
        const C* const first = m + v * winograd_edge * step;
        const C* const points[winograd_edge] = {
            first, first + step, first + 2 * step, first + 3 * step, first + 4 * step, first + 5 * step};
        C* const to[winograd_outputs] = {half[0][v], half[1][v], half[2][v], half[3][v]};
        winograd_from_points<Columns>(points, none, to);
      }
      const index oh = r * winograd_outputs, ow = tile * winograd_outputs, pitch = s.out[2] * s.out_pitch;
      T* const corner = y + (((n * s.out[0] + d) * s.out[1] + oh) * s.out[2] + ow) * s.out_pitch;
      for (index x = 0; x < std::min<index>(winograd_outputs, s.out[2] - ow); ++x) {
        const C* const points[winograd_edge] = {half[x][0], half[x][1], half[x][2], half[x][3], half[x][4], half[x][5]};
        T* const out = corner + x * s.out_pitch;
        if (valid == Columns && oh + winograd_outputs <= s.out[1]) {
          T* const to[winograd_outputs] = {out, out + pitch, out + 2 * pitch, out + 3 * pitch};
          winograd_from_points<Columns>(points, own, to);
          continue;
        }
        T outputs[winograd_outputs][Columns];
        T* const to[winograd_outputs] = {outputs[0], outputs[1], outputs[2], outputs[3]};
        winograd_from_points<Columns>(points, own, to);
        for (index v = 0; v < std::min<index>(winograd_outputs, s.out[1] - oh); ++v)
          std::copy_n(outputs[v], valid, out + v * pitch);
      }
    }
}

// A block of output channels: its first channel, the packed columns before it, and which one it is.
struct winograd_channels {
  index first = 0, before = 0, number = 0;
};

// Calls `body(channels, width)` for every block of output channels; the width is a compile-time constant. Returns how
// many there are.
template <class Body>
index for_winograd_channels(index co, const Body& body) {
  winograd_channels at;
  for (; at.first < co; ++at.number) {
    const index width = tile_width(co - at.first);
    if (width == tile_columns)
      body(at, std::integral_constant<int, tile_columns>{});
    else if (width == 16)
      body(at, std::integral_constant<int, 16>{});
    else if (width == 8)
      body(at, std::integral_constant<int, 8>{});
    else
      body(at, std::integral_constant<int, 4>{});
    at.before += width;
    at.first += width;
  }
  return at.number;
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#if defined(__NVCC__)
#pragma nv_diagnostic pop
#endif

#endif
