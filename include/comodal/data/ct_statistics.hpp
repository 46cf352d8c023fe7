// SPDX-License-Identifier: Apache-2.0
/// @file
/// Intensity statistics of a CT modality over the foreground of the labelled training cases.
#ifndef COMODAL_DATA_CT_STATISTICS_HPP
#define COMODAL_DATA_CT_STATISTICS_HPP

#include <comodal/data/load_case.hpp>
#include <comodal/data/normalise.hpp>
#include <comodal/data/work_on_cases.hpp>

#include <optional>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Values per case that statistics of CT are counted from, at most.
inline constexpr std::size_t values_per_case = 200000;

/// 0.5 % and 99.5 % points, mean and deviation of a modality where the label is not 0, over the given cases; cases
/// without the modality are left out. A case with many foreground voxels counts with every n-th of them, at most
/// `per_case`.
/// @param cases labelled training cases; never validation or test cases
/// @param onto as of `load_images` @param ignored the label value of voxels that nobody looked at
/// @throws io_error for cases that cannot be used, with their findings; work_stopped where `watch` says so;
/// config_error if there is no foreground voxel at all
[[nodiscard]] inline ct_statistics ct_statistics_of(const std::vector<labelled_case>& cases, std::size_t modality,
                                                    std::size_t per_case = values_per_case, index onto = -1,
                                                    const std::optional<int>& ignored = {},
                                                    const case_watch& watch = {}) {
  std::vector<std::vector<float>> inside(cases.size());
  const auto look = [&](std::size_t c) {
    const labelled_case& one = cases[c];
    if (!one.files.present(modality)) return;
    loaded_images loaded = load_images(one.files, onto);
    const label_volume label = load_label(one, {}, loaded, ignored);
    refuse_errors(loaded.findings);
    const image_volume& image = loaded.images[modality];
    std::vector<float> all;
    for (std::size_t i = 0; i < label.values.size(); ++i)
      if (label.values[i] != 0 && label.values[i] != ignored.value_or(0)) all.push_back(image.values[i]);
    const std::size_t step = std::max<std::size_t>(1, (all.size() + per_case - 1) / per_case);
    for (std::size_t i = 0; i < all.size(); i += step) inside[c].push_back(all[i]);
  };
  if (!work_on_cases(cases, look, watch)) throw work_stopped();
  std::vector<float> values;
  for (const auto& of_case : inside) values.insert(values.end(), of_case.begin(), of_case.end());
  if (values.empty())
    throw config_error("normalise = \"ct\": no labelled training case has a foreground voxel in this modality");
  const auto [mean, deviation] = mean_and_deviation(values);
  const double low = quantile(values, 0.005), high = quantile(values, 0.995);
  return {low, high, mean, deviation};
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
