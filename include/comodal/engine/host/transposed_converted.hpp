// SPDX-License-Identifier: Apache-2.0
/// @file
/// Transposed convolution with filter = stride on the host, of maps that are stored in another scalar than they are
/// computed with: small dense products of rows that were converted first. The same bytes for any number of threads.
#ifndef COMODAL_ENGINE_HOST_TRANSPOSED_CONVERTED_HPP
#define COMODAL_ENGINE_HOST_TRANSPOSED_CONVERTED_HPP

#include <comodal/core/kokkos.hpp>
#include <comodal/engine/host/conv3d_sizes.hpp>
#include <comodal/engine/host/gemm.hpp>
#include <comodal/engine/problem/conv3d.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

struct conv_transpose3d_sizes {
  index batch, in[3], factor[3], ci, co;

  explicit conv_transpose3d_sizes(const transposed_conv3d& p) : batch(p.batch), ci(p.in_channels), co(p.out_channels) {
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

// What is stored in another scalar than it is computed with, on the host: a row of inputs at a time, with its maps as C
// in a worker's own scratch and weights as C.
template <class T>
struct conv_transpose3d_converted {
  using C = compute_type_t<T>;
  conv_transpose3d_sizes s;
  const T* x;   // (rows, in); null backward to x
  const C* w;   // (taps, in, out), backward to x (taps, out, in); null backward to w
  const T* dy;  // null forward
  C* scratch;   // (workers, row_scratch(s))

  [[nodiscard]] static index row_scratch(const conv_transpose3d_sizes& s) {
    return s.in[2] * (s.ci + s.factor[2] * s.co);
  }
  [[nodiscard]] C* of_worker(index worker) const { return scratch + worker * row_scratch(s); }
  // x as C at the beginning of a worker's scratch, one row of y or dy behind it.
  C* load_x(index worker, index row) const {
    C* const to = of_worker(worker);
    convert_row(s.in[2] * s.ci, x + row * s.in[2] * s.ci, to);
    return to;
  }
  C* load_dy(index worker, index row, index kd, index kh) const {
    C* const to = of_worker(worker) + s.in[2] * s.ci;
    convert_row(s.in[2] * s.factor[2] * s.co, dy + s.output_row(row, kd, kh) * s.co, to);
    return to;
  }
  [[nodiscard]] index tap(index kd, index kh, index kw) const { return (kd * s.factor[1] + kh) * s.factor[2] + kw; }
};

template <class T>
struct conv_transpose3d_converted_forward {
  conv_transpose3d_converted<T> of;
  const T* bias;
  T* y;
  void operator()(index worker, index row) const {
    using C = compute_type_t<T>;
    const auto& s = of.s;
    const C* const in = of.load_x(worker, row);
    C* const sum = of.of_worker(worker) + s.in[2] * s.ci;  // a row of y
    const index voxels = s.in[2] * s.factor[2];
    for (index kd = 0; kd < s.factor[0]; ++kd)
      for (index kh = 0; kh < s.factor[1]; ++kh) {
        if (bias)
          convert_row(s.co, bias, sum);
        else
          std::fill_n(sum, s.co, C(0));
        for (index v = 1; v < voxels; ++v) std::copy_n(sum, s.co, sum + v * s.co);
        for (index kw = 0; kw < s.factor[2]; ++kw)
          gemm_add(s.in[2], s.co, s.ci, in, s.ci, of.w + of.tap(kd, kh, kw) * s.ci * s.co, s.co, sum + kw * s.co,
                   s.factor[2] * s.co);
        convert_row(voxels * s.co, sum, y + s.output_row(row, kd, kh) * s.co);
      }
  }
};

template <class T>
struct conv_transpose3d_converted_backward_data {
  conv_transpose3d_converted<T> of;
  T* dx;
  void operator()(index worker, index row) const {
    using C = compute_type_t<T>;
    const auto& s = of.s;
    C* const sum = of.of_worker(worker);
    std::fill_n(sum, s.in[2] * s.ci, C(0));
    for (index kd = 0; kd < s.factor[0]; ++kd)
      for (index kh = 0; kh < s.factor[1]; ++kh) {
        const C* const from = of.load_dy(worker, row, kd, kh);
        for (index kw = 0; kw < s.factor[2]; ++kw)
          gemm_add(s.in[2], s.ci, s.co, from + kw * s.co, s.factor[2] * s.co, of.w + of.tap(kd, kh, kw) * s.ci * s.co,
                   s.ci, sum, s.ci);
      }
    convert_row(s.in[2] * s.ci, sum, dx + row * s.in[2] * s.ci);
  }
};

template <class T>
struct conv_transpose3d_converted_backward_weights {
  conv_transpose3d_converted<T> of;
  compute_type_t<T>* partial;  // (slabs, taps, in, out)
  index slabs;
  void operator()(index worker, index slab) const {
    using C = compute_type_t<T>;
    const auto& s = of.s;
    const index rows = s.batch * s.in[0] * s.in[1], size = s.taps() * s.ci * s.co;
    C* const dw = partial + slab * size;
    std::fill_n(dw, size, C(0));
    for (index row = rows * slab / slabs; row < rows * (slab + 1) / slabs; ++row) {
      const C* const in = of.load_x(worker, row);
      for (index kd = 0; kd < s.factor[0]; ++kd)
        for (index kh = 0; kh < s.factor[1]; ++kh) {
          const C* const from = of.load_dy(worker, row, kd, kh);
          for (index kw = 0; kw < s.factor[2]; ++kw)
            gemm_transposed_add(s.ci, s.co, s.in[2], in, s.ci, from + kw * s.co, s.factor[2] * s.co,
                                dw + of.tap(kd, kh, kw) * s.ci * s.co, s.co);
        }
    }
  }
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
