// SPDX-License-Identifier: Apache-2.0
/// @file
/// Curves: the reader of a training log, running means, and what a logged running mean was made of.
#ifndef COMODAL_REPORT_CURVES_HPP
#define COMODAL_REPORT_CURVES_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>
#include <comodal/data/file.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
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
  index smoothing = 0;    // width of a running mean in points; 2 or more draws the raw curve faint behind it
  std::string note = {};  // what a reader must know, below the plot
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

/// What an exponential running mean was made of. Such a mean r follows a value v by r <- factor r + (1 - factor) v in
/// each step, from `start` before step 1, so that it shows its start for hundreds of steps. Each point here is the
/// weighted mean of v since the point before, (r2 - f r1) / (1 - f) with f = factor^(steps between): nothing of the
/// start is left in it. It is exact where each step updated the mean; a step that did not draws it to r1.
[[nodiscard]] inline series unmixed(const series& running, double factor, double start) {
  series out{running.name, {}, {}};
  double step = 0, before = start;
  for (std::size_t i = 0; i < running.x.size(); ++i) {
    if (!std::isfinite(running.y[i]) || running.x[i] <= step) continue;
    const double kept = std::pow(factor, running.x[i] - step);
    out.x.push_back(running.x[i]);
    out.y.push_back((running.y[i] - kept * before) / (1 - kept));
    step = running.x[i];
    before = running.y[i];
  }
  return out;
}

namespace detail {

/// The points that can be drawn; the running mean is taken over them, in a short series over a quarter of it.
[[nodiscard]] inline series drawable(const series& s, bool log_y, index smoothing) {
  series out{s.name, {}, {}};
  for (std::size_t i = 0; i < s.x.size(); ++i)
    // Differences of the largest numbers would be infinite.
    if (std::abs(s.x[i]) < 1e300 && std::abs(s.y[i]) < 1e300 && (!log_y || s.y[i] > 0)) {
      out.x.push_back(s.x[i]);
      out.y.push_back(s.y[i]);
    }
  smoothing = std::min(smoothing, static_cast<index>(out.y.size()) / 4);
  if (smoothing > 1) out.y = running_mean(out.y, smoothing);
  return out;
}

}  // namespace detail

/// Reads a training log in JSON lines (an object a line): every number becomes a point of the series of its name,
/// numbers of nested objects under `outer.inner`; x is `x_key`, in a training log the step. Records without a number
/// `x_key` are left out; null is a point that is not drawn (NaN). A last line without a line feed, as a killed run
/// leaves it, is ignored.
/// @throws io_error if the file cannot be read or another line is no JSON object
[[nodiscard]] std::vector<series> read_json_lines(const std::filesystem::path& path, const std::string& x_key = "step");
#if COMODAL_BODIES
COMODAL_ONCE std::vector<series> read_json_lines(const std::filesystem::path& path, const std::string& x_key) {
  const byte_buffer bytes = read_file(path);
  const std::string whole(bytes.begin(), bytes.end());
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
