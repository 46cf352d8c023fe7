// SPDX-License-Identifier: Apache-2.0
/// @file
/// Elementwise functions of one and two tensors (with broadcasting), reductions over an axis, and copies of blocks,
/// portable.
#ifndef COMODAL_ENGINE_HOST_ELEMENTWISE_HPP
#define COMODAL_ENGINE_HOST_ELEMENTWISE_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/problem/broadcast.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

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

// Some rows of the above, or a piece of a long one, on the host: steps are decided once a row, so that every loop
// vectorises.
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

template <class T, bool Add>
struct copy_block_body {
  const T* from;
  T* to;
  index from_pitch, to_pitch;
  KOKKOS_INLINE_FUNCTION void operator()(index, index r, index c) const {
    if constexpr (Add)
      to[r * to_pitch + c] = T(compute_type_t<T>(to[r * to_pitch + c]) + compute_type_t<T>(from[r * from_pitch + c]));
    else
      to[r * to_pitch + c] = from[r * from_pitch + c];
  }
};

template <class From, class To>
struct convert_body {
  const From* from;
  To* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = To(compute_type_t<From>(from[i])); }
};

template <class T>
struct fill_body {
  T* to;
  T value;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = value; }
};

}  // namespace detail

/// to = from in another scalar, rounded to nearest.
template <execution_space Space, class From, class To>
void convert(const Space& space, index count, const From* from, To* to) {
  for_elements(space, count, detail::convert_body<From, To>{from, to});
}

template <tensor_backend Backend>
struct portable_elementwise {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;

  /// y = f.value(x), `count` elements. `Function` has `value(x)` and `derivative(x, y)`, callable on the device.
  template <class Function>
  static void unary_forward(context<Backend>& ctx, index count, const Function& f, const T* x, T* y) {
    for_elements(ctx.space(), count, detail::unary_forward_body<T, Function>{f, x, y});
  }
  template <class Function>
  static void unary_backward(context<Backend>& ctx, index count, const Function& f, const T* x, const T* y, const T* dy,
                             T* dx) {
    for_elements(ctx.space(), count, detail::unary_backward_body<T, Function>{f, x, y, dy, dx});
  }

  /// y = f.value(a, b) with NumPy's broadcasting; y has the broadcast shape of a and b.
  template <class Function>
  static void binary(context<Backend>& ctx, const Function& f, const shape& a_shape, const T* a, const shape& b_shape,
                     const T* b, T* y) {
    const broadcast_plan plan(a_shape, b_shape);
    if (plan.same()) return for_elements(ctx.space(), plan.inner, detail::binary_flat_body<T, Function>{f, a, b, y});
    if (plan.rows * plan.inner <= 0) return;
    const detail::binary_rows_body<T, Function> body{f, plan, a, b, y};
    if constexpr (is_host_v<typename Backend::space_type>) {
      const detail::binary_rows_task<T, Function> task{body};
      host_loop(task.count(), plan.rows * plan.inner > serial_limit, task);
    } else {
      for_rows(ctx.space(), 1, plan.rows, plan.inner, body);
    }
  }

  /// y (outer, inner) = sum of x (outer, extent, inner) over its middle axis, accumulated in double.
  static void sum_axis(context<Backend>& ctx, index outer, index extent, index inner, const T* x, T* y) {
    // A long contiguous sum is laid out as rows of 16 first, so that it vectorises.
    if (inner == 1 && extent % 16 == 0 && extent >= 256) {
      auto lanes = ctx.template make_of<C>({outer, 16});
      sum_rows(ctx, outer, extent / 16, 16, x, lanes.data());
      return sum_rows(ctx, outer, 16, 1, static_cast<const C*>(lanes.data()), y);
    }
    sum_rows(ctx, outer, extent, inner, x, y);
  }

  /// y (outer, inner) = maximum over the middle axis; `chosen` says where (ties: the first).
  static void max_axis_forward(context<Backend>& ctx, index outer, index extent, index inner, const T* x, T* y,
                               std::int32_t* chosen) {
    for_elements(ctx.space(), outer * inner, detail::max_axis_body<T>{x, y, chosen, extent, inner});
  }
  static void max_axis_backward(context<Backend>& ctx, index outer, index extent, index inner, const T* dy,
                                const std::int32_t* chosen, T* dx) {
    for_elements(ctx.space(), outer * extent * inner, detail::max_axis_backward_body<T>{dy, chosen, dx, extent, inner});
  }

  /// Copies `rows` blocks of `width` elements between buffers with pitches: concatenation and slicing.
  static void copy_block(context<Backend>& ctx, index rows, index width, const T* from, index from_pitch, T* to,
                         index to_pitch) {
    for_rows(ctx.space(), 1, rows, width, detail::copy_block_body<T, false>{from, to, from_pitch, to_pitch});
  }
  static void add_block(context<Backend>& ctx, index rows, index width, const T* from, index from_pitch, T* to,
                        index to_pitch) {
    for_rows(ctx.space(), 1, rows, width, detail::copy_block_body<T, true>{from, to, from_pitch, to_pitch});
  }
  static void fill(context<Backend>& ctx, index count, T value, T* to) {
    for_elements(ctx.space(), count, detail::fill_body<T>{to, value});
  }

 private:
  template <class From, class To>
  static void sum_rows(context<Backend>& ctx, index outer, index extent, index inner, const From* x, To* y) {
    auto scratch = ctx.template make_of<double>({reduce_rows_scratch(1, outer, extent, inner)});
    reduce_rows<1>(ctx.space(), outer, extent, inner, detail::sum_rows_body<From>{x, extent, inner}, scratch.data(), y);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
