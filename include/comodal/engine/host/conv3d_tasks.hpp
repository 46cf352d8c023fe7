// SPDX-License-Identifier: Apache-2.0
/// @file
/// How the portable convolution runs on the host: packs weights, cuts the work into tasks and chooses the algorithm.
#ifndef COMODAL_ENGINE_HOST_CONV3D_TASKS_HPP
#define COMODAL_ENGINE_HOST_CONV3D_TASKS_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/amx/conv3d.hpp>
#include <comodal/engine/amx/conv3d_weights.hpp>
#include <comodal/engine/host/elementwise.hpp>
#include <comodal/engine/host/gemm.hpp>
#include <comodal/engine/host/winograd_tasks.hpp>

#include <algorithm>
#include <type_traits>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

template <class C, class T, weight_order Order>
struct pack_weights_task {
  conv3d_sizes s;
  const T* w;
  C* packed;
  void operator()(index tap) const { pack_weights<Order>(s, w, packed, tap); }
};

// The rows of `w` that a part reads, (taps, rows, out) -> (taps, out, rows).
template <class T>
struct transpose_task {
  conv3d_sizes s;
  const T* w;
  T* out;
  void operator()(index tap) const {
    for (index k = 0; k < s.ci; ++k)
      for (index c = 0; c < s.co; ++c)
        out[(tap * s.co + c) * s.ci + k] = w[(tap * s.w_rows + s.w_first + k) * s.co + c];
  }
};

template <class C, class T>
struct conv_row_task {
  conv3d_sizes s;
  conv3d_part<C> parts[most_parts];
  int number;
  const C *bias, *zeros;
  T* y;
  index grain;  // rows a task
  void operator()(index task) const {
    const index rows = s.batch * s.out[0] * s.out[1];
    for (index row = task * grain; row < std::min((task + 1) * grain, rows); ++row)
      conv_row(s, parts, number, bias, zeros, y, row);
  }
};

/// True where the direct weight gradient runs tap by tap, each over all rows: of small maps, which stay in cache.
[[nodiscard]] inline bool weight_gradient_by_taps(const conv3d_sizes& s) {
  return s.taps() >= 9 && s.batch * s.out[0] * s.out[1] * s.out[2] <= 4096;
}

// The weight gradient of maps side by side: one slab of rows, or all rows and one tap.
template <class T>
struct conv_weight_gradient_task {
  conv3d_sizes s;
  conv3d_part<T> parts[most_parts];
  int number;
  const T* dy;
  T* partial;  // (slabs, taps, in, out)
  index slabs;
  bool by_taps;  // then there is one slab
  void operator()(index task) const {
    const index rows = s.batch * s.out[0] * s.out[1], size = s.w_rows * s.co, slab = by_taps ? 0 : task;
    const index first_tap = by_taps ? task : 0, last_tap = by_taps ? task + 1 : s.taps();
    T* const dw = partial + slab * s.taps() * size;
    std::fill_n(dw + first_tap * size, (last_tap - first_tap) * size, T(0));
    index first = 0;
    for (int i = 0; i < number; ++i) {
      conv_weight_gradient(s.of_part(first, parts[i].ci), parts[i].x, dy, rows * slab / slabs,
                           rows * (slab + 1) / slabs, dw, first_tap, last_tap);
      first += parts[i].ci;
    }
  }
};

// The gradient of one row of inputs of a strided convolution.
template <class C, class T>
struct strided_backward_data_task {
  conv3d_sizes s;
  const T* dy;
  const T* w_transposed;  // (taps, out, in)
  C* dx;

  void operator()(index row) const {
    const index ih = row % s.in[1], id = row / s.in[1] % s.in[0], n = row / s.in[1] / s.in[0];
    C* out = dx + row * s.in[2] * s.ci;
    std::fill_n(out, s.in[2] * s.ci, C(0));
    for (index kd = 0; kd < s.filter[0]; ++kd) {
      const index od = s.target(0, id, kd);
      if (od < 0) continue;
      for (index kh = 0; kh < s.filter[1]; ++kh) {
        const index oh = s.target(1, ih, kh);
        if (oh < 0) continue;
        const T* from = dy + ((n * s.out[0] + od) * s.out[1] + oh) * s.out[2] * s.co;
        for (index kw = 0; kw < s.filter[2]; ++kw) {
          const index first = s.first_output(kw), last = s.last_output(kw);
          if (first >= last) continue;
          gemm_add(last - first, s.ci, s.co, from + first * s.co, s.co,
                   w_transposed + ((kd * s.filter[1] + kh) * s.filter[2] + kw) * s.ci * s.co, s.ci,
                   out + s.source(2, first, kw) * s.ci, s.stride[2] * s.ci);
        }
      }
    }
  }
};

