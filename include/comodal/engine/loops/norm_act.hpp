// SPDX-License-Identifier: Apache-2.0
/// @file
/// Instance normalisation fused with leaky ReLU. Sums are in double; inputs of bfloat16 are first summed over 8 rows in
/// float. Mean and 1 / deviation are stored in the compute type. Forward and backward each read the data twice: once
/// for sums, once for results.
#ifndef COMODAL_ENGINE_LOOPS_NORM_ACT_HPP
#define COMODAL_ENGINE_LOOPS_NORM_ACT_HPP

#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/problem/norm_act.hpp>

#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

// The type in which the host adds eight rows before they are added to the sums. Squares of bfloat16 are exact in float
// (below 6e18, where eight of them would be infinite).
template <class T>
using run_sum_t = std::conditional_t<std::is_same_v<T, bfloat16>, float, double>;

// Sums of x and x^2. In double, of x less the first row's value: there the sums are no wider than the numbers.
template <class T>
struct moments_body {
  using run_sum = run_sum_t<T>;
  static constexpr bool shifts = std::is_same_v<T, double>;
  const T* x;
  index rows, channels;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c, Sums&& sums) const {
    using S = std::remove_cvref_t<decltype(sums[0])>;
    S v = static_cast<S>(x[(g * rows + r) * channels + c]);
    if constexpr (shifts) v -= x[g * rows * channels + c];
    sums[0] += v;
    sums[1] += v * v;
  }
};

// sums (groups, 2, channels) -> mean and 1 / sqrt(variance + eps), (groups, channels).
template <class T>
struct statistics_body {
  using C = compute_type_t<T>;
  const double* sums;
  const T* x;
  C* mean;
  C* inverse;
  index rows, channels;
  double eps;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % channels, g = i / channels;
    const double m = sums[2 * g * channels + c] / static_cast<double>(rows);
    const double v = sums[(2 * g + 1) * channels + c] / static_cast<double>(rows) - m * m;
    mean[i] = static_cast<C>(m);
    if constexpr (moments_body<T>::shifts) mean[i] += x[g * rows * channels + c];
    inverse[i] = static_cast<C>(1.0 / math::sqrt((v > 0 ? v : 0) + eps));
  }
};

// The first three of `Numbers` of each (group, channel): mean, scale and shift of what the activation is applied to, (x
// - mean) scale + shift.
template <class T, int Numbers>
struct norm_act_numbers_body {
  using C = compute_type_t<T>;
  const T *gamma, *beta;
  const C *mean, *inverse;
  C* numbers;  // (groups, Numbers, channels)
  index channels;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % channels;
    C* const own = numbers + i / channels * Numbers * channels + c;
    own[0] = mean[i];
    own[channels] = inverse[i] * C(gamma[c]);
    own[2 * channels] = beta[c];
  }
};

template <class T>
struct norm_act_forward_body {
  using C = compute_type_t<T>;
  const T* x;
  T* y;
  C slope;
  template <class Numbers>
  KOKKOS_INLINE_FUNCTION void operator()(index i, const Numbers& k) const {
    const C v = (C(x[i]) - k[0]) * k[1] + k[2];
    y[i] = stored<T>(v > C(0) ? v : slope * v);
  }
};

// The gradient before the activation. h is x - mean.
template <class C, class Numbers>
[[nodiscard]] KOKKOS_INLINE_FUNCTION C norm_act_before(C h, C dy, C slope, const Numbers& k) {
  return h * k[1] + k[2] > C(0) ? dy : slope * dy;
}

// Per-channel constants of the backward pass: mean, scale, shift, mean(d) and mean(d h) / (variance + eps), where d is
// the gradient before the activation and h = x - mean.
inline constexpr int norm_act_backward_numbers = 5;

template <class T>
struct norm_act_sums_body {
  using C = compute_type_t<T>;
  using run_sum = run_sum_t<T>;
  const T *x, *dy;
  const C* numbers;
  index rows, channels;
  C slope;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c, Sums&& sums) const {
    using S = std::remove_cvref_t<decltype(sums[0])>;
    const index i = (g * rows + r) * channels + c;
    const C* const first = numbers + g * norm_act_backward_numbers * channels + c;
    const C k[3] = {first[0], first[channels], first[2 * channels]};
    const C h = C(x[i]) - k[0], d = norm_act_before<C>(h, dy[i], slope, k);
    sums[0] += static_cast<S>(d);
    sums[1] += static_cast<S>(d) * static_cast<S>(h);
  }
};

