// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which model files a path stands for: one, or those of a cross-validation.
#ifndef COMODAL_APP_MODEL_FILES_HPP
#define COMODAL_APP_MODEL_FILES_HPP

#include <comodal/data/json.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// The model files that a path names: the file; the folder of a run, with its model.safetensors; or that of a
/// cross-validation, with one of each fold.
/// @throws io_error for a folder without a model, or with a fold that is not finished
[[nodiscard]] inline std::vector<std::filesystem::path> model_files(const std::filesystem::path& path) {
  std::error_code none;
  const char* name = "model.safetensors";
  if (!std::filesystem::is_directory(path, none)) return {path};
  if (std::filesystem::exists(path / name, none)) return {path / name};
  const auto splits = json_or_nothing(path / "splits.json");
  if (!splits.is_array() || splits.empty() || !splits[0].is_object() || !splits[0].contains("val"))
    throw io_error(
        text(path.string(), ": holds no ", name,
             ", and is no folder of a cross-validation; name a model file, or the folder of a finished run"));
  std::vector<std::filesystem::path> files;
  const std::size_t folds = splits.size();
  for (std::size_t k = 0; k < folds; ++k) {
    files.push_back(path / text("fold_", k) / name);
    if (!std::filesystem::exists(files.back(), none))
      throw io_error(text(path.string(), ": fold ", k, " of ", folds,
                          " is not finished; finish it with crossval, or name models by their files, with --also"));
  }
  return files;
}

/// The same of several paths, without those that are named twice.
[[nodiscard]] inline std::vector<std::filesystem::path> model_files(const std::vector<std::filesystem::path>& paths) {
  std::vector<std::filesystem::path> all;
  for (const auto& path : paths)
    for (auto& file : model_files(path)) {
      std::error_code none;
      bool known = false;
      for (const auto& other : all) known = known || std::filesystem::equivalent(other, file, none);
      if (!known) all.push_back(std::move(file));
    }
  return all;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
