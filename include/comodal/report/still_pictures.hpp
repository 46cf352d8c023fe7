// SPDX-License-Identifier: Apache-2.0
/// @file
/// Still pictures of a case as HTML and SVG: image, truth, each method and its errors side by side; other outputs;
/// maps. They need no script. Without truth there are no panels of it and of errors.
#ifndef COMODAL_REPORT_STILL_PICTURES_HPP
#define COMODAL_REPORT_STILL_PICTURES_HPP

#include <comodal/metric/tables.hpp>
#include <comodal/report/colours.hpp>
#include <comodal/report/escape.hpp>
#include <comodal/report/image_bytes.hpp>
#include <comodal/report/outline.hpp>
#include <comodal/report/shown_case.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Voxels of a slice in which truth and prediction differ.
struct slice_errors {
  index false_voxels = 0, missed = 0, wrong = 0;
};

/// Draws the slices of a case. Each grey picture stands in the page once and is used again by its name.
class still_painter {
 public:
  /// @param c prepared by `prepare_to_show`, with one image at least @param key begins all names in the page
  still_painter(const shown_case& c, std::string key) : m_case(c), m_key(std::move(key)), m_base(clearest_image(c)) {}

  /// The image that masks are drawn on.
  [[nodiscard]] const std::string& base() const { return m_case.images[m_base].name; }

  /// A row for one plane: image, truth, and each method with its errors.
  [[nodiscard]] std::string row(slice_plane plane) {
    const plane_view view(grid(), plane);
    const std::size_t methods = m_case.methods.size(), across = m_case.truth ? 2 + 2 * methods : 1 + methods;
    std::string out = text("<h5>", place_in_words(view),
                           "</h5>\n<div class=\"panels\" style=\"--n: ", std::max(least_across, across), "\">\n");
    out += panel(view, m_base, base(), "without a mask", {});
    if (m_case.truth) out += masked(view, m_base, "truth", *m_case.truth);
    for (const shown_method& m : m_case.methods) {
      if (m.masks.empty()) continue;
      out += masked(view, m_base, std::isnan(m.dice) ? m.name : text(m.name, ", Dice ", detail::fixed(m.dice, 3)),
                    m.masks[0].labels);
      if (!m_case.truth) continue;
      const slice_errors e = errors(view, m.masks[0].labels);
      out += panel(view, m_base, text("errors: ", m.name),
                   text("in this slice ", e.false_voxels, " voxels are false, ", e.missed, " missed, ", e.wrong,
                        " of another class"),
                   error_paths(view, m.masks[0].labels));
    }
    return out + "</div>\n";
  }

  /// Every image of the case with the outlines of the truth, or else of the first mask.
  [[nodiscard]] std::string modalities() {
    const plane_view view(grid(), slice_plane::axial);
    const label_volume& reference = m_case.reference();
    std::string out = "<div class=\"panels small\">\n";
    for (std::size_t m = 0; m < m_case.images.size(); ++m)
      out += panel(view, m, m_case.images[m].name,
                   text("with the outlines of ", m_case.reference_name(), ": ", counts(view, reference)),
                   class_paths(view, reference, "outline"));
    for (const std::string& name : m_case.missing)
      out += text("<figure><div class=\"nothing\">missing</div><figcaption>", escape_html(name),
                  "</figcaption></figure>\n");
    return out + "</div>\n";
  }

  /// The other outputs and the maps of a method; empty if it has none.
  [[nodiscard]] std::string outputs(const shown_method& m) {
    const plane_view view(grid(), slice_plane::axial);
    std::string out;
    for (std::size_t k = 1; k < m.masks.size(); ++k)
      out += masked(view, image_of(m.masks[k].output), m.masks[k].output, m.masks[k].labels);
    for (const shown_image& map : m.maps) out += heat(view, map);
    return out.empty() ? out : text("<div class=\"panels small\">\n", out, "</div>\n");
  }

  /// The grey pictures that the drawn panels use; once per case, anywhere in the page.
  [[nodiscard]] std::string definitions() const {
    return m_defined.empty()
               ? ""
               : text("<svg class=\"defs\" aria-hidden=\"true\"><defs>", m_definitions, "</defs></svg>\n");
  }

