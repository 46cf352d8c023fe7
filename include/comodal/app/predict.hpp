// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `predict`: a model and a folder of images in, masks on the images' own grids out.
#ifndef COMODAL_APP_PREDICT_HPP
#define COMODAL_APP_PREDICT_HPP

#include <comodal/app/images_to_predict.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/app/prediction_folder.hpp>
#include <comodal/app/segmenter.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/metric/tables.hpp>
#include <comodal/nn/checksum.hpp>

#include <algorithm>
#include <filesystem>
#include <new>
#include <set>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `predict` is asked for.
struct predict_request {
  std::filesystem::path model;           // model.safetensors of a run
  std::filesystem::path images;          // folder of CASE_0000.nii.gz, CASE_0001.nii.gz ..., or one of these
  std::filesystem::path folder;          // to write the masks to
  bool branches = false;                 // also the branch of each modality, in branch_NAME/
  bool only = false;                     // also the fused output from each modality alone, in only_NAME/
  bool subsets = false;                  // from every set of modalities but that of all, in only_NAME_+_NAME/
  bool uncertainty = false;              // also how far the branches disagree, in uncertainty/
  std::vector<std::string> cases = {};   // ids of those to segment; empty: all
  bool keep = false;                     // leave out cases that an earlier run with the same settings has finished
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
  std::vector<std::string> left;         // cases that were finished before, or by another process
  bool finished = true;                  // false: cancelled
};

}  // namespace app

namespace app_detail {

// Why a case of one modality has no uncertainty.
inline constexpr const char* no_disagreement =
    "has one modality, so that no branch can disagree with another; it gets no uncertainty";

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
    const int number = axis == "i" ? 2 : axis == "j" ? 1 : 0;
    if (std::find(windows.mirror.begin(), windows.mirror.end(), number) != windows.mirror.end())
      throw config_error(text("mirror: '", axis, "' is named twice"));
    windows.mirror.push_back(number);
  }
  return windows;
}

// Removes what an earlier run left of a case, half-written files too. @throws io_error if something cannot be removed
inline void remove_outputs(const std::filesystem::path& folder, const model_plan& plan, const std::string& id) {
  const std::string file = id + ".nii.gz";
  std::vector<std::filesystem::path> places{folder / uncertainty_folder};
  for (const auto& name : output_names(plan.modalities)) places.push_back(folder / folder_of(name));
  for (const auto& place : places) {
    remove_partial_files(place, file);
    std::error_code failure;
    std::filesystem::remove(place / file, failure);
    if (failure) throw io_error(text((place / file).string(), ": cannot be removed (", failure.message(), ")"));
  }
}

// Reads and prepares a case for a model. @param warnings gets what is worth a look
inline case_data case_for(const case_files& files, const model_plan& plan, std::vector<std::string>& warnings) {
  case_data one = prepare_case(files, plan.prepare);
  for (const auto& found : one.warnings) warnings.push_back(text(found.file.string(), ": ", found.reason));
  if (const std::string words = spacing_warning(one.preparation.canonical(), as_they_are(plan.spacing, plan.prepare));
      !words.empty())
    warnings.push_back(text(one.id, ": ", words));
  return one;
}

// What decides the bytes of a mask, and which masks there are.
inline std::string recipe_of(const app::predict_request& request, const safetensors_file& model) {
  std::string words = text(COMODAL_VERSION, " model ", checksum_of(model), " weights '", request.weights, "' step ",
                           detail::exact(request.step), " mirror");
  for (const auto& axis : request.mirror) words += " " + axis;
  if (request.branches) words += " branches";
  if (request.only) words += " only";
  if (request.subsets) words += " subsets";
  if (request.uncertainty) words += " uncertainty";
  return words;
}

// The outputs that a case has got.
struct written_case {
  std::vector<std::string> outputs;
  bool uncertain = false;
};

