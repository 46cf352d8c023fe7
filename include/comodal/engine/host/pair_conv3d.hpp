// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolutions with single taps and transposed convolutions by pairs of bfloat16 (pair_products.hpp), forward and both
/// gradients. Maps side by side are read where they are. The same bytes for any number of threads: weight gradients are
/// sums of fixed slabs.
#ifndef COMODAL_ENGINE_HOST_PAIR_CONV3D_HPP
#define COMODAL_ENGINE_HOST_PAIR_CONV3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/host/conv3d_sizes.hpp>
#include <comodal/engine/host/pair_products.hpp>
#include <comodal/engine/host/transposed_converted.hpp>
#include <comodal/engine/loops/rearrange.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

/// The most taps of a transposed convolution that these kernels take.
inline constexpr index most_pair_taps = 64;

/// True for what these kernels compute: channels that are summed over must be even in number.
[[nodiscard]] inline bool pairs_serve(const conv3d_problem& p, direction d) {
  if constexpr (!pairs_compiled) return false;
  const bool weights = d == direction::backward_weights;
  if (p.is_blocks())  // its forward direction sums over the channels of the larger map
    return p.taps() <= most_pair_taps &&
           (weights || (d == direction::forward ? p.in_channels : p.out_channels) % 2 == 0);
  if (p.taps() != 1 || p.is_strided() || !p.keeps_size() || p.layout != filter_layout::in_out) return false;
  if (weights) return true;
  if (d == direction::backward) return p.out_channels % 2 == 0;
  if (p.part_count == 1) return p.in_channels % 2 == 0;
  return std::all_of(p.parts.begin(), p.parts.end(), [](index channels) { return channels % 2 == 0; });
}

#if defined(COMODAL_HAS_PAIR_PRODUCTS)

// Weights (taps, in, out) as the products of one tap read them: summed over the rows [first, first + channels) if
// `along_rows`, else over the columns, with those rows as outputs.
struct pack_pairs_task {
  const bfloat16* w;
  index rows, columns;  // of a tap
  index first, channels, outputs;
  bool along_rows;
  bfloat16* packed;  // (taps, packed_pairs(channels, outputs))
  void operator()(index task) const {
    const index tap = task / pair_blocks(outputs);
    const bfloat16* const from = w + tap * rows * columns;
    pack_pairs(
        channels, outputs, task % pair_blocks(outputs),
        [&](index k, index j) {
          return along_rows ? from[(first + k) * columns + j] : from[(first + j) * columns + k];
        },
        packed + tap * packed_pairs(channels, outputs));
  }
};

// Some voxels of a convolution with a single tap.
struct pair_points_task {
  static constexpr index grain = 512;
  pair_source sources[most_parts];
  int count;
  index voxels, outputs;
  const float* bias;  // blocks of 16
  bfloat16* y;
  void operator()(index task) const {
    const index first = task * grain;
    pair_source own[most_parts];
    for (int i = 0; i < count; ++i) {
      own[i] = sources[i];
      own[i].x += first * own[i].pitch;
    }
    pair_line(own, count, std::min(grain, voxels - first), outputs, bias, y + first * outputs, outputs);
  }
};

// A row of inputs of a transposed convolution: all of its outputs, or its gradient from theirs.
struct pair_blocks_task {
  conv_transpose3d_sizes s;
  const bfloat16 *in, *packed;  // packed: of each tap
  const float* bias;
  bfloat16* out;
  bool back;

  void operator()(index row) const {
    const index taps = s.taps(), step = back ? packed_pairs(s.co, s.ci) : packed_pairs(s.ci, s.co);
    pair_source sources[most_pair_taps];
    for (index tap = 0; tap < taps; ++tap) {
      const index kw = tap % s.factor[2], kh = tap / s.factor[2] % s.factor[1], kd = tap / s.factor[2] / s.factor[1];
      const index large = (s.output_row(row, kd, kh) + kw) * s.co, small = row * s.in[2] * s.ci;
      if (back) {
        sources[tap] = {in + large, s.factor[2] * s.co, s.co, packed + tap * step};
      } else {
        const pair_source one{in + small, s.ci, s.ci, packed + tap * step};
        pair_line(&one, 1, s.in[2], s.co, bias, out + large, s.factor[2] * s.co);
      }
    }
    if (back) pair_line(sources, static_cast<int>(taps), s.in[2], s.ci, bias, out + row * s.in[2] * s.ci, s.ci);
  }
};

