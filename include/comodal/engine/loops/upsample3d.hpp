// SPDX-License-Identifier: Apache-2.0
/// @file
/// Trilinear up-sampling by whole factors and its adjoint, one voxel at a time.
#ifndef COMODAL_ENGINE_LOOPS_UPSAMPLE3D_HPP
#define COMODAL_ENGINE_LOOPS_UPSAMPLE3D_HPP

#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/problem/pool3d.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

struct upsample3d_sizes {
  index in[3], factor[3], channels;

  explicit upsample3d_sizes(const upsample3d_problem& p) : channels(p.channels) {
    for (std::size_t a = 0; a < 3; ++a) {
      in[a] = p.input[a];
      factor[a] = p.factor[a];
    }
  }

  // Output o of an axis is (1 - t) in[low] + t in[low + 1], with low + 1 clamped.
  KOKKOS_INLINE_FUNCTION index low(int axis, index o, double& t) const {
    double position = (static_cast<double>(o) + 0.5) / static_cast<double>(factor[axis]) - 0.5;
    if (position < 0) position = 0;
    index l = static_cast<index>(position);
    if (l > in[axis] - 1) l = in[axis] - 1;
    t = position - static_cast<double>(l);
    return l;
  }
  // The weight of input i in output o of an axis.
  KOKKOS_INLINE_FUNCTION double weight(int axis, index o, index i) const {
    double t = 0;
    const index l = low(axis, o, t), h = l + 1 < in[axis] ? l + 1 : l;
    return (l == i ? 1 - t : 0.0) + (h == i ? t : 0.0);
  }
  // Outputs that input i may reach along an axis: [first, last).
  KOKKOS_INLINE_FUNCTION index first(int axis, index i) const { return i > 0 ? (i - 1) * factor[axis] : 0; }
  KOKKOS_INLINE_FUNCTION index last(int axis, index i) const {
    const index l = (i + 2) * factor[axis], end = in[axis] * factor[axis];
    return l < end ? l : end;
  }
};

template <class T>
struct upsample3d_forward_body {
  using C = compute_type_t<T>;
  upsample3d_sizes s;
  const T* x;
  T* y;
  KOKKOS_INLINE_FUNCTION void operator()(index, index r, index c) const {
    const index out[3] = {s.in[0] * s.factor[0], s.in[1] * s.factor[1], s.in[2] * s.factor[2]};
    const index position[3] = {r / out[2] / out[1] % out[0], r / out[2] % out[1], r % out[2]};
    const index n = r / out[2] / out[1] / out[0];
    double t[3];
    index l[3], h[3];
    for (int a = 0; a < 3; ++a) {
      l[a] = s.low(a, position[a], t[a]);
      h[a] = l[a] + 1 < s.in[a] ? l[a] + 1 : l[a];
    }
    C sum = 0;
    for (int corner = 0; corner < 8; ++corner) {
      const bool d = corner & 4, v = corner & 2, w = corner & 1;
      const double weight = (d ? t[0] : 1 - t[0]) * (v ? t[1] : 1 - t[1]) * (w ? t[2] : 1 - t[2]);
      const index row = ((n * s.in[0] + (d ? h[0] : l[0])) * s.in[1] + (v ? h[1] : l[1])) * s.in[2] + (w ? h[2] : l[2]);
      sum += static_cast<C>(weight) * C(x[row * s.channels + c]);
    }
    y[r * s.channels + c] = T(sum);
  }
};

template <class T>
struct upsample3d_backward_body {
  using C = compute_type_t<T>;
  upsample3d_sizes s;
  const T* dy;
  T* dx;
  KOKKOS_INLINE_FUNCTION void operator()(index, index r, index c) const {
    const index i[3] = {r / s.in[2] / s.in[1] % s.in[0], r / s.in[2] % s.in[1], r % s.in[2]};
    const index n = r / s.in[2] / s.in[1] / s.in[0];
    C sum = 0;
    for (index d = s.first(0, i[0]); d < s.last(0, i[0]); ++d) {
      const double wd = s.weight(0, d, i[0]);
      if (wd == 0) continue;
      for (index h = s.first(1, i[1]); h < s.last(1, i[1]); ++h) {
        const double wh = wd * s.weight(1, h, i[1]);
        if (wh == 0) continue;
        for (index w = s.first(2, i[2]); w < s.last(2, i[2]); ++w) {
          const index row = ((n * s.in[0] * s.factor[0] + d) * s.in[1] * s.factor[1] + h) * s.in[2] * s.factor[2] + w;
          sum += static_cast<C>(wh * s.weight(2, w, i[2])) * C(dy[row * s.channels + c]);
        }
      }
    }
    dx[r * s.channels + c] = T(sum);
  }
};

}  // namespace engine_detail

template <class Engine, class Backend>
struct loop_op<Engine, upsample3d_problem, Backend> : ready_op<Engine, upsample3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const upsample3d_problem& p, direction d,
                  const upsample3d_problem::arguments<T>& a) {
    const engine_detail::upsample3d_sizes s(p);
    if (d == direction::forward)
      for_rows(ctx.space(), 1, p.output_rows(), p.channels, engine_detail::upsample3d_forward_body<T>{s, a.from, a.to});
    else
      for_rows(ctx.space(), 1, p.input_rows(), p.channels, engine_detail::upsample3d_backward_body<T>{s, a.from, a.to});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
