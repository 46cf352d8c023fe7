// SPDX-License-Identifier: Apache-2.0
/// @file
/// The names of the engines, and the order in which they are asked by default. What an engine can do stands in the
/// layer `engine`; here are only its tag and its place.
#ifndef COMODAL_CORE_ENGINES_HPP
#define COMODAL_CORE_ENGINES_HPP

#include <comodal/core/kokkos.hpp>

#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

struct amx_engine;        // our kernels on the tile registers of a processor
struct host_engine;       // our kernels on a processor
struct device_engine;     // our kernels on any Kokkos device
struct onednn_engine;     // Intel oneDNN, on a processor
struct cudnn_engine;      // NVIDIA cuDNN, on its GPUs
struct reference_engine;  // the oracle: xtensor

/// Engines in the order in which they are asked. The order is part of a back end's type: another order is another back
/// end, with instances of its own.
template <class... Engines>
struct engine_list {
  static constexpr int size = sizeof...(Engines);
};

namespace detail {
template <class Engine, class List>
struct prepended;
template <class Engine, class... Engines>
struct prepended<Engine, engine_list<Engines...>> {
  using type = engine_list<Engine, Engines...>;
};
}  // namespace detail

/// The engines of `List`, `Engine` before them: `prepend_engine<my_engine, default_engines<default_space>>`.
template <class Engine, class List>
using prepend_engine = typename detail::prepended<Engine, List>::type;

/// True if `List` has `Engine`.
template <class Engine, class List>
inline constexpr bool lists_engine_v = false;
template <class Engine, class... Engines>
inline constexpr bool lists_engine_v<Engine, engine_list<Engines...>> = (std::is_same_v<Engine, Engines> || ...);

/// True for an `engine_list`.
template <class T>
inline constexpr bool is_engine_list_v = false;
template <class... Engines>
inline constexpr bool is_engine_list_v<engine_list<Engines...>> = true;

/// The engines of an execution space, unless a back end names others. `COMODAL_IMPL_HOST_VENDORS` and
/// `COMODAL_IMPL_DEVICE_VENDORS` (core/config.hpp) name the vendors' libraries that this build has.
template <execution_space Space>
using default_engines =
    std::conditional_t<is_host_v<Space>, engine_list<amx_engine, host_engine COMODAL_IMPL_HOST_VENDORS>,
                       engine_list<COMODAL_IMPL_DEVICE_VENDORS device_engine>>;

}  // namespace comodal::inline COMODAL_CONFIG

#endif
