// SPDX-License-Identifier: Apache-2.0
/// @file
/// A score of every case as a dot, by class and method, drawn as SVG text.
#ifndef COMODAL_REPORT_DOTS_HPP
#define COMODAL_REPORT_DOTS_HPP

#include <comodal/metric/tables.hpp>
#include <comodal/report/plot.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The Dice of each case in each class, by the first output of each method: a line per method and class, a dot per
/// case, a tick at the mean.
[[nodiscard]] curve_figure draw_dice_dots(const std::vector<method_scores>& methods);
#if COMODAL_BODIES
COMODAL_ONCE curve_figure draw_dice_dots(const std::vector<method_scores>& methods) {
  constexpr int width = 640, left = 16, right = 20, line = 20, head = 26, foot = 50;
  curve_figure figure{"Dice of every case", {}, {}, "A dot per case, a tick at the mean. Right is better.", {}};
  std::vector<std::string> classes;
  for (const auto& m : methods) {
    figure.names.push_back(m.name);
    for (const auto& s : m.scores)
      if (std::find(classes.begin(), classes.end(), s.region.name) == classes.end()) classes.push_back(s.region.name);
  }
  const int bottom = static_cast<int>(classes.size()) * (head + line * static_cast<int>(methods.size()));
  const auto across = [](double dice) { return detail::short_number(left + dice * (width - left - right), 5); };
  std::string drawn = "<path class=\"grid\" d=\"", numbers;
  for (int t = 0; t <= 5; ++t) drawn += text("M", across(t / 5.0), " 4V", bottom);
  drawn += "\" />";
  for (int t = 0; t <= 5; ++t)
    drawn += text("<text x=\"", across(t / 5.0), "\" y=\"", bottom + 19, "\" text-anchor=\"middle\">",
                  detail::short_number(t / 5.0), "</text>");
  int y = 0;
  for (const auto& name : classes) {
    drawn += text("<text class=\"axis\" x=\"", left, "\" y=\"", y + head - 8, "\">", escape_html(name), "</text>");
    y += head;
    for (std::size_t m = 0; m < methods.size(); ++m, y += line) {
      std::vector<double> values;
      for (const auto& s : methods[m].scores)
        if (s.region.name == name && s.output == methods[m].scores.front().output && !std::isnan(s.dice))
          values.push_back(s.dice);
      for (const double v : values)
        drawn += text("<circle class=\"dot s", m % plot_colours, "\" cx=\"", across(v), "\" cy=\"", y + line / 2,
                      "\" r=\"4.5\" />");
      if (values.empty()) continue;
      const double mean = describe(values).mean;
      drawn += text("<path class=\"tick-mean s", m % plot_colours, "\" d=\"M", across(mean), " ", y + 1, "v", line - 2,
                    "\" />");
      numbers += text(name, ", ", methods[m].name, ": ", values.size(), " cases, mean ", detail::fixed(mean, 3),
                      ", from ", detail::fixed(*std::min_element(values.begin(), values.end()), 3), " to ",
                      detail::fixed(*std::max_element(values.begin(), values.end()), 3), ". ");
    }
  }
  if (numbers.empty())
    figure.warning = text("The plot '", figure.title, "' was not drawn: it has no points.");
  else
    figure.svg =
        text("<svg class=\"plot\" viewBox=\"0 0 ", width, " ", bottom + foot, "\" role=\"img\"><title>", figure.title,
             "</title><desc>", escape_html(numbers), "</desc>", drawn, "<text class=\"axis\" x=\"", width / 2,
             "\" y=\"", bottom + foot - 8, "\" text-anchor=\"middle\">Dice (0 to 1)</text></svg>");
  return figure;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
