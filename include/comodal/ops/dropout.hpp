// SPDX-License-Identifier: Apache-2.0
/// @file
/// Masks for dropout.
#ifndef COMODAL_OPS_DROPOUT_HPP
#define COMODAL_OPS_DROPOUT_HPP

#include <comodal/core/step_block.hpp>
#include <comodal/engine/engines.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG::ops {

/// A mask of 0 with probability `rate`, else 1 / (1 - rate). The draw depends on (seed, stream, iteration) and the
/// element alone. The iteration is read from the step block. @throws config_error unless 0 <= rate < 1
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> dropout_mask(context<Backend>& ctx, const shape& extents, double rate,
                                              std::uint64_t seed, std::uint32_t stream, std::uint32_t iteration) {
  const dropout_problem p{extents.size(), rate};
  p.check();
  auto mask = ctx.make(extents);
  dispatch(ctx, p, direction::forward, {seed, stream, device_iteration(ctx, iteration), mask.data()});
  return mask;
}

}  // namespace comodal::inline COMODAL_CONFIG::ops

#endif
