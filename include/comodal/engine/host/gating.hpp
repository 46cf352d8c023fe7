// SPDX-License-Identifier: Apache-2.0
/// @file
/// Maps weighted by voxel or by a learned gate, each in one pass over memory, portable.
#ifndef COMODAL_ENGINE_HOST_GATING_HPP
#define COMODAL_ENGINE_HOST_GATING_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/host/vector_math.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

// Column m of weights (N, M), or (N, voxels, M) where `a_voxel`.
template <class T>
struct weight_column {
  const T* weights;
  index modalities, m, voxels;
  bool a_voxel;
  KOKKOS_INLINE_FUNCTION compute_type_t<T> at(index g, index r) const {
    return weights[(a_voxel ? g * voxels + r : g) * modalities + m];
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

}  // namespace detail

template <tensor_backend Backend>
struct portable_gating {
  using T = typename Backend::scalar_type;

  /// y = w x: x, y (groups, voxels, channels), w column m of weights (groups, modalities), or (groups, voxels,
  /// modalities) where `a_voxel`.
  static void weigh_forward(context<Backend>& ctx, index groups, index voxels, index channels, index modalities,
                            index m, bool a_voxel, const T* x, const T* weights, T* y) {
    for_rows(ctx.space(), groups, voxels, channels,
             detail::weigh_forward_body<T>{{weights, modalities, m, voxels, a_voxel}, x, y, channels});
  }
  /// dx = w d; column m of dweights (groups, voxels, modalities) = <x, d> over channels, unless it is null.
  static void weigh_backward(context<Backend>& ctx, index groups, index voxels, index channels, index modalities,
                             index m, bool a_voxel, const T* x, const T* weights, const T* d, T* dx, T* dweights) {
    const detail::weigh_backward_body<T> body{{weights, modalities, m, voxels, a_voxel}, x, d, dx, dweights, channels};
    using task = detail::voxel_block_task<detail::weigh_backward_body<T>>;
    if constexpr (is_host_v<typename Backend::space_type>)
      for_tasks(ctx.space(), (groups * voxels + task::grain - 1) / task::grain, task{body, groups * voxels});
    else
      for_elements(ctx.space(), groups * voxels, body);
  }

  /// y = x + sigmoid(gate) r gamma: all (rows, channels), gamma (channels).
  static void gated_add_forward(context<Backend>& ctx, index rows, index channels, const T* x, const T* gate,
                                const T* r, const T* gamma, T* y) {
    for_numbered_rows<1>(ctx.space(), 1, rows, channels, gamma, detail::gated_add_forward_body<T>{x, gate, r, y});
  }
  /// Gradients of the above but that of x, which is dy itself.
  static void gated_add_backward(context<Backend>& ctx, index rows, index channels, const T* gate, const T* r,
                                 const T* gamma, const T* dy, T* dgate, T* dr, T* dgamma) {
    auto scratch = ctx.template make_of<double>({reduce_rows_scratch(1, 1, rows, channels)});
    reduce_rows<1>(ctx.space(), 1, rows, channels,
                   detail::gated_add_backward_body<T>{gate, r, gamma, dy, dgate, dr, channels}, scratch.data(), dgamma);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
