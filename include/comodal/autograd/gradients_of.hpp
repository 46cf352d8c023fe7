// SPDX-License-Identifier: Apache-2.0
/// @file
/// Gradients with respect to chosen leaves alone: for adversarial perturbations of images or features.
#ifndef COMODAL_AUTOGRAD_GRADIENTS_OF_HPP
#define COMODAL_AUTOGRAD_GRADIENTS_OF_HPP

#include <comodal/autograd/variable.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

/// While it lives, the chosen leaves alone want gradients, and start without any; afterwards all leaves hold and want
/// what they did before.
template <tensor_backend Backend>
class chosen_leaves {
 public:
  chosen_leaves(tape<Backend>& home, const std::vector<variable<Backend>>& chosen) : m_chosen(chosen) {
    for (std::size_t i = 0; i < chosen.size(); ++i)
      if (!is_leaf(home, chosen[i]))
        throw config_error(text("gradients_of: input ", i, " is no leaf of this tape; make it with tape::leaf"));
    for (std::size_t i = 0; i < chosen.size(); ++i)
      if (chosen[i].m_slot->place)
        throw config_error(text("gradients_of: input ", i, " is a parameter; use tape::backward for parameters"));
    for (const auto& entry : home.m_record->leaves)
      if (const auto wants = entry.lock(); wants && *wants) m_others.push_back(wants);
    for (const auto& wants : m_others) *wants = false;
    for (const auto& one : m_chosen) {
      one.m_slot->requires_grad = true;
      m_held.push_back(std::exchange(one.m_slot->grad, {}));
    }
  }
  ~chosen_leaves() {
    for (std::size_t i = 0; i < m_held.size(); ++i) m_chosen[i].m_slot->grad = m_held[i];
    for (const auto& wants : m_others) *wants = true;
  }
  chosen_leaves(const chosen_leaves&) = delete;
  chosen_leaves& operator=(const chosen_leaves&) = delete;

 private:
  static bool is_leaf(tape<Backend>& home, const variable<Backend>& one) {
    for (const auto& entry : home.m_record->leaves)
      if (entry.lock().get() == &one.m_slot->requires_grad) return true;
    return false;
  }

  std::vector<variable<Backend>> m_chosen;
  std::vector<std::shared_ptr<bool>> m_others;
  std::vector<typename context<Backend>::tensor_type> m_held;
};

}  // namespace detail

/// The gradients of a scalar with respect to `inputs`, each of its input's shape, as constants; zeros where none
/// arrives, at one of several. No other leaf receives a gradient, parameters neither, and what the inputs hold stays as
/// it is. Empties the tape, as `backward` does; the step goes on with a forward pass of its own.
/// @param inputs leaves that wanted gradients when `loss` was computed
/// @throws config_error for an input that is no leaf, or a parameter, and if no gradient arrives at any; shape_error
/// unless `loss` has one element
template <tensor_backend Backend>
[[nodiscard]] std::vector<variable<Backend>> gradients_of(const variable<Backend>& loss,
                                                          const std::vector<variable<Backend>>& inputs) {
  tape<Backend>& home = loss.home();
  const detail::chosen_leaves<Backend> scope(home, inputs);
  home.backward(loss);
  if (!inputs.empty() &&
      std::none_of(inputs.begin(), inputs.end(), [](const auto& one) { return static_cast<bool>(one.grad()); }))
    throw config_error(
        "gradients_of: the loss does not depend on any of the inputs; compute it from them, outside of no_grad_scope");
  std::vector<variable<Backend>> gradients;
  for (const auto& input : inputs)
    gradients.push_back(home.constant(
        input.grad() ? input.grad() : ops::full(home.ctx(), input.shape(), typename Backend::scalar_type(0))));
  return gradients;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
