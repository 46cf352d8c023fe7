// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolutions of bfloat16 on tile registers, forward (and gradients of inputs, as convolutions with flipped weights).
/// The taps along a row and their channels lie side by side in memory: of every (kd, kh), they are one product of (16
/// voxels, taps x channels) and (taps x channels, 16 output channels), 32 of its inner dimension at a time. Sums are
/// floats, in an order that the sizes alone decide.
#ifndef COMODAL_ENGINE_AMX_CONV3D_HPP
#define COMODAL_ENGINE_AMX_CONV3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/amx/blocks.hpp>

#include <utility>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// Products of one (kd, kh), each 32 long, and elements of their weights.
[[nodiscard]] inline index tile_steps(const conv3d_sizes& s) { return (s.filter[2] * s.ci + 31) / 32; }
inline constexpr index tile_elements = tile_edge * 2 * tile_edge;

// The weights as tiles: (16 output channels, kd, kh, steps), each (16 pairs, 16 channels, 2), zeros behind the last of
// both. A task is one (16 output channels, kd, kh).
template <weight_order Order>
struct tile_pack_task {
  conv3d_sizes s;
  const bfloat16* w;
  bfloat16* packed;
  void operator()(index task) const {
    const index steps = tile_steps(s), first = task / (s.filter[0] * s.filter[1]) * tile_edge,
                row = task % (s.filter[0] * s.filter[1]) * s.filter[2];
    const index valid = std::min(tile_edge, s.co - first);
    bfloat16* to = packed + task * steps * tile_elements;
    const auto line = [&](index i, bfloat16* values) {
      const index kw = i / s.ci, k = i % s.ci;
      for (index j = 0; j < valid; ++j)
        values[j] = kw < s.filter[2] ? w[weight_at<Order>(s, row + kw, k, first + j)] : bfloat16::from_bits(0);
    };
    bfloat16 low[tile_edge] = {}, high[tile_edge] = {};
    for (index i = 0; i < 32 * steps; i += 2, to += 2 * tile_edge) {
      line(i, low);
      line(i + 1, high);
      tile_pairs(low, high, to);
    }
  }
};

inline constexpr int tile_sums = 4;  // tiles of 16 voxels that are summed at a time

// Tiles [0, Sums) += products of `steps` steps: voxels `voxel` elements apart, from `in` on, times the weights from `w`
// on.
template <class Tiles, int Sums>
void tile_products(const bfloat16* in, index voxel, const bfloat16* w, index steps) {
  const auto step = [&]<int Weights>(std::integral_constant<int, Weights>, index k) {
    Tiles::template load<Weights>(w + k * tile_elements, tile_bytes);
    [&]<int... Sum>(std::integer_sequence<int, Sum...>) {
      ((Tiles::template load<4 + Sum % 2>(in + Sum * tile_edge * voxel + k * 32, 2 * voxel),
        Tiles::template multiply<Sum, 4 + Sum % 2, Weights>()),
       ...);
    }(std::make_integer_sequence<int, Sums>{});
  };
  index k = 0;
  for (; k + 2 <= steps; k += 2) {
    step(std::integral_constant<int, 6>{}, k);
    step(std::integral_constant<int, 7>{}, k + 1);
  }
  if (k < steps) step(std::integral_constant<int, 6>{}, k);
}

// One block of outputs, by one thread.
template <class Tiles>
struct tile_block_task {
  conv3d_sizes s;
  tile_blocks blocks;
  tile_source source;
  const bfloat16 *packed, *bias;  // packed: (16 output channels, outputs of a voxel, ...)
  bfloat16* y;
  extent3 factor;     // outputs of a voxel along each axis, with weights of their own
  bfloat16* scratch;  // of each worker

  // Elements behind the voxels of a block that its last tile reads; and of the scratch memory of a block.
  [[nodiscard]] index behind() const { return tile_edge * s.ci + 32; }
  [[nodiscard]] index scratch_elements() const {
    return (tile_block(s, blocks, 0, 0).voxels() * s.ci + behind() + 31) / 32 * 32;
  }

