// SPDX-License-Identifier: Apache-2.0
/// @file
/// A folder that `predict` writes to: what is finished is recorded case by case, and several processes may share it.
#ifndef COMODAL_APP_PREDICTION_FOLDER_HPP
#define COMODAL_APP_PREDICTION_FOLDER_HPP

#include <comodal/app/observer.hpp>
#include <comodal/app/predictions.hpp>
#include <comodal/core/file_lock.hpp>
#include <comodal/core/random.hpp>
#include <comodal/data/file_stamp.hpp>
#include <comodal/data/folder.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// Volumes that no `predict` wrote may be somebody's labels or images. @throws config_error if the folder holds such
inline void refuse_foreign_volumes(const std::filesystem::path& folder) {
  for (const auto& file : visible_entries(folder)) {
    const std::string name = file.filename().string();
    if (name.ends_with(".nii.gz") || name.ends_with(".nii"))
      throw config_error(text(folder.string(), ": holds ", name, ", which `predict` did not write; name a new folder"));
  }
}

/// Refuses a folder that is something else than one of predictions: a data set, a run, somebody's volumes or
/// description. @param places below the folder that are written to @throws config_error naming what is there
inline void refuse_foreign_folder(const std::filesystem::path& folder, const std::vector<std::string>& places) {
  namespace fs = std::filesystem;
  std::error_code none;
  if (!fs::is_directory(folder, none)) return;
  const auto has = [&](const char* name) { return fs::exists(folder / name, none); };
  if (has("dataset.json") && has("imagesTr"))
    throw config_error(text(folder.string(), ": is a data set; name a folder of its own for the masks"));
  if (has("experiment.toml") && has("log.csv"))
    throw config_error(text(folder.string(),
                            ": is the folder of a run; name a folder of its own for the masks, such as ",
                            (folder / "predictions").string()));
  if (has("predictions.json")) {
    const auto bytes = read_file(folder / "predictions.json");
    const std::string_view words(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!words.empty() && words.find("\"outputs\"") == std::string_view::npos)
      throw config_error(
          text((folder / "predictions.json").string(), ": is a file that `predict` did not write; name a new folder"));
    return;
  }
  refuse_foreign_volumes(folder);
  for (const auto& place : places)
    if (fs::is_directory(folder / place, none)) refuse_foreign_volumes(folder / place);
}

/// One process's hold on a folder of predictions. Processes that segment with the same model and options share the
/// folder and split its cases; others are refused as long as one is at work.
class prediction_folder {
 public:
  /// Makes the folder and its description, or takes over what an earlier run with the same recipe left.
  /// @param ids the cases that this process shall segment
  /// @param keep what is finished stays so; else these cases are done anew, unless another process is at work, too
  /// @throws config_error if another process writes with another recipe, the volumes there are nobody's predictions, or
  /// `keep` finds those of another recipe; io_error if `keep` cannot read what is there
  prediction_folder(std::filesystem::path folder, const predictions& fresh, const std::vector<std::string>& ids,
                    bool keep, const app::observer& watch = {})
      : m_folder(std::move(folder)), m_recipe(fresh.recipe), m_calls(fresh.calls), m_models(fresh.models) {
    std::vector<std::string> places{uncertainty_folder, entropy_folder};
    for (const auto& name : output_names(fresh.modalities)) {
      if (name != "fused") places.push_back(folder_of(name));
      places.push_back(probabilities_of(name));
    }
    refuse_foreign_folder(m_folder, places);
    make_folder(m_folder);
    while (!(m_alive.emplace(m_folder / ".predict.lock").taken() ? begin_alone(fresh, ids, keep, watch) : join())) {
    }
    if (!m_alive->works())
      watch.warn(
          text(m_folder.string(), ": the file system knows no locks; see to it that no other process writes here"));
  }
  prediction_folder(const prediction_folder&) = delete;
  prediction_folder& operator=(const prediction_folder&) = delete;

  /// A hold on one case until it is destroyed.
  class claim {
   public:
    claim(std::filesystem::path file, bool waits) : m_file(std::move(file)), m_lock(m_file) {
      if (waits && !m_lock.taken()) m_lock.wait();
    }
    claim(const claim&) = delete;
    claim& operator=(const claim&) = delete;
    ~claim() {
      std::error_code ignored;
      if (m_lock.taken()) std::filesystem::remove(m_file, ignored);
    }
    [[nodiscard]] bool taken() const { return m_lock.taken(); }

   private:
    std::filesystem::path m_file;
    file_lock m_lock;
  };

