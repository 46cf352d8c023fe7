// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `evaluate`: folders of masks and true masks in, scores out; and what their uncertainty maps are worth.
#ifndef COMODAL_APP_EVALUATE_HPP
#define COMODAL_APP_EVALUATE_HPP

#include <comodal/app/judged_folder.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/data/folder.hpp>
#include <comodal/metric/paired_comparison.hpp>
#include <comodal/metric/summary_json.hpp>
#include <comodal/metric/tables.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `evaluate` is asked for.
struct evaluate_request {
  std::vector<std::filesystem::path> predictions;  // folders of masks, of `predict` or anybody's
  std::filesystem::path labels;                    // folder of the true masks
  score_options options = {};
  std::filesystem::path out = {};      // folder for the tables; empty: each into its folder of masks
  std::filesystem::path dataset = {};  // dataset.json that names the classes of foreign masks
  std::optional<int> ignored = {};     // label value of voxels that nobody looked at; unset: as the data set says
  bool complete = false;               // refuse a folder that lacks the mask of a label
  bool common = false;                 // score only the cases of which every folder has a mask
  bool uncertainty = false;            // also judge the uncertainty maps that `predict` wrote
  uncertainty_options uncertainties = {};
  bool lesions = false;  // also score lesion by lesion
  lesion_options lesion_rules = {};
};

/// What `evaluate` came to: the scores of each folder, in the order of the request, and the table of all.
struct evaluate_summary {
  std::vector<method_scores> methods;
  text_table table;
  std::vector<uncertainty_summary> uncertainty;    // one per folder, if asked for
  std::vector<std::vector<lesion_score>> lesions;  // the same
  std::vector<paired_difference> differences;      // of the other folders from the first
};

}  // namespace app

