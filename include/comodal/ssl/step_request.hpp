// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a training step is asked for: how far the run is, and the key of the step's random numbers.
#ifndef COMODAL_SSL_STEP_REQUEST_HPP
#define COMODAL_SSL_STEP_REQUEST_HPP

#include <comodal/core/step_block.hpp>
#include <comodal/nn/forward_request.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {

/// The request of one training step: its place in the run and the seed of its random numbers.
struct step_request : progress {
  step_request(const progress& at, std::uint64_t run_seed = 1) : progress(at), seed(run_seed) {}
  step_request(std::uint32_t step_of_run, std::uint32_t steps_of_run, std::uint64_t run_seed = 1)
      : progress{step_of_run, steps_of_run}, seed(run_seed) {}

  /// The request of one forward pass of this step. Passes with different numbers draw different random numbers.
  [[nodiscard]] forward_request pass(network_outputs outputs, forward_mode mode, std::uint32_t number = 0) const {
    return {outputs, mode, {seed, step, number}};
  }

  std::uint64_t seed;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
