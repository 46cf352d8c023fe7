// SPDX-License-Identifier: Apache-2.0
/// @file
/// Instance normalisation fused with leaky ReLU, portable: sums in double, statistics in what is computed with, one pass forward, two
/// backward.
#ifndef COMODAL_ENGINE_PORTABLE_NORM_ACT_HPP
#define COMODAL_ENGINE_PORTABLE_NORM_ACT_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

template <class T>
struct moments_body {
  const T* x;
  index rows, channels;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c, Sums&& sums) const {
    const double v = static_cast<double>(x[(g * rows + r) * channels + c]);
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

template <class T>
struct norm_act_forward_body {
  using C = compute_type_t<T>;
  const T *x, *gamma, *beta;
  const C *mean, *inverse;
  T* y;
  index rows, channels;
  C slope;
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c) const {
    const index i = (g * rows + r) * channels + c, j = g * channels + c;
    const C v = (C(x[i]) - mean[j]) * inverse[j] * C(gamma[c]) + C(beta[c]);
    y[i] = T(v > C(0) ? v : slope * v);
  }
};

// The normalised value and the gradient before the activation, recomputed from x.
template <class T>
struct norm_act_gradient {
  using C = compute_type_t<T>;
  const T *x, *gamma, *beta;
  const C *mean, *inverse;
  const T* dy;
  index rows, channels;
  C slope;
  KOKKOS_INLINE_FUNCTION C normalised(index i, index j) const { return (C(x[i]) - mean[j]) * inverse[j]; }
  KOKKOS_INLINE_FUNCTION C before_activation(index i, index c, C h) const {
    const C d = dy[i];
    return h * C(gamma[c]) + C(beta[c]) > C(0) ? d : slope * d;
  }
};

template <class T>
struct norm_act_sums_body {
  norm_act_gradient<T> of;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c, Sums&& sums) const {
    const index i = (g * of.rows + r) * of.channels + c;
    const compute_type_t<T> h = of.normalised(i, g * of.channels + c), d = of.before_activation(i, c, h);
    sums[0] += static_cast<double>(d);
    sums[1] += static_cast<double>(d) * static_cast<double>(h);
  }
};

template <class T>
struct norm_act_backward_body {
  using C = compute_type_t<T>;
  norm_act_gradient<T> of;
  const C* means;  // (groups, 2, channels): of d and of d h
  T* dx;
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c) const {
    const index i = (g * of.rows + r) * of.channels + c, j = g * of.channels + c;
    const C h = of.normalised(i, j), d = of.before_activation(i, c, h);
    dx[i] = T(C(of.gamma[c]) * of.inverse[j] * (d - means[2 * g * of.channels + c] - h * means[(2 * g + 1) * of.channels + c]));
  }
};

template <class T>
struct norm_act_parameters_body {
  using C = compute_type_t<T>;
  const double* sums;  // (groups, 2, channels)
  C* means;
  T *dgamma, *dbeta;
  index groups, rows, channels;
  KOKKOS_INLINE_FUNCTION void operator()(index c) const {
    double b = 0, h = 0;
    for (index g = 0; g < groups; ++g) {
      const index at_b = 2 * g * channels + c, at_h = at_b + channels;
      b += sums[at_b];
      h += sums[at_h];
      means[at_b] = static_cast<C>(sums[at_b] / static_cast<double>(rows));
      means[at_h] = static_cast<C>(sums[at_h] / static_cast<double>(rows));
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

  /// y = lrelu((x - mean) / sqrt(var + eps) * gamma + beta), moments over the rows of each (group, channel), biased variance.
  /// x, y (groups, rows, channels); gamma, beta (channels); mean, inverse (groups, channels) are outputs that backward needs.
  static void norm_act_forward(context<Backend>& ctx, index groups, index rows, index channels, double eps, C slope, const T* x, const T* gamma,
                               const T* beta, T* y, C* mean, C* inverse) {
    auto scratch = ctx.template make_of<double>({reduce_rows_scratch(2, groups, rows, channels)});
    auto sums = ctx.template make_of<double>({groups, 2, channels});
    reduce_rows<2>(ctx.space(), groups, rows, channels, detail::moments_body<T>{x, rows, channels}, scratch.data(), sums.data());
    for_elements(ctx.space(), groups * channels, detail::statistics_body<C>{sums.data(), mean, inverse, rows, channels, eps});
    for_rows(ctx.space(), groups, rows, channels, detail::norm_act_forward_body<T>{x, gamma, beta, mean, inverse, y, rows, channels, slope});
  }

  /// Gradients of the above from dy; all outputs are overwritten.
  static void norm_act_backward(context<Backend>& ctx, index groups, index rows, index channels, C slope, const T* x, const T* gamma,
                                const T* beta, const C* mean, const C* inverse, const T* dy, T* dx, T* dgamma, T* dbeta) {
    const detail::norm_act_gradient<T> of{x, gamma, beta, mean, inverse, dy, rows, channels, slope};
    auto scratch = ctx.template make_of<double>({reduce_rows_scratch(2, groups, rows, channels)});
    auto sums = ctx.template make_of<double>({groups, 2, channels});
    reduce_rows<2>(ctx.space(), groups, rows, channels, detail::norm_act_sums_body<T>{of}, scratch.data(), sums.data());
    auto means = ctx.template make_of<C>({groups, 2, channels});
    for_elements(ctx.space(), channels, detail::norm_act_parameters_body<T>{sums.data(), means.data(), dgamma, dbeta, groups, rows, channels});
    for_rows(ctx.space(), groups, rows, channels, detail::norm_act_backward_body<T>{of, means.data(), dx});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
