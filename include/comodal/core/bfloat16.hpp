// SPDX-License-Identifier: Apache-2.0
/// @file
/// The 16-bit scalar of mixed precision, which is stored in 2 bytes and computed with as float.
#ifndef COMODAL_CORE_BFLOAT16_HPP
#define COMODAL_CORE_BFLOAT16_HPP

#include <comodal/core/kokkos.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

/// The upper half of an IEEE 754 float: 1 sign bit, 8 exponent bits, 7 fraction bits (the "brain" format, bf16). A
/// number becomes one by rounding to nearest, ties to even; what is too large becomes infinity, NaN stays NaN (quiet).
/// It turns into a float by itself and without error, so that all arithmetic is in float; the way back must be written
/// out.
struct bfloat16 {
  std::uint16_t bits;

  bfloat16() = default;
  KOKKOS_INLINE_FUNCTION explicit constexpr bfloat16(float value) : bits(rounded(value)) {}
  /// Rounded once: through a float that is rounded to odd.
  KOKKOS_INLINE_FUNCTION explicit constexpr bfloat16(double value) : bits(rounded(to_odd(value))) {}
  template <std::integral Whole>
  KOKKOS_INLINE_FUNCTION explicit constexpr bfloat16(Whole value) : bfloat16(static_cast<double>(value)) {}

  KOKKOS_INLINE_FUNCTION constexpr operator float() const {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
  }
  /// The number with these bits.
  [[nodiscard]] KOKKOS_INLINE_FUNCTION static constexpr bfloat16 from_bits(std::uint16_t bits) {
    bfloat16 made{};
    made.bits = bits;
    return made;
  }

 private:
  KOKKOS_INLINE_FUNCTION static constexpr std::uint16_t rounded(float value) {
    const auto u = __builtin_bit_cast(std::uint32_t, value);
    const std::uint32_t up = (u + 0x7fffu + (u >> 16 & 1u)) >> 16, quiet = u >> 16 | 0x40u;
    return static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? quiet : up);
  }
  KOKKOS_INLINE_FUNCTION static constexpr float to_odd(double value) {
    const auto nearest = static_cast<float>(value);
    const auto back = static_cast<double>(nearest);
    if (back == value || value != value) return nearest;
    auto u = __builtin_bit_cast(std::uint32_t, nearest);
    if ((back < 0 ? -back : back) > (value < 0 ? -value : value)) --u;
    return __builtin_bit_cast(float, u | 1u);
  }
};
static_assert(sizeof(bfloat16) == 2 && std::is_trivially_copyable_v<bfloat16>);

/// The scalars that tensors of a network are stored in.
template <class T>
concept tensor_scalar = std::floating_point<T> || std::same_as<T, bfloat16>;

namespace detail {

template <class T>
struct compute_type_of {
  using type = T;
};
template <>
struct compute_type_of<bfloat16> {
  using type = float;
};

}  // namespace detail

/// A computed number as it is stored. What `static_cast` does, as a function: GCC does not vectorise an `omp simd` loop
/// whose body itself calls a constructor.
template <tensor_scalar T>
[[nodiscard]] KOKKOS_INLINE_FUNCTION constexpr T stored(std::conditional_t<std::same_as<T, bfloat16>, float, T> value) {
  return static_cast<T>(value);
}

/// `value` where `wanted`, else 0; without arithmetic, so that loops over stored values vectorise.
template <std::floating_point T>
[[nodiscard]] KOKKOS_INLINE_FUNCTION constexpr T value_or_zero(bool wanted, T value) {
  return wanted ? value : T(0);
}
[[nodiscard]] KOKKOS_INLINE_FUNCTION constexpr bfloat16 value_or_zero(bool wanted, bfloat16 value) {
  return bfloat16::from_bits(wanted ? value.bits : std::uint16_t{0});
}

/// The stored form of a number that is known to have one, such as the largest of some: nothing to round.
template <tensor_scalar T>
[[nodiscard]] KOKKOS_INLINE_FUNCTION constexpr T exactly(
    std::conditional_t<std::same_as<T, bfloat16>, float, T> value) {
  if constexpr (std::same_as<T, bfloat16>)
    return bfloat16::from_bits(static_cast<std::uint16_t>(__builtin_bit_cast(std::uint32_t, value) >> 16));
  else
    return value;
}

/// The scalar that is computed with where T is stored: statistics, sums, accumulators. float for `bfloat16`, else T
/// itself.
template <class T>
using compute_type_t = typename detail::compute_type_of<T>::type;

/// The name of a scalar in tables of plans.
template <tensor_scalar T>
inline constexpr const char* scalar_name = std::same_as<T, bfloat16> ? "bfloat16"
                                           : std::same_as<T, float>  ? "float"
                                                                     : "double";

}  // namespace comodal::inline COMODAL_CONFIG

#endif