 private:
  // A row with truth has four pictures at least; those of a shorter row are not larger.
  static constexpr std::size_t least_across = 4;

  [[nodiscard]] const geometry& grid() const { return m_case.reference().geometry; }

  // "axial slice 12 of 32 (counted from the feet)".
  [[nodiscard]] std::string place_in_words(const plane_view& view) const {
    constexpr std::string_view from[] = {"left", "back", "bottom"};
    const std::size_t a = view.through();
    std::string words{name_of(view.plane())};
    words[0] = static_cast<char>(words[0] - 'a' + 'A');
    return text(words, " slice ", m_case.first[a] + m_case.slices.place[a] + 1, " of ", m_case.whole[a], " from the ",
                from[a]);
  }

  [[nodiscard]] std::uint8_t label(const label_volume& v, const plane_view& view, index x, index y) const {
    const voxel_place p = view.voxel(x, y, m_case.slices.place[view.through()]);
    return v.at(p[0], p[1], p[2]);
  }

  // "oedema 120, core 31 voxels in this slice".
  [[nodiscard]] std::string counts(const plane_view& view, const label_volume& v) const {
    std::array<index, 256> number{};
    for (index y = 0; y < view.height(); ++y)
      for (index x = 0; x < view.width(); ++x) ++number[label(v, view, x, y)];
    std::string out;
    for (const shown_class& c : m_case.classes)
      if (c.value < 256) out += text(out.empty() ? "" : ", ", c.name, " ", number[static_cast<std::size_t>(c.value)]);
    return out + " voxels in this slice";
  }

  [[nodiscard]] std::string class_paths(const plane_view& view, const label_volume& v, const char* style) const {
    std::string out;
    for (std::size_t c = 0; c < m_case.classes.size(); ++c) {
      const int value = m_case.classes[c].value;
      const std::string path =
          outline_path(view.width(), view.height(), [&](index x, index y) { return label(v, view, x, y) == value; });
      if (!path.empty()) out += text("<path class=\"", style, " k", c % class_colours, "\" d=\"", path, "\" />");
    }
    return out;
  }

  [[nodiscard]] slice_errors errors(const plane_view& view, const label_volume& found) const {
    slice_errors e;
    for (index y = 0; y < view.height(); ++y)
      for (index x = 0; x < view.width(); ++x) {
        const int t = label(*m_case.truth, view, x, y), p = label(found, view, x, y);
        e.false_voxels += t == 0 && p != 0;
        e.missed += t != 0 && p == 0;
        e.wrong += t != p && t != 0 && p != 0;
      }
    return e;
  }

  [[nodiscard]] std::string error_paths(const plane_view& view, const label_volume& found) const {
    std::string out;
    const int texture = view.width() <= 64 ? 0 : view.width() <= 128 ? 1 : view.width() <= 256 ? 2 : 3;
    for (int kind = 0; kind < 3; ++kind) {
      const std::string path = outline_path(view.width(), view.height(), [&](index x, index y) {
        const int t = label(*m_case.truth, view, x, y), p = label(found, view, x, y);
        return t != p && (kind == 0 ? t == 0 : kind == 1 ? p == 0 : t != 0 && p != 0);
      });
      constexpr const char* style[] = {"false", "missed", "wrong"};
      if (!path.empty()) out += text("<path class=\"error ", style[kind], " x", texture, "\" d=\"", path, "\" />");
    }
    return out;
  }

  [[nodiscard]] std::string masked(const plane_view& view, std::size_t image, const std::string& name,
                                   const label_volume& v) {
    return panel(view, image, name, counts(view, v), class_paths(view, v, "area"));
  }

  // Which image an output is drawn on: its own modality, where its name says one.
  [[nodiscard]] std::size_t image_of(const std::string& output) const {
    for (std::size_t m = 0; m < m_case.images.size(); ++m)
      if (output == "branch " + m_case.images[m].name || output == "only " + m_case.images[m].name) return m;
    return m_base;
  }