  void operator()(index worker, index block) const {
    const tile_block at(s, blocks, block, 0);
    bfloat16* const in = scratch + worker * scratch_elements();
    source.load(s, at, s.ci, behind(), in);
    Tiles::configure(tile_shapes());
    const index last = at.span(s);
    for (index d = at.d0; d < at.d1; ++d) {
      index q = 0;
      for (; q + (tile_sums - 1) * tile_edge < last; q += tile_sums * tile_edge) voxels<tile_sums>(at, in, d, q);
      if (q + tile_edge < last) voxels<2>(at, in, d, q), q += 2 * tile_edge;
      if (q < last) voxels<1>(at, in, d, q);
    }
    Tiles::release();
  }

 private:
  // All outputs of voxels [q, q + 16 Sums) of plane d.
  template <int Sums>
  void voxels(const tile_block& at, const bfloat16* in, index d, index q) const {
    const index outputs = factor[0] * factor[1] * factor[2], steps = tile_steps(s);
    const index first = std::max<index>(0, s.pad[0] - d), last = std::min(s.filter[0], s.in[0] + s.pad[0] - d);
    const bfloat16* w = packed;
    alignas(64) float sums[tile_sums * tile_edge][tile_edge];
    for (index block = 0; block < tiles_of(s.co) * outputs;
         ++block, w += s.filter[0] * s.filter[1] * steps * tile_elements) {
      [&]<int... Sum>(std::integer_sequence<int, Sum...>) {
        (Tiles::template zero<Sum>(), ...);
      }(std::make_integer_sequence<int, Sums>{});
      for (index kd = first; kd < last; ++kd)
        for (index kh = 0; kh < s.filter[1]; ++kh)
          tile_products<Tiles, Sums>(in + ((d - at.d0 + kd) * at.plane + kh * at.width + q) * s.ci, s.ci,
                                     w + (kd * s.filter[1] + kh) * steps * tile_elements, steps);
      [&]<int... Sum>(std::integer_sequence<int, Sum...>) {
        (Tiles::template store<Sum>(sums[Sum * tile_edge], tile_bytes), ...);
      }(std::make_integer_sequence<int, Sums>{});
      write(at, d, q, Sums * tile_edge, block % outputs, block / outputs * tile_edge, sums);
    }
  }

  void write(const tile_block& at, index d, index q, index count, index tap, index c,
             const float (*sums)[tile_edge]) const {
    const index kw = tap % factor[2], kh = tap / factor[2] % factor[1], kd = tap / factor[2] / factor[1],
                pitch = s.out_pitch * factor[2];
    const index valid = std::min(tile_edge, s.co - c);
    float own[tile_edge] = {};
    for (index j = 0; bias && j < valid; ++j) own[j] = bias[c + j];
    for (index i = 0; i < count;) {
      const index h = at.h0 + (q + i) / at.width, w = (q + i) % at.width;
      if (h >= at.h1) return;
      if (w >= s.out[2]) {  // columns of padding
        i += at.width - w;
        continue;
      }
      const index end = std::min(i + s.out[2] - w, count);
      const index row = ((at.n * s.out[0] + d) * factor[0] + kd) * s.out[1] * factor[1] + h * factor[1] + kh;
      bfloat16* out = y + (row * s.out[2] * factor[2] + w * factor[2] + kw) * s.out_pitch + c;
      in_lanes(valid, [&](index j, auto lanes) { write_run<lanes()>(sums[i] + j, own + j, end - i, out + j, pitch); });
      i = end;
    }
  }

  // out (count voxels `pitch` apart, `Lanes` channels) = sums (count, tile_edge) + bias
  template <int Lanes>
  static void write_run(const float* sums, const float* bias, index count, bfloat16* out, index pitch) {
    for (index i = 0; i < count; ++i, sums += tile_edge, out += pitch) {
      if constexpr (Lanes >= 8)
        Tiles::template round<Lanes>(sums, bias, out);
      else
        for (int l = 0; l < Lanes; ++l) out[l] = stored<bfloat16>(sums[l] + bias[l]);
    }
  }
};

