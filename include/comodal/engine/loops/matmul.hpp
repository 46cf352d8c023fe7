// SPDX-License-Identifier: Apache-2.0
/// @file
/// Batched matrix products, one element at a time.
#ifndef COMODAL_ENGINE_LOOPS_MATMUL_HPP
#define COMODAL_ENGINE_LOOPS_MATMUL_HPP

#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/loops/rearrange.hpp>
#include <comodal/engine/problem/matmul.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

template <class T>
struct matmul_body {
  index rows, columns, inner;
  const T* a;
  const T* b;
  T* c;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index j = i % columns, r = i / columns % rows, batch = i / columns / rows;
    using C = compute_type_t<T>;
    C sum = 0;
    for (index k = 0; k < inner; ++k)
      sum += C(a[(batch * rows + r) * inner + k]) * C(b[(batch * inner + k) * columns + j]);
    c[i] = T(sum);
  }
};

// The operands of a product as (batch, rows, inner) and (batch, inner, columns): themselves, or transposed copies.
template <tensor_backend Backend>
struct straight_operands {
  using T = typename Backend::scalar_type;
  typename context<Backend>::tensor_type a_copy, b_copy;
  const T *a, *b;

  straight_operands(context<Backend>& ctx, const matmul_problem& p, const matmul_problem::arguments<T>& of)
      : a(of.a), b(of.b) {
    if (p.transpose_a) {
      a_copy = ctx.make({p.batch, p.rows, p.inner});
      for_elements(ctx.space(), a_copy.size(), transpose_body<T>{a, a_copy.data(), p.inner, p.rows});
      a = a_copy.data();
    }
    if (p.transpose_b) {
      b_copy = ctx.make({p.batch, p.inner, p.columns});
      for_elements(ctx.space(), b_copy.size(), transpose_body<T>{b, b_copy.data(), p.columns, p.inner});
      b = b_copy.data();
    }
  }
};

}  // namespace engine_detail

template <class Engine, class Backend>
struct loop_op<Engine, matmul_problem, Backend> : ready_op<Engine, matmul_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const matmul_problem& p, direction,
                  const matmul_problem::arguments<T>& a) {
    const engine_detail::straight_operands<Backend> of(ctx, p, a);
    for_elements(ctx.space(), p.batch * p.rows * p.columns,
                 engine_detail::matmul_body<T>{p.rows, p.columns, p.inner, of.a, of.b, a.c});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
