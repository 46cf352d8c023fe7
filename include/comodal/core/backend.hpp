// SPDX-License-Identifier: Apache-2.0
/// @file
/// Back ends: compile-time policies that say where a network runs, in which precision, and by which engines.
#ifndef COMODAL_CORE_BACKEND_HPP
#define COMODAL_CORE_BACKEND_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/kokkos.hpp>
#include <comodal/core/ladder.hpp>

#include <concepts>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

/// The back end that ships: Kokkos memory and loops, vendor libraries where they are compiled in.
/// @tparam Space execution space; on the host our own loops use OpenMP
/// @tparam Scalar what tensors are stored in: float, bfloat16 (computed with as float), or double (gradient checks; no
/// vendor engine)
/// @tparam Mixed whether networks that are made by name may be of mixed precision (`model.precision = "bf16"`): every
/// kernel is then
///         compiled twice
template <execution_space Space = default_space, tensor_scalar Scalar = float, bool Mixed = false>
struct kokkos_backend {
  static_assert(!Mixed || std::is_same_v<Scalar, float>, "comodal: mixed precision needs a back end of float");
  using space_type = Space;
  using scalar_type = Scalar;
  using compute_type = compute_type_t<Scalar>;
  static constexpr bool is_mixed = Mixed;
  static constexpr bool is_reference = false;
};

/// The oracle: the same memory on the host, every operation computed by xtensor, slowly and plainly.
/// Programs that use it include `comodal/engine/reference.hpp`.
template <std::floating_point Scalar = double>
struct xtensor_backend {
  using space_type = Kokkos::DefaultHostExecutionSpace;
  using scalar_type = Scalar;
  using compute_type = Scalar;
  static constexpr bool is_reference = true;
};

/// A back end names its execution space and the scalar of its tensors, and whether it is the reference engine.
template <class T>
concept tensor_backend = requires {
  typename T::space_type;
  typename T::scalar_type;
  { T::is_reference } -> std::convertible_to<bool>;
} && execution_space<typename T::space_type> && tensor_scalar<typename T::scalar_type>;

/// Says in plain words which member of a back end is missing.
template <class T>
constexpr void check_tensor_backend() {
  if constexpr (!requires { typename T::space_type; })
    static_assert(detail::never<T>,
                  "comodal: a tensor_backend needs a member type space_type (a Kokkos execution space)");
  else if constexpr (!requires { typename T::scalar_type; })
    static_assert(detail::never<T>,
                  "comodal: a tensor_backend needs a member type scalar_type (float, double or bfloat16)");
  else if constexpr (!requires { T::is_reference; })
    static_assert(detail::never<T>, "comodal: a tensor_backend needs a static constexpr bool is_reference");
  else if constexpr (!tensor_backend<T>)
    static_assert(detail::never<T>,
                  "comodal: this type is no tensor_backend: space_type must be a Kokkos execution space, scalar_type "
                  "float, double or bfloat16");
}

/// The back end that programs use unless they choose one.
using default_backend = kokkos_backend<>;
/// The back end of gradient checks.
using double_backend = kokkos_backend<default_space, double>;
/// default_backend with mixed precision: what the command line is made of.
using mixed_backend = kokkos_backend<default_space, float, true>;

}  // namespace comodal::inline COMODAL_CONFIG

#endif
