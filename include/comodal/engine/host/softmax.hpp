// SPDX-License-Identifier: Apache-2.0
/// @file
/// Soft-max over one axis, portable, with an optional mask of the entries that take part.
#ifndef COMODAL_ENGINE_HOST_SOFTMAX_HPP
#define COMODAL_ENGINE_HOST_SOFTMAX_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/host/vector_math.hpp>

#include <limits>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

// One (outer, inner) position. The mask is (groups, extent), one group for `outer / groups` consecutive outers.
template <class T>
struct softmax_forward_body {
  using C = compute_type_t<T>;
  const T* x;
  const T* mask;  // may be null
  T* y;
  index extent, inner, outers_a_group;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index o = i / inner, base = o * extent * inner + i % inner;
    const T* m = mask ? mask + o / outers_a_group * extent : nullptr;
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

}  // namespace detail

template <tensor_backend Backend>
struct portable_softmax {
  using T = typename Backend::scalar_type;

  /// Soft-max of x (outer, extent, inner) over its middle axis. `mask` is null or (groups, extent) of zeros and ones,
  /// with groups a divisor of outer: masked-out entries are 0, their x is never read. A row with no entry at all is 0.
  static void softmax_forward(context<Backend>& ctx, index outer, index extent, index inner, const T* x, const T* mask,
                              index groups, T* y) {
    if constexpr (is_host_v<typename Backend::space_type>) {
      if (inner == 1 && extent == 2) return narrow_forward<2>(ctx, outer, x, mask, groups, y);
      if (inner == 1 && extent == 3) return narrow_forward<3>(ctx, outer, x, mask, groups, y);
      if (inner == 1 && extent == 4) return narrow_forward<4>(ctx, outer, x, mask, groups, y);
    }
    for_elements(ctx.space(), outer * inner,
                 detail::softmax_forward_body<T>{x, mask, y, extent, inner, outer / groups});
  }
  static void softmax_backward(context<Backend>& ctx, index outer, index extent, index inner, const T* y, const T* dy,
                               T* dx) {
    for_elements(ctx.space(), outer * inner, detail::softmax_backward_body<T>{y, dy, dx, extent, inner});
  }

 private:
  template <int Extent>
  static void narrow_forward(context<Backend>& ctx, index outer, const T* x, const T* mask, index groups, T* y) {
    const index each = outer / groups;
    for (index g = 0; g < groups; ++g) {
      detail::softmax_narrow_forward_body<T, Extent> body{x + g * each * Extent, y + g * each * Extent, each, {}};
      for (int k = 0; k < Extent; ++k)
        body.present[k] = !mask || static_cast<compute_type_t<T>>(mask[g * Extent + k]) != 0;
      for_elements(ctx.space(), (each + body.lanes - 1) / body.lanes, body);
    }
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
