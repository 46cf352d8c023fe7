// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `rank`: a model and unlabelled cases in, the cases in the order of their uncertainty out.
#ifndef COMODAL_APP_RANK_HPP
#define COMODAL_APP_RANK_HPP

#include <comodal/app/predict.hpp>
#include <comodal/app/rank_progress.hpp>
#include <comodal/data/split.hpp>
#include <comodal/metric/tables.hpp>
#include <comodal/metric/uncertainty.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `rank` is asked for.
struct rank_request {
  std::filesystem::path model;           // model.safetensors of a run
  std::filesystem::path cases;           // a data set, whose unlabelled cases are ranked; or a folder of images
  std::filesystem::path file = {};       // the list, .csv or .json; empty: none is written
  std::string weights = {};              // which weights of the model; empty: its default
  double step = 0.5;                     // distance between windows, as a fraction of their size
  std::vector<std::string> mirror = {};  // average over flips along these axes: i, j, k
  index threads = 0;                     // 0: all cores
};

/// A case in its place.
struct ranked_case {
  std::string id;
  case_uncertainty uncertainty;         // its mean is the score
  std::vector<std::string> modalities;  // that it has
};

/// A case that has no place, and why.
struct unranked_case {
  std::string id;
  std::vector<std::string> modalities;
  std::string reason;
};

/// What `rank` came to.
struct rank_summary {
  std::vector<ranked_case> cases;     // the most uncertain first; of equals, by name
  std::vector<unranked_case> apart;   // without a score
  std::vector<std::string> failures;  // one line per case that cannot be used; it stands in `apart`, too
  bool finished = true;               // false: cancelled; no list was written
};

/// What the score of `rank` is, in a line.
[[nodiscard]] inline std::string describe_ranking(const uncertainty_options& options = {}) {
  return text(
      "score: mean disagreement of the branches (generalised Jensen-Shannon divergence, 0 to 1) over the "
      "predicted foreground and ",
      options.border, " voxels around it");
}

/// The list as a table: ranked cases, then those without a score. Names are readable names.
/// @param decimals of scores; negative: in full precision
[[nodiscard]] inline text_table rank_table(const rank_summary& summary, int decimals = -1) {
  const auto joined = [](const std::vector<std::string>& names) {
    std::string all;
    for (const auto& name : names) all += (all.empty() ? "" : " + ") + name;
    return all;
  };
  text_table table{{"rank", "case", "uncertainty", "judged_voxels", "predicted_voxels", "modalities", "reason"}, {}};
  for (const ranked_case& one : summary.cases)
    table.rows.push_back(
        {std::to_string(table.rows.size() + 1), readable_name(one.id),
         decimals < 0 ? detail::exact(one.uncertainty.mean) : detail::fixed(one.uncertainty.mean, decimals),
         std::to_string(one.uncertainty.voxels), std::to_string(one.uncertainty.predicted), joined(one.modalities),
         ""});
  for (const unranked_case& one : summary.apart)
    table.rows.push_back({"", readable_name(one.id), "", "", "", joined(one.modalities), readable_name(one.reason)});
  return table;
}

}  // namespace app