namespace app_detail {

// The row of all modalities, where the fused output is also that of cases that lack some: its scores of the others.
inline void add_complete_cases(const predictions& d, std::vector<case_score>& scores) {
  std::map<std::string, std::set<std::string>> alone;  // the modalities that a case was segmented from, one by one
  std::set<std::string> all;
  for (const auto& s : scores) {
    all.insert(s.case_id);
    for (const auto& name : d.modalities)
      if (s.output == name_of_subset({name}, {0})) alone[s.case_id].insert(name);
  }
  const auto complete = [&](const std::string& id) { return alone[id].size() == d.modalities.size(); };
  if (std::all_of(all.begin(), all.end(), complete)) return;
  const std::string name =
      name_of_subset(d.modalities, modality_subsets(d.modalities.size(), d.modalities.size()).back());
  for (std::size_t i = 0, count = scores.size(); i < count; ++i) {
    if (scores[i].output != "fused" || !complete(scores[i].case_id)) continue;
    scores.push_back(scores[i]);
    scores.back().output = name;
  }
}

// Why a folder holds no mask, in words.
inline std::string why_empty(const mask_folder& masks) {
  return masks.by_predict ? "`predict` finished no case"
         : std::filesystem::is_directory(masks.folder / "predictions")
             ? "it is the folder of a run; name its folder predictions"
         : std::filesystem::is_directory(masks.folder / "fold_0")
             ? "it is the folder of a cross-validation, whose scores are in its scores.csv; name the masks of a fold, "
               "such as fold_0/validation"
         : std::filesystem::is_directory(masks.folder / "validation")
             ? "it is the folder of a fold; name its folder validation"
             : "it holds no mask; write some with predict (report looks in RUN/predictions)";
}

// The cases that `predict` failed on, in brackets; empty if there is none.
inline std::string why_failed(const mask_folder& masks) {
  std::vector<std::string> failed;
  for (const auto& [id, reason] : masks.about.failed) failed.push_back(id);
  return failed.empty() ? "" : text(" (`predict` failed on ", some_of(failed), ")");
}

// The cases to score: those with a mask and a label. What lacks one of them is told.
inline void compare_cases(const mask_folder& masks, const std::map<std::string, std::filesystem::path>& predicted,
                          const std::map<std::string, std::filesystem::path>& truth,
                          const std::filesystem::path& labels, bool complete, const app::observer& watch) {
  std::vector<std::string> missing, unknown;
  for (const auto& [id, file] : truth)
    if (!predicted.contains(id)) missing.push_back(id);
  for (const auto& [id, file] : predicted)
    if (!truth.contains(id)) unknown.push_back(id);
  const std::string folder = masks.folder.string();
  const std::string why = why_failed(masks);
  if (predicted.empty()) throw io_error(text(folder, ": there is nothing to score: ", why_empty(masks)));
  if (unknown.size() == predicted.size())
    throw io_error(text(folder, ": no mask has a label in ", labels.string(), " (masks of ", some_of(unknown, 3),
                        "; labels of ", some_of(missing, 3), "); both must have the same names"));
  if (complete && !missing.empty())
    throw io_error(text(folder, ": has no mask of ", missing.size(), " of ", truth.size(),
                        " labelled cases: ", some_of(missing), why));
  if (!missing.empty())
    watch.warn(text(folder, ": has no mask of ", missing.size(), " of ", truth.size(),
                    " labelled cases, which are not scored: ", some_of(missing), why));
  if (!unknown.empty())
    watch.warn(text(folder, ": ", unknown.size(), " of ", predicted.size(),
                    " masks have no label and are not scored: ", some_of(unknown)));
}

// The scores of a mask; a mask on another grid is named.
inline std::vector<case_score> score_files(const mask_folder& masks, const std::filesystem::path& mask,
                                           const std::filesystem::path& truth, const std::string& id,
                                           const std::string& output, const score_options& options) {
  const auto& labels = masks.about.labels;
  try {
    label_volume found = read_mask_of(masks, mask), reference = read_mask(truth, labels, masks.ignored);
    leave_out(found, reference, masks.ignored);
    return score_case(found, reference, labels, id, output, options);
  } catch (const geometry_error& failure) {
    throw geometry_error(text(mask.string(), ": ", failure.what(), " (", truth.string(), ")"));
  }
}

// @param only the cases to score; null: all
inline std::vector<case_score> score_folder(const mask_folder& masks, const std::filesystem::path& labels,
                                            const score_options& options, bool complete, const app::observer& watch,
                                            const std::set<std::string>* only = nullptr) {
  const predictions& d = masks.about;
  const auto truth = masks_of(labels);
  if (truth.empty())
    throw io_error(
        text(labels.string(), ": holds no label (CASE.nii.gz); name the folder of the true masks, such as labelsTs"));
  if (const std::string words = other_classes(masks, labels); !words.empty()) watch.warn(words);
  std::vector<case_score> scores;
  bool first = true;
  for (const std::string& output : d.outputs.empty() ? std::vector<std::string>{"fused"} : d.outputs) {
    const auto predicted = masks.masks(output);
    if (std::exchange(first, false)) compare_cases(masks, predicted, truth, labels, complete, watch);
    for (const auto& [id, file] : predicted) {
      const auto found = truth.find(id);
      if (found == truth.end() || (only != nullptr && !only->contains(id))) continue;
      const auto one = score_files(masks, file, found->second, id, output, options);
      scores.insert(scores.end(), one.begin(), one.end());
    }
  }
  if (scores.empty()) throw io_error(text(masks.folder.string(), ": none of the cases to score has a label"));
  if (d.subsets) add_complete_cases(d, scores);
  return scores;
}

// Tables of another program must not be replaced by ours: nnU-Net's summary.json has the same name.
inline void refuse_foreign_tables(const std::filesystem::path& folder) {
  const auto words_of = [&](const char* name) {
    if (!std::filesystem::exists(folder / name)) return std::string();
    const auto bytes = read_file(folder / name);
    return std::string(bytes.begin(), bytes.end());
  };
  const auto expect = [&](const char* name, const std::string& words, bool ours) {
    if (!words.empty() && !ours)
      throw config_error(
          text(folder.string(), ": holds a ", name, " of another program; name a folder for the tables with --out"));
  };
  const std::string summary = words_of("summary.json");
  expect("summary.json", summary, summary.find("\"hd95_convention\"") != std::string::npos);
  for (const auto& [name, front] : {std::pair{"scores.csv", "case,output,class,"},
                                    {"lesions.csv", "case,output,class,"},
                                    {"comparison.csv", "class,method,minus,"}}) {
    const std::string words = words_of(name);
    expect(name, words, words.starts_with(front));
  }
}

// Means over different cases cannot be compared.
inline void warn_of_other_cases(const std::vector<method_scores>& methods, const app::observer& watch) {
  const auto cases_of = [](const method_scores& m) {
    std::set<std::string> ids;
    for (const auto& s : m.scores) ids.insert(s.case_id);
    return ids;
  };
  for (const auto& one : methods)
    if (cases_of(one) != cases_of(methods[0]))
      watch.warn(text(one.name, " and ", methods[0].name,
                      " are not scored on the same cases: their means cannot be compared"));
}

// Where the tables of a folder go. @throws config_error if those of another would stand there
inline std::filesystem::path tables_folder(const app::evaluate_request& request, const std::filesystem::path& folder,
                                           std::string name) {
  if (request.out.empty()) {
    refuse_foreign_tables(folder);
    try {
      expect_writable(folder);
    } catch (const io_error& failure) {
      throw io_error(text(failure.what(), " for the tables with --out"));
    }
    return folder;
  }
  std::replace(name.begin(), name.end(), '/', '_');
  const auto place = request.predictions.size() == 1 ? request.out : request.out / name;
  expect_writable(place);
  if (std::filesystem::is_directory(place)) refuse_foreign_tables(place);
  return place;
}

// Where the tables of all folders go. @throws as above, and where two would share a place
inline std::vector<std::filesystem::path> tables_folders(const app::evaluate_request& request,
                                                         const std::vector<std::string>& names) {
  std::vector<std::filesystem::path> places;
  for (std::size_t f = 0; f < names.size(); ++f) {
    auto place = tables_folder(request, request.predictions[f], names[f]);
    if (std::find(places.begin(), places.end(), place) != places.end())
      throw config_error(text("out: the tables of ", request.predictions[f].string(),
                              " and of another folder would stand in ", place.string(), "; score them one by one"));
    places.push_back(std::move(place));
  }
  if (std::filesystem::is_directory(request.out)) refuse_foreign_tables(request.out);  // comparison.csv goes there
  return places;
}

inline void write_scores(const mask_folder& masks, const std::filesystem::path& to,
                         const std::vector<case_score>& scores, const std::filesystem::path& labels,
                         const score_options& options) {
  const std::string output = scores.front().output;
  const auto predicted = masks.masks(output), truth = masks_of(labels);
  try {
    write_case_csv(to / "scores.csv", scores, options);
    write_summary_json(to / "summary.json", scores, output, options, [&](const std::string& id) {
      return scored_files{predicted.at(id).string(), truth.at(id).string()};
    });
  } catch (const disk_error&) {
    throw;
  } catch (const io_error& failure) {
    throw io_error(text(failure.what(), "; name another folder for the tables with --out"));
  }
}

}  // namespace app_detail

