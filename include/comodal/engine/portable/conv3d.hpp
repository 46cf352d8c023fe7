// SPDX-License-Identifier: Apache-2.0
/// @file
/// 3-D convolution, portable: on the host a row of outputs at a time as small dense products, on a device one thread an
/// output. The same bytes for any number of threads.
#ifndef COMODAL_ENGINE_PORTABLE_CONV3D_HPP
#define COMODAL_ENGINE_PORTABLE_CONV3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/portable/conv3d_host.hpp>
#include <comodal/engine/portable/gemm.hpp>

#include <algorithm>

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
    T sum = 0;
    for (index kd = 0; kd < s.filter[0]; ++kd)
      for (index kh = 0; kh < s.filter[1]; ++kh)
        for (index kw = 0; kw < s.filter[2]; ++kw) {
          const index id = s.source(0, od, kd), ih = s.source(1, oh, kh), iw = s.source(2, ow, kw);
          if (id < 0 || id >= s.in[0] || ih < 0 || ih >= s.in[1] || iw < 0 || iw >= s.in[2]) continue;
          const T* in = x + (((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] + iw) * s.ci;
          const T* weight = w + ((kd * s.filter[1] + kh) * s.filter[2] + kw) * s.ci * s.co + c;
          for (index k = 0; k < s.ci; ++k) sum += in[k] * weight[k * s.co];
        }
    y[i] = sum;
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

  void host_row(index row) const {
    const index ih = row % s.in[1], id = row / s.in[1] % s.in[0], n = row / s.in[1] / s.in[0];
    T* out = dx + row * s.in[2] * s.ci;
    std::fill_n(out, s.in[2] * s.ci, T(0));
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

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.ci, iw = i / s.ci % s.in[2], row = i / s.ci / s.in[2];
    const index ih = row % s.in[1], id = row / s.in[1] % s.in[0], n = row / s.in[1] / s.in[0];
    T sum = 0;
    for (index kd = 0; kd < s.filter[0]; ++kd)
      for (index kh = 0; kh < s.filter[1]; ++kh)
        for (index kw = 0; kw < s.filter[2]; ++kw) {
          const index od = s.target(0, id, kd), oh = s.target(1, ih, kh), ow = s.target(2, iw, kw);
          if (od < 0 || oh < 0 || ow < 0) continue;
          const T* from = dy + (((n * s.out[0] + od) * s.out[1] + oh) * s.out[2] + ow) * s.co;
          const T* weight = w_transposed + ((kd * s.filter[1] + kh) * s.filter[2] + kw) * s.ci * s.co + c;
          for (index k = 0; k < s.co; ++k) sum += from[k] * weight[k * s.ci];
        }
    dx[i] = sum;
  }
};

template <class T>
struct conv3d_backward_weights_body {
  conv3d_sizes s;
  const T* x;
  const T* dy;
  T* partial;  // (slabs, taps, in, out)
  index slabs;

  KOKKOS_INLINE_FUNCTION index rows() const { return s.batch * s.out[0] * s.out[1]; }

  void host_slab(index slab) const {
    conv_weight_gradient(s, x, dy, rows() * slab / slabs, rows() * (slab + 1) / slabs, partial + slab * s.taps() * s.ci * s.co);
  }

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.co, k = i / s.co % s.ci, kw = i / s.co / s.ci % s.filter[2];
    const index kh = i / s.co / s.ci / s.filter[2] % s.filter[1], kd = i / s.co / s.ci / s.filter[2] / s.filter[1] % s.filter[0];
    const index slab = i / s.co / s.ci / s.filter[2] / s.filter[1] / s.filter[0];
    T sum = 0;
    for (index row = rows() * slab / slabs; row < rows() * (slab + 1) / slabs; ++row) {
      const index oh = row % s.out[1], od = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
      const index id = s.source(0, od, kd), ih = s.source(1, oh, kh);
      if (id < 0 || id >= s.in[0] || ih < 0 || ih >= s.in[1]) continue;
      const T* in = x + ((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] * s.ci;
      for (index ow = 0; ow < s.out[2]; ++ow) {
        const index iw = s.source(2, ow, kw);
        if (iw >= 0 && iw < s.in[2]) sum += in[iw * s.ci + k] * dy[(row * s.out[2] + ow) * s.co + c];
      }
    }
    partial[i] = sum;
  }
};

