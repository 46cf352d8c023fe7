// SPDX-License-Identifier: Apache-2.0
/// @file
/// Broadcast functions of two tensors on the host: rows whose steps the compiler knows.
#ifndef COMODAL_ENGINE_HOST_ELEMENTWISE_HPP
#define COMODAL_ENGINE_HOST_ELEMENTWISE_HPP

#include <comodal/engine/host/engine.hpp>
#include <comodal/engine/loops/elementwise.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

// Some rows of a broadcast function, or a piece of a long one, on the host: steps are decided once per row, so that
// every loop vectorises.
template <class T, class Function>
struct binary_rows_task {
  using C = compute_type_t<T>;
  binary_rows_body<T, Function> of;
  static constexpr index longest = 4096;
  [[nodiscard]] index pieces() const { return (of.plan.inner + longest - 1) / longest; }
  [[nodiscard]] index grain() const { return std::max<index>(1, 2048 / of.plan.inner); }
  [[nodiscard]] index count() const { return (of.plan.rows + grain() - 1) / grain() * pieces(); }

  void operator()(index task) const {
    const binary_rows_body<T, Function> own = of;
    const index first = task % pieces() * longest, length = std::min(longest, own.plan.inner - first),
                r0 = task / pieces() * grain();
    for (index r = r0; r < std::min(r0 + grain(), own.plan.rows); ++r) {
      index ia = 0, ib = 0;
      own.plan.offsets(r, ia, ib);
      const T *const a = own.a + ia + first * own.plan.a_step, *const b = own.b + ib + first * own.plan.b_step;
      T* const y = own.y + r * own.plan.inner + first;
      if (own.plan.a_step == 0) {
        const C value = C(a[0]);
#pragma omp simd
        for (index c = 0; c < length; ++c) y[c] = stored<T>(own.f.value(value, C(b[c])));
      } else if (own.plan.b_step == 0) {
        const C value = C(b[0]);
#pragma omp simd
        for (index c = 0; c < length; ++c) y[c] = stored<T>(own.f.value(C(a[c]), value));
      } else {
#pragma omp simd
        for (index c = 0; c < length; ++c) y[c] = stored<T>(own.f.value(C(a[c]), C(b[c])));
      }
    }
  }
};

}  // namespace engine_detail

template <class Function, tensor_backend Backend>
struct engine_op<host_engine, binary_problem<Function>, Backend>
    : ready_op<host_engine, binary_problem<Function>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const binary_problem<Function>& p, direction,
                  const typename binary_problem<Function>::template arguments<T>& a) {
    const broadcast_plan plan(p.a_shape, p.b_shape);
    if (plan.same())
      return for_elements(ctx.space(), plan.inner, engine_detail::binary_flat_body<T, Function>{a.f, a.a, a.b, a.y});
    if (plan.rows * plan.inner <= 0) return;
    const engine_detail::binary_rows_task<T, Function> task{{a.f, plan, a.a, a.b, a.y}};
    host_loop(task.count(), plan.rows * plan.inner > serial_limit, task);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
