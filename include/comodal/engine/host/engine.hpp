// SPDX-License-Identifier: Apache-2.0
/// @file
/// The host engine: our kernels on a processor, with OpenMP and vectors.
#ifndef COMODAL_ENGINE_HOST_ENGINE_HPP
#define COMODAL_ENGINE_HOST_ENGINE_HPP

#include <comodal/core/engines.hpp>
#include <comodal/engine/problem/all.hpp>

namespace comodal::inline COMODAL_CONFIG {

struct host_engine {
  static constexpr const char* name = "host";
  using serves = all_problems;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
