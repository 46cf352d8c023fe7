// SPDX-License-Identifier: Apache-2.0
/// @file
/// How certain a prediction is, voxel by voxel, as weights of its targets.
#ifndef COMODAL_SSL_PARTS_CONFIDENCE_HPP
#define COMODAL_SSL_PARTS_CONFIDENCE_HPP

#include <comodal/autograd/segmentation.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

template <class T>
struct confidence_body {
  label_kind kind;
  index channels;
  double threshold;  // below 0: soft
  const T* q;
  T* weight;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    double confidence = 0;
    if (kind == label_kind::classes) {
      double best = 0;
      for (index c = 0; c < channels; ++c)
        best = static_cast<double>(q[i * channels + c]) > best ? static_cast<double>(q[i * channels + c]) : best;
      const double chance = 1.0 / static_cast<double>(channels);
      confidence = threshold >= 0 ? (best >= threshold ? 1.0 : 0.0) : (best - chance) / (1 - chance);
    } else {
      for (index c = 0; c < channels; ++c) {
        const double best = math::fabs(2 * static_cast<double>(q[i * channels + c]) - 1);
        confidence +=
            (threshold >= 0 ? ((best + 1) / 2 >= threshold ? 1.0 : 0.0) : best) / static_cast<double>(channels);
      }
    }
    weight[i] = static_cast<T>(confidence > 0 ? confidence : 0);
  }
};

template <tensor_backend Backend>
[[nodiscard]] variable<Backend> confidence(const variable<Backend>& q, label_kind kind, double threshold) {
  auto& ctx = q.ctx();
  const shape& in = q.shape();
  if (in.rank() != 5) throw shape_error(text("confidence: ", in.to_string(), ", expected (N, D, H, W, C)"));
  auto weight = ctx.make({in[0], in[1], in[2], in[3]});
  ops::each(ctx, weight.size(),
            confidence_body<typename Backend::scalar_type>{kind, in[4], threshold, q.value().data(), weight.data()});
  return q.home().constant(weight);
}

}  // namespace ssl_detail

/// (max_c q_c - 1/C) / (1 - 1/C): 0 at chance, 1 where the prediction is certain; of regions, the mean of |2 q_c - 1|
/// (method.md section 4).
/// @param q probabilities (N, D, H, W, C) @return a constant (N, D, H, W)
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> confidence(const variable<Backend>& q, label_kind kind) {
  return ssl_detail::confidence(q, kind, -1.0);
}

/// 1 where the largest probability is `threshold` or more, else 0; of regions, the share of channels for which that
/// holds.
/// @param q probabilities (N, D, H, W, C) @return a constant (N, D, H, W)
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> confidence_above(const variable<Backend>& q, label_kind kind, double threshold) {
  return ssl_detail::confidence(q, kind, threshold > 0 ? threshold : 0.0);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
