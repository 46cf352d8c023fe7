// SPDX-License-Identifier: Apache-2.0
/// @file
/// The problem of instance normalisation with leaky ReLU.
#ifndef COMODAL_ENGINE_PROBLEM_NORM_ACT_HPP
#define COMODAL_ENGINE_PROBLEM_NORM_ACT_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/shape.hpp>
#include <comodal/engine/problem/problem.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// y = lrelu((x - mean) / sqrt(var + eps) * gamma + beta): moments over the rows of each (group, channel), biased
/// variance. A group is a sample, a row a voxel.
struct norm_act_problem {
  using family = norm_act_problem;
  index groups = 1, rows = 1, channels = 1;
  double eps = 1e-5, slope = 0.01;  // slope 1: no activation
  bool in_place = false;            // y is x

  /// @throws shape_error for a size below 1, or options that are not finite
  void check() const {
    if (groups < 1 || rows < 1 || channels < 1 || !(eps >= 0 && eps < 1e30) || !(slope >= -1e30 && slope <= 1e30))
      throw shape_error(text("norm_act: ", to_string(), ", expected sizes of 1 or more and finite eps and slope"));
  }
  [[nodiscard]] std::string to_string() const {
    return text(groups, " x ", rows, " x ", channels, ", eps ", eps, ", slope ", slope, in_place ? ", in place" : "");
  }
  [[nodiscard]] static constexpr const char* name(direction d) {
    return d == direction::forward ? "norm_act.forward" : "norm_act.backward";
  }
  friend auto operator<=>(const norm_act_problem&, const norm_act_problem&) = default;

  /// x, y, dy, dx (groups, rows, channels); gamma, beta and their gradients (channels); mean and inverse (1 /
  /// deviation) (groups, channels): forward writes them, backward reads them. Backward overwrites all three gradients.
  template <class T>
  struct arguments {
    using C = compute_type_t<T>;
    const T *x = nullptr, *gamma = nullptr, *beta = nullptr;
    T* y = nullptr;
    C *mean = nullptr, *inverse = nullptr;
    const T* dy = nullptr;
    T *dx = nullptr, *dgamma = nullptr, *dbeta = nullptr;
  };
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