// out[i] = partial[0][i] + partial[1][i] + ..., in order, rounded once.
template <class C, class T>
struct sum_slabs_body {
  const C* partial;
  T* out;
  index slabs, size;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    C sum = 0;
    for (index k = 0; k < slabs; ++k) sum += partial[k * size + i];
    out[i] = static_cast<T>(sum);
  }
};

template <class Body>
struct host_rows {
  Body body;
  void operator()(index row) const { body.host_row(row); }
};

template <class Body>
struct host_slabs {
  Body body;
  void operator()(index slab) const { body.host_slab(slab); }
};

}  // namespace detail

/// Convolutions on the host, of one map or of several side by side, none of them joined.
template <tensor_backend Backend>
struct host_conv3d {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;  // of everything between the maps
  /// Pieces that the weight gradient is summed from; fixed, so that its bytes do not depend on the threads.
  static constexpr index slabs = 16;
  /// One of the maps, and how many channels it has.
  struct part {
    const T* x;
    index channels;
  };

  /// True for convolutions that run on the processor's tile registers.
  [[nodiscard]] static bool runs_on_tiles(const detail::conv3d_sizes& s) {
    return std::is_same_v<T, bfloat16> && detail::tiles_serve(s) && detail::amx_available();
  }

  /// The convolution of maps side by side; their channels add up to `p.in_channels`. @param bias (out) or null
  static void conv3d_forward_parts(context<Backend>& ctx, const conv3d_problem& p, const std::vector<part>& parts,
                                   const T* w, const T* bias, T* y) {
    by_rows<detail::weight_order::plain>(ctx, detail::conv3d_sizes(p), parts, w, bias, y);
  }

  /// The gradient of input channels [first, first + channels).
  static void conv3d_backward_data_part(context<Backend>& ctx, const conv3d_problem& p, index first, index channels,
                                        const T* dy, const T* w, T* dx) {
    detail::conv3d_sizes s = detail::conv3d_sizes(p).of_part(first, channels);
    if (!s.is_strided())
      return by_rows<detail::weight_order::flipped>(ctx, s.of_backward_data(), {{dy, p.out_channels}}, w, nullptr, dx);
    auto transposed = ctx.make({s.taps(), p.out_channels, channels});
    for_tasks(ctx.space(), s.taps(), detail::transpose_task<T>{s, w, transposed.data()});
    const index rows = p.batch * p.input[0] * p.input[1], size = rows * p.input[2] * channels;
    if constexpr (std::is_same_v<T, C>) {
      for_tasks(ctx.space(), rows, detail::strided_backward_data_task<C, T>{s, dy, transposed.data(), dx});
    } else {
      auto sums = ctx.template make_of<C>({size});
      for_tasks(ctx.space(), rows, detail::strided_backward_data_task<C, T>{s, dy, transposed.data(), sums.data()});
      convert(ctx.space(), size, sums.data(), dx);
    }
  }

  static void conv3d_backward_weights_parts(context<Backend>& ctx, const conv3d_problem& p,
                                            const std::vector<part>& parts, const T* dy, T* dw) {
    const detail::conv3d_sizes s(p);
    if (on_tiles(s, parts, [&](auto tiles, const auto& source) {
          detail::tile_conv3d_weights<decltype(tiles), detail::weight_order::plain>(ctx, s, s, source, dy, dw);
        }))
      return;
    if (detail::winograd_serves(s)) return winograd_weights(ctx, s, parts, dy, dw);
    const bool by_taps = detail::weight_gradient_by_taps(s);
    const index count = by_taps ? 1 : slab_count(p), size = p.weight_shape().size();
    auto partial = ctx.template make_of<C>({count, size});
    const computed maps(ctx, p.batch * p.input[0] * p.input[1] * p.input[2], parts),
        gradient(ctx, p.output_shape().size(), {{dy, 1}});
    detail::conv_weight_gradient_task<C> task{
        s, {}, static_cast<int>(parts.size()), gradient[0], partial.data(), count, by_taps};
    for (std::size_t i = 0; i < parts.size(); ++i) task.parts[i] = {maps[i], parts[i].channels, nullptr};
    for_tasks(ctx.space(), by_taps ? s.taps() : count, task);
    for_elements(ctx.space(), size, detail::sum_slabs_body<C, T>{partial.data(), dw, count, size});
  }

