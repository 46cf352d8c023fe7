// SPDX-License-Identifier: Apache-2.0
/// @file
/// The problems of elementwise functions, copies and casts.
#ifndef COMODAL_ENGINE_PROBLEM_ELEMENTWISE_HPP
#define COMODAL_ENGINE_PROBLEM_ELEMENTWISE_HPP

#include <comodal/core/shape.hpp>
#include <comodal/engine/problem/broadcast.hpp>
#include <comodal/engine/problem/problem.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The families of the problems below that are templates over a function.
struct unary_family {};
struct binary_family {};
struct cast_family {};
struct each_family {};
struct row_sums_family {};

/// y = f.value(x) for `count` elements; backward dx = dy f.derivative(x, y). `Function` is called with what T is
/// computed in, on the device; the object travels with the arguments.
template <class Function>
struct unary_problem {
  using family = unary_family;
  index count = 0;

  void check() const {}
  [[nodiscard]] std::string to_string() const { return text(count); }
  [[nodiscard]] static constexpr const char* name(direction d) {
    return d == direction::forward ? "unary.forward" : "unary.backward";
  }
  friend auto operator<=>(const unary_problem&, const unary_problem&) = default;

  template <class T>
  struct arguments {
    Function f;
    const T *x = nullptr, *y = nullptr, *dy = nullptr;
    T* out = nullptr;  // y; backward dx
  };
};

/// y = f.value(a, b) with NumPy's broadcasting of two shapes; y has the broadcast shape, and may be a where the shapes
/// are equal.
template <class Function>
struct binary_problem {
  using family = binary_family;
  shape a_shape, b_shape;

  /// @throws shape_error where the shapes do not broadcast
  void check() const { (void)broadcast_shape(a_shape, b_shape, "binary"); }
  [[nodiscard]] std::string to_string() const { return text(a_shape.to_string(), " and ", b_shape.to_string()); }
  [[nodiscard]] static constexpr const char* name(direction) { return "binary"; }
  friend auto operator<=>(const binary_problem&, const binary_problem&) = default;

  template <class T>
  struct arguments {
    Function f;
    const T *a = nullptr, *b = nullptr;
    T* y = nullptr;
  };
};

/// to = from in another scalar, rounded to nearest.
template <class From>
struct cast_problem {
  using family = cast_family;
  index count = 0;

  void check() const {}
  [[nodiscard]] std::string to_string() const { return text(count); }
  [[nodiscard]] static constexpr const char* name(direction) { return "cast"; }
  friend auto operator<=>(const cast_problem&, const cast_problem&) = default;

  template <class T>
  struct arguments {
    const From* from = nullptr;
    T* to = nullptr;
  };
};

/// `count` elements are set to a value.
struct fill_problem {
  using family = fill_problem;
  index count = 0;

  void check() const {}
  [[nodiscard]] std::string to_string() const { return text(count); }
  [[nodiscard]] static constexpr const char* name(direction) { return "fill"; }
  friend auto operator<=>(const fill_problem&, const fill_problem&) = default;

  template <class T>
  struct arguments {
    T value{};
    T* to = nullptr;
  };
};

/// Copies `rows` blocks of `width` elements between buffers with pitches, for joining and cutting; or adds them.
struct copy_block_problem {
  using family = copy_block_problem;
  index rows = 0, width = 0, from_pitch = 0, to_pitch = 0;
  bool adds = false;

  void check() const {}
  [[nodiscard]] std::string to_string() const { return text(rows, " x ", width, adds ? ", added" : ""); }
  [[nodiscard]] static constexpr const char* name(direction) { return "copy_block"; }
  friend auto operator<=>(const copy_block_problem&, const copy_block_problem&) = default;

  template <class T>
  struct arguments {
    const T* from = nullptr;
    T* to = nullptr;
  };
};

/// `body(i)` for i in [0, count), in any order: kernels of layers above that fit no other problem.
template <class Body>
struct each_problem {
  using family = each_family;
  index count = 0;

  void check() const {}
  [[nodiscard]] std::string to_string() const { return text(count); }
  [[nodiscard]] static constexpr const char* name(direction) { return "each"; }
  friend auto operator<=>(const each_problem&, const each_problem&) = default;

  template <class T>
  struct arguments {
    Body body;
  };
};

/// `body(group, row, channel)` for all of them, in any order: neighbouring channels are neighbours in memory.
template <class Body>
struct each_row_problem {
  using family = each_family;
  index groups = 1, rows = 0, channels = 1;

  void check() const {}
  [[nodiscard]] std::string to_string() const { return text(groups, " x ", rows, " x ", channels); }
  [[nodiscard]] static constexpr const char* name(direction) { return "each_row"; }
  friend auto operator<=>(const each_row_problem&, const each_row_problem&) = default;

  template <class T>
  struct arguments {
    Body body;
  };
};

/// out (groups, Sums, channels) = sums over rows of what `body(group, row, channel, sums)` adds, in double in a fixed
/// order (core/loops.hpp, `reduce_rows`).
template <int Sums, class Body>
struct row_sums_problem {
  using family = row_sums_family;
  index groups = 1, rows = 0, channels = 1;

  void check() const {}
  [[nodiscard]] std::string to_string() const { return text(groups, " x ", rows, " x ", channels); }
  [[nodiscard]] static constexpr const char* name(direction) { return "row_sums"; }
  friend auto operator<=>(const row_sums_problem&, const row_sums_problem&) = default;

  template <class T>
  struct arguments {
    Body body;
    double* out = nullptr;
  };
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