template <class T>
struct norm_act_backward_body {
  using C = compute_type_t<T>;
  const T *x, *dy;
  T* dx;
  C slope;
  template <class Numbers>
  KOKKOS_INLINE_FUNCTION void operator()(index i, const Numbers& k) const {
    const C h = C(x[i]) - k[0], d = norm_act_before<C>(h, dy[i], slope, k);
    dx[i] = stored<T>(k[1] * (d - k[3] - h * k[4]));
  }
};

template <class T>
struct norm_act_parameters_body {
  using C = compute_type_t<T>;
  const double* sums;  // (groups, 2, channels): of d and of d h
  const C* inverse;
  C* numbers;
  T *dgamma, *dbeta;
  index groups, rows, channels;
  KOKKOS_INLINE_FUNCTION void operator()(index c) const {
    double b = 0, h = 0;
    for (index g = 0; g < groups; ++g) {
      const double by = static_cast<double>(inverse[g * channels + c]), d = sums[2 * g * channels + c],
                   dh = by * sums[(2 * g + 1) * channels + c];
      C* const own = numbers + g * norm_act_backward_numbers * channels + c;
      own[3 * channels] = static_cast<C>(d / static_cast<double>(rows));
      own[4 * channels] = static_cast<C>(by * dh / static_cast<double>(rows));
      b += d;
      h += dh;
    }
    dbeta[c] = static_cast<T>(b);
    dgamma[c] = static_cast<T>(h);
  }
};

}  // namespace engine_detail

template <class Engine, class Backend>
struct loop_op<Engine, norm_act_problem, Backend> : ready_op<Engine, norm_act_problem, Backend> {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;
  using arguments = norm_act_problem::arguments<T>;

  static void run(context<Backend>& ctx, const simple_plan&, const norm_act_problem& p, direction d,
                  const arguments& a) {
    if (d == direction::forward)
      forward(ctx, p, a);
    else
      backward(ctx, p, a);
  }

 private:
  static void forward(context<Backend>& ctx, const norm_act_problem& p, const arguments& a) {
    auto scratch = ctx.template make_of<double>(
        {reduce_rows_scratch<typename Backend::space_type>(2, p.groups, p.rows, p.channels)});
    auto sums = ctx.template make_of<double>({p.groups, 2, p.channels});
    reduce_rows<2>(ctx.space(), p.groups, p.rows, p.channels, engine_detail::moments_body<T>{a.x, p.rows, p.channels},
                   scratch.data(), sums.data());
    for_elements(ctx.space(), p.groups * p.channels,
                 engine_detail::statistics_body<T>{sums.data(), a.x, a.mean, a.inverse, p.rows, p.channels, p.eps});
    auto numbers = ctx.template make_of<C>({p.groups, 3, p.channels});
    for_elements(
        ctx.space(), p.groups * p.channels,
        engine_detail::norm_act_numbers_body<T, 3>{a.gamma, a.beta, a.mean, a.inverse, numbers.data(), p.channels});
    for_numbered_rows<3>(ctx.space(), p.groups, p.rows, p.channels, numbers.data(),
                         engine_detail::norm_act_forward_body<T>{a.x, a.y, static_cast<C>(p.slope)});
  }

  static void backward(context<Backend>& ctx, const norm_act_problem& p, const arguments& a) {
    constexpr int count = engine_detail::norm_act_backward_numbers;
    const auto slope = static_cast<C>(p.slope);
    auto numbers = ctx.template make_of<C>({p.groups, count, p.channels});
    for_elements(
        ctx.space(), p.groups * p.channels,
        engine_detail::norm_act_numbers_body<T, count>{a.gamma, a.beta, a.mean, a.inverse, numbers.data(), p.channels});
    auto scratch = ctx.template make_of<double>(
        {reduce_rows_scratch<typename Backend::space_type>(2, p.groups, p.rows, p.channels)});
    auto sums = ctx.template make_of<double>({p.groups, 2, p.channels});
    reduce_rows<2>(ctx.space(), p.groups, p.rows, p.channels,
                   engine_detail::norm_act_sums_body<T>{a.x, a.dy, numbers.data(), p.rows, p.channels, slope},
                   scratch.data(), sums.data());
    for_elements(ctx.space(), p.channels,
                 engine_detail::norm_act_parameters_body<T>{sums.data(), a.inverse, numbers.data(), a.dgamma, a.dbeta,
                                                            p.groups, p.rows, p.channels});
    for_numbered_rows<count>(ctx.space(), p.groups, p.rows, p.channels, numbers.data(),
                             engine_detail::norm_act_backward_body<T>{a.x, a.dy, a.dx, slope});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
