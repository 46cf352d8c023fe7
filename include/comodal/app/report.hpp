// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `report`: one HTML file with scores, curves and pictures of runs; without labels nothing is scored.
#ifndef COMODAL_APP_REPORT_HPP
#define COMODAL_APP_REPORT_HPP

#include <comodal/app/evaluate.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/app/report_cases.hpp>
#include <comodal/app/report_curves.hpp>
#include <comodal/app/report_facts.hpp>
#include <comodal/app/report_without_labels.hpp>
#include <comodal/app/settings.hpp>
#include <comodal/report/dots.hpp>
#include <comodal/report/html.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `report` is asked for.
struct report_request {
  std::vector<std::filesystem::path> runs;  // folders of runs with log.jsonl and predictions/, or of masks
  std::filesystem::path labels, images;     // folders of the true masks (empty: nothing is scored), and of the images
  std::filesystem::path file;               // the HTML file
  std::string title = {};                   // empty: made of the data set and the runs
  int cases = 3;                            // with pictures
  score_options options = {};
  std::filesystem::path dataset = {};  // dataset.json that names the classes of foreign masks
  bool common = false;                 // score only the cases of which every run has a mask
  bool still = false;                  // still pictures alone: a smaller file without a script
};

}  // namespace app

namespace app_detail {

// Where the masks of a run are, or of a fold of a cross-validation; somebody's folder of masks is one itself.
inline std::filesystem::path masks_of_run(const std::filesystem::path& run) {
  for (const char* masks : {"predictions", "validation"})
    if (std::filesystem::is_directory(run / masks)) return run / masks;
  return run;
}

// What a report is about where nobody says it: the data set of the first run, and the names of all.
[[nodiscard]] inline std::string title_of(const app::report_request& request, const std::vector<std::string>& names) {
  std::string title = joined(names);
  const auto file = request.runs[0] / "experiment.toml";
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return title;
  try {
    app::raw_settings settings;
    settings.read_file(file);
    if (names.size() == 1) title += text(" (", settings.text_of("method.name", ""), ")");
    const auto data = std::filesystem::path(settings.text_of("data.folder", "")).lexically_normal();
    const std::string last = (data.has_filename() ? data.filename() : data.parent_path().filename()).string();
    if (!last.empty() && last != "." && last != "..") title += " on " + readable_name(last);
  } catch (const config_error&) {  // it is listed as it stands
  }
  return title;
}

// Refuses a folder of images that has none of the cases whose masks there are. @throws io_error
inline void expect_images(const std::filesystem::path& images, const std::vector<mask_folder>& masks) {
  std::set<std::string> there;
  for (const auto& file : visible_entries(images)) there.insert(case_of_image(file));
  std::string first;
  for (const auto& folder : masks)
    for (const auto& mask : folder.first_masks()) {
      if (there.contains(mask.first)) return;
      if (first.empty()) first = mask.first;
    }
  if (!first.empty())
    throw io_error(text(images.string(), ": holds no image of the cases of the masks, such as ", readable_name(first),
                        "_0000.nii.gz; name the folder that was predicted"));
}

// What the words of tables of scores mean.
[[nodiscard]] inline std::string reading_of_scores(const score_options& options) {
  return text(
      "Higher Dice, IoU and surface Dice are better, and lower distances. Missed: the prediction alone is empty; false "
      "alarm: the truth alone is. ",
      describe_conventions(options), ".");
}

// The rows of the output that stands in the first row.
[[nodiscard]] inline text_table first_output(const text_table& all, std::size_t column) {
  text_table out{all.header, {}};
  for (const auto& row : all.rows)
    if (row[column] == all.rows[0][column]) out.rows.push_back(row);
  return out;
}

// A table of the first output, and one of all outputs, folded, where there are others.
inline void add_outputs(html_report& html, const text_table& all, std::size_t column, const std::string& caption) {
  const text_table first = first_output(all, column);
  html.table(first, caption);
  if (first.rows.size() < all.rows.size()) html.table(all, caption + ": all outputs", true);
}

// The scores of a run: by output and class, and case by case, folded.
inline void add_scores(html_report& html, const method_scores& method, const score_options& options) {
  add_outputs(html, summary_table(method.scores, options), 0,
              text("Scores of ", method.name, ", mean ± standard deviation over cases"));
  text_table cases = case_table(method.scores, options);
  for (std::size_t r = 0; r < cases.rows.size(); ++r) {
    const case_score& s = method.scores[r];
    const double shown[] = {s.dice, s.iou, s.hd95, s.assd, s.surface_dice, s.predicted_volume, s.reference_volume};
    for (std::size_t c = 0; c < 7; ++c) cases.rows[r][3 + c] = detail::fixed(shown[c], c < 2 || c == 4 ? 4 : 2);
  }
  html.table(cases, text("All ", method.scores.size(), " scores of ", method.name, ", case by case"), true);
  html.reading(reading_of_scores(options));
}

// Methods side by side, and how far the others are from the first.
inline void add_comparison(html_report& html, const std::vector<method_scores>& methods, const score_options& options) {
  html.heading("Comparison");
  add_outputs(html, comparison_table(methods, options), 1,
              "Dice and HD95 of each method, mean ± standard deviation over cases");
  html.reading(reading_of_scores(options));
  const auto differences = paired_differences(methods);
  if (!differences.empty()) {
    html.table(paired_table(differences), text("Differences from ", methods[0].name));
    html.reading(text("Method minus ", methods[0].name, ": ", describe_differences(),
                      ". An interval without 0 and a small p say that the difference is more than chance between these "
                      "cases. They say nothing of other training seeds."));
  }
  html.curves({draw_dice_dots(methods)});
}

// The pictures of the chosen cases. @param how they and their slices were chosen, in words
// @returns what was left out, in words
inline std::vector<std::string> add_cases(html_report& html, const std::vector<mask_folder>& folders,
                                          const std::vector<std::string>& names, const std::vector<chosen_case>& chosen,
                                          const std::string& how, const app::report_request& request) {
  if (chosen.empty()) return {};
  html.heading("Cases");
  html.reading(text(how, " ", display_convention));
  case_reader reader(folders, names, request.images, request.labels);
  for (std::size_t c = 0; c < chosen.size(); ++c) {
    const auto number = static_cast<index>(c + 1);
    html.content(text("case-", number),
                 text("Case ", readable_name(chosen[c].case_id), chosen[c].mark.empty() ? "" : ", " + chosen[c].mark));
    html.markup(case_section(reader.read(chosen[c]), number, {.scroll = !request.still}));
  }
  return reader.warnings;
}

// Scores all runs, compares them and shows cases. @returns their scores
inline std::vector<method_scores> add_all_scores(html_report& html, const std::vector<mask_folder>& masks,
                                                 const std::vector<std::string>& names,
                                                 const app::report_request& request, const app::observer& told) {
  std::vector<method_scores> methods;
  std::set<std::string> common;
  if (request.common) common = common_cases(masks);
  for (std::size_t r = 0; r < masks.size(); ++r)
    methods.push_back({names[r], score_folder(masks[r], request.labels, request.options, false, told,
                                              request.common ? &common : nullptr)});
  warn_of_other_cases(methods, told);
  if (methods.size() > 1) {
    add_comparison(html, methods, request.options);
  } else {
    html.heading("Scores");
    add_scores(html, methods[0], request.options);
    html.curves({draw_dice_dots(methods)});
  }
  const std::string how = text("Cases are chosen by their mean Dice over classes",
                               methods.size() > 1 ? " and methods, and are the same for all methods" : "",
                               ". Slices are chosen by the truth alone.");
  const auto chosen = choose_cases(methods, static_cast<std::size_t>(request.cases));
  for (const auto& words : add_cases(html, masks, names, chosen, how, request)) told.warn(words);
  return methods;
}

// Says what there is to say without labels, and shows cases.
inline void add_unlabelled(html_report& html, const std::vector<mask_folder>& masks,
                           const std::vector<std::string>& names, const app::report_request& request,
                           const app::observer& told) {
  html.note("There are no labels, so that nothing is scored.");
  for (const auto& folder : masks) look_at_cases(folder, request.images, told);
  unlabelled_reader reader(masks);
  const auto found = reader.read();
  for (const auto& words : reader.warnings) told.warn(words);
  add_volumes(html, found, names);
  const std::string how = text(
      "Cases stand in the order of their volumes above.", masks.size() > 1 ? " All runs show the same cases." : "",
      " Slices are chosen by the mask of ", names[0], masks.size() > 1 ? ", or of the next run that has one." : ".");
  const auto chosen = first_cases(found, static_cast<std::size_t>(request.cases));
  for (const auto& words : add_cases(html, masks, names, chosen, how, request)) told.warn(words);
}

}  // namespace app_detail

