// SPDX-License-Identifier: Apache-2.0
/// @file
/// Curves drawn as SVG text. Colours and type come from the page's style, so that plots follow dark mode.
#ifndef COMODAL_REPORT_PLOT_HPP
#define COMODAL_REPORT_PLOT_HPP

#include <comodal/report/curves.hpp>
#include <comodal/report/escape.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A drawn plot, or why there is none: exactly one of `svg` and `warning` is not empty.
struct curve_figure {
  std::string title;
  std::string svg;
  std::string warning = {};
  std::string note = {};
  std::vector<std::string> names = {};  // of the curves, in the order of their colours
};

/// Colours and dashes of curves that repeat after these numbers; the page's style has the colours.
inline constexpr std::size_t plot_colours = 6, plot_dashes = 4;

namespace detail {

/// A number in few characters: "0.25", "1e-04", "12000".
[[nodiscard]] inline std::string short_number(double value, int digits = 4) {
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value == 0 ? 0.0 : value, std::chars_format::general, digits).ptr;
  return {buffer, end};
}

/// An axis: its range, and where its ticks are.
struct plot_axis {
  double low = 0, high = 1;
  std::vector<double> ticks = {};

  [[nodiscard]] double place(double value) const { return (value - low) / (high - low); }
};

/// Ticks at 1, 2 or 5 times a power of ten; the range reaches from tick to tick.
[[nodiscard]] inline plot_axis even_axis(double low, double high, int most) {
  if (!(high > low)) {
    const double more = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= more;
    high += more;
  }
  const double rough = (high - low) / most, power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double times : {5.0, 2.0, 1.0})
    if (times * power >= rough) step = times * power;
  plot_axis axis{std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step};
  const index count = std::llround((axis.high - axis.low) / step);
  for (index t = 0; t <= count; ++t) axis.ticks.push_back(axis.low + static_cast<double>(t) * step);
  return axis;
}

/// The same for logarithms: ticks at powers of ten, and at 2 and 5 times these where the range is short.
[[nodiscard]] inline plot_axis log_axis(double low, double high) {
  const double first = std::floor(low), last = std::max(first + 1, std::ceil(high));
  plot_axis axis{first, last};
  for (double t = first; t <= last; t += std::max(1.0, std::ceil((last - first) / 6))) {
    axis.ticks.push_back(t);
    if (last - first > 2 || t == last) continue;
    axis.ticks.push_back(t + std::log10(2));
    axis.ticks.push_back(t + std::log10(5));
  }
  return axis;
}

/// At most `most` points: of a longer curve the smallest and the largest of each of equally wide parts.
[[nodiscard]] inline series thinned(const series& s, std::size_t most) {
  if (s.x.size() <= most) return s;
  series out{s.name, {}, {}};
  const std::size_t parts = most / 2;
  for (std::size_t p = 0; p < parts; ++p) {
    const std::size_t first = p * s.x.size() / parts, last = (p + 1) * s.x.size() / parts;
    const auto begin = s.y.begin() + static_cast<std::ptrdiff_t>(first),
               end = s.y.begin() + static_cast<std::ptrdiff_t>(last);
    auto low = static_cast<std::size_t>(std::min_element(begin, end) - s.y.begin()),
         high = static_cast<std::size_t>(std::max_element(begin, end) - s.y.begin());
    if (low > high) std::swap(low, high);
    for (const std::size_t i : {low, high}) {
      out.x.push_back(s.x[i]);
      out.y.push_back(s.y[i]);
      if (low == high) break;
    }
  }
  return out;
}

/// What a picture of curves says, in numbers.
[[nodiscard]] inline std::string described(const series& s) {
  const auto low = std::min_element(s.y.begin(), s.y.end()), high = std::max_element(s.y.begin(), s.y.end());
  return text(s.name, ": ", s.x.size(), " points, first ", short_number(s.y.front(), 3), ", last ",
              short_number(s.y.back(), 3), ", smallest ", short_number(*low, 3), ", largest ", short_number(*high, 3),
              ".");
}

/// The drawing of one plot.
class plot_painter {
 public:
  plot_painter(const curve_plot& plot, std::vector<series> raw, std::vector<series> drawn)
      : m_plot(plot), m_raw(std::move(raw)), m_drawn(std::move(drawn)) {
    constexpr double far = std::numeric_limits<double>::infinity();
    double low[2] = {far, far}, high[2] = {-far, -far};
    for (const auto* list : {&m_drawn, &m_raw})
      for (const series& s : *list)
        for (std::size_t i = 0; i < s.x.size(); ++i)
          for (const auto& [axis, value] : {std::pair{0, s.x[i]}, {1, scaled(s.y[i])}}) {
            low[axis] = std::min(low[axis], value);
            high[axis] = std::max(high[axis], value);
          }
    m_x = even_axis(low[0], high[0], 6);
    m_x.low = std::max(m_x.low, low[0] > 0 ? 0.0 : m_x.low);
    m_y = m_plot.log_y ? log_axis(low[1], high[1]) : even_axis(low[1], high[1], 5);
  }

