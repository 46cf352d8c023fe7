// SPDX-License-Identifier: Apache-2.0
/// @file
/// Pooling over windows that do not overlap (window = stride), one output at a time.
#ifndef COMODAL_ENGINE_LOOPS_POOL3D_HPP
#define COMODAL_ENGINE_LOOPS_POOL3D_HPP

#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/problem/pool3d.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

struct pool3d_sizes {
  index in[3], out[3], window[3], channels;

  explicit pool3d_sizes(const pool3d_problem& p) : channels(p.channels) {
    const extent3 o = p.output();
    for (std::size_t a = 0; a < 3; ++a) {
      in[a] = p.input[a];
      out[a] = o[a];
      window[a] = p.window[a];
    }
  }
  // The first input voxel of the window of output row `row` (n, d, h, w).
  KOKKOS_INLINE_FUNCTION index corner(index row) const {
    const index w = row % out[2], h = row / out[2] % out[1], d = row / out[2] / out[1] % out[0],
                n = row / out[2] / out[1] / out[0];
    return ((n * in[0] + d * window[0]) * in[1] + h * window[1]) * in[2] + w * window[2];
  }
  KOKKOS_INLINE_FUNCTION index offset(index tap) const {
    const index w = tap % window[2], h = tap / window[2] % window[1], d = tap / window[2] / window[1];
    return (d * in[1] + h) * in[2] + w;
  }
  KOKKOS_INLINE_FUNCTION index taps() const { return window[0] * window[1] * window[2]; }
  // The output row that an input row belongs to and its tap, or -1 where no window reaches.
  KOKKOS_INLINE_FUNCTION index window_of(index row, index& tap) const {
    const index w = row % in[2], h = row / in[2] % in[1], d = row / in[2] / in[1] % in[0],
                n = row / in[2] / in[1] / in[0];
    tap = (d % window[0] * window[1] + h % window[1]) * window[2] + w % window[2];
    const index ow = w / window[2], oh = h / window[1], od = d / window[0];
    if (ow >= out[2] || oh >= out[1] || od >= out[0]) return -1;
    return ((n * out[0] + od) * out[1] + oh) * out[2] + ow;
  }
};

template <class T>
struct max_pool_forward_body {
  pool3d_sizes s;
  const T* x;
  T* y;
  std::uint8_t* chosen;
  KOKKOS_INLINE_FUNCTION void operator()(index, index r, index c) const {
    const T* in = x + s.corner(r) * s.channels + c;
    compute_type_t<T> best = in[0];
    std::uint8_t tap_of_best = 0;
    for (index tap = 1; tap < s.taps(); ++tap) {
      const compute_type_t<T> v = in[s.offset(tap) * s.channels];
      const bool larger = v > best;
      best = larger ? v : best;
      tap_of_best = larger ? static_cast<std::uint8_t>(tap) : tap_of_best;
    }
    y[r * s.channels + c] = T(best);
    chosen[r * s.channels + c] = tap_of_best;
  }
};

template <class T>
struct max_pool_backward_body {
  pool3d_sizes s;
  const T* dy;
  const std::uint8_t* chosen;
  T* dx;
  KOKKOS_INLINE_FUNCTION void operator()(index, index r, index c) const {
    index tap = 0;
    const index out = s.window_of(r, tap);
    const index i = r * s.channels + c, o = out * s.channels + c;
    dx[i] = out >= 0 && chosen[o] == static_cast<std::uint8_t>(tap) ? dy[o] : T(0);
  }
};

template <class T>
struct average_pool_forward_body {
  using C = compute_type_t<T>;
  pool3d_sizes s;
  const T* x;
  T* y;
  KOKKOS_INLINE_FUNCTION void operator()(index, index r, index c) const {
    const T* in = x + s.corner(r) * s.channels + c;
    C sum = 0;
    for (index tap = 0; tap < s.taps(); ++tap) sum += C(in[s.offset(tap) * s.channels]);
    y[r * s.channels + c] = T(sum / static_cast<C>(s.taps()));
  }
};

template <class T>
struct average_pool_backward_body {
  using C = compute_type_t<T>;
  pool3d_sizes s;
  const T* dy;
  T* dx;
  KOKKOS_INLINE_FUNCTION void operator()(index, index r, index c) const {
    index tap = 0;
    const index out = s.window_of(r, tap);
    dx[r * s.channels + c] = out >= 0 ? T(C(dy[out * s.channels + c]) / static_cast<C>(s.taps())) : T(0);
  }
};

}  // namespace engine_detail

template <class Engine, class Backend>
struct loop_op<Engine, pool3d_problem, Backend> : ready_op<Engine, pool3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const pool3d_problem& p, direction d,
                  const pool3d_problem::arguments<T>& a) {
    const engine_detail::pool3d_sizes s(p);
    const bool maximum = p.kind == pooling::maximum;
    if (d == direction::forward && maximum)
      for_rows(ctx.space(), 1, p.output_rows(), p.channels,
               engine_detail::max_pool_forward_body<T>{s, a.x, a.y, a.chosen});
    else if (d == direction::forward)
      for_rows(ctx.space(), 1, p.output_rows(), p.channels, engine_detail::average_pool_forward_body<T>{s, a.x, a.y});
    else if (maximum)
      for_rows(ctx.space(), 1, p.input_rows(), p.channels,
               engine_detail::max_pool_backward_body<T>{s, a.dy, a.chosen, a.dx});
    else
      for_rows(ctx.space(), 1, p.input_rows(), p.channels, engine_detail::average_pool_backward_body<T>{s, a.dy, a.dx});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