  /// A hold on a case that is neither finished nor, unless this waits for it, another process's; else nothing.
  [[nodiscard]] std::unique_ptr<claim> take(const case_files& files, bool waits = false) const {
    auto held = std::make_unique<claim>(m_folder / text(".predict-", hash_name(files.id), ".lock"), waits);
    if (!held->taken() || finished(files)) return nullptr;
    return held;
  }
  /// True if the case is recorded, its mask is there, and its images are what they were.
  [[nodiscard]] bool finished(const case_files& files) const {
    const auto now = read();
    const std::string id = readable_name(files.id);
    if (!now || std::find(now->cases.begin(), now->cases.end(), id) == now->cases.end()) return false;
    const auto images = now->images.find(id);
    return images != now->images.end() && images->second == stamp_of(files) &&
           std::filesystem::is_regular_file(m_folder / (files.id + ".nii.gz"));
  }
  /// Records a finished case. @param outputs that it has @param order all outputs, in the order of tables
  /// @param warnings what is worth a look in it
  void record(const case_files& files, const std::vector<std::string>& outputs, bool uncertain,
              const std::vector<std::string>& order, const std::vector<std::string>& warnings = {}) const {
    const std::string& id = files.id;
    auto sums = sums_of(files);
    change([&](predictions& now) {
      forget(now, id);
      insert(now.cases, readable_name(id));
      now.images[readable_name(id)] = stamp_of(files);
      now.inputs[readable_name(id)] = std::move(sums);
      if (uncertain) insert(now.uncertainty, readable_name(id));
      for (const auto& words : warnings) now.warnings[readable_name(id)].push_back(readable_name(words));
      for (const auto& one : outputs)
        if (std::find(now.outputs.begin(), now.outputs.end(), one) == now.outputs.end()) now.outputs.push_back(one);
      const auto place = [&](const std::string& name) { return std::find(order.begin(), order.end(), name); };
      std::sort(now.outputs.begin(), now.outputs.end(),
                [&](const std::string& a, const std::string& b) { return place(a) < place(b); });
    });
  }
  /// Records a case that could not be segmented.
  void record_failure(const std::string& id, const std::string& reason) const {
    change([&](predictions& now) {
      forget(now, id);
      now.failed[readable_name(id)] = readable_name(reason);
    });
  }

 private:
  // SHA-256 of the files of a case by their names; by their paths where two have one name.
  [[nodiscard]] static std::map<std::string, std::string> sums_of(const case_files& files) {
    std::map<std::string, std::set<std::filesystem::path>> by_name;
    for (const image_source& image : files.images)
      if (!image.path.empty()) by_name[readable_name(image.path.filename().string())].insert(image.path);
    std::map<std::string, std::string> sums;
    for (const auto& [name, paths] : by_name)
      for (const auto& path : paths)
        sums[paths.size() == 1 ? name : readable_name(path.string())] = sha256_of_file(path);
    return sums;
  }
  // Adds this call to what stands in the folder, with its first case: a call that found nothing to do made no mask.
  void add_call(predictions& now) const {
    now.calls.insert(now.calls.end(), m_calls.begin(), m_calls.end());
    now.models.insert(m_models.begin(), m_models.end());
  }
  // Sorted, so that the order does not depend on who was first.
  static void insert(std::vector<std::string>& names, const std::string& name) {
    names.insert(std::lower_bound(names.begin(), names.end(), name), name);
  }
  static void forget(predictions& now, const std::string& id) {
    std::erase(now.cases, readable_name(id));
    std::erase(now.uncertainty, readable_name(id));
    now.failed.erase(readable_name(id));
    now.images.erase(readable_name(id));
    now.inputs.erase(readable_name(id));
    now.warnings.erase(readable_name(id));
  }
  [[nodiscard]] std::optional<predictions> read() const {
    if (!std::filesystem::exists(m_folder / "predictions.json")) return std::nullopt;
    return read_predictions(m_folder);
  }
  [[nodiscard]] std::unique_ptr<file_lock> turn() const { return file_lock::waiting(m_folder / ".predictions.lock"); }

  // Nobody else is at work: the folder gets this recipe. @return true
  bool begin_alone(const predictions& fresh, const std::vector<std::string>& ids, bool keep,
                   const app::observer& watch) {
    {
      const auto mine = turn();
      remove_partial_files(m_folder, "predictions.json");
      std::optional<predictions> earlier;
      try {
        earlier = read();
      } catch (const io_error& failure) {
        if (keep)
          throw io_error(text(failure.what(), "; leave --continue out to do all cases anew, or name a new folder"));
        watch.warn(text(failure.what(), "; what it recorded no longer counts"));
      }
      const bool same = earlier && earlier->recipe == m_recipe;
      if (earlier && !same && keep)
        throw config_error(text(m_folder.string(),
                                ": holds masks of another model, other weights or other options, which cannot be "
                                "continued; name a new folder, or leave --continue out to replace them"));
      if (earlier && !same && !earlier->cases.empty())
        watch.warn(text(m_folder.string(), ": masks of ", earlier->cases.size(),
                        " cases are of another model or other options and no longer count"));
      predictions now = same ? *earlier : fresh;
      if (!same) now.calls.clear();  // it is recorded with its first case
      if (!keep)
        for (const auto& id : ids) forget(now, id);
      write_predictions(m_folder, now);
    }
    m_alive->wait(file_lock::kind::shared);
    return true;
  }
  // Others are at work. @return false if the last of them has just ended and left another recipe
  bool join() {
    m_alive->wait(file_lock::kind::shared);
    {
      const auto mine = turn();
      if (const auto now = read(); now && now->recipe == m_recipe) return true;
    }
    m_alive.reset();
    if (!file_lock(m_folder / ".predict.lock").taken())
      throw config_error(text(
          m_folder.string(),
          ": another `predict` with another model or other options writes to this folder now; name another folder"));
    return false;
  }
  template <class Change>
  void change(const Change& how) const {
    const auto mine = turn();
    auto now = read();
    if (!now || now->recipe != m_recipe)
      throw io_error(
          text((m_folder / "predictions.json").string(), ": was replaced or removed while masks were written"));
    add_call(*now);
    how(*now);
    write_predictions(m_folder, *now);
    m_calls.clear();  // it stands in the folder now
  }

  std::filesystem::path m_folder;
  std::string m_recipe;
  mutable std::vector<app::provenance> m_calls;  // this one; none once it is recorded
  std::map<std::string, std::string> m_models;   // SHA-256 by name
  std::optional<file_lock> m_alive;
};

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
