// SPDX-License-Identifier: Apache-2.0
/// @file
/// Prediction and truth drawn on the modalities of a case: for each chosen axial slice a montage with one column a
/// modality and the rows truth, prediction, difference.
#ifndef COMODAL_REPORT_OVERLAY_HPP
#define COMODAL_REPORT_OVERLAY_HPP

#include <comodal/core/readable_name.hpp>
#include <comodal/data/cohort.hpp>
#include <comodal/report/slice.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Colours that people with any colour vision tell apart (Okabe and Ito), for classes 1, 2, 3 ...; they repeat after
/// seven.
[[nodiscard]] inline rgb class_colour(std::uint8_t label) {
  constexpr std::array<rgb, 7> colours{
      {{230, 159, 0}, {86, 180, 233}, {0, 158, 115}, {240, 228, 66}, {213, 94, 0}, {204, 121, 167}, {0, 114, 178}}};
  return colours[static_cast<std::size_t>(label + 6) % 7];
}

/// One modality of a case; `image` is null where the case lacks it.
struct overlay_image {
  std::string modality;
  const image_volume* image = nullptr;
};

/// What is drawn of one case. All volumes lie on one grid; `truth` or `prediction` may be null.
struct overlay_case {
  std::string case_id;
  std::vector<overlay_image> images;
  const label_volume* truth = nullptr;
  const label_volume* prediction = nullptr;
  std::vector<label_class> classes;  // names for the legend; background and regions are left out
};

struct overlay_options {
  index slices = 3;          // the one with the most lesion, and others spread over the lesion
  index panel_pixels = 288;  // longer side of one panel, at least
};

/// A picture and the sentence that explains it.
struct overlay_figure {
  picture image;
  std::string caption;
};

namespace detail {

inline constexpr rgb overlay_back{24, 24, 24}, overlay_ink{235, 235, 235};
inline constexpr rgb missed_colour{0, 114, 178}, false_colour{213, 94, 0}, wrong_colour{204, 121, 167};

[[nodiscard]] inline picture grey_panel(const slice_view& view, const image_volume* image, const grey_window& window,
                                        index slice) {
  picture panel(view.width(), view.height(), {0, 0, 0});
  if (!image) {
    draw_text(panel, (view.width() - text_width("missing")) / 2, (view.height() - text_height()) / 2, "missing",
              {150, 150, 150});
    return panel;
  }
  for (index y = 0; y < view.height(); ++y)
    for (index x = 0; x < view.width(); ++x) {
      const std::uint8_t g = window(view.linear(*image, x, y, slice));
      panel.set(x, y, {g, g, g});
    }
  return panel;
}

/// Draws each class's outline, two pixels wide, inside the class.
inline void draw_contours(picture& panel, const slice_view& view, const label_volume& labels, index slice) {
  const auto label = [&](index x, index y) {
    return view.nearest(labels, std::clamp<index>(x, 0, view.width() - 1), std::clamp<index>(y, 0, view.height() - 1),
                        slice);
  };
  for (index y = 0; y < view.height(); ++y)
    for (index x = 0; x < view.width(); ++x) {
      const std::uint8_t here = label(x, y);
      if (here == 0) continue;
      bool edge = false;
      for (index d = 1; d <= 2 && !edge; ++d)
        edge = label(x - d, y) != here || label(x + d, y) != here || label(x, y - d) != here || label(x, y + d) != here;
      if (edge) panel.set(x, y, class_colour(here));
    }
}

/// Tints voxels where truth and prediction differ: missed, false, or of the wrong class.
inline void draw_difference(picture& panel, const slice_view& view, const label_volume& truth,
                            const label_volume& prediction, index slice) {
  for (index y = 0; y < view.height(); ++y)
    for (index x = 0; x < view.width(); ++x) {
      const std::uint8_t t = view.nearest(truth, x, y, slice), p = view.nearest(prediction, x, y, slice);
      if (t == p) continue;
      const rgb tint = p == 0 ? missed_colour : t == 0 ? false_colour : wrong_colour, under = panel.at(x, y);
      rgb mixed{};
      for (std::size_t c = 0; c < 3; ++c) mixed[c] = static_cast<std::uint8_t>((under[c] + 2 * tint[c]) / 3);
      panel.set(x, y, mixed);
    }
}

/// The patient's sides, in the upper corners of a panel.
inline void draw_sides(picture& panel) {
  for (const char* side : {"R", "L"}) {
    const index width = text_width(side), x = *side == 'R' ? 4 : panel.width() - width - 4;
    panel.fill_rectangle(x - 3, 1, width + 4, text_height() + 2, overlay_back);
    draw_text(panel, x, 4, side, overlay_ink);
  }
}

/// A key of coloured squares and words, wrapped to the width; returns its height. Draws only where `canvas` is given.
[[nodiscard]] inline index draw_legend(picture* canvas, index left, index top, index width,
                                       const std::vector<std::pair<rgb, std::string>>& entries) {
  index x = left, y = top;
  for (const auto& [colour, words] : entries) {
    const index need = 18 + text_width(words) + 18;
    if (x > left && x + need > left + width) {
      x = left;
      y += text_height() + 6;
    }
    if (canvas) {
      canvas->fill_rectangle(x, y, 12, 12, colour);
      draw_text(*canvas, x + 18, y, words, overlay_ink);
    }
    x += need;
  }
  return entries.empty() ? 0 : y + text_height() + 6 - top;
}

inline void check_overlay(const overlay_case& c) {
  const geometry* grid = nullptr;
  const auto check = [&](const auto* v, const std::string& what) {
    if (!v) return;
    if (static_cast<index>(v->values.size()) != v->geometry.voxels() || (grid && v->geometry.size != grid->size))
      throw geometry_error(
          text("overlay of case ", c.case_id, ": ", what, " does not have the grid of the other volumes"));
    grid = &v->geometry;
  };
  for (const overlay_image& i : c.images) check(i.image, i.modality);
  check(c.truth, "the truth");
  check(c.prediction, "the prediction");
  if (!grid || c.images.empty())
    throw config_error(text("overlay of case ", c.case_id, ": there is no volume to draw, or no modality"));
}

}  // namespace detail

