// SPDX-License-Identifier: Apache-2.0
/// @file
/// Normalisation with activation, pooling and trilinear up-sampling of the reference engine.
#ifndef COMODAL_ENGINE_REFERENCE_IMAGE_HPP
#define COMODAL_ENGINE_REFERENCE_IMAGE_HPP

#include <comodal/engine/problem/pool3d.hpp>
#include <comodal/engine/reference/xtensor.hpp>

#include <algorithm>
#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

/// The matrix (in * factor, in) of linear interpolation along one axis: hat functions around the clamped position.
inline reference_array reference_interpolation(index in, index factor) {
  reference_array matrix = xt::zeros<double>({static_cast<std::size_t>(in * factor), static_cast<std::size_t>(in)});
  for (index o = 0; o < in * factor; ++o) {
    const double position = std::clamp((static_cast<double>(o) + 0.5) / static_cast<double>(factor) - 0.5, 0.0,
                                       static_cast<double>(in - 1));
    for (index i = 0; i < in; ++i) matrix(o, i) = std::max(0.0, 1.0 - std::abs(position - static_cast<double>(i)));
  }
  return matrix;
}

/// A matrix applied along one axis of an array.
inline reference_array reference_along(const reference_array& matrix, const reference_array& x, std::size_t axis) {
  const reference_array product = xt::linalg::tensordot(matrix, x, {1}, {axis});
  reference_shape order(x.dimension());
  for (std::size_t a = 0; a < order.size(); ++a) order[a] = a < axis ? a + 1 : a == axis ? 0 : a;
  return xt::transpose(product, order);
}

inline shape reference_image_shape(index batch, const extent3& size, index channels) {
  return {batch, size[0], size[1], size[2], channels};
}

}  // namespace engine_detail

/// Layers of images by xtensor; shapes and arguments as the problems say.
template <tensor_backend Backend>
struct reference_image {
  using T = typename Backend::scalar_type;
  using array = engine_detail::reference_array;

  static void norm_act_forward(context<Backend>&, index groups, index rows, index channels, double eps, T slope,
                               const T* x, const T* gamma, const T* beta, T* y, T* mean, T* inverse) {
    const shape all{groups, rows, channels}, each{groups, 1, channels};
    const array in = engine_detail::reference_read(x, all), g = engine_detail::reference_read(gamma, {channels}),
                b = engine_detail::reference_read(beta, {channels});
    const array m = xt::mean(in, {1}, xt::keep_dims), v = xt::mean(xt::square(in - m), {1}, xt::keep_dims),
                scale = 1.0 / xt::sqrt(v + eps);
    const array out = (in - m) * scale * g + b;
    engine_detail::reference_write(y, all, xt::where(out > 0, out, static_cast<double>(slope) * out));
    engine_detail::reference_write(mean, each, m);
    engine_detail::reference_write(inverse, each, scale);
  }

  static void norm_act_backward(context<Backend>&, index groups, index rows, index channels, T slope, const T* x,
                                const T* gamma, const T* beta, const T* mean, const T* inverse, const T* dy, T* dx,
                                T* dgamma, T* dbeta) {
    const shape all{groups, rows, channels}, each{groups, 1, channels};
    const array in = engine_detail::reference_read(x, all), g = engine_detail::reference_read(gamma, {channels}),
                b = engine_detail::reference_read(beta, {channels});
    const array m = engine_detail::reference_read(mean, each), scale = engine_detail::reference_read(inverse, each),
                above = engine_detail::reference_read(dy, all);
    const array h = (in - m) * scale, out = h * g + b,
                d = xt::where(out > 0, above, static_cast<double>(slope) * above), dh = d * g;
    const array mean_dh = xt::mean(dh, {1}, xt::keep_dims), mean_dh_h = xt::mean(dh * h, {1}, xt::keep_dims);
    engine_detail::reference_write(dx, all, scale * (dh - mean_dh - h * mean_dh_h));
    engine_detail::reference_write(dgamma, {channels}, xt::sum(d * h, {0, 1}));
    engine_detail::reference_write(dbeta, {channels}, xt::sum(d, {0, 1}));
  }

