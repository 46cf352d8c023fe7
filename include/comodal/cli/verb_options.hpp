// SPDX-License-Identifier: Apache-2.0
/// @file
/// The options of verbs, as CLI11 is told of them.
#ifndef COMODAL_CLI_VERB_OPTIONS_HPP
#define COMODAL_CLI_VERB_OPTIONS_HPP

#include <comodal/app/crossval.hpp>
#include <comodal/app/evaluate.hpp>
#include <comodal/app/import.hpp>
#include <comodal/app/plan.hpp>
#include <comodal/app/postprocess.hpp>
#include <comodal/app/predict.hpp>
#include <comodal/app/rank.hpp>
#include <comodal/app/report.hpp>
#include <comodal/cli/benchmark.hpp>
#include <comodal/cli/commands.hpp>
#include <comodal/cli/info.hpp>
#include <comodal/cli/phantom.hpp>
#include <comodal/cli/validators.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

/// The options of scores in words: `options_of` makes numbers of them.
struct score_words {
  std::string unit = "mm", hd95 = "monai", both_empty = "1";
};

/// How windows are laid.
template <class Request>
void add_window_layout(CLI::App& c, Request& request) {
  using cli_detail::number;
  c.add_option("--step", request.step, "distance between windows, as a fraction of their size")->check(number(0.05, 1));
  c.add_option("--mirror", request.mirror, "average over flips along these axes: i, j, k")
      ->check(CLI::IsMember({"i", "j", "k"}));
}

/// The same, and with which weights.
template <class Request>
void add_windows(CLI::App& c, Request& request) {
  c.add_option("--weights", request.weights, "which weights of the model predict: ema, student ...");
  add_window_layout(c, request);
  c.add_option("--threads", request.threads, "number of threads; 0: all cores")->check(cli_detail::number(0, 1e6));
}

/// The keys data.images, data.label ... of an experiment as options: --images, --label ...
inline void add_layout(CLI::App& c, layout_options& layout) {
  visit_layout_options(layout, [&](std::string name, auto& value, const char* help) {
    std::replace(name.begin(), name.end(), '_', '-');
    auto* option = c.add_option("--" + name, value, help);
    if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string> && requires { value.clear(); })
      option->delimiter(',');
  });
}

inline void add_options(CLI::App& c, phantom_arguments& request) {
  c.add_option("folder", request.folder, "folder to write; new or empty")->required();
  c.add_option("--config", request.config, "TOML file with a table [phantom]");
  c.add_option("--seed", request.seed, "decides every case")->check(cli_detail::whole_number());
  c.add_flag("--easy", request.easy, "less noise, fewer distractors");
  c.add_flag("--hard", request.hard, "more noise, more distractors");
  c.add_flag("--copies", request.copies, "control: all modalities are the same image");
}

inline void add_options(CLI::App& c, check_arguments& request) {
  c.add_option("folder", request.folder, "folder of a data set, such as an nnU-Net raw folder, or a list of files")
      ->required();
  c.add_option("--resample-to", request.resample_to, "the modality whose grid the others are resampled to");
  c.add_flag("--json", request.json, "print what was found as JSON");
  add_layout(c, request.layout);
}

inline void add_options(CLI::App& c, app::import_request& request) {
  c.add_option("source", request.source, "folder of a data set, or a list of files")->required();
  c.add_option("folder", request.folder, "folder to write; new or empty")->required();
  add_layout(c, request.layout);
}

inline void add_options(CLI::App& c, app::plan_request& request) {
  c.add_option("source", request.source, "folder of a data set, or a list of files")->required();
  c.add_option("file", request.file, "TOML file to write; a new one")->required();
  c.add_option("--memory", request.memory, "GiB of tensors that a training step may take")
      ->check(cli_detail::number(0.01, 1e6));
  add_layout(c, request.layout);
}

inline void add_options(CLI::App& c, app::crossval_request& request) {
  using cli_detail::number;
  c.add_option("folder", request.folder, "folder of the folds: a new one, or that of an earlier call, which goes on")
      ->required();
  c.add_option("--folds", request.folds, "number of folds to draw: 5, unless the data set has a splits_final.json")
      ->check(number(2, 1000));
  c.add_option("--fold", request.only, "train and segment this fold alone; -1: all")->check(number(-1, 999));
  add_window_layout(c, request);
}

inline void add_options(CLI::App& c, app::postprocess_request& request) {
  c.add_option("model", request.model, "a model file, the folder of a run, or that of a cross-validation")->required();
  c.add_option("predictions", request.predictions, "folders of masks that `predict --raw` made")->required();
  c.add_option("--labels", request.labels, "folder of the true masks")->required();
  c.add_option("--ignore", request.ignored, "label value of voxels that nobody looked at")
      ->check(cli_detail::number(1, 255));
}

inline void add_options(CLI::App& c, benchmark_arguments& request) {
  using cli_detail::number;
  c.add_option("--config", request.config, "experiment file; without it, the defaults");
  c.add_option("--work", request.work, "work to time")->check(CLI::IsMember({"train", "predict"}));
  c.add_option("--precision", request.precision, "precision of the network's maps (model.precision)")
      ->check(CLI::IsMember({"fp32", "tf32", "bf16"}));
  c.add_option("--modalities", request.modalities, "volumes per case")->check(number(1, 16));
  c.add_option("--classes", request.classes, "number of classes, background included")->check(number(2, 128));
  c.add_option("--volume", request.volume, "size in voxels along i, j, k of the volume to predict")
      ->expected(3)
      ->check(number(1, 2048));
  c.add_option("--steps", request.steps, "timed repetitions")->check(number(1, 100000));
  c.add_option("--warm", request.warm, "untimed repetitions before them")->check(number(1, 100000));
  c.add_flag("--profile", request.profile, "list time and memory by layer and by operation");
  c.add_option("--json", request.json, "file to write all measurements to");
}

