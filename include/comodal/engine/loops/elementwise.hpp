// SPDX-License-Identifier: Apache-2.0
/// @file
/// Elementwise functions of one and two tensors (with broadcasting), casts, copies of blocks, and kernels of layers
/// above.
#ifndef COMODAL_ENGINE_LOOPS_ELEMENTWISE_HPP
#define COMODAL_ENGINE_LOOPS_ELEMENTWISE_HPP

#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/loops/rearrange.hpp>
#include <comodal/engine/problem/elementwise.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

// Functions are given, and return, what is computed with: float for bfloat16.
template <class T, class Function>
struct unary_forward_body {
  using C = compute_type_t<T>;
  Function f;
  const T* x;
  T* y;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { y[i] = T(f.value(C(x[i]))); }
};

template <class T, class Function>
struct unary_backward_body {
  using C = compute_type_t<T>;
  Function f;
  const T *x, *y, *dy;
  T* dx;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { dx[i] = T(C(dy[i]) * f.derivative(C(x[i]), C(y[i]))); }
};

template <class T, class Function>
struct binary_flat_body {
  using C = compute_type_t<T>;
  Function f;
  const T *a, *b;
  T* y;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { y[i] = T(f.value(C(a[i]), C(b[i]))); }
};

template <class T, class Function>
struct binary_rows_body {
  using C = compute_type_t<T>;
  Function f;
  broadcast_plan plan;
  const T *a, *b;
  T* y;
  KOKKOS_INLINE_FUNCTION void operator()(index, index r, index c) const {
    index ia = 0, ib = 0;
    plan.offsets(r, ia, ib);
    y[r * plan.inner + c] = T(f.value(C(a[ia + c * plan.a_step]), C(b[ib + c * plan.b_step])));
  }
};

template <class T>
struct fill_body {
  T* to;
  T value;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = value; }
};

}  // namespace engine_detail

template <class Engine, class Function, class Backend>
struct loop_op<Engine, unary_problem<Function>, Backend> : ready_op<Engine, unary_problem<Function>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const unary_problem<Function>& p, direction d,
                  const typename unary_problem<Function>::template arguments<T>& a) {
    if (d == direction::forward)
      for_elements(ctx.space(), p.count, engine_detail::unary_forward_body<T, Function>{a.f, a.x, a.out});
    else if constexpr (requires(compute_type_t<T> v) { a.f.derivative(v, v); })
      for_elements(ctx.space(), p.count, engine_detail::unary_backward_body<T, Function>{a.f, a.x, a.y, a.dy, a.out});
  }
};

template <class Engine, class Function, class Backend>
struct loop_op<Engine, binary_problem<Function>, Backend> : ready_op<Engine, binary_problem<Function>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const binary_problem<Function>& p, direction,
                  const typename binary_problem<Function>::template arguments<T>& a) {
    const broadcast_plan plan(p.a_shape, p.b_shape);
    if (plan.same())
      return for_elements(ctx.space(), plan.inner, engine_detail::binary_flat_body<T, Function>{a.f, a.a, a.b, a.y});
    if (plan.rows * plan.inner <= 0) return;
    for_rows(ctx.space(), 1, plan.rows, plan.inner,
             engine_detail::binary_rows_body<T, Function>{a.f, plan, a.a, a.b, a.y});
  }
};

template <class Engine, class From, class Backend>
struct loop_op<Engine, cast_problem<From>, Backend> : ready_op<Engine, cast_problem<From>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const cast_problem<From>& p, direction,
                  const typename cast_problem<From>::template arguments<T>& a) {
    engine_detail::convert(ctx.space(), p.count, a.from, a.to);
  }
};

template <class Engine, class Backend>
struct loop_op<Engine, fill_problem, Backend> : ready_op<Engine, fill_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const fill_problem& p, direction,
                  const fill_problem::arguments<T>& a) {
    for_elements(ctx.space(), p.count, engine_detail::fill_body<T>{a.to, a.value});
  }
};

template <class Engine, class Backend>
struct loop_op<Engine, copy_block_problem, Backend> : ready_op<Engine, copy_block_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const copy_block_problem& p, direction,
                  const copy_block_problem::arguments<T>& a) {
    if (p.adds)
      for_rows(ctx.space(), 1, p.rows, p.width,
               engine_detail::copy_block_body<T, true>{a.from, a.to, p.from_pitch, p.to_pitch});
    else
      for_rows(ctx.space(), 1, p.rows, p.width,
               engine_detail::copy_block_body<T, false>{a.from, a.to, p.from_pitch, p.to_pitch});
  }
};

template <class Engine, class Body, class Backend>
struct loop_op<Engine, each_problem<Body>, Backend> : ready_op<Engine, each_problem<Body>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const each_problem<Body>& p, direction,
                  const typename each_problem<Body>::template arguments<T>& a) {
    for_elements(ctx.space(), p.count, a.body);
  }
};

template <class Engine, class Body, class Backend>
struct loop_op<Engine, each_row_problem<Body>, Backend> : ready_op<Engine, each_row_problem<Body>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const each_row_problem<Body>& p, direction,
                  const typename each_row_problem<Body>::template arguments<T>& a) {
    for_rows(ctx.space(), p.groups, p.rows, p.channels, a.body);
  }
};

template <class Engine, int Sums, class Body, class Backend>
struct loop_op<Engine, row_sums_problem<Sums, Body>, Backend>
    : ready_op<Engine, row_sums_problem<Sums, Body>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const row_sums_problem<Sums, Body>& p, direction,
                  const typename row_sums_problem<Sums, Body>::template arguments<T>& a) {
    auto scratch = ctx.template make_of<double>(
        {reduce_rows_scratch<typename Backend::space_type>(Sums, p.groups, p.rows, p.channels)});
    reduce_rows<Sums>(ctx.space(), p.groups, p.rows, p.channels, a.body, scratch.data(), a.out);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
