// SPDX-License-Identifier: Apache-2.0
/// @file
/// The ramp by which the weights of unlabelled terms rise over a run.
#ifndef COMODAL_SSL_PARTS_RAMP_HPP
#define COMODAL_SSL_PARTS_RAMP_HPP

#include <comodal/core/step_block.hpp>

#include <algorithm>
#include <cmath>

namespace comodal::inline COMODAL_CONFIG {

/// exp(-5 (1 - min(1, t / (ramp T)))^2), from e^-5 to 1 (Laine and Aila 2017); `ramp` is a fraction of the run; 0:
/// always 1. Kernels read it from the step block: `scale(term, 0.1 * ramp_up(request, 0.4))`.
[[nodiscard]] inline step_scalar ramp_up(const progress& at, double ramp) {
  return {at,
          [](const progress& now, double part) {
            const double x = part > 0 ? std::min(1.0, now.fraction() / part) : 1.0;
            return std::exp(-5 * (1 - x) * (1 - x));
          },
          ramp};
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
