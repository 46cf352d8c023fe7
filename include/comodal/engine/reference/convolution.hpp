// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolution, transposed convolution and matrix product of the reference engine: one matrix product for every
/// position of the filter, on a padded copy of the image.
#ifndef COMODAL_ENGINE_REFERENCE_CONVOLUTION_HPP
#define COMODAL_ENGINE_REFERENCE_CONVOLUTION_HPP

#include <comodal/engine/problem/conv3d.hpp>
#include <comodal/engine/reference/xtensor.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

/// An image with half a filter of zeros on every side.
inline reference_array reference_padding(const conv3d_problem& p) {
  shape padded = p.input_shape();
  for (int a = 0; a < 3; ++a)
    padded.set(a + 1, p.input[static_cast<std::size_t>(a)] + 2 * p.padding()[static_cast<std::size_t>(a)]);
  return xt::zeros<double>(reference_extents(padded));
}

/// The (in, out) matrix of one position of a filter (KD, KH, KW, in, out).
template <class Weights>
auto reference_tap(Weights& w, const extent3& k) {
  return xt::view(w, k[0], k[1], k[2], xt::all(), xt::all());
}

}  // namespace detail

/// Convolutions by xtensor; shapes and arguments as `portable_conv3d`, `portable_conv_transpose3d`, `portable_matmul`.
template <tensor_backend Backend>
struct reference_convolution {
  using T = typename Backend::scalar_type;
  using array = detail::reference_array;

  static void conv3d_forward(context<Backend>&, const conv3d_problem& p, const T* x, const T* w, T* y) {
    array padded = detail::reference_padding(p);
    detail::reference_voxels(padded, p.padding(), p.input, {1, 1, 1}) = detail::reference_read(x, p.input_shape());
    const array weights = detail::reference_read(w, p.weight_shape());
    array out = xt::zeros<double>(detail::reference_extents(p.output_shape()));
    detail::reference_taps(p.filter, [&](const extent3& k) {
      const array seen =
          detail::reference_matrix(detail::reference_voxels(padded, k, p.output(), p.stride), p.in_channels);
      out += detail::reference_product(seen, detail::reference_tap(weights, k), p.output_shape());
    });
    detail::reference_write(y, p.output_shape(), out);
  }

  static void conv3d_backward_data(context<Backend>&, const conv3d_problem& p, const T* dy, const T* w, T* dx) {
    const array gradient = detail::reference_matrix(detail::reference_read(dy, p.output_shape()), p.out_channels);
    const array weights = detail::reference_read(w, p.weight_shape());
    array padded = detail::reference_padding(p);
    shape seen = p.output_shape();
    seen.set(4, p.in_channels);
    detail::reference_taps(p.filter, [&](const extent3& k) {
      const array tap = xt::transpose(detail::reference_tap(weights, k));
      detail::reference_voxels(padded, k, p.output(), p.stride) += detail::reference_product(gradient, tap, seen);
    });
    detail::reference_write(dx, p.input_shape(), detail::reference_voxels(padded, p.padding(), p.input, {1, 1, 1}));
  }

  static void conv3d_backward_weights(context<Backend>&, const conv3d_problem& p, const T* x, const T* dy, T* dw) {
    array padded = detail::reference_padding(p);
    detail::reference_voxels(padded, p.padding(), p.input, {1, 1, 1}) = detail::reference_read(x, p.input_shape());
    const array gradient = detail::reference_matrix(detail::reference_read(dy, p.output_shape()), p.out_channels);
    array out = xt::zeros<double>(detail::reference_extents(p.weight_shape()));
    detail::reference_taps(p.filter, [&](const extent3& k) {
      const array seen = xt::transpose(
          detail::reference_matrix(detail::reference_voxels(padded, k, p.output(), p.stride), p.in_channels));
      detail::reference_tap(out, k) = xt::linalg::dot(seen, gradient);
    });
    detail::reference_write(dw, p.weight_shape(), out);
  }

  /// Maps side by side are joined first.
  static constexpr bool has_parts = false;

  static void conv_transpose3d_forward(context<Backend>&, const conv_transpose3d_problem& p, const T* x, const T* w,
                                       const T* bias, T* y) {
    const array in = detail::reference_matrix(detail::reference_read(x, p.input_shape()), p.in_channels);
    const array weights = detail::reference_read(w, p.weight_shape());
    array out = xt::zeros<double>(detail::reference_extents(p.output_shape()));
    shape made = p.input_shape();
    made.set(4, p.out_channels);
    detail::reference_taps(p.factor, [&](const extent3& k) {
      detail::reference_voxels(out, k, p.input, p.factor) =
          detail::reference_product(in, detail::reference_tap(weights, k), made);
    });
    if (bias) out += detail::reference_read(bias, {p.out_channels});
    detail::reference_write(y, p.output_shape(), out);
  }

  static void conv_transpose3d_backward_data(context<Backend>&, const conv_transpose3d_problem& p, const T* dy,
                                             const T* w, T* dx) {
    const array gradient = detail::reference_read(dy, p.output_shape()),
                weights = detail::reference_read(w, p.weight_shape());
    array out = xt::zeros<double>(detail::reference_extents(p.input_shape()));
    detail::reference_taps(p.factor, [&](const extent3& k) {
      const array part =
          detail::reference_matrix(detail::reference_voxels(gradient, k, p.input, p.factor), p.out_channels);
      const array tap = xt::transpose(detail::reference_tap(weights, k));
      out += detail::reference_product(part, tap, p.input_shape());
    });
    detail::reference_write(dx, p.input_shape(), out);
  }

  static void conv_transpose3d_backward_weights(context<Backend>&, const conv_transpose3d_problem& p, const T* x,
                                                const T* dy, T* dw) {
    const array in = xt::transpose(detail::reference_matrix(detail::reference_read(x, p.input_shape()), p.in_channels));
    const array gradient = detail::reference_read(dy, p.output_shape());
    array out = xt::zeros<double>(detail::reference_extents(p.weight_shape()));
    detail::reference_taps(p.factor, [&](const extent3& k) {
      const array part =
          detail::reference_matrix(detail::reference_voxels(gradient, k, p.input, p.factor), p.out_channels);
      detail::reference_tap(out, k) = xt::linalg::dot(in, part);
    });
    detail::reference_write(dw, p.weight_shape(), out);
  }

  static void matmul(context<Backend>&, index batch, index rows, index columns, index inner, const T* a,
                     bool transpose_a, const T* b, bool transpose_b, T* c) {
    for (index n = 0; n < batch; ++n) {
      const shape a_shape = transpose_a ? shape{inner, rows} : shape{rows, inner},
                  b_shape = transpose_b ? shape{columns, inner} : shape{inner, columns};
      array left = detail::reference_read(a + n * rows * inner, a_shape),
            right = detail::reference_read(b + n * inner * columns, b_shape);
      if (transpose_a) left = array(xt::transpose(left));
      if (transpose_b) right = array(xt::transpose(right));
      detail::reference_write(c + n * rows * columns, {rows, columns},
                              detail::reference_product(left, right, {rows, columns}));
    }
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