  // The name in the page of a slice of an image.
  [[nodiscard]] std::string background(const plane_view& view, std::size_t image) {
    const std::string name = text(m_key, "-", name_of(view.plane()), "-", image);
    if (std::find(m_defined.begin(), m_defined.end(), name) != m_defined.end()) return name;
    m_defined.push_back(name);
    picture grey(view.width(), view.height());
    const shown_image& from = m_case.images[image];
    for (index y = 0; y < view.height(); ++y)
      for (index x = 0; x < view.width(); ++x) {
        const voxel_place p = view.voxel(x, y, m_case.slices.place[view.through()]);
        *grey.at(x, y) = from.window(static_cast<double>(from.values.at(p[0], p[1], p[2])));
      }
    m_definitions += image_element(view, grey, text(" id=\"", name, "\""));
    return name;
  }

  [[nodiscard]] static std::string image_element(const plane_view& view, const picture& p, const std::string& more) {
    return text("<image", more, " width=\"", view.width(), "\" height=\"", view.height(),
                "\" preserveAspectRatio=\"none\" href=\"", data_uri(p), "\" />");
  }

  // A picture of a slice: what is drawn has a pixel per voxel, the picture is in millimetres.
  [[nodiscard]] std::string figure(const plane_view& view, const std::string& drawn, const std::string& name,
                                   const std::string& said, const std::string& below = {}) const {
    const double width = static_cast<double>(view.width()) * view.pixel_width(),
                 height = static_cast<double>(view.height()) * view.pixel_height();
    const double type = 0.075 * std::max(width, height);
    const auto side = view.letters();
    const auto letter = [&](std::size_t which, double x, double y, const char* anchor) {
      return text("<text class=\"side\" font-size=\"", number(type), "\" text-anchor=\"", anchor, "\" x=\"", number(x),
                  "\" y=\"", number(y), "\">", side[which], "</text>");
    };
    return text("<figure><svg class=\"slice\" role=\"img\" viewBox=\"0 0 ", number(width), " ", number(height),
                "\"><title>", escape_html(text(m_case.case_id, ", ", name)), "</title><desc>",
                escape_html(text(place_in_words(view), ", ", name, ": ", said, ".")), "</desc><g transform=\"scale(",
                number(view.pixel_width()), " ", number(view.pixel_height()), ")\">", drawn, "</g>",
                letter(0, type * 0.25, height / 2 + type * 0.35, "start"),
                letter(1, width - type * 0.25, height / 2 + type * 0.35, "end"), letter(2, width / 2, type, "middle"),
                height < 3 * type ? std::string() : letter(3, width / 2, height - type * 0.3, "middle"),
                "</svg><figcaption>", escape_html(name), below, "</figcaption></figure>\n");
  }

  [[nodiscard]] std::string panel(const plane_view& view, std::size_t image, const std::string& name,
                                  const std::string& said, const std::string& paths) {
    const std::string drawn = text("<use href=\"#", background(view, image), "\" />", paths);
    return figure(view, drawn, name, text("on ", m_case.images[image].name, ", ", said));
  }

  // A map in colours with its scale.
  [[nodiscard]] std::string heat(const plane_view& view, const shown_image& map) const {
    picture colours(view.width(), view.height(), 3);
    double most = 0;
    for (index y = 0; y < view.height(); ++y)
      for (index x = 0; x < view.width(); ++x) {
        const voxel_place p = view.voxel(x, y, m_case.slices.place[view.through()]);
        const auto value = static_cast<double>(map.values.at(p[0], p[1], p[2]));
        if (std::isfinite(value)) most = std::max(most, value);
        const rgb c = map_colour(value / map.window.high);
        std::copy(c.begin(), c.end(), colours.at(x, y));
      }
    const std::string high = detail::fixed(map.window.high, 3);
    return figure(view, image_element(view, colours, ""), map.name,
                  text("from 0 (black) to ", high, " (pale), at most ", detail::fixed(most, 3), " in this slice"),
                  text("<span class=\"scale\"><span>0</span><i></i><span>", high, "</span></span>"));
  }

  [[nodiscard]] static std::string number(double v) { return detail::fixed(v, 3); }

  const shown_case& m_case;
  std::string m_key;
  std::size_t m_base;
  std::vector<std::string> m_defined;
  std::string m_definitions;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
