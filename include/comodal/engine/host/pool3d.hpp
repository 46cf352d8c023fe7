// SPDX-License-Identifier: Apache-2.0
/// @file
/// Pooling on the host, a line of voxels at a time.
#ifndef COMODAL_ENGINE_HOST_POOL3D_HPP
#define COMODAL_ENGINE_HOST_POOL3D_HPP

#include <comodal/engine/host/engine.hpp>
#include <comodal/engine/loops/pool3d.hpp>

#include <algorithm>
#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

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
    index tap = 0;
    const index out = s.window_of(line * s.in[2], tap);  // of w = 0; its taps follow each other along the line
    T* to = dx + line * s.in[2] * s.channels;
    if (out < 0) {
      std::fill_n(to, s.in[2] * s.channels, T(0));
      return;
    }
    for (index ow = 0; ow < s.out[2]; ++ow)
      for (index kw = 0; kw < s.window[2]; ++kw, to += s.channels)
        voxel(dy + (out + ow) * s.channels, chosen + (out + ow) * s.channels, static_cast<std::uint8_t>(tap + kw), to);
    std::fill_n(to, (s.in[2] - s.out[2] * s.window[2]) * s.channels, T(0));
  }

 private:
  void voxel(const T* from, const std::uint8_t* of, std::uint8_t mine, T* to) const {
    in_lanes(s.channels, [=](index c, auto lanes_of) {
      constexpr int lanes = decltype(lanes_of)::value;
#pragma omp simd
      for (int l = 0; l < lanes; ++l) to[c + l] = value_or_zero(of[c + l] == mine, from[c + l]);
    });
  }
};

}  // namespace engine_detail

template <tensor_backend Backend>
struct engine_op<host_engine, pool3d_problem, Backend> : ready_op<host_engine, pool3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  using arguments = pool3d_problem::arguments<T>;

  static void run(context<Backend>& ctx, const simple_plan& plan, const pool3d_problem& p, direction d,
                  const arguments& a) {
    const engine_detail::pool3d_sizes s(p);
    const bool maximum = p.kind == pooling::maximum;
    const index lines = p.output_rows() / s.out[2];
    if (d == direction::forward && maximum && p.window == extent3{2, 2, 2})
      for_tasks(ctx.space(), lines, engine_detail::max_pool_forward_line<T, 2, 2, 2>{s, a.x, a.y, a.chosen});
    else if (d == direction::forward && maximum && p.window == extent3{1, 2, 2})
      for_tasks(ctx.space(), lines, engine_detail::max_pool_forward_line<T, 1, 2, 2>{s, a.x, a.y, a.chosen});
    else if (d == direction::forward && maximum)
      for_tasks(ctx.space(), lines, engine_detail::max_pool_forward_line<T, 0, 0, 0>{s, a.x, a.y, a.chosen});
    else if (d == direction::forward)
      host_loop(lines, p.input_rows() * p.channels > serial_limit,
                engine_detail::average_pool_forward_line<T>{s, a.x, a.y});
    else if (maximum)
      for_tasks(ctx.space(), p.input_rows() / s.in[2],
                engine_detail::max_pool_backward_line<T>{s, a.dy, a.chosen, a.dx});
    else
      loop_op<host_engine, pool3d_problem, Backend>::run(ctx, plan, p, d, a);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
