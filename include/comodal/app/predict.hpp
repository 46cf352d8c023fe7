// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `predict`: a model and a folder of images in, masks on the images' own grids out.
#ifndef COMODAL_APP_PREDICT_HPP
#define COMODAL_APP_PREDICT_HPP

#include <comodal/app/images_to_predict.hpp>
#include <comodal/app/model_files.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/app/predicted_case.hpp>
#include <comodal/app/prediction_folder.hpp>
#include <comodal/core/runtime.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `predict` came to.
struct predict_summary {
  std::vector<std::string> outputs;      // "fused", "branch T1", "only T1", "only T1 + T2" ...
  std::vector<std::string> cases;        // that are segmented
  std::vector<std::string> uncertainty;  // of them, those with an uncertainty map: two modalities or more
  std::vector<std::string> failures;     // one line per case that is not
  std::vector<std::string> left;         // cases that were finished before, or by another process
  bool finished = true;                  // false: cancelled
};

}  // namespace app

namespace app_detail {

// Segments cases with models that are loaded. `request.images` and `request.cases` are not looked at.
template <tensor_backend Backend>
app::predict_summary predict_images(const app::predict_request& request, app::segmenter<Backend>& segment,
                                    const images_of_cases& images, const app::observer& watch) {
  segment.warn_by([&](const std::string& line) { watch.warn(line); });
  const model_plan& plan = segment.plan();
  const auto windows = windows_of(request.step, request.mirror, plan);
  std::vector<std::string> ids;
  for (const auto& files : images.cases) ids.push_back(files.id);
  predictions description{readable_name(request.model.string()), {}, plan.modalities, {}, plan.labels};
  for (const auto& more : request.also) description.model += ", " + readable_name(more.string());
  description.subsets = request.subsets;
  description.calls = {app::provenance_now()};
  description.models = segment.files();
  description.recipe = recipe_of(request, segment.checksums(), rules_of(request, segment));
  const prediction_folder folder(request.folder, description, ids, request.keep, watch);
  const auto order = output_names(plan.modalities);

  app::predict_summary summary;
  std::set<std::string> outputs;
  const auto segment_case = [&](const case_files& files) {
    std::vector<std::string> warnings;  // told behind the case: what an observer throws is no failure of it
    const auto fault = std::find_if(images.faults.begin(), images.faults.end(),
                                    [&](const finding& one) { return one.case_id == files.id; });
    const std::string failure = failure_of(files, [&] {
      remove_outputs(request.folder, plan, files.id);
      if (fault != images.faults.end()) throw io_error(to_words(*fault));
      const auto written = predict_one(segment, files, request, windows, warnings);
      folder.record(files, written.outputs, written.uncertain, order, warnings);
      summary.cases.push_back(files.id);
      if (written.uncertain) summary.uncertainty.push_back(files.id);
      outputs.insert(written.outputs.begin(), written.outputs.end());
    });
    if (!failure.empty()) {
      summary.failures.push_back(failure);
      folder.record_failure(files.id, failure);
    }
    for (const auto& words : warnings) watch.warn(words);
  };
  // Cases that another process has now come last: it may have failed.
  std::vector<const case_files*> later;
  index done = 0;
  const auto all = static_cast<index>(images.cases.size());
  for (const auto& files : images.cases) {
    if (watch.stops()) {
      summary.finished = false;
      break;
    }
    if (const auto held = folder.take(files)) {
      segment_case(files);
    } else if (folder.finished(files)) {
      summary.left.push_back(files.id);
    } else {
      later.push_back(&files);
      continue;
    }
    watch.show({"case", 0, ++done, all, {}, files.id});
  }
  for (const case_files* files : later) {
    if (watch.stops()) summary.finished = false;
    if (!summary.finished) break;
    if (const auto held = folder.take(*files, true))
      segment_case(*files);
    else
      summary.left.push_back(files->id);
    watch.show({"case", 0, ++done, all, {}, files->id});
  }
  for (const auto& name : order)
    if (outputs.contains(name)) summary.outputs.push_back(name);
  return summary;
}

}  // namespace app_detail

namespace app {

/// Segments every case of a folder. Masks lie on the grid of the case's own images. A case that cannot be used is a
/// line in `failures`; the others go on, unless the disk is full or the device fails. What is finished is recorded in
/// `predictions.json` case by case; what stands in the folder from another model or other settings is not to be taken
/// for this run's. Several processes may share a folder: each takes cases that no other has.
/// @throws io_error, config_error for a model or folders that cannot be used; disk_error, device_error
template <tensor_backend Backend>
[[nodiscard]] predict_summary predict(const predict_request& request,
                                      const registry<Backend>& names = registry<Backend>::built_in(),
                                      const observer& watch = {}) {
  expect_runtime();
  const host_threads_scope threads(request.threads);
  std::vector<std::filesystem::path> models{request.model};
  models.insert(models.end(), request.also.begin(), request.also.end());
  segmenter<Backend> segment(model_files(models), request.weights, names);
  const auto& modalities = segment.plan().modalities;
  for (const model_plan* plan : segment.plans()) app_detail::check_request(request, *plan);
  if (segment.plans().size() > 1) watch.tell(text("averaging ", segment.plans().size(), " models"));
  (void)app_detail::windows_of(request.step, request.mirror, segment.plan());
  app_detail::refuse_other_modalities(request.images, modalities);
  const auto images = app_detail::images_to_predict(request.images, modalities.size(), request.cases, watch);
  return app_detail::predict_images(request, segment, images, watch);
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