namespace app {

/// Scores folders of masks against labels, and writes `scores.csv` and `summary.json`; if uncertainty is asked for,
/// `uncertainty.csv` and `uncertainty.json`, too; if lesions are, `lesions.csv`; of several folders, `comparison.csv`
/// in the folder `out`. Cases without a mask or without a label are not scored; that is a warning, or an error if
/// `complete` is asked for.
/// @throws io_error for a folder without masks, or whose classes nobody knows, or without the uncertainty that is asked
/// for; a mask with an undeclared label, or on another grid than its label
[[nodiscard]] inline evaluate_summary evaluate(const evaluate_request& request, const observer& watch = {}) {
  if (request.predictions.empty()) throw config_error("evaluate: no folder of masks, expected at least one");
  app_detail::look_at_labels(request.labels, request.predictions, watch);  // a wrong folder of labels is said first
  evaluate_summary summary;
  app_detail::refuse_same_folders(request.predictions);
  std::vector<app_detail::mask_folder> folders;
  for (const auto& folder : request.predictions) {
    if (request.uncertainty) app_detail::expect_uncertainty(folder);
    folders.push_back(app_detail::read_mask_folder(folder, request.labels, request.dataset));
    if (request.ignored) folders.back().ignored = request.ignored;
  }
  std::set<std::string> common;
  if (request.common) common = app_detail::common_cases(folders);
  const auto names = app_detail::names_of_folders(request.predictions);
  const auto places = app_detail::tables_folders(request, names);
  for (std::size_t f = 0; f < folders.size(); ++f) {
    const auto& masks = folders[f];
    const auto &folder = request.predictions[f], &tables = places[f];
    summary.methods.push_back(
        {names[f], app_detail::score_folder(masks, request.labels, request.options, request.complete, watch,
                                            request.common ? &common : nullptr)});
    make_folder(tables);
    app_detail::write_scores(masks, tables, summary.methods.back().scores, request.labels, request.options);
    if (request.uncertainty) {
      summary.uncertainty.push_back(app_detail::judge_folder(folder, request.labels, request.uncertainties,
                                                             masks.ignored, request.common ? &common : nullptr));
      app_detail::write_uncertainty(tables, summary.uncertainty.back(), request.uncertainties);
    }
    std::error_code none;  // a table of other masks would stand beside the new ones
    std::filesystem::remove(tables / "lesions.csv", none);
    if (request.lesions) {
      auto rules = request.lesion_rules;
      rules.hd95 = request.options.hd95;
      summary.lesions.push_back(
          app_detail::score_lesions_of(masks, request.labels, rules, request.common ? &common : nullptr));
      write_text(tables / "lesions.csv", to_csv(lesion_table(summary.lesions.back(), rules)));
    }
    watch.show(
        {"folder", 0, static_cast<index>(summary.methods.size()), static_cast<index>(request.predictions.size())});
  }
  app_detail::warn_of_other_cases(summary.methods, watch);
  summary.differences = paired_differences(summary.methods);
  if (!summary.differences.empty() && !request.out.empty()) {
    make_folder(request.out);
    write_text(request.out / "comparison.csv", to_csv(paired_csv_table(summary.differences)));
  }
  summary.table = summary.methods.size() == 1 ? summary_table(summary.methods[0].scores, request.options)
                                              : comparison_table(summary.methods, request.options);
  return summary;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
