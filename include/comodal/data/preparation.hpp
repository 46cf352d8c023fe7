// SPDX-License-Identifier: Apache-2.0
/// @file
/// What was done to the volumes of a case before a network saw them: a list of recorded steps, and the way back for
/// results.
#ifndef COMODAL_DATA_PREPARATION_HPP
#define COMODAL_DATA_PREPARATION_HPP

#include <comodal/data/box.hpp>
#include <comodal/data/normalise.hpp>
#include <comodal/data/resample.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Axes are permuted and flipped to the closest RAS+ orientation.
struct orient_step {};

/// What is outside a box is left out.
struct crop_step {
  box kept;  // in voxels of the grid before
};

/// Intensities are scaled; results (labels, probabilities) are not touched.
struct normalise_step {
  std::vector<intensity_scaling> scaling;  // one per modality
};

/// Voxels get another size.
struct resample_step {
  resampling to;
};

/// A step of a preparation. A further kind of step is one more struct here, with its `grid_after`, `applied` (for
/// images and for labels) and `undone` below.
using preparation_step = std::variant<orient_step, crop_step, normalise_step, resample_step>;

/// The grid that a step makes of a grid. @throws geometry_error if it cannot be applied to it
[[nodiscard]] inline geometry grid_after(const orient_step&, const geometry& before) { return to_canonical(before); }
[[nodiscard]] inline geometry grid_after(const crop_step& step, const geometry& before) {
  return crop(before, step.kept);
}
[[nodiscard]] inline geometry grid_after(const normalise_step&, const geometry& before) { return before; }
[[nodiscard]] inline geometry grid_after(const resample_step& step, const geometry& before) {
  return resampled(before, step.to);
}

/// What a step makes of the image of a modality.
[[nodiscard]] inline image_volume applied(const orient_step&, const image_volume& v, std::size_t) {
  return to_canonical(v);
}
[[nodiscard]] inline image_volume applied(const crop_step& step, const image_volume& v, std::size_t) {
  return crop(v, step.kept);
}
[[nodiscard]] inline image_volume applied(const normalise_step& step, image_volume v, std::size_t modality) {
  const intensity_scaling& scaling = step.scaling.at(modality);
  if (!scaling.is_identity())
    for (float& x : v.values) x = scaling(x);
  return v;
}

[[nodiscard]] inline image_volume applied(const resample_step& step, const image_volume& v, std::size_t) {
  return resample_image(v, step.to);
}

/// What a step makes of a label map.
[[nodiscard]] inline label_volume applied(const orient_step&, const label_volume& v) { return to_canonical(v); }
[[nodiscard]] inline label_volume applied(const crop_step& step, const label_volume& v) { return crop(v, step.kept); }
[[nodiscard]] inline label_volume applied(const normalise_step&, label_volume v) { return v; }
[[nodiscard]] inline label_volume applied(const resample_step& step, const label_volume& v) {
  return resample_labels(v, step.to);
}

/// What a result on the grid after a step is on the grid before it. The last argument is the value of voxels that the
/// step left out.
template <class Scalar>
[[nodiscard]] volume<Scalar> undone(const orient_step&, const volume<Scalar>& v, const geometry& before, Scalar) {
  return from_canonical(v, before);
}
template <class Scalar>
[[nodiscard]] volume<Scalar> undone(const crop_step& step, const volume<Scalar>& v, const geometry& before,
                                    Scalar outside) {
  return uncrop(v, step.kept, before, outside);
}
template <class Scalar>
[[nodiscard]] volume<Scalar> undone(const normalise_step&, volume<Scalar> v, const geometry&, Scalar) {
  return v;
}

[[nodiscard]] inline label_volume undone(const resample_step& step, const label_volume& v, const geometry& before,
                                         std::uint8_t) {
  auto out = resample_labels(v, {before.size, step.to.nearest});
  out.geometry = before;
  return out;
}
/// Of maps such as probabilities, linearly.
[[nodiscard]] inline image_volume undone(const resample_step& step, const image_volume& v, const geometry& before,
                                         float) {
  auto out = resample_linear(v, {before.size, step.to.nearest});
  out.geometry = before;
  return out;
}

/// The steps from the grid of a case's own images to that of its prepared volumes.
class case_preparation {
 public:
  case_preparation() : case_preparation(geometry{}) {}
  /// No step yet. @param original the grid of the images
  explicit case_preparation(const geometry& original) : m_grids{original} {}

