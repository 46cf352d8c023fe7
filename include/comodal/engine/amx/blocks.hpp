// SPDX-License-Identifier: Apache-2.0
/// @file
/// How a convolution on tile registers is cut into blocks, and the inputs of a block with their padding. Voxels of a
/// block are numbered through its padded rows, q = d plane + h width + w, so that every tap is one distance, whatever
/// the width of a map; sums of the columns behind a row are made and thrown away.
#ifndef COMODAL_ENGINE_AMX_BLOCKS_HPP
#define COMODAL_ENGINE_AMX_BLOCKS_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/amx/tiles.hpp>
#include <comodal/engine/host/conv3d_sizes.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

[[nodiscard]] constexpr index tiles_of(index channels) { return (channels + tile_edge - 1) / tile_edge; }

/// The blocks of a convolution: outputs along the depth and rows of one sample; a function of the sizes alone.
struct tile_blocks {
  index depth = 1, rows = 1;

  /// @param cost (depth, rows) -> what an output costs in such blocks; below 0 where they are too large. The cheapest
  /// are taken that leave some for threads
  ///        to share; single rows if none do.
  template <class Cost>
  tile_blocks(const conv3d_sizes& s, const Cost& cost) {
    constexpr index least = 8;
    double lowest = 0;
    for (index d = s.out[0]; d > 0; d = fewer(s.out[0], d))
      for (index r = s.out[1]; r > 0; r = fewer(s.out[1], r)) {
        const double found = s.batch * pieces(s.out[0], d) * pieces(s.out[1], r) >= least ? cost(d, r) : -1;
        if (found < 0 || (lowest > 0 && found >= lowest)) continue;
        lowest = found;
        depth = d;
        rows = r;
      }
  }
  [[nodiscard]] index count(const conv3d_sizes& s) const {
    return s.batch * pieces(s.out[0], depth) * pieces(s.out[1], rows);
  }
  static constexpr index pieces(index size, index piece) { return (size + piece - 1) / piece; }

 private:
  // The next smaller piece of those that cut `size` evenly; 0 if there is none.
  static constexpr index fewer(index size, index piece) {
    return piece == 1 ? 0 : pieces(size, pieces(size, piece - 1));
  }
};

// Voxels of a padded row; of `rows` outputs' planes, the voxels from the first to the last output with all columns
// between them, and of the padded plane, with at least `gap` voxels between the last output of a plane and the first of
// the next.
[[nodiscard]] inline index padded_width(const conv3d_sizes& s) { return s.in[2] + s.filter[2] - 1; }
[[nodiscard]] inline index output_span(const conv3d_sizes& s, index rows) {
  return (rows - 1) * padded_width(s) + s.out[2];
}
[[nodiscard]] inline index padded_plane(const conv3d_sizes& s, index rows, index gap) {
  return std::max((rows + s.filter[1] - 1) * padded_width(s), output_span(s, rows) + gap);
}

/// One block: outputs [d0, d1) x [h0, h1) of sample n.
struct tile_block {
  index n, d0, d1, h0, h1, width, plane,
      planes;  // of the padded inputs: voxels of a row and of a plane, and how many planes

  tile_block(const conv3d_sizes& s, const tile_blocks& blocks, index t, index gap) {
    const index bands = blocks.pieces(s.out[1], blocks.rows), deep = blocks.pieces(s.out[0], blocks.depth);
    h0 = t % bands * blocks.rows;
    d0 = t / bands % deep * blocks.depth;
    n = t / bands / deep;
    h1 = std::min(h0 + blocks.rows, s.out[1]);
    d1 = std::min(d0 + blocks.depth, s.out[0]);
    width = padded_width(s);
    plane = padded_plane(s, h1 - h0, gap);
    planes = d1 - d0 + s.filter[0] - 1;
  }
  [[nodiscard]] index voxels() const { return planes * plane; }
  [[nodiscard]] index span(const conv3d_sizes& s) const { return output_span(s, h1 - h0); }
};

