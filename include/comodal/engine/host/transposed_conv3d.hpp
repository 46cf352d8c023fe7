// SPDX-License-Identifier: Apache-2.0
/// @file
/// Transposed convolution with filter = stride on the host: a dense product for each position in the block and a
/// scatter that never meets itself. Its gradients are those of the strided convolution that leads back.
#ifndef COMODAL_ENGINE_HOST_TRANSPOSED_CONV3D_HPP
#define COMODAL_ENGINE_HOST_TRANSPOSED_CONV3D_HPP

#include <comodal/engine/host/direct_conv3d.hpp>
#include <comodal/engine/host/transposed_converted.hpp>

#include <algorithm>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// One row of inputs: a 1x1x1 convolution for each tap, whose outputs lie `factor` voxels apart.
template <class T>
struct conv_transpose3d_row_task {
  conv_transpose3d_sizes s;
  conv3d_sizes point;
  const T *x, *packed, *bias, *zeros;
  T* y;

  void operator()(index row) const {
    const index step = s.ci * packed_columns(s.co);
    const tap_row<T> in{x + row * s.in[2] * s.ci, 0, 0};
    for (index tap = 0; tap < s.taps(); ++tap) {
      const index kw = tap % s.factor[2], kh = tap / s.factor[2] % s.factor[1], kd = tap / s.factor[2] / s.factor[1];
      const conv3d_part<T> part{x, s.ci, packed + tap * step};
      conv_columns(point, &part, 1, &in, 1, bias, zeros, y + (s.output_row(row, kd, kh) + kw) * s.co);
    }
  }
};

template <class T>
struct pack_points_task {
  conv3d_sizes point;
  const T* w;
  T* packed;
  void operator()(index tap) const {
    pack_weights<weight_order::plain>(point, w + tap * point.ci * point.co,
                                      packed + tap * point.ci * packed_columns(point.co), 0);
  }
};

// A slab of rows of the weight gradient.
template <class T>
struct conv_transpose3d_weights_task {
  conv3d_sizes back;
  const T *x, *dy;
  T* partial;  // (slabs, taps, in, out)
  index slabs;
  void operator()(index slab) const {
    const index rows = back.batch * back.out[0] * back.out[1], size = back.taps() * back.ci * back.co;
    T* const dw = partial + slab * size;
    std::fill_n(dw, size, T(0));
    conv_weight_gradient<true>(back, dy, x, rows * slab / slabs, rows * (slab + 1) / slabs, dw, 0, back.taps());
  }
};

/// The transposed convolution of a problem that `conv3d_problem::transposed` makes. x is its input, the smaller map.
template <tensor_backend Backend>
struct host_transposed_conv3d {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;
  static constexpr bool converts = !std::is_same_v<T, C>;

  /// @param bias (out), or null
  static void forward(context<Backend>& ctx, const conv3d_problem& problem, const T* x, const T* w, const T* bias,
                      T* y) {
    const transposed_conv3d p(problem);
    const conv_transpose3d_sizes s(p);
    const index rows = p.batch * p.input[0] * p.input[1];
    if constexpr (converts) {
      auto weights = ctx.template make_of<C>(p.weight_shape());
      convert(ctx.space(), weights.size(), w, weights.data());
      auto scratch = scratch_of(ctx, s);
      for_worker_tasks(rows,
                       conv_transpose3d_converted_forward<T>{{s, x, weights.data(), nullptr, scratch.data()}, bias, y});
    } else {
      conv3d_sizes point(conv3d_problem(p.batch, p.input, p.in_channels, p.out_channels, {1, 1, 1}));
      point.out_pitch = s.factor[2] * s.co;
      auto packed = ctx.make({s.taps(), s.ci, packed_columns(s.co)}), zeros = ctx.make({s.ci});
      for_tasks(ctx.space(), s.taps(), pack_points_task<T>{point, w, packed.data()});
      for_tasks(ctx.space(), rows, conv_transpose3d_row_task<T>{s, point, x, packed.data(), bias, zeros.data(), y});
    }
  }

  static void backward_data(context<Backend>& ctx, const conv3d_problem& problem, T* dy, const T* w, T* dx) {
    if constexpr (converts) {
      const transposed_conv3d p(problem);
      const conv_transpose3d_sizes s(p);
      auto transposed = ctx.make(p.weight_shape());
      for_elements(ctx.space(), transposed.size(),
                   transpose_body<T>{w, transposed.data(), p.in_channels, p.out_channels});
      auto weights = ctx.template make_of<C>(p.weight_shape());
      convert(ctx.space(), weights.size(), static_cast<const T*>(transposed.data()), weights.data());
      auto scratch = scratch_of(ctx, s);
      for_worker_tasks(p.batch * p.input[0] * p.input[1], conv_transpose3d_converted_backward_data<T>{
                                                              {s, nullptr, weights.data(), dy, scratch.data()}, dx});
    } else {
      const channel_part<T> gradient{dy, problem.in_channels};
      host_conv3d<Backend>::template forward<weight_order::transposed>(ctx, conv3d_sizes(problem), {&gradient, 1}, w,
                                                                       nullptr, dx);
    }
  }

  static void backward_weights(context<Backend>& ctx, const conv3d_problem& problem, const T* x, const T* dy, T* dw) {
    const transposed_conv3d p(problem);
    constexpr index most = 16;  // fixed, so that the bytes do not depend on the threads
    const index count = std::min(most, p.batch * p.input[0] * p.input[1]), size = p.weight_shape().size();
    auto partial = ctx.template make_of<C>({count, size});
    if constexpr (converts) {
      const conv_transpose3d_sizes s(p);
      auto scratch = scratch_of(ctx, s);
      for_worker_tasks(count, conv_transpose3d_converted_backward_weights<T>{
                                  {s, x, nullptr, dy, scratch.data()}, partial.data(), count});
    } else {
      for_tasks(ctx.space(), count,
                conv_transpose3d_weights_task<T>{conv3d_sizes(problem), x, dy, partial.data(), count});
    }
    for_elements(ctx.space(), size, sum_slabs_body<C, T>{partial.data(), dw, count, size});
  }

 private:
  static auto scratch_of(context<Backend>& ctx, const conv_transpose3d_sizes& s) {
    return ctx.template make_of<C>({host_workers(), conv_transpose3d_converted<T>::row_scratch(s)});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
