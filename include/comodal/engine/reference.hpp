// SPDX-License-Identifier: Apache-2.0
/// @file
/// The reference engine: every operation of `xtensor_backend`, computed plainly with xtensor in double. Slow; the
/// oracle that the other engines are compared with. Include it before the first use of `xtensor_backend`.
#ifndef COMODAL_ENGINE_REFERENCE_HPP
#define COMODAL_ENGINE_REFERENCE_HPP

#include <comodal/engine/loops/dropout.hpp>
#include <comodal/engine/reference/convolution.hpp>
#include <comodal/engine/reference/elementwise.hpp>
#include <comodal/engine/reference/engine.hpp>
#include <comodal/engine/reference/gating.hpp>
#include <comodal/engine/reference/image.hpp>

#include <vector>

namespace comodal::inline COMODAL_CONFIG {

// Operations whose definition is a counter-based draw have one definition for all engines, so that all draw the same.
template <tensor_backend Backend>
struct engine_op<reference_engine, dropout_problem, Backend> : loop_op<reference_engine, dropout_problem, Backend> {};

template <tensor_backend Backend>
struct engine_op<reference_engine, norm_act_problem, Backend> : ready_op<reference_engine, norm_act_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const norm_act_problem& p, direction d,
                  const norm_act_problem::template arguments<T>& a) {
    using image = reference_image<Backend>;
    if (d == direction::forward)
      image::norm_act_forward(ctx, p.groups, p.rows, p.channels, p.eps, static_cast<T>(p.slope), a.x, a.gamma, a.beta,
                              a.y, a.mean, a.inverse);
    else
      image::norm_act_backward(ctx, p.groups, p.rows, p.channels, static_cast<T>(p.slope), a.x, a.gamma, a.beta, a.mean,
                               a.inverse, a.dy, a.dx, a.dgamma, a.dbeta);
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, pool3d_problem, Backend> : ready_op<reference_engine, pool3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const pool3d_problem& p, direction d,
                  const pool3d_problem::arguments<T>& a) {
    using image = reference_image<Backend>;
    const bool maximum = p.kind == pooling::maximum;
    if (d == direction::forward && maximum) return image::max_pool3d_forward(ctx, p, a.x, a.y, a.chosen);
    if (d == direction::forward) return image::average_pool3d_forward(ctx, p, a.x, a.y);
    if (maximum) return image::max_pool3d_backward(ctx, p, a.dy, a.chosen, a.dx);
    image::average_pool3d_backward(ctx, p, a.dy, a.dx);
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, upsample3d_problem, Backend>
    : ready_op<reference_engine, upsample3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const upsample3d_problem& p, direction d,
                  const upsample3d_problem::arguments<T>& a) {
    if (d == direction::forward)
      reference_image<Backend>::upsample3d_forward(ctx, p, a.from, a.to);
    else
      reference_image<Backend>::upsample3d_backward(ctx, p, a.from, a.to);
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, matmul_problem, Backend> : ready_op<reference_engine, matmul_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const matmul_problem& p, direction,
                  const matmul_problem::arguments<T>& a) {
    reference_matmul<Backend>::matmul(ctx, p.batch, p.rows, p.columns, p.inner, a.a, p.transpose_a, a.b, p.transpose_b,
                                      a.c);
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, softmax_problem, Backend> : ready_op<reference_engine, softmax_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const softmax_problem& p, direction d,
                  const softmax_problem::arguments<T>& a) {
    using arithmetic = reference_elementwise<Backend>;
    if (d == direction::forward)
      arithmetic::softmax_forward(ctx, p.outer, p.extent, p.inner, a.x, a.mask, p.groups, a.y);
    else
      arithmetic::softmax_backward(ctx, p.outer, p.extent, p.inner, a.y, a.dy, a.dx);
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, sum_axis_problem, Backend> : ready_op<reference_engine, sum_axis_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const sum_axis_problem& p, direction,
                  const sum_axis_problem::arguments<T>& a) {
    reference_elementwise<Backend>::sum_axis(ctx, p.outer, p.extent, p.inner, a.x, a.y);
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, max_axis_problem, Backend> : ready_op<reference_engine, max_axis_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const max_axis_problem& p, direction d,
                  const max_axis_problem::arguments<T>& a) {
    using arithmetic = reference_elementwise<Backend>;
    if (d == direction::forward)
      arithmetic::max_axis_forward(ctx, p.outer, p.extent, p.inner, a.x, a.y, a.chosen);
    else
      arithmetic::max_axis_backward(ctx, p.outer, p.extent, p.inner, a.dy, a.chosen, a.dx);
  }
};

template <class Function, tensor_backend Backend>
struct engine_op<reference_engine, unary_problem<Function>, Backend>
    : ready_op<reference_engine, unary_problem<Function>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const unary_problem<Function>& p, direction d,
                  const typename unary_problem<Function>::template arguments<T>& a) {
    using arithmetic = reference_elementwise<Backend>;
    if (d == direction::forward)
      arithmetic::unary_forward(ctx, p.count, a.f, a.x, a.out);
    else if constexpr (requires(T v) { a.f.derivative(v, v); })
      arithmetic::unary_backward(ctx, p.count, a.f, a.x, a.y, a.dy, a.out);
  }
};