// Blocks whose inputs stay in the second cache, by cycles: a product takes 16, and the inputs are copied 16 bytes at a
// time.
[[nodiscard]] inline tile_blocks blocks_of_tiles(const conv3d_sizes& s, index outputs) {
  constexpr index most = 256 * 1024;  // elements
  const index products = outputs * s.filter[0] * s.filter[1] * tile_steps(s) * tiles_of(s.co);
  return {s, [&](index d, index r) {
            const index inputs = (d + s.filter[0] - 1) * padded_plane(s, r, 0) * s.ci;
            if (inputs > most) return -1.0;
            return static_cast<double>(products * 16 * tiles_of(output_span(s, r))) / static_cast<double>(r) +
                   static_cast<double>(inputs) / static_cast<double>(8 * d * r);
          }};
}

/// y (N, D, H, W, out) = the convolution of `source`, stride 1 and zero padding of half the filter, with the weights w
/// in `Order`.
/// @param bias (out) or null
/// @param weights the convolution as the weights tell it: `s`; with filter (1, 1, taps) where the source brings taps
/// together; with filter (outputs, 1, 1)
///        where a voxel has outputs with weights of their own, @param factor along each axis
template <class Tiles, weight_order Order, class Context>
void tile_conv3d(Context& ctx, const conv3d_sizes& s, const conv3d_sizes& weights, const tile_source& source,
                 const extent3& factor, const bfloat16* w, const bfloat16* bias, bfloat16* y) {
  const index packs = tiles_of(weights.co) * weights.filter[0] * weights.filter[1];
  auto packed = ctx.template make_of<bfloat16>({packs * tile_steps(weights) * tile_elements});
  for_tasks(ctx.space(), packs, tile_pack_task<Order>{weights, w, packed.data()});
  tile_block_task<Tiles> task{
      s, blocks_of_tiles(s, factor[0] * factor[1] * factor[2]), source, packed.data(), bias, y, factor, nullptr};
  auto scratch = ctx.template make_of<bfloat16>({host_workers(), task.scratch_elements()});
  task.scratch = scratch.data();
  for_worker_tasks(task.blocks.count(s), task);
}
template <class Tiles, weight_order Order, class Context>
void tile_conv3d(Context& ctx, const conv3d_sizes& s, const tile_source& source, const bfloat16* w,
                 const bfloat16* bias, bfloat16* y) {
  tile_conv3d<Tiles, Order>(ctx, s, s, source, {1, 1, 1}, w, bias, y);
}

/// Transposed convolution with filter = stride: from every input, convolutions of single taps to its outputs. x, w and
/// y have the shapes that `transposed_conv3d` says. @param bias (out) or null
template <class Tiles, class Context>
void tile_conv_transpose3d(Context& ctx, const transposed_conv3d& p, const bfloat16* x, const bfloat16* w,
                           const bfloat16* bias, bfloat16* y) {
  const conv3d_sizes s(conv3d_problem(p.batch, p.input, p.in_channels, p.out_channels, {1, 1, 1}));
  conv3d_sizes weights = s;
  weights.filter[0] = p.taps();
  tile_conv3d<Tiles, weight_order::plain>(ctx, s, weights, {{{x, p.in_channels, nullptr}}}, p.factor, w, bias, y);
}

/// The way back from the outputs of a transposed convolution: a convolution of single taps, whose source brings all
/// outputs of an input together.
struct tile_way_back {
  conv3d_sizes s, weights;
  tile_source source;

  // @param p a problem that `conv3d_problem::transposed` makes
  tile_way_back(const conv3d_problem& p, const bfloat16* dy)
      : s(conv3d_problem(p.batch, p.output(), p.taps() * p.in_channels, p.out_channels, {1, 1, 1})),
        weights(p),
        source{{{dy, p.in_channels, nullptr}}, 1, p.filter} {
    weights.filter[2] = weights.taps();
    weights.filter[0] = weights.filter[1] = 1;
  }
};

/// dx = the gradient of a transposed convolution with filter = stride with respect to x, from dy and w.
template <class Tiles, class Context>
void tile_conv_transpose3d_data(Context& ctx, const conv3d_problem& p, const bfloat16* dy, const bfloat16* w,
                                bfloat16* dx) {
  const tile_way_back back(p, dy);
  tile_conv3d<Tiles, weight_order::transposed>(ctx, back.s, back.weights, back.source, {1, 1, 1}, w, nullptr, dx);
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
