// SPDX-License-Identifier: Apache-2.0
/// @file
/// One case of the verb `predict`: prepared, segmented, and written on the grid of its images.
#ifndef COMODAL_APP_PREDICTED_CASE_HPP
#define COMODAL_APP_PREDICTED_CASE_HPP

#include <comodal/app/predictions.hpp>
#include <comodal/app/probability_spill.hpp>
#include <comodal/app/segmenter.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/data/nifti_write.hpp>
#include <comodal/metric/tables.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `predict` is asked for.
struct predict_request {
  std::filesystem::path model;           // a model file, the folder of a run, or that of a cross-validation
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
  std::vector<std::filesystem::path> also = {};  // further models, as `model`: probabilities are averaged
  bool entropy = false;                          // also the entropy of the fused probabilities, in entropy/
  bool probabilities = false;                    // also the probabilities of each output, in its folder probabilities/
  bool raw = false;                              // without the post-processing that the model asks for
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
  if (request.branches) expect_branches(plan, "branches");
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
  std::vector<std::filesystem::path> places{folder / uncertainty_folder, folder / entropy_folder};
  for (const auto& name : output_names(plan.modalities)) {
    places.push_back(folder / folder_of(name));
    places.push_back(folder / probabilities_of(name));
  }
  for (const auto& place : places) {
    remove_partial_files(place, file);
    std::error_code failure;
    std::filesystem::remove(place / file, failure);
    if (failure) throw io_error(text((place / file).string(), ": cannot be removed (", failure.message(), ")"));
  }
}

// A case whose images have no contrast has nothing to be segmented: its mask would look like one all the same.
inline void refuse_constant(const case_data& one) {
  const auto constant = [](const image_volume& image) {
    return std::all_of(image.values.begin(), image.values.end(), [&](float v) { return v == image.values[0]; });
  };
  if (std::all_of(one.images.begin(), one.images.end(), constant))
    throw io_error(text(readable_name(one.id),
                        ": every image of the case is constant after it was normalised, so that there is nothing to "
                        "segment; look whether the files are the right ones"));
}

// Reads a case and prepares it in the ways of the models. @param warnings gets what is worth a look
inline std::vector<case_data> cases_for(const case_files& files, const std::vector<prepare_options>& ways,
                                        const model_plan& plan, std::vector<std::string>& warnings) {
  std::vector<case_data> prepared = prepare_in_ways(files, ways);
  const case_data& one = prepared[0];
  refuse_constant(one);
  for (const auto& found : one.warnings) warnings.push_back(text(found.file.string(), ": ", found.reason));
  if (const std::string words = spacing_warning(one.preparation.canonical(), as_they_are(plan.spacing, plan.prepare));
      !words.empty())
    warnings.push_back(text(one.id, ": ", words));
  return prepared;
}

// What decides the bytes of a mask, and which masks there are. @param models check sums
// @param rules that are applied
inline std::string recipe_of(const app::predict_request& request, const std::vector<std::string>& models,
                             const std::vector<postprocessing_rule>& rules) {
  std::string words = text(COMODAL_VERSION, models.size() == 1 ? " model" : " models");
  for (const auto& sum : models) words += " " + sum;
  words += text(" weights '", request.weights, "' step ", detail::exact(request.step), " mirror");
  for (const auto& axis : request.mirror) words += " " + axis;
  if (request.branches) words += " branches";
  if (request.only) words += " only";
  if (request.subsets) words += " subsets";
  if (request.uncertainty) words += " uncertainty";
  if (request.entropy) words += " entropy";
  if (request.probabilities) words += " probabilities";
  for (const auto& rule : rules) words += text(" rules ", to_words(rule));
  return words;
}

template <tensor_backend Backend>
std::vector<postprocessing_rule> rules_of(const app::predict_request& request, const app::segmenter<Backend>& segment) {
  return request.raw ? std::vector<postprocessing_rule>{} : segment.postprocess();
}

// The outputs that a case has got.
struct written_case {
  std::vector<std::string> outputs;
  bool uncertain = false;
};

// One output on the grid of the case's images, post-processed unless it is of a branch.
inline label_volume mask_of(const case_output& result, const case_data& one, const model_plan& plan,
                            const std::vector<postprocessing_rule>& rules) {
  label_volume mask = restore(result.labels, one.preparation);
  if (!result.name.starts_with("branch ")) postprocess(mask, rules, plan.labels, plan.region_order);
  return mask;
}

inline void write_output(const std::filesystem::path& place, const case_output& result, const case_data& one,
                         const model_plan& plan, const std::vector<postprocessing_rule>& rules) {
  make_folder(place);
  write_nifti_labels(place / (one.id + ".nii.gz"), mask_of(result, one, plan, rules), one.header);
}

inline void write_map(const std::filesystem::path& place, const image_volume& map, const case_data& one) {
  make_folder(place);
  write_nifti(place / (one.id + ".nii.gz"), restore(map, one.preparation), one.header);
}

// Writes probabilities, a volume per channel. What was left out is background: probability 1 of the first of exclusive
// classes, 0 of every region.
inline void write_probabilities(const std::filesystem::path& place, const probability_spill& spill,
                                const case_data& one, const model_plan& plan) {
  make_folder(place);
  write_nifti_series(place / (one.id + ".nii.gz"), one.header, spill.channels(), [&](index c) {
    return one.preparation.restore(spill.channel(c), !plan.has_regions() && c == 0 ? 1.f : 0.f);
  });
}

// Segments one case and writes its masks. @param warnings gets what is worth a look
template <tensor_backend Backend>
written_case predict_one(app::segmenter<Backend>& segment, const case_files& files, const app::predict_request& request,
                         const window_options& windows, std::vector<std::string>& warnings) {
  const model_plan& plan = segment.plan();
  const std::vector<case_data> prepared = cases_for(files, segment.preparations(), plan, warnings);
  const case_data& one = prepared[0];
  const auto rules = rules_of(request, segment);
  output_choice wanted{.branches = request.branches,
                       .only = request.only,
                       .subsets = request.subsets,
                       .uncertainty = request.uncertainty,
                       .entropy = request.entropy};
  std::map<std::string, std::unique_ptr<probability_spill>> spills;
  if (request.probabilities)
    wanted.planes = [&](const std::string& output, index first, const probability_map& planes) {
      auto& spill = spills[output];
      if (!spill) spill = std::make_unique<probability_spill>(request.folder, one.preparation.results());
      spill->take(first, planes);
    };
  written_case written;
  segment(prepared, wanted, windows, [&](const case_output& result) {
    write_output(request.folder / folder_of(result.name), result, one, plan, rules);
    written.outputs.push_back(result.name);
    if (const auto spill = spills.find(result.name); spill != spills.end()) {
      write_probabilities(request.folder / probabilities_of(result.name), *spill->second, one, plan);
      spills.erase(spill);
    }
    if (result.entropy) write_map(request.folder / entropy_folder, *result.entropy, one);
    if (!result.uncertainty) return;
    write_map(request.folder / uncertainty_folder, *result.uncertainty, one);
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

}  // namespace comodal::inline COMODAL_CONFIG

#endif
