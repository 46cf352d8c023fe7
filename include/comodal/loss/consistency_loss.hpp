// SPDX-License-Identifier: Apache-2.0
/// @file
/// Consistency losses between two predictions: mean squared error of probabilities, and cross pseudo supervision.
#ifndef COMODAL_LOSS_CONSISTENCY_LOSS_HPP
#define COMODAL_LOSS_CONSISTENCY_LOSS_HPP

#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/core/ladder.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// A type that draws a prediction to a target: `loss(z, q, w)` -> (N); z logits, q probabilities (detached inside), w
/// voxel weights.
template <class T, class Backend>
concept consistency_loss = requires(const T& loss, const variable<Backend>& v) {
  { loss(v, v, v) } -> std::same_as<variable<Backend>>;
};

/// Says in plain words what a consistency loss lacks; only the first that is missing speaks.
template <class T, tensor_backend Backend>
constexpr void check_consistency_loss() {
  if constexpr (!requires(const T& loss, const variable<Backend>& v) { loss(v, v, v); })
    static_assert(
        detail::never<T>,
        "comodal: a consistency_loss needs operator()(logits, probabilities, weight) const; weight may be an empty "
        "variable");
  else if constexpr (!consistency_loss<T, Backend>)
    static_assert(detail::never<T>,
                  "comodal: operator() of a consistency_loss must return variable<Backend> of shape (N)");
}

/// Probabilities of logits over the last axis: soft-max (classes) or sigmoid (regions).
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> probabilities(const variable<Backend>& z, label_kind kind) {
  return kind == label_kind::classes ? softmax(z, -1) : sigmoid(z);
}

namespace detail {

// Weighted mean over voxels of one value per voxel (N, ..., 1): (N).
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> voxel_mean(const variable<Backend>& value, const variable<Backend>& w) {
  const index n = value.extent(0), voxels = value.shape().size() / n;
  const auto flat = reshape(value, {n, voxels});
  if (!w) return reshape(mean(flat, {1}), {n});
  const auto weight = reshape(w, {n, voxels});
  return reshape(divide(sum(multiply(flat, weight), {1}), shift(sum(weight, {1}), 1e-30)), {n});
}

// The largest of a row of probabilities; of equal ones the lower.
template <class T>
[[nodiscard]] KOKKOS_INLINE_FUNCTION index most_probable_channel(const T* row, index channels) {
  index best = 0;
  for (index c = 1; c < channels; ++c) best = row[c] > row[best] ? c : best;
  return best;
}

// The most probable class (of equal ones the lower), or every region of probability 1/2 and more, as ones.
template <class T>
struct hard_labels_body {
  label_kind kind;
  index channels;
  const T* q;
  T* hard;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T* row = q + i * channels;
    const index best = most_probable_channel(row, channels);
    for (index c = 0; c < channels; ++c)
      hard[i * channels + c] = (kind == label_kind::classes ? c == best : row[c] >= T(0.5)) ? T(1) : T(0);
  }
};

}  // namespace detail

/// 1 for the most probable class of a voxel (of equal ones the lower), else 0; of regions, 1 for every one of
/// probability 1/2 and more.
/// @param q probabilities (..., C) @return a constant of the same shape
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> hard_labels(const variable<Backend>& q, label_kind kind) {
  auto& ctx = q.ctx();
  auto labels = ctx.make(q.shape());
  const index channels = q.extent(-1);
  ops::each(ctx, q.shape().size() / channels,
            detail::hard_labels_body<typename Backend::scalar_type>{kind, channels, q.value().data(), labels.data()});
  return q.home().constant(labels);
}

/// Mean over voxels of w sum_c (p_c - q_c)^2 / C, on probabilities (Mean Teacher; Tarvainen and Valpola 2017).
struct mean_squared_error {
  label_kind kind = label_kind::classes;
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& z, const variable<Backend>& q,
                                             const variable<Backend>& w = {}) const {
    const auto d = subtract(probabilities(z, kind), detach(q));
    return detail::voxel_mean(mean(multiply(d, d), {z.shape().rank() - 1}), w);
  }
};

/// Cross-entropy with the hard labels of the other prediction (Chen et al., CVPR 2021).
struct cross_pseudo_supervision {
  label_kind kind = label_kind::classes;
  template <tensor_backend Backend>
  [[nodiscard]] variable<Backend> operator()(const variable<Backend>& z, const variable<Backend>& q,
                                             const variable<Backend>& w = {}) const {
    const auto sums = segmentation_sums(z, hard_labels(q, kind), w, kind);
    return reshape(divide(slice(sums, 1, 1, 2), shift(slice(sums, 1, 0, 1), 1e-30)), {z.extent(0)});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
