// SPDX-License-Identifier: Apache-2.0
/// @file
/// Back ends: compile-time policies that say where a network runs, in which precision, and by which engines.
#ifndef COMODAL_CORE_BACKEND_HPP
#define COMODAL_CORE_BACKEND_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/engines.hpp>
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
/// kernel is then compiled twice
/// @tparam Engines which engines carry operations out, in the order in which they are asked
template <execution_space Space = default_space, tensor_scalar Scalar = float, bool Mixed = false,
          class Engines = default_engines<Space>>
struct kokkos_backend {
  static_assert(!Mixed || std::is_same_v<Scalar, float>, "comodal: mixed precision needs a back end of float");
  static_assert(is_engine_list_v<Engines>, "comodal: the engines of a kokkos_backend are an engine_list<...>");
  using space_type = Space;
  using scalar_type = Scalar;
  using compute_type = compute_type_t<Scalar>;
  using engines_type = Engines;
  static constexpr bool is_mixed = Mixed;
};

/// The oracle: the same memory on the host, every operation computed by xtensor, slowly and plainly.
/// Programs that use it include `comodal/engine/reference.hpp`.
template <std::floating_point Scalar = double>
struct xtensor_backend {
  using space_type = Kokkos::DefaultHostExecutionSpace;
  using scalar_type = Scalar;
  using compute_type = Scalar;
  using engines_type = engine_list<reference_engine>;
};

/// A back end names its execution space, the scalar of its tensors, and its engines.
template <class T>
concept tensor_backend =
    requires {
      typename T::space_type;
      typename T::scalar_type;
      typename T::engines_type;
    } && execution_space<typename T::space_type> && tensor_scalar<typename T::scalar_type> &&
    is_engine_list_v<typename T::engines_type>;

/// Says in plain words which member of a back end is missing; only the first that fails speaks.
template <class T>
constexpr void check_tensor_backend() {
  if constexpr (!requires { typename T::space_type; })
    static_assert(detail::never<T>,
                  "comodal: a tensor_backend needs a member type space_type (a Kokkos execution space)");
  else if constexpr (!requires { typename T::scalar_type; })
    static_assert(detail::never<T>,
                  "comodal: a tensor_backend needs a member type scalar_type (float, double or bfloat16)");
  else if constexpr (!requires { typename T::engines_type; })
    static_assert(detail::never<T>, "comodal: a tensor_backend needs a member type engines_type (an engine_list)");
  else if constexpr (!tensor_backend<T>)
    static_assert(detail::never<T>,
                  "comodal: this type is no tensor_backend: space_type must be a Kokkos execution space, scalar_type "
                  "float, double or bfloat16, engines_type an engine_list");
}

/// The back end of the inner network of mixed precision.
template <tensor_backend Backend>
using bfloat16_backend = kokkos_backend<typename Backend::space_type, bfloat16, false, typename Backend::engines_type>;

/// True where networks that are made by name may be of mixed precision.
template <tensor_backend Backend>
inline constexpr bool mixed_precision_available_v = requires { requires Backend::is_mixed; };

/// The back end that programs use unless they choose one.
using default_backend = kokkos_backend<>;
/// The back end of gradient checks.
using double_backend = kokkos_backend<default_space, double>;
/// default_backend with mixed precision: what the command line is made of.
using mixed_backend = kokkos_backend<default_space, float, true>;

}  // namespace comodal::inline COMODAL_CONFIG

#endif
