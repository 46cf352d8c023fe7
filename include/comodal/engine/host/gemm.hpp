// SPDX-License-Identifier: Apache-2.0
/// @file
/// Small dense products on one host thread, blocked for registers: what convolutions and matrix products are made of.
/// The order of additions over the inner extent is fixed. Operands of bfloat16 are multiplied and added as floats; a
/// result of bfloat16 is rounded once a call.
#ifndef COMODAL_ENGINE_HOST_GEMM_HPP
#define COMODAL_ENGINE_HOST_GEMM_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/shape.hpp>

#if defined(__NVCC__)  // does not know "GCC unroll"; these products run on the host alone
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675
#endif

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// Rows of a tile whose sums stay in vector registers. Of 6, the last 8 rows are two tiles of 4.
#if defined(__AVX512F__)
template <int Columns>
inline constexpr int gemm_rows = 8;
#else
template <int Columns>
inline constexpr int gemm_rows = Columns >= 16 ? 6 : 8;
#endif

/// to = from in another scalar, on the calling thread.
template <class From, class To>
inline void convert_row(index count, const From* from, To* to) {
#pragma omp simd
  for (index i = 0; i < count; ++i) to[i] = To(compute_type_t<From>(from[i]));
}

// c(Rows x Columns) += a(Rows x inner) b(inner x Columns); pitches in elements.
template <int Rows, int Columns, class A, class B, class Out>
inline void gemm_block(index inner, const A* a, index a_pitch, const B* b, index b_pitch, Out* c, index c_pitch) {
  using C = compute_type_t<Out>;
  C sums[Rows][Columns];
  for (int r = 0; r < Rows; ++r) {
#pragma omp simd
    for (int j = 0; j < Columns; ++j) sums[r][j] = c[r * c_pitch + j];
  }
  for (index k = 0; k < inner; ++k) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const C left = a[r * a_pitch + k];
#pragma omp simd
      for (int j = 0; j < Columns; ++j) sums[r][j] += left * C(b[k * b_pitch + j]);
    }
  }
  for (int r = 0; r < Rows; ++r) {
#pragma omp simd
    for (int j = 0; j < Columns; ++j) c[r * c_pitch + j] = stored<Out>(sums[r][j]);
  }
}

template <int Columns, class A, class B, class Out>
inline void gemm_columns(index rows, index inner, const A* a, index a_pitch, const B* b, index b_pitch, Out* c,
                         index c_pitch) {
  index r = 0;
  constexpr int most = gemm_rows<Columns>;
  for (; r + most <= rows && (most != 6 || rows - r != 8); r += most)
    gemm_block<most, Columns>(inner, a + r * a_pitch, a_pitch, b, b_pitch, c + r * c_pitch, c_pitch);
  for (; r + 4 <= rows; r += 4)
    gemm_block<4, Columns>(inner, a + r * a_pitch, a_pitch, b, b_pitch, c + r * c_pitch, c_pitch);
  for (; r < rows; ++r) gemm_block<1, Columns>(inner, a + r * a_pitch, a_pitch, b, b_pitch, c + r * c_pitch, c_pitch);
}

/// c += a b on the calling thread; a is (rows, inner), b (inner, columns), c (rows, columns), row-major with the given
/// pitches.
template <class A, class B, class Out>
void gemm_add(index rows, index columns, index inner, const A* a, index a_pitch, const B* b, index b_pitch, Out* c,
              index c_pitch) {
  index j = 0;
  for (; j + 16 <= columns; j += 16) gemm_columns<16>(rows, inner, a, a_pitch, b + j, b_pitch, c + j, c_pitch);
  for (; j + 8 <= columns; j += 8) gemm_columns<8>(rows, inner, a, a_pitch, b + j, b_pitch, c + j, c_pitch);
  for (; j + 4 <= columns; j += 4) gemm_columns<4>(rows, inner, a, a_pitch, b + j, b_pitch, c + j, c_pitch);
  for (; j < columns; ++j) gemm_columns<1>(rows, inner, a, a_pitch, b + j, b_pitch, c + j, c_pitch);
}

// c(Rows x Columns) += sum over `count` of a(., Rows)^T b(., Columns).
template <int Rows, int Columns, class A, class B, class C>
inline void outer_block(index count, const A* a, index a_pitch, const B* b, index b_pitch, C* c, index c_pitch) {
  C sums[Rows][Columns] = {};
  for (index k = 0; k < count; ++k) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const C left = a[k * a_pitch + r];
#pragma omp simd
      for (int j = 0; j < Columns; ++j) sums[r][j] += left * C(b[k * b_pitch + j]);
    }
  }
  for (int r = 0; r < Rows; ++r) {
#pragma omp simd
    for (int j = 0; j < Columns; ++j) c[r * c_pitch + j] += sums[r][j];
  }
}

template <int Columns, class A, class B, class C>
inline void outer_columns(index rows, index count, const A* a, index a_pitch, const B* b, index b_pitch, C* c,
                          index c_pitch) {
  index r = 0;
  constexpr int most = gemm_rows<Columns>;
  for (; r + most <= rows && (most != 6 || rows - r != 8); r += most)
    outer_block<most, Columns>(count, a + r, a_pitch, b, b_pitch, c + r * c_pitch, c_pitch);
  for (; r + 4 <= rows; r += 4) outer_block<4, Columns>(count, a + r, a_pitch, b, b_pitch, c + r * c_pitch, c_pitch);
  for (; r < rows; ++r) outer_block<1, Columns>(count, a + r, a_pitch, b, b_pitch, c + r * c_pitch, c_pitch);
}

/// c += a^T b on the calling thread; a is (count, rows), b (count, columns), c (rows, columns), no bfloat16.
template <class A, class B, class C>
void gemm_transposed_add(index rows, index columns, index count, const A* a, index a_pitch, const B* b, index b_pitch,
                         C* c, index c_pitch) {
  index j = 0;
  for (; j + 16 <= columns; j += 16) outer_columns<16>(rows, count, a, a_pitch, b + j, b_pitch, c + j, c_pitch);
  for (; j + 8 <= columns; j += 8) outer_columns<8>(rows, count, a, a_pitch, b + j, b_pitch, c + j, c_pitch);
  for (; j + 4 <= columns; j += 4) outer_columns<4>(rows, count, a, a_pitch, b + j, b_pitch, c + j, c_pitch);
  for (; j < columns; ++j) outer_columns<1>(rows, count, a, a_pitch, b + j, b_pitch, c + j, c_pitch);
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#if defined(__NVCC__)
#pragma nv_diagnostic pop
#endif

#endif
