// SPDX-License-Identifier: Apache-2.0
/// @file
/// The transforms of Winograd's F(4, 3) along one axis (Lavin and Gray, CVPR 2016, section 4.1, points 0, 1, -1, 2, -2
/// and infinity), forward and transposed, for channels side by side: F(4x4, 3x3) applies them along two axes in turn.
#ifndef COMODAL_ENGINE_HOST_WINOGRAD_TRANSFORMS_HPP
#define COMODAL_ENGINE_HOST_WINOGRAD_TRANSFORMS_HPP

#include <comodal/core/shape.hpp>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// Along one axis: points of the transformed tile, outputs of a tile. A tile of the plane has points^2 points, numbered
// row by row.
inline constexpr int winograd_edge = 6, winograd_outputs = 4, winograd_points = winograd_edge * winograd_edge;

// B^T d: six inputs become six points.
template <int Lanes, class C, class T>
inline void winograd_to_points(const T* const (&d)[winograd_edge], C* const (&to)[winograd_edge]) {
#pragma omp simd
  for (int l = 0; l < Lanes; ++l) {
    const C d0 = static_cast<C>(d[0][l]), d1 = static_cast<C>(d[1][l]), d2 = static_cast<C>(d[2][l]);
    const C d3 = static_cast<C>(d[3][l]), d4 = static_cast<C>(d[4][l]), d5 = static_cast<C>(d[5][l]);
    const C p = d4 - 4 * d2, q = d3 - 4 * d1, r = d4 - d2, u = 2 * (d3 - d1);
    to[0][l] = 4 * d0 - 5 * d2 + d4;
    to[1][l] = p + q;
    to[2][l] = p - q;
    to[3][l] = r + u;
    to[4][l] = r - u;
    to[5][l] = 4 * d1 - 5 * d3 + d5;
  }
}
// A^T m + bias: six points become four outputs.
template <int Lanes, class C, class T>
inline void winograd_from_points(const C* const (&m)[winograd_edge], const C* bias, T* const (&to)[winograd_outputs]) {
#pragma omp simd
  for (int l = 0; l < Lanes; ++l) {
    const C m0 = m[0][l], m1 = m[1][l], m2 = m[2][l], m3 = m[3][l], m4 = m[4][l], m5 = m[5][l];
    const C near = m1 + m2, apart = m1 - m2, far = m3 + m4, wide = m3 - m4;
    to[0][l] = stored<T>(m0 + near + far + bias[l]);
    to[1][l] = stored<T>(apart + 2 * wide + bias[l]);
    to[2][l] = stored<T>(near + 4 * far + bias[l]);
    to[3][l] = stored<T>(apart + 8 * wide + m5 + bias[l]);
  }
}
// G g: three taps become six points.
template <int Lanes, class C>
inline void winograd_weight_points(const C* const (&g)[3], C* const (&to)[winograd_edge]) {
#pragma omp simd
  for (int l = 0; l < Lanes; ++l) {
    const C g0 = g[0][l], g1 = g[1][l], g2 = g[2][l];
    const C even = (g0 + g2) * C(1.0 / 6), odd = g1 * C(1.0 / 6), far = g0 * C(1.0 / 24) + g2 * C(1.0 / 6),
            near = g1 * C(1.0 / 12);
    to[0][l] = g0 * C(0.25);
    to[1][l] = -even - odd;
    to[2][l] = odd - even;
    to[3][l] = far + near;
    to[4][l] = far - near;
    to[5][l] = g2;
  }
}

// A y: four gradients become six points.
template <int Lanes, class C, class T>
inline void winograd_gradient_points(const T* const (&y)[winograd_outputs], C* const (&to)[winograd_edge]) {
#pragma omp simd
  for (int l = 0; l < Lanes; ++l) {
    const C y0 = static_cast<C>(y[0][l]), y1 = static_cast<C>(y[1][l]), y2 = static_cast<C>(y[2][l]),
            y3 = static_cast<C>(y[3][l]);
    const C even = y0 + y2, odd = y1 + y3, far = y0 + 4 * y2, wide = 2 * y1 + 8 * y3;
    to[0][l] = y0;
    to[1][l] = even + odd;
    to[2][l] = even - odd;
    to[3][l] = far + wide;
    to[4][l] = far - wide;
    to[5][l] = y3;
  }
}

// G^T u: six points become the gradients of three taps.
template <int Lanes, class C, class T>
inline void winograd_taps(const C* const (&u)[winograd_edge], T* const (&g)[3]) {
#pragma omp simd
  for (int l = 0; l < Lanes; ++l) {
    const C near = (u[1][l] + u[2][l]) * C(1.0 / 6), far = u[3][l] + u[4][l];
    g[0][l] = stored<T>(u[0][l] * C(0.25) - near + far * C(1.0 / 24));
    g[1][l] = stored<T>((u[2][l] - u[1][l]) * C(1.0 / 6) + (u[3][l] - u[4][l]) * C(1.0 / 12));
    g[2][l] = stored<T>(far * C(1.0 / 6) - near + u[5][l]);
  }
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
