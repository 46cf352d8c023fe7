// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a forward pass is asked for: which outputs, in which mode, and the key of its random numbers. One request goes
/// through encoders, fusion stages and decoders alike.
#ifndef COMODAL_NN_FORWARD_REQUEST_HPP
#define COMODAL_NN_FORWARD_REQUEST_HPP

#include <comodal/core/config.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {

/// What a forward pass should compute: the fused logits; all logits; all logits, the fused maps and the streams. A
/// network may return more.
enum class network_outputs { fused_only, logits, all };

/// How a forward pass treats what is random in a network, such as dropout.
///  - `train`: random, for a pass that gradients go back through;
///  - `stochastic`: random, for passes whose spread is measured (Monte Carlo dropout) or that are perturbed;
///  - `evaluate`: nothing is random.
enum class forward_mode { train, stochastic, evaluate };

/// The key of a pass's random numbers. Passes of one step need different `pass` numbers, or they draw the same masks.
struct random_key {
  std::uint64_t seed = 1;
  std::uint32_t iteration = 0;
  std::uint32_t pass = 0;
};

/// What one forward pass is asked for. A network without random parts ignores `mode` and `random`.
struct forward_request {
  forward_request(network_outputs wanted = network_outputs::all, forward_mode how = forward_mode::evaluate,
                  const random_key& key = {})
      : outputs(wanted), mode(how), random(key) {}

  /// True if dropout and perturbations act.
  [[nodiscard]] bool is_random() const { return mode != forward_mode::evaluate; }

  network_outputs outputs;
  forward_mode mode;
  random_key random;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
