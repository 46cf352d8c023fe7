// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sums that cross-entropy and soft Dice are made of, in one pass over the logits, portable.
#ifndef COMODAL_ENGINE_HOST_SEGMENTATION_SUMS_HPP
#define COMODAL_ENGINE_HOST_SEGMENTATION_SUMS_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/host/vector_math.hpp>

#include <algorithm>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

/// How logits become probabilities: exclusive classes (soft-max) or regions that may overlap (sigmoid each).
enum class label_kind { classes, regions };

namespace detail {

inline constexpr int max_classes = 16;

// Probabilities of one voxel and its cross-entropy with the target row; `p` has `classes` entries.
template <class T>
KOKKOS_INLINE_FUNCTION double voxel_probabilities(label_kind kind, index classes, const T* z, const T* target,
                                                  double* p) {
  double entropy = 0;
  if (kind == label_kind::classes) {
    double largest = static_cast<double>(z[0]), sum = 0;
    for (index c = 1; c < classes; ++c)
      largest = static_cast<double>(z[c]) > largest ? static_cast<double>(z[c]) : largest;
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
      const double g = kind == label_kind::classes
                           ? entropy * (p[c] * mass - y) + p[c] * (dp[c] - dot)
                           : entropy * (p[c] - y) / static_cast<double>(classes) + dp[c] * p[c] * (1 - p[c]);
      out[c] = static_cast<T>(w * g);
    }
  }
};

// The same on the host for a known, small number of exclusive classes: `lanes` voxels side by side, in what the logits
// are computed with, sums in double.
template <class T, int Classes>
struct segmentation_lanes {
  using C = compute_type_t<T>;
  static constexpr int lanes = 16;
  const T *z, *target, *weight;

  C p[Classes][lanes], y[Classes][lanes], w[lanes], entropy[lanes];

  // Fills the lanes with voxels i, i + 1, ... of which `count` exist; the others have weight 0.
  void load(index i, int count) {
    C largest[lanes], sum[lanes] = {}, logit[Classes][lanes];
    for (int l = 0; l < lanes; ++l) {
      const bool inside = l < count;
      w[l] = !inside ? C(0) : weight ? C(weight[i + l]) : C(1);
      const bool read = w[l] != C(0);  // what has no weight may be anything, NaN too
      for (int c = 0; c < Classes; ++c) {
        logit[c][l] = read ? C(z[(i + l) * Classes + c]) : C(0);
        y[c][l] = read ? C(target[(i + l) * Classes + c]) : C(0);
      }
    }
#pragma omp simd
    for (int l = 0; l < lanes; ++l) {
      largest[l] = logit[0][l];
      for (int c = 1; c < Classes; ++c) largest[l] = logit[c][l] > largest[l] ? logit[c][l] : largest[l];
      for (int c = 0; c < Classes; ++c) {
        logit[c][l] -= largest[l];
        p[c][l] = vector_exp(logit[c][l]);
        sum[l] += p[c][l];
      }
      const C log_sum = vector_log(sum[l]), scale = C(1) / sum[l];
      entropy[l] = 0;
      for (int c = 0; c < Classes; ++c) {
        p[c][l] *= scale;
        entropy[l] -= y[c][l] * (logit[c][l] - log_sum);
      }
    }
  }
};

template <class T, int Classes>
struct segmentation_sums_task {
  segmentation_sums_body<T> of;
  void operator()(index t) const {
    constexpr int lanes = segmentation_lanes<T, Classes>::lanes, width = 2 + 3 * Classes;
    const index n = t / of.chunks, k = t % of.chunks, last = std::min((k + 1) * of.chunk, of.voxels);
    segmentation_lanes<T, Classes> at{of.z, of.target, of.weight, {}, {}, {}, {}};
    double sums[width][lanes] = {};
    for (index i = k * of.chunk; i < last; i += lanes) {
      at.load(n * of.voxels + i, static_cast<int>(std::min<index>(lanes, last - i)));
#pragma omp simd
      for (int l = 0; l < lanes; ++l) {
        const auto w = static_cast<double>(at.w[l]);
        sums[0][l] += w;
        sums[1][l] += w * static_cast<double>(at.entropy[l]);
        for (int c = 0; c < Classes; ++c) {
          const auto p = static_cast<double>(at.p[c][l]), y = static_cast<double>(at.y[c][l]);
          sums[2 + c][l] += w * p * y;
          sums[2 + Classes + c][l] += w * p * p;
          sums[2 + 2 * Classes + c][l] += w * y * y;
        }
      }
    }
    for (int j = 0; j < width; ++j) {
      double total = 0;
      for (int l = 0; l < lanes; ++l) total += sums[j][l];
      of.partial[t * width + j] = total;
    }
  }
};

