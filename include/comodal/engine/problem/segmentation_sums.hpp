// SPDX-License-Identifier: Apache-2.0
/// @file
/// The problem of the sums that cross-entropy and soft Dice are made of.
#ifndef COMODAL_ENGINE_PROBLEM_SEGMENTATION_SUMS_HPP
#define COMODAL_ENGINE_PROBLEM_SEGMENTATION_SUMS_HPP

#include <comodal/core/shape.hpp>
#include <comodal/engine/problem/problem.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// How logits become probabilities: exclusive classes (soft-max) or regions that may overlap (sigmoid each).
enum class label_kind { classes, regions };

/// Of logits z and targets (samples, voxels, classes) and weights (samples, voxels; null: all 1), a sample's row of out
/// (samples, 2 + 3 classes): sum w, sum w CE, then by class sum w p y, sum w p^2, sum w y^2. Voxels of weight 0 are not
/// read. Of exclusive classes, voxels whose targets are all 0, since nobody looked at them, weigh 0. Backward: the
/// gradient of z; targets and weights receive none.
struct segmentation_sums_problem {
  using family = segmentation_sums_problem;
  static constexpr int most_classes = 128;
  label_kind kind = label_kind::classes;
  index samples = 1, voxels = 1, classes = 2;

  [[nodiscard]] index width() const { return 2 + 3 * classes; }
  /// @throws shape_error for more than `most_classes` classes, or none
  void check() const {
    if (samples < 0 || voxels < 0 || classes < 1 || classes > most_classes)
      throw shape_error(text("segmentation_sums: ", classes, " classes, expected 1 to ", most_classes));
  }
  [[nodiscard]] std::string to_string() const {
    return text(samples, " x ", voxels, " x ", classes, kind == label_kind::regions ? " regions" : " classes");
  }
  [[nodiscard]] static constexpr const char* name(direction d) {
    return d == direction::forward ? "segmentation_sums.forward" : "segmentation_sums.backward";
  }
  friend auto operator<=>(const segmentation_sums_problem&, const segmentation_sums_problem&) = default;

  template <class T>
  struct arguments {
    const T *z = nullptr, *target = nullptr, *weight = nullptr;
    T* out = nullptr;
    const T* dout = nullptr;
    T* dz = nullptr;
  };
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
