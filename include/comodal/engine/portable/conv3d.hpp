// SPDX-License-Identifier: Apache-2.0
/// @file
/// 3-D convolution, portable: on the host a row of outputs at a time as small dense products, on a device one thread an
/// output. The same bytes for any number of threads.
#ifndef COMODAL_ENGINE_PORTABLE_CONV3D_HPP
#define COMODAL_ENGINE_PORTABLE_CONV3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/conv3d_problem.hpp>
#include <comodal/engine/portable/gemm.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

// A problem as plain numbers for kernels, with the walks along filter taps that forward and backward share.
struct conv3d_sizes {
  index batch, in[3], out[3], filter[3], stride[3], pad[3], ci, co;

  explicit conv3d_sizes(const conv3d_problem& p) : batch(p.batch), ci(p.in_channels), co(p.out_channels) {
    const extent3 o = p.output(), q = p.padding();
    for (std::size_t a = 0; a < 3; ++a) {
      in[a] = p.input[a];
      out[a] = o[a];
      filter[a] = p.filter[a];
      stride[a] = p.stride[a];
      pad[a] = q[a];
    }
  }
  [[nodiscard]] index taps() const { return filter[0] * filter[1] * filter[2]; }
  // Outputs along the last axis that tap k reaches: [first, last).
  [[nodiscard]] index first_output(index k) const {
    const index shift = pad[2] - k;
    return shift <= 0 ? 0 : (shift + stride[2] - 1) / stride[2];
  }
  [[nodiscard]] index last_output(index k) const {
    const index reach = in[2] - 1 + pad[2] - k;
    return reach < 0 ? 0 : std::min(out[2], reach / stride[2] + 1);
  }
  // Input position of output o and tap k along an axis; outside [0, in) is padding.
  KOKKOS_INLINE_FUNCTION index source(int axis, index o, index k) const { return o * stride[axis] + k - pad[axis]; }
  // Output position that input i and tap k belong to along an axis, or -1.
  KOKKOS_INLINE_FUNCTION index target(int axis, index i, index k) const {
    const index t = i + pad[axis] - k;
    if (t < 0 || t % stride[axis] != 0 || t / stride[axis] >= out[axis]) return -1;
    return t / stride[axis];
  }
};

template <class T>
struct conv3d_forward_body {
  conv3d_sizes s;
  const T* x;
  const T* w;
  T* y;

  void host_row(index row) const {
    const index oh = row % s.out[1], od = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
    T* out = y + row * s.out[2] * s.co;
    std::fill_n(out, s.out[2] * s.co, T(0));
    for (index kd = 0; kd < s.filter[0]; ++kd) {
      const index id = s.source(0, od, kd);
      if (id < 0 || id >= s.in[0]) continue;
      for (index kh = 0; kh < s.filter[1]; ++kh) {
        const index ih = s.source(1, oh, kh);
        if (ih < 0 || ih >= s.in[1]) continue;
        const T* in = x + ((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] * s.ci;
        for (index kw = 0; kw < s.filter[2]; ++kw) {
          const index first = s.first_output(kw), last = s.last_output(kw);
          if (first >= last) continue;
          gemm_add(last - first, s.co, s.ci, in + s.source(2, first, kw) * s.ci, s.stride[2] * s.ci,
                   w + ((kd * s.filter[1] + kh) * s.filter[2] + kw) * s.ci * s.co, s.co, out + first * s.co, s.co);
        }
      }
    }
  }

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
    T* dw = partial + slab * s.taps() * s.ci * s.co;
    std::fill_n(dw, s.taps() * s.ci * s.co, T(0));
    for (index row = rows() * slab / slabs; row < rows() * (slab + 1) / slabs; ++row) {
      const index oh = row % s.out[1], od = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
      const T* from = dy + row * s.out[2] * s.co;
      for (index kd = 0; kd < s.filter[0]; ++kd) {
        const index id = s.source(0, od, kd);
        if (id < 0 || id >= s.in[0]) continue;
        for (index kh = 0; kh < s.filter[1]; ++kh) {
          const index ih = s.source(1, oh, kh);
          if (ih < 0 || ih >= s.in[1]) continue;
          const T* in = x + ((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] * s.ci;
          for (index kw = 0; kw < s.filter[2]; ++kw) {
            const index first = s.first_output(kw), last = s.last_output(kw);
            if (first >= last) continue;
            gemm_transposed_add(s.ci, s.co, last - first, in + s.source(2, first, kw) * s.ci, s.stride[2] * s.ci, from + first * s.co, s.co,
                                dw + ((kd * s.filter[1] + kh) * s.filter[2] + kw) * s.ci * s.co, s.co);
          }
        }
      }
    }
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
    const detail::conv3d_forward_body<T> body{detail::conv3d_sizes(p), x, w, y};
    const extent3 out = p.output();
    if constexpr (is_host_v<space_type>)
      for_tasks(ctx.space(), p.batch * out[0] * out[1], detail::host_rows<detail::conv3d_forward_body<T>>{body});
    else
      for_elements(ctx.space(), p.output_shape().size(), body);
  }

  static void conv3d_backward_data(context<Backend>& ctx, const conv3d_problem& p, const T* dy, const T* w, T* dx) {
    auto transposed = ctx.make(p.weight_shape());
    for_elements(ctx.space(), transposed.size(), detail::transpose_body<T>{w, transposed.data(), p.in_channels, p.out_channels});
    const detail::conv3d_backward_data_body<T> body{detail::conv3d_sizes(p), dy, transposed.data(), dx};
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
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
