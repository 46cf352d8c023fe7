// SPDX-License-Identifier: Apache-2.0
/// @file
/// Checks of the plan that a run writes into its files.
#ifndef COMODAL_TRAIN_RUN_PLAN_HPP
#define COMODAL_TRAIN_RUN_PLAN_HPP

#include <comodal/model/model_file.hpp>

#include <filesystem>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

namespace train_detail {

// The normalisations of the library and of a plan.
[[nodiscard]] inline normalisation_registry normalisations_of(const model_plan& plan) {
  auto names = normalisation_registry::built_in();
  for (const auto& one : plan.prepare.normalise)
    if (!names.contains(one.name)) names.add(one);
  return names;
}

// @throws config_error for a plan that no reader of the model could use
inline void refuse_unreadable_plan(const model_plan& plan) {
  if (plan.modalities.empty())
    throw config_error("trainer: the plan names no modality; fill in model_plan::modalities");
  if (plan.labels.size() < 2)
    throw config_error(text("trainer: the plan has ", plan.labels.size(),
                            " labels, expected the background and at least one more; fill in model_plan::labels"));
  if (plan.predictors.empty())
    throw config_error("trainer: predictors() of the method is empty, expected the networks that may predict");
  safetensors_file file;  // whatever else a reader of the model will refuse
  write_plan(plan, file);
  try {
    (void)plan_of(file, "the plan", normalisations_of(plan));
  } catch (const io_error& failure) {
    throw config_error(text("trainer: a model with this plan could not be read: ", failure.what()));
  }
}

// @throws io_error if a checkpoint is of a run with another method, other modalities or labels than `now`
inline void refuse_other_run(const model_plan& now, const std::filesystem::path& file,
                             const safetensors_file& content) {
  const model_plan then = plan_of(content, file, normalisations_of(now));
  const auto expect = [&](bool same, std::string_view what) {
    if (!same)
      throw io_error(text(file.string(), ": belongs to a run with another ", what, "; use the same or another folder"));
  };
  expect(then.method == now.method, text("method ('", then.method, "', this one has '", now.method, "')"));
  expect(then.modalities == now.modalities, "list of modalities");
  expect(then.labels == now.labels && then.region_order == now.region_order, "list of labels");
}

}  // namespace train_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