  /// A convolution on the host, a row of outputs at a time, of one map or of several side by side.
  template <detail::weight_order Order>
  static void by_rows(context<Backend>& ctx, const detail::conv3d_sizes& s, const std::vector<part>& parts, const T* w,
                      const T* bias, T* y) {
    if (on_tiles(s, parts, [&](auto tiles, const auto& source) {
          detail::tile_conv3d<decltype(tiles), Order>(ctx, s, source, w, bias, y);
        }))
      return;
    if (detail::winograd_serves(s)) return winograd<Order>(ctx, s, parts, w, bias, y);
    index widest = 0, all = 0;
    for (const part& one : parts) {
      widest = std::max(widest, one.channels);
      all += one.channels;
    }
    auto packed = ctx.template make_of<C>({s.taps() * all * detail::packed_columns(s.co)}),
         zeros = ctx.template make_of<C>({widest});
    std::fill_n(zeros.data(), widest, C(0));
    const index rows = s.batch * s.out[0] * s.out[1],
                grain = std::max<index>(1, 200000 / (s.taps() * all * s.co * s.out[2]));
    const computed maps(ctx, s.batch * s.in[0] * s.in[1] * s.in[2], parts), biases(ctx, s.co, {{bias, 1}});
    detail::conv_row_task<C, T> task{s, {}, static_cast<int>(parts.size()), biases[0], zeros.data(), y, grain};
    C* to = packed.data();
    index first = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const index channels = parts[i].channels;
      const detail::conv3d_sizes own = parts.size() > 1 ? s.of_part(first, channels) : s;
      for_tasks(ctx.space(), s.taps(), detail::pack_weights_task<C, T, Order>{own, w, to});
      task.parts[i] = {maps[i], channels, to};
      to += s.taps() * channels * detail::packed_columns(s.co);
      first += channels;
    }
    for_tasks(ctx.space(), (rows + grain - 1) / grain, task);
  }

 private:
  // Calls `run(tiles, source)` if the convolution runs on tile registers; false if not.
  template <class Run>
  static bool on_tiles([[maybe_unused]] const detail::conv3d_sizes& s, [[maybe_unused]] const std::vector<part>& parts,
                       [[maybe_unused]] const Run& run) {
    // Clang checks the body for every T: a tile source holds bfloat16 alone.
    if constexpr (std::is_same_v<T, bfloat16>) {
      return runs_on_tiles(s) && detail::on_tiles<T>([&](auto tiles) {
               detail::tile_source source;
               source.number = static_cast<int>(parts.size());
               for (std::size_t i = 0; i < parts.size(); ++i)
                 source.parts[i] = {parts[i].x, parts[i].channels, nullptr};
               run(tiles, source);
             });
    } else {
      return false;
    }
  }

  // Maps as the direct kernels take them: themselves, or copies in the scalar that is computed with.
  class computed {
   public:
    computed(context<Backend>& ctx, index voxels, const std::vector<part>& maps) {
      for (const part& map : maps) {
        if constexpr (std::is_same_v<T, C>) {
          m_data.push_back(map.x);
        } else {
          auto& copy = m_copies.emplace_back(ctx.template make_of<C>({map.x ? voxels * map.channels : 0}));
          if (map.x) convert(ctx.space(), copy.size(), map.x, copy.data());
          m_data.push_back(map.x ? copy.data() : nullptr);
        }
      }
    }
    const C* operator[](std::size_t i) const { return m_data[i]; }

   private:
    std::vector<tensor<C, typename Backend::space_type>> m_copies;
    std::vector<const C*> m_data;
  };

  template <detail::weight_order Order>
  static void winograd(context<Backend>& ctx, const detail::conv3d_sizes& s, const std::vector<part>& parts, const T* w,
                       const T* bias, T* y) {
    const detail::winograd_blocks blocks(s, s.ci, 160 * 1024);
    auto packed =
        ctx.template make_of<C>({detail::winograd_points * s.filter[0] * s.ci * detail::packed_columns(s.co)});
    auto zeros = ctx.make({s.ci});
    std::fill_n(zeros.data(), s.ci, T(0));
    for_tasks(ctx.space(), s.filter[0], detail::winograd_pack_task<C, T, Order>{s, w, packed.data()});
    detail::winograd_work<C, T> work{s,    blocks,       {}, static_cast<int>(parts.size()), packed.data(),
                                     bias, zeros.data(), y};
    for (std::size_t i = 0; i < parts.size(); ++i) work.parts[i] = {parts[i].x, parts[i].channels, nullptr};
    if (!blocks.whole(s)) {
      auto scratch = ctx.template make_of<C>({host_workers(), work.input_elements() + work.product_elements(false)});
      return for_worker_tasks(blocks.count(s), detail::winograd_block_task<C, T>{work, scratch.data()});
    }
    const detail::winograd_block all(s, blocks, 0);
    auto in = ctx.template make_of<C>({work.input_elements()}),
         products = ctx.template make_of<C>({work.product_elements(true)});
    for_tasks(ctx.space(), all.samples() * all.planes(), detail::winograd_inputs_task<C, T>{work, all, in.data()});
    for_tasks(ctx.space(), detail::winograd_points,
              detail::winograd_products_task<C, T>{work, all, in.data(), products.data()});
    for_tasks(ctx.space(), all.samples() * all.depth(),
              detail::winograd_results_task<C, T>{work, all, products.data()});
  }
  static void winograd_weights(context<Backend>& ctx, const detail::conv3d_sizes& s, const std::vector<part>& parts,
                               const T* dy, T* dw) {
    const detail::winograd_blocks blocks(
        s, s.ci + s.co, std::max<index>(160 * 1024, 200 * s.ci * s.co));  // each block goes through all of the gradient
    const index size = detail::winograd_weights(s);
    auto zeros = ctx.make({std::max(s.ci, s.co)});
    std::fill_n(zeros.data(), zeros.size(), T(0));
    detail::winograd_weights_work<C, T> work{s, blocks, {}, static_cast<int>(parts.size()), dy, zeros.data()};
    for (std::size_t i = 0; i < parts.size(); ++i) work.parts[i] = {parts[i].x, parts[i].channels, nullptr};
    const bool whole = blocks.whole(s);
    const index count = whole ? 1 : std::min(detail::gradient_slabs(size), blocks.count(s));
    auto du = ctx.template make_of<C>({count, size});
    auto scratch =
        ctx.template make_of<C>({whole ? 1 : host_workers(), work.input_elements() + work.gradient_elements()});
    if (whole) {
      const detail::winograd_block all(s, blocks, 0);
      C *const in = scratch.data(), *const gradients = in + work.input_elements();
      for_tasks(ctx.space(), work.transforms(all), detail::winograd_transform_task<C, T>{work, all, in, gradients});
      for_tasks(ctx.space(), detail::winograd_points * s.filter[0],
                detail::winograd_weight_products_task<C, T>{s, all, in, gradients, du.data()});
    } else {
      for_worker_tasks(count, detail::winograd_weights_slab_task<C, T>{work, scratch.data(), du.data(), count});
    }
    const detail::winograd_weights_sum_task<C, T> sum{du.data(), dw, count, s.filter[0], s.ci * s.co};
    for_tasks(ctx.space(), s.filter[0] * sum.pieces(), sum);
  }

 protected:
  // Slabs of fewer voxels would cost more than they save: each holds a gradient.
  static index slab_count(const conv3d_problem& p) {
    const extent3 out = p.output();
    return std::clamp<index>(p.batch * out[0] * out[1] * out[2] / 64, 1, std::min(slabs, p.batch * out[0] * out[1]));
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
