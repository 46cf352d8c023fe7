// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `predict`: a model and a folder of images in, masks on the images' own grids out.
#ifndef COMODAL_APP_PREDICT_HPP
#define COMODAL_APP_PREDICT_HPP

#include <comodal/app/observer.hpp>
#include <comodal/app/predictions.hpp>
#include <comodal/app/segmenter.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/data/cohort_json.hpp>
#include <comodal/data/nnunet_raw.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `predict` is asked for.
struct predict_request {
  std::filesystem::path model;           // model.safetensors of a run
  std::filesystem::path images;          // folder of CASE_0000.nii.gz, CASE_0001.nii.gz ...
  std::filesystem::path folder;          // to write the masks to
  bool branches = false;                 // also the branch of each modality, in branch_NAME/
  bool only = false;                     // also the fused output from each modality alone, in only_NAME/
  bool subsets = false;                  // from every set of modalities but that of all, in only_NAME_+_NAME/
  bool uncertainty = false;              // also how far the branches disagree, in uncertainty/
  std::string weights = {};              // which weights of the model; empty: its default
  double step = 0.5;                     // distance between windows, as a fraction of their size
  std::vector<std::string> mirror = {};  // average over flips along these axes: i, j, k
  index threads = 0;                     // 0: all cores
};

/// What `predict` came to.
struct predict_summary {
  std::vector<std::string> outputs;      // "fused", "branch T1", "only T1", "only T1 + T2" ...
  std::vector<std::string> cases;        // that are segmented
  std::vector<std::string> uncertainty;  // of them, those with an uncertainty map: two modalities or more
  std::vector<std::string> failures;     // one line per case that is not
  bool finished = true;                  // false: cancelled
};

}  // namespace app

namespace app_detail {

// Why a case of one modality has no uncertainty.
inline constexpr const char* no_disagreement =
    "has one modality, so that no branch can disagree with another; it gets no uncertainty";

// Volumes that no `predict` wrote may be somebody's labels or images.
inline void refuse_foreign_volumes(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder) || std::filesystem::exists(folder / "predictions.json")) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".nii.gz") || name.ends_with(".nii"))
      throw config_error(text(folder.string(), ": holds ", name, ", which `predict` did not write; name a new folder"));
  }
}

// The cases of a folder of images.
inline std::vector<case_files> images_to_predict(const std::filesystem::path& folder, std::size_t modalities,
                                                 const app::observer& watch) {
  if (!std::filesystem::is_directory(folder))
    throw io_error(text(folder.string(), ": there is no such folder of images"));
  std::vector<finding> findings;
  const std::string ending = volume_ending(folder);
  auto cases = read_nnunet_images(folder, modalities, ending, findings);
  watch.warn(findings);
  refuse_errors(findings);
  if (cases.empty())
    throw io_error(text(folder.string(), ": holds no image CASE_0000", ending, " ... CASE_",
                        modality_number(modalities - 1), ending));
  return cases;
}

// Two outputs in one folder would overwrite each other.
inline void refuse_equal_folders(const std::vector<std::string>& modalities, bool subsets) {
  std::set<std::string> taken;
  for (const auto& set : modality_subsets(modalities.size(), subsets ? modalities.size() - 1 : 1))
    if (const std::string folder = folder_of(name_of_subset(modalities, set)); !taken.insert(folder).second)
      throw config_error(text("predict: the folder '", folder, "' would hold the outputs of two ",
                              set.size() == 1 ? "modalities" : "sets of modalities",
                              "; give modalities names that differ in more than spaces and slashes",
                              set.size() == 1 ? "" : ", and that have no \" + \" in them"));
}

// What a request asks of a model is checked before a volume is read.
inline void check_request(const app::predict_request& request, const model_plan& plan) {
  const std::size_t count = plan.modalities.size();
  if (request.subsets && count > most_modalities_of_subsets)
    throw config_error(text("subsets: the model has ", count, " modalities, expected ", most_modalities_of_subsets,
                            " at most: the number of sets doubles with each; use --only"));
  if (request.uncertainty) expect_branches(plan, "uncertainty");
  const bool subsets = request.subsets && count > 1;
  if (request.branches || request.only || subsets) refuse_equal_folders(plan.modalities, subsets);
}

inline window_options windows_of(double step, const std::vector<std::string>& mirror, const model_plan& plan) {
  window_options windows{plan.patch_size, step, {}};
  for (const auto& axis : mirror) {
    if (axis != "i" && axis != "j" && axis != "k")
      throw config_error(text("mirror: '", axis, "' is no axis, expected i, j or k"));
    windows.mirror.push_back(axis == "i" ? 2 : axis == "j" ? 1 : 0);
  }
  return windows;
}

// What an earlier run left of a case.
inline void remove_outputs(const std::filesystem::path& folder, const model_plan& plan, const std::string& id) {
  const std::string file = id + ".nii.gz";
  for (const auto& name : output_names(plan.modalities)) std::filesystem::remove(folder / folder_of(name) / file);
  std::filesystem::remove(folder / uncertainty_folder / file);
}

