// SPDX-License-Identifier: Apache-2.0
/// @file
/// Extents of a tensor: a small vector of run-time rank, row-major (the last axis is contiguous).
#ifndef COMODAL_CORE_SHAPE_HPP
#define COMODAL_CORE_SHAPE_HPP

#include <comodal/core/error.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace comodal::inline COMODAL_CONFIG {

/// Extents, sizes and offsets in elements. POSIX has a function of this name: where `using namespace comodal` stands at
/// the outermost level, write `comodal::index`, or say `using comodal::index;` inside the function or namespace that
/// uses it.
using index = std::int64_t;

/// Depth, height, width: sizes, strides or filters along the three spatial axes of a tensor (N, D, H, W, C).
/// D is NIfTI's third (k), H its second (j) and W its first (i) voxel axis.
using extent3 = std::array<index, 3>;

/// The extents of a tensor, at most `max_rank` of them; rank 0 is a scalar.
class shape {
 public:
  static constexpr int max_rank = 6;
  /// No product of extents is larger, so that sizes in elements and in bytes never overflow.
  static constexpr index max_size = index{1} << 58;

  shape() = default;
  /// @throws shape_error for more than `max_rank` extents, a negative one, or a product above `max_size`
  shape(std::initializer_list<index> extents) {
    for (const index extent : extents) push_back(extent);
  }

  [[nodiscard]] int rank() const { return m_rank; }
  /// Extent of an axis; a negative axis counts from the end. @throws shape_error if there is no such axis
  [[nodiscard]] index operator[](int axis) const { return m_extents[static_cast<std::size_t>(checked(axis))]; }
  /// Replaces an extent. @throws shape_error if there is no such axis, or as the constructor
  void set(int axis, index extent) {
    shape changed = *this;
    changed.m_extents[static_cast<std::size_t>(checked(axis))] = extent;
    changed.check_extents();
    *this = changed;
  }
  void push_back(index extent) {
    if (m_rank == max_rank) throw shape_error(text("shape: more than ", max_rank, " axes"));
    shape longer = *this;
    longer.m_extents[static_cast<std::size_t>(longer.m_rank++)] = extent;
    longer.check_extents();
    *this = longer;
  }

  /// Number of elements: the product of the extents; 1 for a scalar. At most `max_size`.
  [[nodiscard]] index size() const { return product(0, m_rank); }
  /// Product of the extents of the axes [first, last).
  [[nodiscard]] index product(int first, int last) const {
    index result = 1;
    for (int a = first; a < last; ++a) result *= m_extents[static_cast<std::size_t>(a)];
    return result;
  }
  /// The axis as a number in [0, rank). @throws shape_error if there is no such axis
  [[nodiscard]] int checked(int axis) const {
    const int a = axis < 0 ? axis + m_rank : axis;
    if (a < 0 || a >= m_rank) throw shape_error(text("shape ", to_string(), " has no axis ", axis));
    return a;
  }

  /// For example `(2, 32, 32, 32, 4)`.
  [[nodiscard]] std::string to_string() const;

  /// By rank, then by extents from the first axis on.
  friend std::strong_ordering operator<=>(const shape& a, const shape& b) {
    if (a.m_rank != b.m_rank) return a.m_rank <=> b.m_rank;
    return a.m_extents <=> b.m_extents;
  }
  friend bool operator==(const shape& a, const shape& b) {
    if (a.m_rank != b.m_rank) return false;
    for (int i = 0; i < a.m_rank; ++i)
      if (a.m_extents[static_cast<std::size_t>(i)] != b.m_extents[static_cast<std::size_t>(i)]) return false;
    return true;
  }

 private:
  // An extent of 0 counts as 1 here: products of some of the extents must not overflow either.
  void check_extents() const;

  std::array<index, max_rank> m_extents{};
  int m_rank = 0;
};

#if COMODAL_BODIES
COMODAL_ONCE std::string shape::to_string() const {
  std::string out = "(";
  for (int a = 0; a < m_rank; ++a) out += (a ? ", " : "") + std::to_string(m_extents[static_cast<std::size_t>(a)]);
  return out + ")";
}

COMODAL_ONCE void shape::check_extents() const {
  index all = 1;
  for (int a = 0; a < m_rank; ++a) {
    const index extent = m_extents[static_cast<std::size_t>(a)];
    if (extent < 0) throw shape_error(text("shape: extent ", extent, " is negative"));
    if (extent > 1 && all > max_size / extent)
      throw shape_error(text("shape ", to_string(), ": more elements than any memory holds"));
    all *= extent > 1 ? extent : 1;
  }
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
