// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sums of segmentation losses on the host, sixteen voxels side by side.
#ifndef COMODAL_ENGINE_HOST_SEGMENTATION_SUMS_HPP
#define COMODAL_ENGINE_HOST_SEGMENTATION_SUMS_HPP

#include <comodal/core/vector_math.hpp>
#include <comodal/engine/host/engine.hpp>
#include <comodal/engine/loops/segmentation_sums.hpp>

#include <algorithm>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

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
      w[l] = inside ? C(voxel_weight(label_kind::classes, Classes, target, weight, i + l)) : C(0);
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

}  // namespace engine_detail

template <tensor_backend Backend>
struct engine_op<host_engine, segmentation_sums_problem, Backend>
    : ready_op<host_engine, segmentation_sums_problem, Backend> {
  using T = typename Backend::scalar_type;
  using arguments = segmentation_sums_problem::arguments<T>;

  static void run(context<Backend>& ctx, const simple_plan& plan, const segmentation_sums_problem& p, direction d,
                  const arguments& a) {
    const bool done =
        engine_detail::with_class_count(p.kind, p.classes, [&]<int Classes>(std::integral_constant<int, Classes>) {
          if (d == direction::forward)
            forward<Classes>(ctx, p, a);
          else
            backward<Classes>(ctx, p, a);
        });
    if (!done) loop_op<host_engine, segmentation_sums_problem, Backend>::run(ctx, plan, p, d, a);
  }

 private:
  template <int Classes>
  static void forward(context<Backend>& ctx, const segmentation_sums_problem& p, const arguments& a) {
    const engine_detail::segmentation_chunks chunks(p.voxels);
    auto partial = ctx.template make_of<double>({p.samples, chunks.count, p.width()});
    const engine_detail::segmentation_sums_body<T> body{p.kind, p.voxels, p.classes, chunks.chunk,  chunks.count,
                                                        a.z,    a.target, a.weight,  partial.data()};
    for_tasks(ctx.space(), p.samples * chunks.count, engine_detail::segmentation_sums_task<T, Classes>{body});
    for_elements(ctx.space(), p.samples * p.width(),
                 engine_detail::segmentation_sums_combine_body<T>{partial.data(), a.out, chunks.count, p.width()});
  }
  template <int Classes>
  static void backward(context<Backend>& ctx, const segmentation_sums_problem& p, const arguments& a) {
    constexpr index chunk = 4096;
    const index chunks = (p.voxels + chunk - 1) / chunk;
    const engine_detail::segmentation_sums_backward_body<T> body{p.kind,   p.voxels, p.classes, a.z,
                                                                 a.target, a.weight, a.dout,    a.dz};
    for_tasks(ctx.space(), p.samples * chunks,
              engine_detail::segmentation_sums_backward_task<T, Classes>{body, chunk, chunks});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