/// Draws a case: one figure per slice, columns the modalities, rows truth, prediction and difference as far as both are
/// given. Grey values are windowed to each modality's 1 to 99.5 %; pixels are square in mm; contours are drawn inside
/// their class.
/// @throws geometry_error if sizes differ, config_error without any volume or modality
[[nodiscard]] std::vector<overlay_figure> draw_overlay(const overlay_case& c, const overlay_options& options = {});
#if COMODAL_BODIES
COMODAL_ONCE std::vector<overlay_figure> draw_overlay(const overlay_case& c, const overlay_options& options) {
  detail::check_overlay(c);
  const auto known = std::find_if(c.images.begin(), c.images.end(), [](const overlay_image& i) { return i.image; });
  const geometry& grid = known != c.images.end() ? known->image->geometry
                         : c.truth               ? c.truth->geometry
                                                 : c.prediction->geometry;
  const axis_map axes = canonical_axes(grid);
  const index in_plane = std::max(grid.size[axes.axis[0]], grid.size[axes.axis[1]]);
  const slice_view view(grid, std::max(options.panel_pixels, std::min<index>(in_plane, 512)));

  std::vector<index> counts(static_cast<std::size_t>(view.slices()));
  if (c.truth) view.count_labels(*c.truth, counts);
  if (c.prediction) view.count_labels(*c.prediction, counts);
  std::vector<grey_window> windows;
  for (const overlay_image& i : c.images) windows.push_back(i.image ? window_of(*i.image) : grey_window{});

  std::vector<std::string> rows;
  if (c.truth) rows.push_back("truth");
  if (c.prediction) rows.push_back("prediction");
  if (c.truth && c.prediction) rows.push_back("difference");
  std::vector<std::pair<rgb, std::string>> legend;
  for (const label_class& k : c.classes)
    if (!rows.empty() && k.values.size() == 1 && k.values[0] > 0 && k.values[0] <= 255)
      legend.emplace_back(class_colour(static_cast<std::uint8_t>(k.values[0])), k.name);
  const bool several = legend.size() > 1;
  if (rows.empty()) rows.push_back("image");
  if (rows.size() == 3) {
    legend.emplace_back(detail::missed_colour, "missed");
    legend.emplace_back(detail::false_colour, "false");
    if (several) legend.emplace_back(detail::wrong_colour, "wrong class");
  }

  constexpr index gap = 6;
  const index columns = static_cast<index>(c.images.size()), lines = static_cast<index>(rows.size());
  const index head = text_height() + gap;
  index label = 0;
  for (const std::string& r : rows) label = std::max(label, text_width(r) + 2 * gap);
  const index width = label + columns * (view.width() + gap),
              legend_height = detail::draw_legend(nullptr, gap, 0, width - 2 * gap, legend);
  std::vector<overlay_figure> figures;
  for (const index slice : choose_slices(counts, options.slices)) {
    picture canvas(width, gap + head + lines * (view.height() + gap) + legend_height, detail::overlay_back);
    for (index column = 0; column < columns; ++column) {
      const auto& [modality, image] = c.images[static_cast<std::size_t>(column)];
      const index x = label + column * (view.width() + gap);
      draw_text(canvas, x, gap, modality, detail::overlay_ink);
      const picture grey = detail::grey_panel(view, image, windows[static_cast<std::size_t>(column)], slice);
      for (index row = 0; row < lines; ++row) {
        const std::string& kind = rows[static_cast<std::size_t>(row)];
        const index y = gap + head + row * (view.height() + gap);
        picture panel = grey;
        if (image && kind == "truth") detail::draw_contours(panel, view, *c.truth, slice);
        if (image && kind == "prediction") detail::draw_contours(panel, view, *c.prediction, slice);
        if (image && kind == "difference") detail::draw_difference(panel, view, *c.truth, *c.prediction, slice);
        detail::draw_sides(panel);
        canvas.paste(panel, x, y);
        if (column == 0) draw_text(canvas, gap, y + (view.height() - text_height()) / 2, kind, detail::overlay_ink);
      }
    }
    const index legend_top = gap + head + lines * (view.height() + gap);
    static_cast<void>(detail::draw_legend(&canvas, gap, legend_top, width - 2 * gap, legend));
    std::string caption = text("Case ", readable_name(c.case_id), ", axial slice ", slice + 1, " of ", view.slices(),
                               ". Radiological display: the patient's right (R) is on the left, the front at the top.");
    if (rows.size() == 3)
      caption += " Contours in the classes' colours; the last row tints voxels that were missed or falsely found";
    if (rows.size() == 3) caption += several ? ", or got the wrong class." : ".";
    figures.push_back({std::move(canvas), std::move(caption)});
  }
  return figures;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
