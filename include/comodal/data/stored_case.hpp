// SPDX-License-Identifier: Apache-2.0
/// @file
/// Training cases whose volumes are not in memory, but in files: opened for each crop, so that memory holds only what
/// crops are cut from now.
#ifndef COMODAL_DATA_STORED_CASE_HPP
#define COMODAL_DATA_STORED_CASE_HPP

#include <comodal/data/batch.hpp>
#include <comodal/data/sampler.hpp>
#include <comodal/data/training_grid.hpp>

#include <functional>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The images of a case that are somewhere else than in memory.
struct stored_images {
  detail::training_grid grid;  // known without opening them
  /// Views that keep open what they lie in: float, one per modality, empty where absent, on one grid. Several threads
  /// may call it at once.
  std::function<std::vector<volume_view>()> open;
};

/// The label map of such a case.
struct stored_label {
  class_table classes;
  std::function<volume_view()> open;  // uint8, on the grid of the images; several threads may call it at once
};

namespace detail {

/// The images of a training case, wherever they are.
template <class Case>
[[nodiscard]] std::vector<volume_view> open_images(const Case& one) {
  return one.stored ? one.stored->open() : one.images;
}
[[nodiscard]] inline volume_view open_label(const labelled_training_case& one) {
  return one.label_stored ? one.label_stored->open() : one.label;
}

/// What the maker of batches knows of a training case's images.
/// @throws as `look_at_case`; config_error for a stored case with another number of modalities, or with none
template <class Case>
[[nodiscard]] training_grid grid_of_case(const Case& one, std::size_t modalities) {
  if (!one.stored) return look_at_case(one.id, one.images, modalities);
  const training_grid& grid = one.stored->grid;
  if (grid.minimum.size() != modalities)
    throw config_error(
        text("training case ", one.id, ": ", grid.minimum.size(), " modalities, the first case has ", modalities));
  check_grid_size(grid.size, text("training case ", one.id));
  return grid;
}

/// What it knows of the label map: a table of its classes. @throws config_error if there is no label; geometry_error if
/// it is not on the grid of the images
[[nodiscard]] inline class_table classes_of_case(const labelled_training_case& one, const training_grid& grid) {
  if (one.label_stored) return one.label_stored->classes;
  if (!one.label)
    throw config_error(
        text("training case ", one.id, ": a labelled case without a label; list it as an unlabelled one"));
  const extent3 size = grid_size(one.label, text("label of training case ", one.id));
  if (size != grid.size)
    throw geometry_error(text("label of training case ", one.id, ": ", show_size(size),
                              " voxels (D, H, W), its images have ", show_size(grid.size),
                              "; resample it to their grid"));
  return class_table(one.label, one.ignored);
}

/// The number of modalities of a training case.
[[nodiscard]] inline std::size_t modalities_of(const labelled_training_case& one) {
  return one.stored ? one.stored->grid.minimum.size() : one.images.size();
}

}  // namespace detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
