// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable weighting of maps: the sum of convolutions of weighted maps that attention fusion is made of, and the
/// addition through a learned gate that enhancement is made of.
#ifndef COMODAL_AUTOGRAD_GATING_HPP
#define COMODAL_AUTOGRAD_GATING_HPP

#include <comodal/autograd/convolution.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/core/compiled.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Column m of weights (N, M) or (N, D, H, W, M) as a factor for maps (N, D, H, W, C): (N, 1, 1, 1, 1) or (N, D, H, W,
/// 1).
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> weight_of(const variable<Backend>& weights, index modality) {
  const auto column = slice(weights, -1, modality, modality + 1);
  return weights.shape().rank() == 2 ? reshape(column, {weights.extent(0), 1, 1, 1, 1}) : column;
}

/// `conv3d({maps[0] * weight_of(weights, 0), maps[1] * weight_of(weights, 1), ...}, w)`: a convolution of weighted maps
/// side by side. The weighted maps are made again for the backward pass instead of being kept, where the engine
/// convolves them unjoined. maps: M of (N, D, H, W, ...), weights (N, M) or (N, D, H, W, M), w (KD, KH, KW, in, out) ->
/// (N, D, H, W, out). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> weighted_conv3d(const std::vector<variable<Backend>>& maps,
                                                const variable<Backend>& weights, const variable<Backend>& w) {
  using tensor_type = typename variable<Backend>::tensor_type;
  const auto count = static_cast<index>(maps.size());
  if (maps.empty() || weights.extent(-1) != count)
    throw shape_error(text("weighted_conv3d: weights ", weights.shape().to_string(), " for ", count, " maps"));
  const bool a_voxel = weights.shape().rank() == 5;
  if (!detail::takes_parts<Backend>(maps.size(), w.shape()) || (!a_voxel && weights.requires_grad())) {
    std::vector<variable<Backend>> weighted;
    for (index m = 0; m < count; ++m)
      weighted.push_back(multiply(maps[static_cast<std::size_t>(m)], weight_of(weights, m)));
    return conv3d(weighted, w);
  }
  shape joined = maps[0].shape(), rows = maps[0].shape();
  for (std::size_t m = 1; m < maps.size(); ++m) joined.set(4, joined[4] + maps[m].extent(4));
  rows.set(4, a_voxel ? count : 1);
  for (const auto& map : maps)
    if (map.shape().rank() != 5 || map.shape().product(0, 4) != rows.product(0, 4) || weights.extent(0) != rows[0] ||
        (a_voxel && !(weights.shape() == rows)))
      throw shape_error(
          text("weighted_conv3d: weights ", weights.shape().to_string(), " and a map ", map.shape().to_string()));
  const conv3d_problem p = ops::conv3d_problem_of(joined, w.shape(), {1, 1, 1});
  auto& ctx = w.ctx();
  const operation_scope scope(ctx, "weighted_conv3d");
  const index groups = joined[0], voxels = joined.product(1, 4);

  std::vector<tensor_type> values;
  std::vector<gradient_sink<Backend>> sinks;
  for (const auto& map : maps) {
    values.push_back(map.value());
    sinks.push_back(map.sink());
  }
  const auto weigh = [&ctx, groups, voxels, count, a_voxel](const std::vector<tensor_type>& of, const tensor_type& by) {
    std::vector<tensor_type> weighted;
    for (index m = 0; m < count; ++m) {
      const auto& x = of[static_cast<std::size_t>(m)];
      weighted.push_back(ctx.make(x.shape()));
      kernels<Backend>::weigh_forward(ctx, groups, voxels, x.extent(4), count, m, a_voxel, x.data(), by.data(),
                                      weighted.back().data());
    }
    return weighted;
  };
  auto y = ops::conv3d_of_parts(ctx, p, weigh(values, weights.value()), w.value(), tensor_type{});
  std::vector<variable<Backend>> inputs = maps;
  inputs.push_back(weights);
  inputs.push_back(w);
  return w.home().result(
      y, inputs,
      [=, &ctx, to_weights = weights.sink(), to_w = w.sink(), by = weights.value(), wv = w.value()](const auto& d) {
        if (to_w.wanted()) to_w.accumulate(ops::conv3d_of_parts_backward_weights(ctx, p, weigh(values, by), d));
        const auto dweights = to_weights.wanted() ? ctx.make(by.shape()) : tensor_type{};
        index first = 0;
        for (index m = 0; m < count; ++m) {
          const auto& x = values[static_cast<std::size_t>(m)];
          const auto& to = sinks[static_cast<std::size_t>(m)];
          const index channels = x.extent(4);
          if (to.wanted() || dweights) {
            const auto back = ops::conv3d_of_parts_backward_data(ctx, p, first, channels, d, wv);
            auto dx = ctx.make(x.shape());
            kernels<Backend>::weigh_backward(ctx, groups, voxels, channels, count, m, a_voxel, x.data(), by.data(),
                                             back.data(), dx.data(), dweights ? dweights.data() : nullptr);
            to.accumulate(dx);
          }
          first += channels;
        }
        if (dweights) to_weights.accumulate(dweights);
      });
}

/// x + sigmoid(gate) r gamma, element by element: enhancement by a gated map. x, gate, r (..., C), gamma (C). @throws
/// shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> gated_add(const variable<Backend>& x, const variable<Backend>& gate,
                                          const variable<Backend>& r, const variable<Backend>& gamma) {
  const shape xs = x.shape();
  if (xs.rank() < 1 || !(gate.shape() == xs) || !(r.shape() == xs) || !(gamma.shape() == shape{xs[-1]}))
    throw shape_error(text("gated_add: x ", xs.to_string(), ", gate ", gate.shape().to_string(), ", r ",
                           r.shape().to_string(), ", gamma ", gamma.shape().to_string(),
                           ", expected three alike (..., C) and (C)"));
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "gated_add");
  const index channels = xs[-1], rows = xs.size() / channels;
  auto y = ctx.make(xs);
  kernels<Backend>::gated_add_forward(ctx, rows, channels, x.value().data(), gate.value().data(), r.value().data(),
                                      gamma.value().data(), y.data());
  return x.home().result(
      y, {&x, &gate, &r, &gamma},
      [&ctx, rows, channels, to_x = x.sink(), to_gate = gate.sink(), to_r = r.sink(), to_gamma = gamma.sink(),
       gv = gate.value(), rv = r.value(), gammas = gamma.value()](const auto& d) {
        auto dgate = ctx.make(gv.shape()), dr = ctx.make(gv.shape()), dgamma = ctx.make({channels});
        kernels<Backend>::gated_add_backward(ctx, rows, channels, gv.data(), rv.data(), gammas.data(), d.data(),
                                             dgate.data(), dr.data(), dgamma.data());
        to_x.accumulate(d);
        to_gate.accumulate(dgate);
        to_r.accumulate(dr);
        to_gamma.accumulate(dgamma);
      });
}

#define COMODAL_GATING(kind, Backend)                                                                            \
  kind variable<Backend> weighted_conv3d(const std::vector<variable<Backend>>&, const variable<Backend>&,        \
                                         const variable<Backend>&);                                              \
  kind variable<Backend> gated_add(const variable<Backend>&, const variable<Backend>&, const variable<Backend>&, \
                                   const variable<Backend>&);
COMODAL_COMPILED_ELSEWHERE(COMODAL_GATING)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
