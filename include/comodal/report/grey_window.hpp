// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which values of an image are black and white.
#ifndef COMODAL_REPORT_GREY_WINDOW_HPP
#define COMODAL_REPORT_GREY_WINDOW_HPP

#include <comodal/data/volume.hpp>
#include <comodal/metric/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Grey window of an image: `low` is black, `high` is white. So is the value of the padding around a head, which may
/// lie anywhere between them in an image that is normalised.
struct grey_window {
  double low = 0, high = 1;
  double padding = std::numeric_limits<double>::quiet_NaN();

  /// 0 to 255; what is not finite is black.
  [[nodiscard]] std::uint8_t operator()(double value) const {
    const double t = (value - low) / (high - low);
    return std::isfinite(t) && value != padding ? static_cast<std::uint8_t>(std::lround(255 * std::clamp(t, 0.0, 1.0)))
                                                : std::uint8_t{0};
  }
};

/// The 1 % and 99.5 % percentiles over the finite voxels; the value of the first voxel is padding where a tenth of all
/// voxels has it, and is then left out.
[[nodiscard]] inline grey_window window_of(const image_volume& image) {
  const auto first = image.values.begin(), last = image.values.end();
  const bool padded = first != last && 10 * std::count(first, last, *first) > last - first;
  std::vector<double> values;
  values.reserve(image.values.size());
  for (const float v : image.values)
    if (std::isfinite(v) && !(padded && v == *first)) values.push_back(static_cast<double>(v));
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  grey_window w{linear_percentile(values, 0.01), linear_percentile(values, 0.995)};
  if (padded) w.padding = static_cast<double>(*first);
  if (!(w.high > w.low)) w.low = values.front(), w.high = values.back();
  if (!(w.high > w.low)) w.high = w.low + 1;
  return w;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