inline void add_options(CLI::App& c, info_arguments& request) {
  c.add_option("model", request.model, "a model or checkpoint file, the folder of a run or of a cross-validation");
  c.add_flag("--json", request.json, "print it as JSON");
  c.add_flag("--engines", request.engines, "also list which engine computes what of a window, on this machine")
      ->excludes("--json");
  c.add_flag("--cite", request.cite, "print how to cite this program");
}

inline void add_options(CLI::App& c, app::predict_request& request) {
  c.add_option("model", request.model, "a model file, the folder of a run, or that of a cross-validation: all folds")
      ->required();
  c.add_option("images", request.images, "folder of CASE_0000.nii.gz, CASE_0001.nii.gz ..., or one of these images")
      ->required();
  c.add_option("folder", request.folder, "folder to write the masks to")->required();
  c.add_option("--cases", request.cases, "segment these cases only")->delimiter(',');
  c.add_flag("--continue", request.keep, "leave out cases that are finished; the folder says which");
  c.add_flag("--branches", request.branches, "also the branch of each modality, in branch_NAME/");
  c.add_flag("--only", request.only, "also the fused output from each modality alone, in only_NAME/");
  c.add_flag("--subsets", request.subsets,
             "also from every set of modalities but that of all (which is the fused output), in only_NAME_+_NAME/");
  c.add_flag("--uncertainty", request.uncertainty, "also how far the branches disagree, 0 to 1, in uncertainty/");
  c.add_flag("--entropy", request.entropy, "also the entropy of the probabilities, 0 to 1, in entropy/");
  c.add_flag("--probabilities", request.probabilities, "also the probabilities of each output, in probabilities/");
  c.add_option("--also", request.also, "further models: the probabilities of all are averaged");
  c.add_flag("--raw", request.raw, "without the post-processing that the model asks for");
  add_windows(c, request);
}

inline void add_options(CLI::App& c, app::evaluate_request& request, score_words& words) {
  using cli_detail::number;
  c.add_option("predictions", request.predictions, "folders of masks: of `predict`, nnU-Net, a rater ...")->required();
  c.add_option("--labels", request.labels, "folder of the true masks")->required();
  c.add_option("--unit", words.unit, "unit of distances")->check(CLI::IsMember({"mm", "voxel"}));
  c.add_option("--hd95", words.hd95, "convention of the 95 % Hausdorff distance")
      ->check(CLI::IsMember({"monai", "medpy", "pymic"}));
  c.add_option("--both-empty", words.both_empty,
               "Dice where both masks are empty: 1, or nan and left out of means as nnU-Net does")
      ->check(CLI::IsMember({"1", "nan"}));
  c.add_option("--out", request.out, "folder for scores.csv and summary.json; without it, that of the masks");
  c.add_option("--dataset", request.dataset, "dataset.json with the classes of masks that `predict` did not write");
  c.add_option("--ignore", request.ignored, "label value of voxels that nobody looked at")->check(number(1, 255));
  c.add_flag("--complete", request.complete, "refuse a folder that lacks the mask of a label");
  c.add_flag("--common", request.common, "score only the cases of which every folder has a mask");
  auto* lesions = c.add_flag("--lesions", request.lesions, "also score lesion by lesion, as BraTS 2023 does");
  c.add_option("--lesion-dilation", request.lesion_rules.dilation,
               "times by which true masks grow: parts that meet are one lesion")
      ->check(number(0, 100))
      ->needs(lesions);
  c.add_option("--lesion-smallest", request.lesion_rules.smallest, "mm^3: lesions up to this are left out")
      ->check(number(0, 1e9))
      ->needs(lesions);
  c.add_flag("--uncertainty", request.uncertainty,
             "also compare the uncertainty maps of `predict --uncertainty` with the errors");
}

inline void add_options(CLI::App& c, app::rank_request& request) {
  c.add_option("model", request.model, "model.safetensors of a run")->required();
  c.add_option("folder", request.cases,
               "a data set, whose unlabelled cases are ranked, or a folder of CASE_0000.nii.gz, CASE_0001.nii.gz ...")
      ->required();
  c.add_option("--out", request.file, "file for the list, .csv or .json");
  add_windows(c, request);
}

inline void add_options(CLI::App& c, app::report_request& request, score_words& words) {
  using cli_detail::number;
  c.add_option("runs", request.runs, "run folders, each with log.jsonl and predictions/; or folders of masks")
      ->required();
  c.add_option("--labels", request.labels,
               "folder of the true masks; without it nothing is scored, and the report shows masks and their volumes");
  c.add_option("--images", request.images, "folder of the images that were predicted")->required();
  c.add_option("--out", request.file, "the HTML file")->required();
  c.add_option("--unit", words.unit, "unit of distances")->check(CLI::IsMember({"mm", "voxel"}));
  c.add_option("--dataset", request.dataset, "dataset.json with the classes of masks that `predict` did not write");
  c.add_flag("--common", request.common, "score only the cases of which every run has a mask");
  c.add_option("--title", request.title, "heading of the report; without it, the data set and the runs");
  c.add_option(
       "--cases", request.cases,
       "number of cases with pictures: the worst, the median and the best by mean Dice, then others; without labels "
       "the most uncertain")
      ->check(number(0, 1e6));
  c.add_flag("--still", request.still, "still pictures alone, without slices to scroll through: a smaller file");
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
