// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolutions on the host, of one map or of several side by side, none of them joined: direct in tiles of registers,
/// or by F(4x4, 3x3). The same bytes for any number of threads.
#ifndef COMODAL_ENGINE_HOST_DIRECT_CONV3D_HPP
#define COMODAL_ENGINE_HOST_DIRECT_CONV3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/host/conv3d_tasks.hpp>

#include <algorithm>
#include <span>
#include <type_traits>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

template <tensor_backend Backend>
struct host_conv3d {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;  // of everything between the maps
  using part_list = std::span<const channel_part<T>>;

  /// A convolution of maps side by side, whose channels add up to `s.ci`; weights stand in `Order`. @param bias (out)
  /// or null
  template <weight_order Order>
  static void forward(context<Backend>& ctx, const conv3d_sizes& s, part_list parts, const T* w, const T* bias, T* y) {
    if (winograd_serves(s)) return winograd<Order>(ctx, s, parts, w, bias, y);
    index widest = 0, all = 0;
    for (const auto& one : parts) {
      widest = std::max(widest, one.channels);
      all += one.channels;
    }
    auto packed = ctx.template make_of<C>({s.taps() * all * packed_columns(s.co)}),
         zeros = ctx.template make_of<C>({widest});
    std::fill_n(zeros.data(), widest, C(0));
    const index rows = s.batch * s.out[0] * s.out[1],
                grain = std::max<index>(1, 200000 / (s.taps() * all * s.co * s.out[2]));
    const computed maps(ctx, s.batch * s.in[0] * s.in[1] * s.in[2], parts);
    const computed biases(ctx, bias, s.co);
    conv_row_task<C, T> task{s, {}, static_cast<int>(parts.size()), biases[0], zeros.data(), y, grain};
    C* to = packed.data();
    index first = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const index channels = parts[i].channels;
      const conv3d_sizes own = parts.size() > 1 ? s.of_part(first, channels) : s;
      for_tasks(ctx.space(), s.taps(), pack_weights_task<C, T, Order>{own, w, to});
      task.parts[i] = {maps[i], channels, to};
      to += s.taps() * channels * packed_columns(s.co);
      first += channels;
    }
    const index tasks = (rows + grain - 1) / grain;
    if (task.tap_rows() <= most_tap_rows) return for_tasks(ctx.space(), tasks, task);
    auto many = ctx.template make_of<tap_row<C>>({host_workers(), task.tap_rows()});
    task.many = many.data();
    for_worker_tasks(tasks, task);
  }

  /// The gradient of input channels [first, first + channels). @param dy (N, outputs, out)
  static void backward_data(context<Backend>& ctx, const conv3d_problem& p, index first, index channels, T* dy,
                            const T* w, T* dx) {
    const conv3d_sizes s = conv3d_sizes(p).of_part(first, channels);
    const channel_part<T> gradient{dy, p.out_channels};
    if (!s.is_strided())
      return forward<weight_order::flipped>(ctx, s.of_backward_data(), {&gradient, 1}, w, nullptr, dx);
    auto transposed = ctx.make({s.taps(), p.out_channels, channels});
    for_tasks(ctx.space(), s.taps(), transpose_task<T>{s, w, transposed.data()});
    const index rows = p.batch * p.input[0] * p.input[1], size = rows * p.input[2] * channels;
    if constexpr (std::is_same_v<T, C>) {
      for_tasks(ctx.space(), rows, strided_backward_data_task<C, T>{s, dy, transposed.data(), dx});
    } else {
      auto sums = ctx.template make_of<C>({size});
      for_tasks(ctx.space(), rows, strided_backward_data_task<C, T>{s, dy, transposed.data(), sums.data()});
      convert(ctx.space(), size, sums.data(), dx);
    }
  }

  static void backward_weights(context<Backend>& ctx, const conv3d_problem& p, part_list parts, const T* dy, T* dw) {
    const conv3d_sizes s(p);
    if (winograd_serves(s)) return winograd_weights(ctx, s, parts, dy, dw);
    const bool by_taps = weight_gradient_by_taps(s);
    const index rows = s.batch * s.out[0] * s.out[1], size = p.weight_shape().size();
    const index count = by_taps ? 1 : weight_slabs(rows * s.out[2], rows);
    auto partial = ctx.template make_of<C>({count, size});
    const computed maps(ctx, p.batch * p.input[0] * p.input[1] * p.input[2], parts);
    const computed gradient(ctx, dy, p.output_shape().size());
    conv_weight_gradient_task<C> task{s,     {},     static_cast<int>(parts.size()), gradient[0], partial.data(),
                                      count, by_taps};
    for (std::size_t i = 0; i < parts.size(); ++i) task.parts[i] = {maps[i], parts[i].channels, nullptr};
    for_tasks(ctx.space(), by_taps ? s.taps() : count, task);
    for_elements(ctx.space(), size, sum_slabs_body<C, T>{partial.data(), dw, count, size});
  }

 private:
  // Maps as the direct kernels take them: themselves, or copies in the scalar that is computed with.
  class computed {
   public:
    computed(context<Backend>& ctx, index voxels, part_list maps) {
      for (const auto& map : maps) add(ctx, map.data, voxels * map.channels);
    }
    computed(context<Backend>& ctx, const T* values, index count) { add(ctx, values, count); }
    const C* operator[](std::size_t i) const { return m_data[i]; }

   private:
    void add(context<Backend>& ctx, const T* values, index count) {
      if constexpr (std::is_same_v<T, C>) {
        m_data.push_back(values);
      } else {
        auto& copy = m_copies.emplace_back(ctx.template make_of<C>({values ? count : 0}));
        if (values) convert(ctx.space(), count, values, copy.data());
        m_data.push_back(values ? copy.data() : nullptr);
      }
    }
    std::vector<tensor<C, typename Backend::space_type>> m_copies;
    std::vector<const C*> m_data;
  };

  template <weight_order Order>
  static void winograd(context<Backend>& ctx, const conv3d_sizes& s, part_list parts, const T* w, const T* bias, T* y) {
    const winograd_blocks blocks(s, s.ci, 160 * 1024);
    auto packed = ctx.template make_of<C>({winograd_points * s.filter[0] * s.ci * packed_columns(s.co)});
    auto zeros = ctx.make({s.ci});
    std::fill_n(zeros.data(), s.ci, T(0));
    for_tasks(ctx.space(), s.filter[0], winograd_pack_task<C, T, Order>{s, w, packed.data()});
    winograd_work<C, T> work{s, blocks, {}, static_cast<int>(parts.size()), packed.data(), bias, zeros.data(), y};
    for (std::size_t i = 0; i < parts.size(); ++i) work.parts[i] = {parts[i].data, parts[i].channels, nullptr};
    if (!blocks.whole(s)) {
      auto scratch = ctx.template make_of<C>({host_workers(), work.input_elements() + work.product_elements(false)});
      return for_worker_tasks(blocks.count(s), winograd_block_task<C, T>{work, scratch.data()});
    }
    const winograd_block all(s, blocks, 0);
    auto in = ctx.template make_of<C>({work.input_elements()}),
         products = ctx.template make_of<C>({work.product_elements(true)});
    for_tasks(ctx.space(), all.samples() * all.planes(), winograd_inputs_task<C, T>{work, all, in.data()});
    for_tasks(ctx.space(), winograd_points, winograd_products_task<C, T>{work, all, in.data(), products.data()});
    for_tasks(ctx.space(), all.samples() * all.depth(), winograd_results_task<C, T>{work, all, products.data()});
  }

  static void winograd_weights(context<Backend>& ctx, const conv3d_sizes& s, part_list parts, const T* dy, T* dw) {
    // Each block goes through all of the gradient.
    const winograd_blocks blocks(s, s.ci + s.co, std::max<index>(160 * 1024, 200 * s.ci * s.co));
    const index size = engine_detail::winograd_weights(s);
    auto zeros = ctx.make({std::max(s.ci, s.co)});
    std::fill_n(zeros.data(), zeros.size(), T(0));
    winograd_weights_work<C, T> work{s, blocks, {}, static_cast<int>(parts.size()), dy, zeros.data()};
    for (std::size_t i = 0; i < parts.size(); ++i) work.parts[i] = {parts[i].data, parts[i].channels, nullptr};
    const bool whole = blocks.whole(s);
    const index count = whole ? 1 : std::min(gradient_slabs(size), blocks.count(s));
    auto du = ctx.template make_of<C>({count, size});
    auto scratch =
        ctx.template make_of<C>({whole ? 1 : host_workers(), work.input_elements() + work.gradient_elements()});
    if (whole) {
      const winograd_block all(s, blocks, 0);
      C *const in = scratch.data(), *const gradients = in + work.input_elements();
      for_tasks(ctx.space(), work.transforms(all), winograd_transform_task<C, T>{work, all, in, gradients});
      for_tasks(ctx.space(), winograd_points * s.filter[0],
                winograd_weight_products_task<C, T>{s, all, in, gradients, du.data()});
    } else {
      for_worker_tasks(count, winograd_weights_slab_task<C, T>{work, scratch.data(), du.data(), count});
    }
    const winograd_weights_sum_task<C, T> sum{du.data(), dw, count, s.filter[0], s.ci * s.co};
    for_tasks(ctx.space(), s.filter[0] * sum.pieces(), sum);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
