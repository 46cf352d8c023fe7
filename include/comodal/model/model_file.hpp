// SPDX-License-Identifier: Apache-2.0
/// @file
/// The model file: safetensors with the weights by module path, and in its metadata the plan that prediction needs.
#ifndef COMODAL_MODEL_MODEL_FILE_HPP
#define COMODAL_MODEL_MODEL_FILE_HPP

#include <comodal/core/renamed_options.hpp>
#include <comodal/data/cohort_json.hpp>
#include <comodal/model/model_plan.hpp>
#include <comodal/nn/checksum.hpp>
#include <comodal/nn/state.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// The format of model files and checkpoints that this version writes. Format 1 is that of 0.1.0, whose files do not
/// say their format; it is translated when read.
inline constexpr int model_file_format = 2;

/// The format of a file. @throws io_error naming `file` if it is damaged or younger than this program
[[nodiscard]] inline int format_of(const safetensors_file& content, const std::filesystem::path& file) {
  const auto found = content.metadata.find("comodal.format");
  if (found == content.metadata.end()) return 1;
  int format = 0;
  const auto& words = found->second;
  const auto [end, failure] = std::from_chars(words.data(), words.data() + words.size(), format);
  if (failure != std::errc{} || end != words.data() + words.size() || format < 1)
    throw io_error(
        text(file.string(), ": its format is '", words, "', expected a number from 1 to ", model_file_format));
  if (format > model_file_format)
    throw io_error(text(file.string(), ": is of format ", format, ", this program reads formats 1 to ",
                        model_file_format, "; use a newer comodal"));
  return format;
}

/// Reads a model file or a checkpoint. Arrays of format 1 come under the names of today: "student/..." for "student.
/// ...".
/// @throws io_error if it is missing, damaged or younger than this program; from format 2 on also without a check sum
[[nodiscard]] inline safetensors_file read_model_file(const std::filesystem::path& file) {
  safetensors_file content = read_safetensors(file);
  const int format = format_of(content, file);
  if (format > 1) {
    verify_checksum(content, file.string());
    return content;
  }
  std::map<std::string, named_array> arrays;
  for (auto& [name, array] : content.arrays) {
    std::string now = name;
    for (const std::string root : {"student", "ema"})
      if (name.starts_with(root + ".")) now = root + "/" + name.substr(root.size() + 1);
    if (name.starts_with("optimiser.")) now = "student/" + name;
    arrays.emplace(now, std::move(array));
  }
  content.arrays = std::move(arrays);
  return content;
}

namespace model_detail {

[[nodiscard]] inline nlohmann::ordered_json to_json(const postprocessing_rule& rule) {
  return {{"class", rule.name}, {"largest", rule.largest}, {"holes", rule.holes}, {"smallest_ml", rule.smallest}};
}

}  // namespace model_detail

/// The plan as JSON text: the metadata entry `comodal.plan`.
[[nodiscard]] std::string to_json(const model_plan& plan);
#if COMODAL_BODIES
COMODAL_ONCE std::string to_json(const model_plan& plan) {
  nlohmann::ordered_json j;
  j["version"] = COMODAL_VERSION;
  j["orientation"] = "RAS";
  j["modalities"] = plan.modalities;
  j["labels"] = label_classes_to_json(plan.labels);
  j["region_order"] = plan.region_order;
  visit_network_options(plan.network,
                        [&](std::string_view name, const auto& value, auto) { j["model"][std::string(name)] = value; });
  for (const normalisation& n : plan.prepare.normalise) j["normalise"].push_back(n.name);
  for (const ct_statistics& s : plan.prepare.ct)
    j["ct"].push_back({{"low", s.low}, {"high", s.high}, {"mean", s.mean}, {"deviation", s.deviation}});
  j["margin"] = plan.prepare.margin;
  if (plan.prepare.onto >= 0) j["resample_to"] = plan.prepare.onto;
  if (plan.prepare.spacing != std::array<double, 3>{}) j["resampled"] = plan.prepare.spacing;
  j["patch_size"] = plan.patch_size;
  j["spacing"] = plan.spacing;
  j["method"] = plan.method;
  j["predictors"] = plan.predictors;
  for (const postprocessing_rule& r : plan.postprocess) j["postprocess"].push_back(model_detail::to_json(r));
  j["seed"] = plan.seed;
  j["steps"] = plan.steps;
  return j.dump();
}
#endif

