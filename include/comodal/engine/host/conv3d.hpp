// SPDX-License-Identifier: Apache-2.0
/// @file
/// 3-D convolution, portable: on the host as small dense products in tiles of registers, on a device one thread an
/// output. The same bytes for any number of threads.
#ifndef COMODAL_ENGINE_HOST_CONV3D_HPP
#define COMODAL_ENGINE_HOST_CONV3D_HPP

#include <comodal/engine/host/conv3d_tasks.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

template <class T>
struct conv3d_forward_body {
  conv3d_sizes s;
  const T* x;
  const T* w;
  T* y;

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.co, ow = i / s.co % s.out[2], row = i / s.co / s.out[2];
    const index oh = row % s.out[1], od = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
    compute_type_t<T> sum = 0;
    for (index kd = 0; kd < s.filter[0]; ++kd)
      for (index kh = 0; kh < s.filter[1]; ++kh)
        for (index kw = 0; kw < s.filter[2]; ++kw) {
          const index id = s.source(0, od, kd), ih = s.source(1, oh, kh), iw = s.source(2, ow, kw);
          if (id < 0 || id >= s.in[0] || ih < 0 || ih >= s.in[1] || iw < 0 || iw >= s.in[2]) continue;
          const T* in = x + (((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] + iw) * s.ci;
          const T* weight = w + ((kd * s.filter[1] + kh) * s.filter[2] + kw) * s.ci * s.co + c;
          for (index k = 0; k < s.ci; ++k) sum += static_cast<compute_type_t<T>>(in[k]) * weight[k * s.co];
        }
    y[i] = static_cast<T>(sum);
  }
};

// Swaps the last two axes: (taps, rows, columns) -> (taps, columns, rows).
template <class T>
struct transpose_body {
  const T* in;
  T* out;
  index rows, columns;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index r = i % rows, c = i / rows % columns, tap = i / rows / columns;
    out[i] = in[(tap * rows + r) * columns + c];
  }
};

template <class T>
struct conv3d_backward_data_body {
  conv3d_sizes s;
  const T* dy;
  const T* w_transposed;  // (taps, out, in)
  T* dx;

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.ci, iw = i / s.ci % s.in[2], row = i / s.ci / s.in[2];
    const index ih = row % s.in[1], id = row / s.in[1] % s.in[0], n = row / s.in[1] / s.in[0];
    compute_type_t<T> sum = 0;
    for (index kd = 0; kd < s.filter[0]; ++kd)
      for (index kh = 0; kh < s.filter[1]; ++kh)
        for (index kw = 0; kw < s.filter[2]; ++kw) {
          const index od = s.target(0, id, kd), oh = s.target(1, ih, kh), ow = s.target(2, iw, kw);
          if (od < 0 || oh < 0 || ow < 0) continue;
          const T* from = dy + (((n * s.out[0] + od) * s.out[1] + oh) * s.out[2] + ow) * s.co;
          const T* weight = w_transposed + ((kd * s.filter[1] + kh) * s.filter[2] + kw) * s.ci * s.co + c;
          for (index k = 0; k < s.co; ++k) sum += static_cast<compute_type_t<T>>(from[k]) * weight[k * s.ci];
        }
    dx[i] = static_cast<T>(sum);
  }
};

template <class T>
struct conv3d_backward_weights_body {
  conv3d_sizes s;
  const T* x;
  const T* dy;
  compute_type_t<T>* partial;  // (slabs, taps, in, out)
  index slabs;

  KOKKOS_INLINE_FUNCTION index rows() const { return s.batch * s.out[0] * s.out[1]; }

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.co, k = i / s.co % s.ci, kw = i / s.co / s.ci % s.filter[2];
    const index kh = i / s.co / s.ci / s.filter[2] % s.filter[1],
                kd = i / s.co / s.ci / s.filter[2] / s.filter[1] % s.filter[0];
    const index slab = i / s.co / s.ci / s.filter[2] / s.filter[1] / s.filter[0];
    compute_type_t<T> sum = 0;
    for (index row = rows() * slab / slabs; row < rows() * (slab + 1) / slabs; ++row) {
      const index oh = row % s.out[1], od = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
      const index id = s.source(0, od, kd), ih = s.source(1, oh, kh);
      if (id < 0 || id >= s.in[0] || ih < 0 || ih >= s.in[1]) continue;
      const T* in = x + ((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] * s.ci;
      for (index ow = 0; ow < s.out[2]; ++ow) {
        const index iw = s.source(2, ow, kw);
        if (iw >= 0 && iw < s.in[2])
          sum += static_cast<compute_type_t<T>>(in[iw * s.ci + k]) * dy[(row * s.out[2] + ow) * s.co + c];
      }
    }
    partial[i] = sum;
  }
};

}  // namespace detail

/// Portable convolutions; see `conv3d_problem` for shapes.
template <tensor_backend Backend>
struct portable_conv3d : host_conv3d<Backend> {
  using T = typename Backend::scalar_type;
  using space_type = typename Backend::space_type;
  using host = host_conv3d<Backend>;
  /// True where maps may stand side by side as input channels without being joined first: `conv3d_forward_parts` and
  /// the gradients.
  static constexpr bool has_parts = is_host_v<space_type>;

  static void conv3d_forward(context<Backend>& ctx, const conv3d_problem& p, const T* x, const T* w, T* y) {
    if constexpr (has_parts)
      host::conv3d_forward_parts(ctx, p, {{x, p.in_channels}}, w, nullptr, y);
    else
      for_elements(ctx.space(), p.output_shape().size(),
                   detail::conv3d_forward_body<T>{detail::conv3d_sizes(p), x, w, y});
  }

  static void conv3d_backward_data(context<Backend>& ctx, const conv3d_problem& p, const T* dy, const T* w, T* dx) {
    if constexpr (has_parts)
      return host::conv3d_backward_data_part(ctx, p, 0, p.in_channels, dy, w, dx);
    else {
      auto transposed = ctx.make(p.weight_shape());
      for_elements(ctx.space(), transposed.size(),
                   detail::transpose_body<T>{w, transposed.data(), p.in_channels, p.out_channels});
      for_elements(ctx.space(), p.input_shape().size(),
                   detail::conv3d_backward_data_body<T>{detail::conv3d_sizes(p), dy, transposed.data(), dx});
    }
  }

  static void conv3d_backward_weights(context<Backend>& ctx, const conv3d_problem& p, const T* x, const T* dy, T* dw) {
    if constexpr (has_parts)
      return host::conv3d_backward_weights_parts(ctx, p, {{x, p.in_channels}}, dy, dw);
    else {
      const index count = host::slab_count(p), size = p.weight_shape().size();
      auto partial = ctx.template make_of<compute_type_t<T>>({count, size});
      for_elements(ctx.space(), count * size,
                   detail::conv3d_backward_weights_body<T>{detail::conv3d_sizes(p), x, dy, partial.data(), count});
      for_elements(ctx.space(), size, detail::sum_slabs_body<compute_type_t<T>, T>{partial.data(), dw, count, size});
    }
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
