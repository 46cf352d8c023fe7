// SPDX-License-Identifier: Apache-2.0
/// @file
/// Training curves drawn by gnuplot, which is looked for at run time, as SVG text; and the reader of a training log.
#ifndef COMODAL_REPORT_CURVES_HPP
#define COMODAL_REPORT_CURVES_HPP

#include <comodal/data/file.hpp>
#include <comodal/report/png.hpp>

#include <nlohmann/json.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// One curve: points (x, y). Points that are not finite, and those <= 0 on a logarithmic axis, are left out.
struct series {
  std::string name;
  std::vector<double> x, y;
};

/// Curves on common axes.
struct curve_plot {
  std::string title, x_label, y_label;
  std::vector<series> curves;
  bool log_y = false;
  index smoothing = 0;  // width of a running mean in points; 2 or more draws the raw curve faint behind it
};

/// A drawn plot, or why there is none: exactly one of `svg` and `warning` is not empty.
struct curve_figure {
  std::string title;
  std::string svg;
  std::string warning;
};

/// Centred running mean over `width` points, fewer at both ends; as long as the input.
[[nodiscard]] inline std::vector<double> running_mean(const std::vector<double>& values, index width) {
  const index n = static_cast<index>(values.size()), half = std::max<index>(0, (width - 1) / 2);
  std::vector<double> out(values.size());
  for (index i = 0; i < n; ++i) {
    double sum = 0;
    index first = std::max<index>(0, i - half), last = std::min(n - 1, i + half);
    for (index j = first; j <= last; ++j) sum += values[static_cast<std::size_t>(j)];
    out[static_cast<std::size_t>(i)] = sum / static_cast<double>(last - first + 1);
  }
  return out;
}

