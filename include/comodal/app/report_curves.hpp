// SPDX-License-Identifier: Apache-2.0
/// @file
/// The curves of a run's log, for a report.
#ifndef COMODAL_APP_REPORT_CURVES_HPP
#define COMODAL_APP_REPORT_CURVES_HPP

#include <comodal/app/predictions.hpp>
#include <comodal/report/plot.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// The smoothing of plots of losses, in logged steps, and its name in their notes.
inline constexpr index smoothed_steps = 9;
[[nodiscard]] inline std::string smoothing_note() {
  return text("Bold: running mean over ", smoothed_steps,
              " logged steps (of short logs a quarter), centred; faint: as logged.");
}

/// The name of an output in a log: "branch1" is the branch of the second modality.
[[nodiscard]] inline std::string logged_output(const std::string& name, const std::vector<std::string>& modalities) {
  if (!name.starts_with("branch")) return name;
  std::size_t m = 0;
  const char *first = name.data() + 6, *last = name.data() + name.size();
  if (std::from_chars(first, last, m).ptr != last || first == last) return name;
  return "branch " + (m < modalities.size() ? modalities[m] : modality_number(m));
}

/// How a method's running means follow: ssl/parts/reliability.hpp.
inline constexpr double reliability_factor = 0.99, reliability_start = 0.5;

/// All plots of a log that have points.
/// @param log as of `read_json_lines` @param modalities names of the branches, as far as they are known
[[nodiscard]] inline std::vector<curve_plot> plots_of(const std::vector<series>& log,
                                                      const std::vector<std::string>& modalities) {
  curve_plot losses{"Losses", "step", "loss", {}, false, smoothed_steps, smoothing_note()};
  curve_plot trained{"Soft Dice on labelled training crops", "step", "soft Dice (0 to 1)", {}, false, smoothed_steps};
  curve_plot validation{"Dice on validation cases", "step", "Dice (0 to 1)", {}};
  curve_plot others{"Other validation scores", "step", "score", {}};
  curve_plot features{"Cosine of the features of two modalities",
                      "step",
                      "cosine (-1 to 1)",
                      {},
                      false,
                      smoothed_steps,
                      smoothing_note()};
  curve_plot rate{"Learning rate", "step", "learning rate", {}};
  curve_plot gradient{"Norm of the gradient", "step", "norm", {}, true, smoothed_steps, smoothing_note()};
  trained.note = text("Means of the steps between two rows of the log, recovered from its running mean (factor ",
                      reliability_factor, ", from ", reliability_start,
                      "), so that the start of that mean is not seen. Steps without a lesion in the crops are counted "
                      "as the mean before. ",
                      smoothing_note());
  for (const series& one : log) {
    if (one.name == "rate")
      rate.curves.push_back({"learning rate", one.x, one.y});
    else if (one.name == "validation.dice")
      validation.curves.push_back({"mean over classes and cases", one.x, one.y});
    else if (one.name == "aligned")
      features.curves.push_back({"of the same cell", one.x, one.y});
    else if (one.name == "aligned_others")
      features.curves.push_back({"of cells of other classes", one.x, one.y});
    else if (one.name.starts_with("validation."))
      others.curves.push_back({one.name.substr(11), one.x, one.y});
    else if (one.name.starts_with("gradient_norm"))
      gradient.curves.push_back(one);
    else if (one.name.starts_with("reliability.")) {
      series points = unmixed(one, reliability_factor, reliability_start);
      points.name = logged_output(one.name.substr(12), modalities);
      for (double& y : points.y) y = std::clamp(y, 0.0, 1.0);  // rounded numbers may lie a little outside
      trained.curves.push_back(std::move(points));
    } else if (one.name.find('.') == std::string::npos && one.name != "skipped") {
      losses.curves.push_back(one);  // whatever a method calls its losses
    }
  }
  std::vector<curve_plot> plots;
  for (auto* plot : {&losses, &validation, &trained, &others, &features, &rate, &gradient})
    if (!plot->curves.empty()) plots.push_back(std::move(*plot));
  return plots;
}

/// The plots of a run; none without a log.
[[nodiscard]] inline std::vector<curve_figure> curves_of_run(const std::filesystem::path& run,
                                                             const std::vector<std::string>& modalities) {
  std::vector<curve_figure> figures;
  if (!std::filesystem::exists(run / "log.jsonl")) return figures;
  for (const curve_plot& plot : plots_of(read_json_lines(run / "log.jsonl"), modalities))
    figures.push_back(draw_curves(plot));
  return figures;
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
