// SPDX-License-Identifier: Apache-2.0
/// @file
/// Rules of post-processing that masks of cases with labels speak for.
#ifndef COMODAL_METRIC_CHOOSE_POSTPROCESSING_HPP
#define COMODAL_METRIC_CHOOSE_POSTPROCESSING_HPP

#include <comodal/data/postprocessing.hpp>
#include <comodal/metric/score.hpp>

#include <algorithm>
#include <functional>
#include <optional>
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

/// Looks, class by class, whether filling holes, removing small components or keeping the largest one alone raise the
/// mean Dice over the cases that have the class, one after the other. A step is taken if the mean of its class rises by
/// `least_gain`, the mean over all classes rises, and no class of any case loses more than `most_loss`. What is chosen
/// on few cases may not hold for others.
/// @param pair the mask and truth of case `i`, 0 <= i < cases: called several times
/// @param ignored the label value of voxels of the truth that nobody looked at: they do not count
/// @throws config_error without a case
[[nodiscard]] chosen_postprocessing choose_postprocessing(std::size_t cases,
                                                          const std::function<scored_pair(std::size_t i)>& pair,
                                                          const std::vector<label_class>& classes,
                                                          const std::vector<int>& region_order,
                                                          const postprocessing_options& options = {},
                                                          const std::optional<int>& ignored = {});

namespace metric_detail {

// Dice by class (but the background) and case.
using class_dices = std::vector<std::vector<double>>;

[[nodiscard]] inline double sum_of_means(const class_dices& dices) {
  double sum = 0;
  for (const auto& of_class : dices)
    if (!of_class.empty()) sum += describe(of_class).mean;
  return sum;
}

// True if `now` may take the place of `before` for the sake of a class.
[[nodiscard]] inline bool improves(const class_dices& before, const class_dices& now, std::size_t number,
                                   const postprocessing_options& options) {
  if (now[number].empty()) return false;  // no case has the class
  double loss = 0;
  for (std::size_t c = 0; c < before.size(); ++c)
    for (std::size_t i = 0; i < before[c].size(); ++i) loss = std::max(loss, before[c][i] - now[c][i]);
  return describe(now[number]).mean - describe(before[number]).mean >= options.least_gain &&
         loss <= options.most_loss && sum_of_means(now) > sum_of_means(before);
}

}  // namespace metric_detail

#if COMODAL_BODIES
COMODAL_ONCE chosen_postprocessing choose_postprocessing(
    std::size_t cases, const std::function<scored_pair(std::size_t i)>& pair, const std::vector<label_class>& classes,
    const std::vector<int>& region_order, const postprocessing_options& options, const std::optional<int>& ignored) {
  if (cases == 0) throw config_error("postprocess: no case with a mask and a label, expected at least one");
  chosen_postprocessing chosen;
  // The scores of masks after what is chosen so far and one more rule, for each of some.
  const auto scores = [&](const std::vector<std::vector<postprocessing_rule>>& candidates) {
    std::vector<metric_detail::class_dices> dices(candidates.size(), metric_detail::class_dices(classes.size() - 1));
    for (std::size_t i = 0; i < cases; ++i) {
      scored_pair one = pair(i);
      postprocess(one.prediction, chosen.rules, classes, region_order);
      for (std::size_t r = 0; r < candidates.size(); ++r) {
        label_volume mask = one.prediction;
        postprocess(mask, candidates[r], classes, region_order);
        label_volume truth = one.reference;
        leave_out(mask, truth, ignored);
        for (std::size_t c = 1; c < classes.size(); ++c)  // what is not there has no Dice that could be won by removal
          if (const confusion counts = count_overlap(mask, truth, classes[c]); counts.reference() > 0)
            dices[r][c - 1].push_back(dice(counts));
      }
    }
    return dices;
  };
  const auto means = [&] {
    std::vector<double> out;
    const auto dices = scores({{}});
    for (const auto& of_class : dices[0]) out.push_back(describe(of_class).mean);
    return out;
  };
  chosen.before = means();
  for (std::size_t c = 1; c < classes.size(); ++c) {
    chosen.classes.push_back(classes[c].name);
    postprocessing_rule rule{.name = classes[c].name};
    // The best of some candidates takes the place of the rule, if it is good enough.
    const auto improve = [&](const std::vector<postprocessing_rule>& candidates) {
      std::vector<std::vector<postprocessing_rule>> tried{{rule}};
      for (const auto& one : candidates) tried.push_back({one});
      const auto dices = scores(tried);
      std::size_t best = 0;
      for (std::size_t r = 1; r < dices.size(); ++r)
        if (metric_detail::improves(dices[0], dices[r], c - 1, options) &&
            describe(dices[r][c - 1]).mean > describe(dices[best][c - 1]).mean)
          best = r;
      rule = tried[best][0];
    };
    postprocessing_rule next = rule;
    next.holes = true;
    improve({next});
    std::vector<postprocessing_rule> sizes;
    for (const double ml : options.smallest) sizes.push_back(rule), sizes.back().smallest = ml;
    sizes.push_back(rule);
    sizes.back().largest = true;
    improve(sizes);
    if (rule.holes || rule.largest || rule.smallest > 0) chosen.rules.push_back(rule);
  }
  chosen.after = means();
  return chosen;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
