// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the finished cells of a study say together: means over seeds, and paired differences to a baseline.
#ifndef COMODAL_APP_STUDY_RESULTS_HPP
#define COMODAL_APP_STUDY_RESULTS_HPP

#include <comodal/app/cell_folder.hpp>
#include <comodal/app/study_file.hpp>
#include <comodal/metric/crossed_bootstrap.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// A cell that is finished, and its place in the study.
struct finished_cell {
  std::size_t variant = 0, labels = 0;
  index seed = 0;
  std::string name;
  cell_result result;
  cell_seconds seconds;
};

/// A mean difference to the baseline.
struct study_difference {
  interval dice;               // of the fused Dice, with its 95 % interval
  index seeds = 0, cases = 0;  // that both have
};

/// One variant with one label set. Means over seeds of the mean over cases and classes, with the deviation between
/// seeds; that of one seed is NaN.
struct study_row {
  std::string variant, labels;
  std::vector<index> seeds;  // that are finished
  index cases = 0;
  mean_deviation dice, hd95;                                    // of the fused output from all modalities
  std::optional<study_difference> difference;                   // to the baseline with the same label set
  std::vector<std::pair<std::string, mean_deviation>> outputs;  // Dice of the other outputs: "only FLAIR" ...
  index parameters = 0, steps = 0;
  double multiply_adds = 0;
  double seconds_per_step = std::numeric_limits<double>::quiet_NaN();
};

/// Of the intervals; fixed, so that the same cells always give the same table.
inline constexpr std::uint64_t study_bootstrap_seed = 1;
inline constexpr index study_resamples = 10000;

}  // namespace app

namespace app_detail {

// Means over classes by case.
template <class Value>
[[nodiscard]] std::map<std::string, double> by_case(const app::cell_result& result, const std::string& output,
                                                    const Value& value) {
  std::map<std::string, std::pair<double, index>> sums;
  for (const auto& score : result.scores) {
    if (score.output != output) continue;
    auto& [sum, count] = sums[score.case_id];
    sum += value(score);
    ++count;
  }
  std::map<std::string, double> means;
  for (const auto& [id, sum] : sums) means[id] = sum.first / static_cast<double>(sum.second);
  return means;
}
[[nodiscard]] inline std::map<std::string, double> dice_by_case(const app::cell_result& result,
                                                                const std::string& output = "fused") {
  return by_case(result, output, [](const case_score& s) { return s.dice; });
}

[[nodiscard]] inline double mean_of(const std::map<std::string, double>& cases) {
  std::vector<double> values;
  for (const auto& [id, value] : cases) values.push_back(value);
  return describe(values).mean;
}

// The outputs of a cell but "fused", in the order of its scores.
[[nodiscard]] inline std::vector<std::string> other_outputs(const app::cell_result& result) {
  std::vector<std::string> names;
  for (const auto& score : result.scores)
    if (score.output != "fused" && std::find(names.begin(), names.end(), score.output) == names.end())
      names.push_back(score.output);
  return names;
}

// The deviation of one value is none.
[[nodiscard]] inline mean_deviation over_seeds(const std::vector<double>& values) {
  mean_deviation m = describe(values);
  if (values.size() < 2) m.deviation = std::numeric_limits<double>::quiet_NaN();
  return m;
}

using row_cells = std::vector<const app::finished_cell*>;

// Differences of pairs: a row per seed that both have, a column per case that all of them have.
[[nodiscard]] inline std::optional<app::study_difference> difference_of(const row_cells& cells,
                                                                        const row_cells& baseline) {
  std::vector<std::pair<std::map<std::string, double>, std::map<std::string, double>>> pairs;
  for (const auto* one : cells)
    for (const auto* other : baseline)
      if (one->seed == other->seed) pairs.emplace_back(dice_by_case(one->result), dice_by_case(other->result));
  if (pairs.empty()) return {};
  std::vector<std::string> ids;
  for (const auto& [id, value] : pairs[0].first)
    if (std::all_of(pairs.begin(), pairs.end(),
                    [&id = id](const auto& p) { return p.first.contains(id) && p.second.contains(id); }))
      ids.push_back(id);
  if (ids.empty()) return {};
  std::vector<std::vector<double>> values;
  for (const auto& [one, other] : pairs) {
    auto& row = values.emplace_back();
    for (const auto& id : ids) row.push_back(one.at(id) - other.at(id));
  }
  return app::study_difference{crossed_bootstrap(values, app::study_bootstrap_seed, app::study_resamples),
                               static_cast<index>(pairs.size()), static_cast<index>(ids.size())};
}

[[nodiscard]] inline app::study_row row_of(const row_cells& cells) {
  app::study_row row;
  std::vector<double> dices, distances;
  std::vector<std::pair<std::string, std::vector<double>>> others;
  app::cell_seconds seconds;
  for (const auto* cell : cells) {
    const auto dice = dice_by_case(cell->result);
    row.seeds.push_back(cell->seed);
    row.cases = static_cast<index>(dice.size());
    dices.push_back(mean_of(dice));
    distances.push_back(mean_of(by_case(cell->result, "fused", [](const case_score& s) { return s.hd95; })));
    for (const auto& name : other_outputs(cell->result)) {
      auto at = std::find_if(others.begin(), others.end(), [&](const auto& one) { return one.first == name; });
      if (at == others.end()) at = others.insert(others.end(), {name, {}});
      at->second.push_back(mean_of(dice_by_case(cell->result, name)));
    }
    seconds.steps += cell->seconds.steps;
    seconds.training += cell->seconds.training;
  }
  row.dice = over_seeds(dices);
  row.hd95 = over_seeds(distances);
  for (const auto& [name, values] : others) row.outputs.emplace_back(name, over_seeds(values));
  row.parameters = cells[0]->result.parameters;
  row.steps = cells[0]->result.steps;
  row.multiply_adds = cells[0]->result.multiply_adds;
  if (seconds.steps > 0) row.seconds_per_step = seconds.training / static_cast<double>(seconds.steps);
  return row;
}

}  // namespace app_detail

namespace app {

/// The rows of a study's table, by label set and variant; without a row where no cell is finished. Differences are
/// paired by seed and by case; their interval resamples both. Depends on the scores alone, but for the seconds.
[[nodiscard]] inline std::vector<study_row> compare(const study& s, const std::vector<finished_cell>& cells) {
  const auto cells_of_row = [&](std::size_t variant, std::size_t labels) {
    app_detail::row_cells chosen;
    for (const auto& cell : cells)
      if (cell.variant == variant && cell.labels == labels) chosen.push_back(&cell);
    std::sort(chosen.begin(), chosen.end(), [](const auto* a, const auto* b) { return a->seed < b->seed; });
    return chosen;
  };
  const auto base = std::find_if(s.variants.begin(), s.variants.end(),
                                 [&](const study_variant& one) { return one.name == s.options.baseline; });
  std::vector<study_row> rows;
  for (std::size_t l = 0; l < s.label_sets.size(); ++l) {
    const auto baseline = base == s.variants.end()
                              ? app_detail::row_cells{}
                              : cells_of_row(static_cast<std::size_t>(base - s.variants.begin()), l);
    for (std::size_t v = 0; v < s.variants.size(); ++v) {
      const auto chosen = cells_of_row(v, l);
      if (chosen.empty()) continue;
      rows.push_back(app_detail::row_of(chosen));
      rows.back().variant = s.variants[v].name;
      rows.back().labels = s.label_sets[l].name;
      if (s.variants[v].name != s.options.baseline)
        rows.back().difference = app_detail::difference_of(chosen, baseline);
    }
  }
  return rows;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
