// SPDX-License-Identifier: Apache-2.0
/// @file
/// A volume in memory of any kind: a `volume`, memory of another library, or a mapped file. Crops, metrics and
/// inference take it.
#ifndef COMODAL_DATA_VOLUME_VIEW_HPP
#define COMODAL_DATA_VOLUME_VIEW_HPP

#include <comodal/data/geometry.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// How the values of a volume are stored.
enum class scalar_type : std::uint8_t { int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64 };

/// The name of a type: "int16", "float32" ...
[[nodiscard]] inline std::string_view to_string(scalar_type type) {
  constexpr std::array<std::string_view, 10> names{"int8",   "uint8", "int16",  "uint16",  "int32",
                                                   "uint32", "int64", "uint64", "float32", "float64"};
  return names[static_cast<std::size_t>(type)];
}

/// Calls `body(Stored{})` with a value of the C++ type that `type` stands for; returns what it returns.
template <class Body>
decltype(auto) with_scalar(scalar_type type, const Body& body) {
  switch (type) {
    case scalar_type::int8:
      return body(std::int8_t{});
    case scalar_type::uint8:
      return body(std::uint8_t{});
    case scalar_type::int16:
      return body(std::int16_t{});
    case scalar_type::uint16:
      return body(std::uint16_t{});
    case scalar_type::int32:
      return body(std::int32_t{});
    case scalar_type::uint32:
      return body(std::uint32_t{});
    case scalar_type::int64:
      return body(std::int64_t{});
    case scalar_type::uint64:
      return body(std::uint64_t{});
    case scalar_type::float32:
      return body(float{});
    default:
      return body(double{});
  }
}

/// Bytes of one value.
[[nodiscard]] inline std::size_t scalar_bytes(scalar_type type) {
  return with_scalar(type, [](auto stored) { return sizeof stored; });
}

/// The `scalar_type` of a C++ type.
template <class Scalar>
[[nodiscard]] constexpr scalar_type scalar_type_of() {
  if constexpr (std::same_as<Scalar, float>) {
    return scalar_type::float32;
  } else if constexpr (std::same_as<Scalar, double>) {
    return scalar_type::float64;
  } else {
    static_assert(std::integral<Scalar> && !std::same_as<Scalar, bool>,
                  "comodal: the values of a volume are integers of 8 to 64 bits, float or double.");
    constexpr int log2_bytes = sizeof(Scalar) == 1 ? 0 : sizeof(Scalar) == 2 ? 1 : sizeof(Scalar) == 4 ? 2 : 3;
    return static_cast<scalar_type>(2 * log2_bytes + (std::is_unsigned_v<Scalar> ? 1 : 0));
  }
}

/// What a stored value stands for: slope * stored + inter.
struct value_scale {
  double slope = 1, inter = 0;

  [[nodiscard]] bool is_identity() const { return slope == 1 && inter == 0; }
};

/// Values of a volume that lie somewhere in memory, i fastest, then j, then k (NIfTI's own order), with their grid. It
/// never changes the values. It may hold what the memory belongs to; else that must outlive the view.
/// An empty view is an absent image.
class volume_view {
 public:
  volume_view() = default;

  /// Memory of any origin, `grid.voxels()` values of `type`, at any alignment.
  /// @param owner keeps the memory alive as long as a view of it exists; may be null
  /// @throws geometry_error for a null pointer, for sizes below 1 or above 2^31 - 1, and for an affine that is singular
  /// or not finite; config_error for a scale that is not finite or has slope 0
  volume_view(const void* values, scalar_type type, const geometry& grid, std::shared_ptr<const void> owner = {},
              const value_scale& scale = {})
      : m_values(values), m_owner(std::move(owner)), m_grid(grid), m_scale(scale), m_type(type) {
    if (!values) throw geometry_error("volume_view: a null pointer, expected the values of the first voxel on");
    double bytes = 8;
    for (const index size : grid.size) {
      if (size < 1 || size > std::numeric_limits<std::int32_t>::max())
        throw geometry_error(text("volume_view: ", size, " voxels along an axis, expected 1 to 2147483647"));
      bytes *= static_cast<double>(size);
    }
    if (bytes > 0x1p62) throw geometry_error("volume_view: more voxels than any memory holds");
    if (!invertible(grid.affine))
      throw geometry_error("volume_view: the affine is singular or not finite, its axes span no volume");
    if (!std::isfinite(scale.slope) || !std::isfinite(scale.inter) || scale.slope == 0)
      throw config_error(text("volume_view: values are ", scale.slope, " * stored + ", scale.inter,
                              ", expected finite numbers and a slope other than 0"));
  }

  /// The values of a volume, which stays the caller's and must outlive the view; empty for a volume without values.
  /// @throws geometry_error if the values do not fill the grid
  template <class Scalar>
  volume_view(const volume<Scalar>& v) : m_grid(v.geometry), m_type(scalar_type_of<Scalar>()) {
    if (v.values.empty()) return;
    if (static_cast<index>(v.values.size()) != v.geometry.voxels())
      throw geometry_error(text("volume_view: ", v.values.size(), " values for a grid of ",
                                detail::listed(v.geometry.size, " x "), " voxels"));
    m_values = v.values.data();
  }
  /// The same; empty for a null pointer.
  template <class Scalar>
  volume_view(const volume<Scalar>* v) : volume_view(v ? volume_view(*v) : volume_view()) {}
  volume_view(std::nullptr_t) {}
  /// A volume that the view takes over. @throws as above
  template <class Scalar>
  volume_view(volume<Scalar>&& v) {
    auto own = std::make_shared<const volume<Scalar>>(std::move(v));
    *this = volume_view(*own);
    m_owner = std::move(own);
  }

