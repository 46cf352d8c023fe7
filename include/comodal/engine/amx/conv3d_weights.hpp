// SPDX-License-Identifier: Apache-2.0
/// @file
/// Gradients of the weights of bfloat16 convolutions on tile registers: for every tap, (output channels, voxels) times
/// (voxels, input channels). The gradient of the outputs is transposed once; of the inputs, every voxel stands beside
/// its right neighbour, so that a tap of any distance finds its pairs of voxels ready. Sums are floats, in an order
/// that the sizes alone decide.
#ifndef COMODAL_ENGINE_AMX_CONV3D_WEIGHTS_HPP
#define COMODAL_ENGINE_AMX_CONV3D_WEIGHTS_HPP

#include <comodal/engine/amx/conv3d.hpp>

#if defined(__AVX2__) && !defined(__NVCC__)
#include <immintrin.h>
#endif

#include <utility>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// to (8 channels, 16 voxels; channels `pitch` apart) = the transpose of from (16 voxels, 8 channels; voxels `voxel`
// apart).
inline void tile_transpose(const bfloat16* from, index voxel, bfloat16* to, index pitch) {
#if defined(__AVX2__) && !defined(__NVCC__)
  __m256i a[8], b[8];  // voxel i below, i + 8 above; 8 channels
  for (int i = 0; i < 8; ++i) {
    const auto load = [&](int v) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + v * voxel)); };
    a[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(load(i)), load(i + 8), 1);
  }
  for (int i = 0; i < 4; ++i) {  // of two voxels: channels 0 to 3, and 4 to 7
    b[2 * i] = _mm256_unpacklo_epi16(a[2 * i], a[2 * i + 1]);
    b[2 * i + 1] = _mm256_unpackhi_epi16(a[2 * i], a[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i)  // of four voxels: channels 0 and 1, 2 and 3, ...
    for (int k = 0; k < 2; ++k) {
      a[4 * i + 2 * k] = _mm256_unpacklo_epi32(b[4 * i + k], b[4 * i + 2 + k]);
      a[4 * i + 2 * k + 1] = _mm256_unpackhi_epi32(b[4 * i + k], b[4 * i + 2 + k]);
    }
  for (int k = 0; k < 4; ++k) {
    const auto store = [&](int c, __m256i values) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + c * pitch), values);
    };
    store(2 * k, _mm256_unpacklo_epi64(a[k], a[4 + k]));
    store(2 * k + 1, _mm256_unpackhi_epi64(a[k], a[4 + k]));
  }
#else
  for (index c = 0; c < 8; ++c)
    for (index v = 0; v < tile_edge; ++v) to[c * pitch + v] = from[v * voxel + c];
#endif
}

inline constexpr int taps_at_once = 5;  // taps that are summed at a time

// Tiles [0, Taps) of sums (16, 16 floats each) += `steps` products of 32 voxels: dy (16 channels, voxels, `pitch` bytes
// apart) times the pairs of each tap.
template <class Tiles, int Taps>
void tile_gradients(const bfloat16* dy, index pitch, const bfloat16* const* pairs, index steps, float* const* sums) {
  const auto each = [](const auto& body) {
    [&]<int... Tap>(std::integer_sequence<int, Tap...>) {
      (body(std::integral_constant<int, Tap>{}), ...);
    }(std::make_integer_sequence<int, Taps>{});
  };
  each([&](auto tap) { Tiles::template load<tap()>(sums[tap()], tile_bytes); });
  for (index k = 0; k < steps; ++k) {
    Tiles::template load<5>(dy + k * 32, pitch);
    each([&](auto tap) {
      constexpr int right = 6 + tap() % 2;
      Tiles::template load<right>(pairs[tap()] + k * 32 * 2 * tile_edge, 2 * tile_bytes);
      Tiles::template multiply<tap(), 5, right>();
    });
  }
  each([&](auto tap) { Tiles::template store<tap()>(sums[tap()], tile_bytes); });
}

// Planes whose pairs of voxels (64 bytes of 16 channels) one run of products goes through: they stay in the first
// cache.
inline constexpr index most_pairs = 512;
inline constexpr index pairs_gap =
    31;  // a run's last product may reach as far behind the last output of its last plane
[[nodiscard]] constexpr index planes_of_run(index plane) { return std::max<index>(1, most_pairs / plane); }

// Blocks whose pairs stay in the second cache, by cycles: a product takes 16, reading and writing a tile of sums 24,
// and an input is copied, paired and read.
[[nodiscard]] inline tile_blocks blocks_of_gradients(const conv3d_sizes& s) {
  constexpr index most = 16 * 1024;  // pairs
  const index products = s.taps() * tiles_of(s.ci) * tiles_of(s.co);
  return {s, [&](index d, index r) {
            const index plane = padded_plane(s, r, pairs_gap), inputs = (d + s.filter[0] - 1) * plane * tiles_of(s.ci),
                        planes = std::min(d, planes_of_run(plane));
            if (inputs > most || (plane > most_pairs && r > 1)) return -1.0;
            const index steps = tile_blocks::pieces((planes - 1) * plane + output_span(s, r), 32);
            return static_cast<double>(products * (16 * steps + 24)) / static_cast<double>(planes * r) +
                   static_cast<double>(8 * inputs) / static_cast<double>(d * r);
          }};
}

