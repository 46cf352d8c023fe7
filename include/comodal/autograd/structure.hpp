// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable reshaping, joining and cutting, and dropout.
#ifndef COMODAL_AUTOGRAD_STRUCTURE_HPP
#define COMODAL_AUTOGRAD_STRUCTURE_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/core/compiled.hpp>
#include <comodal/ops/dropout.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The same elements with other extents. @throws shape_error unless their number is the same
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> reshape(const variable<Backend>& x, const shape& extents) {
  return x.home().result(x.value().reshaped(extents), {&x},
                         [to = x.sink(), in = x.shape()](const auto& d) { to.accumulate(d.reshaped(in)); });
}

/// Variables joined along an axis (default: channels). @throws shape_error unless all other extents are equal
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> concat(const std::vector<variable<Backend>>& parts, int axis = -1) {
  if (parts.empty()) throw shape_error("concat: no variable given");
  auto& ctx = parts[0].ctx();
  const operation_scope scope(ctx, "concat");
  std::vector<typename variable<Backend>::tensor_type> values;
  std::vector<std::pair<gradient_sink<Backend>, index>> sinks;
  for (const auto& part : parts) {
    values.push_back(part.value());
    sinks.emplace_back(part.sink(), part.extent(axis));
  }
  return parts[0].home().result(ops::concat(ctx, values, axis), parts, [&ctx, sinks, axis](const auto& d) {
    index first = 0;
    for (const auto& [to, width] : sinks) {
      if (to.wanted()) to.accumulate(ops::slice(ctx, d, axis, first, first + width));
      first += width;
    }
  });
}

/// Variables of one shape, stacked along a new axis. @throws shape_error
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> stack(const std::vector<variable<Backend>>& parts, int axis) {
  if (parts.empty()) throw shape_error("stack: no variable given");
  const int rank = parts[0].shape().rank(), at = axis < 0 ? axis + rank + 1 : axis;
  if (at < 0 || at > rank)
    throw shape_error(text("stack: ", parts[0].shape().to_string(), " takes no new axis ", axis));
  std::vector<variable<Backend>> wider;
  for (const auto& part : parts) {
    shape extents;
    for (int i = 0; i <= rank; ++i) {
      if (i == at) extents.push_back(1);
      if (i < rank) extents.push_back(part.shape()[i]);
    }
    wider.push_back(reshape(part, extents));
  }
  return concat(wider, at);
}

/// Entries [first, last) along an axis. @throws shape_error unless 0 <= first < last <= extent
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> slice(const variable<Backend>& x, int axis, index first, index last) {
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "slice");
  return x.home().result(ops::slice(ctx, x.value(), axis, first, last), {&x},
                         [&ctx, to = x.sink(), in = x.shape(), axis, first](const auto& d) {
                           to.accumulate(ops::unslice(ctx, d, in, axis, first));
                         });
}

/// Zero with probability `rate`, else x / (1 - rate). The draw depends on (seed, stream, iteration) and the element
/// alone.
/// @throws config_error unless 0 <= rate < 1
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> dropout(const variable<Backend>& x, double rate, std::uint64_t seed,
                                        std::uint32_t stream, std::uint32_t iteration) {
  auto& ctx = x.ctx();
  const operation_scope scope(ctx, "dropout");
  return multiply(x, x.home().constant(ops::dropout_mask(ctx, x.shape(), rate, seed, stream, iteration)));
}

/// The values of variables of one element each on the host, in one transfer: waits once for the space.
/// @throws shape_error unless each has one element
template <tensor_backend Backend>
[[nodiscard]] std::vector<double> items(const std::vector<variable<Backend>>& scalars) {
  if (scalars.empty()) return {};
  std::vector<tensor_of<Backend>> parts;
  for (const auto& x : scalars) {
    if (x.shape().size() != 1) throw shape_error(text("items: ", x.shape().to_string(), " has more than one element"));
    parts.push_back(x.value().reshaped({1}));
  }
  auto& ctx = scalars[0].ctx();
  const auto values = to_host(ctx.space(), ops::concat<Backend>(ctx, parts, 0));
  return {values.begin(), values.end()};
}

#define COMODAL_STRUCTURE(kind, Backend)                                     \
  kind variable<Backend> reshape(const variable<Backend>&, const shape&);    \
  kind variable<Backend> concat(const std::vector<variable<Backend>>&, int); \
  kind variable<Backend> stack(const std::vector<variable<Backend>>&, int);  \
  kind variable<Backend> slice(const variable<Backend>&, int, index, index); \
  kind variable<Backend> dropout(const variable<Backend>&, double, std::uint64_t, std::uint32_t, std::uint32_t);
COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER(COMODAL_STRUCTURE)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
