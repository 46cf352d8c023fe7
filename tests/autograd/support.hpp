// SPDX-License-Identifier: Apache-2.0
/// @file
/// Runs a differentiable function on any back end from the same numbers, and returns its output and gradients.
#ifndef COMODAL_TESTS_AUTOGRAD_SUPPORT_HPP
#define COMODAL_TESTS_AUTOGRAD_SUPPORT_HPP

#include <comodal/autograd/reduction.hpp>

#include <core/support.hpp>

#include <vector>

namespace comodal::tests {

/// An input: its extents and the range of its values.
struct operand {
  shape extents;
  double low = -1, high = 1;
};

template <class Backend>
std::vector<variable<Backend>> leaves(tape<Backend>& home, const std::vector<operand>& operands) {
  std::vector<variable<Backend>> inputs;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const auto numbers =
        values(operands[i].extents.size(), static_cast<std::uint32_t>(i), operands[i].low, operands[i].high);
    inputs.push_back(
        home.leaf(home.ctx().make(operands[i].extents, converted<typename Backend::scalar_type>(numbers))));
  }
  return inputs;
}

/// The output, then the gradient of every input, of a random projection of the output.
template <class Backend, class F>
std::vector<std::vector<typename Backend::scalar_type>> evaluate(context<Backend>& ctx,
                                                                 const std::vector<operand>& operands, const F& f) {
  using T = typename Backend::scalar_type;
  tape<Backend> home(ctx);
  const auto inputs = leaves(home, operands);
  const variable<Backend> output = f(inputs);
  home.backward(sum(multiply(output, home.constant(output.shape(), converted<T>(values(output.shape().size(), 99))))));
  std::vector<std::vector<T>> results{to_host(ctx.space(), output.value())};
  for (const auto& input : inputs)
    results.push_back(input.grad() ? to_host(ctx.space(), input.grad()) : std::vector<T>{});
  return results;
}

template <class Backend, class F>
auto evaluate(const std::vector<operand>& operands, const F& f) {
  context<Backend> ctx;
  return evaluate(ctx, operands, f);
}

}  // namespace comodal::tests

#endif
