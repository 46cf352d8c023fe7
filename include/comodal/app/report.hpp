// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `report`: one HTML file with curves, tables and pictures of runs.
#ifndef COMODAL_APP_REPORT_HPP
#define COMODAL_APP_REPORT_HPP

#include <comodal/app/evaluate.hpp>
#include <comodal/app/images_to_predict.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/report/curves.hpp>
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
  std::filesystem::path labels, images;     // folders of the true masks, and of the images that were predicted
  std::filesystem::path file;               // the HTML file
  std::string title = "comodal";
  int cases = 3;  // with pictures
  score_options options = {};
  std::filesystem::path dataset = {};  // dataset.json that names the classes of foreign masks
  bool common = false;                 // score only the cases of which every run has a mask
};

}  // namespace app

namespace app_detail {

// The curves of a log: every series of it that is named.
inline curve_plot plot_of(const std::vector<series>& log, const std::string& title, const std::string& y,
                          const std::vector<std::string>& names, index smoothing = 0) {
  curve_plot plot{title, "step", y, {}, false, smoothing};
  for (const auto& one : log)
    if (std::find(names.begin(), names.end(), one.name) != names.end()) plot.curves.push_back(one);
  return plot;
}

// Where the masks of a run are; somebody's folder of masks is one itself.
inline std::filesystem::path masks_of_run(const std::filesystem::path& run) {
  return std::filesystem::is_directory(run / "predictions") ? run / "predictions" : run;
}

inline void add_curves(html_report& html, const std::filesystem::path& run) {
  if (!std::filesystem::exists(run / "log.jsonl")) return;
  const auto log = read_json_lines(run / "log.jsonl", "step");
  const auto add = [&](const curve_plot& plot) {
    if (!plot.curves.empty()) html.curve(draw_curves(plot));
  };
  // Whatever a method calls its losses: everything in the log that is nothing else.
  std::vector<std::string> losses;
  for (const auto& one : log)
    if (one.name.find('.') == std::string::npos && one.name != "rate" && one.name != "gradient_norm")
      losses.push_back(one.name);
  add(plot_of(log, "Losses (bold: running mean of 9 logged steps)", "loss", losses, 9));
  auto reliability = plot_of(log, "Soft Dice on labelled training crops (running mean)", "soft Dice", {});
  for (const auto& one : log)
    if (one.name.rfind("reliability.", 0) == 0) reliability.curves.push_back({one.name.substr(12), one.x, one.y});
  add(reliability);
  add(plot_of(log, "Dice on validation cases", "Dice", {"validation.dice"}));
  add(plot_of(log, "Learning rate", "rate", {"rate"}));
}

// How many modalities the images of a folder have, by their numbers.
inline std::size_t image_modalities(const std::filesystem::path& images) {
  std::size_t count = 0;
  for (const auto& file : visible_entries(images)) {
    const std::string name = file.filename().string(), id = case_of_image(file);
    if (!id.empty()) count = std::max(count, static_cast<std::size_t>(std::stoul(name.substr(id.size() + 1, 4))) + 1);
  }
  return count;
}

inline void add_pictures(html_report& html, const mask_folder& masks, const app::report_request& request,
                         const std::set<std::string>& common) {
  predictions d = masks.about;
  for (std::size_t m = d.modalities.size(); !masks.by_predict && m < image_modalities(request.images); ++m)
    d.modalities.push_back(modality_number(m));  // nobody says what it is called
  const std::string ending = volume_ending(request.images);
  const auto truths = masks_of(request.labels);
  int drawn = 0;
  for (const auto& [id, file] : masks.masks("fused")) {
    if (!truths.contains(id) || (request.common && !common.contains(id))) continue;
    if (drawn++ == request.cases) break;
    std::vector<image_volume> images(d.modalities.size());
    overlay_case one;
    one.case_id = id;
    for (std::size_t m = 0; m < d.modalities.size(); ++m) {
      const std::filesystem::path image = request.images / (id + "_" + modality_number(m) + ending);
      const bool there = std::filesystem::exists(image);
      if (there) images[m] = read_nifti(image);
      one.images.push_back({d.modalities[m], there ? &images[m] : nullptr});
    }
    auto prediction = read_nifti_labels(file), truth = read_nifti_labels(truths.at(id));
    leave_out(prediction, truth, masks.ignored);
    one.truth = &truth;
    one.prediction = &prediction;
    one.classes = d.labels;
    overlay_options options;
    options.slices = 1;
    for (const auto& figure : draw_overlay(one, options)) html.overlay(figure);
  }
}

// The settings of a run, line by line.
inline void add_settings(html_report& html, const std::filesystem::path& run) {
  if (!std::filesystem::exists(run / "experiment.toml")) return;
  text_table settings{{"experiment.toml"}, {}};
  std::string line;
  for (const unsigned char c : read_file(run / "experiment.toml"))
    if (c == '\n') {
      settings.rows.push_back({line});
      line.clear();
    } else {
      line += static_cast<char>(c);
    }
  html.table(settings, "All settings of this run");
}

}  // namespace app_detail

namespace app {

/// Writes one HTML file about runs. @throws config_error without a run; io_error as `evaluate`, and if the file cannot
/// be written
inline void report(const report_request& request, const observer& watch = {}) {
  if (request.runs.empty()) throw config_error("report: no run, expected at least one");
  if (request.cases < 0)
    throw config_error(text("report: ", request.cases, " cases with pictures, expected 0 or more"));
  if (request.file.extension() != ".html" && request.file.extension() != ".htm")
    throw config_error(text("report: '", request.file.string(), "': expected a file that ends in .html"));
  refuse_foreign_output(request.file, html_report::first_words, "report");  // said before the work
  html_report html(request.title);
  std::vector<std::string> warnings;  // stand in the report, too: who reads it did not see the terminal
  observer told = watch;
  told.warning = [&](const std::string& words) {
    warnings.push_back(words);
    watch.warn(words);
  };
  std::vector<method_scores> methods;
  std::vector<app_detail::mask_folder> masks;
  app_detail::refuse_same_folders(request.runs);
  app_detail::look_at_labels(request.labels, request.runs, told);
  for (const auto& run : request.runs)
    masks.push_back(app_detail::read_mask_folder(app_detail::masks_of_run(run), request.labels, request.dataset));
  std::set<std::string> common;
  if (request.common) common = app_detail::common_cases(masks);
  const auto names = app_detail::names_of_folders(request.runs);
  for (std::size_t r = 0; r < masks.size(); ++r)
    methods.push_back({names[r], app_detail::score_folder(masks[r], request.labels, request.options, false, told,
                                                          request.common ? &common : nullptr)});
  app_detail::warn_of_other_cases(methods, told);
  for (const auto& words : warnings) html.paragraph("Warning: " + readable_name(words));
  if (methods.size() > 1) {
    html.heading("Comparison");
    html.table(comparison_table(methods, request.options));
    html.paragraph(describe_conventions(request.options) + ".");
  }
  for (std::size_t r = 0; r < request.runs.size(); ++r) {
    const auto& run = request.runs[r];
    html.heading(methods[r].name);
    html.scores(methods[r].scores, request.options);
    app_detail::add_curves(html, run);
    app_detail::add_pictures(html, masks[r], request, common);
    app_detail::add_settings(html, run);
    watch.show({"run", 0, static_cast<index>(r + 1), static_cast<index>(request.runs.size())});
  }
  html.write(request.file);
  for (const auto& warning : html.warnings()) watch.warn(warning);
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
