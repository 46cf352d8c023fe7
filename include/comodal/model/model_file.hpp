// SPDX-License-Identifier: Apache-2.0
/// @file
/// The model file: safetensors with the weights by module path, and in its metadata the plan that prediction needs.
#ifndef COMODAL_MODEL_MODEL_FILE_HPP
#define COMODAL_MODEL_MODEL_FILE_HPP

#include <comodal/data/case_data.hpp>
#include <comodal/model/network_options.hpp>
#include <comodal/nn/state.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Everything beside the weights that a prediction depends on. Volumes are turned to RAS+ before the network sees them.
struct model_plan {
  std::vector<std::string> modalities;
  std::vector<label_class> labels;  // background first
  std::vector<int> region_order;    // with regions: the label that each is written as
  network_options network;
  prepare_options prepare;
  extent3 patch{};                  // (D, H, W): the window of prediction
  std::array<double, 3> spacing{};  // of the training cases, median along the axes of RAS+, mm; zeros: not known
  std::string method;
  std::uint64_t seed = 0;
  std::uint32_t steps = 0;  // of training behind these weights

  /// True if labels are regions that may overlap (a sigmoid each) rather than exclusive classes.
  [[nodiscard]] bool has_regions() const { return !region_order.empty(); }
  /// Channels of the logits.
  [[nodiscard]] index channels() const { return static_cast<index>(has_regions() ? labels.size() - 1 : labels.size()); }
};

/// The plan as JSON text: the metadata entry `comodal.plan`.
[[nodiscard]] inline std::string to_json(const model_plan& plan) {
  nlohmann::ordered_json j;
  j["version"] = COMODAL_VERSION;
  j["orientation"] = "RAS";
  j["modalities"] = plan.modalities;
  for (const label_class& c : plan.labels) j["labels"].push_back({{"name", c.name}, {"values", c.values}});
  j["region_order"] = plan.region_order;
  visit_network_options(plan.network,
                        [&](std::string_view name, const auto& value) { j["model"][std::string(name)] = value; });
  for (const normalisation n : plan.prepare.normalise) j["normalise"].push_back(std::string(to_string(n)));
  for (const ct_statistics& s : plan.prepare.ct)
    j["ct"].push_back({{"low", s.low}, {"high", s.high}, {"mean", s.mean}, {"deviation", s.deviation}});
  j["margin"] = plan.prepare.margin;
  j["patch"] = plan.patch;
  j["spacing"] = plan.spacing;
  j["method"] = plan.method;
  j["seed"] = plan.seed;
  j["steps"] = plan.steps;
  return j.dump();
}

/// The plan of a model file's metadata. @throws io_error naming `file` if there is none or it is damaged
[[nodiscard]] inline model_plan plan_of(const safetensors_file& content, const std::filesystem::path& file) {
  const auto found = content.metadata.find("comodal.plan");
  if (found == content.metadata.end())
    throw io_error(text(file.string(), ": is no comodal model (it has no plan in its metadata)"));
  try {
    const auto j = nlohmann::json::parse(found->second);
    if (j.at("orientation") != "RAS")
      throw io_error(text(file.string(), ": was trained in another orientation than RAS"));
    model_plan plan;
    plan.modalities = j.at("modalities").get<std::vector<std::string>>();
    for (const auto& c : j.at("labels"))
      plan.labels.push_back({c.at("name").get<std::string>(), c.at("values").get<std::vector<int>>()});
    plan.region_order = j.at("region_order").get<std::vector<int>>();
    // An option that the file does not know is younger than the file: its default is what the model was made with.
    visit_network_options(plan.network, [&](std::string_view name, auto& value) {
      const auto& model = j.at("model");
      if (model.contains(std::string(name))) model.at(std::string(name)).get_to(value);
    });
    plan.prepare.normalise.clear();
    for (const auto& n : j.at("normalise")) plan.prepare.normalise.push_back(normalisation_from(n.get<std::string>()));
    if (j.contains("ct"))
      for (const auto& s : j.at("ct"))
        plan.prepare.ct.push_back({s.at("low").get<double>(), s.at("high").get<double>(), s.at("mean").get<double>(),
                                   s.at("deviation").get<double>()});
    plan.prepare.margin = j.at("margin").get<index>();
    plan.prepare.labels = plan.labels;
    plan.patch = j.at("patch").get<extent3>();
    if (j.contains("spacing")) plan.spacing = j.at("spacing").get<std::array<double, 3>>();
    plan.method = j.at("method").get<std::string>();
    plan.seed = j.at("seed").get<std::uint64_t>();
    plan.steps = j.at("steps").get<std::uint32_t>();
    return plan;
  } catch (const nlohmann::json::exception& failure) {
    throw io_error(text(file.string(), ": its plan is damaged or of another version (", failure.what(), ")"));
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
