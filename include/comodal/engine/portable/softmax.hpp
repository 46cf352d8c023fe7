// SPDX-License-Identifier: Apache-2.0
/// @file
/// Soft-max over one axis, portable, with an optional mask of the entries that take part.
#ifndef COMODAL_ENGINE_PORTABLE_SOFTMAX_HPP
#define COMODAL_ENGINE_PORTABLE_SOFTMAX_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/portable/vector_math.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

// One (outer, inner) position. The mask is (groups, extent), one group for `outer / groups` consecutive outers.
template <class T>
struct softmax_forward_body {
  const T* x;
  const T* mask;  // may be null
  T* y;
  index extent, inner, outers_a_group;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index o = i / inner, base = o * extent * inner + i % inner;
    const T* m = mask ? mask + o / outers_a_group * extent : nullptr;
    T largest = 0;
    bool any = false;
    for (index k = 0; k < extent; ++k) {
      if (m && m[k] == T(0)) continue;
      const T v = x[base + k * inner];
      largest = !any || v > largest ? v : largest;
      any = true;
    }
    T sum = 0;
    for (index k = 0; k < extent; ++k) {
      const T v = m && m[k] == T(0) ? T(0) : vector_exp(x[base + k * inner] - largest);
      y[base + k * inner] = v;
      sum += v;
    }
    const T scale = any ? T(1) / sum : T(0);
    for (index k = 0; k < extent; ++k) y[base + k * inner] *= scale;
  }
};

template <class T>
struct softmax_backward_body {
  const T *y, *dy;
  T* dx;
  index extent, inner;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index base = i / inner * extent * inner + i % inner;
    T dot = 0;
    for (index k = 0; k < extent; ++k) dot += y[base + k * inner] * dy[base + k * inner];
    for (index k = 0; k < extent; ++k) dx[base + k * inner] = y[base + k * inner] * (dy[base + k * inner] - dot);
  }
};

}  // namespace detail

template <tensor_backend Backend>
struct portable_softmax {
  using T = typename Backend::scalar_type;

  /// Soft-max of x (outer, extent, inner) over its middle axis. `mask` is null or (groups, extent) of zeros and ones, with
  /// groups a divisor of outer: masked-out entries are 0, their x is never read. A row with no entry at all is 0.
  static void softmax_forward(context<Backend>& ctx, index outer, index extent, index inner, const T* x, const T* mask, index groups, T* y) {
    for_elements(ctx.space(), outer * inner, detail::softmax_forward_body<T>{x, mask, y, extent, inner, outer / groups});
  }
  static void softmax_backward(context<Backend>& ctx, index outer, index extent, index inner, const T* y, const T* dy, T* dx) {
    for_elements(ctx.space(), outer * inner, detail::softmax_backward_body<T>{y, dy, dx, extent, inner});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
