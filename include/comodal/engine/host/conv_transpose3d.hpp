// SPDX-License-Identifier: Apache-2.0
/// @file
/// Transposed convolution with filter = stride, portable: a dense product for every position in the block and a scatter
/// that never meets itself; its gradients are those of the strided convolution that leads back.
#ifndef COMODAL_ENGINE_HOST_CONV_TRANSPOSE3D_HPP
#define COMODAL_ENGINE_HOST_CONV_TRANSPOSE3D_HPP

#include <comodal/engine/host/conv3d.hpp>
#include <comodal/engine/host/conv_transpose3d_converted.hpp>
#include <comodal/engine/host/elementwise.hpp>

#include <algorithm>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

template <class T>
struct conv_transpose3d_forward_body {
  using C = compute_type_t<T>;
  conv_transpose3d_sizes s;
  const T *x, *w, *bias;
  T* y;

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.co, ow = i / s.co % (s.in[2] * s.factor[2]), row = i / s.co / (s.in[2] * s.factor[2]);
    const index oh = row % (s.in[1] * s.factor[1]), od = row / (s.in[1] * s.factor[1]) % (s.in[0] * s.factor[0]);
    const index n = row / (s.in[1] * s.factor[1]) / (s.in[0] * s.factor[0]);
    const index tap = (od % s.factor[0] * s.factor[1] + oh % s.factor[1]) * s.factor[2] + ow % s.factor[2];
    const T* in =
        x + (((n * s.in[0] + od / s.factor[0]) * s.in[1] + oh / s.factor[1]) * s.in[2] + ow / s.factor[2]) * s.ci;
    C sum = bias ? C(bias[c]) : C(0);
    for (index k = 0; k < s.ci; ++k) sum += C(in[k]) * C(w[(tap * s.ci + k) * s.co + c]);
    y[i] = T(sum);
  }
};

// One row of inputs on the host: a 1x1x1 convolution for every tap, whose outputs lie `factor` voxels apart.
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

template <class T>
struct conv_transpose3d_backward_data_body {
  using C = compute_type_t<T>;
  conv_transpose3d_sizes s;
  const T *dy, *w;
  T* dx;

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.ci, iw = i / s.ci % s.in[2], row = i / s.ci / s.in[2];
    C sum = 0;
    for (index kd = 0; kd < s.factor[0]; ++kd)
      for (index kh = 0; kh < s.factor[1]; ++kh)
        for (index kw = 0; kw < s.factor[2]; ++kw) {
          const T* from = dy + (s.output_row(row, kd, kh) + iw * s.factor[2] + kw) * s.co;
          const T* weight = w + (((kd * s.factor[1] + kh) * s.factor[2] + kw) * s.ci + c) * s.co;
          for (index k = 0; k < s.co; ++k) sum += C(from[k]) * C(weight[k]);
        }
    dx[i] = T(sum);
  }
};

template <class T>
struct conv_transpose3d_backward_weights_body {
  using C = compute_type_t<T>;
  conv_transpose3d_sizes s;
  conv3d_sizes back;
  const T *x, *dy;
  C* partial;  // (slabs, taps, in, out)
  index slabs;

  KOKKOS_INLINE_FUNCTION index rows() const { return s.batch * s.in[0] * s.in[1]; }

  void host_slab(index slab) const {
    C* const dw = partial + slab * s.taps() * s.ci * s.co;
    std::fill_n(dw, s.taps() * s.ci * s.co, C(0));
    conv_weight_gradient<true>(back, dy, x, rows() * slab / slabs, rows() * (slab + 1) / slabs, dw, 0, s.taps());
  }

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.co, k = i / s.co % s.ci, kw = i / s.co / s.ci % s.factor[2];
    const index kh = i / s.co / s.ci / s.factor[2] % s.factor[1],
                kd = i / s.co / s.ci / s.factor[2] / s.factor[1] % s.factor[0];
    const index slab = i / s.co / s.ci / s.factor[2] / s.factor[1] / s.factor[0];
    C sum = 0;
    for (index row = rows() * slab / slabs; row < rows() * (slab + 1) / slabs; ++row)
      for (index iw = 0; iw < s.in[2]; ++iw)
        sum += C(x[(row * s.in[2] + iw) * s.ci + k]) *
               C(dy[(s.output_row(row, kd, kh) + iw * s.factor[2] + kw) * s.co + c]);
    partial[i] = sum;
  }
};

}  // namespace detail

/// Portable transposed convolutions with filter = stride; see `conv_transpose3d_problem` for shapes.
template <tensor_backend Backend>
struct portable_conv_transpose3d {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;
  static constexpr bool converts = !std::is_same_v<T, C>;
  using space_type = typename Backend::space_type;

