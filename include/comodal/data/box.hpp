// SPDX-License-Identifier: Apache-2.0
/// @file
/// Boxes of voxels: the bounding box of a mask, cutting a box out of a volume, and putting it back.
#ifndef COMODAL_DATA_BOX_HPP
#define COMODAL_DATA_BOX_HPP

#include <comodal/data/geometry.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {

/// The voxels with first[a] <= index < last[a] along i, j, k.
struct box {
  std::array<index, 3> first{}, last{};

  [[nodiscard]] std::array<index, 3> size() const {
    return {last[0] - first[0], last[1] - first[1], last[2] - first[2]};
  }
  [[nodiscard]] bool contains(index i, index j, index k) const {
    return i >= first[0] && i < last[0] && j >= first[1] && j < last[1] && k >= first[2] && k < last[2];
  }
  [[nodiscard]] bool empty() const { return last[0] <= first[0] || last[1] <= first[1] || last[2] <= first[2]; }
  friend bool operator==(const box&, const box&) = default;
};

/// The box that holds a whole grid.
[[nodiscard]] inline box whole(const geometry& g) { return {{0, 0, 0}, g.size}; }

/// The smallest box that holds every voxel of the mask that is not 0; an empty box for an empty mask.
[[nodiscard]] inline box bounding_box(const label_volume& mask) {
  const auto& size = mask.geometry.size;
  box out{size, {0, 0, 0}};
  for (index k = 0; k < size[2]; ++k)
    for (index j = 0; j < size[1]; ++j) {
      const std::uint8_t* row = mask.values.data() + (k * size[1] + j) * size[0];
      const std::uint8_t* end = row + size[0];
      const std::uint8_t* hit = std::find_if(row, end, [](std::uint8_t v) { return v != 0; });
      if (hit == end) continue;
      while (*(end - 1) == 0) --end;
      out.first = {std::min<index>(out.first[0], hit - row), std::min(out.first[1], j), std::min(out.first[2], k)};
      out.last = {std::max<index>(out.last[0], end - row), std::max(out.last[1], j + 1), std::max(out.last[2], k + 1)};
    }
  return out.empty() ? box{} : out;
}

/// The box with `margin` voxels more on each side, as far as the grid reaches.
[[nodiscard]] inline box grown(box b, index margin, const geometry& g) {
  for (std::size_t a = 0; a < 3; ++a) {
    b.first[a] = std::max<index>(0, b.first[a] - margin);
    b.last[a] = std::min(g.size[a], b.last[a] + margin);
  }
  return b;
}

/// The grid of a box: its size, its first voxel as origin. @throws geometry_error if the box is empty or leaves the
/// grid
[[nodiscard]] inline geometry crop(const geometry& g, const box& b) {
  for (std::size_t a = 0; a < 3; ++a)
    if (b.first[a] < 0 || b.last[a] > g.size[a] || b.first[a] >= b.last[a])
      throw geometry_error(text("crop: the box takes voxels ", b.first[a], " to ", b.last[a], " of axis ", a,
                                ", which has ", g.size[a]));
  geometry out = g;
  out.size = b.size();
  const point3 origin = transform(
      g.affine, {static_cast<double>(b.first[0]), static_cast<double>(b.first[1]), static_cast<double>(b.first[2])});
  for (std::size_t r = 0; r < 3; ++r) out.affine[r][3] = origin[r];
  return out;
}

/// The part of a volume inside a box. @throws geometry_error if the box is empty or leaves the grid
template <class Scalar>
[[nodiscard]] volume<Scalar> crop(const volume<Scalar>& v, const box& b) {
  volume<Scalar> out{crop(v.geometry, b), {}};
  out.values.resize(static_cast<std::size_t>(out.geometry.voxels()));
  auto target = out.values.begin();
  for (index k = b.first[2]; k < b.last[2]; ++k)
    for (index j = b.first[1]; j < b.last[1]; ++j)
      target = std::copy_n(&v.at(b.first[0], j, k), out.geometry.size[0], target);
  return out;
}

/// A volume of the grid `full` that holds `part` inside the box and `outside` elsewhere: the inverse of `crop`.
/// @throws geometry_error if `part` has not the size of the box, or the box leaves the grid
template <class Scalar>
[[nodiscard]] volume<Scalar> uncrop(const volume<Scalar>& part, const box& b, const geometry& full,
                                    Scalar outside = Scalar{}) {
  if (part.geometry.size != crop(full, b).size) throw geometry_error("uncrop: the volume has not the size of the box");
  volume<Scalar> out{full, std::vector<Scalar>(static_cast<std::size_t>(full.voxels()), outside)};
  auto source = part.values.begin();
  const index width = part.geometry.size[0];
  for (index k = b.first[2]; k < b.last[2]; ++k)
    for (index j = b.first[1]; j < b.last[1]; ++j, source += width)
      std::copy_n(source, width, &out.at(b.first[0], j, k));
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
