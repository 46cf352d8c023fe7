// SPDX-License-Identifier: Apache-2.0
/// @file
/// The one place that knows the differences between Kokkos 3.4.1 and 5.x, and which spaces run on the host.
#ifndef COMODAL_CORE_KOKKOS_HPP
#define COMODAL_CORE_KOKKOS_HPP

#include <comodal/core/config.hpp>

#include <Kokkos_Core.hpp>

#include <concepts>
#include <string>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

/// A Kokkos execution space (Kokkos' own requirement, checked through its trait).
template <class T>
concept execution_space = Kokkos::is_execution_space<T>::value;

/// The execution space that programs use unless they choose one: Kokkos' default.
using default_space = Kokkos::DefaultExecutionSpace;

/// True where kernels run on the host: there our loops use OpenMP themselves, whatever host back end Kokkos has.
template <execution_space Space>
inline constexpr bool is_host_v = std::is_same_v<typename Space::memory_space, Kokkos::HostSpace>;

/// "major.minor.patch" of the Kokkos that this program was compiled with.
inline std::string kokkos_version() {
  return std::to_string(KOKKOS_VERSION / 10000) + "." + std::to_string(KOKKOS_VERSION / 100 % 100) + "." +
         std::to_string(KOKKOS_VERSION % 100);
}

}  // namespace comodal::inline COMODAL_CONFIG

// Before a loop of a device kernel that must be unrolled; other compilers decide themselves.
#if defined(__CUDA_ARCH__) || defined(__HIP_DEVICE_COMPILE__)
#define COMODAL_IMPL_UNROLL _Pragma("unroll")
#else
#define COMODAL_IMPL_UNROLL
#endif

/// Exponential, logarithm and square root that work on the host and on devices.
namespace comodal::inline COMODAL_CONFIG::math {
#if KOKKOS_VERSION >= 30700
using Kokkos::exp;
using Kokkos::fabs;
using Kokkos::log;
using Kokkos::pow;
using Kokkos::sqrt;
using Kokkos::tanh;
#else
using std::exp;
using std::fabs;
using std::log;
using std::pow;
using std::sqrt;
using std::tanh;
#endif
}  // namespace comodal::inline COMODAL_CONFIG::math

#endif
