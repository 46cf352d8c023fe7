// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable weighting of maps: the sum of convolutions of weighted maps that attention fusion is made of, and the
/// addition through a learned gate that enhancement is made of.
#ifndef COMODAL_AUTOGRAD_GATING_HPP
#define COMODAL_AUTOGRAD_GATING_HPP

#include <comodal/autograd/convolution.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/core/compiled.hpp>
#include <comodal/ops/gating.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Column m of weights (N, M) or (N, D, H, W, M) as a factor for maps (N, D, H, W, C): (N, 1, 1, 1, 1) or (N, D, H, W,
/// 1).
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> weight_of(const variable<Backend>& weights, index modality) {
  const auto column = slice(weights, -1, modality, modality + 1);
  return weights.shape().rank() == 2 ? reshape(column, {weights.extent(0), 1, 1, 1, 1}) : column;
}

/// `conv3d({maps[0] * weight_of(weights, 0), maps[1] * weight_of(weights, 1), ...}, w)`: a convolution of weighted maps
/// side by side. The weighted maps are made again for the backward pass instead of being kept. maps: M of (N, D, H, W,
/// ...), weights (N, M) or (N, D, H, W, M), w (KD, KH, KW, in, out) -> (N, D, H, W, out). @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> weighted_conv3d(const std::vector<variable<Backend>>& maps,
                                                const variable<Backend>& weights, const variable<Backend>& w) {
  using tensor_type = tensor_of<Backend>;
  const auto count = static_cast<index>(maps.size());
  if (maps.empty() || weights.extent(-1) != count)
    throw shape_error(text("weighted_conv3d: weights ", weights.shape().to_string(), " for ", count, " maps"));
  const bool per_voxel = weights.shape().rank() == 5;
  if (!per_voxel && weights.shape().rank() != 2)
    throw shape_error(
        text("weighted_conv3d: weights ", weights.shape().to_string(), ", expected (N, M) or (N, D, H, W, M)"));
  if (count > conv3d_problem::most_parts || (!per_voxel && weights.requires_grad())) {
    std::vector<variable<Backend>> weighted;
    for (index m = 0; m < count; ++m)
      weighted.push_back(multiply(maps[static_cast<std::size_t>(m)], weight_of(weights, m)));
    return conv3d(weighted, w);
  }
  std::vector<shape> shapes;
  for (const auto& map : maps) shapes.push_back(map.shape());
  const conv3d_problem p = ops::conv3d_problem_of(shapes, w.shape());
  shape rows = shapes[0];
  rows.set(4, count);
  if (weights.extent(0) != rows[0] || (per_voxel && !(weights.shape() == rows)))
    throw shape_error(
        text("weighted_conv3d: weights ", weights.shape().to_string(), " and a map ", shapes[0].to_string()));
  auto& ctx = w.ctx();
  const operation_scope scope(ctx, "weighted_conv3d");
  std::vector<tensor_type> values;
  std::vector<gradient_sink<Backend>> sinks;
  for (const auto& map : maps) {
    values.push_back(map.value());
    sinks.push_back(map.sink());
  }
  const auto weigh = [&ctx](const std::vector<tensor_type>& of, const tensor_type& by) {
    std::vector<tensor_type> weighted;
    for (std::size_t m = 0; m < of.size(); ++m) weighted.push_back(ops::weigh(ctx, of[m], by, static_cast<index>(m)));
    return weighted;
  };
  auto y = ops::conv3d(ctx, p, weigh(values, weights.value()), w.value());
  std::vector<variable<Backend>> inputs = maps;
  inputs.push_back(weights);
  inputs.push_back(w);
  return w.home().result(
      y, inputs,
      [=, &ctx, to_weights = weights.sink(), to_w = w.sink(), by = weights.value(), wv = w.value()](const auto& d) {
        if (to_w.wanted()) to_w.accumulate(ops::conv3d_backward_weights(ctx, p, weigh(values, by), d));
        const auto dweights = to_weights.wanted() ? ctx.make(by.shape()) : tensor_type{};
        // One map after the other: the gradients of weighted maps need not exist at the same time.
        for (std::size_t m = 0; m < values.size(); ++m) {
          if (!sinks[m].wanted() && !dweights) continue;
          std::vector<bool> wanted(values.size());
          wanted[m] = true;
          const auto back = ops::conv3d_backward_data(ctx, p, d, wv, wanted);
          sinks[m].accumulate(ops::weigh_backward(ctx, values[m], by, static_cast<index>(m), back[m], dweights));
        }
        if (dweights) to_weights.accumulate(dweights);
      });
}

/// x + sigmoid(gate) r gamma, element by element: enhancement by a gated map. x, gate, r (..., C), gamma (C). @throws
/// shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> gated_add(const variable<Backend>& x, const variable<Backend>& gate,
                                          const variable<Backend>& r, const variable<Backend>& gamma) {
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "gated_add");
  return x.home().result(ops::gated_add(ctx, x.value(), gate.value(), r.value(), gamma.value()),
                         {&x, &gate, &r, &gamma},
                         [&ctx, to_x = x.sink(), to_gate = gate.sink(), to_r = r.sink(), to_gamma = gamma.sink(),
                          gv = gate.value(), rv = r.value(), gammas = gamma.value()](const auto& d) {
                           const auto back = ops::gated_add_backward(ctx, gv, rv, gammas, d);
                           to_x.accumulate(d);
                           to_gate.accumulate(back.dgate);
                           to_r.accumulate(back.dr);
                           to_gamma.accumulate(back.dgamma);
                         });
}

#define COMODAL_GATING(kind, Backend)                                                                            \
  kind variable<Backend> weighted_conv3d(const std::vector<variable<Backend>>&, const variable<Backend>&,        \
                                         const variable<Backend>&);                                              \
  kind variable<Backend> gated_add(const variable<Backend>&, const variable<Backend>&, const variable<Backend>&, \
                                   const variable<Backend>&);
COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER(COMODAL_GATING)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
