// SPDX-License-Identifier: Apache-2.0
/// @file
/// Instance normalisation fused with leaky ReLU, portable: sums in double (of bfloat16 a few rows at a time in float),
/// statistics in what is computed with; forward and backward each one pass for sums and one for results.
#ifndef COMODAL_ENGINE_HOST_NORM_ACT_HPP
#define COMODAL_ENGINE_HOST_NORM_ACT_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

// What the host adds a few rows in: squares of bfloat16 are exact in float (below 6e18, where eight would be infinite).
template <class T>
using run_sum_t = std::conditional_t<std::is_same_v<T, bfloat16>, float, double>;

template <class T>
struct moments_body {
  using run_sum = run_sum_t<T>;
  const T* x;
  index rows, channels;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c, Sums&& sums) const {
    using S = std::remove_cvref_t<decltype(sums[0])>;
    const S v = static_cast<S>(x[(g * rows + r) * channels + c]);
    sums[0] += v;
    sums[1] += v * v;
  }
};

// sums (groups, 2, channels) -> mean and 1 / sqrt(variance + eps), (groups, channels).
template <class C>
struct statistics_body {
  const double* sums;
  C* mean;
  C* inverse;
  index rows, channels;
  double eps;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % channels, g = i / channels;
    const double m = sums[2 * g * channels + c] / static_cast<double>(rows);
    const double v = sums[(2 * g + 1) * channels + c] / static_cast<double>(rows) - m * m;
    mean[i] = static_cast<C>(m);
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

// The gradient before the activation; @param h = x - mean, which is computed again
template <class C, class Numbers>
[[nodiscard]] KOKKOS_INLINE_FUNCTION C norm_act_before(C h, C dy, C slope, const Numbers& k) {
  return h * k[1] + k[2] > C(0) ? dy : slope * dy;
}

// Numbers of the backward pass: the three above and, d the gradient before the activation, the means of d and of d h /
// (variance + eps).
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

}  // namespace detail

template <tensor_backend Backend>
struct portable_norm_act {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;

  /// y = lrelu((x - mean) / sqrt(var + eps) * gamma + beta), moments over the rows of each (group, channel), biased
  /// variance. x, y (groups, rows, channels); gamma, beta (channels); mean, inverse (groups, channels) are outputs that
  /// backward needs.
  static void norm_act_forward(context<Backend>& ctx, index groups, index rows, index channels, double eps, C slope,
                               const T* x, const T* gamma, const T* beta, T* y, C* mean, C* inverse) {
    auto scratch = ctx.template make_of<double>({reduce_rows_scratch(2, groups, rows, channels)});
    auto sums = ctx.template make_of<double>({groups, 2, channels});
    reduce_rows<2>(ctx.space(), groups, rows, channels, detail::moments_body<T>{x, rows, channels}, scratch.data(),
                   sums.data());
    for_elements(ctx.space(), groups * channels,
                 detail::statistics_body<C>{sums.data(), mean, inverse, rows, channels, eps});
    auto numbers = ctx.template make_of<C>({groups, 3, channels});
    for_elements(ctx.space(), groups * channels,
                 detail::norm_act_numbers_body<T, 3>{gamma, beta, mean, inverse, numbers.data(), channels});
    for_numbered_rows<3>(ctx.space(), groups, rows, channels, numbers.data(),
                         detail::norm_act_forward_body<T>{x, y, slope});
  }

  /// Gradients of the above from dy; all outputs are overwritten.
  static void norm_act_backward(context<Backend>& ctx, index groups, index rows, index channels, C slope, const T* x,
                                const T* gamma, const T* beta, const C* mean, const C* inverse, const T* dy, T* dx,
                                T* dgamma, T* dbeta) {
    constexpr int count = detail::norm_act_backward_numbers;
    auto numbers = ctx.template make_of<C>({groups, count, channels});
    for_elements(ctx.space(), groups * channels,
                 detail::norm_act_numbers_body<T, count>{gamma, beta, mean, inverse, numbers.data(), channels});
    auto scratch = ctx.template make_of<double>({reduce_rows_scratch(2, groups, rows, channels)});
    auto sums = ctx.template make_of<double>({groups, 2, channels});
    reduce_rows<2>(ctx.space(), groups, rows, channels,
                   detail::norm_act_sums_body<T>{x, dy, numbers.data(), rows, channels, slope}, scratch.data(),
                   sums.data());
    for_elements(ctx.space(), channels,
                 detail::norm_act_parameters_body<T>{sums.data(), inverse, numbers.data(), dgamma, dbeta, groups, rows,
                                                     channels});
    for_numbered_rows<count>(ctx.space(), groups, rows, channels, numbers.data(),
                             detail::norm_act_backward_body<T>{x, dy, dx, slope});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
