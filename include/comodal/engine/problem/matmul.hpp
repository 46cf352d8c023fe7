// SPDX-License-Identifier: Apache-2.0
/// @file
/// The problem of batched matrix products.
#ifndef COMODAL_ENGINE_PROBLEM_MATMUL_HPP
#define COMODAL_ENGINE_PROBLEM_MATMUL_HPP

#include <comodal/core/shape.hpp>
#include <comodal/engine/problem/problem.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// c[n] = a[n] b[n] for n in [0, batch): a (batch, rows, inner), b (batch, inner, columns), c (batch, rows, columns).
/// With `transpose_a`, a is stored as (batch, inner, rows); with `transpose_b`, b as (batch, columns, inner).
struct matmul_problem {
  using family = matmul_problem;
  index batch = 1, rows = 1, columns = 1, inner = 1;
  bool transpose_a = false, transpose_b = false;

  /// @throws shape_error for a negative size
  void check() const {
    if (batch < 0 || rows < 0 || columns < 0 || inner < 0)
      throw shape_error(text("matmul: ", to_string(), ", expected sizes of 0 or more"));
  }
  [[nodiscard]] index multiply_adds() const { return batch * rows * columns * inner; }
  [[nodiscard]] std::string to_string() const {
    return text(batch, " x (", rows, " x ", inner, transpose_a ? " transposed" : "", ") (", inner, " x ", columns,
                transpose_b ? " transposed)" : ")");
  }
  [[nodiscard]] static constexpr const char* name(direction) { return "matmul"; }
  friend auto operator<=>(const matmul_problem&, const matmul_problem&) = default;

  template <class T>
  struct arguments {
    const T *a = nullptr, *b = nullptr;
    T* c = nullptr;
  };
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