template <class Function, tensor_backend Backend>
struct engine_op<reference_engine, binary_problem<Function>, Backend>
    : ready_op<reference_engine, binary_problem<Function>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const binary_problem<Function>& p, direction,
                  const typename binary_problem<Function>::template arguments<T>& a) {
    reference_elementwise<Backend>::binary(ctx, a.f, p.a_shape, a.a, p.b_shape, a.b, a.y);
  }
};

template <class From, tensor_backend Backend>
struct engine_op<reference_engine, cast_problem<From>, Backend>
    : ready_op<reference_engine, cast_problem<From>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const cast_problem<From>& p, direction,
                  const typename cast_problem<From>::template arguments<T>& a) {
    for (index i = 0; i < p.count; ++i) a.to[i] = static_cast<T>(compute_type_t<From>(a.from[i]));
    (void)ctx;
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, fill_problem, Backend> : ready_op<reference_engine, fill_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const fill_problem& p, direction,
                  const fill_problem::arguments<T>& a) {
    reference_elementwise<Backend>::fill(ctx, p.count, a.value, a.to);
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, copy_block_problem, Backend>
    : ready_op<reference_engine, copy_block_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const copy_block_problem& p, direction,
                  const copy_block_problem::arguments<T>& a) {
    using arithmetic = reference_elementwise<Backend>;
    if (p.adds)
      arithmetic::add_block(ctx, p.rows, p.width, a.from, p.from_pitch, a.to, p.to_pitch);
    else
      arithmetic::copy_block(ctx, p.rows, p.width, a.from, p.from_pitch, a.to, p.to_pitch);
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, weigh_problem, Backend> : ready_op<reference_engine, weigh_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const weigh_problem& p, direction d,
                  const weigh_problem::arguments<T>& a) {
    using gating = reference_gating<Backend>;
    if (d == direction::forward)
      gating::weigh_forward(ctx, p.groups, p.voxels, p.channels, p.modalities, p.modality, p.per_voxel, a.x, a.weights,
                            a.y);
    else
      gating::weigh_backward(ctx, p.groups, p.voxels, p.channels, p.modalities, p.modality, p.per_voxel, a.x, a.weights,
                             a.dy, a.dx, a.dweights);
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, gated_add_problem, Backend>
    : ready_op<reference_engine, gated_add_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const gated_add_problem& p, direction d,
                  const gated_add_problem::arguments<T>& a) {
    using gating = reference_gating<Backend>;
    if (d == direction::forward)
      gating::gated_add_forward(ctx, p.rows, p.channels, a.x, a.gate, a.r, a.gamma, a.y);
    else
      gating::gated_add_backward(ctx, p.rows, p.channels, a.gate, a.r, a.gamma, a.dy, a.dgate, a.dr, a.dgamma);
  }
};

template <tensor_backend Backend>
struct engine_op<reference_engine, segmentation_sums_problem, Backend>
    : ready_op<reference_engine, segmentation_sums_problem, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const segmentation_sums_problem& p, direction d,
                  const segmentation_sums_problem::arguments<T>& a) {
    using sums = reference_segmentation_sums<Backend>;
    if (d == direction::forward)
      sums::segmentation_sums_forward(ctx, p.kind, p.samples, p.voxels, p.classes, a.z, a.target, a.weight, a.out);
    else
      sums::segmentation_sums_backward(ctx, p.kind, p.samples, p.voxels, p.classes, a.z, a.target, a.weight, a.dout,
                                       a.dz);
  }
};

template <class Body, tensor_backend Backend>
struct engine_op<reference_engine, each_problem<Body>, Backend>
    : ready_op<reference_engine, each_problem<Body>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const each_problem<Body>& p, direction,
                  const typename each_problem<Body>::template arguments<T>& a) {
    for (index i = 0; i < p.count; ++i) a.body(i);
    (void)ctx;
  }
};

template <class Body, tensor_backend Backend>
struct engine_op<reference_engine, each_row_problem<Body>, Backend>
    : ready_op<reference_engine, each_row_problem<Body>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const each_row_problem<Body>& p, direction,
                  const typename each_row_problem<Body>::template arguments<T>& a) {
    for (index g = 0; g < p.groups; ++g)
      for (index r = 0; r < p.rows; ++r)
        for (index c = 0; c < p.channels; ++c) a.body(g, r, c);
    (void)ctx;
  }
};

template <int Sums, class Body, tensor_backend Backend>
struct engine_op<reference_engine, row_sums_problem<Sums, Body>, Backend>
    : ready_op<reference_engine, row_sums_problem<Sums, Body>, Backend> {
  using T = typename Backend::scalar_type;
  static void run(context<Backend>& ctx, const simple_plan&, const row_sums_problem<Sums, Body>& p, direction,
                  const typename row_sums_problem<Sums, Body>::template arguments<T>& a) {
    for (index g = 0; g < p.groups; ++g)
      for (index c = 0; c < p.channels; ++c) {
        double sums[Sums] = {};
        for (index r = 0; r < p.rows; ++r) a.body(g, r, c, static_cast<double*>(sums));
        for (int s = 0; s < Sums; ++s) a.out[(g * Sums + s) * p.channels + c] = sums[s];
      }
    (void)ctx;
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
