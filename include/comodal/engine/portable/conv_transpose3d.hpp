// SPDX-License-Identifier: Apache-2.0
/// @file
/// Transposed convolution with filter = stride, portable: a dense product for every position in the block and a scatter that
/// never meets itself.
#ifndef COMODAL_ENGINE_PORTABLE_CONV_TRANSPOSE3D_HPP
#define COMODAL_ENGINE_PORTABLE_CONV_TRANSPOSE3D_HPP

#include <comodal/engine/portable/conv3d.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

struct conv_transpose3d_sizes {
  index batch, in[3], factor[3], ci, co;

  explicit conv_transpose3d_sizes(const conv_transpose3d_problem& p) : batch(p.batch), ci(p.in_channels), co(p.out_channels) {
    for (std::size_t a = 0; a < 3; ++a) {
      in[a] = p.input[a];
      factor[a] = p.factor[a];
    }
  }
  [[nodiscard]] index taps() const { return factor[0] * factor[1] * factor[2]; }
  // First output voxel of input row `row` (n, d, h) at tap (kd, kh, 0).
  KOKKOS_INLINE_FUNCTION index output_row(index row, index kd, index kh) const {
    const index h = row % in[1], d = row / in[1] % in[0], n = row / in[1] / in[0];
    return ((n * in[0] * factor[0] + d * factor[0] + kd) * in[1] * factor[1] + h * factor[1] + kh) * in[2] * factor[2];
  }
};

template <class T>
struct conv_transpose3d_forward_body {
  conv_transpose3d_sizes s;
  const T* x;
  const T* w;
  T* y;

  void host_row(index row) const {
    for (index tap = 0; tap < s.taps(); ++tap) {
      const index kw = tap % s.factor[2], kh = tap / s.factor[2] % s.factor[1], kd = tap / s.factor[2] / s.factor[1];
      T* out = y + (s.output_row(row, kd, kh) + kw) * s.co;
      const index pitch = s.factor[2] * s.co;
      for (index v = 0; v < s.in[2]; ++v) std::fill_n(out + v * pitch, s.co, T(0));
      gemm_add(s.in[2], s.co, s.ci, x + row * s.in[2] * s.ci, s.ci, w + tap * s.ci * s.co, s.co, out, pitch);
    }
  }

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.co, ow = i / s.co % (s.in[2] * s.factor[2]), row = i / s.co / (s.in[2] * s.factor[2]);
    const index oh = row % (s.in[1] * s.factor[1]), od = row / (s.in[1] * s.factor[1]) % (s.in[0] * s.factor[0]);
    const index n = row / (s.in[1] * s.factor[1]) / (s.in[0] * s.factor[0]);
    const index tap = (od % s.factor[0] * s.factor[1] + oh % s.factor[1]) * s.factor[2] + ow % s.factor[2];
    const T* in = x + (((n * s.in[0] + od / s.factor[0]) * s.in[1] + oh / s.factor[1]) * s.in[2] + ow / s.factor[2]) * s.ci;
    T sum = 0;
    for (index k = 0; k < s.ci; ++k) sum += in[k] * w[(tap * s.ci + k) * s.co + c];
    y[i] = sum;
  }
};

template <class T>
struct conv_transpose3d_backward_data_body {
  conv_transpose3d_sizes s;
  const T* dy;
  const T* w_transposed;  // (taps, out, in)
  T* dx;

  void host_row(index row) const {
    T* out = dx + row * s.in[2] * s.ci;
    std::fill_n(out, s.in[2] * s.ci, T(0));
    for (index tap = 0; tap < s.taps(); ++tap) {
      const index kw = tap % s.factor[2], kh = tap / s.factor[2] % s.factor[1], kd = tap / s.factor[2] / s.factor[1];
      gemm_add(s.in[2], s.ci, s.co, dy + (s.output_row(row, kd, kh) + kw) * s.co, s.factor[2] * s.co, w_transposed + tap * s.ci * s.co, s.ci,
               out, s.ci);
    }
  }

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.ci, iw = i / s.ci % s.in[2], row = i / s.ci / s.in[2];
    T sum = 0;
    for (index kd = 0; kd < s.factor[0]; ++kd)
      for (index kh = 0; kh < s.factor[1]; ++kh)
        for (index kw = 0; kw < s.factor[2]; ++kw) {
          const T* from = dy + (s.output_row(row, kd, kh) + iw * s.factor[2] + kw) * s.co;
          const T* weight = w_transposed + ((kd * s.factor[1] + kh) * s.factor[2] + kw) * s.ci * s.co + c;
          for (index k = 0; k < s.co; ++k) sum += from[k] * weight[k * s.ci];
        }
    dx[i] = sum;
  }
};

