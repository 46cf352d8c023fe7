// SPDX-License-Identifier: Apache-2.0
/// @file
/// Two methods on the same cases: mean difference with its interval, and Wilcoxon's test.
#ifndef COMODAL_METRIC_PAIRED_COMPARISON_HPP
#define COMODAL_METRIC_PAIRED_COMPARISON_HPP

#include <comodal/metric/statistics.hpp>
#include <comodal/metric/tables.hpp>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A method against another, in one class, over the cases that both have a score of.
struct paired_difference {
  std::string method, baseline, region;
  index cases = 0;
  interval dice{}, hd95{};        // method - baseline: mean, and 95 % bootstrap interval over cases
  double dice_p = 1, hd95_p = 1;  // Wilcoxon signed-rank, two-sided
};

namespace metric_detail {

// Values of the cases that both lists have, of each list's first output.
[[nodiscard]] inline std::pair<std::vector<double>, std::vector<double>> paired_values(const method_scores& a,
                                                                                       const method_scores& b,
                                                                                       const std::string& region,
                                                                                       double case_score::* value) {
  std::pair<std::vector<double>, std::vector<double>> both;
  for (const case_score& one : a.scores) {
    if (one.region.name != region || one.output != a.scores.front().output || std::isnan(one.*value)) continue;
    for (const case_score& other : b.scores)
      if (other.case_id == one.case_id && other.region.name == region && other.output == b.scores.front().output &&
          !std::isnan(other.*value)) {
        both.first.push_back(one.*value);
        both.second.push_back(other.*value);
      }
  }
  return both;
}

}  // namespace metric_detail

/// Every method but the first against the first, class by class, by the first output of each. Intervals depend on the
/// scores and the seed alone. Not corrected for the number of comparisons.
[[nodiscard]] inline std::vector<paired_difference> paired_differences(const std::vector<method_scores>& methods,
                                                                       std::uint64_t seed = 1) {
  std::vector<paired_difference> out;
  for (std::size_t m = 1; m < methods.size(); ++m) {
    std::vector<std::string> regions;
    for (const case_score& s : methods[0].scores)
      if (std::find(regions.begin(), regions.end(), s.region.name) == regions.end()) regions.push_back(s.region.name);
    for (const std::string& region : regions) {
      const auto [dice, other_dice] = metric_detail::paired_values(methods[m], methods[0], region, &case_score::dice);
      const auto [hd95, other_hd95] = metric_detail::paired_values(methods[m], methods[0], region, &case_score::hd95);
      if (dice.empty()) continue;
      out.push_back({methods[m].name, methods[0].name, region, static_cast<index>(dice.size()),
                     bootstrap_difference(dice, other_dice, seed), bootstrap_difference(hd95, other_hd95, seed),
                     wilcoxon_signed_rank(dice, other_dice).p, wilcoxon_signed_rank(hd95, other_hd95).p});
    }
  }
  return out;
}

/// The differences as a table for people.
[[nodiscard]] inline text_table paired_table(const std::vector<paired_difference>& differences) {
  const auto shown = [&](const interval& i) {
    return text(detail::fixed(i.mean, 4), " (", detail::fixed(i.low, 4), " to ", detail::fixed(i.high, 4), ")");
  };
  text_table table{{"class", "method", "minus", "cases", "Dice (95 % interval)", "p", "HD95 (95 % interval)", "p"}, {}};
  for (const auto& d : differences)
    table.rows.push_back({d.region, d.method, d.baseline, std::to_string(d.cases), shown(d.dice),
                          detail::fixed(d.dice_p, 4), shown(d.hd95), detail::fixed(d.hd95_p, 4)});
  return table;
}

/// The same in full precision, a number per cell.
[[nodiscard]] inline text_table paired_csv_table(const std::vector<paired_difference>& differences) {
  text_table table{{"class", "method", "minus", "cases", "dice_difference", "dice_low", "dice_high", "dice_p",
                    "hd95_difference", "hd95_low", "hd95_high", "hd95_p"},
                   {}};
  for (const auto& d : differences) {
    std::vector<std::string> row{d.region, d.method, d.baseline, std::to_string(d.cases)};
    for (const double v :
         {d.dice.mean, d.dice.low, d.dice.high, d.dice_p, d.hd95.mean, d.hd95.low, d.hd95.high, d.hd95_p})
      row.push_back(detail::exact(v));
    table.rows.push_back(std::move(row));
  }
  return table;
}

/// What the numbers are, in a line.
[[nodiscard]] inline std::string describe_differences() {
  return "differences of means over the same cases, bootstrap over cases; p: Wilcoxon signed-rank, two-sided, not "
         "corrected for the number of comparisons";
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
