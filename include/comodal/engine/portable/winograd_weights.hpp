// SPDX-License-Identifier: Apache-2.0
/// @file
/// The weight gradient of convolutions with three taps along the rows by F(4, 3): the transpose of the forward algorithm, with the same
/// six products for four outputs.
#ifndef COMODAL_ENGINE_PORTABLE_WINOGRAD_WEIGHTS_HPP
#define COMODAL_ENGINE_PORTABLE_WINOGRAD_WEIGHTS_HPP

#include <comodal/engine/portable/winograd.hpp>

namespace comodal::inline COMODAL_CONFIG::detail {

// A dy of a block: four neighbouring gradients become six points; (depths, points, rows, tiles, co).
template <class T>
void winograd_gradients(const conv3d_sizes& s, const winograd_blocks& b, const winograd_block& at, const T* dy, const T* zeros, T* to) {
  const index height = at.h1 - at.h0, step = height * b.tiles * s.co;
  for (index d = at.d0; d < at.d1; ++d, to += winograd_points * step)
    for (index row = 0; row < height; ++row)
      for (index tile = 0; tile < b.tiles; ++tile) {
        const T* y[winograd_outputs];
        for (index v = 0; v < winograd_outputs; ++v) {
          const index ow = tile * winograd_outputs + v;
          y[v] = ow < s.out[2] ? dy + (((at.n * s.out[0] + d) * s.out[1] + at.h0 + row) * s.out[2] + ow) * s.co : zeros;
        }
        T* const z = to + (row * b.tiles + tile) * s.co;
#pragma omp simd
        for (index c = 0; c < s.co; ++c) {
          const T y0 = y[0][c], y1 = y[1][c], y2 = y[2][c], y3 = y[3][c];
          const T even = y0 + y2, odd = y1 + y3, far = y0 + 4 * y2, wide = 2 * y1 + 8 * y3;
          z[c] = y0;
          z[step + c] = even + odd;
          z[2 * step + c] = even - odd;
          z[3 * step + c] = far + wide;
          z[4 * step + c] = far - wide;
          z[5 * step + c] = y3;
        }
      }
}

// Elements of the gradient of the transformed weights, (points, kd kh, ci, co), and of a block's scratch.
[[nodiscard]] inline index winograd_weights(const conv3d_sizes& s) { return winograd_points * s.filter[0] * s.filter[1] * s.ci * s.co; }
[[nodiscard]] inline index winograd_weights_scratch(const conv3d_sizes& s, const winograd_blocks& b) {
  return b.inputs(s) + winograd_points * b.depth * b.height * b.tiles * s.co;
}

// du += the products of one block.
template <class T>
void winograd_weight_block(const conv3d_sizes& s, const winograd_blocks& b, const winograd_block& at, const conv3d_part<T>* parts, int number, const T* dy,
                           const T* zeros, T* scratch, T* du) {
  constexpr index most = 64;
  T* const gradients = scratch + b.inputs(s);
  winograd_inputs(s, b, at, parts, number, zeros, scratch);
  winograd_gradients(s, b, at, dy, zeros, gradients);
  const index height = at.h1 - at.h0, flat = height * b.tiles, step = (height + s.filter[1] - 1) * b.tiles * s.ci, pairs = s.filter[0] * s.filter[1];
  const bool along_input = s.co % 16 != 0 && s.ci % 16 == 0;
  for (int t = 0; t < winograd_points; ++t)
    for (index pair = 0; pair < pairs; ++pair) {
      const index kd = pair / s.filter[1], kh = pair % s.filter[1];
      T* const c = du + (t * pairs + pair) * s.ci * s.co;
      for (index begin = at.d0; begin < at.d1; begin += most) {
        outer_row<T> rows[most];
        index count = 0;
        for (index d = begin; d < std::min(begin + most, at.d1); ++d) {
          const index id = d + kd - s.pad[0];
          if (id < 0 || id >= s.in[0]) continue;
          const T* const in = scratch + ((d - at.d0 + kd) * winograd_points + t) * step + kh * b.tiles * s.ci;
          const T* const out = gradients + ((d - at.d0) * winograd_points + t) * flat * s.co;
          rows[count++] = along_input ? outer_row<T>{out, in, flat} : outer_row<T>{in, out, flat};
        }
        if (along_input)
          outer_sum(rows, count, s.co, s.co, s.ci, s.ci, c, 1, s.co);
        else
          outer_sum(rows, count, s.ci, s.ci, s.co, s.co, c, s.co, 1);
      }
    }
}

// dw (taps, ci, co) = G^T of the sum of the slabs' du, in order.
template <class T>
struct winograd_weights_sum_body {
  const T* du;  // (slabs, points, pairs, ci co)
  T* dw;
  index slabs, pairs, size;  // size: ci co
  void operator()(index i) const {
    const index pair = i / size, at = i % size;
    T u[winograd_points] = {};
    for (index slab = 0; slab < slabs; ++slab)
      for (int t = 0; t < winograd_points; ++t) u[t] += du[((slab * winograd_points + t) * pairs + pair) * size + at];
    const T near = (u[1] + u[2]) / 6, far = u[3] + u[4];
    dw[(pair * 3) * size + at] = u[0] / 4 - near + far / 24;
    dw[(pair * 3 + 1) * size + at] = (u[2] - u[1]) / 6 + (u[3] - u[4]) / 12;
    dw[(pair * 3 + 2) * size + at] = far / 6 - near + u[5];
  }
};

}  // namespace comodal::inline COMODAL_CONFIG::detail

#endif