// The first `run` channels of `count` voxels that lie `from_pitch` and `to_pitch` elements apart.
inline void copy_channels(const bfloat16* from, index from_pitch, index run, index count, bfloat16* to,
                          index to_pitch) {
  if (run == from_pitch && run == to_pitch) {
    std::copy_n(from, count * run, to);
    return;
  }
  in_lanes(run, [&](index c, auto lanes) {
    const bfloat16* source = from + c;
    bfloat16* target = to + c;
    for (index w = 0; w < count; ++w, source += from_pitch, target += to_pitch) std::copy_n(source, lanes(), target);
  });
}

/// What a convolution reads: maps whose channels stand side by side, or one map of which `factor` voxels along each
/// axis, with all their channels, make one voxel (those that a stride as large as the filter brings together).
struct tile_source {
  conv3d_part<bfloat16> parts[most_parts] = {};
  int number = 1;
  extent3 factor{1, 1, 1};

  /// The inputs of a block with zeros around the volume and behind each plane, `channels` a voxel, zeros behind the
  /// last of them: (planes, plane, channels), and `behind` zeros behind the last voxel.
  void load(const conv3d_sizes& s, const tile_block& at, index channels, index behind, bfloat16* to) const {
    const bfloat16 zero = bfloat16::from_bits(0);
    const index rows = at.h1 - at.h0 + s.filter[1] - 1, left = s.pad[2] * channels,
                right = (at.width - s.in[2]) * channels - left;
    for (index row = 0; row < at.planes * rows; ++row) {
      const index d = at.d0 + row / rows - s.pad[0], h = at.h0 + row % rows - s.pad[1];
      bfloat16* const line = to + (row / rows * at.plane + row % rows * at.width) * channels;
      if (row % rows == rows - 1)
        std::fill_n(line + at.width * channels, (at.plane - rows * at.width) * channels, zero);
      if (d < 0 || d >= s.in[0] || h < 0 || h >= s.in[1]) {
        std::fill_n(line, at.width * channels, zero);
        continue;
      }
      if (channels == s.ci) {
        std::fill_n(line, left, zero);
        std::fill_n(line + left + s.in[2] * channels, right, zero);
      } else {
        std::fill_n(line, at.width * channels, zero);
      }
      if (factor[0] * factor[1] * factor[2] == 1)
        side_by_side(s, at.n, d, h, channels, line + left);
      else
        gather(s, at.n, d, h, channels, line + left);
    }
    std::fill_n(to + at.voxels() * channels, behind, zero);
  }

 private:
  // Row (n, d, h) of inputs, `channels` elements from voxel to voxel.
  void side_by_side(const conv3d_sizes& s, index n, index d, index h, index channels, bfloat16* to) const {
    const index from = ((n * s.in[0] + d) * s.in[1] + h) * s.in[2];
    for (int i = 0; i < number; to += parts[i++].ci)
      copy_channels(parts[i].x + from * parts[i].ci, parts[i].ci, parts[i].ci, s.in[2], to, channels);
  }
  void gather(const conv3d_sizes& s, index n, index d, index h, index channels, bfloat16* to) const {
    const index run = factor[2] * parts[0].ci;
    for (index kd = 0; kd < factor[0]; ++kd)
      for (index kh = 0; kh < factor[1]; ++kh, to += run)
        copy_channels(parts[0].x + (((n * s.in[0] + d) * factor[0] + kd) * s.in[1] * factor[1] + h * factor[1] + kh) *
                                       s.in[2] * run,
                      run, run, s.in[2], to, channels);
  }
};

/// to[j] = (low[j], high[j]) for a tile's 16 columns: how the right operand of a product stands in memory.
inline void tile_pairs(const bfloat16* low, const bfloat16* high, bfloat16* to) {
#pragma omp simd
  for (int j = 0; j < tile_edge; ++j) {
    to[2 * j].bits = low[j].bits;
    to[2 * j + 1].bits = high[j].bits;
  }
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
