// SPDX-License-Identifier: Apache-2.0
/// @file
/// Statistics of lists of scores: percentiles, mean and deviation; rank correlation; and the paired comparison of two
/// methods on the same cases by Wilcoxon's signed-rank test and a bootstrap interval of the mean difference.
#ifndef COMODAL_METRIC_STATISTICS_HPP
#define COMODAL_METRIC_STATISTICS_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Percentile with linear interpolation between neighbours (numpy's default).
/// @param sorted ascending values, at least one
/// @param q in [0, 1]
[[nodiscard]] inline double linear_percentile(const std::vector<double>& sorted, double q) {
  if (sorted.empty() || !(q >= 0 && q <= 1))
    throw config_error(text("percentile ", q, " of ", sorted.size(), " values; expected 0 to 1 of at least one"));
  const double place = q * static_cast<double>(sorted.size() - 1), low = std::floor(place);
  const std::size_t i = static_cast<std::size_t>(low), next = std::min(i + 1, sorted.size() - 1);
  return sorted[i] + (sorted[next] - sorted[i]) * (place - low);
}

/// Mean and sample standard deviation (n - 1; 0 for one value) of a list; NaN for an empty one.
struct mean_deviation {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double deviation = std::numeric_limits<double>::quiet_NaN();
};

[[nodiscard]] inline mean_deviation describe(const std::vector<double>& values) {
  if (values.empty()) return {};
  const double n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  for (const double v : values) squares += (v - sum / n) * (v - sum / n);
  return {sum / n, values.size() == 1 ? 0 : std::sqrt(squares / (n - 1))};
}

/// The rank of each value, from 1; equal values share the mean of their ranks. @throws config_error for a NaN
[[nodiscard]] std::vector<double> mean_ranks(const std::vector<double>& values);
#if COMODAL_BODIES
COMODAL_ONCE std::vector<double> mean_ranks(const std::vector<double>& values) {
  for (const double v : values)
    if (std::isnan(v)) throw config_error("ranks: a value is NaN, expected numbers that have an order");
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    for (std::size_t i = first; i < last; ++i) ranks[order[i]] = static_cast<double>(first + last + 1) / 2;
  }
  return ranks;
}
#endif

/// Spearman's rank correlation of paired values: Pearson's correlation of their mean ranks (scipy.stats.spearmanr).
/// NaN for fewer than two pairs, and where all values of a list are equal.
/// @throws shape_error unless both lists have the same length; config_error for a NaN
[[nodiscard]] inline double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size())
    throw shape_error(text("Spearman correlation: ", a.size(), " values against ", b.size(), "; it compares pairs"));
  const auto ranks_a = mean_ranks(a), ranks_b = mean_ranks(b);
  const double middle = (static_cast<double>(a.size()) + 1) / 2;
  double both = 0, square_a = 0, square_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = ranks_a[i] - middle, y = ranks_b[i] - middle;
    both += x * y;
    square_a += x * x;
    square_b += y * y;
  }
  if (square_a == 0 || square_b == 0) return std::numeric_limits<double>::quiet_NaN();
  return both / std::sqrt(square_a * square_b);
}

/// Result of Wilcoxon's signed-rank test.
struct wilcoxon_result {
  index pairs = 0;       // pairs whose difference is not zero
  double statistic = 0;  // the smaller of the rank sums of positive and of negative differences
  double p = 1;          // two-sided
  bool exact = false;    // from the exact distribution, else from the normal approximation
};

namespace detail {

/// Two-sided p of the rank sum `w` (a whole number) of n untied differences: 2^n sign patterns, counted by their sum.
[[nodiscard]] inline double exact_signed_rank_p(double w, index n) {
  const index most = n * (n + 1) / 2;
  std::vector<double> patterns(static_cast<std::size_t>(most + 1));
  patterns[0] = 1;
  for (index rank = 1; rank <= n; ++rank)
    for (index s = most; s >= rank; --s)
      patterns[static_cast<std::size_t>(s)] += patterns[static_cast<std::size_t>(s - rank)];
  double tail = 0;
  for (index s = 0; s <= static_cast<index>(w); ++s) tail += patterns[static_cast<std::size_t>(s)];
  return std::min(1.0, 2 * tail / std::pow(2.0, static_cast<double>(n)));
}

}  // namespace detail

