// SPDX-License-Identifier: Apache-2.0
/// @file
/// The weight gradient of convolutions with 3 x 3 taps in the plane of the rows by F(4x4, 3x3): the transpose of the
/// forward algorithm, with the same 36 products for 16 outputs.
#ifndef COMODAL_ENGINE_HOST_WINOGRAD_WEIGHTS_HPP
#define COMODAL_ENGINE_HOST_WINOGRAD_WEIGHTS_HPP

#include <comodal/core/loops.hpp>
#include <comodal/engine/host/winograd.hpp>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// A dy A^T of one plane of outputs of a block, (points, output tiles, co). `plane` counts through the samples.
template <class C, class T>
void winograd_gradients(const conv3d_sizes& s, const winograd_block& at, const T* dy, const T* zeros, C* to,
                        index plane) {
  const index n = at.n0 + plane / at.depth(), d = at.d0 + plane % at.depth(), step = at.output_step(s.co);
  C* line = to + plane * at.tiles() * s.co;
  for (index r = at.r0; r < at.r1; ++r)
    for (index tile = 0; tile < at.across; ++tile, line += s.co) {
      const index oh = r * winograd_outputs, ow = tile * winograd_outputs;
      const T* const corner = dy + (((n * s.out[0] + d) * s.out[1] + oh) * s.out[2] + ow) * s.co;
      in_lanes(s.co, [&](index c, auto lanes_of) {
        constexpr int lanes = decltype(lanes_of)::value;
        C half[winograd_edge][winograd_outputs][lanes];  // (w point, row)
        for (int v = 0; v < winograd_outputs; ++v) {
          const T* row[winograd_outputs];
          for (index x = 0; x < winograd_outputs; ++x)
            row[x] = oh + v < s.out[1] && ow + x < s.out[2] ? corner + (v * s.out[2] + x) * s.co + c : zeros;
          C* const points[winograd_edge] = {half[0][v], half[1][v], half[2][v], half[3][v], half[4][v], half[5][v]};
          winograd_gradient_points<lanes>(row, points);
        }
        for (int x = 0; x < winograd_edge; ++x) {
          const C* const column[winograd_outputs] = {half[x][0], half[x][1], half[x][2], half[x][3]};
          C* const first = line + c + x * step;
          C* const points[winograd_edge] = {
              first, first + 6 * step, first + 12 * step, first + 18 * step, first + 24 * step, first + 30 * step};
          winograd_gradient_points<lanes>(column, points);
        }
      });
    }
}

// Elements of the gradient of the transformed weights, (points, kd, ci, co).
[[nodiscard]] inline index winograd_weights(const conv3d_sizes& s) {
  return winograd_points * s.filter[0] * s.ci * s.co;
}

// du += the products of one point and tap along the depth of a block, from its transformed inputs and gradients.
template <class C>
void winograd_weight_products(const conv3d_sizes& s, const winograd_block& at, const C* inputs, const C* gradients,
                              index t, index kd, C* du) {
  const index first = std::max(at.d0, s.pad[0] - kd), last = std::min(at.d1, s.in[0] + s.pad[0] - kd);
  if (first >= last) return;
  const bool along_input = s.co % 16 != 0 && s.ci % 16 == 0;
  C* const c = du + (t * s.filter[0] + kd) * s.ci * s.co;
  for (index n = 0; n < at.samples(); ++n) {
    const C* const in = inputs + t * at.input_step(s.ci) + (n * at.planes() + first - at.d0 + kd) * at.tiles() * s.ci;
    const C* const out = gradients + t * at.output_step(s.co) + (n * at.depth() + first - at.d0) * at.tiles() * s.co;
    const index count = (last - first) * at.tiles(),
                most = std::max<index>(32, 4096 / (s.ci + s.co));  // which stay in the first cache
    for (index begin = 0; begin < count; begin += most) {
      const index some = std::min(most, count - begin);
      if (along_input) {
        const outer_row<C> row{out + begin * s.co, in + begin * s.ci, some};
        outer_sum(&row, 1, s.co, s.co, s.ci, s.ci, c, 1, s.co);
      } else {
        const outer_row<C> row{in + begin * s.ci, out + begin * s.co, some};
        outer_sum(&row, 1, s.ci, s.ci, s.co, s.co, c, s.co, 1);
      }
    }
  }
}

// dw (taps, ci, co) = G^T u G of the sum u of the slabs' du (slabs, points, kd, ci co), in order. A task is some
// weights of one kd.
template <class C, class T>
struct winograd_weights_sum_task {
  const C* du;
  T* dw;
  index slabs, depth, size;  // depth: taps along it; size: ci co
  static constexpr index grain = 512;
  [[nodiscard]] index pieces() const { return (size + grain - 1) / grain; }

  void operator()(index task) const {
    const index kd = task / pieces(), first = task % pieces() * grain;
    in_lanes(std::min(grain, size - first), [&](index c, auto lanes_of) {
      constexpr int lanes = decltype(lanes_of)::value;
      C u[winograd_edge][winograd_edge][lanes] = {}, half[3][winograd_edge][lanes];  // (h, w) points; (w tap, h point)
      for (index slab = 0; slab < slabs; ++slab)
        for (int t = 0; t < winograd_points; ++t) {
          const C* const from = du + ((slab * winograd_points + t) * depth + kd) * size + first + c;
          C* const sum = u[t / winograd_edge][t % winograd_edge];
#pragma omp simd
          for (int l = 0; l < lanes; ++l) sum[l] += from[l];
        }
      for (int y = 0; y < winograd_edge; ++y) {
        const C* const points[winograd_edge] = {u[y][0], u[y][1], u[y][2], u[y][3], u[y][4], u[y][5]};
        C* const taps[3] = {half[0][y], half[1][y], half[2][y]};
        winograd_taps<lanes>(points, taps);
      }
      for (int x = 0; x < 3; ++x) {
        const C* const points[winograd_edge] = {half[x][0], half[x][1], half[x][2], half[x][3], half[x][4], half[x][5]};
        T* const out = dw + (kd * 9 + x) * size + first + c;
        T* const taps[3] = {out, out + 3 * size, out + 6 * size};
        winograd_taps<lanes>(points, taps);
      }
    });
  }
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
