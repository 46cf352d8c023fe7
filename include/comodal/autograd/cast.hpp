// SPDX-License-Identifier: Apache-2.0
/// @file
/// Differentiable conversion between the scalars of two back ends: what joins the parts of a graph of mixed precision.
#ifndef COMODAL_AUTOGRAD_CAST_HPP
#define COMODAL_AUTOGRAD_CAST_HPP

#include <comodal/autograd/variable.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The same values in the scalar of another back end, rounded to nearest; gradients come back rounded to the first
/// one's.
/// @param to the tape of the result; it shares its record with that of x where a gradient is to pass. @throws error
/// otherwise
template <tensor_backend To, tensor_backend From>
[[nodiscard]] variable<To> cast(const variable<From>& x, tape<To>& to) {
  if constexpr (std::is_same_v<From, To>) {
    return x;
  } else {
    auto& from_ctx = x.ctx();
    const operation_scope scope(from_ctx, "cast");
    auto y = ops::cast(to.ctx(), x.value());
    if (!x.requires_grad()) return to.constant(std::move(y));
    if (!to.shares_record_with(x.home()))
      throw error("cast: the tapes share no record, so no gradient can pass; make one from the other, or detach first");
    return to.recorded(std::move(y),
                       [&from_ctx, sink = x.sink()](const auto& d) { sink.accumulate(ops::cast(from_ctx, d)); });
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