// Reads and prepares a case for a model. @param warnings gets what is worth a look
inline case_data case_for(const case_files& files, const model_plan& plan, std::vector<std::string>& warnings) {
  case_data one = prepare_case(files, plan.prepare);
  for (const auto& found : one.warnings) warnings.push_back(text(found.file.string(), ": ", found.reason));
  if (const std::string words = spacing_warning(one.preparation.canonical(), plan.spacing); !words.empty())
    warnings.push_back(text(one.id, ": ", words));
  return one;
}

// Segments one case and writes its masks. @param warnings gets what is worth a look
template <tensor_backend Backend>
void predict_one(app::segmenter<Backend>& segment, const case_files& files, const app::predict_request& request,
                 const window_options& windows, app::predict_summary& summary, std::vector<std::string>& warnings) {
  const model_plan& plan = segment.plan();
  remove_outputs(request.folder, plan, files.id);
  const case_data one = case_for(files, plan, warnings);
  const std::string file = one.id + ".nii.gz";
  const output_choice wanted{.branches = request.branches,
                             .only = request.only,
                             .subsets = request.subsets,
                             .uncertainty = request.uncertainty};
  bool uncertain = false;
  segment(one, wanted, windows, [&](const case_output& result) {
    const std::filesystem::path folder = request.folder / folder_of(result.name);
    std::filesystem::create_directories(folder);
    write_nifti_labels(folder / file, restore(result.labels, one.preparation), one.header);
    auto& outputs = summary.outputs;
    if (std::find(outputs.begin(), outputs.end(), result.name) == outputs.end()) outputs.push_back(result.name);
    if (!result.uncertainty) return;
    std::filesystem::create_directories(request.folder / uncertainty_folder);
    write_nifti(request.folder / uncertainty_folder / file, restore(*result.uncertainty, one.preparation), one.header);
    uncertain = true;
  });
  summary.cases.push_back(one.id);
  if (uncertain) summary.uncertainty.push_back(one.id);
  if (request.uncertainty && !uncertain) warnings.push_back(text(readable_name(one.id), ": ", no_disagreement));
}

// Tables list outputs in one order, whichever case had which first.
inline void order_outputs(std::vector<std::string>& outputs, const std::vector<std::string>& modalities) {
  const auto names = output_names(modalities);
  const auto place = [&](const std::string& name) { return std::find(names.begin(), names.end(), name); };
  std::sort(outputs.begin(), outputs.end(),
            [&](const std::string& a, const std::string& b) { return place(a) < place(b); });
}

}  // namespace app_detail

namespace app {

/// Segments every case of a folder. Masks lie on the grid of the case's own images. A case that cannot be used is a
/// line in `failures`; the others go on. What stands in the folder from another model or run is not to be taken for
/// this one's: not after a failure, not after a kill.
/// @throws io_error, config_error for a model or folders that cannot be used; device_error if memory runs out
template <tensor_backend Backend>
[[nodiscard]] predict_summary predict(const predict_request& request,
                                      const registry<Backend>& names = registry<Backend>::built_in(),
                                      const observer& watch = {}) {
  expect_runtime();
  const host_threads_scope threads(request.threads);
  segmenter<Backend> segment(request.model, request.weights, names);
  segment.warn_by([&](const std::string& line) { watch.warn(line); });
  const model_plan& plan = segment.plan();
  const auto windows = app_detail::windows_of(request.step, request.mirror, plan);
  app_detail::check_request(request, plan);
  const auto cases = app_detail::images_to_predict(request.images, plan.modalities.size(), watch);
  app_detail::refuse_foreign_volumes(request.folder);

  std::filesystem::create_directories(request.folder);
  app_detail::predictions description{request.model.string(), {}, plan.modalities, {}, plan.labels};
  description.subsets = request.subsets;
  app_detail::write_predictions(request.folder, description);
  predict_summary summary;
  index done = 0;
  for (const auto& files : cases) {
    if (watch.stops()) {
      summary.finished = false;
      break;
    }
    std::vector<std::string> warnings;  // told behind the case: what an observer throws is no failure of it
    try {
      app_detail::predict_one(segment, files, request, windows, summary, warnings);
    } catch (const device_error&) {
      throw;  // memory that is short here is short for the next case, too
    } catch (const io_error& failure) {
      summary.failures.emplace_back(failure.what());  // names its file
    } catch (const error& failure) {
      summary.failures.push_back(text(files.id, ": ", failure.what()));
    }
    for (const auto& words : warnings) watch.warn(words);
    watch.show({"case", 0, ++done, static_cast<index>(cases.size())});
  }
  app_detail::order_outputs(summary.outputs, plan.modalities);
  description.outputs = summary.outputs;
  description.cases = summary.cases;
  description.uncertainty = summary.uncertainty;
  app_detail::write_predictions(request.folder, description);
  return summary;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