// One slab of the gradient, which is some blocks, in order, or one of the groups of output channels that its sums fall
// into where there are at least twice as many workers as slabs (each group loads the slab's inputs for itself). Its
// sums are tiles (16 output channels, 16 input channels, taps).
template <class Tiles>
struct tile_gradient_task {
  conv3d_sizes s;
  tile_blocks blocks;
  tile_source source;
  const bfloat16* dy;
  bfloat16* scratch;  // of each worker
  float* sums;
  index slabs, groups;

  [[nodiscard]] index in_channels() const { return tiles_of(s.ci) * tile_edge; }
  [[nodiscard]] index sum_elements() const {
    return tiles_of(s.co) * tiles_of(s.ci) * s.taps() * tile_edge * tile_edge;
  }
  static constexpr index behind = 32;  // voxels behind a block that its last products read; their gradients are 0
  // Voxels between two channels of transposed gradients: an odd number of cache lines.
  [[nodiscard]] static index gradient_pitch(const tile_block& at) {
    return (((at.d1 - at.d0) * at.plane + 32) / 32 | 1) * 32;
  }
  [[nodiscard]] index pair_voxels(const tile_block& at) const { return at.voxels() + behind; }
  [[nodiscard]] index scratch_elements() const {
    const tile_block at(s, blocks, 0, pairs_gap);
    return tiles_of(s.co) * tile_edge * gradient_pitch(at) + 2 * in_channels() * pair_voxels(at) +
           (in_channels() * (pair_voxels(at) + 1) + 31) / 32 * 32;
  }

  void operator()(index worker, index task) const {
    const index slab = task / groups, group = task % groups, tiles = tiles_of(s.co),
                a_tile = tiles_of(s.ci) * s.taps() * tile_edge * tile_edge;
    const span outputs{tiles * group / groups, tiles * (group + 1) / groups};
    float* const own = sums + slab * sum_elements();
    std::fill_n(own + outputs.first * a_tile, (outputs.last - outputs.first) * a_tile, 0.0F);
    Tiles::configure(tile_shapes());
    const index count = blocks.count(s);
    for (index block = count * slab / slabs; block < count * (slab + 1) / slabs; ++block)
      add(tile_block(s, blocks, block, pairs_gap), outputs, scratch + worker * scratch_elements(), own);
    Tiles::release();
  }

 private:
  struct span {
    index first, last;  // tiles of output channels
  };

  void add(const tile_block& at, const span& outputs, bfloat16* memory, float* own) const {
    bfloat16* const gradients = memory;
    bfloat16* const pairs = gradients + tiles_of(s.co) * tile_edge * gradient_pitch(at);
    bfloat16* const in = pairs + 2 * in_channels() * pair_voxels(at);
    source.load(s, at, in_channels(), in_channels() * (behind + 1), in);
    for (index c = 0; c < in_channels(); c += tile_edge)
      for (index q = 0; q < pair_voxels(at); ++q)
        tile_pairs(in + q * in_channels() + c, in + (q + 1) * in_channels() + c,
                   pairs + (c * pair_voxels(at) + q * tile_edge) * 2);
    transpose(at, outputs, gradients);
    const index planes = planes_of_run(at.plane);
    for (index d = at.d0; d < at.d1; d += planes)
      for (index co = outputs.first; co < outputs.last; ++co)
        for (index ci = 0; ci < tiles_of(s.ci); ++ci)
          for (index kd = 0; kd < s.filter[0]; ++kd) {
            const index first = std::max(d, s.pad[0] - kd),
                        last = std::min({d + planes, at.d1, s.in[0] + s.pad[0] - kd});
            if (first >= last) continue;
            run(at, gradients + co * tile_edge * gradient_pitch(at) + (first - at.d0) * at.plane,
                pairs + (ci * pair_voxels(at) + (first - at.d0 + kd) * at.plane) * 2 * tile_edge,
                (last - first - 1) * at.plane + at.span(s),
                own + ((co * tiles_of(s.ci) + ci) * s.taps() + kd * s.filter[1] * s.filter[2]) * tile_edge * tile_edge);
          }
  }

