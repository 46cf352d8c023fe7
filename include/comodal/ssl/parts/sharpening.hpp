// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sharpening of predictions: targets that are more certain than the prediction they are made of.
#ifndef COMODAL_SSL_PARTS_SHARPENING_HPP
#define COMODAL_SSL_PARTS_SHARPENING_HPP

#include <comodal/autograd/segmentation.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

// Powers are of shares of the largest, so that not all vanish.
template <class T>
struct sharpen_body {
  label_kind kind;
  index channels;
  double inverse_temperature;
  const T* q;
  T* sharp;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T* row = q + i * channels;
    T* out = sharp + i * channels;
    if (kind == label_kind::regions) {
      for (index c = 0; c < channels; ++c) {
        const double p = static_cast<double>(row[c]), larger = p > 0.5 ? p : 1 - p;
        const double yes = math::pow(p / larger, inverse_temperature),
                     no = math::pow((1 - p) / larger, inverse_temperature);
        out[c] = static_cast<T>(yes / (yes + no));
      }
      return;
    }
    double largest = 0, sum = 0;
    for (index c = 0; c < channels; ++c)
      largest = static_cast<double>(row[c]) > largest ? static_cast<double>(row[c]) : largest;
    for (index c = 0; c < channels; ++c) {
      const double power = math::pow(static_cast<double>(row[c]) / largest, inverse_temperature);
      out[c] = static_cast<T>(power);
      sum += power;
    }
    for (index c = 0; c < channels; ++c) out[c] = static_cast<T>(static_cast<double>(out[c]) / sum);
  }
};

}  // namespace ssl_detail

/// q^(1/T) / sum_c q^(1/T) per voxel; of regions, each channel against its complement (method.md section 4).
/// @param q probabilities (..., C) @return a constant of the same shape
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> sharpened(const variable<Backend>& q, label_kind kind, double temperature) {
  auto& ctx = q.ctx();
  const index channels = q.extent(-1);
  auto sharp = ctx.make(q.shape());
  ops::each(ctx, q.shape().size() / channels,
            ssl_detail::sharpen_body<typename Backend::scalar_type>{kind, channels, 1 / temperature, q.value().data(),
                                                                    sharp.data()});
  return q.home().constant(sharp);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