// A slab of the weight gradient: rows of voxels of the maps, some at a time paired up in a worker's scratch memory.
struct pair_gradient_task {
  conv_transpose3d_sizes s;  // with factor 1 a convolution with a single tap
  channel_part<const bfloat16> parts[most_parts];
  int count;
  const bfloat16* dy;
  index rows, slabs;
  std::uint32_t* scratch;  // of each worker
  float* partial;          // (slabs, taps, in, out)

  [[nodiscard]] index pairs_of_row() const { return (s.in[2] + 1) / 2; }
  [[nodiscard]] index rows_at_once() const { return std::max<index>(1, 128 / s.in[2]); }
  // The last tile of 16 channels may read beyond the last pair.
  [[nodiscard]] index elements(index channels) const {
    return rows_at_once() * pairs_of_row() * pair_pitch(channels) + pair_lanes;
  }
  [[nodiscard]] index scratch_elements() const { return elements(s.ci) + elements(s.co); }

  void operator()(index worker, index slab) const {
    const index size = s.taps() * s.ci * s.co, last = rows * (slab + 1) / slabs;
    std::fill_n(partial + slab * size, size, 0.f);
    for (index row = rows * slab / slabs; row < last; row += rows_at_once())
      some_rows(row, std::min(row + rows_at_once(), last), scratch + worker * scratch_elements(),
                partial + slab * size);
  }

 private:
  void some_rows(index first, index last, std::uint32_t* a, float* dw) const {
    const index pairs = (last - first) * pairs_of_row();
    std::uint32_t* const b = a + elements(s.ci);
    for (index row = first; row < last; ++row) {
      std::uint32_t* to = a + (row - first) * pairs_of_row() * pair_pitch(s.ci);
      for (int i = 0; i < count; to += parts[i++].channels)
        pair_up(parts[i].data + row * s.in[2] * parts[i].channels, parts[i].channels, parts[i].channels, s.in[2], to,
                pair_pitch(s.ci));
    }
    for (index tap = 0; tap < s.taps(); ++tap) {
      const index kw = tap % s.factor[2], kh = tap / s.factor[2] % s.factor[1], kd = tap / s.factor[2] / s.factor[1];
      for (index row = first; row < last; ++row)
        pair_up(dy + (s.output_row(row, kd, kh) + kw) * s.co, s.factor[2] * s.co, s.co, s.in[2],
                b + (row - first) * pairs_of_row() * pair_pitch(s.co), pair_pitch(s.co));
      pair_outer_sum(a, s.ci, b, s.co, pairs, dw + tap * s.ci * s.co);
    }
  }
};

// The problem must be one that `pairs_serve`.
template <class Context>
struct pair_conv3d {
  using arguments = conv3d_problem::arguments<bfloat16>;

  static void run(Context& ctx, const conv3d_problem& p, direction d, const arguments& a) {
    if (d == direction::backward_weights) return weights(ctx, p, a);
    if (p.is_blocks()) return blocks(ctx, p, d, a);
    if (d == direction::forward) return points(ctx, p, a);
    index first = 0;
    for (const auto& part : a.maps()) {
      if (part.data) points_back(ctx, p, a, first, part);
      first += part.channels;
    }
  }

 private:
  // Of all blocks of channels: the bias, or 0.
  static void widen_bias(const bfloat16* bias, index channels, float* to) {
    std::fill_n(to, pair_blocks(channels) * pair_lanes, 0.f);
    for (index c = 0; bias && c < channels; ++c) to[c] = bias[c];
  }