  /// @param bias (out), or null
  static void conv_transpose3d_forward(context<Backend>& ctx, const conv_transpose3d_problem& p, const T* x, const T* w,
                                       const T* bias, T* y) {
    const detail::conv_transpose3d_sizes s(p);
    if constexpr (!is_host_v<space_type>) {
      for_elements(ctx.space(), p.output_shape().size(), detail::conv_transpose3d_forward_body<T>{s, x, w, bias, y});
    } else if constexpr (converts) {
      if (detail::on_tiles<T>(
              [&](auto tiles) { detail::tile_conv_transpose3d<decltype(tiles)>(ctx, p, x, w, bias, y); }))
        return;
      auto weights = ctx.template make_of<C>(p.weight_shape());
      convert(ctx.space(), weights.size(), w, weights.data());
      auto scratch = scratch_of(ctx, s);
      for_worker_tasks(
          p.batch * p.input[0] * p.input[1],
          detail::conv_transpose3d_converted_forward<T>{{s, x, weights.data(), nullptr, scratch.data()}, bias, y});
    } else {
      detail::conv3d_sizes point(conv3d_problem{p.batch, p.input, p.in_channels, p.out_channels, {1, 1, 1}});
      point.out_pitch = s.factor[2] * s.co;
      auto packed = ctx.make({s.taps(), s.ci, detail::packed_columns(s.co)}), zeros = ctx.make({s.ci});
      for_tasks(ctx.space(), s.taps(), detail::pack_points_task<T>{point, w, packed.data()});
      for_tasks(ctx.space(), p.batch * p.input[0] * p.input[1],
                detail::conv_transpose3d_row_task<T>{s, point, x, packed.data(), bias, zeros.data(), y});
    }
  }

  static void conv_transpose3d_backward_data(context<Backend>& ctx, const conv_transpose3d_problem& p, const T* dy,
                                             const T* w, T* dx) {
    const detail::conv_transpose3d_sizes s(p);
    if constexpr (!is_host_v<space_type>) {
      for_elements(ctx.space(), p.input_shape().size(), detail::conv_transpose3d_backward_data_body<T>{s, dy, w, dx});
    } else if constexpr (converts) {
      if (detail::on_tiles<T>(
              [&](auto tiles) { detail::tile_conv_transpose3d_data<decltype(tiles)>(ctx, p, dy, w, dx); }))
        return;
      auto transposed = ctx.make(p.weight_shape());
      for_elements(ctx.space(), transposed.size(),
                   detail::transpose_body<T>{w, transposed.data(), p.in_channels, p.out_channels});
      auto weights = ctx.template make_of<C>(p.weight_shape());
      convert(ctx.space(), weights.size(), static_cast<const T*>(transposed.data()), weights.data());
      auto scratch = scratch_of(ctx, s);
      for_worker_tasks(p.batch * p.input[0] * p.input[1], detail::conv_transpose3d_converted_backward_data<T>{
                                                              {s, nullptr, weights.data(), dy, scratch.data()}, dx});
    } else {
      portable_conv3d<Backend>::template by_rows<detail::weight_order::transposed>(
          ctx, detail::conv3d_sizes::of_transposed(p), {{dy, p.out_channels}}, w, nullptr, dx);
    }
  }

  static void conv_transpose3d_backward_weights(context<Backend>& ctx, const conv_transpose3d_problem& p, const T* x,
                                                const T* dy, T* dw) {
    if constexpr (is_host_v<space_type> && converts)
      if (detail::on_tiles<T>(
              [&](auto tiles) { detail::tile_conv_transpose3d_weights<decltype(tiles)>(ctx, p, x, dy, dw); }))
        return;
    const detail::conv_transpose3d_sizes s(p);
    const index count = std::min(slabs, p.batch * p.input[0] * p.input[1]), size = p.weight_shape().size();
    auto partial = ctx.template make_of<C>({count, size});
    if constexpr (is_host_v<space_type> && converts) {
      auto scratch = scratch_of(ctx, s);
      for_worker_tasks(count, detail::conv_transpose3d_converted_backward_weights<T>{
                                  {s, x, nullptr, dy, scratch.data()}, partial.data(), count});
    } else {
      const detail::conv_transpose3d_backward_weights_body<T> body{
          s, detail::conv3d_sizes::of_transposed(p), x, dy, partial.data(), count};
      if constexpr (is_host_v<space_type>)
        for_tasks(ctx.space(), count, detail::host_slabs<detail::conv_transpose3d_backward_weights_body<T>>{body});
      else
        for_elements(ctx.space(), count * size, body);
    }
    for_elements(ctx.space(), size, detail::sum_slabs_body<C, T>{partial.data(), dw, count, size});
  }

 private:
  static constexpr index slabs = 16;  // fixed, so that the bytes do not depend on the threads
  static auto scratch_of(context<Backend>& ctx, const detail::conv_transpose3d_sizes& s) {
    return ctx.template make_of<C>({host_workers(), detail::conv_transpose3d_converted<T>::row_scratch(s)});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
