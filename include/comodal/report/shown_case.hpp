// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a report shows of one case: images, truth where there is one, and what each method found; brought to RAS+ order
/// and cut to the head.
#ifndef COMODAL_REPORT_SHOWN_CASE_HPP
#define COMODAL_REPORT_SHOWN_CASE_HPP

#include <comodal/core/readable_name.hpp>
#include <comodal/data/cohort.hpp>
#include <comodal/report/grey_window.hpp>
#include <comodal/report/planes.hpp>
#include <comodal/report/slice_choice.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// An image or a map of a case by its name. Maps are drawn in colours, from 0 to the window's upper end.
struct shown_image {
  std::string name;
  image_volume values;
  grey_window window = {};
};

/// A mask by the name of its output: "fused", "branch T1" ...
struct shown_mask {
  std::string output;
  label_volume labels;
};

/// What a method found in a case. The first mask is the method's answer; `dice` is that mask's mean over classes.
struct shown_method {
  std::string name;
  std::vector<shown_mask> masks;
  std::vector<shown_image> maps = {};  // uncertainty, entropy
  double dice = std::nan("");
};

/// A label value, the name of its class and of the regions that it is part of.
struct shown_class {
  int value = 0;
  std::string name;
};

/// A case. All volumes lie on one grid: that of the truth, or where there is none of the first mask.
struct shown_case {
  std::string case_id;
  std::string mark;  // "worst", "median", "best", how uncertain it is, or empty
  std::vector<shown_image> images;
  std::vector<std::string> missing = {};   // modalities that the case lacks
  std::vector<std::string> notes = {};     // what is worth a look in its files, in words
  std::optional<label_volume> truth = {};  // unset: nobody labelled the case, and nothing is compared with a truth
  std::vector<shown_method> methods;
  std::vector<shown_class> classes;
  std::array<index, 3> whole = {};  // size before it was cut
  voxel_place first = {};           // first voxel of the cut
  double tilt = 0;                  // degrees between axes and anatomical directions
  slice_choice slices = {};

  /// The first method that has a mask; null if none has.
  [[nodiscard]] const shown_method* first_with_mask() const {
    for (const shown_method& m : methods)
      if (!m.masks.empty()) return &m;
    return nullptr;
  }
  /// The first method whose mask labels something, or else the first that has a mask; null if none has.
  [[nodiscard]] const shown_method* first_with_voxels() const {
    for (const shown_method& m : methods)
      if (!m.masks.empty() && detail::labelled_anywhere(m.masks[0].labels)) return &m;
    return first_with_mask();
  }
  /// What decides the grid, the slices and the image that masks are drawn on: the truth, or else the first mask.
  /// @throws geometry_error for a case that has neither
  [[nodiscard]] const label_volume& reference() const {
    if (truth) return *truth;
    const shown_method* m = first_with_voxels();
    if (m == nullptr) throw geometry_error(text("pictures of case ", readable_name(case_id), ": it has no mask"));
    return m->masks[0].labels;
  }
  /// The reference in words: "the truth", "the mask of ours".
  [[nodiscard]] std::string reference_name() const {
    const shown_method* m = first_with_voxels();
    return truth || m == nullptr ? "the truth" : "the mask of " + m->name;
  }
};

/// The classes of label values above 0 in ascending order. A value of several regions has the names of all; a class of
/// its own alone names it.
[[nodiscard]] inline std::vector<shown_class> shown_classes(const std::vector<label_class>& labels) {
  std::vector<shown_class> out;
  const auto at = [&out](int value) {
    auto found = std::find_if(out.begin(), out.end(), [value](const shown_class& c) { return c.value == value; });
    return found == out.end() ? out.insert(found, shown_class{value, {}}) : found;
  };
  for (const label_class& c : labels)
    for (const int value : c.values)
      if (value > 0 && c.values.size() > 1) {
        auto& name = at(value)->name;
        name += (name.empty() ? "" : " + ") + c.name;
      }
  for (const label_class& c : labels)
    if (c.values.size() == 1 && c.values[0] > 0) at(c.values[0])->name = c.name;
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
  return out;
}

