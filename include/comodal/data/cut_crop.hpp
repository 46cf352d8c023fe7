// SPDX-License-Identifier: Apache-2.0
/// @file
/// Cuts the crop of one sample out of a case.
#ifndef COMODAL_DATA_CUT_CROP_HPP
#define COMODAL_DATA_CUT_CROP_HPP

#include <comodal/data/batch.hpp>
#include <comodal/data/crop.hpp>
#include <comodal/data/training_grid.hpp>

#include <algorithm>
#include <span>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// Which modalities a case has.
inline void record_presence(const std::vector<volume_view>& images, std::span<float> present) {
  for (std::size_t m = 0; m < images.size(); ++m) present[m] = images[m] ? 1.f : 0.f;
}

// Samples the modalities that `crops` says are present, and zeros the others.
inline void cut_crop(const std::vector<volume_view>& images, const training_grid& grid, const crop_map& map,
                     crop_batch& crops, index n, const volume_view& label) {
  std::vector<crop_layer<float>> layers;
  std::vector<crop_layer<std::uint8_t>> labels;
  for (std::size_t m = 0; m < images.size(); ++m) {
    const auto out = crops.image(n, static_cast<index>(m));
    if (crops.presence(n)[m] != 0)
      layers.push_back({images[m].values<float>().data(), grid.minimum[m], out.data()});
    else
      std::fill(out.begin(), out.end(), 0.f);
  }
  if (label) labels.push_back({label.values<std::uint8_t>().data(), 0, crops.label(n).data()});
  extract_crop(grid.size, map, layers, labels);
}

}  // namespace detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