namespace detail {

/// Text inside gnuplot's double quotes: no escapes, no markup (terminals run with `noenhanced`), one line.
[[nodiscard]] inline std::string gnuplot_text(const std::string& words) {
  std::string out = "\"";
  for (const char c : words) {
    if (c == '"' || c == '\\' || c == '`' || c == '$') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out + "\"";
}

/// The points that can be drawn; the running mean is taken over them.
[[nodiscard]] inline series drawable(const series& s, bool log_y, index smoothing) {
  series out{s.name, {}, {}};
  for (std::size_t i = 0; i < s.x.size(); ++i)
    if (std::isfinite(s.x[i]) && std::isfinite(s.y[i]) && (!log_y || s.y[i] > 0)) {
      out.x.push_back(s.x[i]);
      out.y.push_back(s.y[i]);
    }
  if (smoothing > 1) out.y = running_mean(out.y, smoothing);
  return out;
}

[[nodiscard]] inline std::string gnuplot_script(const curve_plot& plot, index width, index height) {
  // Okabe and Ito's colours but yellow, which is pale on white.
  constexpr const char* colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"};
  std::string data, curves;
  std::size_t number = 0;
  const auto add = [&](const series& s, const std::string& style) {
    if (s.x.empty()) return;
    data += text("$d", number, " << COMODAL_END\n");
    std::ostringstream points;
    points.precision(9);
    for (std::size_t i = 0; i < s.x.size(); ++i) points << s.x[i] << ' ' << s.y[i] << '\n';
    data += points.str() + "COMODAL_END\n";
    curves += text(curves.empty() ? "" : ", ", "$d", number++, " using 1:2 ", style);
  };
  const bool smooth = plot.smoothing > 1;
  for (std::size_t c = 0; smooth && c < plot.curves.size(); ++c)
    add(drawable(plot.curves[c], plot.log_y, 0),
        text("with lines lw 1 lc rgb \"#c8", colours[c % 7] + 1, "\" notitle"));
  for (std::size_t c = 0; c < plot.curves.size(); ++c) {
    const series s = drawable(plot.curves[c], plot.log_y, plot.smoothing);
    const char* marks = s.x.size() <= 40 ? "with linespoints lw 2 pt 7 ps 0.5" : "with lines lw 2";
    add(s, text(marks, " dt ", 1 + c / 7 % 4, " lc rgb \"", colours[c % 7], "\" title ", gnuplot_text(s.name)));
  }
  if (curves.empty()) return {};
  return text("set terminal svg noenhanced size ", width, ",", height,
              " dynamic background \"#ffffff\" font \"sans-serif,14\"\n", "set encoding utf8\nset title ",
              gnuplot_text(plot.title), "\nset xlabel ", gnuplot_text(plot.x_label), "\nset ylabel ",
              gnuplot_text(plot.y_label),
              "\nset grid lc rgb \"#dddddd\" lt 1\nset border 3\nset tics nomirror\nset key outside right top\n",
              plot.log_y ? "set logscale y\nset format y \"%g\"\n" : "", data, "plot ", curves, "\n");
}

/// A folder of its own that goes with the object.
class scratch_folder {
 public:
  scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "comodal-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw io_error(text("cannot make a temporary folder ", name, "; is TMPDIR writable?"));
    m_path = name;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(m_path, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

 private:
  std::filesystem::path m_path;
};

[[nodiscard]] inline std::string shell_quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

[[nodiscard]] inline std::string file_text(const std::filesystem::path& path) {
  const byte_buffer bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace detail

/// Draws a plot with gnuplot as SVG. Without gnuplot, without points or after an error of gnuplot, the figure holds a
/// warning.
/// @param program gnuplot's name or path
/// @throws shape_error if a curve has not as many y as x, io_error if there is no place for temporary files
[[nodiscard]] curve_figure draw_curves(const curve_plot& plot, const std::string& program = "gnuplot",
                                       index width = 860, index height = 380);
#if COMODAL_BODIES
COMODAL_ONCE curve_figure draw_curves(const curve_plot& plot, const std::string& program, index width, index height) {
  for (const series& s : plot.curves)
    if (s.x.size() != s.y.size())
      throw shape_error(
          text("curve '", s.name, "' of '", plot.title, "': ", s.x.size(), " x against ", s.y.size(), " y"));
  const auto no_plot = [&plot](const std::string& why) {
    return curve_figure{plot.title, {}, text("The plot '", plot.title, "' was not drawn: ", why, ".")};
  };
  const std::string script = detail::gnuplot_script(plot, width, height);
  if (script.empty()) return no_plot("it has no points");

  const detail::scratch_folder scratch;
  const std::filesystem::path in = scratch.path() / "plot.gp", errors = scratch.path() / "errors.txt";
  write_file(in, {reinterpret_cast<const unsigned char*>(script.data()), script.size()});
  const std::string command = text(detail::shell_quoted(program), " ", detail::shell_quoted(in.string()), " 2> ",
                                   detail::shell_quoted(errors.string()));
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return no_plot("no shell could be started for gnuplot");
  std::string svg;
  char buffer[4096];
  for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) svg.append(buffer, got);
  const int status = ::pclose(pipe);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == 127 || code == 126)
    return no_plot(text("the program '", program,
                        "' was not found; install gnuplot (Debian: gnuplot-nox) and write the report again"));
  if (code != 0 || svg.find("</svg>") == std::string::npos) {
    std::string message = detail::file_text(errors);
    std::replace(message.begin(), message.end(), '\n', ' ');
    return no_plot(text("gnuplot failed with status ", code, ": ", message));
  }
  svg.erase(0, svg.find("<svg"));
  return {plot.title, svg, {}};
}
#endif

/// Reads a training log in JSON lines (an object a line): every number becomes a point of the series of its name,
/// numbers of nested objects under `outer.inner`; x is `x_key`, in a training log the step. Records without a number
/// `x_key` are left out; null is a point that is not drawn (NaN). A last line without a line feed, as a killed run
/// leaves it, is ignored.
/// @throws io_error if the file cannot be read or another line is no JSON object
[[nodiscard]] std::vector<series> read_json_lines(const std::filesystem::path& path, const std::string& x_key = "step");
#if COMODAL_BODIES
COMODAL_ONCE std::vector<series> read_json_lines(const std::filesystem::path& path, const std::string& x_key) {
  const std::string whole = detail::file_text(path);
  std::vector<series> result;
  const auto add = [&result](const std::string& name, double x, double y) {
    auto s = std::find_if(result.begin(), result.end(), [&name](const series& t) { return t.name == name; });
    if (s == result.end()) s = result.insert(s, series{name, {}, {}});
    s->x.push_back(x);
    s->y.push_back(y);
  };
  index number = 0;
  for (std::size_t first = 0, last; (last = whole.find('\n', first)) != std::string::npos; first = last + 1) {
    ++number;
    const std::string line = whole.substr(first, last - first);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto record = nlohmann::ordered_json::parse(line, nullptr, false);
    if (!record.is_object())
      throw io_error(text(path.string(), ", line ", number, ": no JSON object; a training log has one on each line"));
    if (!record.contains(x_key) || !record[x_key].is_number()) continue;
    const double x = record[x_key].get<double>();
    const auto walk = [&](const auto& self, const nlohmann::ordered_json& object, const std::string& prefix) -> void {
      for (const auto& [key, value] : object.items()) {
        if (value.is_object()) self(self, value, prefix + key + ".");
        if (value.is_null()) add(prefix + key, x, std::nan(""));
        if (value.is_number() && !(prefix.empty() && key == x_key)) add(prefix + key, x, value.template get<double>());
      }
    };
    walk(walk, record, "");
  }
  return result;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
