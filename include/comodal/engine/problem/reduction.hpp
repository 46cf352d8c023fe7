// SPDX-License-Identifier: Apache-2.0
/// @file
/// The problems of sums and maxima over one axis.
#ifndef COMODAL_ENGINE_PROBLEM_REDUCTION_HPP
#define COMODAL_ENGINE_PROBLEM_REDUCTION_HPP

#include <comodal/core/shape.hpp>
#include <comodal/engine/problem/problem.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {

/// y (outer, inner) = the sum of x (outer, extent, inner) over its middle axis, accumulated in double in a fixed order.
struct sum_axis_problem {
  using family = sum_axis_problem;
  index outer = 1, extent = 1, inner = 1;

  void check() const {
    if (outer < 0 || extent < 0 || inner < 0) throw shape_error(text("sum: ", to_string(), ", expected 0 or more"));
  }
  [[nodiscard]] std::string to_string() const { return text(outer, " x ", extent, " x ", inner); }
  [[nodiscard]] static constexpr const char* name(direction) { return "sum_axis"; }
  friend auto operator<=>(const sum_axis_problem&, const sum_axis_problem&) = default;

  template <class T>
  struct arguments {
    const T* x = nullptr;
    T* y = nullptr;
  };
};

/// y (outer, inner) = the maximum of x (outer, extent, inner) over its middle axis; `chosen` says where it is (ties:
/// the first). Backward sends dy there.
struct max_axis_problem {
  using family = max_axis_problem;
  index outer = 1, extent = 1, inner = 1;

  void check() const {
    if (outer < 0 || extent < 1 || inner < 0)
      throw shape_error(text("max: ", to_string(), ", expected an extent of 1 or more"));
  }
  [[nodiscard]] std::string to_string() const { return text(outer, " x ", extent, " x ", inner); }
  [[nodiscard]] static constexpr const char* name(direction d) {
    return d == direction::forward ? "max_axis.forward" : "max_axis.backward";
  }
  friend auto operator<=>(const max_axis_problem&, const max_axis_problem&) = default;

  template <class T>
  struct arguments {
    const T* x = nullptr;
    T* y = nullptr;
    std::int32_t* chosen = nullptr;  // (outer, inner)
    const T* dy = nullptr;
    T* dx = nullptr;
  };
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
