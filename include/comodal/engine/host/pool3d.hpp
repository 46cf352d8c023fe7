// SPDX-License-Identifier: Apache-2.0
/// @file
/// Pooling over windows that do not overlap (window = stride), portable.
#ifndef COMODAL_ENGINE_HOST_POOL3D_HPP
#define COMODAL_ENGINE_HOST_POOL3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/problem/pool3d.hpp>

#include <algorithm>
#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

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

// Calls `body(lanes, corner, output)` for runs of channels of every window of a line of outputs (n, od, oh), on the
// host: the run's length as a compile-time constant, and the elements where the window's first voxel and the output
// begin.
template <class Body>
void pool_line(const pool3d_sizes& s, index line, const Body& body) {
  for (index r = line * s.out[2]; r < (line + 1) * s.out[2]; ++r) {
    const index corner = s.corner(r) * s.channels;
    in_lanes(s.channels, [&](index c, auto lanes) { body(lanes, corner + c, r * s.channels + c); });
  }
}

// Calls `body(element, tap)` for the voxels of a window, relative to its first one. D, H, W: its size where the
// compiler knows it, else 0.
template <int D, int H, int W, class Body>
inline void pool_window(const pool3d_sizes& s, const Body& body) {
  const index depth = D > 0 ? D : s.window[0], height = H > 0 ? H : s.window[1], width = W > 0 ? W : s.window[2];
  std::int32_t tap = 0;
  for (index d = 0; d < depth; ++d)
    for (index h = 0; h < height; ++h)
      for (index w = 0; w < width; ++w, ++tap) body(((d * s.in[1] + h) * s.in[2] + w) * s.channels, tap);
}

template <class T, int D, int H, int W>
struct max_pool_forward_line {
  using C = compute_type_t<T>;
  pool3d_sizes s;
  const T* x;
  T* y;
  std::uint8_t* chosen;

  void operator()(index line) const {
    pool_line(s, line, [this](auto lanes_of, index from, index to) {
      constexpr int lanes = decltype(lanes_of)::value;
      C best[lanes];
      std::int32_t at[lanes] = {};
      for (int l = 0; l < lanes; ++l) best[l] = x[from + l];
      pool_window<D, H, W>(s, [&](index element, std::int32_t tap) {
        const T* const v = x + from + element;
#pragma omp simd
        for (int l = 0; l < lanes; ++l) {
          const C u = v[l];
          const std::int32_t larger =
              -static_cast<std::int32_t>(u > best[l]);  // all bits or none: a choice would become a branch
          at[l] = (tap & larger) | (at[l] & ~larger);
          best[l] = u > best[l] ? u : best[l];
        }
      });
      for (int l = 0; l < lanes; ++l) {
        y[to + l] = exactly<T>(best[l]);
        chosen[to + l] = static_cast<std::uint8_t>(at[l]);
      }
    });
  }
};

template <class T>
struct average_pool_forward_line {
  using C = compute_type_t<T>;
  pool3d_sizes s;
  const T* x;
  T* y;

  void operator()(index line) const {
    const C taps = static_cast<C>(s.taps());
    pool_line(s, line, [this, taps](auto lanes_of, index from, index to) {
      constexpr int lanes = decltype(lanes_of)::value;
      C sum[lanes] = {};
      pool_window<0, 0, 0>(s, [&](index element, std::int32_t) {
        const T* const v = x + from + element;
#pragma omp simd
        for (int l = 0; l < lanes; ++l) sum[l] += C(v[l]);
      });
      for (int l = 0; l < lanes; ++l) y[to + l] = stored<T>(sum[l] / taps);
    });
  }
};

// One line of inputs (n, d, h) on the host.
template <class T>
struct max_pool_backward_line {
  pool3d_sizes s;
  const T* dy;
  const std::uint8_t* chosen;
  T* dx;
  void operator()(index line) const {
    const index first = line * s.in[2];
    index tap = 0;
    const index out = s.window_of(first, tap);  // of w = 0; its taps follow each other along the line
    for (index w = 0; w < s.in[2]; ++w) {
      T* to = dx + (first + w) * s.channels;
      const index ow = w / s.window[2];
      if (out < 0 || ow >= s.out[2]) {
        std::fill_n(to, s.channels, T(0));
        continue;
      }
      const T* from = dy + (out + ow) * s.channels;
      const std::uint8_t* of = chosen + (out + ow) * s.channels;
      const auto mine = static_cast<std::uint8_t>(tap + w % s.window[2]);
#pragma omp simd
      for (index c = 0; c < s.channels; ++c) to[c] = value_or_zero(of[c] == mine, from[c]);
    }
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

}  // namespace detail

/// Portable pooling; see `pool3d_problem` for shapes. Ties of a maximum go to the first voxel of the window.
template <tensor_backend Backend>
struct portable_pool3d {
  using T = typename Backend::scalar_type;

  /// `chosen` has the shape of y: which voxel of its window each maximum is; backward needs it.
  static void max_pool3d_forward(context<Backend>& ctx, const pool3d_problem& p, const T* x, T* y,
                                 std::uint8_t* chosen) {
    const detail::pool3d_sizes s(p);
    if constexpr (is_host_v<typename Backend::space_type>) {
      const index lines = p.output_rows() / s.out[2];
      if (p.window == extent3{2, 2, 2})
        for_tasks(ctx.space(), lines, detail::max_pool_forward_line<T, 2, 2, 2>{s, x, y, chosen});
      else if (p.window == extent3{1, 2, 2})
        for_tasks(ctx.space(), lines, detail::max_pool_forward_line<T, 1, 2, 2>{s, x, y, chosen});
      else
        for_tasks(ctx.space(), lines, detail::max_pool_forward_line<T, 0, 0, 0>{s, x, y, chosen});
    } else {
      for_rows(ctx.space(), 1, p.output_rows(), p.channels, detail::max_pool_forward_body<T>{s, x, y, chosen});
    }
  }
  static void max_pool3d_backward(context<Backend>& ctx, const pool3d_problem& p, const T* dy,
                                  const std::uint8_t* chosen, T* dx) {
    const detail::pool3d_sizes s(p);
    if constexpr (is_host_v<typename Backend::space_type>)
      for_tasks(ctx.space(), p.input_rows() / s.in[2], detail::max_pool_backward_line<T>{s, dy, chosen, dx});
    else
      for_rows(ctx.space(), 1, p.input_rows(), p.channels, detail::max_pool_backward_body<T>{s, dy, chosen, dx});
  }
  static void average_pool3d_forward(context<Backend>& ctx, const pool3d_problem& p, const T* x, T* y) {
    const detail::pool3d_sizes s(p);
    if constexpr (is_host_v<typename Backend::space_type>)
      host_loop(p.output_rows() / s.out[2], p.input_rows() * p.channels > serial_limit,
                detail::average_pool_forward_line<T>{s, x, y});
    else
      for_rows(ctx.space(), 1, p.output_rows(), p.channels, detail::average_pool_forward_body<T>{s, x, y});
  }
  static void average_pool3d_backward(context<Backend>& ctx, const pool3d_problem& p, const T* dy, T* dx) {
    for_rows(ctx.space(), 1, p.input_rows(), p.channels,
             detail::average_pool_backward_body<T>{detail::pool3d_sizes(p), dy, dx});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
