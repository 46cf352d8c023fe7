// SPDX-License-Identifier: Apache-2.0
/// @file
/// Voxels far outside the range of their image: fill values of a resampler, padded rims, saturated or wrapped numbers.
#ifndef COMODAL_DATA_OUTLIERS_HPP
#define COMODAL_DATA_OUTLIERS_HPP

#include <comodal/core/error.hpp>
#include <comodal/data/volume.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Voxels at one end of an image's values that are far from all others.
struct outlying_voxels {
  std::size_t count = 0;
  float value = 0;               // of the first of them, in the order of the file
  std::array<index, 3> first{};  // its voxel, along the file's axes i, j, k
  float limit = 0;               // the outermost of the other values
  float taken_as = 0;            // what they became
};

namespace data_detail {

// The widest gap between neighbouring values in [low, high]: values up to `below`, then none up to `above`.
struct value_gap {
  float below = 0, above = 0;
  std::size_t lower = 0, upper = 0;         // voxels on either side
  double lower_range = 0, upper_range = 0;  // of the values on either side, but for a thousandth at each end
  bool few_values = false;                  // no more different values than a label map has
};

// By a histogram: gaps narrower than 1/4096 of the range are not seen.
[[nodiscard]] inline value_gap widest_gap(const std::vector<float>& values, float low, float high) {
  constexpr int bins = 4096;
  struct bin {
    std::size_t count = 0;
    float least = std::numeric_limits<float>::max(), most = std::numeric_limits<float>::lowest();
  };
  std::vector<bin> histogram(bins);
  const double from = low, scale = bins / (static_cast<double>(high) - from);
  std::size_t all = 0;
  for (const float v : values) {
    if (!(v >= low && v <= high)) continue;
    bin& b = histogram[static_cast<std::size_t>(std::min(bins - 1, static_cast<int>((v - from) * scale)))];
    ++b.count;
    b.least = std::min(b.least, v);
    b.most = std::max(b.most, v);
    ++all;
  }
  value_gap widest;
  double width = -1;
  std::size_t below = 0, split = 0;
  float last = low;
  for (std::size_t b = 0; b < histogram.size(); ++b) {
    if (histogram[b].count == 0) continue;
    if (const double gap = static_cast<double>(histogram[b].least) - last; below > 0 && gap > width) {
      width = gap;
      split = b;
      widest.below = last, widest.above = histogram[b].least;
      widest.lower = below, widest.upper = all - below;
    }
    below += histogram[b].count;
    last = histogram[b].most;
  }
  const auto occupied = std::count_if(histogram.begin(), histogram.end(), [](const bin& b) { return b.count > 0; });
  widest.few_values = occupied <= 16 && std::all_of(histogram.begin(), histogram.end(),
                                                    [](const bin& b) { return b.count == 0 || b.least == b.most; });
  const auto range = [&](std::size_t first, std::size_t end, std::size_t count) {
    const std::size_t left_out = count / 1000;
    std::size_t from_below = 0, from_above = 0;
    while (first < end && (from_below += histogram[first].count) <= left_out) ++first;
    while (end > first && (from_above += histogram[end - 1].count) <= left_out) --end;
    return first < end ? static_cast<double>(histogram[end - 1].most) - histogram[first].least : 0;
  };
  widest.lower_range = range(0, split, widest.lower);
  widest.upper_range = range(split, histogram.size(), widest.upper);
  return widest;
}

// True if a voxel of at least `least` lies at the border of the grid.
[[nodiscard]] inline bool reaches_border(const image_volume& image, float least) {
  const auto& size = image.geometry.size;
  for (index k = 0; k < size[2]; ++k)
    for (index j = 0; j < size[1]; ++j) {
      const bool face = k == 0 || k == size[2] - 1 || j == 0 || j == size[1] - 1;
      const index step = face ? 1 : std::max<index>(1, size[0] - 1);
      for (index i = 0; i < size[0]; i += step)
        if (image.at(i, j, k) >= least) return true;
    }
  return false;
}

}  // namespace data_detail

/// Finds voxels far outside the range of an image, in several passes, and gives them the outermost of the other values;
/// a rim above the others is a fill value, and gets the smallest. They lie on one side of a gap in which no
/// voxel has its value: on the side of one value, if the other has more, else on that of fewer voxels. R is the range
/// of the other side. Then they are outlying
/// - below the gap: if it is wider than 2 R, or wider than R and all of them have one value;
/// - above it: if it is wider than 2 R and they are at most 8, or one in 100000; or if it is wider than R, all of them
///   have one value, and some are at the border of the grid (a rim, a slice).
///
/// Where all values below the gap are 0 nothing is outlying: a skull-stripped image. Bright lesions stay, as they are
/// more voxels, and what is above the others in an image of few different values: a label map as a channel. An image
/// without outlying voxels stays as it is.
/// @param image finite values
/// @return what was replaced, in the order in which it was found
[[nodiscard]] inline std::vector<outlying_voxels> replace_outliers(image_volume& image) {
  std::vector<outlying_voxels> found;
  std::vector<bool> is_fill;
  auto& values = image.values;
  if (values.empty()) return found;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  float low = *least, high = *most;
  const std::size_t few = std::max<std::size_t>(8, values.size() / 100000);
  while (low < high) {
    const data_detail::value_gap gap = data_detail::widest_gap(values, low, high);
    const bool one_low = gap.below == low, one_high = gap.above == high;
    const bool lower = one_low != one_high ? one_low : gap.lower < gap.upper;
    const double width = static_cast<double>(gap.above) - gap.below, range = lower ? gap.upper_range : gap.lower_range;
    const bool one_value = lower ? one_low : one_high;
    const bool fill = !lower && one_value && gap.upper > few && data_detail::reaches_border(image, gap.above);
    const bool outlying = lower
                              ? width > 2 * range || (width > range && one_value)
                              : !gap.few_values && ((width > range && fill) || (width > 2 * range && gap.upper <= few));
    if (!(range > 0) || !outlying || (one_low && low == 0)) break;
    outlying_voxels o{.count = lower ? gap.lower : gap.upper, .limit = lower ? gap.above : gap.below};
    std::size_t at = 0;
    while (lower ? !(values[at] < o.limit && values[at] >= low) : !(values[at] > o.limit && values[at] <= high)) ++at;
    o.value = values[at];
    const auto place = static_cast<index>(at);
    const auto& size = image.geometry.size;
    o.first = {place % size[0], place / size[0] % size[1], place / (size[0] * size[1])};
    found.push_back(o);
    is_fill.push_back(fill);
    (lower ? low : high) = o.limit;
  }
  if (found.empty()) return found;
  for (std::size_t f = 0; f < found.size(); ++f) found[f].taken_as = found[f].value < low || is_fill[f] ? low : high;
  for (float& v : values) {
    if (v >= low && v <= high) continue;
    for (const outlying_voxels& o : found)
      if (v < low ? o.value < low && v < o.limit : o.value > high && v > o.limit) {
        v = o.taken_as;
        break;
      }
  }
  return found;
}

/// What is to be said of outlying voxels: how many, which value, where, and what they are taken for.
[[nodiscard]] inline std::string describe(const outlying_voxels& o) {
  return text("holds ", o.count, o.count == 1 ? " voxel" : " voxels", " far outside the range of the others (", o.value,
              " at voxel (", o.first[0], ", ", o.first[1], ", ", o.first[2], ") against ", o.limit, "); taken as ",
              o.taken_as, ": look whether they are a fill value or damage");
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
