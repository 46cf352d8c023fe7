// SPDX-License-Identifier: Apache-2.0
/// @file
/// Soft-max of two to four neighbouring entries on the host, in vectors.
#ifndef COMODAL_ENGINE_HOST_SOFTMAX_HPP
#define COMODAL_ENGINE_HOST_SOFTMAX_HPP

#include <comodal/engine/host/engine.hpp>
#include <comodal/engine/loops/softmax.hpp>

#include <limits>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

// A few neighbouring entries (inner = 1) on the host, sixteen rows of them at a time, so that rows vectorise; which
// entries take part is the same for all rows.
template <class T, int Extent>
struct softmax_narrow_forward_body {
  using C = compute_type_t<T>;
  static constexpr int lanes = 16;
  const T* x;
  T* y;
  index count;
  bool present[Extent];

  void operator()(index block) const {
    const index first = block * lanes, rows = count - first < lanes ? count - first : index{lanes};
    constexpr C lowest = -std::numeric_limits<C>::infinity();
    C v[Extent][lanes], largest[lanes], sum[lanes] = {};
    for (int l = 0; l < lanes; ++l) largest[l] = lowest;
    for (int k = 0; k < Extent; ++k) {
      if (!present[k]) continue;
      for (index l = 0; l < lanes; ++l) v[k][l] = C(x[(first + (l < rows ? l : 0)) * Extent + k]);
#pragma omp simd
      for (int l = 0; l < lanes; ++l) largest[l] = v[k][l] > largest[l] ? v[k][l] : largest[l];
    }
    for (int k = 0; k < Extent; ++k) {
      if (!present[k]) continue;
#pragma omp simd
      for (int l = 0; l < lanes; ++l) sum[l] += v[k][l] = vector_exp(v[k][l] - largest[l]);
    }
    for (int k = 0; k < Extent; ++k)
      for (index l = 0; l < rows; ++l) y[(first + l) * Extent + k] = stored<T>(present[k] ? v[k][l] / sum[l] : C(0));
  }
};

}  // namespace engine_detail

template <tensor_backend Backend>
struct engine_op<host_engine, softmax_problem, Backend> : ready_op<host_engine, softmax_problem, Backend> {
  using T = typename Backend::scalar_type;
  using arguments = softmax_problem::arguments<T>;

  static void run(context<Backend>& ctx, const simple_plan& plan, const softmax_problem& p, direction d,
                  const arguments& a) {
    if (d == direction::forward && p.inner == 1 && p.extent == 2) return narrow<2>(ctx, p, a);
    if (d == direction::forward && p.inner == 1 && p.extent == 3) return narrow<3>(ctx, p, a);
    if (d == direction::forward && p.inner == 1 && p.extent == 4) return narrow<4>(ctx, p, a);
    loop_op<host_engine, softmax_problem, Backend>::run(ctx, plan, p, d, a);
  }

 private:
  template <int Extent>
  static void narrow(context<Backend>& ctx, const softmax_problem& p, const arguments& a) {
    const index each = p.outer / p.groups;
    for (index g = 0; g < p.groups; ++g) {
      const index first = g * each * Extent;
      engine_detail::softmax_narrow_forward_body<T, Extent> body{a.x + first, a.y + first, each, {}};
      for (int k = 0; k < Extent; ++k)
        body.present[k] = !a.mask || static_cast<compute_type_t<T>>(a.mask[g * Extent + k]) != 0;
      for_elements(ctx.space(), (each + body.lanes - 1) / body.lanes, body);
    }
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
