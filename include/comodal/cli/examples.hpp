// SPDX-License-Identifier: Apache-2.0
/// @file
/// What `--help` shows of a verb in use: an example each, and the order in which verbs are usual.
#ifndef COMODAL_CLI_EXAMPLES_HPP
#define COMODAL_CLI_EXAMPLES_HPP

#include <array>
#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

namespace cli_detail {

struct verb_example {
  std::string_view verb, command;
};
inline constexpr std::array verb_examples{
    verb_example{"phantom", "comodal phantom cohort --seed 1"},
    verb_example{"check", "comodal check cohort"},
    verb_example{"import", "comodal import BraTS2023 cohort"},
    verb_example{"init", "comodal init experiment.toml --data cohort --method mean_teacher"},
    verb_example{"plan", "comodal plan cohort experiment.toml --memory 8"},
    verb_example{"keys", "comodal keys learning_rate"},
    verb_example{"prepare", "comodal prepare experiment.toml --data.cache cache"},
    verb_example{"train", "comodal train experiment.toml run --train.steps 4000"},
    verb_example{"experiment", "comodal experiment methods.toml"},
    verb_example{"crossval", "comodal crossval experiment.toml folds --folds 5"},
    verb_example{"predict", "comodal predict run/model.safetensors cohort/imagesTs run/predictions"},
    verb_example{"postprocess", "comodal postprocess run/model.safetensors masks --labels labels"},
    verb_example{"evaluate", "comodal evaluate run/predictions --labels cohort/labelsTs"},
    verb_example{"rank", "comodal rank run/model.safetensors cohort --out ranking.csv"},
    verb_example{"report", "comodal report run --labels cohort/labelsTs --images cohort/imagesTs --out report.html"},
    verb_example{"benchmark", "comodal benchmark --config experiment.toml --profile"},
    verb_example{"info", "comodal info run/model.safetensors"},
    verb_example{"completion", "source <(comodal completion bash)"}};

/// "Example: comodal ..." of a verb; empty if it has none.
[[nodiscard]] inline std::string example_of(std::string_view verb) {
  for (const auto& one : verb_examples)
    if (one.verb == verb) return "Example: " + std::string(one.command);
  return {};
}

inline constexpr const char* usual_order =
    "The usual order, from a folder of images to a report:\n"
    "  comodal check cohort\n"
    "  comodal plan cohort experiment.toml\n"
    "  comodal train experiment.toml run\n"
    "  comodal predict run/model.safetensors cohort/imagesTs run/predictions\n"
    "  comodal evaluate run/predictions --labels cohort/labelsTs\n"
    "  comodal report run --labels cohort/labelsTs --images cohort/imagesTs --out report.html\n"
    "No data at hand? comodal phantom cohort makes some. Help of a verb: comodal VERB --help.";

}  // namespace cli_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
