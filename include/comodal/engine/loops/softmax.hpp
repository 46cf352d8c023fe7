// SPDX-License-Identifier: Apache-2.0
/// @file
/// Soft-max over one axis, with an optional mask, one position at a time.
#ifndef COMODAL_ENGINE_LOOPS_SOFTMAX_HPP
#define COMODAL_ENGINE_LOOPS_SOFTMAX_HPP

#include <comodal/core/vector_math.hpp>
#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/problem/softmax.hpp>

#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

// One (outer, inner) position. The mask is (groups, extent), one group for `outer / groups` consecutive outers.
template <class T>
struct softmax_forward_body {
  using C = compute_type_t<T>;
  const T* x;
  const T* mask;  // may be null
  T* y;
  index extent, inner, outers_per_group;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index o = i / inner, base = o * extent * inner + i % inner;
    const T* m = mask ? mask + o / outers_per_group * extent : nullptr;
    C largest = 0;
    bool any = false;
    for (index k = 0; k < extent; ++k) {
      if (m && C(m[k]) == C(0)) continue;
      const C v = x[base + k * inner];
      largest = !any || v > largest ? v : largest;
      any = true;
    }
    C sum = 0;
    if constexpr (std::is_same_v<T, C>) {
      for (index k = 0; k < extent; ++k) sum += y[base + k * inner] = exponential(m, k, base, largest);
      const C scale = any ? C(1) / sum : C(0);
      for (index k = 0; k < extent; ++k) y[base + k * inner] *= scale;
    } else {  // what y holds would be rounded twice
      constexpr index most = 8;
      C kept[most];
      for (index k = 0; k < extent; ++k) {
        const C v = exponential(m, k, base, largest);
        if (k < most) kept[k] = v;
        sum += v;
      }
      const C scale = any ? C(1) / sum : C(0);
      for (index k = 0; k < extent; ++k)
        y[base + k * inner] = T((k < most ? kept[k] : exponential(m, k, base, largest)) * scale);
    }
  }
  KOKKOS_INLINE_FUNCTION C exponential(const T* m, index k, index base, C largest) const {
    return m && C(m[k]) == C(0) ? C(0) : vector_exp(C(x[base + k * inner]) - largest);
  }
};

template <class T>
struct softmax_backward_body {
  using C = compute_type_t<T>;
  const T *y, *dy;
  T* dx;
  index extent, inner;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index base = i / inner * extent * inner + i % inner;
    C dot = 0;
    for (index k = 0; k < extent; ++k) dot += C(y[base + k * inner]) * C(dy[base + k * inner]);
    for (index k = 0; k < extent; ++k)
      dx[base + k * inner] = T(C(y[base + k * inner]) * (C(dy[base + k * inner]) - dot));
  }
};

}  // namespace engine_detail

template <class Engine, class Backend>
struct loop_op<Engine, softmax_problem, Backend> : ready_op<Engine, softmax_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const softmax_problem& p, direction d,
                  const softmax_problem::arguments<T>& a) {
    if (d == direction::forward)
      for_elements(ctx.space(), p.outer * p.inner,
                   engine_detail::softmax_forward_body<T>{a.x, a.mask, a.y, p.extent, p.inner, p.outer / p.groups});
    else
      for_elements(ctx.space(), p.outer * p.inner,
                   engine_detail::softmax_backward_body<T>{a.y, a.dy, a.dx, p.extent, p.inner});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
