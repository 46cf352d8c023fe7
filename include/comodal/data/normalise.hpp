// SPDX-License-Identifier: Apache-2.0
/// @file
/// Intensity normalisation of one case: inside the head, over non-zero or all voxels, as PET, or by the statistics of a
/// CT data set.
#ifndef COMODAL_DATA_NORMALISE_HPP
#define COMODAL_DATA_NORMALISE_HPP

#include <comodal/core/name_table.hpp>
#include <comodal/data/morphology.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Statistics of a CT modality over the foreground of the labelled training cases, in the units of the files (HU).
struct ct_statistics {
  double low = 0, high = 0;        // its 0.5 % and 99.5 % points
  double mean = 0, deviation = 1;  // of the same voxels, not clipped
};

/// The point below which the share `q` of the values lies, 0 <= q <= 1, with linear interpolation (NumPy's default).
/// Reorders the values. @throws shape_error without values
template <std::floating_point T>
[[nodiscard]] double quantile(std::vector<T>& values, double q) {
  if (values.empty()) throw shape_error("quantile: no values");
  const double place = q * static_cast<double>(values.size() - 1);
  const auto lower = static_cast<std::ptrdiff_t>(place);
  std::nth_element(values.begin(), values.begin() + lower, values.end());
  const double a = values[static_cast<std::size_t>(lower)];
  if (place == static_cast<double>(lower)) return a;
  const double b = *std::min_element(values.begin() + lower + 1, values.end());
  return a + (place - static_cast<double>(lower)) * (b - a);
}

/// Mean and population standard deviation, two passes in double.
[[nodiscard]] inline std::array<double, 2> mean_and_deviation(const std::vector<float>& values) {
  if (values.empty()) return {0, 0};
  double sum = 0, squares = 0;
  for (const float v : values) sum += v;
  const double mean = sum / static_cast<double>(values.size());
  for (const float v : values) squares += (v - mean) * (v - mean);
  return {mean, std::sqrt(squares / static_cast<double>(values.size()))};
}

/// What normalisation does to a value x: (clip(x, low, high) - centre) / scale.
struct intensity_scaling {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  double centre = 0, scale = 1;
  bool keep_zero = false;  // 0 stays 0

  /// Values stay as they are.
  [[nodiscard]] bool is_identity() const {
    return low == -std::numeric_limits<double>::infinity() && high == std::numeric_limits<double>::infinity() &&
           centre == 0 && scale == 1;
  }
  [[nodiscard]] float operator()(float x) const {
    if (keep_zero && x == 0) return 0;
    return static_cast<float>((std::clamp(static_cast<double>(x), low, high) - centre) / scale);
  }
};

/// The voxels of the head (or the body): the union over modalities of the Otsu mask of log(1 + x), x counted from the
/// volume's minimum, closed by 2 voxels, holes filled. Images without values (absent modalities) are left out; needs no
/// label.
/// @param images volumes of one grid, finite values
/// @throws shape_error if there is no image at all
[[nodiscard]] label_volume head_mask(const std::vector<image_volume>& images);
#if COMODAL_BODIES
COMODAL_ONCE label_volume head_mask(const std::vector<image_volume>& images) {
  label_volume mask;
  for (const image_volume& image : images) {
    if (image.values.empty()) continue;
    if (mask.values.empty()) mask = {image.geometry, std::vector<std::uint8_t>(image.values.size())};
    std::vector<float> logs(image.values.size());
    const float least = *std::min_element(image.values.begin(), image.values.end());
    for (std::size_t i = 0; i < logs.size(); ++i) logs[i] = std::log1p(image.values[i] - least);
    const float threshold = otsu_threshold(logs);
    for (std::size_t i = 0; i < logs.size(); ++i) mask.values[i] |= logs[i] > threshold;
  }
  if (mask.values.empty()) throw shape_error("head_mask: no image");
  return fill_holes(closing(mask, 2));
}
#endif

/// The voxels that are not 0 in at least one modality. Images without values are left out. @throws shape_error without
/// an image
[[nodiscard]] inline label_volume nonzero_mask(const std::vector<image_volume>& images) {
  label_volume mask;
  for (const image_volume& image : images) {
    if (image.values.empty()) continue;
    if (mask.values.empty()) mask = {image.geometry, std::vector<std::uint8_t>(image.values.size())};
    for (std::size_t i = 0; i < image.values.size(); ++i) mask.values[i] |= image.values[i] != 0;
  }
  if (mask.values.empty()) throw shape_error("nonzero_mask: no image");
  return mask;
}

/// True if the background inside the mask is exactly 0 and intensities lie on both sides of it: a skull-stripped image
/// that was normalised before. Its minimum is no background, so its head mask is meaningless; `nonzero` is right for
/// it. (More than a quarter of the mask is 0, and more than a hundredth is below.)
[[nodiscard]] inline bool normalised_before(const image_volume& image, const label_volume& mask) {
  std::size_t inside = 0, zeros = 0, below = 0;
  for (std::size_t i = 0; i < image.values.size(); ++i) {
    if (mask.values[i] == 0) continue;
    ++inside;
    zeros += image.values[i] == 0;
    below += image.values[i] < 0;
  }
  return zeros * 4 > inside && below * 100 > inside;
}

/// How intensities become numbers around 0. The six of the library are members; a program may make more and name
/// them in a `normalisation_registry`.
struct normalisation {
  std::string name;  // in experiment and model files
  /// @param image one modality @param mask the head mask, same grid @param ct statistics, where it needs them
  intensity_scaling (*scaling)(const image_volume& image, const label_volume& mask, const ct_statistics& ct);
  bool needs_statistics = false;  // of the labelled training foreground
  bool skull_stripped = false;    // expects that the background is 0: the voxels that are not 0 are the mask
  bool uses_mask = false;         // measures inside the head mask, which is meaningless in images normalised before