  static void points(Context& ctx, const conv3d_problem& p, const arguments& a) {
    const index voxels = p.output_shape().product(0, 4);
    auto packed = ctx.template make_of<bfloat16>({packed_pairs(p.in_channels, p.out_channels)});
    auto bias = ctx.template make_of<float>({pair_blocks(p.out_channels) * pair_lanes});
    widen_bias(a.bias, p.out_channels, bias.data());
    pair_points_task task{{}, a.parts, voxels, p.out_channels, bias.data(), a.y};
    bfloat16* to = packed.data();
    index first = 0;
    for (std::size_t i = 0; i < a.maps().size(); ++i) {
      const index channels = a.x[i].channels;
      for_tasks(ctx.space(), pair_blocks(p.out_channels),
                pack_pairs_task{a.w, p.in_channels, p.out_channels, first, channels, p.out_channels, true, to});
      task.sources[i] = {a.x[i].data, channels, channels, to};
      to += packed_pairs(channels, p.out_channels);
      first += channels;
    }
    for_tasks(ctx.space(), (voxels + task.grain - 1) / task.grain, task);
  }

  static void points_back(Context& ctx, const conv3d_problem& p, const arguments& a, index first,
                          const channel_part<bfloat16>& part) {
    const index voxels = p.output_shape().product(0, 4);
    auto packed = ctx.template make_of<bfloat16>({packed_pairs(p.out_channels, part.channels)});
    auto bias = ctx.template make_of<float>({pair_blocks(part.channels) * pair_lanes});
    widen_bias(nullptr, part.channels, bias.data());
    for_tasks(ctx.space(), pair_blocks(part.channels),
              pack_pairs_task{a.w, p.in_channels, p.out_channels, first, p.out_channels, part.channels, false,
                              packed.data()});
    pair_points_task task{
        {{a.y, p.out_channels, p.out_channels, packed.data()}}, 1, voxels, part.channels, bias.data(), part.data};
    for_tasks(ctx.space(), (voxels + task.grain - 1) / task.grain, task);
  }

  // The problem's forward direction is the gradient of the transposed convolution's input.
  static void blocks(Context& ctx, const conv3d_problem& p, direction d, const arguments& a) {
    bfloat16* const large = a.x[0].data;
    if (!large) return;  // a gradient that nobody wants
    const transposed_conv3d sizes(p);
    const conv_transpose3d_sizes s(sizes);
    const bool back = d == direction::forward;
    const index channels = back ? s.co : s.ci, outputs = back ? s.ci : s.co;
    auto packed = ctx.template make_of<bfloat16>({s.taps() * packed_pairs(channels, outputs)});
    auto bias = ctx.template make_of<float>({pair_blocks(outputs) * pair_lanes});
    widen_bias(back ? nullptr : a.bias, outputs, bias.data());
    for_tasks(ctx.space(), s.taps() * pair_blocks(outputs),
              pack_pairs_task{a.w, s.ci, s.co, 0, channels, outputs, !back, packed.data()});
    for_tasks(ctx.space(), s.batch * s.in[0] * s.in[1],
              pair_blocks_task{s, back ? large : a.y, packed.data(), bias.data(), back ? a.y : large, back});
  }

  static void weights(Context& ctx, const conv3d_problem& p, const arguments& a) {
    if (p.is_blocks() && !a.x[0].data) return;
    transposed_conv3d sizes(p);
    if (!p.is_blocks()) {
      sizes.in_channels = p.in_channels;
      sizes.out_channels = p.out_channels;
    }
    const conv_transpose3d_sizes s(sizes);
    constexpr index most = 16;  // fixed, so that the bytes do not depend on the threads
    const index rows = s.batch * s.in[0] * s.in[1], size = p.weight_shape().size(), slabs = std::min(most, rows);
    auto partial = ctx.template make_of<float>({slabs, size});
    pair_gradient_task task{s, {}, a.parts, p.is_blocks() ? a.x[0].data : a.y, rows, slabs, nullptr, partial.data()};
    if (p.is_blocks())
      task.parts[0] = {a.y, s.ci};
    else
      for (std::size_t i = 0; i < a.maps().size(); ++i) task.parts[i] = {a.x[i].data, a.x[i].channels};
    auto scratch = ctx.template make_of<std::uint32_t>({host_workers(), task.scratch_elements()});
    task.scratch = scratch.data();
    for_worker_tasks(slabs, task);
    for_elements(ctx.space(), size, sum_slabs_body<float, bfloat16>{partial.data(), a.w, slabs, size});
  }
};

#endif

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
