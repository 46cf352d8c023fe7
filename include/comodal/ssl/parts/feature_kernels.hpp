// SPDX-License-Identifier: Apache-2.0
/// @file
/// Kernels of the contrast of features: weights of drawn places, who may be whose negative, members of classes.
#ifndef COMODAL_SSL_PARTS_FEATURE_KERNELS_HPP
#define COMODAL_SSL_PARTS_FEATURE_KERNELS_HPP

#include <comodal/loss/feature_losses.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

inline constexpr index hidden_width = 64, feature_width = 32, least_positions = 4, border_voxels = 3;

// The weight of each place: filled, times its confidence, times whether its class counts in the crop.
template <class T>
struct place_weight_body {
  index places, foreground, first, channels;
  const std::uint8_t* groups;
  const T *filled, *confidence, *counts;
  T* weight;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index n = i / places, g = groups[i];
    weight[i] = filled[i] * confidence[i] * (g < foreground ? counts[n * channels + first + g] : T(1));
  }
};

// What is added to the logit of place i against place j: 0 for i itself and for places of other classes in crops that
// have the modality; else `excluded_logit`.
template <class T>
struct place_pairs_body {
  index places, all, foreground, modality, modalities;
  const std::uint8_t* groups;
  const T *weight, *mask;
  T* penalty;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index a = i / all, b = i % all;
    const index ca = groups[a] < foreground ? groups[a] : foreground,
                cb = groups[b] < foreground ? groups[b] : foreground;
    const bool counts = ca != cb && weight[b] > T(0) && mask[b / places * modalities + modality] > T(0);
    penalty[i] = a == b || counts ? T(0) : T(excluded_logit);
  }
};

// The same against the queue: entries (Q, rows of one stage and modality: foreground + 1 classes) of other patients.
template <class T>
struct queue_pairs_body {
  index places, entries, foreground, row, rows, width;
  const std::uint8_t* groups;
  const std::int64_t *own, *queued;  // (N, 2), (Q, 2)
  const T* vectors;                  // (Q, rows, width)
  T* penalty;                        // (N places, Q (foreground + 1))
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index classes = foreground + 1, column = i % (entries * classes), a = i / (entries * classes);
    const index q = column / classes, c = column % classes, n = a / places;
    const index own_class = groups[a] < foreground ? groups[a] : foreground;
    bool other = own_class != c;
    for (index x = 0; x < 2; ++x)
      for (index y = 0; y < 2; ++y) other = other && own[2 * n + x] != queued[2 * q + y];
    const T* v = vectors + (q * rows + row + c) * width;
    bool any = false;
    for (index e = 0; e < width; ++e) any = any || v[e] != T(0);
    penalty[i] = other && any ? T(0) : T(excluded_logit);
  }
};

// 1 where a place of weight belongs to a class: (A, foreground + 1).
template <class T>
struct membership_body {
  index foreground;
  double least;  // weight from which a place counts
  const std::uint8_t* groups;
  const T* weight;
  T* member;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index a = i / (foreground + 1), c = i % (foreground + 1);
    const index own = groups[a] < foreground ? groups[a] : foreground;
    member[i] = own == c && weight[a] > T(0) && weight[a] >= static_cast<T>(least) ? T(1) : T(0);
  }
};

// `excluded_logit` in the columns of prototypes that have not been seen, else 0: (C).
template <class T>
struct unseen_body {
  index width;
  const T *own, *partner;
  T* penalty;
  KOKKOS_INLINE_FUNCTION void operator()(index c) const {
    bool a = false, b = false;
    for (index e = 0; e < width; ++e) {
      a = a || own[c * width + e] != T(0);
      b = b || partner[c * width + e] != T(0);
    }
    penalty[c] = a && b ? T(0) : T(excluded_logit);
  }
};

struct enough {
  double least;
  template <class T>
  KOKKOS_INLINE_FUNCTION T value(T x) const {
    return x >= static_cast<T>(least) ? T(1) : T(0);
  }
};

template <class T>
struct unit_matrix_body {
  index rows;
  T* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = i / rows == i % rows ? T(1) : T(0); }
};
template <tensor_backend Backend>
[[nodiscard]] tensor_of<Backend> unit_matrix(context<Backend>& ctx, index rows) {
  auto to = ctx.make({rows, rows});
  ops::each(ctx, to.size(), unit_matrix_body<typename Backend::scalar_type>{rows, to.data()});
  return to;
}

}  // namespace ssl_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