  friend bool operator==(const normalisation& a, const normalisation& b) { return a.name == b.name; }

  static const normalisation head;     // MR with skull: clip at the 99.5 % point of the head mask, subtract the median,
                                       // divide by IQR / 1.35
  static const normalisation nonzero;  // skull-stripped MR: z-score over voxels that are not 0; zeros stay 0
  static const normalisation ct;       // clip to, and z-score by, the statistics of the labelled training foreground
  static const normalisation pet;      // PET in SUV: z-score inside the body, 0 at least, never clipped above
  static const normalisation zscore;   // z-score over the whole volume
  static const normalisation none;     // values as they are
};

namespace detail {

inline intensity_scaling scaling_in_head(const image_volume& image, const label_volume& mask, const ct_statistics&) {
  std::vector<float> values;
  for (std::size_t i = 0; i < image.values.size(); ++i)
    if (mask.values[i] != 0) values.push_back(image.values[i]);
  if (values.empty()) values = image.values;
  intensity_scaling s;
  s.high = quantile(values, 0.995);
  s.centre = quantile(values, 0.5);
  s.scale = (quantile(values, 0.75) - quantile(values, 0.25)) / 1.35;
  if (!(s.scale > 0)) s.scale = comodal::mean_and_deviation(values)[1];
  return s;
}
inline intensity_scaling scaling_of_nonzero(const image_volume& image, const label_volume&, const ct_statistics&) {
  std::vector<float> values;
  std::copy_if(image.values.begin(), image.values.end(), std::back_inserter(values), [](float v) { return v != 0; });
  const auto [mean, deviation] = comodal::mean_and_deviation(values);
  intensity_scaling s;
  s.centre = mean, s.scale = deviation, s.keep_zero = true;
  return s;
}
inline intensity_scaling scaling_of_ct(const image_volume&, const label_volume&, const ct_statistics& ct) {
  intensity_scaling s;
  s.low = ct.low, s.high = ct.high, s.centre = ct.mean, s.scale = ct.deviation;
  return s;
}
// Uptake of a lesion is what the image is taken for: nothing is clipped above.
inline intensity_scaling scaling_of_pet(const image_volume& image, const label_volume& mask, const ct_statistics&) {
  std::vector<float> values;
  for (std::size_t i = 0; i < image.values.size(); ++i)
    if (mask.values[i] != 0) values.push_back(image.values[i]);
  const auto [mean, deviation] = comodal::mean_and_deviation(values.empty() ? image.values : values);
  intensity_scaling s;
  s.low = 0, s.centre = mean, s.scale = deviation;
  return s;
}
inline intensity_scaling scaling_of_volume(const image_volume& image, const label_volume&, const ct_statistics&) {
  const auto [mean, deviation] = comodal::mean_and_deviation(image.values);
  intensity_scaling s;
  s.centre = mean, s.scale = deviation;
  return s;
}
inline intensity_scaling no_scaling(const image_volume&, const label_volume&, const ct_statistics&) { return {}; }

}  // namespace detail

inline const normalisation normalisation::head{.name = "head", .scaling = &detail::scaling_in_head, .uses_mask = true};
inline const normalisation normalisation::nonzero{
    .name = "nonzero", .scaling = &detail::scaling_of_nonzero, .skull_stripped = true};
inline const normalisation normalisation::ct{.name = "ct", .scaling = &detail::scaling_of_ct, .needs_statistics = true};
inline const normalisation normalisation::pet{.name = "pet", .scaling = &detail::scaling_of_pet, .uses_mask = true};
inline const normalisation normalisation::zscore{.name = "zscore", .scaling = &detail::scaling_of_volume};
inline const normalisation normalisation::none{.name = "none", .scaling = &detail::no_scaling};

/// The normalisations that a program knows by name. It is a value: a copy may have more.
class normalisation_registry {
 public:
  /// Only those of the library.
  [[nodiscard]] static normalisation_registry built_in() {
    normalisation_registry names;
    for (const auto& one : {normalisation::head, normalisation::nonzero, normalisation::ct, normalisation::pet,
                            normalisation::zscore, normalisation::none})
      names.add(one);
    return names;
  }
  /// @throws config_error for a name that is taken or is none
  void add(const normalisation& one) { m_names.add(one.name, one); }
  [[nodiscard]] bool contains(std::string_view name) const { return m_names.contains(name); }
  /// The names in the order in which they were added.
  [[nodiscard]] const std::vector<std::string>& names() const { return m_names.names(); }
  /// The normalisation of a name. @throws config_error for a name that this program lacks
  [[nodiscard]] const normalisation& at(std::string_view name) const { return m_names.at(name, "data.normalise"); }

 private:
  name_table<normalisation> m_names{"normalisation"};
};

/// How to normalise an image. Where a spread is 0 (a constant image) the scale is 1.
/// @param mask the head mask, same grid; an empty mask stands for the whole volume
/// @param ct used where the normalisation needs statistics
[[nodiscard]] inline intensity_scaling scaling_of(const image_volume& image, const label_volume& mask,
                                                  const normalisation& kind, const ct_statistics& ct = {}) {
  intensity_scaling s = kind.scaling(image, mask, ct);
  if (!(s.scale > 0)) s.scale = 1;
  return s;
}

/// Normalises an image in place. `head` treats the background like the head: the same subtraction and division, clipped
/// above only.
inline void normalise(image_volume& image, const label_volume& mask, const normalisation& kind,
                      const ct_statistics& ct = {}) {
  const intensity_scaling scaling = scaling_of(image, mask, kind, ct);
  if (scaling.is_identity()) return;
  for (float& v : image.values) v = scaling(v);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
