// SPDX-License-Identifier: Apache-2.0
/// @file
/// The device engine's convolution and transposed convolution: one thread per output. The same bytes in each run.
#ifndef COMODAL_ENGINE_DEVICE_CONV3D_HPP
#define COMODAL_ENGINE_DEVICE_CONV3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/device/engine.hpp>
#include <comodal/engine/dispatch.hpp>
#include <comodal/engine/host/conv3d_sizes.hpp>
#include <comodal/engine/host/transposed_converted.hpp>
#include <comodal/engine/joined_parts.hpp>
#include <comodal/engine/loops/rearrange.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

template <class T>
struct conv3d_forward_body {
  conv3d_sizes s;
  const T* x;
  const T* w;
  const T* bias;  // or null
  T* y;

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % s.co, ow = i / s.co % s.out[2], row = i / s.co / s.out[2];
    const index oh = row % s.out[1], od = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
    compute_type_t<T> sum = bias ? compute_type_t<T>(bias[c]) : compute_type_t<T>(0);
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
  const T *x, *dy;
  C* partial;  // (slabs, taps, in, out)
  index slabs;

  KOKKOS_INLINE_FUNCTION index rows() const { return s.batch * s.in[0] * s.in[1]; }

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

}  // namespace engine_detail

template <tensor_backend Backend>
struct engine_op<device_engine, conv3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;
  using arguments = conv3d_problem::arguments<T>;
  using plan_type = simple_plan;

  [[nodiscard]] static support supports(context<Backend>&, const conv3d_problem& p, direction) {
    if (p.groups != 1) return support::no("our device kernels convolve no groups of channels");
    if (p.slope != 1) return support::no("our device kernels have no activation behind a convolution");
    if (p.layout == filter_layout::out_in && !p.is_blocks())
      return support::no("our device kernels take filters as (KD, KH, KW, in, out)");
    return support::yes();
  }
  [[nodiscard]] static bool prefers(context<Backend>&, const conv3d_problem&, direction) { return true; }

  [[nodiscard]] static simple_plan make_plan(context<Backend>&, const conv3d_problem& p, direction) {
    simple_plan plan;
    plan.facts.deterministic = plan.facts.thread_invariant = true;
    plan.facts.algorithm = p.is_blocks() ? "blocks, one thread per output" : "one thread per output";
    plan.facts.joined = p.part_count > 1;
    return plan;
  }

  static void run(context<Backend>& ctx, const simple_plan&, const conv3d_problem& p, direction d, const arguments& a) {
    if (p.is_blocks()) return run_blocks(ctx, p, d, a);
    const engine_detail::joined_parts<Backend> x(ctx, p, d, a);
    const engine_detail::conv3d_sizes s(p);
    if (d == direction::forward) {
      for_elements(ctx.space(), p.output_shape().size(),
                   engine_detail::conv3d_forward_body<T>{s, x.data(), a.w, a.bias, a.y});
    } else if (d == direction::backward) {
      auto transposed = ctx.make(p.weight_shape());
      for_elements(ctx.space(), transposed.size(),
                   engine_detail::transpose_body<T>{a.w, transposed.data(), p.in_channels, p.out_channels});
      for_elements(ctx.space(), p.input_shape().size(),
                   engine_detail::conv3d_backward_data_body<T>{s, a.y, transposed.data(), x.data()});
      x.split();
    } else {
      const index rows = p.output_shape().product(0, 3);
      const index count = engine_detail::weight_slabs(rows * s.out[2], rows), size = p.weight_shape().size();
      auto partial = ctx.template make_of<C>({count, size});
      for_elements(ctx.space(), count * size,
                   engine_detail::conv3d_backward_weights_body<T>{s, x.data(), a.y, partial.data(), count});
      for_elements(ctx.space(), size, engine_detail::sum_slabs_body<C, T>{partial.data(), a.w, count, size});
    }
  }

 private:
  // The problem's forward direction is the gradient of the transposed convolution's input.
  static void run_blocks(context<Backend>& ctx, const conv3d_problem& problem, direction d, const arguments& a) {
    const engine_detail::transposed_conv3d p(problem);
    const engine_detail::conv_transpose3d_sizes s(p);
    T* const large = a.x[0].data;
    if (!large) return;  // a gradient that nobody wants
    if (d == direction::backward) {
      for_elements(ctx.space(), p.output_shape().size(),
                   engine_detail::conv_transpose3d_forward_body<T>{s, a.y, a.w, a.bias, large});
    } else if (d == direction::forward) {
      for_elements(ctx.space(), p.input_shape().size(),
                   engine_detail::conv_transpose3d_backward_data_body<T>{s, large, a.w, a.y});
    } else {
      constexpr index most = 16;
      const index count = std::min(most, p.batch * p.input[0] * p.input[1]), size = p.weight_shape().size();
      auto partial = ctx.template make_of<C>({count, size});
      for_elements(ctx.space(), count * size,
                   engine_detail::conv_transpose3d_backward_weights_body<T>{s, a.y, large, partial.data(), count});
      for_elements(ctx.space(), size, engine_detail::sum_slabs_body<C, T>{partial.data(), a.w, count, size});
    }
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
