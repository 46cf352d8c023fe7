// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sends the host's execution space the way that devices go: Kokkos loops over the device bodies of all kernels.
/// Included before any other header of the library, it lets a machine without a GPU check what a GPU would compute.
#ifndef COMODAL_TESTS_COMPILE_DEVICE_BODIES_HPP
#define COMODAL_TESTS_COMPILE_DEVICE_BODIES_HPP

#include <comodal/core/kokkos.hpp>

namespace comodal {

template <>
inline constexpr bool is_host_v<Kokkos::DefaultHostExecutionSpace> = false;

}  // namespace comodal

#endif
