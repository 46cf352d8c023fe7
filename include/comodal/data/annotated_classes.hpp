// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which classes are annotated in the crops of a batch, from the cases that they are cut from.
#ifndef COMODAL_DATA_ANNOTATED_CLASSES_HPP
#define COMODAL_DATA_ANNOTATED_CLASSES_HPP

#include <comodal/data/batch_views.hpp>

#include <algorithm>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// The channels of which cases say whether they are annotated; 0 if all are in all cases.
[[nodiscard]] inline std::size_t annotated_channels(const std::vector<labelled_training_case>& cases) {
  std::size_t channels = 0;
  for (const auto& one : cases) {
    if (one.annotated.empty()) continue;
    if (channels > 0 && one.annotated.size() != channels)
      throw config_error(text("training case ", one.id, ": says of ", one.annotated.size(),
                              " channels whether they are annotated, another case of ", channels));
    channels = one.annotated.size();
  }
  return channels;
}

// Fills `annotated` of crops whose `cases` are known, and of another view of them; empties it if all classes are
// annotated in all cases.
inline void annotate(crop_batch& crops, crop_batch* view, const std::vector<labelled_training_case>& cases) {
  const std::size_t channels = annotated_channels(cases);
  crops.annotated.assign(static_cast<std::size_t>(crops.samples) * channels, 1.f);
  for (std::size_t n = 0; n < crops.cases.size(); ++n) {
    const auto& row = cases[crops.cases[n]].annotated;
    std::copy(row.begin(), row.end(), crops.annotated.begin() + static_cast<std::ptrdiff_t>(n * channels));
  }
  if (view != nullptr) view->annotated = crops.annotated;
}

// Refuses a method that takes every voxel without a label for background where some are not, or was not looked at.
inline void refuse_unknown_partial_labels(const std::vector<labelled_training_case>& cases, const batch_views& views) {
  if (annotated_channels(cases) > 0 && !views.partial_labels)
    throw config_error(
        "batch_maker: not all classes are annotated in some labelled cases, and the method does not know what that "
        "means; set partial_labels in its views() once its loss heeds crop_batch::annotated, or leave these cases out");
  const bool ignored = std::any_of(cases.begin(), cases.end(), [](const auto& one) { return one.ignored.has_value(); });
  if (ignored && (!views.partial_labels || !views.fields.empty()))
    throw config_error(
        "batch_maker: some voxels of labelled cases have the ignored label, and the method would take them for "
        "something; choose one whose targets are classes alone, or give such cases no label");
}

}  // namespace detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
