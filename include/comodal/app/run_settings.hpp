// SPDX-License-Identifier: Apache-2.0
/// @file
/// The settings that decide the bytes of a run: what a resumed run has to share, and what its models say of them.
#ifndef COMODAL_APP_RUN_SETTINGS_HPP
#define COMODAL_APP_RUN_SETTINGS_HPP

#include <comodal/app/experiment.hpp>
#include <comodal/app/provenance.hpp>
#include <comodal/model/model_file.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

// Keys that decide no byte of a run: where files are, how it computes, and how often it reports.
[[nodiscard]] inline std::set<std::string> free_to_differ() {
  return {"data.folder",          "data.splits",    "data.cache",      "compute.threads",
          "prefetch.threads",     "prefetch.depth", "train.log_every", "train.checkpoint_every",
          "train.validate_every", "train.replay",   "train.init"};
}

// What a run was begun with decides its bytes: a resumed one takes the same, but for where files are and how often it
// reports. `fitted`: whether model.checkpointed is known, which a budget of memory chooses when the cases have been
// read.
template <tensor_backend Backend>
void refuse_other_settings(const app::settings& now, const std::filesystem::path& file, bool fitted,
                           const registry<Backend>& names) {
  app::raw_settings raw;
  raw.read_file(file);
  std::set<std::string> options;  // of the method, for a run of 0.1.0
  const app::experiment otherwise;
  any_options defaults = names.method_options_of(raw.text_of("method.name", otherwise.method.name));
  defaults.visit([&](std::string_view key, option_pointer, std::string_view) { options.emplace(key); });
  raw.translate_renamed(options);
  auto begun = app::experiment::from(raw, names);
  std::set<std::string> free = free_to_differ();
  if (!fitted) free.insert("model.checkpointed");
  const auto [here, there] = now.first_difference(begun.keys(), free);
  if (here.empty()) return;
  const auto model = file.parent_path() / "model.safetensors";
  const bool length = here.starts_with("train.steps = ") && std::filesystem::exists(model);
  throw config_error(
      text(file.string(), ": the run was begun with ", there, ", now it would be ", here, "; ",
           length ? text("the rates of learning are laid out for that many steps. To train on, begin a run in a new "
                         "folder with --train.init ",
                         model.string())
                  : text("take the same settings (", file.string(), " has them), or name a new folder")));
}

// What a model says of its making: nothing that differs between two runs of one program with the same seed.
[[nodiscard]] inline std::string provenance_of_model(const app::settings& keys, std::size_t labelled,
                                                     std::size_t unlabelled, const case_checksums& cases) {
  nlohmann::ordered_json j{{"version", COMODAL_VERSION},
                           {"commit", app::this_program().commit},
                           {"labelled", labelled},
                           {"unlabelled", unlabelled},
                           {"cases_sha256", sum_of(cases)}};
  std::set<std::string> free = free_to_differ();
  free.insert({"train.memory", "data.labelled", "data.validation", "data.exclude"});  // names of patients stay at home
  for (const auto& key : keys.names())
    if (!free.contains(key)) j["options"][key] = keys.shown(key);
  constexpr auto replace = nlohmann::ordered_json::error_handler_t::replace;
  return j.dump(-1, ' ', false, replace);
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
