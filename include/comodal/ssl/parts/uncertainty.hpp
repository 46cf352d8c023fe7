// SPDX-License-Identifier: Apache-2.0
/// @file
/// Uncertainty of a prediction from several stochastic passes (Monte Carlo dropout; Gal and Ghahramani, ICML 2016).
#ifndef COMODAL_SSL_PARTS_UNCERTAINTY_HPP
#define COMODAL_SSL_PARTS_UNCERTAINTY_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/loss/entropy_loss.hpp>
#include <comodal/ssl/parts/constant_function.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

template <class T>
struct entropy_body {
  label_kind kind;
  index channels;
  const T* p;
  T* entropy;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const detail::entropy_part part;
    double sum = 0;
    for (index c = 0; c < channels; ++c) {
      const double q = static_cast<double>(p[i * channels + c]);
      sum += kind == label_kind::classes ? part(q) : (part(q) + part(1 - q)) / static_cast<double>(channels);
    }
    entropy[i] = static_cast<T>(sum);
  }
};

struct below {
  double limit;
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T x) const {
    return x < static_cast<T>(limit) ? T(1) : T(0);
  }
};
struct below_step_limit {
  device_scalar limit;
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T x) const {
    return x < static_cast<T>(limit.value()) ? T(1) : T(0);
  }
};

}  // namespace ssl_detail

/// The mean of `predict(pass)` over passes `first`, `first` + 1, ...; no gradient passes.
/// @param predict gives probabilities (N, D, H, W, C) of one stochastic pass @throws config_error for no pass
template <tensor_backend Backend, class Predict>
[[nodiscard]] variable<Backend> mean_of_passes(tape<Backend>& home, std::uint32_t first, std::uint32_t count,
                                               Predict&& predict) {
  if (count == 0) throw config_error("mean_of_passes: 0 passes, expected at least 1");
  const no_grad_scope<Backend> quiet(home);
  variable<Backend> total;
  for (std::uint32_t pass = first; pass < first + count; ++pass) {
    const variable<Backend> one = predict(pass);
    total = total ? add(total, one) : one;
  }
  return detach(scale(total, 1.0 / count));
}

/// -sum_c p_c ln p_c per voxel, from 0 to ln C; of regions, the mean over channels of the entropy of (p_c, 1 - p_c).
/// @param p probabilities (N, D, H, W, C) @return a constant (N, D, H, W)
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> predictive_entropy(const variable<Backend>& p, label_kind kind) {
  auto& ctx = p.ctx();
  const shape& in = p.shape();
  if (in.rank() != 5) throw shape_error(text("predictive_entropy: ", in.to_string(), ", expected (N, D, H, W, C)"));
  auto entropy = ctx.make({in[0], in[1], in[2], in[3]});
  ops::each(ctx, entropy.size(),
            ssl_detail::entropy_body<typename Backend::scalar_type>{kind, in[4], p.value().data(), entropy.data()});
  return p.home().constant(entropy);
}

/// 1 where a value is below `limit`, else 0: a constant of the same shape.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> where_below(const variable<Backend>& x, double limit) {
  return constant_function(ssl_detail::below{limit}, x);
}
/// The same for a limit that changes from step to step.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> where_below(const variable<Backend>& x, const step_scalar& limit) {
  return constant_function(ssl_detail::below_step_limit{device_value(x.ctx(), limit)}, x);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
