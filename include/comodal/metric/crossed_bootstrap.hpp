// SPDX-License-Identifier: Apache-2.0
/// @file
/// The interval of a mean over two crossed factors, for example seeds and cases.
#ifndef COMODAL_METRIC_CROSSED_BOOTSTRAP_HPP
#define COMODAL_METRIC_CROSSED_BOOTSTRAP_HPP

#include <comodal/metric/statistics.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Mean of a matrix with a percentile bootstrap interval over its rows and its columns: both are drawn with
/// replacement, each by itself (the pigeonhole bootstrap; Owen, Annals of Applied Statistics 2007). With one row, the
/// interval is over the columns alone, that of `bootstrap_difference`. Depends on (values, seed, resamples) alone.
/// @param values rows of equal length, for example seeds, each with a difference per case
/// @throws shape_error without a value, and for rows of different lengths; config_error for a confidence outside (0, 1)
/// or no resamples
[[nodiscard]] interval crossed_bootstrap(const std::vector<std::vector<double>>& values, std::uint64_t seed,
                                         index resamples = 10000, double confidence = 0.95);
#if COMODAL_BODIES
COMODAL_ONCE interval crossed_bootstrap(const std::vector<std::vector<double>>& values, std::uint64_t seed,
                                        index resamples, double confidence) {
  if (values.empty() || values[0].empty())
    throw shape_error("bootstrap: no values, expected rows and columns, at least one of each");
  const std::size_t rows = values.size(), columns = values[0].size();
  for (const auto& row : values)
    if (row.size() != columns)
      throw shape_error(text("bootstrap: a row of ", row.size(), " values, expected ", columns, " as in the first"));
  if (!(confidence > 0 && confidence < 1) || resamples < 1)
    throw config_error(
        text("bootstrap: confidence ", confidence, " with ", resamples, " resamples; expected (0, 1) and at least 1"));
  const auto count = static_cast<double>(rows * columns);
  double sum = 0;
  for (const auto& row : values)
    for (const double value : row) sum += value;
  std::vector<double> means(static_cast<std::size_t>(resamples));
  host_slices(resamples, resamples * static_cast<index>(rows * columns), [&](index r) {
    const auto iteration = static_cast<std::uint32_t>(r);
    random_stream draw_row(seed, random_purpose::sampling, iteration, hash_name("bootstrap rows"));
    random_stream draw_column(seed, random_purpose::sampling, iteration, hash_name("bootstrap"));
    std::vector<std::size_t> drawn(columns);
    for (auto& c : drawn) c = draw_column.below(static_cast<std::uint32_t>(columns));
    double total = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      const auto& row = values[rows == 1 ? 0 : draw_row.below(static_cast<std::uint32_t>(rows))];
      for (const std::size_t c : drawn) total += row[c];
    }
    means[static_cast<std::size_t>(r)] = total / count;
  });
  std::sort(means.begin(), means.end());
  return {sum / count, linear_percentile(means, (1 - confidence) / 2), linear_percentile(means, (1 + confidence) / 2)};
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
