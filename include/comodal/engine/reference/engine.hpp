// SPDX-License-Identifier: Apache-2.0
/// @file
/// The reference engine: every operation, computed plainly with xtensor in double. Slow; the oracle.
#ifndef COMODAL_ENGINE_REFERENCE_ENGINE_HPP
#define COMODAL_ENGINE_REFERENCE_ENGINE_HPP

#include <comodal/core/engines.hpp>
#include <comodal/engine/dispatch.hpp>
#include <comodal/engine/problem/all.hpp>

namespace comodal::inline COMODAL_CONFIG {

struct reference_engine {
  static constexpr const char* name = "reference";
  using serves = all_problems;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
