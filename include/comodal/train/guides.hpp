// SPDX-License-Identifier: Apache-2.0
/// @file
/// The coarse masks by which crops of unlabelled cases are centred, in a checkpoint.
#ifndef COMODAL_TRAIN_GUIDES_HPP
#define COMODAL_TRAIN_GUIDES_HPP

#include <comodal/data/safetensors.hpp>
#include <comodal/data/volume.hpp>

#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace train_detail {

// Adds one array per unlabelled case: "guide.0", "guide.1" ...
inline void save_guides(const std::vector<label_volume>& masks, safetensors_file& file) {
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const auto& size = masks[i].geometry.size;
    file.arrays[text("guide.", i)] = named_array::of(shape{size[2], size[1], size[0]}, masks[i].values);
  }
}

// The masks of a checkpoint; none if it has none. @throws io_error naming `file` if one is damaged
[[nodiscard]] inline std::vector<label_volume> guides_of(const std::filesystem::path& file,
                                                         const safetensors_file& content) {
  std::vector<label_volume> masks;
  for (std::size_t i = 0;; ++i) {
    const auto found = content.arrays.find(text("guide.", i));
    if (found == content.arrays.end()) return masks;
    const shape& s = found->second.shape;
    if (s.rank() != 3)
      throw io_error(text(file.string(), ": array '", found->first, "' is ", s.to_string(),
                          ", expected three axes; the file is damaged"));
    label_volume mask;
    mask.geometry.size = {s[2], s[1], s[0]};
    mask.values = found->second.values<std::uint8_t>(found->first);
    masks.push_back(std::move(mask));
  }
}

}  // namespace train_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