// Segments one case and writes its masks. @param warnings gets what is worth a look
template <tensor_backend Backend>
written_case predict_one(app::segmenter<Backend>& segment, const case_files& files, const app::predict_request& request,
                         const window_options& windows, std::vector<std::string>& warnings) {
  const model_plan& plan = segment.plan();
  const case_data one = case_for(files, plan, warnings);
  const std::string file = one.id + ".nii.gz";
  const output_choice wanted{.branches = request.branches,
                             .only = request.only,
                             .subsets = request.subsets,
                             .uncertainty = request.uncertainty};
  written_case written;
  segment(one, wanted, windows, [&](const case_output& result) {
    const std::filesystem::path folder = request.folder / folder_of(result.name);
    make_folder(folder);
    write_nifti_labels(folder / file, restore(result.labels, one.preparation), one.header);
    written.outputs.push_back(result.name);
    if (!result.uncertainty) return;
    make_folder(request.folder / uncertainty_folder);
    write_nifti(request.folder / uncertainty_folder / file, restore(*result.uncertainty, one.preparation), one.header);
    written.uncertain = true;
  });
  if (request.uncertainty && !written.uncertain) warnings.push_back(text(readable_name(one.id), ": ", no_disagreement));
  return written;
}

// Calls `work`; what keeps a case from being segmented becomes a line, so that the others go on. Too little memory for
// one volume may be enough for the next.
template <class Work>
std::string failure_of(const case_files& files, const Work& work) {
  constexpr const char* memory =
      "; its volume is too large for the memory of this machine: use one with more, or cut the volume";
  try {
    work();
    return {};
  } catch (const out_of_memory_error& failure) {
    return text(files.id, ": ", failure.what(), memory);
  } catch (const std::bad_alloc&) {
    return text(files.id, ": out of memory", memory);
  } catch (const device_error&) {
    throw;  // a device that fails fails for the next case, too
  } catch (const disk_error&) {
    throw;  // so does a full disk
  } catch (const io_error& failure) {
    return failure.what();  // names its file
  } catch (const error& failure) {
    return text(files.id, ": ", failure.what());
  } catch (const std::filesystem::filesystem_error& failure) {
    return text(failure.path1().string(), ": ", failure.code().message());
  }
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
  const auto content = read_model_file(request.model);
  segmenter<Backend> segment(request.model, content, request.weights, names);
  segment.warn_by([&](const std::string& line) { watch.warn(line); });
  const model_plan& plan = segment.plan();
  const auto windows = app_detail::windows_of(request.step, request.mirror, plan);
  app_detail::check_request(request, plan);
  app_detail::refuse_other_modalities(request.images, plan.modalities);
  const auto images = app_detail::images_to_predict(request.images, plan.modalities.size(), request.cases, watch);
  std::vector<std::string> ids;
  for (const auto& files : images.cases) ids.push_back(files.id);
  app_detail::predictions description{readable_name(request.model.string()), {}, plan.modalities, {}, plan.labels};
  description.subsets = request.subsets;
  description.recipe = app_detail::recipe_of(request, content);
  const app_detail::prediction_folder folder(request.folder, description, ids, request.keep, watch);
  const auto order = app_detail::output_names(plan.modalities);

  predict_summary summary;
  std::set<std::string> outputs;
  const auto segment_case = [&](const case_files& files) {
    std::vector<std::string> warnings;  // told behind the case: what an observer throws is no failure of it
    const auto fault = std::find_if(images.faults.begin(), images.faults.end(),
                                    [&](const finding& one) { return one.case_id == files.id; });
    const std::string failure = app_detail::failure_of(files, [&] {
      app_detail::remove_outputs(request.folder, plan, files.id);
      if (fault != images.faults.end()) throw io_error(to_words(*fault));
      const auto written = app_detail::predict_one(segment, files, request, windows, warnings);
      folder.record(files, written.outputs, written.uncertain, order);
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

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