// out[i] = partial[0][i] + partial[1][i] + ..., in order.
template <class T>
struct sum_slabs_body {
  const T* partial;
  T* out;
  index slabs, size;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    T sum = 0;
    for (index k = 0; k < slabs; ++k) sum += partial[k * size + i];
    out[i] = sum;
  }
};

template <class T, weight_order Order>
struct pack_weights_task {
  conv3d_sizes s;
  const T* w;
  T* packed;
  void operator()(index tap) const { pack_weights<Order>(s, w, packed, tap); }
};

template <class T>
struct conv_row_task {
  conv3d_sizes s;
  const T *x, *packed, *bias, *zeros;
  T* y;
  void operator()(index row) const { conv_row(s, x, packed, bias, zeros, y, row); }
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

/// Portable convolutions; see `conv3d_problem` for shapes.
template <tensor_backend Backend>
struct portable_conv3d {
  using T = typename Backend::scalar_type;
  using space_type = typename Backend::space_type;
  /// Pieces that the weight gradient is summed from; fixed, so that its bytes do not depend on the threads.
  static constexpr index slabs = 16;

  static void conv3d_forward(context<Backend>& ctx, const conv3d_problem& p, const T* x, const T* w, T* y) {
    if constexpr (is_host_v<space_type>)
      by_rows<detail::weight_order::plain>(ctx, detail::conv3d_sizes(p), x, w, y);
    else
      for_elements(ctx.space(), p.output_shape().size(), detail::conv3d_forward_body<T>{detail::conv3d_sizes(p), x, w, y});
  }

  static void conv3d_backward_data(context<Backend>& ctx, const conv3d_problem& p, const T* dy, const T* w, T* dx) {
    const detail::conv3d_sizes sizes(p);
    if constexpr (is_host_v<space_type>)
      if (!sizes.is_strided()) return by_rows<detail::weight_order::flipped>(ctx, sizes.of_backward_data(), dy, w, dx);
    auto transposed = ctx.make(p.weight_shape());
    for_elements(ctx.space(), transposed.size(), detail::transpose_body<T>{w, transposed.data(), p.in_channels, p.out_channels});
    const detail::conv3d_backward_data_body<T> body{sizes, dy, transposed.data(), dx};
    if constexpr (is_host_v<space_type>)
      for_tasks(ctx.space(), p.batch * p.input[0] * p.input[1], detail::host_rows<detail::conv3d_backward_data_body<T>>{body});
    else
      for_elements(ctx.space(), p.input_shape().size(), body);
  }

  static void conv3d_backward_weights(context<Backend>& ctx, const conv3d_problem& p, const T* x, const T* dy, T* dw) {
    const extent3 out = p.output();
    const index count = std::min(slabs, p.batch * out[0] * out[1]), size = p.weight_shape().size();
    auto partial = ctx.make({count, size});
    const detail::conv3d_backward_weights_body<T> body{detail::conv3d_sizes(p), x, dy, partial.data(), count};
    if constexpr (is_host_v<space_type>)
      for_tasks(ctx.space(), count, detail::host_slabs<detail::conv3d_backward_weights_body<T>>{body});
    else
      for_elements(ctx.space(), count * size, body);
    for_elements(ctx.space(), size, detail::sum_slabs_body<T>{partial.data(), dw, count, size});
  }

  /// A convolution on the host, a row of outputs at a time.
  template <detail::weight_order Order>
  static void by_rows(context<Backend>& ctx, const detail::conv3d_sizes& s, const T* x, const T* w, T* y) {
    auto packed = ctx.make({s.taps() * s.ci * detail::packed_columns(s.co)});
    auto zeros = ctx.make({s.ci});
    std::fill_n(zeros.data(), s.ci, T(0));
    for_tasks(ctx.space(), s.taps(), detail::pack_weights_task<T, Order>{s, w, packed.data()});
    for_tasks(ctx.space(), s.batch * s.out[0] * s.out[1], detail::conv_row_task<T>{s, x, packed.data(), nullptr, zeros.data(), y});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