namespace model_detail {

template <class Json>
prepare_options prepare_from(const Json& j, const std::string& what) {
  prepare_options prepare;
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
  if (j.contains("resample_to")) prepare.onto = json_value<index>(j, "resample_to", what);
  if (j.contains("resampled")) prepare.spacing = json_value<std::array<double, 3>>(j, "resampled", what);
  return prepare;
}

// The name in a file of format 1 of an option of today, both within the table `model`.
inline std::string name_in_format_1(std::string_view name) {
  return std::string(renamed_from(text("model.", name))).substr(std::string_view("model.").size());
}

// Options that came after the first files of format 2: where one is missing, its default is what the model was made
// with.
inline constexpr std::array<std::string_view, 2> younger_options{"blocks", "decoder_convolutions"};

// Format 1: an option that the file does not have is younger than the file, and its default is what the model was made
// with. From format 2 on, all options but younger ones are there and no others.
template <class Json>
void read_network_options(const Json& model, int format, network_options& options, const std::string& what) {
  std::size_t known = 0;
  visit_network_options(options, [&](std::string_view name, auto& value, auto) {
    const std::string key = format == 1 ? name_in_format_1(name) : std::string(name);
    const bool younger = std::find(younger_options.begin(), younger_options.end(), name) != younger_options.end();
    if ((format == 1 || younger) && !model.contains(key)) return;
    value = json_value<std::remove_reference_t<decltype(value)>>(model, key, what);
    ++known;
  });
  if (format > 1 && known != model.size())
    throw config_error(text(what, " has ", model.size(), " options, this program knows ", known, " of them"));
}

template <class Json>
std::vector<postprocessing_rule> postprocess_from(const Json& j, const std::string& what) {
  std::vector<postprocessing_rule> rules;
  if (!j.contains("postprocess")) return rules;
  const auto& list = json_entry(j, "postprocess", what);
  if (!list.is_array()) throw io_error(text(what, ": \"postprocess\" is not a list"));
  const std::string of = text(what, ": a rule of \"postprocess\"");
  for (const auto& one : list)
    rules.push_back({json_value<std::string>(one, "class", of), json_value<bool>(one, "largest", of),
                     json_value<bool>(one, "holes", of), json_value<double>(one, "smallest_ml", of)});
  return rules;
}

// From format 2 on, a plan has these keys and no others ("ct" where a normalisation needs it, "resampled" and
// "resample_to" where volumes are, "postprocess" where masks are).
template <class Json>
void refuse_other_keys(const Json& j, const std::string& what) {
  static const std::set<std::string> known{"version",   "orientation", "modalities", "labels", "region_order",
                                           "model",     "normalise",   "ct",         "margin", "patch_size",
                                           "spacing",   "method",      "predictors", "seed",   "steps",
                                           "resampled", "resample_to", "postprocess"};
  (void)json_value<std::string>(j, "version", what);
  for (const auto& [key, value] : j.items())
    if (!known.contains(key)) throw config_error(text(what, " has \"", key, "\", which this program does not know"));
}

// What a plan is before its names are looked up.
struct unresolved_plan {
  model_plan plan;
  std::vector<std::string> normalise;
};

// Takes the plan from its JSON text; every value must have its type and fit it.
unresolved_plan plan_from(const std::string& words, int format);
#if COMODAL_BODIES
COMODAL_ONCE unresolved_plan plan_from(const std::string& words, int format) {
  const auto j = nlohmann::json::parse(words);
  const std::string what = "its plan";
  if (format > 1) refuse_other_keys(j, what);
  if (json_value<std::string>(j, "orientation", what) != "RAS")
    throw config_error("the model was trained in another orientation than RAS");
  model_plan plan;
  plan.modalities = json_value<std::vector<std::string>>(j, "modalities", what);
  plan.labels = label_classes_from(json_entry(j, "labels", what), text(what, ": \"labels\""));
  plan.region_order = json_value<std::vector<int>>(j, "region_order", what);
  read_network_options(json_entry(j, "model", what), format, plan.network, text(what, ": \"model\""));
  plan.prepare = prepare_from(j, what);
  plan.prepare.labels = plan.labels;
  plan.patch_size = json_value<extent3>(j, format == 1 ? "patch" : "patch_size", what);
  if (format > 1 || j.contains("spacing")) plan.spacing = json_value<std::array<double, 3>>(j, "spacing", what);
  plan.method = json_value<std::string>(j, "method", what);
  plan.predictors = format == 1 ? std::vector<std::string>{"ema", "student"}
                                : json_value<std::vector<std::string>>(j, "predictors", what);
  plan.postprocess = postprocess_from(j, what);
  plan.seed = json_value<std::uint64_t>(j, "seed", what);
  plan.steps = json_value<std::uint32_t>(j, "steps", what);
  return {std::move(plan), json_value<std::vector<std::string>>(j, "normalise", what)};
}
#endif

}  // namespace model_detail