  [[nodiscard]] bool empty() const { return m_values == nullptr; }
  [[nodiscard]] explicit operator bool() const { return !empty(); }
  [[nodiscard]] const geometry& grid() const { return m_grid; }
  [[nodiscard]] index voxels() const { return empty() ? 0 : m_grid.voxels(); }
  [[nodiscard]] scalar_type type() const { return m_type; }
  [[nodiscard]] const value_scale& scale() const { return m_scale; }
  /// The first value, as stored.
  [[nodiscard]] const void* data() const { return m_values; }

  /// The values where they lie, (k, j, i) row-major. @throws config_error if they are of another type, are scaled, or
  /// do not lie at a multiple of their size
  template <class Scalar>
  [[nodiscard]] std::span<const Scalar> values() const {
    if (empty()) return {};
    if (m_type != scalar_type_of<Scalar>() || !m_scale.is_identity())
      throw config_error(text("volume_view: holds ", to_string(m_type), m_scale.is_identity() ? "" : " with a scale",
                              ", expected ", to_string(scalar_type_of<Scalar>())));
    if (reinterpret_cast<std::uintptr_t>(m_values) % alignof(Scalar) != 0)
      throw config_error(text("volume_view: its ", to_string(m_type), " values do not lie at a multiple of ",
                              alignof(Scalar), " bytes"));
    return {static_cast<const Scalar*>(m_values), static_cast<std::size_t>(voxels())};
  }

  /// The same memory with the grid replaced by one of the same size.
  [[nodiscard]] volume_view with_grid(const geometry& grid) const {
    if (grid.size != m_grid.size) throw geometry_error("volume_view: with_grid changes no sizes");
    volume_view out = *this;
    out.m_grid = grid;
    return out;
  }

 private:
  const void* m_values = nullptr;
  std::shared_ptr<const void> m_owner;
  geometry m_grid;
  value_scale m_scale;
  scalar_type m_type = scalar_type::float32;
};

/// Calls `body(voxel number, stored value)` for every voxel, in order. Values may lie at any alignment.
template <class Body>
void for_values(const volume_view& v, Body body) {
  const auto* bytes = static_cast<const unsigned char*>(v.data());
  const auto count = static_cast<std::size_t>(v.voxels());
  with_scalar(v.type(), [&](auto stored) {
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(&stored, bytes + i * sizeof stored, sizeof stored);
      body(i, stored);
    }
  });
}

/// A copy of the values as numbers: slope * stored + inter in double, rounded to float; NaN and infinities as they are.
[[nodiscard]] image_volume to_image(const volume_view& v);
#if COMODAL_BODIES
COMODAL_ONCE image_volume to_image(const volume_view& v) {
  image_volume image{v.grid(), std::vector<float>(static_cast<std::size_t>(v.voxels()))};
  float* out = image.values.data();
  const double slope = v.scale().slope, inter = v.scale().inter;
  if (v.scale().is_identity())
    for_values(v, [out](std::size_t i, auto stored) { out[i] = static_cast<float>(stored); });
  else
    for_values(v, [=](std::size_t i, auto stored) {
      out[i] = static_cast<float>(static_cast<double>(stored) * slope + inter);
    });
  return image;
}
#endif

/// A copy of the values as labels, integers 0 to 255. Values within 0.001 of an integer (labels stored as floats) are
/// rounded.
/// @param name names the volume in messages
/// @throws io_error for other values, with one of them, its voxel, and their number
[[nodiscard]] label_volume to_labels(const volume_view& v, const std::string& name);
#if COMODAL_BODIES
COMODAL_ONCE label_volume to_labels(const volume_view& v, const std::string& name) {
  label_volume labels{v.grid(), std::vector<std::uint8_t>(static_cast<std::size_t>(v.voxels()))};
  std::size_t wrong = 0, place = 0;
  double example = 0;
  for_values(v, [&](std::size_t i, auto stored) {
    const double value = static_cast<double>(stored) * v.scale().slope + v.scale().inter, rounded = std::round(value);
    if (std::abs(value - rounded) <= 1e-3 && rounded >= 0 && rounded <= 255) {
      labels.values[i] = static_cast<std::uint8_t>(rounded);
    } else if (wrong++ == 0) {
      example = value;
      place = i;
    }
  });
  if (wrong > 0) {
    const auto nx = static_cast<std::size_t>(v.grid().size[0]), ny = static_cast<std::size_t>(v.grid().size[1]);
    throw io_error(text(name, ": label value ", example, " at voxel (", place % nx, ", ", place / nx % ny, ", ",
                        place / nx / ny, ") and ", wrong - 1, " more voxels: labels are integers from 0 to 255"));
  }
  return labels;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