  [[nodiscard]] std::string svg() const {
    std::string numbers;
    for (const series& s : m_drawn) numbers += (numbers.empty() ? "" : " ") + described(s);
    std::string out = text("<svg class=\"plot\" viewBox=\"0 0 ", width, " ", height, "\" role=\"img\"><title>",
                           escape_html(m_plot.title), "</title><desc>", escape_html(m_plot.y_label), " over ",
                           escape_html(m_plot.x_label), ". ", escape_html(numbers), "</desc>");
    out += grid();
    for (std::size_t c = 0; c < m_raw.size(); ++c) out += line(m_raw[c], c, " faint");
    for (std::size_t c = 0; c < m_drawn.size(); ++c) out += line(m_drawn[c], c, "");
    return out + "</svg>";
  }

 private:
  static constexpr int width = 640, height = 300, left = 76, right = 26, top = 12, bottom = 54;

  [[nodiscard]] double scaled(double y) const { return m_plot.log_y ? std::log10(y) : y; }
  [[nodiscard]] std::string across(double x) const {
    return short_number(left + m_x.place(x) * (width - left - right), 5);
  }
  [[nodiscard]] std::string down(double y) const {
    return short_number(height - bottom - m_y.place(y) * (height - top - bottom), 5);
  }

  [[nodiscard]] std::string grid() const {
    std::string lines, words;
    for (const double t : m_x.ticks) {
      if (t < m_x.low) continue;
      lines += text("M", across(t), " ", top, "V", height - bottom);
      words += text("<text x=\"", across(t), "\" y=\"", height - bottom + 19, "\" text-anchor=\"middle\">",
                    short_number(t, 6), "</text>");
    }
    for (const double t : m_y.ticks) {
      lines += text("M", left, " ", down(t), "H", width - right);
      words += text("<text x=\"", left - 6, "\" y=\"", down(t), "\" dy=\"4\" text-anchor=\"end\">",
                    short_number(m_plot.log_y ? std::pow(10, t) : t), "</text>");
    }
    return text("<path class=\"grid\" d=\"", lines, "\" />", words, "<text class=\"axis\" x=\"",
                (left + width - right) / 2, "\" y=\"", height - 8, "\" text-anchor=\"middle\">",
                escape_html(m_plot.x_label), "</text><text class=\"axis\" transform=\"translate(18 ",
                (top + height - bottom) / 2, ") rotate(-90)\" text-anchor=\"middle\">", escape_html(m_plot.y_label),
                "</text>");
  }

  [[nodiscard]] std::string line(const series& whole, std::size_t number, const char* more) const {
    const series s = thinned(whole, 800);
    const std::string style = text("curve s", number % plot_colours, " d", number / plot_colours % plot_dashes, more);
    std::string out, marks;
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      const std::string x = across(s.x[i]), y = down(scaled(s.y[i]));
      out += text(i == 0 ? "M" : "L", x, " ", y);
      if (s.x.size() <= 40 && *more == '\0')
        marks += text("<circle class=\"mark s", number % plot_colours, "\" cx=\"", x, "\" cy=\"", y, "\" r=\"2.5\" />");
    }
    return text("<path class=\"", style, "\" d=\"", out, "\" />", marks);
  }

  const curve_plot& m_plot;
  std::vector<series> m_raw, m_drawn;
  plot_axis m_x, m_y;
};

}  // namespace detail

/// Draws a plot. Without points the figure holds a warning.
/// @throws shape_error if a curve has not as many y as x
[[nodiscard]] curve_figure draw_curves(const curve_plot& plot);
#if COMODAL_BODIES
COMODAL_ONCE curve_figure draw_curves(const curve_plot& plot) {
  std::vector<series> raw, drawn;
  curve_figure figure{plot.title, {}, {}, plot.note, {}};
  for (const series& s : plot.curves) {
    if (s.x.size() != s.y.size())
      throw shape_error(
          text("curve '", s.name, "' of '", plot.title, "': ", s.x.size(), " x against ", s.y.size(), " y"));
    series smooth = detail::drawable(s, plot.log_y, plot.smoothing);
    if (smooth.x.empty()) continue;
    figure.names.push_back(s.name);
    drawn.push_back(std::move(smooth));
    if (plot.smoothing > 1) raw.push_back(detail::drawable(s, plot.log_y, 0));
  }
  if (drawn.empty())
    figure.warning = text("The plot '", plot.title, "' was not drawn: it has no points.");
  else
    figure.svg = detail::plot_painter(plot, std::move(raw), std::move(drawn)).svg();
  return figure;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
