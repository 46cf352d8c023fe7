// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolution on a device as a product of matrices that is never laid out: a team gathers tiles of the maps and of the
/// filter into shared memory and multiplies them. The same bytes in each run.
#ifndef COMODAL_ENGINE_DEVICE_CONV3D_TILES_HPP
#define COMODAL_ENGINE_DEVICE_CONV3D_TILES_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/teams.hpp>
#include <comodal/engine/host/conv3d_sizes.hpp>

#include <numeric>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

/// What a tile product computes. `forward` and `backward` have a row per voxel of the result and add over taps and
/// channels; `backward_weights` has a row per tap and input channel and adds over the output's voxels.
enum class tile_product { forward, backward, backward_weights };

/// One axis of the voxels that are computed together, and of the taps that reach them. Behind a stride only every
/// stride-th voxel meets the same taps: such voxels are a class, of one remainder along each axis.
struct tile_axis {
  int rows, scale, shift;         // voxels of the class; row j reads at position j scale + shift + what a tap adds
  int to_scale, to_shift;         // and stands at j to_scale + to_shift
  int taps, first_tap, tap_step;  // the taps of the class
  int first_reach, reach_step;    // what they add to the position
};

/// Four numbers side by side, read at once.
template <class C>
struct alignas(4 * sizeof(C)) tile_quad {
  C v[4];
};

/// Where a row or a term of a sum reads: the sum of two places is a voxel, and an element of the map.
struct tile_place {
  static constexpr int nowhere = -(1 << 30);
  index element, row;  // of the map; of the result, or of the other matrix (-1: none)
  int at[3];
};

/// @tparam Columns output channels of a tile: 16, 32 or 64
template <tile_product Product, class T, class Out, int Columns>
struct conv3d_tile {
  using C = compute_type_t<T>;
  static constexpr bool weights = Product == tile_product::backward_weights;
  static constexpr int rows = 128, depth = sizeof(C) == 8 ? 8 : 16;  // of a tile; terms that are added at a time
  static constexpr int lanes = rows / 8 * (Columns / 4);             // each has 8 rows x 4 columns of the result
  static constexpr int loads = rows * depth / lanes, other_loads = (depth * Columns + lanes - 1) / lanes;
  using quad = tile_quad<C>;

  struct shared {
    tile_axis axes[3];
    tile_place fixed[rows];       // of rows
    tile_place moving[2][depth];  // of terms
    quad map[2][depth][rows / 4 + 1];
    quad other[2][depth][Columns / 4];
  };
  struct own {
    C map[loads], other[other_loads];
    C sums[8][4];
  };

  conv3d_sizes s;
  const T* map;    // the gathered map: x, or backward dy
  const T* other;  // (terms, columns): weights (taps, channels of the map, columns), or dy
  const T* bias;   // per column, or null
  Out* out;
  index row_tiles, column_tiles, slabs;  // slabs: of backward_weights
  int tap_steps[3];                      // from a tap of a class to the next

  conv3d_tile(const conv3d_problem& p, const T* map, const T* other, const T* bias, Out* out, index slabs = 1)
      : s(p), map(map), other(other), bias(bias), out(out), slabs(slabs) {
    index most = weights ? s.taps() * s.ci : s.batch;  // rows of the largest class
    for (int a = 0; a < 3; ++a) {
      tap_steps[a] = static_cast<int>(s.stride[a] / std::gcd(s.stride[a], s.dilation[a]));
      if (!weights) most *= Product == tile_product::forward ? s.out[a] : (s.in[a] + s.stride[a] - 1) / s.stride[a];
    }
    row_tiles = (most + rows - 1) / rows;
    column_tiles = (columns() + Columns - 1) / Columns;
  }
  [[nodiscard]] index teams() const {
    const index classes = Product == tile_product::backward ? s.stride[0] * s.stride[1] * s.stride[2] : 1;
    return (weights ? slabs : classes) * row_tiles * column_tiles;
  }

