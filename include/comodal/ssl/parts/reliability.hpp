// SPDX-License-Identifier: Apache-2.0
/// @file
/// How good each output is on labelled training crops, as running means: who may teach whom (method.md section 5).
#ifndef COMODAL_SSL_PARTS_RELIABILITY_HPP
#define COMODAL_SSL_PARTS_RELIABILITY_HPP

#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/nn/state.hpp>
#include <comodal/ssl/parts/constant_function.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Running means (factor 0.99) of the soft Dice of M branches on labelled crops, from 1/2. They stay on
/// the device, in their place.
template <tensor_backend Backend>
class reliability {
 public:
  static constexpr double factor = 0.99;

  reliability(tape<Backend>& home, index outputs)
      : m_values(home.constant(ops::full(home.ctx(), shape{outputs}, typename Backend::scalar_type(0.5)))) {}

  /// Output k's soft Dice by class (N, K), which classes are in the target (N, K), and which samples count (N). Call
  /// without gradients.
  void update(index k, const variable<Backend>& dice, const variable<Backend>& in_target,
              const variable<Backend>& samples) {
    const auto known = multiply(in_target, reshape(samples, {samples.extent(0), 1}));
    const auto number = sum(known), rate = scale(constant_function(ssl_detail::positive{}, number), 1 - factor);
    const auto now = divide(sum(multiply(dice, known)), constant_function(ssl_detail::at_least_number{1}, number));
    const auto before = slice(m_values, 0, k, k + 1);
    replace(k, add(before, multiply(rate, subtract(now, before))));
  }

  /// w(m <- n) = clip(1/2 + (rho_n - rho_m) / 0.2, 0, 1): how much m learns from n; (1), a constant.
  [[nodiscard]] variable<Backend> weight(index m, index n) const {
    return constant_function(ssl_detail::clipped{}, shift(scale(subtract(value(n), value(m)), 5), 0.5));
  }
  /// rho of output k, (1).
  [[nodiscard]] variable<Backend> value(index k) const { return slice(m_values, 0, k, k + 1); }

  void save(safetensors_file& file) const {
    file.arrays["reliability"] = named_array::of(m_values.shape(), to_host(m_values.ctx().space(), m_values.value()));
  }
  void load(const safetensors_file& file) {
    const named_array& array = file.at("reliability");
    if (!(array.shape == m_values.shape()))
      throw io_error(text("array 'reliability' is ", array.shape.to_string(), ", this method has ", m_values.extent(0),
                          " outputs"));
    m_values.assign(
        m_values.ctx().make(m_values.shape(), array.template values<typename Backend::scalar_type>("reliability")));
  }

 private:
  void replace(index k, const variable<Backend>& now) {
    ops::copy_finite_to(m_values.ctx(), now.value().reshaped({1}), m_values.value().part(k, {1}));
  }

  variable<Backend> m_values;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