namespace app_detail {

inline std::string rank_json(const app::rank_summary& summary, const app::rank_request& request) {
  nlohmann::ordered_json whole{{"model", readable_name(request.model.string())}, {"score", app::describe_ranking()}};
  auto cases = nlohmann::ordered_json::array(), apart = nlohmann::ordered_json::array();
  for (const app::ranked_case& one : summary.cases)
    cases.push_back({{"case", readable_name(one.id)},
                     {"uncertainty", one.uncertainty.mean},
                     {"judged_voxels", one.uncertainty.voxels},
                     {"predicted_voxels", one.uncertainty.predicted},
                     {"modalities", one.modalities}});
  for (const app::unranked_case& one : summary.apart)
    apart.push_back(
        {{"case", readable_name(one.id)}, {"modalities", one.modalities}, {"reason", readable_name(one.reason)}});
  whole["cases"] = std::move(cases);
  whole["apart"] = std::move(apart);
  return whole.dump(2) + "\n";
}

// What would spoil the list is said before a volume is read.
inline void check_list_file(const std::filesystem::path& file) {
  if (file.empty()) return;
  if (file.extension() != ".csv" && file.extension() != ".json")
    throw config_error(text("rank: '", file.string(), "': expected a file that ends in .csv or .json"));
  refuse_foreign_output(
      file, file.extension() == ".csv" ? "rank,case,uncertainty," : "mean disagreement of the branches", "rank");
  refuse_foreign_output(file.string() + ".progress", "{", "rank");
}

// The unlabelled cases of a data set, or all cases of a folder of images.
inline std::vector<case_files> cases_to_rank(const std::filesystem::path& folder, const model_plan& plan,
                                             const reader_registry& readers, const app::observer& watch) {
  try {
    (void)readers.layout_of(folder, "rank");
  } catch (const config_error&) {  // no data set
    return images_to_predict(folder, plan.modalities.size(), watch);
  }
  const cohort data = apply_split(readers.list(folder, "rank"));
  watch.warn(data.findings);
  refuse_errors(data.findings);
  if (data.modalities != plan.modalities)
    throw config_error(text(folder.string(), ": has the modalities ", joined(data.modalities), ", the model expects ",
                            joined(plan.modalities)));
  if (data.unlabelled.empty())
    throw io_error(text(folder.string(), ": has no unlabelled case; name a folder of images to rank those"));
  std::vector<case_files> cases;
  for (const auto& one : data.unlabelled) cases.push_back(one.files);
  return cases;
}

inline std::vector<std::string> modalities_of(const case_files& files, const model_plan& plan) {
  std::vector<std::string> names;
  for (std::size_t m = 0; m < plan.modalities.size(); ++m)
    if (files.present(m)) names.push_back(plan.modalities[m]);
  return names;
}

// The uncertainty of one case on its own grid, as `evaluate` has it from files.
template <tensor_backend Backend>
case_uncertainty uncertainty_of(app::segmenter<Backend>& segment, const case_files& files,
                                const window_options& windows, std::vector<std::string>& warnings) {
  const auto prepared = cases_for(files, segment.preparations(), segment.plan(), warnings);
  const case_data& one = prepared[0];
  const auto output = segment(prepared, output_choice{.uncertainty = true}, windows).at(0);
  return mean_uncertainty(restore(output.uncertainty.value(), one.preparation),
                          restore(output.labels, one.preparation));
}

// Puts a case with its score where it belongs.
inline void place_case(app::rank_summary& summary, const std::string& id, const std::vector<std::string>& modalities,
                       const case_uncertainty& uncertainty) {
  if (uncertainty.voxels > 0)
    summary.cases.push_back({id, uncertainty, modalities});
  else
    summary.apart.push_back({id, modalities, "no foreground is predicted, so that its uncertainty has no place"});
}

// Ranks one case, by its score in the progress of an earlier call if it stands there.
template <tensor_backend Backend>
void rank_one(app::segmenter<Backend>& segment, const case_files& files, const window_options& windows,
              rank_progress& progress, app::rank_summary& summary, const app::observer& watch) {
  const auto modalities = modalities_of(files, segment.plan());
  if (modalities.size() < 2) {
    summary.apart.push_back({files.id, modalities, no_disagreement});
    return;
  }
  if (const auto known = progress.find(files)) return place_case(summary, files.id, modalities, *known);
  std::vector<std::string> warnings;
  const std::string failed = failure_of(files, [&] {
    const auto uncertainty = uncertainty_of(segment, files, windows, warnings);
    place_case(summary, files.id, modalities, uncertainty);
    progress.add(files, uncertainty);
  });
  for (const auto& words : warnings) watch.warn(words);
  if (failed.empty()) return;
  summary.failures.push_back(failed);
  summary.apart.push_back({files.id, modalities, failed});
}

}  // namespace app_detail

namespace app {

/// Orders cases by the mean disagreement of the branches over the predicted foreground and its border, the most
/// uncertain first. No mask is written. Cases of one modality, without predicted foreground, or with broken files stand
/// apart. The list is written in one step when all cases are done; until then a file beside it (NAME.progress) keeps
/// the scores, so that the same call continues where it was stopped or killed.
/// @throws io_error, config_error for a model, cases or a file that cannot be used, and for a model without branches;
/// device_error if memory runs out
template <tensor_backend Backend>
[[nodiscard]] rank_summary rank(const rank_request& request,
                                const registry<Backend>& names = registry<Backend>::built_in(),
                                const observer& watch = {}) {
  expect_runtime();
  const host_threads_scope threads(request.threads);
  app_detail::check_list_file(request.file);
  segmenter<Backend> segment(model_files(request.model), request.weights, names);
  segment.warn_by([&](const std::string& line) { watch.warn(line); });
  const model_plan& plan = segment.plan();
  for (const model_plan* one : segment.plans()) expect_branches(*one, "rank");
  const auto windows = app_detail::windows_of(request.step, request.mirror, plan);
  const auto cases = app_detail::cases_to_rank(request.cases, plan, names.readers, watch);
  app_detail::rank_progress progress(
      request.file, segment.files(),
      text(request.weights, " ", detail::exact(request.step), " ", nlohmann::json(request.mirror).dump()));
  rank_summary summary;
  index done = 0;
  for (const auto& files : cases) {
    if (watch.stops()) {
      summary.finished = false;
      break;
    }
    app_detail::rank_one(segment, files, windows, progress, summary, watch);
    watch.show({"case", 0, ++done, static_cast<index>(cases.size()), {}, files.id});
  }
  std::stable_sort(summary.cases.begin(), summary.cases.end(), [](const ranked_case& a, const ranked_case& b) {
    return a.uncertainty.mean > b.uncertainty.mean;  // cases are read by name
  });
  if (!summary.finished || request.file.empty()) return summary;
  write_text(request.file, request.file.extension() == ".json" ? app_detail::rank_json(summary, request)
                                                               : to_csv(rank_table(summary)));
  if (summary.failures.empty()) progress.remove();  // else the other cases need not be segmented again
  return summary;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