template <class T, int Classes>
struct segmentation_sums_backward_task {
  using C = compute_type_t<T>;
  segmentation_sums_backward_body<T> of;
  index chunk, chunks;
  void operator()(index t) const {
    constexpr int lanes = segmentation_lanes<T, Classes>::lanes;
    const index n = t / chunks, k = t % chunks, last = std::min((k + 1) * chunk, of.voxels);
    C d[2 + 3 * Classes];
    for (int j = 0; j < 2 + 3 * Classes; ++j) d[j] = of.dsums[n * (2 + 3 * Classes) + j];
    segmentation_lanes<T, Classes> at{of.z, of.target, of.weight, {}, {}, {}, {}};
    for (index i = k * chunk; i < last; i += lanes) {
      const int count = static_cast<int>(std::min<index>(lanes, last - i));
      at.load(n * of.voxels + i, count);
      C g[Classes][lanes];
#pragma omp simd
      for (int l = 0; l < lanes; ++l) {
        C dot = 0, mass = 0, dp[Classes];
        for (int c = 0; c < Classes; ++c) {
          dp[c] = d[2 + c] * at.y[c][l] + C(2) * d[2 + Classes + c] * at.p[c][l];
          dot += dp[c] * at.p[c][l];
          mass += at.y[c][l];
        }
        for (int c = 0; c < Classes; ++c)
          g[c][l] = at.w[l] * (d[1] * (at.p[c][l] * mass - at.y[c][l]) + at.p[c][l] * (dp[c] - dot));
      }
      T* out = of.dz + (n * of.voxels + i) * Classes;
      for (int l = 0; l < count; ++l)
        for (int c = 0; c < Classes; ++c) out[l * Classes + c] = T(g[c][l]);
    }
  }
};

// Calls `body` with the number of classes as a constant where lanes serve it; false where they do not.
template <class Body>
bool with_class_count(label_kind kind, index classes, const Body& body) {
  if (kind != label_kind::classes) return false;
  switch (classes) {
    case 2:
      body(std::integral_constant<int, 2>{});
      return true;
    case 3:
      body(std::integral_constant<int, 3>{});
      return true;
    case 4:
      body(std::integral_constant<int, 4>{});
      return true;
    default:
      return false;
  }
}

}  // namespace detail

template <tensor_backend Backend>
struct portable_segmentation_sums {
  using T = typename Backend::scalar_type;

  /// Of logits z and targets (samples, voxels, classes) and weights (samples, voxels; null: all 1), a sample's row of
  /// out (samples, 2 + 3 classes): sum w, sum w CE, then by class sum w p y, sum w p^2, sum w y^2. In double inside.
  static void segmentation_sums_forward(context<Backend>& ctx, label_kind kind, index samples, index voxels,
                                        index classes, const T* z, const T* target, const T* weight, T* out) {
    const index chunk = std::max<index>(1024, (voxels + 255) / 256), chunks = (voxels + chunk - 1) / chunk,
                width = 2 + 3 * classes;
    auto partial = ctx.template make_of<double>({samples, chunks, width});
    const detail::segmentation_sums_body<T> body{kind, voxels, classes, chunk,         chunks,
                                                 z,    target, weight,  partial.data()};
    bool done = false;
    if constexpr (is_host_v<typename Backend::space_type>)
      done = detail::with_class_count(kind, classes, [&]<int Classes>(std::integral_constant<int, Classes>) {
        for_tasks(ctx.space(), samples * chunks, detail::segmentation_sums_task<T, Classes>{body});
      });
    if (!done) for_tasks(ctx.space(), samples * chunks, body);
    for_elements(ctx.space(), samples * width,
                 detail::segmentation_sums_combine_body<T>{partial.data(), out, chunks, width});
  }

  /// Gradient of the above with respect to z; targets and weights receive none.
  static void segmentation_sums_backward(context<Backend>& ctx, label_kind kind, index samples, index voxels,
                                         index classes, const T* z, const T* target, const T* weight, const T* dsums,
                                         T* dz) {
    const detail::segmentation_sums_backward_body<T> body{kind, voxels, classes, z, target, weight, dsums, dz};
    bool done = false;
    if constexpr (is_host_v<typename Backend::space_type>)
      done = detail::with_class_count(kind, classes, [&]<int Classes>(std::integral_constant<int, Classes>) {
        constexpr index chunk = 4096;
        const index chunks = (voxels + chunk - 1) / chunk;
        for_tasks(ctx.space(), samples * chunks,
                  detail::segmentation_sums_backward_task<T, Classes>{body, chunk, chunks});
      });
    if (!done) for_elements(ctx.space(), samples * voxels, body);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
