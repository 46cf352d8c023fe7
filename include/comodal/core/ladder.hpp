// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the ladders of concepts are built with: functions `check_x<T>()` that name the first requirement which T fails.
#ifndef COMODAL_CORE_LADDER_HPP
#define COMODAL_CORE_LADDER_HPP

#include <comodal/core/config.hpp>

namespace comodal::inline COMODAL_CONFIG::detail {

/// False, but only once `T` is known. A rung of a ladder asserts it in the branch of `if constexpr` that a missing
/// member selects: the rungs behind it are then not looked at, so that exactly one sentence appears per type.
template <class T>
inline constexpr bool never = false;

}  // namespace comodal::inline COMODAL_CONFIG::detail

#endif
