// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which cases are shown, and the part of a report that shows one: legend, still pictures, viewer.
#ifndef COMODAL_REPORT_CASE_SECTION_HPP
#define COMODAL_REPORT_CASE_SECTION_HPP

#include <comodal/metric/tables.hpp>
#include <comodal/report/still_pictures.hpp>
#include <comodal/report/volume_data.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A case that was chosen, why, and the mean Dice of each method in it (NaN: no score; empty: nothing is scored).
struct chosen_case {
  std::string case_id;
  std::string mark;  // "worst", "median", "best", how uncertain it is, or empty
  std::vector<double> dice;
};

/// The worst, the median and the best case, then the others from the worst on. Cases are ordered by the mean over
/// methods of the mean Dice over classes of each method's first output; of an even number the lower middle is the
/// median. Cases that every method scored come before all others, and alone are marked.
[[nodiscard]] inline std::vector<chosen_case> choose_cases(const std::vector<method_scores>& methods,
                                                           std::size_t number) {
  std::map<std::string, std::vector<std::pair<double, index>>> sums;
  for (std::size_t m = 0; m < methods.size(); ++m)
    for (const case_score& s : methods[m].scores) {
      if (s.output != methods[m].scores.front().output || std::isnan(s.dice)) continue;
      auto& of = sums[s.case_id];
      of.resize(methods.size());
      of[m].first += s.dice;
      ++of[m].second;
    }
  std::vector<std::pair<double, chosen_case>> whole, others;
  for (const auto& [id, values] : sums) {
    chosen_case one{id, {}, {}};
    double total = 0;
    index scored = 0;
    for (const auto& [sum, count] : values) {
      one.dice.push_back(count > 0 ? sum / static_cast<double>(count) : std::nan(""));
      if (count > 0) total += one.dice.back();
      scored += count > 0;
    }
    const bool all = scored == static_cast<index>(methods.size());
    (all ? whole : others).emplace_back(total / static_cast<double>(scored), std::move(one));
  }
  const auto sort = [](auto& list) {
    std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  };
  sort(whole);
  sort(others);
  std::vector<chosen_case> out;
  const std::size_t n = whole.size(), median = n == 0 ? 0 : (n - 1) / 2;
  if (n > 0) whole[0].second.mark = "worst";
  if (n > 1) whole[n - 1].second.mark = "best";
  if (n > 2) whole[median].second.mark = "median";
  if (n > 2)
    out = {whole[0].second, whole[median].second, whole[n - 1].second};
  else
    for (const auto& one : whole) out.push_back(one.second);
  for (const auto* list : {&whole, &others})
    for (const auto& one : *list)
      if (n <= 2 ? list == &others : one.second.mark.empty()) out.push_back(one.second);
  if (out.size() > number) out.resize(number);
  return out;
}

namespace detail {

[[nodiscard]] inline std::string pictures_legend(const shown_case& c) {
  std::string out = "<ul class=\"legend\">";
  for (std::size_t k = 0; k < c.classes.size(); ++k)
    out += text("<li><i class=\"swatch k", k % class_colours, "\"></i>", escape_html(c.classes[k].name), "</li>");
  if (!c.truth) return out + "</ul>\n";
  for (const auto& [style, words] : {std::pair{"false", "false: found, not there"},
                                     {"missed", "missed: there, not found"},
                                     {"wrong", "found as another class"}})
    out += text("<li><svg viewBox=\"0 0 16 9\" aria-hidden=\"true\"><rect class=\"error x1 ", style,
                "\" width=\"16\" height=\"9\" /></svg>", words, "</li>");
  return out + "</ul>\n";
}

// The viewer of a case with its data, and how large these are.
[[nodiscard]] inline std::string viewer_of(const shown_case& c, const volume_limits& limits) {
  const nlohmann::ordered_json volumes = volume_data(c, clearest_image(c), limits);
  const std::string data = json_for_script(volumes);
  const auto& size = volumes["size"];
  const int quality = volumes["quality"];
  std::string about = text("Volumes of ", size[0], " x ", size[1], " x ", size[2], " voxels, cut to the head, ",
                           fixed(static_cast<double>(data.size()) / 1048576, 1), " MiB");
  const auto& every = volumes["every"];
  if (every != nlohmann::ordered_json{1, 1, 1})
    about += text(", every ", every[0], ", ", every[1], ", ", every[2], " voxels along the axes");
  about += quality < 100 ? text("; images in 8-bit grey, as JPEG of quality ", quality, "; masks exact")
                         : "; images in 8-bit grey; masks exact";
  return text(
      "<details class=\"viewer\"><summary>Scroll through all slices</summary>\n<p class=\"noscript\">Scrolling needs a "
      "browser that runs the script of this page.</p><div class=\"stage\"></div>\n<p class=\"read\">Wheel, arrow keys "
      "or "
      "slider: slices. Click: the point through which the other planes go. ",
      c.truth ? "Dashed: truth. " : "", about, ".</p>\n<script type=\"application/json\">", data,
      "</script></details>\n");
}

}  // namespace detail

/// What a case is shown with.
struct case_section_options {
  bool scroll = true;  // the viewer with all slices; else still pictures alone
  volume_limits limits = {};
};

/// The part of a report about one case. @param c prepared by `prepare_to_show` @param number from 1, names it in the
/// page
[[nodiscard]] std::string case_section(const shown_case& c, index number, const case_section_options& options = {});
#if COMODAL_BODIES
COMODAL_ONCE std::string case_section(const shown_case& c, index number, const case_section_options& options) {
  still_painter paint(c, text("case-", number));
  std::string dice;
  for (const shown_method& m : c.methods) dice += text(dice.empty() ? "" : "; ", m.name, " ", detail::fixed(m.dice, 3));
  std::string out =
      text("<section class=\"case\" id=\"case-", number, "\"><h3>Case ", escape_html(readable_name(c.case_id)));
  if (!c.mark.empty()) out += text(" <span class=\"badge\">", c.mark, "</span>");
  out += "</h3>\n";
  if (c.truth) out += text("<p>Mean Dice: ", escape_html(dice), ".</p>\n");
  for (const std::string& note : c.notes) out += text("<p class=\"warning\">", escape_html(note), "</p>\n");
  if (c.images.empty()) return out + "<p>There is no image of this case, so that nothing can be drawn.</p></section>\n";
  std::string body = detail::pictures_legend(c);
  for (const slice_plane plane : slice_planes) body += paint.row(plane);
  const std::string whose = escape_html(c.reference_name());
  body += text("<p class=\"read\">Drawn on ", escape_html(paint.base()), ", ",
               c.truth || detail::labelled_anywhere(c.reference()) ? text("in which ", whose, " stands out most")
                                                                   : "the first image",
               ". Slices: ", escape_html(c.slices.reason), ".");
  if (c.tilt > 5)
    body += text(" The grid is tilted by up to ", std::lround(c.tilt),
                 " degrees: slices follow the grid, and the letters name the nearest side.");
  body += "</p>\n";
  if (options.scroll) body += detail::viewer_of(c, options.limits);
  body += text("<h4>Every modality, with the outlines of ", whose, "</h4>\n", paint.modalities());
  for (const shown_method& m : c.methods)
    if (const std::string more = paint.outputs(m); !more.empty())
      body += text("<h4>Other outputs of ", escape_html(m.name), "</h4>\n", more);
  return text(out, paint.definitions(), body, "</section>\n");
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
