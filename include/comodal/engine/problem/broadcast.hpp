// SPDX-License-Identifier: Apache-2.0
/// @file
/// NumPy's broadcasting of two shapes, with neighbouring axes that behave alike merged into one.
#ifndef COMODAL_ENGINE_PROBLEM_BROADCAST_HPP
#define COMODAL_ENGINE_PROBLEM_BROADCAST_HPP

#include <comodal/core/kokkos.hpp>
#include <comodal/core/shape.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {

/// The shape that two shapes broadcast to: aligned at the last axis, an extent of 1 stretches.
/// @throws shape_error naming `operation` where two extents differ and neither is 1
shape broadcast_shape(const shape& a, const shape& b, const char* operation);
#if COMODAL_BODIES
COMODAL_ONCE shape broadcast_shape(const shape& a, const shape& b, const char* operation) {
  const int rank = std::max(a.rank(), b.rank());
  shape out;
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank()), ib = i - (rank - b.rank());
    const index ea = ia < 0 ? 1 : a[ia], eb = ib < 0 ? 1 : b[ib];
    if (ea != eb && ea != 1 && eb != 1)
      throw shape_error(text(operation, ": shapes ", a.to_string(), " and ", b.to_string(),
                             " do not broadcast: extents ", ea, " and ", eb));
    out.push_back(ea == 1 ? eb : ea);
  }
  return out;
}
#endif

/// How to walk two operands: `rows` rows of `inner` elements; within a row steps are 0 or 1.
struct broadcast_plan {
  index rows = 1, inner = 1;
  index a_step = 1, b_step = 1;
  int rank = 0;  // of the merged axes before the last
  index extents[shape::max_rank] = {}, a_strides[shape::max_rank] = {}, b_strides[shape::max_rank] = {};

  broadcast_plan(const shape& a, const shape& b);

  [[nodiscard]] bool same() const { return rank == 0 && a_step == 1 && b_step == 1; }

  /// Where row r begins in the operands.
  KOKKOS_INLINE_FUNCTION void offsets(index r, index& a, index& b) const {
    a = 0;
    b = 0;
    for (int i = rank - 1; i > 0; --i) {
      const index p = r % extents[i];
      r /= extents[i];
      a += p * a_strides[i];
      b += p * b_strides[i];
    }
    a += r * a_strides[0];
    b += r * b_strides[0];
  }
};

#if COMODAL_BODIES
COMODAL_ONCE broadcast_plan::broadcast_plan(const shape& a, const shape& b) {
  const shape out = broadcast_shape(a, b, "broadcast");
  // Merge axes from the last to the first while both operands keep their way of walking.
  struct axis {
    index extent, a, b;
  } merged[shape::max_rank + 1];
  int count = 0;
  index a_size = 1, b_size = 1;
  for (int i = out.rank() - 1; i >= 0; --i) {
    const int ia = i - (out.rank() - a.rank()), ib = i - (out.rank() - b.rank());
    const index e = out[i], ea = ia < 0 ? 1 : a[ia], eb = ib < 0 ? 1 : b[ib];
    if (e == 1) continue;
    const index sa = ea == 1 ? 0 : a_size, sb = eb == 1 ? 0 : b_size;
    if (count > 0 && (merged[count - 1].a == 0) == (sa == 0) && (merged[count - 1].b == 0) == (sb == 0))
      merged[count - 1].extent *= e;
    else
      merged[count++] = {e, sa, sb};
    a_size *= ea;
    b_size *= eb;
  }
  if (count == 0) merged[count++] = {1, 1, 1};
  inner = merged[0].extent;
  a_step = merged[0].a == 0 ? 0 : 1;
  b_step = merged[0].b == 0 ? 0 : 1;
  rank = count - 1;
  for (int i = 0; i < rank; ++i) {
    const axis& from = merged[rank - i];
    extents[i] = from.extent;
    a_strides[i] = from.a;
    b_strides[i] = from.b;
    rows *= from.extent;
  }
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