  KOKKOS_INLINE_FUNCTION index columns() const { return Product == tile_product::backward ? s.ci : s.co; }
  // Of the gathered map.
  KOKKOS_INLINE_FUNCTION index channels() const { return Product == tile_product::backward ? s.co : s.ci; }
  KOKKOS_INLINE_FUNCTION int extent(int a) const {
    return static_cast<int>(Product == tile_product::backward ? s.out[a] : s.in[a]);
  }

  KOKKOS_INLINE_FUNCTION int phases(index team) const {
    index terms = 0;
    if constexpr (weights) {
      terms = last_voxel(slab_of(team)) - first_voxel(slab_of(team));
    } else {
      terms = channels();
      for (int a = 0; a < 3; ++a) terms *= axis_of(a, team).taps;
    }
    return 3 + static_cast<int>((terms + depth - 1) / depth);
  }

  // Axes; places; then loads of one chunk of terms beside products of the one before.
  KOKKOS_INLINE_FUNCTION void phase(int k, index team, int lane, shared& m, own& o) const {
    if (k == 0) {
      if (lane < 3) m.axes[lane] = axis_of(lane, team);
      return;
    }
    const index row_tile = team / column_tiles % row_tiles;
    const int chunks = phases_of(m, team) - 3, chunk = k - 2;
    if (k == 1) {
      for (int i = lane; i < rows; i += lanes) m.fixed[i] = row_place(m, row_tile * rows + i);
      for (int i = 0; i < 8; ++i)
        for (int j = 0; j < 4; ++j) o.sums[i][j] = C(0);
    } else {
      if (chunk < chunks) load(m, chunk, team % column_tiles * Columns, lane, o);
      if (chunk > 0) multiply(m, (chunk - 1) % 2, lane, o);
      if (chunk < chunks) store(m, chunk % 2, lane, o);
    }
    if (chunk + 1 < chunks) {
      for (int i = lane; i < depth; i += lanes)
        m.moving[(chunk + 1) % 2][i] = term_place(m, team, (chunk + 1) * depth + i);
    }
    if (chunk == chunks) write(m, team, lane, o);
  }

 private:
  KOKKOS_INLINE_FUNCTION index slab_of(index team) const { return team / column_tiles / row_tiles; }
  KOKKOS_INLINE_FUNCTION index voxels() const { return s.batch * s.out[0] * s.out[1] * s.out[2]; }
  KOKKOS_INLINE_FUNCTION index first_voxel(index slab) const { return voxels() * slab / slabs; }
  KOKKOS_INLINE_FUNCTION index last_voxel(index slab) const { return voxels() * (slab + 1) / slabs; }

  // As `phases`, of axes that are known.
  KOKKOS_INLINE_FUNCTION int phases_of(const shared& m, index team) const {
    if constexpr (weights) {
      return phases(team);
    } else {
      const index terms = channels() * m.axes[0].taps * m.axes[1].taps * m.axes[2].taps;
      return 3 + static_cast<int>((terms + depth - 1) / depth);
    }
  }

  KOKKOS_INLINE_FUNCTION tile_axis axis_of(int a, index team) const {
    const int stride = static_cast<int>(s.stride[a]), dilation = static_cast<int>(s.dilation[a]),
              pad = static_cast<int>(s.pad[a]), filter = static_cast<int>(s.filter[a]);
    if constexpr (Product != tile_product::backward)
      return {static_cast<int>(s.out[a]), stride, -pad, 1, 0, filter, 0, 1, 0, dilation};
    index of_class = team / column_tiles / row_tiles;  // the remainders of the three axes
    for (int b = 2; b > a; --b) of_class /= s.stride[b];
    const int remainder = static_cast<int>(of_class % stride), in = static_cast<int>(s.in[a]);
    int first = 0;
    while (first < filter && first < tap_steps[a] && (remainder + pad - first * dilation) % stride != 0) ++first;
    const bool reached = first < filter && (remainder + pad - first * dilation) % stride == 0;
    return {(in - remainder + stride - 1) / stride,
            1,
            0,
            stride,
            remainder,
            reached ? (filter - first + tap_steps[a] - 1) / tap_steps[a] : 0,
            first,
            tap_steps[a],
            reached ? (remainder + pad - first * dilation) / stride : 0,
            -(tap_steps[a] * dilation / stride)};
  }

