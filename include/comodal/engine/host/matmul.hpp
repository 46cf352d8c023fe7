// SPDX-License-Identifier: Apache-2.0
/// @file
/// Batched matrix product, portable.
#ifndef COMODAL_ENGINE_HOST_MATMUL_HPP
#define COMODAL_ENGINE_HOST_MATMUL_HPP

#include <comodal/engine/host/conv3d.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

template <class T>
struct matmul_body {
  index rows, columns, inner;
  const T* a;
  const T* b;
  T* c;
  static constexpr index block = 32;

  void host_row(index t) const {
    const index blocks = (rows + block - 1) / block, batch = t / blocks, first = t % blocks * block,
                count = std::min(block, rows - first);
    T* out = c + (batch * rows + first) * columns;
    std::fill_n(out, count * columns, T(0));
    gemm_add(count, columns, inner, a + (batch * rows + first) * inner, inner, b + batch * inner * columns, columns,
             out, columns);
  }

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index j = i % columns, r = i / columns % rows, batch = i / columns / rows;
    using C = compute_type_t<T>;
    C sum = 0;
    for (index k = 0; k < inner; ++k)
      sum += C(a[(batch * rows + r) * inner + k]) * C(b[(batch * inner + k) * columns + j]);
    c[i] = T(sum);
  }
};

}  // namespace detail

template <tensor_backend Backend>
struct portable_matmul {
  using T = typename Backend::scalar_type;

  /// c[n] = a[n] b[n], a (batch, rows, inner), b (batch, inner, columns), c (batch, rows, columns). With `transpose_a`,
  /// a is stored as (batch, inner, rows); with `transpose_b`, b as (batch, columns, inner).
  static void matmul(context<Backend>& ctx, index batch, index rows, index columns, index inner, const T* a,
                     bool transpose_a, const T* b, bool transpose_b, T* c) {
    typename context<Backend>::tensor_type a_straight, b_straight;
    if (transpose_a) {
      a_straight = ctx.make({batch, rows, inner});
      for_elements(ctx.space(), a_straight.size(), detail::transpose_body<T>{a, a_straight.data(), inner, rows});
      a = a_straight.data();
    }
    if (transpose_b) {
      b_straight = ctx.make({batch, inner, columns});
      for_elements(ctx.space(), b_straight.size(), detail::transpose_body<T>{b, b_straight.data(), columns, inner});
      b = b_straight.data();
    }
    const detail::matmul_body<T> body{rows, columns, inner, a, b, c};
    if constexpr (is_host_v<typename Backend::space_type>)
      for_tasks(ctx.space(), batch * ((rows + body.block - 1) / body.block),
                detail::host_rows<detail::matmul_body<T>>{body});
    else
      for_elements(ctx.space(), batch * rows * columns, body);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
