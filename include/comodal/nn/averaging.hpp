// SPDX-License-Identifier: Apache-2.0
/// @file
/// Exponential moving average of parameters: the teacher of Mean Teacher (Tarvainen and Valpola, 2017).
#ifndef COMODAL_NN_AVERAGING_HPP
#define COMODAL_NN_AVERAGING_HPP

#include <comodal/core/step_block.hpp>
#include <comodal/nn/parameters.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {

/// The factor of update t = 0, 1, ...: min(1 - 1 / (t + 1), decay), so that the first update copies the student.
[[nodiscard]] inline double ema_factor(std::uint64_t t, double decay) {
  return std::min(1 - 1 / (static_cast<double>(t) + 1), decay);
}

/// The same as a number that kernels read from the step block.
[[nodiscard]] inline step_scalar ema_factor(const progress& at, double decay) {
  return {at, [](const progress& now, double limit) { return ema_factor(std::uint64_t{now.step}, limit); }, decay};
}

namespace detail {

template <class T>
struct average_body {
  const T* from;
  T* to;
  device_scalar factor;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T keep = static_cast<T>(factor.value());
    to[i] = keep * to[i] + (T(1) - keep) * from[i];
  }
};

template <tensor_backend Backend>
void average_parameters(const parameter_store<Backend>& from, const parameter_store<Backend>& to,
                        const device_scalar& keep) {
  using T = typename Backend::scalar_type;
  expect_alike("average_parameters", from, to);
  const auto& target = to.values();
  if (!from.laid_out_like(to))
    throw config_error("average_parameters: weight decay applies to other parameters of one store than of the other");
  ops::each(to.home().ctx(), target.size(), average_body<T>{from.values().data(), target.data(), keep});
  to.changed();
}

}  // namespace detail

/// to <- keep * to + (1 - keep) * from, in place, in one kernel; the stores were built alike, and are sealed here.
/// @throws config_error, shape_error otherwise
template <tensor_backend Backend>
void average_parameters(const parameter_store<Backend>& from, const parameter_store<Backend>& to,
                        const step_scalar& keep) {
  detail::average_parameters(from, to, device_value(to.home().ctx(), keep));
}
/// The same by a number that no rule computes.
template <tensor_backend Backend>
void average_parameters(const parameter_store<Backend>& from, const parameter_store<Backend>& to, double keep) {
  detail::average_parameters(from, to, device_scalar{device_value(to.home().ctx(), to.version().get(), 0, keep)});
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
