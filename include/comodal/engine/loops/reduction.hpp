// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sums and maxima over one axis.
#ifndef COMODAL_ENGINE_LOOPS_REDUCTION_HPP
#define COMODAL_ENGINE_LOOPS_REDUCTION_HPP

#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/problem/reduction.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

template <class T>
struct sum_rows_body {
  const T* x;
  index rows, channels;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c, Sums&& sums) const {
    sums[0] += static_cast<double>(x[(g * rows + r) * channels + c]);
  }
};

template <class T>
struct max_axis_body {
  const T* x;
  T* y;
  std::int32_t* chosen;
  index extent, inner;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index base = i / inner * extent * inner + i % inner;
    compute_type_t<T> best = x[base];
    std::int32_t at = 0;
    for (index k = 1; k < extent; ++k)
      if (x[base + k * inner] > best) {
        best = x[base + k * inner];
        at = static_cast<std::int32_t>(k);
      }
    y[i] = T(best);
    chosen[i] = at;
  }
};

template <class T>
struct max_axis_backward_body {
  const T* dy;
  const std::int32_t* chosen;
  T* dx;
  index extent, inner;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index o = i / inner / extent * inner + i % inner;
    dx[i] = chosen[o] == static_cast<std::int32_t>(i / inner % extent) ? dy[o] : T(0);
  }
};

}  // namespace engine_detail

template <class Engine, class Backend>
struct loop_op<Engine, sum_axis_problem, Backend> : ready_op<Engine, sum_axis_problem, Backend> {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;
  static void run(context<Backend>& ctx, const simple_plan&, const sum_axis_problem& p, direction,
                  const sum_axis_problem::arguments<T>& a) {
    // A long contiguous sum is laid out as rows of 16 first, so that it vectorises.
    if (p.inner == 1 && p.extent % 16 == 0 && p.extent >= 256) {
      auto lanes = ctx.template make_of<C>({p.outer, 16});
      sum_rows(ctx, p.outer, p.extent / 16, 16, a.x, lanes.data());
      return sum_rows(ctx, p.outer, 16, 1, static_cast<const C*>(lanes.data()), a.y);
    }
    sum_rows(ctx, p.outer, p.extent, p.inner, a.x, a.y);
  }

 private:
  template <class From, class To>
  static void sum_rows(context<Backend>& ctx, index outer, index extent, index inner, const From* x, To* y) {
    auto scratch =
        ctx.template make_of<double>({reduce_rows_scratch<typename Backend::space_type>(1, outer, extent, inner)});
    reduce_rows<1>(ctx.space(), outer, extent, inner, engine_detail::sum_rows_body<From>{x, extent, inner},
                   scratch.data(), y);
  }
};

template <class Engine, class Backend>
struct loop_op<Engine, max_axis_problem, Backend> : ready_op<Engine, max_axis_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const max_axis_problem& p, direction d,
                  const max_axis_problem::arguments<T>& a) {
    if (d == direction::forward)
      for_elements(ctx.space(), p.outer * p.inner,
                   engine_detail::max_axis_body<T>{a.x, a.y, a.chosen, p.extent, p.inner});
    else
      for_elements(ctx.space(), p.outer * p.extent * p.inner,
                   engine_detail::max_axis_backward_body<T>{a.dy, a.chosen, a.dx, p.extent, p.inner});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
