// SPDX-License-Identifier: Apache-2.0
/// @file
/// The model file: safetensors with the weights by module path, and in its metadata the plan that prediction needs.
#ifndef COMODAL_MODEL_MODEL_FILE_HPP
#define COMODAL_MODEL_MODEL_FILE_HPP

#include <comodal/data/cohort_json.hpp>
#include <comodal/model/model_plan.hpp>
#include <comodal/nn/state.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The plan as JSON text: the metadata entry `comodal.plan`.
[[nodiscard]] inline std::string to_json(const model_plan& plan) {
  nlohmann::ordered_json j;
  j["version"] = COMODAL_VERSION;
  j["orientation"] = "RAS";
  j["modalities"] = plan.modalities;
  j["labels"] = label_classes_to_json(plan.labels);
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

namespace model_detail {

template <class Json>
prepare_options prepare_from(const Json& j, const std::string& what) {
  prepare_options prepare;
  prepare.normalise.clear();
  for (const auto& name : json_value<std::vector<std::string>>(j, "normalise", what))
    prepare.normalise.push_back(normalisation_from(name));
  if (j.contains("ct")) {
    const auto& ct = json_entry(j, "ct", what);
    if (!ct.is_array()) throw io_error(text(what, ": \"ct\" is not a list"));
    for (std::size_t m = 0; m < ct.size(); ++m) {
      const std::string of = text(what, ": \"ct\"[", m, "]");
      prepare.ct.push_back({json_value<double>(ct[m], "low", of), json_value<double>(ct[m], "high", of),
                            json_value<double>(ct[m], "mean", of), json_value<double>(ct[m], "deviation", of)});
    }
  }
  prepare.margin = json_value<index>(j, "margin", what);
  return prepare;
}

// Takes the plan from its JSON text; every value must have its type and fit it.
inline model_plan plan_from(const std::string& words) {
  const auto j = nlohmann::json::parse(words);
  const std::string what = "its plan";
  if (json_value<std::string>(j, "orientation", what) != "RAS")
    throw config_error("the model was trained in another orientation than RAS");
  model_plan plan;
  plan.modalities = json_value<std::vector<std::string>>(j, "modalities", what);
  plan.labels = label_classes_from(json_entry(j, "labels", what), text(what, ": \"labels\""));
  plan.region_order = json_value<std::vector<int>>(j, "region_order", what);
  // An option that the file does not know is younger than the file: its default is what the model was made with.
  const auto& model = json_entry(j, "model", what);
  visit_network_options(plan.network, [&](std::string_view name, auto& value) {
    if (model.contains(std::string(name)))
      value = json_value<std::remove_reference_t<decltype(value)>>(model, name, text(what, ": \"model\""));
  });
  plan.prepare = prepare_from(j, what);
  plan.prepare.labels = plan.labels;
  plan.patch = json_value<extent3>(j, "patch", what);
  if (j.contains("spacing")) plan.spacing = json_value<std::array<double, 3>>(j, "spacing", what);
  plan.method = json_value<std::string>(j, "method", what);
  plan.seed = json_value<std::uint64_t>(j, "seed", what);
  plan.steps = json_value<std::uint32_t>(j, "steps", what);
  return plan;
}

}  // namespace model_detail

/// The plan of a model file's metadata, checked: every number is finite, in range and of its type.
/// @throws io_error naming `file` and the value if there is no plan or it is damaged
[[nodiscard]] inline model_plan plan_of(const safetensors_file& content, const std::filesystem::path& file) {
  const auto found = content.metadata.find("comodal.plan");
  if (found == content.metadata.end())
    throw io_error(text(file.string(), ": is no comodal model (it has no plan in its metadata)"));
  try {
    model_plan plan = model_detail::plan_from(found->second);
    check(plan);
    return plan;
  } catch (const nlohmann::json::exception& failure) {
    throw io_error(text(file.string(), ": its plan is damaged (", failure.what(), "); copy the file again"));
  } catch (const error& failure) {
    throw io_error(
        text(file.string(), ": its plan is damaged or of another version (", failure.what(), "); copy the file again"));
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
