// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `postprocess`: masks of cases with labels choose what is done to the masks of a model, and the model keeps
/// it.
#ifndef COMODAL_APP_POSTPROCESS_HPP
#define COMODAL_APP_POSTPROCESS_HPP

#include <comodal/app/mask_folder.hpp>
#include <comodal/app/model_files.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/metric/choose_postprocessing.hpp>
#include <comodal/metric/score.hpp>
#include <comodal/metric/tables.hpp>
#include <comodal/model/model_file.hpp>

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `postprocess` is asked for.
struct postprocess_request {
  std::filesystem::path model;                     // a model file, the folder of a run, or that of a cross-validation
  std::vector<std::filesystem::path> predictions;  // folders of masks that `predict --raw` made of cases with labels
  std::filesystem::path labels;                    // folder of the true masks
  std::optional<int> ignored = {};  // label value of voxels that nobody looked at; unset: as the data set says
  postprocessing_options options = {};
};

/// What `postprocess` came to.
struct postprocess_summary {
  std::size_t cases = 0;
  chosen_postprocessing chosen;
  std::vector<std::filesystem::path> models;  // that keep the rules now
};

/// The mean Dice by class before and after, as a table.
[[nodiscard]] inline text_table postprocessing_table(const chosen_postprocessing& chosen) {
  text_table table{{"class", "post-processing", "Dice before", "Dice after"}, {}};
  for (std::size_t c = 0; c < chosen.classes.size(); ++c) {
    std::string words = "none";
    for (const auto& rule : chosen.rules)
      if (rule.name == chosen.classes[c]) words = to_words(rule).substr(rule.name.size() + 2);
    table.rows.push_back(
        {chosen.classes[c], words, detail::fixed(chosen.before[c], 4), detail::fixed(chosen.after[c], 4)});
  }
  return table;
}

}  // namespace app

namespace app_detail {

// Gives a model file other rules. @throws as `read_model_file`, `plan_of`, `write_checked_safetensors`
inline void keep_postprocessing(const std::filesystem::path& file, const std::vector<postprocessing_rule>& rules,
                                const normalisation_registry& names) {
  safetensors_file content = read_model_file(file);
  if (plan_of(content, file, names).postprocess == rules) return;
  set_postprocessing(content, rules);
  write_checked_safetensors(file, std::move(content));
  run_record::changed(file.parent_path(), "postprocessing");
}

// A mask and its label, on their files.
struct masked_case {
  std::filesystem::path mask, label;
};

// @throws geometry_error that names both where they are on different grids
inline void expect_same_grid(const scored_pair& pair, const std::filesystem::path& mask, const std::string& label) {
  if (const std::string how = grid_difference(pair.prediction.geometry, pair.reference.geometry); !how.empty())
    throw geometry_error(text(mask.string(), ": is on another grid than ", label, ": ", how));
}

}  // namespace app_detail

namespace app {

/// Chooses rules on the fused masks of cases with labels (`choose_postprocessing`) and writes them into the model
/// files.
/// @throws io_error for folders without masks that have a label; config_error for masks that were post-processed
/// before, or of other classes than the model's
[[nodiscard]] inline postprocess_summary postprocess_models(
    const postprocess_request& request, const normalisation_registry& names = normalisation_registry::built_in(),
    const observer& watch = {}) {
  postprocess_summary summary;
  summary.models = model_files(request.model);
  const model_plan plan = plan_of(read_model_file(summary.models[0]), summary.models[0], names);
  std::vector<std::string> sums;
  for (const auto& file : summary.models) {  // before the first is changed
    const safetensors_file content = read_model_file(file);
    const model_plan other = plan_of(content, file, names);
    if (other.labels != plan.labels || other.region_order != plan.region_order)
      throw config_error(text(file.string(), ": has other classes than ", summary.models[0].string()));
    sums.push_back(weights_checksum(content));
  }
  app_detail::look_at_labels(request.labels, request.predictions, watch);
  app_detail::refuse_same_folders(request.predictions);
  const auto truth = app_detail::masks_of(request.labels);
  std::vector<app_detail::masked_case> cases;
  std::set<std::string> taken;
  std::optional<int> ignored = request.ignored;
  for (const auto& folder : request.predictions) {
    const auto masks = app_detail::read_mask_folder(folder, request.labels);
    if (masks.about.recipe.find(" rules ") != std::string::npos)
      throw config_error(text(folder.string(), ": its masks are post-processed already; make them with --raw"));
    for (std::size_t m = 0; masks.by_predict && m < summary.models.size(); ++m)
      if (masks.about.recipe.find(sums[m]) == std::string::npos)
        throw config_error(text(folder.string(), ": its masks are not those of ", summary.models[m].string(),
                                "; make them with this model, and --raw"));
    if (masks.about.labels != plan.labels)
      throw config_error(text(folder.string(), ": its masks have other classes than the model"));
    if (!ignored) ignored = masks.ignored;
    for (const auto& [id, file] : masks.masks(masks.by_predict ? "fused" : app_detail::foreign_output))
      if (const auto at = truth.find(id); at != truth.end()) {
        if (!taken.insert(id).second)
          throw config_error(text(file.string(), ": case ", readable_name(id), " has a mask in another folder, too"));
        cases.push_back({file, at->second});
      }
  }
  if (cases.empty())
    throw io_error(text(request.labels.string(), ": no mask has a label there; both must have the same names"));
  summary.cases = cases.size();
  summary.chosen = choose_postprocessing(
      cases.size(),
      [&](std::size_t i) {
        const auto& one = cases[i];
        scored_pair pair{app_detail::read_mask(one.mask, plan.labels),
                         app_detail::read_mask(one.label, plan.labels, ignored)};
        app_detail::expect_same_grid(pair, one.mask, one.label.string());
        return pair;
      },
      plan.labels, plan.region_order, request.options, ignored);
  for (const auto& file : summary.models) app_detail::keep_postprocessing(file, summary.chosen.rules, names);
  return summary;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
