// SPDX-License-Identifier: Apache-2.0
/// @file
/// Operations that are written once over the loops of core/loops.hpp: on the host with OpenMP, on a device with Kokkos.
#ifndef COMODAL_ENGINE_LOOPS_LOOP_OP_HPP
#define COMODAL_ENGINE_LOOPS_LOOP_OP_HPP

#include <comodal/core/loops.hpp>
#include <comodal/core/row_sums.hpp>
#include <comodal/engine/dispatch.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// How an engine carries a problem out by loops: a specialisation is complete as an `engine_op`.
template <class Engine, class Problem, class Backend>
struct loop_op {
  static_assert(detail::never<Engine>,
                "comodal: an engine lists this problem among those that it serves, but neither the engine nor "
                "comodal/engine/loops has an implementation: specialise engine_op or loop_op");
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