/// Two-sided Wilcoxon signed-rank test of paired values. Zero differences are dropped, ties get their mean rank. The p
/// value is exact for up to 25 pairs without ties, else the normal approximation with the tie correction and without a
/// continuity correction (scipy.stats.wilcoxon's `zero_method="wilcox", correction=False`). Without any difference p
/// is 1.
/// @throws shape_error unless both lists have the same length
[[nodiscard]] wilcoxon_result wilcoxon_signed_rank(const std::vector<double>& a, const std::vector<double>& b);
#if COMODAL_BODIES
COMODAL_ONCE wilcoxon_result wilcoxon_signed_rank(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size())
    throw shape_error(text("Wilcoxon test: ", a.size(), " values against ", b.size(), "; it compares pairs"));
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i]) differences.push_back(a[i] - b[i]);
  std::sort(differences.begin(), differences.end(), [](double x, double y) { return std::abs(x) < std::abs(y); });
  wilcoxon_result result;
  result.pairs = static_cast<index>(differences.size());
  if (differences.empty()) return result;

  const double n = static_cast<double>(differences.size());
  double positive = 0, ties = 0;
  for (std::size_t first = 0, last = 0; first < differences.size(); first = last) {
    while (last < differences.size() && std::abs(differences[last]) == std::abs(differences[first])) ++last;
    const double tied = static_cast<double>(last - first), rank = static_cast<double>(first + last + 1) / 2;
    ties += tied * tied * tied - tied;
    for (std::size_t i = first; i < last; ++i)
      if (differences[i] > 0) positive += rank;
  }
  result.statistic = std::min(positive, n * (n + 1) / 2 - positive);
  result.exact = result.pairs <= 25 && ties == 0;
  if (result.exact) {
    result.p = detail::exact_signed_rank_p(result.statistic, result.pairs);
  } else {
    const double variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48;
    result.p = std::min(1.0, std::erfc((n * (n + 1) / 4 - result.statistic) / std::sqrt(2 * variance)));
  }
  return result;
}
#endif

/// A mean and the interval that holds it with the asked confidence.
struct interval {
  double mean = 0, low = 0, high = 0;
};

/// Mean of a - b over paired cases with a percentile bootstrap interval (Efron): cases are drawn with replacement.
/// Depends on (values, seed, resamples) alone.
/// @throws shape_error unless both lists have the same, non-zero length; config_error for a confidence outside (0, 1)
/// or no resamples
[[nodiscard]] interval bootstrap_difference(const std::vector<double>& a, const std::vector<double>& b,
                                            std::uint64_t seed, index resamples = 10000, double confidence = 0.95);
#if COMODAL_BODIES
COMODAL_ONCE interval bootstrap_difference(const std::vector<double>& a, const std::vector<double>& b,
                                           std::uint64_t seed, index resamples, double confidence) {
  if (a.size() != b.size() || a.empty())
    throw shape_error(text("bootstrap: ", a.size(), " values against ", b.size(), "; it needs pairs, at least one"));
  if (!(confidence > 0 && confidence < 1) || resamples < 1)
    throw config_error(
        text("bootstrap: confidence ", confidence, " with ", resamples, " resamples; expected (0, 1) and at least 1"));
  std::vector<double> differences(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  const double n = static_cast<double>(a.size());
  const double mean = describe(differences).mean;
  std::vector<double> means(static_cast<std::size_t>(resamples));
  host_slices(resamples, resamples * static_cast<index>(a.size()), [&](index r) {
    random_stream random(seed, random_purpose::sampling, static_cast<std::uint32_t>(r), hash_name("bootstrap"));
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i)
      sum += differences[random.below(static_cast<std::uint32_t>(differences.size()))];
    means[static_cast<std::size_t>(r)] = sum / n;
  });
  std::sort(means.begin(), means.end());
  return {mean, linear_percentile(means, (1 - confidence) / 2), linear_percentile(means, (1 + confidence) / 2)};
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
