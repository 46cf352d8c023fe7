// SPDX-License-Identifier: Apache-2.0
/// @file
/// The problem of soft-max over one axis, with an optional mask.
#ifndef COMODAL_ENGINE_PROBLEM_SOFTMAX_HPP
#define COMODAL_ENGINE_PROBLEM_SOFTMAX_HPP

#include <comodal/core/shape.hpp>
#include <comodal/engine/problem/problem.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Soft-max of x (outer, extent, inner) over its middle axis. A mask is (groups, extent) of zeros and ones, with
/// `groups` a divisor of `outer`: entries that are masked out become 0, and their x is never read. A row without an
/// entry is 0.
struct softmax_problem {
  using family = softmax_problem;
  index outer = 1, extent = 1, inner = 1, groups = 1;

  /// @throws shape_error for a negative size, or groups that do not divide `outer`
  void check() const {
    if (outer < 0 || extent < 0 || inner < 0 || groups < 1 || outer % groups != 0)
      throw shape_error(text("softmax: ", to_string(), ", expected sizes of 0 or more, and a divisor as groups"));
  }
  [[nodiscard]] std::string to_string() const {
    return text(outer, " x ", extent, " x ", inner, ", ", groups, " groups");
  }
  [[nodiscard]] static constexpr const char* name(direction d) {
    return d == direction::forward ? "softmax.forward" : "softmax.backward";
  }
  friend auto operator<=>(const softmax_problem&, const softmax_problem&) = default;

  /// Forward reads x and mask and writes y. Backward reads y and dy and writes dx.
  template <class T>
  struct arguments {
    const T *x = nullptr, *mask = nullptr;  // mask: may be null
    T* y = nullptr;
    const T* dy = nullptr;
    T* dx = nullptr;
  };
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
