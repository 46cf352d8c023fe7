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

  double branch_weight = 0.5;
  double ema_decay = 0.99;
  double ramp = 0.4;
  double consensus = 0.5;
  double contrast = 0.1;
  std::string contrast_kind = "map";
  std::vector<index> contrast_stages{};
  index positions = 256;
  double temperature = 0.1;
  index queue = 32;
  index pool = 4;
  std::string similarity = "soft_dice";
  double sharpen = 0.5;
  double counted_voxels =
      32;  // target mass in voxels from which a class counts in a crop's Dice; fewer for large voxels
  std::string confidence = "soft";
  double threshold = 0.8;
  std::string agreement = "none";
  double disagree = 0.5;
  std::string target = "consensus";
  bool reliability = true;

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    const auto option = [&](std::string_view key, auto& value, std::string_view help) { visit(key, value, help); };
    option("branch_weight", o.branch_weight, "weight of the branches' losses beside the fused one's");
    option("ema_decay", o.ema_decay, "decay of the teacher's weights, which predict");
    option("ramp", o.ramp, "fraction of the run over which the weights of unlabelled terms rise");
    option("consensus", o.consensus, "weight of the consensus with the teacher");
    option("contrast", o.contrast, "weight of the contrast between modalities");
    option("contrast_kind", o.contrast_kind,
           "what is contrasted: map: predictions; feature: features at drawn cells; prototype: class means");
    option("contrast_stages", o.contrast_stages,
           "feature, prototype: stages that are compared, 1 is the finest; empty: from 2 on");
    option("positions", o.positions, "feature, prototype: cells that are drawn per crop and stage");
    option("temperature", o.temperature, "temperature of the contrast");
    option("queue", o.queue, "maps of earlier steps that serve as negatives");
    option("pool", o.pool, "voxels per axis that the contrasted maps average");
    option("similarity", o.similarity, "similarity of two maps: soft_dice, cosine or iou");
    option("sharpen", o.sharpen, "temperature of the teacher's target; lower is sharper");
    option("counted_voxels", o.counted_voxels,
           "target mass in voxels from which a class counts in a crop's Dice; fewer for large voxels");
    option("confidence", o.confidence,
           "soft: voxels weigh by the teacher's confidence; threshold: those above `threshold` count");
    option("threshold", o.threshold, "of the confidence, with confidence = \"threshold\"");
    option("agreement", o.agreement,
           "of branches: none; mse: squared error; disagreement: where they differ the more certain one teaches");
    option("disagree", o.disagree, "weight of agreement = \"disagreement\"");
    option("target", o.target, "what branches learn: consensus; cps: hard labels of the partner branches");
    option("reliability", o.reliability, "true: branches learn from better ones; false: all pairs weigh 1");
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
