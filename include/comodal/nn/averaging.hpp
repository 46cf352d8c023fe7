// SPDX-License-Identifier: Apache-2.0
/// @file
/// Exponential moving average of parameters: the teacher of Mean Teacher (Tarvainen and Valpola, 2017).
#ifndef COMODAL_NN_AVERAGING_HPP
#define COMODAL_NN_AVERAGING_HPP

#include <comodal/nn/parameters.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {

/// The factor of update t = 0, 1, ...: min(1 - 1 / (t + 1), decay), so that the first update copies the student.
[[nodiscard]] inline double ema_factor(std::uint64_t t, double decay) {
  return std::min(1 - 1 / (static_cast<double>(t) + 1), decay);
}

namespace detail {

template <class T>
struct average_body {
  const T* from;
  T* to;
  T keep;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = keep * to[i] + (T(1) - keep) * from[i]; }
};

}  // namespace detail

/// to <- keep * to + (1 - keep) * from, parameter by parameter, in place; the stores were built alike.
/// @throws config_error, shape_error otherwise
template <tensor_backend Backend>
void average_parameters(const parameter_store<Backend>& from, const parameter_store<Backend>& to, double keep) {
  using T = typename Backend::scalar_type;
  expect_alike("average_parameters", from, to);
  auto& ctx = to.home().ctx();
  for (std::size_t i = 0; i < to.all().size(); ++i) {
    const auto &source = from.all()[i].value.value(), &target = to.all()[i].value.value();
    for_elements(ctx.space(), target.size(),
                 detail::average_body<T>{source.data(), target.data(), static_cast<T>(keep)});
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