namespace app {

/// Writes one HTML file about runs. @throws config_error without a run; io_error as `evaluate`, and if the file cannot
/// be written
inline void report(const report_request& request, const observer& watch = {}) {
  if (request.runs.empty()) throw config_error("report: no run, expected at least one");
  if (request.cases < 0)
    throw config_error(text("report: ", request.cases, " cases with pictures, expected 0 or more"));
  const bool scored = !request.labels.empty();
  if (!scored && (request.common || request.options.unit != length_unit::mm))
    throw config_error(text("report: ", request.common ? "--common" : "--unit",
                            " is about scores, and without --labels nothing is scored; name the true masks with "
                            "--labels, or leave it out"));
  if (request.file.extension() != ".html" && request.file.extension() != ".htm")
    throw config_error(text("report: '", request.file.string(), "': expected a file that ends in .html"));
  refuse_foreign_output(request.file, html_report::first_words, "report");  // said before the work
  const auto names = app_detail::names_of_folders(request.runs);
  html_report html(request.title.empty() ? app_detail::title_of(request, names) : request.title,
                   app_detail::head_of_report());
  observer told = watch;
  told.warning = [&](const std::string& words) {  // stands in the report, too: who reads it did not see the terminal
    html.warning(readable_name(words));
    watch.warn(words);
  };
  std::vector<std::filesystem::path> places;
  for (const auto& run : request.runs) places.push_back(app_detail::masks_of_run(run));
  app_detail::refuse_same_folders(places);
  if (scored) app_detail::look_at_labels(request.labels, request.runs, told);
  std::vector<app_detail::mask_folder> masks;
  for (const auto& place : places)
    masks.push_back(app_detail::read_mask_folder(place, scored ? request.labels : request.images, request.dataset));
  app_detail::expect_images(request.images, masks);
  for (std::size_t r = 0; r < masks.size(); ++r)
    if (const auto& warnings = masks[r].about.warnings; !warnings.empty())
      html.warning(text(names[r], ": `predict` warned of ", counted(warnings.size(), "case"), ", first of ",
                        warnings.begin()->first, ": ", warnings.begin()->second.front()));
  const auto methods =
      scored ? app_detail::add_all_scores(html, masks, names, request, told) : std::vector<method_scores>();
  if (!scored) app_detail::add_unlabelled(html, masks, names, request, told);
  for (std::size_t r = 0; r < request.runs.size(); ++r) {
    html.heading("Run " + names[r]);
    html.facts(app_detail::facts_of_run(request.runs[r]));
    html.facts(app_detail::facts_of(masks[r]));
    if (methods.size() > 1) app_detail::add_scores(html, methods[r], request.options);
    html.curves(app_detail::curves_of_run(request.runs[r], masks[r].about.modalities));
    if (const std::string settings = app_detail::settings_of(request.runs[r]); !settings.empty())
      html.listing("All settings of this run (experiment.toml)", settings);
    watch.show({"run", 0, static_cast<index>(r + 1), static_cast<index>(request.runs.size())});
  }
  html.write(request.file);
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
