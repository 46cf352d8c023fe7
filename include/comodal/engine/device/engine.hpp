// SPDX-License-Identifier: Apache-2.0
/// @file
/// The device engine: our kernels on any Kokkos device.
#ifndef COMODAL_ENGINE_DEVICE_ENGINE_HPP
#define COMODAL_ENGINE_DEVICE_ENGINE_HPP

#include <comodal/core/engines.hpp>
#include <comodal/engine/problem/all.hpp>

namespace comodal::inline COMODAL_CONFIG {

struct device_engine {
  static constexpr const char* name = "device";
  using serves = all_problems;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
