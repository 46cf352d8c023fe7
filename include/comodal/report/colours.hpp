// SPDX-License-Identifier: Apache-2.0
/// @file
/// The colours of pictures: classes, errors and maps. All are read on dark pictures by people of any colour vision.
#ifndef COMODAL_REPORT_COLOURS_HPP
#define COMODAL_REPORT_COLOURS_HPP

#include <comodal/core/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>

namespace comodal::inline COMODAL_CONFIG {

/// Red, green, blue, 0 to 255.
using rgb = std::array<std::uint8_t, 3>;

/// Colours of classes 1, 2, 3 ...: Okabe and Ito's without vermilion, which is near to the red of false voxels, and
/// with a brighter blue. They repeat after `class_colours`.
inline constexpr std::size_t class_colours = 6;
[[nodiscard]] inline rgb class_colour(int label) {
  constexpr std::array<rgb, class_colours> colours{
      {{230, 159, 0}, {86, 180, 233}, {0, 158, 115}, {240, 228, 66}, {204, 121, 167}, {0, 90, 200}}};
  return colours[static_cast<std::size_t>(std::max(label, 1) - 1) % class_colours];
}

/// Errors have colours that no class has, and textures, so that they are told apart in grey print too: false voxels are
/// solid, missed ones hatched, those of another class dotted.
inline constexpr rgb false_colour{200, 20, 0}, missed_colour{130, 0, 255}, wrong_colour{255, 255, 255};

/// "#rrggbb".
[[nodiscard]] inline std::string css_colour(rgb c) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "#";
  for (const std::uint8_t part : c) {
    out += digits[part >> 4];
    out += digits[part & 15];
  }
  return out;
}

/// The colour of a map's value, 0 to 1: from black over blue-violet and orange to pale yellow, always brighter. Values
/// outside are clamped, NaN is black.
[[nodiscard]] inline rgb map_colour(double value) {
  constexpr std::array<std::array<double, 3>, 5> stops{
      {{0, 0, 4}, {81, 18, 124}, {183, 55, 121}, {252, 137, 97}, {252, 253, 191}}};
  const double place = std::isfinite(value) ? std::clamp(value, 0.0, 1.0) * 4 : 0;
  const std::size_t low = std::min<std::size_t>(3, static_cast<std::size_t>(place));
  const double part = place - static_cast<double>(low);
  rgb out{};
  for (std::size_t c = 0; c < 3; ++c)
    out[c] = static_cast<std::uint8_t>(std::lround(stops[low][c] + part * (stops[low + 1][c] - stops[low][c])));
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
