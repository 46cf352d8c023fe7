// SPDX-License-Identifier: Apache-2.0
/// @file
/// Batched matrix products on the host, in tiles of registers.
#ifndef COMODAL_ENGINE_HOST_MATMUL_HPP
#define COMODAL_ENGINE_HOST_MATMUL_HPP

#include <comodal/engine/host/engine.hpp>
#include <comodal/engine/host/gemm.hpp>
#include <comodal/engine/loops/matmul.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

// A block of rows of one product.
template <class T>
struct matmul_rows_task {
  index rows, columns, inner;
  const T* a;
  const T* b;
  T* c;
  static constexpr index block = 32;

  [[nodiscard]] index blocks() const { return (rows + block - 1) / block; }
  void operator()(index t) const {
    const index batch = t / blocks(), first = t % blocks() * block, count = std::min(block, rows - first);
    T* out = c + (batch * rows + first) * columns;
    std::fill_n(out, count * columns, T(0));
    gemm_add(count, columns, inner, a + (batch * rows + first) * inner, inner, b + batch * inner * columns, columns,
             out, columns);
  }
};

}  // namespace engine_detail

template <tensor_backend Backend>
struct engine_op<host_engine, matmul_problem, Backend> : ready_op<host_engine, matmul_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const matmul_problem& p, direction,
                  const matmul_problem::arguments<T>& a) {
    const engine_detail::straight_operands<Backend> of(ctx, p, a);
    const engine_detail::matmul_rows_task<T> task{p.rows, p.columns, p.inner, of.a, of.b, a.c};
    for_tasks(ctx.space(), p.batch * task.blocks(), task);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