template <class T>
struct conv_transpose3d_backward_weights_body {
  conv_transpose3d_sizes s;
  const T* x;
  const T* dy;
  T* partial;  // (slabs, taps, in, out)
  index slabs;

  KOKKOS_INLINE_FUNCTION index rows() const { return s.batch * s.in[0] * s.in[1]; }

  void host_slab(index slab) const {
    T* dw = partial + slab * s.taps() * s.ci * s.co;
    std::fill_n(dw, s.taps() * s.ci * s.co, T(0));
    for (index row = rows() * slab / slabs; row < rows() * (slab + 1) / slabs; ++row)
      for (index tap = 0; tap < s.taps(); ++tap) {
        const index kw = tap % s.factor[2], kh = tap / s.factor[2] % s.factor[1], kd = tap / s.factor[2] / s.factor[1];
        gemm_transposed_add(s.ci, s.co, s.in[2], x + row * s.in[2] * s.ci, s.ci, dy + (s.output_row(row, kd, kh) + kw) * s.co,
                            s.factor[2] * s.co, dw + tap * s.ci * s.co, s.co);
      }
  }

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.co, k = i / s.co % s.ci, kw = i / s.co / s.ci % s.factor[2];
    const index kh = i / s.co / s.ci / s.factor[2] % s.factor[1], kd = i / s.co / s.ci / s.factor[2] / s.factor[1] % s.factor[0];
    const index slab = i / s.co / s.ci / s.factor[2] / s.factor[1] / s.factor[0];
    T sum = 0;
    for (index row = rows() * slab / slabs; row < rows() * (slab + 1) / slabs; ++row)
      for (index iw = 0; iw < s.in[2]; ++iw)
        sum += x[(row * s.in[2] + iw) * s.ci + k] * dy[(s.output_row(row, kd, kh) + iw * s.factor[2] + kw) * s.co + c];
    partial[i] = sum;
  }
};

}  // namespace detail

/// Portable transposed convolutions with filter = stride; see `conv_transpose3d_problem` for shapes.
template <tensor_backend Backend>
struct portable_conv_transpose3d {
  using T = typename Backend::scalar_type;
  using space_type = typename Backend::space_type;

  static void conv_transpose3d_forward(context<Backend>& ctx, const conv_transpose3d_problem& p, const T* x, const T* w, T* y) {
    const detail::conv_transpose3d_forward_body<T> body{detail::conv_transpose3d_sizes(p), x, w, y};
    if constexpr (is_host_v<space_type>)
      for_tasks(ctx.space(), p.batch * p.input[0] * p.input[1], detail::host_rows<detail::conv_transpose3d_forward_body<T>>{body});
    else
      for_elements(ctx.space(), p.output_shape().size(), body);
  }

  static void conv_transpose3d_backward_data(context<Backend>& ctx, const conv_transpose3d_problem& p, const T* dy, const T* w, T* dx) {
    auto transposed = ctx.make(p.weight_shape());
    for_elements(ctx.space(), transposed.size(), detail::transpose_body<T>{w, transposed.data(), p.in_channels, p.out_channels});
    const detail::conv_transpose3d_backward_data_body<T> body{detail::conv_transpose3d_sizes(p), dy, transposed.data(), dx};
    if constexpr (is_host_v<space_type>)
      for_tasks(ctx.space(), p.batch * p.input[0] * p.input[1], detail::host_rows<detail::conv_transpose3d_backward_data_body<T>>{body});
    else
      for_elements(ctx.space(), p.input_shape().size(), body);
  }

  static void conv_transpose3d_backward_weights(context<Backend>& ctx, const conv_transpose3d_problem& p, const T* x, const T* dy, T* dw) {
    const index count = std::min(portable_conv3d<Backend>::slabs, p.batch * p.input[0] * p.input[1]), size = p.weight_shape().size();
    auto partial = ctx.make({count, size});
    const detail::conv_transpose3d_backward_weights_body<T> body{detail::conv_transpose3d_sizes(p), x, dy, partial.data(), count};
    if constexpr (is_host_v<space_type>)
      for_tasks(ctx.space(), count, detail::host_slabs<detail::conv_transpose3d_backward_weights_body<T>>{body});
    else
      for_elements(ctx.space(), count * size, body);
    for_elements(ctx.space(), size, detail::sum_slabs_body<T>{partial.data(), dw, count, size});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