  // Of the elements of the gathered map, which may be outside of it.
  KOKKOS_INLINE_FUNCTION index element(index sample, const int* at, index channel) const {
    index e = sample;
    for (int a = 0; a < 3; ++a) e = e * extent(a) + at[a];
    return e * channels() + channel;
  }
  KOKKOS_INLINE_FUNCTION static tile_place nowhere() {
    return {0, -1, {tile_place::nowhere, tile_place::nowhere, tile_place::nowhere}};
  }

  // Row i of the class: a voxel of the result. Of the gradient of the weights: a tap and an input channel.
  KOKKOS_INLINE_FUNCTION tile_place row_place(const shared& m, index i) const {
    if constexpr (weights)
      return tap_place(i);
    else
      return voxel_place(m, i);
  }
  KOKKOS_INLINE_FUNCTION tile_place voxel_place(const shared& m, index i) const {
    int j[3];
    for (int a = 2; a >= 0; --a) {
      if (m.axes[a].rows <= 0) return nowhere();
      j[a] = static_cast<int>(i % m.axes[a].rows);
      i /= m.axes[a].rows;
    }
    if (i >= s.batch) return nowhere();
    tile_place place{0, i, {}};
    for (int a = 0; a < 3; ++a) {
      place.at[a] = j[a] * m.axes[a].scale + m.axes[a].shift;
      place.row = place.row * (Product == tile_product::backward ? s.in[a] : s.out[a]) + j[a] * m.axes[a].to_scale +
                  m.axes[a].to_shift;
    }
    place.element = element(i, place.at, 0);
    return place;
  }
  KOKKOS_INLINE_FUNCTION tile_place tap_place(index i) const {
    if (i >= s.taps() * s.ci) return nowhere();
    const index tap = i / s.ci;
    tile_place place{0,
                     i,
                     {static_cast<int>(tap / s.filter[2] / s.filter[1] * s.dilation[0]),
                      static_cast<int>(tap / s.filter[2] % s.filter[1] * s.dilation[1]),
                      static_cast<int>(tap % s.filter[2] * s.dilation[2])}};
    place.element = element(0, place.at, i % s.ci);
    return place;
  }
  // Term i of the sums: a tap and a channel of the map, or a voxel of the output.
  KOKKOS_INLINE_FUNCTION tile_place term_place(const shared& m, index team, index i) const {
    tile_place place{0, 0, {}};
    if constexpr (weights) {
      index voxel = first_voxel(slab_of(team)) + i;
      if (voxel >= last_voxel(slab_of(team))) return nowhere();
      place.row = voxel;
      for (int a = 2; a >= 0; --a) {
        place.at[a] = static_cast<int>(voxel % s.out[a]) * m.axes[a].scale + m.axes[a].shift;
        voxel /= s.out[a];
      }
      place.element = element(voxel, place.at, 0);
    } else {
      const index channel = i % channels();
      index t = i / channels(), tap[3];
      for (int a = 2; a >= 0; --a) {
        tap[a] = t % m.axes[a].taps;
        t /= m.axes[a].taps;
        place.at[a] = m.axes[a].first_reach + static_cast<int>(tap[a]) * m.axes[a].reach_step;
      }
      if (t > 0) return nowhere();
      for (int a = 0; a < 3; ++a)
        place.row = place.row * s.filter[a] + m.axes[a].first_tap + tap[a] * m.axes[a].tap_step;
      place.row = place.row * channels() + channel;
      place.element = element(0, place.at, channel);
    }
    return place;
  }

