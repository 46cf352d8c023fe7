// SPDX-License-Identifier: Apache-2.0
/// @file
/// The file that says which cases are in which fold, in nnU-Net's form.
#ifndef COMODAL_APP_FOLD_FILE_HPP
#define COMODAL_APP_FOLD_FILE_HPP

#include <comodal/app/experiment.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/core/random.hpp>
#include <comodal/data/folder.hpp>
#include <comodal/data/json.hpp>
#include <comodal/data/split.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
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

// Refuses folds of cases that have no label, that are kept apart twice, or that train and are kept apart in one fold.
inline void check_folds(const std::filesystem::path& file, index folds, const std::vector<std::string>& whole) {
  std::set<std::string> known(whole.begin(), whole.end()), apart;
  for (index k = 0; k < folds; ++k) {
    const auto [train, val] = read_fold(file, k);
    const auto refuse = [&](const std::string& id, const char* why) {
      throw config_error(text(file.string(), ": fold ", k, ": case ", id, " ", why));
    };
    for (const auto* list : {&train, &val})
      for (const auto& id : *list)
        if (!known.contains(id)) refuse(id, "is no labelled case of the data set");
    for (const auto& id : val) {
      if (!apart.insert(id).second) refuse(id, "is kept apart by two folds, so that its scores would count twice");
      if (std::find(train.begin(), train.end(), id) != train.end()) refuse(id, "trains and is kept apart");
    }
  }
}

/// The folds of an experiment as a file: those of the data set's splits_final.json, if it has one, all its labelled
/// cases are annotated in full, and neither data.labelled nor data.splits is set; else they are drawn. Made unless it
/// is there.
/// @param folds to draw; unset: as many as there are, or 5 @param only the number of a fold that there must be @return
/// the number of folds
/// @throws config_error for fewer cases than folds, folds that make no sense, or a file of other folds; io_error
inline index fold_file(const std::filesystem::path& file, const app::experiment& e, const cohort& data,
                       std::optional<index> folds, index only, const app::observer& watch) {
  std::vector<std::string> whole, always;
  for (const labelled_case& one : data.labelled) (one.fully_annotated() ? whole : always).push_back(one.files.id);
  nlohmann::ordered_json there;
  if (std::filesystem::exists(file)) there = read_json(file);
  const auto given = base_of(e) / "splits_final.json";
  nlohmann::ordered_json made;
  if (e.labelled.empty() && e.splits.empty() && always.empty() && std::filesystem::exists(given)) {
    made = read_json(given);
    (void)read_fold(given, 0);  // says what is wrong with the file as a whole
    if (folds && *folds != static_cast<index>(made.size()))
      throw config_error(text("folds: ", *folds, ", ", given.string(), " has ", made.size(),
                              "; leave --folds out, or move that file away to have folds drawn"));
    check_folds(given, static_cast<index>(made.size()), whole);
    watch.tell(text("folds of ", given.string()));
  } else {
    const index count = folds.value_or(there.is_array() ? static_cast<index>(there.size()) : 5);
    if (count < 2) throw config_error(text("folds: ", count, ", expected 2 or more"));
    if (static_cast<index>(whole.size()) < count)
      throw config_error(text("folds: ", count, " of ", whole.size(), " labelled cases; ask for fewer (--folds)"));
    made = drawn_folds(whole, always, count, static_cast<std::uint64_t>(e.train.seed));
    watch.tell(text(count, " folds, drawn by train.seed = ", e.train.seed));
  }
  const std::size_t count = made.size();
  if (only >= static_cast<index>(count))
    throw config_error(text("fold ", only, ": there are ", count, " folds, from 0 on"));
  if (!there.is_null() && there.size() != count)
    throw config_error(text(file.string(), ": has ", there.size(), " folds, this call asks for ", count,
                            "; leave --folds out, or name a new folder"));
  if (!there.is_null() && there != made)
    throw config_error(
        text(file.string(),
             ": was made of other labelled cases, or with another train.seed; name a new folder, or take the "
             "settings of its first call"));
  make_folder(file.parent_path());
  if (there.is_null()) write_text(file, made.dump(1) + "\n");
  return static_cast<index>(made.size());
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
