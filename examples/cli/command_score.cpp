// SPDX-License-Identifier: Apache-2.0
// `comodal evaluate` and `comodal report`.
#include "commands.hpp"
#include "session.hpp"

#include <comodal/data/cohort_json.hpp>
#include <comodal/data/load_case.hpp>
#include <comodal/data/nifti.hpp>
#include <comodal/data/nnunet_raw.hpp>
#include <comodal/metric/summary_json.hpp>
#include <comodal/metric/tables.hpp>
#include <comodal/report/curves.hpp>
#include <comodal/report/html.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace cli {
namespace {

using comodal::text;

/// What `predict` says of its folder.
struct description {
  std::vector<std::string> outputs, modalities, cases;
  std::vector<comodal::label_class> labels;
};

description read_description(const path& predictions) {
  const path file = predictions / "predictions.json";
  if (!std::filesystem::is_regular_file(file))
    throw comodal::io_error(
        text(predictions.string(), ": is no folder that `comodal predict` wrote (it has no predictions.json)"));
  const auto bytes = comodal::read_file(file);
  try {
    const auto j = nlohmann::json::parse(bytes.begin(), bytes.end());
    description d{comodal::json_value<std::vector<std::string>>(j, "outputs", "the description"),
                  comodal::json_value<std::vector<std::string>>(j, "modalities", "the description"),
                  comodal::json_value<std::vector<std::string>>(j, "cases", "the description"),
                  comodal::label_classes_from(comodal::json_entry(j, "labels", "the description"), "\"labels\"")};
    for (const auto& c : d.labels) comodal::check_label_values(c);
    return d;
  } catch (const std::exception& failure) {
    throw comodal::io_error(text(file.string(), ": is damaged or of another version (", failure.what(), ")"));
  }
}

/// The masks of a folder by case, sorted; all .nii.gz, or all .nii.
std::map<std::string, path> masks_of(const path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw comodal::io_error(text(folder.string(), ": there is no such folder of masks"));
  const std::string ending = comodal::volume_ending(folder);
  std::map<std::string, path> masks;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.size() > ending.size() && name.ends_with(ending))
      masks[name.substr(0, name.size() - ending.size())] = entry.path();
  }
  return masks;
}

/// The masks of an output that the run which wrote the folder's description made: others are left from another run.
std::map<std::string, path> predicted_masks(const path& predictions, const description& d, const std::string& output) {
  auto masks = masks_of(predictions / folder_of(output));
  std::erase_if(masks, [&](const auto& entry) {
    return std::find(d.cases.begin(), d.cases.end(), entry.first) == d.cases.end();
  });
  return masks;
}

/// A mask of declared labels only: with another value it would count as background.
comodal::label_volume read_mask(const path& file, const std::vector<comodal::label_class>& classes) {
  auto mask = comodal::read_nifti_labels(file);
  if (const auto words = comodal::undeclared_labels(mask, classes); !words.empty())
    throw comodal::io_error(text(file.string(), ": ", words.front()));
  return mask;
}

std::vector<comodal::case_score> score_folder(const path& predictions, const path& labels,
                                              const comodal::score_options& options) {
  const description d = read_description(predictions);
  const auto truth = masks_of(labels);
  std::vector<comodal::case_score> scores;
  for (const std::string& output : d.outputs) {
    const auto masks = predicted_masks(predictions, d, output);
    if (output == "fused")
      for (const auto& [id, file] : truth)
        if (!masks.contains(id))
          throw comodal::io_error(
              text(predictions.string(), ": has no prediction of case ", id, ", whose label is ", file.string()));
    for (const auto& [id, file] : masks) {
      const auto found = truth.find(id);
      if (found == truth.end()) throw comodal::io_error(text(file.string(), ": has no label in ", labels.string()));
      const auto one = comodal::score_case(read_mask(file, d.labels), read_mask(found->second, d.labels), d.labels, id,
                                           output, options);
      scores.insert(scores.end(), one.begin(), one.end());
    }
  }
  if (scores.empty())
    throw comodal::io_error(
        text(predictions.string(), ": there is nothing to score: `comodal predict` finished no case"));
  return scores;
}

comodal::score_options options_of(const std::string& unit, const std::string& hd95) {
  comodal::score_options options;
  options.unit = unit == "voxel" ? comodal::length_unit::voxel : comodal::length_unit::mm;
  options.hd95 = hd95 == "medpy"   ? comodal::hd95_convention::medpy
                 : hd95 == "pymic" ? comodal::hd95_convention::pymic
                                   : comodal::hd95_convention::monai;
  return options;
}

/// A short name for a predictions folder: its own, or its parent's if it is called "predictions".
std::string name_of(const path& predictions) {
  const path clean = (predictions / "").parent_path();
  return clean.filename() == "predictions" ? clean.parent_path().filename().string() : clean.filename().string();
}

void write_scores(const path& predictions, const std::vector<comodal::case_score>& scores, const path& labels,
                  const comodal::score_options& options) {
  comodal::write_case_csv(predictions / "scores.csv", scores, options);
  const std::string ending = comodal::volume_ending(labels);
  comodal::write_summary_json(predictions / "summary.json", scores, "fused", options, [&](const std::string& id) {
    return comodal::scored_files{(predictions / (id + ".nii.gz")).string(), (labels / (id + ending)).string()};
  });
}