  // Gradients of the outputs as (co, voxels of the block), zeros where a voxel is no output.
  void transpose(const tile_block& at, const span& outputs, bfloat16* to) const {
    const index pitch = gradient_pitch(at), c0 = outputs.first * tile_edge,
                c1 = std::min(outputs.last * tile_edge, s.co);
    std::fill_n(to + c0 * pitch, (outputs.last - outputs.first) * tile_edge * pitch, bfloat16::from_bits(0));
    for (index d = at.d0; d < at.d1; ++d)
      for (index h = at.h0; h < at.h1; ++h) {
        const bfloat16* const row = dy + ((at.n * s.out[0] + d) * s.out[1] + h) * s.out[2] * s.co;
        bfloat16* const line = to + (d - at.d0) * at.plane + (h - at.h0) * at.width;
        for (index w = 0; w < s.out[2];
             w += tile_edge)  // zeros behind a row may be written into the next, which comes later
          for (index c = c0; c < c1; c += 8) {
            const index voxels = std::min(tile_edge, s.out[2] - w), channels = std::min<index>(8, c1 - c);
            if (voxels == tile_edge && channels == 8) {
              tile_transpose(row + w * s.co + c, s.co, line + c * pitch + w, pitch);
              continue;
            }
            bfloat16 edge[tile_edge * 8] = {};
            copy_channels(row + w * s.co + c, s.co, channels, voxels, edge, 8);
            tile_transpose(edge, 8, line + c * pitch + w, pitch);
          }
      }
  }

  // Adds the taps of one kd, over voxels [0, count).
  void run(const tile_block& at, const bfloat16* gradients, const bfloat16* pairs, index count, float* own) const {
    const index taps = s.filter[1] * s.filter[2], groups = tile_blocks::pieces(taps, taps_at_once),
                steps = tile_blocks::pieces(count, 32);
    for (index g = 0; g < groups; ++g) {
      const bfloat16* from[taps_at_once];
      float* to[taps_at_once];
      const index first = taps * g / groups, some = taps * (g + 1) / groups - first;
      for (index t = first; t < first + some; ++t) {
        from[t - first] = pairs + (t / s.filter[2] * at.width + t % s.filter[2]) * 2 * tile_edge;
        to[t - first] = own + t * tile_edge * tile_edge;
      }
      const auto sum = [&]<int... Less>(std::integer_sequence<int, Less...>) {
        ((some == Less + 1 ? tile_gradients<Tiles, Less + 1>(gradients, 2 * gradient_pitch(at), from, steps, to)
                           : void()),
         ...);
      };
      sum(std::make_integer_sequence<int, taps_at_once>{});
    }
  }
};

// dw = the slabs' sums, added in order and rounded once, as the weights stand in `Order`. A task is 16 x 16 weights of
// a tap.
template <weight_order Order>
struct tile_gradient_sum_task {
  conv3d_sizes s, weights;
  const float* sums;
  index slabs, slab_elements;
  bfloat16* dw;

  void operator()(index task) const {
    const index tap = task % s.taps(), ci = task / s.taps() % tiles_of(s.ci) * tile_edge,
                co = task / s.taps() / tiles_of(s.ci) * tile_edge;
    constexpr index size = tile_edge * tile_edge;
    float total[size] = {};
    for (index slab = 0; slab < slabs; ++slab)
#pragma omp simd
      for (index i = 0; i < size; ++i) total[i] += sums[slab * slab_elements + task * size + i];
    for (index k = 0; k < std::min(tile_edge, s.ci - ci); ++k)
      for (index c = 0; c < std::min(tile_edge, s.co - co); ++c)
        dw[weight_at<Order>(weights, tap + (ci + k) / weights.ci, (ci + k) % weights.ci, co + c)] =
            stored<bfloat16>(total[c * tile_edge + k]);
  }
};

/// dw, in `Order`, = the gradient of the weights of a convolution of `source`, stride 1, from dy (N, D, H, W, out).
/// @param weights as of `tile_conv3d`
template <class Tiles, weight_order Order, class Context>
void tile_conv3d_weights(Context& ctx, const conv3d_sizes& s, const conv3d_sizes& weights, const tile_source& source,
                         const bfloat16* dy, bfloat16* dw) {
  tile_gradient_task<Tiles> task{s, blocks_of_gradients(s), source, dy, nullptr, nullptr, 1, 1};
  const index size = task.sum_elements();
  task.slabs = std::min(gradient_slabs(size), task.blocks.count(s));
  task.groups = std::clamp<index>(host_workers() / task.slabs, 1, tiles_of(s.co));
  auto sums = ctx.template make_of<float>({task.slabs, size});
  auto scratch = ctx.template make_of<bfloat16>({host_workers(), task.scratch_elements()});
  task.sums = sums.data();
  task.scratch = scratch.data();
  for_worker_tasks(task.slabs * task.groups, task);
  for_tasks(ctx.space(), size / (tile_edge * tile_edge),
            tile_gradient_sum_task<Order>{s, weights, sums.data(), task.slabs, size, dw});
}

/// dw = the gradient of the weights of a transposed convolution with filter = stride.
template <class Tiles, class Context>
void tile_conv_transpose3d_weights(Context& ctx, const conv3d_problem& p, const bfloat16* x, const bfloat16* dy,
                                   bfloat16* dw) {
  const tile_way_back back(p, dy);
  tile_conv3d_weights<Tiles, weight_order::transposed>(ctx, back.s, back.weights, back.source, x, dw);
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
