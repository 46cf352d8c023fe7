// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a network costs: its parameters, and the multiply-adds of one window.
#ifndef COMODAL_APP_NETWORK_COST_HPP
#define COMODAL_APP_NETWORK_COST_HPP

#include <comodal/app/registry.hpp>
#include <comodal/core/profile.hpp>
#include <comodal/model/model_plan.hpp>

#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// Parameters are scalars of all that the network holds. Multiply-adds are those of the convolutions and matrix
/// products of one forward pass of the fused output of one window, all modalities given, padding included.
struct network_cost {
  index parameters = 0;
  double multiply_adds = 0;
};

/// The cost of a model plan's network, from a forward pass of zeros in `ctx`, which keeps what was planned. Waits for
/// the device. @throws config_error for a name that the program lacks
template <tensor_backend Backend>
[[nodiscard]] network_cost cost_of_window(context<Backend>& ctx, const model_plan& plan,
                                          const registry<Backend>& names) {
  tape<Backend> home(ctx);
  const auto modalities = static_cast<index>(plan.modalities.size());
  const auto network = make_network<Backend>(home, plan.network, modalities, plan.channels(), plan.seed, names);
  const no_grad_scope<Backend> quiet(home);
  const shape window{1, plan.patch_size[0], plan.patch_size[1], plan.patch_size[2], 1};
  std::vector<variable<Backend>> volumes;
  for (index m = 0; m < modalities; ++m) volumes.push_back(home.constant(ops::full(ctx, window, 0.f)));
  const std::vector<float> all(static_cast<std::size_t>(modalities), 1.f);
  profile recorder;
  profile* const before = ctx.recorder;
  ctx.recorder = &recorder;
  try {
    (void)network.forward(volumes, {home, 1, modalities, all}, network_outputs::fused_only);
  } catch (...) {
    ctx.recorder = before;
    throw;
  }
  ctx.recorder = before;
  return {network.parameters().count(), recorder.multiply_adds()};
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
