// SPDX-License-Identifier: Apache-2.0
/// @file
/// exp and log of floats by arithmetic alone, so that loops over voxels vectorise and their bytes do not depend on the
/// C library. Other scalars, and devices, take the usual functions.
#ifndef COMODAL_CORE_VECTOR_MATH_HPP
#define COMODAL_CORE_VECTOR_MATH_HPP

#include <comodal/core/kokkos.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

/// e^x: at most 2 units in the last place from exact between -87 and 88; 0 below, infinity above, NaN for NaN.
/// Reduction to |r| <= ln 2 / 2 in two parts, a Taylor polynomial of degree 7, and the exponent set by its bits.
template <class T>
KOKKOS_INLINE_FUNCTION T vector_exp(T x) {
#if !defined(__CUDA_ARCH__) && !defined(__HIP_DEVICE_COMPILE__)
  if constexpr (std::is_same_v<T, float>) {
    const float bounded = x > 88.3762626647949f ? 88.3762626647949f : x < -87.3365447504f ? -87.3365447504f : x;
    constexpr float to_integer = 12582912.f;  // 1.5 2^23: adding it leaves the nearest whole number in the low bits
    const float shifted = bounded * 1.44269504088896341f + to_integer, n = shifted - to_integer;
    const float r = (bounded - n * 0.693145751953125f) - n * 1.42860682030941723e-6f;
    float p = 1.f / 5040;
    p = p * r + 1.f / 720;
    p = p * r + 1.f / 120;
    p = p * r + 1.f / 24;
    p = p * r + 1.f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.f;
    p = p * r + 1.f;
    const auto power = (std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(to_integer) + 127) << 23;
    const float y = p * std::bit_cast<float>(power);
    return x < -87.3365447504f ? 0.f : x > 88.3762626647949f ? HUGE_VALF : x == x ? y : x;
  } else
#endif
    return math::exp(x);
}

/// ln x of a positive normal number: at most 2 units in the last place from exact, away from 1; near 1 an error of
/// 1e-7. x = m 2^e with m in [sqrt(1/2), sqrt 2); ln m = 2 artanh((m - 1) / (m + 1)) by its series.
template <class T>
KOKKOS_INLINE_FUNCTION T vector_log(T x) {
#if !defined(__CUDA_ARCH__) && !defined(__HIP_DEVICE_COMPILE__)
  if constexpr (std::is_same_v<T, float>) {
    const auto bits = std::bit_cast<std::int32_t>(x), e = (bits - 0x3f3504f3) >> 23;
    const float m = std::bit_cast<float>(bits - (e << 23)), s = (m - 1.f) / (m + 1.f), z = s * s;
    float p = 2.f / 11;
    p = p * z + 2.f / 9;
    p = p * z + 2.f / 7;
    p = p * z + 2.f / 5;
    p = p * z + 2.f / 3;
    p = p * z + 2.f;
    const auto exponent = static_cast<float>(e);
    return exponent * 1.42860682030941723e-6f + (p * s + exponent * 0.693145751953125f);
  } else
#endif
    return math::log(x);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
