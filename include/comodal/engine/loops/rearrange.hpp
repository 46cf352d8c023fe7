// SPDX-License-Identifier: Apache-2.0
/// @file
/// Small kernels that engines use inside of operations: conversion, transposition, and the sum of partial results.
#ifndef COMODAL_ENGINE_LOOPS_REARRANGE_HPP
#define COMODAL_ENGINE_LOOPS_REARRANGE_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/loops.hpp>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

template <class From, class To>
struct convert_body {
  const From* from;
  To* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = To(compute_type_t<From>(from[i])); }
};

/// to = from in another scalar, rounded to nearest; `count` elements.
template <execution_space Space, class From, class To>
void convert(const Space& space, index count, const From* from, To* to) {
  for_elements(space, count, convert_body<From, To>{from, to});
}

// Swaps the last two axes: (batch, rows, columns) -> (batch, columns, rows).
template <class T>
struct transpose_body {
  const T* in;
  T* out;
  index rows, columns;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index r = i % rows, c = i / rows % columns, n = i / rows / columns;
    out[i] = in[(n * rows + r) * columns + c];
  }
};

// out[i] = partial[0][i] + partial[1][i] + ..., in order, rounded once.
template <class C, class T>
struct sum_slabs_body {
  const C* partial;
  T* out;
  index slabs, size;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    C sum = 0;
    for (index k = 0; k < slabs; ++k) sum += partial[k * size + i];
    out[i] = static_cast<T>(sum);
  }
};

// `rows` rows of channels between buffers with pitches: to = from, or to += from.
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

// y (rows, channels) += bias (channels), for engines that add it in a pass of its own.
template <class T>
struct add_bias_body {
  const T* bias;
  T* y;
  index channels;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    y[i] = T(compute_type_t<T>(y[i]) + compute_type_t<T>(bias[i % channels]));
  }
};

/// Slabs that a weight gradient of `voxels` outputs in `rows` rows is summed from; fixed, so that the bytes do not
/// depend on threads. Slabs of fewer voxels would cost more than they save: each holds a gradient.
[[nodiscard]] inline index weight_slabs(index voxels, index rows) {
  constexpr index most = 16;
  const index wanted = voxels / 64, limit = rows < most ? rows : most;
  return wanted < 1 ? 1 : wanted > limit ? limit : wanted;
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
