// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which model files a path stands for: one, or those of a cross-validation.
#ifndef COMODAL_APP_MODEL_FILES_HPP
#define COMODAL_APP_MODEL_FILES_HPP

#include <comodal/data/folder.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// The model files that a path names: the file; the folder of a run, with its model.safetensors; or a folder of runs,
/// such as the folds of a cross-validation, with one of each, by name.
/// @throws io_error for a folder without a model
[[nodiscard]] inline std::vector<std::filesystem::path> model_files(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code none;
  const char* name = "model.safetensors";
  if (!fs::is_directory(path, none)) return {path};
  if (fs::exists(path / name, none)) return {path / name};
  std::vector<fs::path> files;
  for (const auto& entry : visible_entries(path))
    if (fs::is_directory(entry, none) && fs::exists(entry / name, none)) files.push_back(entry / name);
  if (files.empty())
    throw io_error(text(path.string(), ": holds no ", name,
                        ", nor does a folder in it; name a model file, the folder of a finished run, or that of a "
                        "cross-validation"));
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
