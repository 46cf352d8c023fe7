// SPDX-License-Identifier: Apache-2.0
/// @file
/// The grid of a training case, checked once before training.
#ifndef COMODAL_DATA_TRAINING_GRID_HPP
#define COMODAL_DATA_TRAINING_GRID_HPP

#include <comodal/core/error.hpp>
#include <comodal/data/volume_view.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

/// What the maker knows of a case's images before training.
struct training_grid {
  extent3 size{};                   // D, H, W
  std::array<double, 3> spacing{};  // mm, D, H, W
  std::vector<float> minimum;       // of each modality over the volume; 0 where it is absent
};

[[nodiscard]] inline std::string show_size(const extent3& s) { return text("(", s[0], ", ", s[1], ", ", s[2], ")"); }

/// @throws geometry_error for a size (D, H, W) that is too large to be indexed by 32 bits, or empty
inline void check_grid_size(const extent3& size, const std::string& what) {
  double voxels = 1;
  for (const index s : size) {
    if (s < 1 || s > 8192)
      throw geometry_error(text(what, ": ", show_size(size), " voxels (D, H, W); expected 1 to 8192 along each axis"));
    voxels *= static_cast<double>(s);
  }
  if (voxels >= 2147483648.)
    throw geometry_error(text(what, ": ", show_size(size), " are more than 2^31 voxels; resample it"));
}

/// Size (D, H, W) of a volume. @throws geometry_error if it has no values or is too large to be indexed by 32 bits
[[nodiscard]] inline extent3 grid_size(const volume_view& v, const std::string& what) {
  const geometry& grid = v.grid();
  const extent3 size{grid.size[2], grid.size[1], grid.size[0]};
  check_grid_size(size, what);
  if (v.empty()) throw geometry_error(text(what, ": no values for a grid (D, H, W) of ", show_size(size)));
  return size;
}

[[nodiscard]] training_grid look_at_case(const std::string& id, const std::vector<volume_view>& images,
                                         std::size_t modalities);
#if COMODAL_BODIES
COMODAL_ONCE training_grid look_at_case(const std::string& id, const std::vector<volume_view>& images,
                                        std::size_t modalities) {
  const std::string name = text("training case ", id);
  if (images.size() != modalities)
    throw config_error(text(name, ": ", images.size(), " modalities, the first case has ", modalities));
  training_grid grid;
  for (std::size_t m = 0; m < images.size(); ++m) {
    grid.minimum.push_back(0);
    if (!images[m]) continue;
    const extent3 size = grid_size(images[m], text(name, ", modality ", m));
    if (grid.size[0] != 0 && size != grid.size)
      throw geometry_error(text(name, ", modality ", m, ": ", show_size(size),
                                " voxels (D, H, W), an earlier modality has ", show_size(grid.size),
                                "; resample the modalities to one grid"));
    grid.size = size;
    const auto spacing = images[m].grid().spacing();
    grid.spacing = {spacing[2], spacing[1], spacing[0]};
    for (const double s : grid.spacing)
      if (!(s > 0)) throw geometry_error(text(name, ", modality ", m, ": a voxel size of ", s, " mm"));
    const auto values = images[m].values<float>();
    grid.minimum[m] = *std::min_element(values.begin(), values.end());
  }
  if (grid.size[0] == 0) throw config_error(text(name, ": all modalities are absent"));
  return grid;
}
#endif

}  // namespace detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