  /// Records a step that follows the earlier ones. @throws geometry_error if it does not fit the grid
  void add(preparation_step step) {
    m_grids.push_back(std::visit([&](const auto& s) { return grid_after(s, m_grids.back()); }, step));
    m_steps.push_back(std::move(step));
  }

  [[nodiscard]] const std::vector<preparation_step>& steps() const { return m_steps; }
  /// The grid of the images as they came.
  [[nodiscard]] const geometry& original() const { return m_grids.front(); }
  /// The grid of the prepared volumes.
  [[nodiscard]] const geometry& prepared() const { return m_grids.back(); }
  /// The grid of results: that before the volumes were resampled, if they were; else the prepared one.
  [[nodiscard]] const geometry& results() const { return m_grids[steps_to_results()]; }
  /// How the grid of results became the prepared one; null: they are one.
  [[nodiscard]] const resampling* resampling_of_results() const {
    return steps_to_results() < m_steps.size() ? &std::get<resample_step>(m_steps.back()).to : nullptr;
  }
  /// The number of steps to the grid of results.
  [[nodiscard]] std::size_t steps_to_results() const {
    const bool last = !m_steps.empty() && std::holds_alternative<resample_step>(m_steps.back());
    return m_steps.size() - (last ? 1 : 0);
  }
  /// The original grid in the closest RAS+ orientation.
  [[nodiscard]] geometry canonical() const { return to_canonical(original()); }

  /// The image of a modality after the steps from number `first` on.
  /// @throws geometry_error if it is not on the grid before them
  [[nodiscard]] image_volume image(image_volume v, std::size_t modality, std::size_t first = 0) const {
    take_grid(v, m_grids.at(first));
    for (std::size_t s = first; s < m_steps.size(); ++s)
      v = std::visit([&](const auto& step) { return applied(step, std::move(v), modality); }, m_steps[s]);
    return v;
  }
  /// A label map of the case after all steps. @throws geometry_error if it is not on the original grid
  [[nodiscard]] label_volume label(label_volume v) const { return label(std::move(v), 0, m_steps.size()); }
  /// The same after the steps from number `first` to before `last`. @throws geometry_error if it is not on the grid
  /// before them
  [[nodiscard]] label_volume label(label_volume v, std::size_t first, std::size_t last) const {
    take_grid(v, m_grids.at(first));
    for (std::size_t s = first; s < last; ++s)
      v = std::visit([&](const auto& step) { return applied(step, std::move(v)); }, m_steps.at(s));
    return v;
  }
  /// A result on the grid of results or on the prepared one (labels, or the probabilities of one channel), on the
  /// original grid: the steps undone from last to first.
  /// @param outside the value of voxels that a step left out
  /// @throws geometry_error if it is on neither
  template <class Scalar>
  [[nodiscard]] volume<Scalar> restore(volume<Scalar> result, Scalar outside) const {
    const std::size_t before = steps_to_results();
    const std::size_t from = grid_difference(result.geometry, m_grids[before]).empty() ? before : m_steps.size();
    take_grid(result, m_grids[from]);
    for (std::size_t s = from; s-- > 0;)
      result = std::visit([&](const auto& step) { return undone(step, std::move(result), m_grids[s], outside); },
                          m_steps[s]);
    return result;
  }

 private:
  // A volume on another grid would be flipped as that one is. One affine for all: equal up to the tolerance.
  template <class Scalar>
  static void take_grid(volume<Scalar>& v, const geometry& expected) {
    if (const std::string how = grid_difference(v.geometry, expected); !how.empty())
      throw geometry_error(text("preparation: the volume is not on the case's grid: ", how));
    if (static_cast<index>(v.values.size()) != expected.voxels())
      throw geometry_error(
          text("preparation: ", v.values.size(), " values for a grid of ", expected.voxels(), " voxels"));
    v.geometry = expected;
  }

  std::vector<preparation_step> m_steps;
  std::vector<geometry> m_grids;  // before the first step, and after each
};

/// A result on the grid of results or on the prepared one (a label map, the probabilities of one channel), back on the
/// grid of the case's own images.
/// @param outside the value of voxels that were left out
/// @throws geometry_error if it is on neither
template <class Scalar>
[[nodiscard]] volume<Scalar> restore(const volume<Scalar>& result, const case_preparation& preparation,
                                     Scalar outside = Scalar{}) {
  return preparation.restore(result, outside);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
