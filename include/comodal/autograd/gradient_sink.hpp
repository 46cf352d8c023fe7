// SPDX-License-Identifier: Apache-2.0
/// @file
/// Where gradients are collected: in a tensor of the value's own, in the arena of a parameter store, or in another
/// parameter.
#ifndef COMODAL_AUTOGRAD_GRADIENT_SINK_HPP
#define COMODAL_AUTOGRAD_GRADIENT_SINK_HPP

#include <comodal/autograd/record.hpp>
#include <comodal/ops/elementwise.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

template <tensor_backend Backend>
class tape;
template <tensor_backend Backend>
class variable;
template <tensor_backend Backend>
class parameter_store;

namespace detail {

template <class From, class To>
struct add_converted_body {
  const From* from;
  To* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    using C = compute_type_t<To>;
    to[i] = static_cast<To>(C(to[i]) + C(from[i]));
  }
};

// What the parameters of one store share. `size` is 0 until the store is sealed; then `values` holds all values side by
// side, and `gradients`, made when the first one arrives, all gradients in the same places.
template <tensor_backend Backend>
struct parameter_arena {
  using tensor_type = typename context<Backend>::tensor_type;

  index size = 0;
  index decayed = 0;  // elements in front to which weight decay applies
  tensor_type values, gradients;
  // Counts changes of the values. Copies in another scalar share the counter of their masters.
  std::shared_ptr<value_version> version = std::make_shared<value_version>(0);

  [[nodiscard]] const tensor_type& gradients_in(context<Backend>& ctx) {
    if (!gradients) gradients = ops::full(ctx, {size}, typename Backend::scalar_type(0));
    return gradients;
  }
};

// A parameter's place in its store.
template <tensor_backend Backend>
struct parameter_place {
  using tensor_type = typename context<Backend>::tensor_type;

  std::shared_ptr<parameter_arena<Backend>> arena;
  index offset = -1;  // in the arena; -1 until the store is sealed
  // Takes gradients in place of the parameter: of a copy in another scalar they belong to its master.
  std::function<void(const tensor_type&)> hand_on;

  [[nodiscard]] bool sealed() const { return offset >= 0; }
};

}  // namespace detail

/// Where the gradient of a variable is collected. Backward functions keep sinks, not variables, so that a value which
/// no backward function needs is freed at once.
template <tensor_backend Backend>
class gradient_sink {
 public:
  using tensor_type = typename context<Backend>::tensor_type;

  /// True if a gradient is asked for; backward functions skip what is not wanted.
  [[nodiscard]] bool wanted() const { return m_slot->requires_grad; }

  /// Adds to the gradient, if one is wanted. Parameters of a sealed store add in place, in the store's arena; any other
  /// value keeps a first gradient without a copy. The gradient may have another scalar than the value.
  /// @throws shape_error unless the gradient has the shape of the value
  template <class Scalar>
  void accumulate(const tensor<Scalar, typename Backend::space_type>& gradient) const {
    if (!wanted()) return;
    if (!gradient || !(gradient.shape() == m_slot->extents))
      throw shape_error(text("backward: a gradient ", gradient ? gradient.shape().to_string() : "without elements",
                             " was handed to a value ", m_slot->extents.to_string(),
                             "; a backward function returns gradients in the shapes of its inputs"));
    auto& ctx = *m_slot->ctx;
    const auto* place = m_slot->place.get();
    if (place && place->sealed() && !place->hand_on) {
      if (!m_slot->grad) m_slot->grad = place->arena->gradients_in(ctx).part(place->offset, m_slot->extents);
      ops::each(
          ctx, gradient.size(),
          detail::add_converted_body<Scalar, typename Backend::scalar_type>{gradient.data(), m_slot->grad.data()});
    } else if constexpr (std::is_same_v<Scalar, typename Backend::scalar_type>) {
      if (place && place->hand_on)
        place->hand_on(gradient);
      else
        keep(gradient);
    } else {
      accumulate(ops::cast(ctx, gradient));
    }
  }

 private:
  friend class variable<Backend>;
  friend class tape<Backend>;
  struct slot {
    tensor_type grad;        // empty where none arrived
    comodal::shape extents;  // of the value, and so of the gradient
    bool requires_grad = false;
    bool is_result = false, on_tape = false;  // made by a recorded operation; which the tape still holds
    context<Backend>* ctx = nullptr;
    std::shared_ptr<detail::parameter_place<Backend>> place;  // of parameters alone
  };
  explicit gradient_sink(std::shared_ptr<slot> s) : m_slot(std::move(s)) {}

  void keep(const tensor_type& gradient) const {
    if (!m_slot->grad)
      m_slot->grad = gradient;
    else if (m_slot->grad.unique())
      ops::add_to(*m_slot->ctx, m_slot->grad, gradient);
    else
      m_slot->grad = ops::sum(*m_slot->ctx, m_slot->grad, gradient);
  }

  std::shared_ptr<slot> m_slot;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