  static void max_pool3d_forward(context<Backend>&, const pool3d_problem& p, const T* x, T* y, std::uint8_t* chosen) {
    const array taps = window_taps(p, x);
    const array most = xt::amax(taps, {0});
    array where = xt::zeros_like(most);
    for (std::size_t k = taps.shape(0); k-- > 0;)
      where = array(xt::where(xt::equal(xt::view(taps, k), most), static_cast<double>(k), where));
    engine_detail::reference_write(y, p.output_shape(), most);
    engine_detail::reference_write(chosen, p.output_shape(), where);
  }
  static void max_pool3d_backward(context<Backend>&, const pool3d_problem& p, const T* dy, const std::uint8_t* chosen,
                                  T* dx) {
    const array gradient = engine_detail::reference_read(dy, p.output_shape()),
                where = engine_detail::reference_read(chosen, p.output_shape());
    array out = zero_input(p);
    double tap = 0;
    engine_detail::reference_taps(p.window, [&](const extent3& k) {
      engine_detail::reference_voxels(out, k, p.output(), p.window) = xt::where(xt::equal(where, tap), gradient, 0.0);
      ++tap;
    });
    engine_detail::reference_write(dx, input_shape(p), out);
  }
  static void average_pool3d_forward(context<Backend>&, const pool3d_problem& p, const T* x, T* y) {
    const array taps = window_taps(p, x);
    engine_detail::reference_write(y, p.output_shape(), xt::mean(taps, {0}));
  }
  static void average_pool3d_backward(context<Backend>&, const pool3d_problem& p, const T* dy, T* dx) {
    const array share = engine_detail::reference_read(dy, p.output_shape()) /
                        static_cast<double>(p.window[0] * p.window[1] * p.window[2]);
    array out = zero_input(p);
    engine_detail::reference_taps(
        p.window, [&](const extent3& k) { engine_detail::reference_voxels(out, k, p.output(), p.window) = share; });
    engine_detail::reference_write(dx, input_shape(p), out);
  }

  static void upsample3d_forward(context<Backend>&, const upsample3d_problem& p, const T* x, T* y) {
    array out = engine_detail::reference_read(x, engine_detail::reference_image_shape(p.batch, p.input, p.channels));
    for (std::size_t a = 0; a < 3; ++a)
      out = engine_detail::reference_along(engine_detail::reference_interpolation(p.input[a], p.factor[a]), out, a + 1);
    engine_detail::reference_write(y, p.output_shape(), out);
  }
  static void upsample3d_backward(context<Backend>&, const upsample3d_problem& p, const T* dy, T* dx) {
    array out = engine_detail::reference_read(dy, p.output_shape());
    for (std::size_t a = 0; a < 3; ++a) {
      const array adjoint = xt::transpose(engine_detail::reference_interpolation(p.input[a], p.factor[a]));
      out = engine_detail::reference_along(adjoint, out, a + 1);
    }
    engine_detail::reference_write(dx, engine_detail::reference_image_shape(p.batch, p.input, p.channels), out);
  }

 private:
  static shape input_shape(const pool3d_problem& p) {
    return engine_detail::reference_image_shape(p.batch, p.input, p.channels);
  }
  static array zero_input(const pool3d_problem& p) {
    return xt::zeros<double>(engine_detail::reference_extents(input_shape(p)));
  }

  // The voxels of every window side by side: (taps, N, D, H, W, C).
  static array window_taps(const pool3d_problem& p, const T* x) {
    const array in = engine_detail::reference_read(x, input_shape(p));
    shape extents{p.window[0] * p.window[1] * p.window[2]};
    for (int a = 0; a < 5; ++a) extents.push_back(p.output_shape()[a]);
    array taps = xt::zeros<double>(engine_detail::reference_extents(extents));
    index tap = 0;
    engine_detail::reference_taps(p.window, [&](const extent3& k) {
      xt::view(taps, tap) = engine_detail::reference_voxels(in, k, p.output(), p.window);
      ++tap;
    });
    return taps;
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
