// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sums that cross-entropy and soft Dice are made of, in one pass over the logits, portable.
#ifndef COMODAL_ENGINE_PORTABLE_SEGMENTATION_SUMS_HPP
#define COMODAL_ENGINE_PORTABLE_SEGMENTATION_SUMS_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {

/// How logits become probabilities: exclusive classes (soft-max) or regions that may overlap (sigmoid each).
enum class label_kind { classes, regions };

namespace detail {

inline constexpr int max_classes = 16;

// Probabilities of one voxel and its cross-entropy with the target row; `p` has `classes` entries.
template <class T>
KOKKOS_INLINE_FUNCTION double voxel_probabilities(label_kind kind, index classes, const T* z, const T* target, double* p) {
  double entropy = 0;
  if (kind == label_kind::classes) {
    double largest = static_cast<double>(z[0]), sum = 0;
    for (index c = 1; c < classes; ++c) largest = static_cast<double>(z[c]) > largest ? static_cast<double>(z[c]) : largest;
    for (index c = 0; c < classes; ++c) {
      p[c] = math::exp(static_cast<double>(z[c]) - largest);
      sum += p[c];
    }
    const double log_sum = math::log(sum);
    for (index c = 0; c < classes; ++c) {
      p[c] /= sum;
      entropy -= static_cast<double>(target[c]) * (static_cast<double>(z[c]) - largest - log_sum);
    }
  } else {
    for (index c = 0; c < classes; ++c) {
      const double v = static_cast<double>(z[c]), e = math::exp(-math::fabs(v));
      p[c] = v >= 0 ? 1 / (1 + e) : e / (1 + e);
      entropy += (v > 0 ? v : 0) - v * static_cast<double>(target[c]) + math::log(1 + e);
    }
    entropy /= static_cast<double>(classes);
  }
  return entropy;
}

template <class T>
struct segmentation_sums_body {
  label_kind kind;
  index voxels, classes, chunk, chunks;
  const T *z, *target, *weight;
  double* partial;  // (samples, chunks, 2 + 3 classes)
  KOKKOS_INLINE_FUNCTION void operator()(index t) const {
    const index n = t / chunks, k = t % chunks, width = 2 + 3 * classes;
    double sums[2 + 3 * max_classes] = {};
    const index last = (k + 1) * chunk < voxels ? (k + 1) * chunk : voxels;
    for (index i = n * voxels + k * chunk; i < n * voxels + last; ++i) {
      const double w = weight ? static_cast<double>(weight[i]) : 1.0;
      if (w == 0) continue;
      double p[max_classes];
      const double entropy = voxel_probabilities(kind, classes, z + i * classes, target + i * classes, p);
      sums[0] += w;
      sums[1] += w * entropy;
      for (index c = 0; c < classes; ++c) {
        const double y = static_cast<double>(target[i * classes + c]);
        sums[2 + c] += w * p[c] * y;
        sums[2 + classes + c] += w * p[c] * p[c];
        sums[2 + 2 * classes + c] += w * y * y;
      }
    }
    for (index j = 0; j < width; ++j) partial[t * width + j] = sums[j];
  }
};

template <class T>
struct segmentation_sums_combine_body {
  const double* partial;
  T* out;
  index chunks, width;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index n = i / width, j = i % width;
    double sum = 0;
    for (index k = 0; k < chunks; ++k) sum += partial[(n * chunks + k) * width + j];
    out[i] = static_cast<T>(sum);
  }
};

template <class T>
struct segmentation_sums_backward_body {
  label_kind kind;
  index voxels, classes;
  const T *z, *target, *weight, *dsums;
  T* dz;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T* d = dsums + i / voxels * (2 + 3 * classes);
    const double w = weight ? static_cast<double>(weight[i]) : 1.0;
    T* out = dz + i * classes;
    if (w == 0) {
      for (index c = 0; c < classes; ++c) out[c] = T(0);
      return;
    }
    double p[max_classes], dp[max_classes], dot = 0, mass = 0;
    voxel_probabilities(kind, classes, z + i * classes, target + i * classes, p);
    for (index c = 0; c < classes; ++c) {
      const double y = static_cast<double>(target[i * classes + c]);
      dp[c] = static_cast<double>(d[2 + c]) * y + 2 * static_cast<double>(d[2 + classes + c]) * p[c];
      dot += dp[c] * p[c];
      mass += y;
    }
    const double entropy = static_cast<double>(d[1]);
    for (index c = 0; c < classes; ++c) {
      const double y = static_cast<double>(target[i * classes + c]);
      const double g = kind == label_kind::classes ? entropy * (p[c] * mass - y) + p[c] * (dp[c] - dot)
                                                   : entropy * (p[c] - y) / static_cast<double>(classes) + dp[c] * p[c] * (1 - p[c]);
      out[c] = static_cast<T>(w * g);
    }
  }
};

}  // namespace detail

template <tensor_backend Backend>
struct portable_segmentation_sums {
  using T = typename Backend::scalar_type;

  /// Of logits z and targets (samples, voxels, classes) and weights (samples, voxels; null: all 1), a sample's row of
  /// out (samples, 2 + 3 classes): sum w, sum w CE, then by class sum w p y, sum w p^2, sum w y^2. In double inside.
  static void segmentation_sums_forward(context<Backend>& ctx, label_kind kind, index samples, index voxels, index classes, const T* z,
                                        const T* target, const T* weight, T* out) {
    const index chunk = std::max<index>(1024, (voxels + 255) / 256), chunks = (voxels + chunk - 1) / chunk, width = 2 + 3 * classes;
    auto partial = ctx.template make_of<double>({samples, chunks, width});
    for_tasks(ctx.space(), samples * chunks,
              detail::segmentation_sums_body<T>{kind, voxels, classes, chunk, chunks, z, target, weight, partial.data()});
    for_elements(ctx.space(), samples * width, detail::segmentation_sums_combine_body<T>{partial.data(), out, chunks, width});
  }

  /// Gradient of the above with respect to z; targets and weights receive none.
  static void segmentation_sums_backward(context<Backend>& ctx, label_kind kind, index samples, index voxels, index classes, const T* z,
                                         const T* target, const T* weight, const T* dsums, T* dz) {
    for_elements(ctx.space(), samples * voxels, detail::segmentation_sums_backward_body<T>{kind, voxels, classes, z, target, weight, dsums, dz});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
