// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sums that cross-entropy and soft Dice are made of, in one pass over the logits.
#ifndef COMODAL_ENGINE_LOOPS_SEGMENTATION_SUMS_HPP
#define COMODAL_ENGINE_LOOPS_SEGMENTATION_SUMS_HPP

#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/problem/segmentation_sums.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

// Kernels keep numbers per voxel and class: of this many classes, or of as many as there may be.
inline constexpr int few_classes = 16, max_classes = segmentation_sums_problem::most_classes;

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

// The weight of voxel i. Of exclusive classes, a row of targets without any says that nobody looked there: it weighs 0.
template <class T>
KOKKOS_INLINE_FUNCTION double voxel_weight(label_kind kind, index classes, const T* target, const T* weight, index i) {
  const double w = weight ? static_cast<double>(weight[i]) : 1.0;
  if (kind != label_kind::classes || w == 0) return w;
  for (index c = 0; c < classes; ++c)
    if (target[i * classes + c] != T(0)) return w;
  return 0;
}

template <class T, int Most = few_classes>
struct segmentation_sums_body {
  label_kind kind;
  index voxels, classes, chunk, chunks;
  const T *z, *target, *weight;
  double* partial;  // (samples, chunks, 2 + 3 classes)
  KOKKOS_INLINE_FUNCTION void operator()(index t) const {
    const index n = t / chunks, k = t % chunks, width = 2 + 3 * classes;
    double sums[2 + 3 * Most] = {};
    const index last = (k + 1) * chunk < voxels ? (k + 1) * chunk : voxels;
    for (index i = n * voxels + k * chunk; i < n * voxels + last; ++i) {
      const double w = voxel_weight(kind, classes, target, weight, i);
      if (w == 0) continue;
      double p[Most];
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

// The same sums as rows (samples, voxels, classes) of five, for devices: a lane per voxel and class, each with the
// probabilities of all classes. The first two sums are those of class 0's lanes.
inline constexpr int segmentation_row_sums = 5;
template <class T, int Most = few_classes>
struct segmentation_rows_body {
  label_kind kind;
  index voxels, classes;
  const T *z, *target, *weight;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c, Sums&& sums) const {
    const index i = g * voxels + r;
    const double w = voxel_weight(kind, classes, target, weight, i);
    if (w == 0) return;
    double p[Most];
    const double entropy = voxel_probabilities(kind, classes, z + i * classes, target + i * classes, p),
                 y = static_cast<double>(target[i * classes + c]);
    sums[0] += w;
    sums[1] += w * entropy;
    sums[2] += w * p[c] * y;
    sums[3] += w * p[c] * p[c];
    sums[4] += w * y * y;
  }
};

template <class T>
struct segmentation_rows_combine_body {
  const double* sums;  // (samples, 5, classes)
  T* out;              // (samples, 2 + 3 classes)
  index classes;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index n = i / (2 + 3 * classes), j = i % (2 + 3 * classes);
    const index kind = j < 2 ? j : 2 + (j - 2) / classes, c = j < 2 ? 0 : (j - 2) % classes;
    out[i] = static_cast<T>(sums[(n * segmentation_row_sums + kind) * classes + c]);
  }
};

template <class T, int Most = few_classes>
struct segmentation_sums_backward_body {
  label_kind kind;
  index voxels, classes;
  const T *z, *target, *weight, *dsums;
  T* dz;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T* d = dsums + i / voxels * (2 + 3 * classes);
    const double w = voxel_weight(kind, classes, target, weight, i);
    T* out = dz + i * classes;
    if (w == 0) {
      for (index c = 0; c < classes; ++c) out[c] = T(0);
      return;
    }
    double p[Most], dp[Most], dot = 0, mass = 0;
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

// Voxels per partial sum, and how many of them a sample has.
struct segmentation_chunks {
  index chunk, count;
  explicit segmentation_chunks(index voxels)
      : chunk(std::max<index>(1024, (voxels + 255) / 256)), count((voxels + chunk - 1) / chunk) {}
};

}  // namespace engine_detail

template <class Engine, class Backend>
struct loop_op<Engine, segmentation_sums_problem, Backend> : ready_op<Engine, segmentation_sums_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const segmentation_sums_problem& p, direction d,
                  const segmentation_sums_problem::arguments<T>& a) {
    if (p.classes <= engine_detail::few_classes)
      run_with<engine_detail::few_classes>(ctx, p, d, a);
    else
      run_with<engine_detail::max_classes>(ctx, p, d, a);
  }

 private:
  template <int Most>
  static void run_with(context<Backend>& ctx, const segmentation_sums_problem& p, direction d,
                       const segmentation_sums_problem::arguments<T>& a) {
    if (d != direction::forward)
      return for_elements(ctx.space(), p.samples * p.voxels,
                          engine_detail::segmentation_sums_backward_body<T, Most>{p.kind, p.voxels, p.classes, a.z,
                                                                                  a.target, a.weight, a.dout, a.dz});
    if constexpr (!is_host_v<typename Backend::space_type>) return by_rows<Most>(ctx, p, a);
    const engine_detail::segmentation_chunks chunks(p.voxels);
    auto partial = ctx.template make_of<double>({p.samples, chunks.count, p.width()});
    for_tasks(ctx.space(), p.samples * chunks.count,
              engine_detail::segmentation_sums_body<T, Most>{p.kind, p.voxels, p.classes, chunks.chunk, chunks.count,
                                                             a.z, a.target, a.weight, partial.data()});
    for_elements(ctx.space(), p.samples * p.width(),
                 engine_detail::segmentation_sums_combine_body<T>{partial.data(), a.out, chunks.count, p.width()});
  }

  template <int Most>
  static void by_rows(context<Backend>& ctx, const segmentation_sums_problem& p,
                      const segmentation_sums_problem::arguments<T>& a) {
    constexpr int count = engine_detail::segmentation_row_sums;
    auto scratch = ctx.template make_of<double>(
        {reduce_rows_scratch<typename Backend::space_type>(count, p.samples, p.voxels, p.classes)});
    auto sums = ctx.template make_of<double>({p.samples, count, p.classes});
    reduce_rows<count>(
        ctx.space(), p.samples, p.voxels, p.classes,
        engine_detail::segmentation_rows_body<T, Most>{p.kind, p.voxels, p.classes, a.z, a.target, a.weight},
        scratch.data(), sums.data());
    for_elements(ctx.space(), p.samples * p.width(),
                 engine_detail::segmentation_rows_combine_body<T>{sums.data(), a.out, p.classes});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
