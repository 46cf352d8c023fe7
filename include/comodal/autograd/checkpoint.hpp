// SPDX-License-Identifier: Apache-2.0
/// @file
/// Activation checkpointing (Chen et al. 2016, arXiv 1604.06174): memory for time.
#ifndef COMODAL_AUTOGRAD_CHECKPOINT_HPP
#define COMODAL_AUTOGRAD_CHECKPOINT_HPP

#include <comodal/autograd/variable.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// f(inputs), of which the inputs alone are kept: the backward pass computes f once more, with the same bytes, and goes
/// back through it. Parameters that f uses receive their gradients as ever. The gradient of an input that is used
/// inside and outside of f, or of several fs, is added in another order: its last bits may differ.
/// @param f takes the inputs as a `std::vector<variable<Backend>>`, returns one variable, gives the same result for the
/// same inputs,
///        and lives (is copied) until the backward pass
template <tensor_backend Backend, class F>
[[nodiscard]] variable<Backend> checkpoint(const std::vector<variable<Backend>>& inputs, const F& f) {
  if (inputs.empty()) throw shape_error("checkpoint: no input given");
  tape<Backend>& home = inputs[0].home();
  if (!home.recording()) return f(inputs);
  typename variable<Backend>::tensor_type value;
  const auto used = home.used_by([&] { value = f(inputs).value(); });
  std::vector<typename variable<Backend>::tensor_type> values;
  std::vector<gradient_sink<Backend>> sinks;
  for (const auto& input : inputs) {
    values.push_back(input.value());
    sinks.push_back(input.sink());
  }
  const auto backward = [&home, f, values, sinks](const auto& d) {
    std::vector<variable<Backend>> again;
    for (std::size_t i = 0; i < values.size(); ++i)
      again.push_back(sinks[i].wanted() ? home.leaf(values[i]) : home.constant(values[i]));
    home.replay([&] { return f(again); }, d);
    for (std::size_t i = 0; i < sinks.size(); ++i)
      if (again[i].requires_grad() && again[i].grad()) sinks[i].accumulate(again[i].grad());
  };
  return home.recorded(value, backward, used);
}

/// The same, or plainly f(inputs), as `wanted` says.
template <tensor_backend Backend, class F>
[[nodiscard]] variable<Backend> checkpoint_if(bool wanted, const std::vector<variable<Backend>>& inputs, const F& f) {
  return wanted ? checkpoint(inputs, f) : f(inputs);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
