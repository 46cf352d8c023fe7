// SPDX-License-Identifier: Apache-2.0
/// @file
/// Compares the gradients of a function with central finite differences: for tests of the library and of users' own
/// blocks.
#ifndef COMODAL_AUTOGRAD_CHECK_GRADIENT_HPP
#define COMODAL_AUTOGRAD_CHECK_GRADIENT_HPP

#include <comodal/autograd/reduction.hpp>
#include <comodal/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What `check_gradient` found.
struct gradient_report {
  double worst = 0;   // the largest |analytic - numeric| / (|analytic| + |numeric| + floor)
  std::string place;  // where: "input 1, element 17: analytic 0.25, numeric 0.24"
  index compared = 0;
  [[nodiscard]] bool passed(double tolerance = 1e-6) const { return compared > 0 && worst <= tolerance; }
};

namespace detail {

// Leaves the inputs of a gradient check as they were: their values, no gradients, and an empty tape.
template <tensor_backend Backend>
class inputs_under_check {
 public:
  explicit inputs_under_check(const std::vector<variable<Backend>>& inputs) : m_inputs(&inputs) { drop_gradients(); }
  ~inputs_under_check() {
    put_back();
    drop_gradients();
  }
  inputs_under_check(const inputs_under_check&) = delete;
  inputs_under_check& operator=(const inputs_under_check&) = delete;

  /// Sets element e of input k; `values` are all of its others.
  void move(std::size_t k, std::vector<typename Backend::scalar_type> values, std::size_t e, double value) {
    const auto& input = (*m_inputs)[k];
    if (!m_moved || *m_moved != k) {
      put_back();
      m_before = input.ctx().make(input.shape(), values);
      m_moved = k;
    }
    values[e] = static_cast<typename Backend::scalar_type>(value);
    input.assign(input.ctx().make(input.shape(), values));
  }

 private:
  void put_back() {
    if (m_moved) (*m_inputs)[*m_moved].assign(m_before);
    m_moved.reset();
  }
  void drop_gradients() const {
    (*m_inputs)[0].home().clear();
    for (const auto& input : *m_inputs) input.zero_grad();
  }

  const std::vector<variable<Backend>>* m_inputs;
  std::optional<std::size_t> m_moved;
  typename context<Backend>::tensor_type m_before;
};

}  // namespace detail

/// Compares the gradients of `f(inputs)` with respect to every input, projected on a fixed random direction of the
/// output, with central differences. Use a back end in double.
/// @param f takes a `std::vector<variable<Backend>>` and returns a variable of any shape
/// @param inputs leaves; their values are perturbed and restored, also where f throws
/// @param step relative step of the differences
/// @param most elements an input that are compared (spread evenly); 0 compares all
/// @param floor gradients much smaller than this are compared absolutely
template <tensor_backend Backend, class F>
[[nodiscard]] gradient_report check_gradient(F&& f, const std::vector<variable<Backend>>& inputs, double step = 1e-5,
                                             index most = 64, double floor = 1e-3) {
  using T = typename Backend::scalar_type;
  auto& home = inputs.at(0).home();
  auto& ctx = home.ctx();
  variable<Backend> direction;
  const auto projected = [&] {
    variable<Backend> out = f(inputs);
    if (!direction) {
      random_stream draw(1, random_purpose::test, 77);
      std::vector<T> values(static_cast<std::size_t>(out.shape().size()));
      for (T& v : values) v = static_cast<T>(draw.uniform(-1, 1));
      direction = home.constant(out.shape(), values);
    }
    return sum(multiply(out, direction));
  };

  detail::inputs_under_check<Backend> checked(inputs);
  home.backward(projected());
  std::vector<std::vector<T>> analytic;
  for (const auto& input : inputs)
    analytic.push_back(input.grad() ? to_host(ctx.space(), input.grad())
                                    : std::vector<T>(static_cast<std::size_t>(input.shape().size()), T(0)));

  gradient_report report;
  const no_grad_scope<Backend> quiet(home);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const auto before = to_host(ctx.space(), inputs[k].value());
    const index size = static_cast<index>(before.size()), count = most > 0 ? std::min(most, size) : size;
    for (index j = 0; j < count; ++j) {
      const auto e = static_cast<std::size_t>(j * size / count);
      const double h = step * std::max(1.0, std::fabs(static_cast<double>(before[e])));
      const auto at = [&](double value) {
        checked.move(k, before, e, value);
        return item(projected());
      };
      const double centre = static_cast<double>(before[e]), numeric = (at(centre + h) - at(centre - h)) / (2 * h);
      const double exact = static_cast<double>(analytic[k][e]);
      const double difference = std::fabs(exact - numeric) / (std::fabs(exact) + std::fabs(numeric) + floor);
      ++report.compared;
      if (!(difference <= report.worst)) {
        report.worst = difference;
        report.place = text("input ", k, ", element ", e, ": analytic ", exact, ", numeric ", numeric);
      }
    }
  }
  return report;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
