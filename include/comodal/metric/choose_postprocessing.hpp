// SPDX-License-Identifier: Apache-2.0
/// @file
/// Rules of post-processing that masks of cases with labels speak for.
#ifndef COMODAL_METRIC_CHOOSE_POSTPROCESSING_HPP
#define COMODAL_METRIC_CHOOSE_POSTPROCESSING_HPP

#include <comodal/data/postprocessing.hpp>
#include <comodal/metric/overlap.hpp>
#include <comodal/metric/statistics.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A mask and the truth.
struct scored_pair {
  label_volume prediction, reference;
};

/// When a rule is taken.
struct postprocessing_options {
  double least_gain = 0.001;                                     // of the mean Dice of its class over cases
  double most_loss = 0.02;                                       // of the Dice of its class in any case
  std::vector<double> smallest{0.01, 0.03, 0.1, 0.3, 1, 3, 10};  // ml, to choose from
};

/// What was chosen, and what it is worth on the masks that it was chosen on.
struct chosen_postprocessing {
  std::vector<postprocessing_rule> rules;
  std::vector<std::string> classes;   // of the two lists below
  std::vector<double> before, after;  // mean Dice over cases
};

/// Looks, class by class, whether filling holes, removing small components and keeping the largest one alone raise the
/// mean Dice over the cases, one after the other. A step is taken if the mean rises by `least_gain` and no case loses
/// more than `most_loss`. What is chosen on few cases may not hold for others.
/// @param pair the mask and truth of case `i`, 0 <= i < cases: called several times
/// @throws config_error without a case
[[nodiscard]] chosen_postprocessing choose_postprocessing(std::size_t cases,
                                                          const std::function<scored_pair(std::size_t i)>& pair,
                                                          const std::vector<label_class>& classes,
                                                          const std::vector<int>& region_order,
                                                          const postprocessing_options& options = {});
#if COMODAL_BODIES
COMODAL_ONCE chosen_postprocessing choose_postprocessing(std::size_t cases,
                                                         const std::function<scored_pair(std::size_t i)>& pair,
                                                         const std::vector<label_class>& classes,
                                                         const std::vector<int>& region_order,
                                                         const postprocessing_options& options) {
  if (cases == 0) throw config_error("postprocess: no case with a mask and a label, expected at least one");
  chosen_postprocessing chosen;
  for (std::size_t c = 1; c < classes.size(); ++c) {
    const auto scores = [&](const std::vector<postprocessing_rule>& rules) {
      std::vector<std::vector<double>> dices(rules.size());
      for (std::size_t i = 0; i < cases; ++i) {
        scored_pair one = pair(i);
        postprocess(one.prediction, chosen.rules, classes, region_order);
        for (std::size_t r = 0; r < rules.size(); ++r) {
          label_volume mask = one.prediction;
          postprocess(mask, {rules[r]}, classes, region_order);
          dices[r].push_back(dice(count_overlap(mask, one.reference, classes[c])));
        }
      }
      return dices;
    };
    postprocessing_rule rule{.name = classes[c].name};
    double first = -1, last = 0;
    // The best of some candidates takes the place of the rule, if it is good enough.
    const auto improve = [&](std::vector<postprocessing_rule> candidates) {
      candidates.insert(candidates.begin(), rule);
      const auto dices = scores(candidates);
      const double now = describe(dices[0]).mean;
      if (first < 0) first = now;
      last = now;
      std::size_t best = 0;
      double mean = now;
      for (std::size_t r = 1; r < dices.size(); ++r) {
        double loss = 0;
        for (std::size_t i = 0; i < cases; ++i) loss = std::max(loss, dices[0][i] - dices[r][i]);
        const double with = describe(dices[r]).mean;
        if (with - now >= options.least_gain && loss <= options.most_loss && with > mean) best = r, mean = with;
      }
      rule = candidates[best];
      last = mean;
    };
    postprocessing_rule next = rule;
    next.holes = true;
    improve({next});
    std::vector<postprocessing_rule> sizes;
    for (const double ml : options.smallest) sizes.push_back(rule), sizes.back().smallest = ml;
    next = rule;
    next.largest = true;
    sizes.push_back(next);
    improve(std::move(sizes));
    if (rule.holes || rule.largest || rule.smallest > 0) chosen.rules.push_back(rule);
    chosen.classes.push_back(classes[c].name);
    chosen.before.push_back(first);
    chosen.after.push_back(last);
  }
  return chosen;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
