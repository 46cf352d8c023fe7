// SPDX-License-Identifier: Apache-2.0
/// @file
/// The problem of drawing a mask for dropout.
#ifndef COMODAL_ENGINE_PROBLEM_DROPOUT_HPP
#define COMODAL_ENGINE_PROBLEM_DROPOUT_HPP

#include <comodal/core/shape.hpp>
#include <comodal/engine/problem/problem.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {

/// mask[i] = 0 with probability `rate`, else 1 / (1 - rate). The draw depends on (seed, stream, iteration) and i alone.
struct dropout_problem {
  using family = dropout_problem;
  index count = 0;
  double rate = 0;

  /// @throws config_error unless 0 <= rate < 1
  void check() const {
    if (!(rate >= 0 && rate < 1)) throw config_error(text("dropout: rate ", rate, ", expected 0 <= rate < 1"));
  }
  [[nodiscard]] std::string to_string() const { return text(count, ", rate ", rate); }
  [[nodiscard]] static constexpr const char* name(direction) { return "dropout"; }
  friend auto operator<=>(const dropout_problem&, const dropout_problem&) = default;

  template <class T>
  struct arguments {
    std::uint64_t seed = 0;
    std::uint32_t stream = 0;
    const double* iteration = nullptr;  // where kernels read it: a whole number that changes from step to step
    T* mask = nullptr;
  };
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