/// The plan of a model file's metadata, checked: every number is finite, in range and of its type.
/// @param names what the names of normalisations stand for
/// @throws io_error naming `file` and the value if there is no plan or it is damaged; config_error naming `file` for a
/// normalisation that this program lacks
[[nodiscard]] inline model_plan plan_of(const safetensors_file& content, const std::filesystem::path& file,
                                        const normalisation_registry& names = normalisation_registry::built_in()) {
  const auto found = content.metadata.find("comodal.plan");
  if (found == content.metadata.end())
    throw io_error(text(file.string(), ": is no comodal model (it has no plan in its metadata)"));
  const int format = format_of(content, file);
  const auto checked = [&](const auto& read) {
    try {
      return read();
    } catch (const nlohmann::json::exception&) {
      throw io_error(text(file.string(), ": its plan is damaged (it is no JSON); copy the file again"));
    } catch (const error& failure) {
      throw io_error(text(file.string(), ": its plan is damaged or of another version (", failure.what(),
                          "); copy the file again, or use the program that wrote it"));
    }
  };
  // Not a structured binding: clang before 19 cannot capture one in a unit with OpenMP.
  auto recorded = checked([&] { return model_detail::plan_from(found->second, format); });
  auto& plan = recorded.plan;
  plan.prepare.normalise.clear();
  for (const auto& name : recorded.normalise) try {
      plan.prepare.normalise.push_back(names.at(name));
    } catch (const config_error& failure) {
      throw config_error(text(file.string(), ": ", failure.what()));
    }
  checked([&] {
    check(plan);
    return 0;
  });
  return plan;
}

/// Puts a plan and the format into the metadata of a file.
inline void write_plan(const model_plan& plan, safetensors_file& file) {
  file.metadata["comodal.format"] = std::to_string(model_file_format);
  file.metadata["comodal.plan"] = to_json(plan);
}

/// Gives a model file other rules of post-processing; everything else stays as it was written.
/// @throws nlohmann::json::exception for a file without a plan
inline void set_postprocessing(safetensors_file& content, const std::vector<postprocessing_rule>& rules) {
  auto& words = content.metadata["comodal.plan"];
  auto j = nlohmann::ordered_json::parse(words);
  j.erase("postprocess");
  for (const postprocessing_rule& rule : rules) j["postprocess"].push_back(model_detail::to_json(rule));
  words = j.dump();
}

/// The metadata entry that says who made a model.
inline constexpr const char* model_provenance_key = "comodal.provenance";

/// The check sum of a model file without what changes no output of the network: rules of post-processing, and who made
/// it.
[[nodiscard]] inline std::string weights_checksum(safetensors_file content) {
  if (content.metadata["comodal.plan"].find("\"postprocess\"") != std::string::npos) set_postprocessing(content, {});
  content.metadata.erase(model_provenance_key);
  return checksum_of(content);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
