// SPDX-License-Identifier: Apache-2.0
/// @file
/// Maps weighted by voxel or by a learned gate, each in one pass over memory.
#ifndef COMODAL_ENGINE_LOOPS_GATING_HPP
#define COMODAL_ENGINE_LOOPS_GATING_HPP

#include <comodal/core/vector_math.hpp>
#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/problem/gating.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

// Column m of weights (N, M), or (N, voxels, M) where `per_voxel`.
template <class T>
struct weight_column {
  const T* weights;
  index modalities, m, voxels;
  bool per_voxel;
  KOKKOS_INLINE_FUNCTION compute_type_t<T> at(index g, index r) const {
    return weights[(per_voxel ? g * voxels + r : g) * modalities + m];
  }
};

template <class T>
struct weigh_forward_body {
  weight_column<T> weight;
  const T* x;
  T* y;
  index channels;
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c) const {
    const index i = (g * weight.voxels + r) * channels + c;
    y[i] = T(weight.at(g, r) * x[i]);
  }
};

// dx = w d and dw = <x, d> over the channels of a voxel.
template <class T>
struct weigh_backward_body {
  using C = compute_type_t<T>;
  weight_column<T> weight;
  const T *x, *d;
  T *dx, *dweights;  // dweights may be null
  index channels;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const C w = weight.at(i / weight.voxels, i % weight.voxels);
    const T *from = x + i * channels, *gradient = d + i * channels;
    T* to = dx + i * channels;
    C dot = 0;
    index c = 0;
    for (; c + 8 <= channels; c += 8) dot += some<8>(w, from + c, gradient + c, to + c);
    for (; c < channels; ++c) dot += some<1>(w, from + c, gradient + c, to + c);
    if (dweights) dweights[i * weight.modalities + weight.m] = T(dot);
  }

 private:
  template <int Channels>
  KOKKOS_INLINE_FUNCTION static C some(C w, const T* from, const T* gradient, T* to) {
    C dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int c = 0; c < Channels; ++c) {
      dot += C(from[c]) * C(gradient[c]);
      to[c] = stored<T>(w * C(gradient[c]));
    }
    return dot;
  }
};

template <class T>
KOKKOS_INLINE_FUNCTION T gate_of(T g) {
  const T e = vector_exp(-math::fabs(g));
  return g >= T(0) ? T(1) / (T(1) + e) : e / (T(1) + e);
}

template <class T>
struct gated_add_forward_body {
  using C = compute_type_t<T>;
  const T *x, *gate, *r;
  T* y;
  template <class Numbers>
  KOKKOS_INLINE_FUNCTION void operator()(index i, const Numbers& gamma) const {
    y[i] = stored<T>(C(x[i]) + gate_of(C(gate[i])) * C(r[i]) * C(gamma[0]));
  }
};

// The gradients of gate and r, and the sum that is gamma's.
template <class T>
struct gated_add_backward_body {
  using C = compute_type_t<T>;
  const T *gate, *r, *gamma, *dy;
  T *dgate, *dr;
  index channels;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index, index row, index c, Sums&& sums) const {
    const index i = row * channels + c;
    const C s = gate_of(C(gate[i])), d = C(dy[i]) * C(gamma[c]);
    dgate[i] = stored<T>(d * C(r[i]) * s * (C(1) - s));
    dr[i] = stored<T>(d * s);
    sums[0] += static_cast<double>(C(dy[i]) * C(r[i]) * s);
  }
};

template <class Body>
struct voxel_block_task {
  Body body;
  index count;
  static constexpr index grain = 4096;
  void operator()(index block) const {
    const Body own = body;
    for (index i = block * grain; i < std::min((block + 1) * grain, count); ++i) own(i);
  }
};

}  // namespace engine_detail

template <class Engine, class Backend>
struct loop_op<Engine, weigh_problem, Backend> : ready_op<Engine, weigh_problem, Backend> {
  using T = typename Backend::scalar_type;
  using backward_body = engine_detail::weigh_backward_body<T>;
  using block_task = engine_detail::voxel_block_task<backward_body>;

  static void run(context<Backend>& ctx, const simple_plan&, const weigh_problem& p, direction d,
                  const weigh_problem::arguments<T>& a) {
    const engine_detail::weight_column<T> weight{a.weights, p.modalities, p.modality, p.voxels, p.per_voxel};
    if (d == direction::forward)
      return for_rows(ctx.space(), p.groups, p.voxels, p.channels,
                      engine_detail::weigh_forward_body<T>{weight, a.x, a.y, p.channels});
    const backward_body body{weight, a.x, a.dy, a.dx, a.dweights, p.channels};
    const index voxels = p.groups * p.voxels;
    if constexpr (is_host_v<typename Backend::space_type>)
      for_tasks(ctx.space(), (voxels + block_task::grain - 1) / block_task::grain, block_task{body, voxels});
    else
      for_elements(ctx.space(), voxels, body);
  }
};

template <class Engine, class Backend>
struct loop_op<Engine, gated_add_problem, Backend> : ready_op<Engine, gated_add_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const gated_add_problem& p, direction d,
                  const gated_add_problem::arguments<T>& a) {
    if (d == direction::forward)
      return for_numbered_rows<1>(ctx.space(), 1, p.rows, p.channels, a.gamma,
                                  engine_detail::gated_add_forward_body<T>{a.x, a.gate, a.r, a.y});
    auto scratch =
        ctx.template make_of<double>({reduce_rows_scratch<typename Backend::space_type>(1, 1, p.rows, p.channels)});
    reduce_rows<1>(ctx.space(), 1, p.rows, p.channels,
                   engine_detail::gated_add_backward_body<T>{a.gate, a.r, a.gamma, a.dy, a.dgate, a.dr, p.channels},
                   scratch.data(), a.dgamma);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
