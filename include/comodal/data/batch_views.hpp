// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the batch of a step holds: which views of labelled and unlabelled crops, which fields of floats, which masks.
#ifndef COMODAL_DATA_BATCH_VIEWS_HPP
#define COMODAL_DATA_BATCH_VIEWS_HPP

#include <comodal/data/batch.hpp>

#include <functional>

namespace comodal::inline COMODAL_CONFIG {

/// A field of floats per labelled crop, such as signed distances, computed by the threads that make batches. It lands
/// in `crop_batch::fields` under its name.
struct crop_field {
  std::string name;
  /// Fills the field (D, H, W) of one crop from its labels (D, H, W). Several threads may call it at once.
  std::function<void(std::span<const std::uint8_t> labels, const extent3& size, std::span<float> field)> fill;
};

/// The crops that a method wants of each step. Their number is `batch.labelled` and `batch.unlabelled` of the
/// experiment; all views of a crop show the same voxels.
struct batch_views {
  bool labelled_weak = false;        // besides `step_batch::labelled`: a weak view of it, `more.at("labelled_weak")`
  index weak = 1, strong = 1;        // views of each unlabelled crop: `weak`, `strong`, `more.at("strong_2")` ...
  bool box_mix = true;               // strong views may hold a box of a labelled crop, as `augment.mix` says
  bool box_masks = false;            // a random box per crop of `strong`, in `crop_batch::box`
  std::vector<crop_field> fields{};  // of `step_batch::labelled`
  index least_unlabelled = 1;        // unlabelled crops per step that the method needs, where it asks for any
  bool partial_labels = false;       // the method's labelled loss heeds `crop_batch::annotated`

  /// The views of a method that learns from labelled crops alone.
  [[nodiscard]] static batch_views labelled_only() {
    batch_views views;
    views.weak = views.strong = 0;
    return views;
  }
  [[nodiscard]] bool has_unlabelled() const { return weak > 0 || strong > 0; }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
