// SPDX-License-Identifier: Apache-2.0
/// @file
/// The options of contrastive mutual learning, with method.md's defaults.
#ifndef COMODAL_SSL_CONTRASTIVE_MUTUAL_LEARNING_OPTIONS_HPP
#define COMODAL_SSL_CONTRASTIVE_MUTUAL_LEARNING_OPTIONS_HPP

#include <comodal/core/option_range.hpp>
#include <comodal/core/shape.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `contrastive_mutual_learning`, the table [method.contrastive_mutual_learning].
struct contrastive_mutual_learning_options {
  static constexpr std::string_view name = "contrastive_mutual_learning";

  double branch_weight = 0.5;            // of the branches' losses beside the fused one's
  double ema_decay = 0.99;               // of the teacher's weights
  double ramp = 0.4;                     // fraction of the run over which unlabelled terms rise
  double consensus = 0.5;                // weight of the consensus with the teacher
  double contrast = 0.1;                 // weight of the contrast between modalities
  std::string contrast_kind = "map";     // or feature: of features at drawn cells; prototype: of prototypes of classes
  std::vector<index> contrast_stages{};  // feature, prototype: stages that are compared, 1 the finest; none: from 2 on
  index positions = 256;                 // feature, prototype: cells that are drawn per crop and stage
  double temperature = 0.1;              // of the contrast
  index queue = 32;                      // maps of earlier steps that serve as negatives
  index pool = 4;                        // voxels per axis that the contrasted maps average
  std::string similarity = "soft_dice";  // or cosine, iou
  double sharpen = 0.5;                  // temperature of the teacher's target
  double counted_voxels =
      32;  // target mass in voxels from which a class counts in a crop's Dice; fewer for large voxels
  std::string confidence = "soft";   // or threshold
  double threshold = 0.8;            // of the confidence, where it is chosen
  std::string agreement = "none";    // or mse, disagreement: where branches differ the more certain one teaches
  double disagree = 0.5;             // weight of agreement = "disagreement"
  std::string target = "consensus";  // or cps: hard labels of the partner branches (ablation)
  bool reliability = true;           // branches learn from better ones; false: all pairs weigh 1

  /// Calls `visit(key, reference)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    const auto option = [&](std::string_view key, auto& value) { visit(key, value); };
    option("branch_weight", o.branch_weight);
    option("ema_decay", o.ema_decay);
    option("ramp", o.ramp);
    option("consensus", o.consensus);
    option("contrast", o.contrast);
    option("contrast_kind", o.contrast_kind);
    option("contrast_stages", o.contrast_stages);
    option("positions", o.positions);
    option("temperature", o.temperature);
    option("queue", o.queue);
    option("pool", o.pool);
    option("similarity", o.similarity);
    option("sharpen", o.sharpen);
    option("counted_voxels", o.counted_voxels);
    option("confidence", o.confidence);
    option("threshold", o.threshold);
    option("agreement", o.agreement);
    option("disagree", o.disagree);
    option("target", o.target);
    option("reliability", o.reliability);
  }
  /// @throws config_error naming the key that makes no sense
  void check() const;
};

#if COMODAL_BODIES
COMODAL_ONCE void contrastive_mutual_learning_options::check() const {
  const auto key = [](std::string_view option) { return text("method.", name, ".", option); };
  expect_between(key("branch_weight"), branch_weight, 0, 100);
  expect_option(ema_decay >= 0 && ema_decay < 1, key("ema_decay"), ema_decay, "0 or more and less than 1");
  expect_between(key("ramp"), ramp, 0, 1);
  expect_between(key("consensus"), consensus, 0, 1000);
  expect_between(key("contrast"), contrast, 0, 1000);
  expect_one_of(key("contrast_kind"), contrast_kind, {"map", "feature", "prototype"});
  expect_between(key("positions"), static_cast<double>(positions), 1, 65536);
  expect_between(key("temperature"), temperature, 0.001, 1000);
  for (std::size_t i = 0; i < contrast_stages.size(); ++i)
    expect_option(contrast_stages[i] >= 1 && (i == 0 || contrast_stages[i] > contrast_stages[i - 1]),
                  key("contrast_stages"), contrast_stages[i], "rising numbers from 1, the finest stage");
  expect_between(key("queue"), static_cast<double>(queue), 0, 65536);
  expect_between(key("pool"), static_cast<double>(pool), 1, 64);
  expect_one_of(key("similarity"), similarity, {"soft_dice", "cosine", "iou"});
  expect_above(key("sharpen"), sharpen, 0, 100);
  expect_between(key("counted_voxels"), counted_voxels, 0, 1e9);
  expect_one_of(key("confidence"), confidence, {"soft", "threshold"});
  expect_between(key("threshold"), threshold, 0, 1);
  expect_one_of(key("agreement"), agreement, {"none", "mse", "disagreement"});
  expect_between(key("disagree"), disagree, 0, 1000);
  expect_one_of(key("target"), target, {"consensus", "cps"});
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