// The curves of a log: every series of it that is named.
comodal::curve_plot plot_of(const std::vector<comodal::series>& log, const std::string& title, const std::string& y,
                            const std::vector<std::string>& names, comodal::index smoothing = 0) {
  comodal::curve_plot plot{title, "step", y, {}, false, smoothing};
  for (const auto& one : log)
    if (std::find(names.begin(), names.end(), one.name) != names.end()) plot.curves.push_back(one);
  return plot;
}

void add_curves(comodal::html_report& html, const path& run) {
  const auto log = comodal::read_json_lines(run / "log.jsonl", "step");
  const auto add = [&](const comodal::curve_plot& plot) {
    if (!plot.curves.empty()) html.curve(comodal::draw_curves(plot));
  };
  // Whatever a method calls its losses: everything in the log that is nothing else.
  std::vector<std::string> losses;
  for (const auto& one : log)
    if (one.name.find('.') == std::string::npos && one.name != "rate" && one.name != "gradient_norm")
      losses.push_back(one.name);
  add(plot_of(log, "Losses", "loss", losses, 9));
  auto reliability = plot_of(log, "Soft Dice on labelled training crops (running mean)", "soft Dice", {});
  for (const auto& one : log)
    if (one.name.rfind("reliability.", 0) == 0) reliability.curves.push_back({one.name.substr(12), one.x, one.y});
  add(reliability);
  add(plot_of(log, "Dice on validation cases", "Dice", {"validation.dice"}));
  add(plot_of(log, "Learning rate", "rate", {"rate"}));
}

void add_pictures(comodal::html_report& html, const path& predictions, const report_arguments& arguments) {
  const description d = read_description(predictions);
  const std::string ending = comodal::volume_ending(arguments.images);
  const auto truths = masks_of(arguments.labels);
  int drawn = 0;
  for (const auto& [id, file] : predicted_masks(predictions, d, "fused")) {
    if (drawn++ == arguments.cases) break;
    std::vector<comodal::image_volume> images(d.modalities.size());
    comodal::overlay_case one;
    one.case_id = id;
    for (std::size_t m = 0; m < d.modalities.size(); ++m) {
      const path image = arguments.images / (id + "_" + modality_number(m) + ending);
      const bool there = std::filesystem::exists(image);
      if (there) images[m] = comodal::read_nifti(image);
      one.images.push_back({d.modalities[m], there ? &images[m] : nullptr});
    }
    const auto prediction = comodal::read_nifti_labels(file), truth = comodal::read_nifti_labels(truths.at(id));
    one.truth = &truth;
    one.prediction = &prediction;
    one.classes = d.labels;
    comodal::overlay_options options;
    options.slices = 1;
    for (const auto& figure : comodal::draw_overlay(one, options)) html.overlay(figure);
  }
}

}  // namespace

int evaluate(const evaluate_arguments& arguments) {
  const auto options = options_of(arguments.unit, arguments.hd95);
  std::vector<comodal::method_scores> methods;
  for (const path& predictions : arguments.predictions) {
    methods.push_back({name_of(predictions), score_folder(predictions, arguments.labels, options)});
    write_scores(predictions, methods.back().scores, arguments.labels, options);
  }
  const auto table = methods.size() == 1 ? comodal::summary_table(methods[0].scores, options)
                                         : comodal::comparison_table(methods, options);
  std::printf("%s%s\n", comodal::to_text(table).c_str(), comodal::describe_conventions(options).c_str());
  return 0;
}

int report(const report_arguments& arguments) {
  const auto options = options_of(arguments.unit, "monai");
  comodal::html_report html(arguments.title);
  std::vector<comodal::method_scores> methods;
  for (const path& run : arguments.runs)
    methods.push_back(
        {(run / "").parent_path().filename().string(), score_folder(run / "predictions", arguments.labels, options)});
  if (methods.size() > 1) {
    html.heading("Comparison");
    html.table(comodal::comparison_table(methods, options));
    html.paragraph(comodal::describe_conventions(options) + ".");
  }
  for (std::size_t r = 0; r < arguments.runs.size(); ++r) {
    const path& run = arguments.runs[r];
    html.heading(methods[r].name);
    html.scores(methods[r].scores, options);
    add_curves(html, run);
    add_pictures(html, run / "predictions", arguments);
    if (std::filesystem::exists(run / "experiment.toml")) {
      const auto bytes = comodal::read_file(run / "experiment.toml");
      comodal::text_table settings{{"experiment.toml"}, {}};
      std::string line;
      for (const unsigned char c : bytes)
        if (c == '\n') {
          settings.rows.push_back({line});
          line.clear();
        } else {
          line += static_cast<char>(c);
        }
      html.table(settings, "All settings of this run");
    }
  }
  html.write(arguments.file);
  for (const auto& warning : html.warnings()) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  std::printf("%s\n", arguments.file.c_str());
  return 0;
}

}  // namespace cli
