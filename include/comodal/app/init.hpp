// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `init`: a first experiment file, with a comment per key.
#ifndef COMODAL_APP_INIT_HPP
#define COMODAL_APP_INIT_HPP

#include <comodal/app/experiment.hpp>
#include <comodal/app/experiment_text.hpp>
#include <comodal/data/file.hpp>

#include <filesystem>
#include <string>
#include <system_error>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `init` is asked for.
struct init_request {
  std::filesystem::path file;   // experiment file to write; there must be none
  std::string data = "cohort";  // data.folder
  std::string method;           // method.name; empty: the default
};

/// Writes an experiment file of the keys that are changed most: those that decide what a run is are set, the others
/// stand as comments with their defaults. Nothing is read: `plan` chooses sizes for a data set.
/// @return the file's content
/// @throws config_error for a file that exists, a method that the program lacks, or a data set whose name TOML cannot
/// hold; io_error if it cannot be written
template <tensor_backend Backend>
std::string init(const init_request& request, const registry<Backend>& names = registry<Backend>::built_in()) {
  if (std::error_code none; std::filesystem::exists(request.file, none))
    throw config_error(text(request.file.string(), ": exists already; name a new file"));
  experiment e;
  e.folder = request.data;
  if (!request.method.empty()) e.method = {request.method, names.method_options_of(request.method)};
  e.take_default_options(names);
  const settings keys = e.keys();
  app_detail::experiment_text file(keys);
  const auto set = [&](const char* key) { file.add(key, keys.help(key)); };
  const auto mention = [&](const char* key) { file.mention(key, keys.help(key)); };
  set("data.folder");
  for (const char* key : {"data.labelled", "data.fold", "data.normalise", "data.spacing", "data.cache"}) mention(key);
  for (const char* key : {"batch.patch_size", "batch.labelled", "batch.unlabelled"}) set(key);
  for (const char* key : {"model.preset", "model.stream_channels", "model.fused_channels", "model.precision"})
    mention(key);
  mention("augment.preset");
  std::string methods;
  for (const auto& name : names.method_names()) methods += (methods.empty() ? "" : ", ") + name;
  file.add("method.name", text(keys.help("method.name"), ". One of:\n# ", methods));
  mention("optimiser.learning_rate");
  set("train.steps");
  set("train.seed");
  mention("train.validate_every");
  const std::string content = text(
      "# Experiment file of comodal. A key that is left out, or stands behind a #, has its default.\n"
      "# All keys: comodal keys. Sizes that fit a data set: comodal plan DATA FILE.\n",
      file.words());
  raw_settings again;
  bool same = false;
  try {
    again.read_text(content, "init");
    same = again.text_of("data.folder", "") == request.data;
  } catch (const config_error&) {  // the line below says it
  }
  if (!same)
    throw config_error(text("--data: '", readable_name(request.data),
                            "' has letters that an experiment file cannot hold; rename the folder, or make a link"));
  write_text(request.file, content);
  return content;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