  // The l-th element that a lane loads of a tile of the map: neighbours are neighbours in memory.
  KOKKOS_INLINE_FUNCTION static void which(int lane, int l, int& row, int& term) {
    const int i = lane + l * lanes;
    row = weights ? i % rows : i / depth;
    term = weights ? i / rows : i % depth;
  }

  KOKKOS_INLINE_FUNCTION void load(const shared& m, int chunk, index first_column, int lane, own& o) const {
    const tile_place* const terms = m.moving[chunk % 2];
    const int size[3] = {extent(0), extent(1), extent(2)};
    COMODAL_IMPL_UNROLL
    for (int l = 0; l < loads; ++l) {
      int row = 0, term = 0;
      which(lane, l, row, term);
      const tile_place &a = m.fixed[row], &b = terms[term];
      const int d = a.at[0] + b.at[0], h = a.at[1] + b.at[1], w = a.at[2] + b.at[2];
      const bool inside = d >= 0 && d < size[0] && h >= 0 && h < size[1] && w >= 0 && w < size[2];
      o.map[l] = inside ? C(map[a.element + b.element]) : C(0);
    }
    COMODAL_IMPL_UNROLL
    for (int l = 0; l < other_loads; ++l) {
      const int i = lane + l * lanes;
      const index column = first_column + i % Columns;
      const bool inside = i < depth * Columns && column < columns() && terms[i / Columns % depth].row >= 0;
      o.other[l] = inside ? C(other[terms[i / Columns].row * columns() + column]) : C(0);
    }
  }
  KOKKOS_INLINE_FUNCTION void store(shared& m, int buffer, int lane, const own& o) const {
    COMODAL_IMPL_UNROLL
    for (int l = 0; l < loads; ++l) {
      int row = 0, term = 0;
      which(lane, l, row, term);
      m.map[buffer][term][row / 4].v[row % 4] = o.map[l];
    }
    COMODAL_IMPL_UNROLL
    for (int l = 0; l < other_loads; ++l) {
      const int i = lane + l * lanes;
      if (i < depth * Columns) m.other[buffer][i / Columns][i % Columns / 4].v[i % 4] = o.other[l];
    }
  }

  // A lane's rows are 4 from `4 first` on and 4 half a tile further, so that lanes read neighbouring quads.
  KOKKOS_INLINE_FUNCTION static int row_quad(int lane, int half) { return lane / (Columns / 4) + half * (rows / 8); }
  KOKKOS_INLINE_FUNCTION void multiply(const shared& m, int buffer, int lane, own& o) const {
    COMODAL_IMPL_UNROLL
    for (int t = 0; t < depth; ++t) {
      const quad right = m.other[buffer][t][lane % (Columns / 4)];
      COMODAL_IMPL_UNROLL
      for (int half = 0; half < 2; ++half) {
        const quad left = m.map[buffer][t][row_quad(lane, half)];
        COMODAL_IMPL_UNROLL
        for (int i = 0; i < 4; ++i) COMODAL_IMPL_UNROLL
        for (int j = 0; j < 4; ++j) o.sums[4 * half + i][j] += left.v[i] * right.v[j];
      }
    }
  }

  KOKKOS_INLINE_FUNCTION void write(const shared& m, index team, int lane, const own& o) const {
    const index first = team % column_tiles * Columns + lane % (Columns / 4) * 4;
    Out* const to = weights ? out + slab_of(team) * s.taps() * s.ci * s.co : out;
    COMODAL_IMPL_UNROLL
    for (int i = 0; i < 8; ++i) {
      const index row = m.fixed[4 * row_quad(lane, i / 4) + i % 4].row;
      if (row < 0) continue;
      COMODAL_IMPL_UNROLL
      for (int j = 0; j < 4; ++j)
        if (first + j < columns()) {
          const C sum = bias ? o.sums[i][j] + C(bias[first + j]) : o.sums[i][j];
          to[row * columns() + first + j] = static_cast<Out>(sum);
        }
    }
  }
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
