// SPDX-License-Identifier: Apache-2.0
/// @file
/// The file that says which cases are in which fold, in nnU-Net's form.
#ifndef COMODAL_APP_FOLD_FILE_HPP
#define COMODAL_APP_FOLD_FILE_HPP

#include <comodal/app/experiment.hpp>
#include <comodal/core/random.hpp>
#include <comodal/data/folder.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// The folder that relative files of the table `data` lie in.
[[nodiscard]] inline std::filesystem::path base_of(const app::experiment& e) {
  const std::filesystem::path folder = e.folder;
  return std::filesystem::is_directory(folder) ? folder : folder.parent_path();
}

/// Folds of cases, drawn by `seed`: as many in each as in the others, but for one. Cases of `always` are trained on in
/// every fold.
[[nodiscard]] inline nlohmann::ordered_json drawn_folds(std::vector<std::string> ids,
                                                        const std::vector<std::string>& always, index folds,
                                                        std::uint64_t seed) {
  std::sort(ids.begin(), ids.end());
  const std::vector<std::string> sorted = ids;
  random_stream random(seed, random_purpose::sampling, 0, hash_name("folds"));
  for (std::size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[random.below(static_cast<std::uint32_t>(i))]);
  auto all = nlohmann::ordered_json::array();
  const auto count = static_cast<std::size_t>(folds);
  for (std::size_t k = 0; k < count; ++k) {
    const std::set<std::string> apart(ids.begin() + static_cast<std::ptrdiff_t>(ids.size() * k / count),
                                      ids.begin() + static_cast<std::ptrdiff_t>(ids.size() * (k + 1) / count));
    std::vector<std::string> train = always, val(apart.begin(), apart.end());
    for (const auto& id : sorted)
      if (!apart.contains(id)) train.push_back(id);
    std::sort(train.begin(), train.end());
    all.push_back({{"train", train}, {"val", val}});
  }
  return all;
}

/// Makes the file of folds, unless it is there: that of the data set, if it has one and the experiment does not choose
/// labelled cases, else drawn. @return the number of folds
/// @throws config_error for fewer cases than folds, or a file there that is of other cases; io_error
inline index fold_file(const std::filesystem::path& file, const app::experiment& e, const cohort& data, index folds) {
  std::vector<std::string> whole, always;
  for (const labelled_case& one : data.labelled) (one.fully_annotated() ? whole : always).push_back(one.files.id);
  if (std::filesystem::exists(file)) {
    const auto json = read_json(file);
    std::vector<std::string> there;
    for (std::size_t k = 0; k < json.size(); ++k)
      for (auto& id : read_fold(file, static_cast<index>(k)).validation) there.push_back(std::move(id));
    std::sort(there.begin(), there.end());
    std::sort(whole.begin(), whole.end());
    if (there != whole)
      throw config_error(text(file.string(), ": has folds of other cases than the labelled ones; name a new folder"));
    return static_cast<index>(json.size());
  }
  const auto given = base_of(e) / "splits_final.json";
  nlohmann::ordered_json made;
  if (e.labelled.empty() && e.splits.empty() && always.empty() && std::filesystem::exists(given)) {
    made = read_json(given);
  } else {
    if (folds < 2) throw config_error(text("folds: ", folds, ", expected 2 or more"));
    if (static_cast<index>(whole.size()) < folds)
      throw config_error(text("folds: ", folds, " of ", whole.size(), " labelled cases; ask for fewer"));
    made = drawn_folds(whole, always, folds, static_cast<std::uint64_t>(e.train.seed));
  }
  make_folder(file.parent_path());
  write_text(file, made.dump(1) + "\n");
  return static_cast<index>(made.size());
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