namespace detail {

/// First and last place of the head along each axis.
using voxel_box = std::array<std::array<index, 2>, 3>;

template <class Scalar>
[[nodiscard]] volume<Scalar> cut(const volume<Scalar>& v, const voxel_box& box) {
  volume<Scalar> out;
  out.geometry.affine = v.geometry.affine;
  for (std::size_t a = 0; a < 3; ++a) {
    out.geometry.size[a] = box[a][1] - box[a][0] + 1;
    for (std::size_t r = 0; r < 3; ++r)
      out.geometry.affine[r][3] += static_cast<double>(box[a][0]) * v.geometry.affine[r][a];
  }
  out.values.reserve(static_cast<std::size_t>(out.geometry.voxels()));
  for (index k = box[2][0]; k <= box[2][1]; ++k)
    for (index j = box[1][0]; j <= box[1][1]; ++j)
      for (index i = box[0][0]; i <= box[0][1]; ++i) out.values.push_back(v.at(i, j, k));
  return out;
}

/// The box of all slices with more than a few bright or labelled voxels, and two voxels around it.
[[nodiscard]] inline voxel_box head_box(const shown_case& c) {
  const geometry& grid = c.reference().geometry;
  const auto& size = grid.size;
  std::array<std::vector<index>, 3> bright, labelled;
  for (std::size_t a = 0; a < 3; ++a) {
    bright[a].resize(static_cast<std::size_t>(size[a]));
    labelled[a] = bright[a];
  }
  voxel_place p{};
  for (p[2] = 0; p[2] < size[2]; ++p[2])
    for (p[1] = 0; p[1] < size[1]; ++p[1])
      for (p[0] = 0; p[0] < size[0]; ++p[0]) {
        bool any = c.truth && c.truth->at(p[0], p[1], p[2]) != 0, tissue = false;
        for (const auto& m : c.methods)
          for (const auto& mask : m.masks) any = any || mask.labels.at(p[0], p[1], p[2]) != 0;
        for (const auto& i : c.images)
          tissue = tissue || i.window(static_cast<double>(i.values.at(p[0], p[1], p[2]))) > 24;
        for (std::size_t a = 0; a < 3; ++a) {
          bright[a][static_cast<std::size_t>(p[a])] += tissue;
          labelled[a][static_cast<std::size_t>(p[a])] += any;
        }
      }
  voxel_box box{};
  for (std::size_t a = 0; a < 3; ++a) {
    const index few = grid.voxels() / size[a] / 200;  // noise is no head
    const auto inside = [&](index i) {
      return bright[a][static_cast<std::size_t>(i)] > few || labelled[a][static_cast<std::size_t>(i)] > 0;
    };
    index first = 0, last = size[a] - 1;
    while (first < last && !inside(first)) ++first;
    while (last > first && !inside(last)) --last;
    if (!inside(first)) first = 0, last = size[a] - 1;  // nothing anywhere: all of it
    box[a] = {std::max<index>(0, first - 2), std::min(size[a] - 1, last + 2)};
  }
  return box;
}

template <class Change>
void change_volumes(shown_case& c, const Change& change) {
  if (c.truth) change(*c.truth, "the truth");
  for (auto& i : c.images) change(i.values, i.name);
  for (auto& m : c.methods) {
    for (auto& mask : m.masks) change(mask.labels, text(m.name, ", ", mask.output));
    for (auto& map : m.maps) change(map.values, text(m.name, ", ", map.name));
  }
}

}  // namespace detail

/// Brings all volumes of a case to RAS+ order, finds grey windows, cuts the head out and chooses the slices.
/// @throws geometry_error where the volumes do not lie on one grid, or the grid has no orientation
inline void prepare_to_show(shown_case& c) {
  const geometry grid = c.reference().geometry;
  const std::string whose = c.reference_name();
  detail::change_volumes(c, [&](auto& v, const std::string& what) {
    if (static_cast<index>(v.values.size()) != v.geometry.voxels() || !same_grid(v.geometry, grid))
      throw geometry_error(text("pictures of case ", readable_name(c.case_id), ": ", what, ": ",
                                grid_difference(v.geometry, grid), " (the grid of ", whose, ")"));
    v.geometry = grid;  // equal but for rounding
    v = to_canonical(v);
  });
  c.tilt = tilt_of(grid);
  for (auto& i : c.images) i.window = window_of(i.values);
  for (auto& m : c.methods)
    for (auto& map : m.maps) {
      map.window = {0, 0};
      for (const float v : map.values.values)
        if (std::isfinite(v)) map.window.high = std::max(map.window.high, static_cast<double>(v));
      if (!(map.window.high > 0)) map.window.high = 1;
    }
  c.whole = c.reference().geometry.size;
  const detail::voxel_box box = detail::head_box(c);
  for (std::size_t a = 0; a < 3; ++a) c.first[a] = box[a][0];
  detail::change_volumes(c, [&](auto& v, const std::string&) { v = detail::cut(v, box); });
  const bool found = !c.methods.empty() && !c.methods[0].masks.empty();
  c.slices = c.truth ? choose_slices(*c.truth, found ? &c.methods[0].masks[0].labels : nullptr)
                     : choose_slices_by_mask(c.reference(), whose);
}

/// Where masks are drawn on: the image in which the labelled voxels of the reference differ most from the others of the
/// head, in standard deviations of these; the first image where nothing is labelled.
[[nodiscard]] inline std::size_t clearest_image(const shown_case& c) {
  const label_volume& reference = c.reference();
  std::size_t best = 0;
  double most = -1;
  for (std::size_t m = 0; m < c.images.size(); ++m) {
    std::array<double, 2> sum{}, number{};
    double square = 0;
    for (std::size_t v = 0; v < reference.values.size(); ++v) {
      const double value = c.images[m].window(static_cast<double>(c.images[m].values.values[v]));
      const bool labelled = reference.values[v] != 0;
      if (!labelled && value < 24) continue;
      sum[labelled] += value;
      ++number[labelled];
      if (!labelled) square += value * value;
    }
    if (number[1] == 0) continue;
    const double others = std::max(1.0, number[0]), mean = sum[0] / others;
    const double spread = std::sqrt(std::max(1.0, square / others - mean * mean));
    const double contrast = std::abs(sum[1] / number[1] - mean) / spread;
    if (contrast > most) most = contrast, best = m;
  }
  return best;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
