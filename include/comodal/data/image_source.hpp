// SPDX-License-Identifier: Apache-2.0
/// @file
/// Where an image or a label map comes from: a file, one volume of a 4-D file, or memory.
#ifndef COMODAL_DATA_IMAGE_SOURCE_HPP
#define COMODAL_DATA_IMAGE_SOURCE_HPP

#include <comodal/data/volume_view.hpp>

#include <concepts>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// A file, one volume of a 4-D file, or memory; an empty source is an absent modality.
struct image_source {
  std::filesystem::path path;   // of a file; empty for memory
  std::optional<index> volume;  // of a 4-D file, from 0; unset: the file must hold one
  volume_view memory;           // empty for a file

  image_source() = default;
  template <std::convertible_to<std::filesystem::path> Path>
  image_source(Path&& file, std::optional<index> which = {}) : path(std::forward<Path>(file)), volume(which) {}
  image_source(volume_view view) : memory(std::move(view)) {}

  [[nodiscard]] bool empty() const { return path.empty() && memory.empty(); }
  /// How messages name it: the file, with the volume's number if one is chosen; `in_memory` for memory.
  [[nodiscard]] std::string name(const std::string& in_memory) const {
    if (path.empty()) return in_memory;
    return volume ? text(path.string(), " (volume ", *volume, ")") : path.string();
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
