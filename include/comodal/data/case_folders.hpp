// SPDX-License-Identifier: Apache-2.0
/// @file
/// A folder per case with a file per modality: any such data set by patterns, and those of BraTS by themselves.
#ifndef COMODAL_DATA_CASE_FOLDERS_HPP
#define COMODAL_DATA_CASE_FOLDERS_HPP

#include <comodal/data/cohort_reader.hpp>
#include <comodal/data/folder.hpp>
#include <comodal/data/layout_options.hpp>

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace data_detail {

inline bool is_volume_file(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  // A link to nothing is one, too: whoever reads it says so.
  return (name.ends_with(".nii") || name.ends_with(".nii.gz")) &&
         (std::filesystem::is_regular_file(file) || std::filesystem::is_symlink(file));
}

// Folders below `root` whose path from it fits a pattern; each part of the pattern stands for one level.
inline std::vector<std::filesystem::path> matching_folders(const std::filesystem::path& root,
                                                           const std::filesystem::path& pattern) {
  std::vector<std::filesystem::path> found{root};
  for (const auto& part : pattern) {
    std::vector<std::filesystem::path> next;
    for (const auto& folder : found)
      for (const auto& entry : visible_entries(folder))
        if (std::filesystem::is_directory(entry) && ::fnmatch(part.c_str(), entry.filename().c_str(), FNM_PERIOD) == 0)
          next.push_back(entry);
    found = std::move(next);
  }
  return found;
}

// The volumes of a case's folder and of those in it, by their path from it.
inline std::map<std::string, std::filesystem::path> volumes_in(const std::filesystem::path& folder) {
  std::map<std::string, std::filesystem::path> found;
  std::vector<std::filesystem::path> open{folder};
  while (!open.empty()) {
    const auto here = std::move(open.back());
    open.pop_back();
    for (const auto& entry : visible_entries(here))
      if (std::filesystem::is_directory(entry) && !std::filesystem::is_symlink(entry))
        open.push_back(entry);
      else if (is_volume_file(entry))
        found[entry.lexically_relative(folder).string()] = entry;
  }
  return found;
}

// The volumes that fit a pattern: of file names, or, if it has a slash, of paths from the case's folder.
inline std::vector<std::filesystem::path> matching_volumes(const std::map<std::string, std::filesystem::path>& volumes,
                                                           const std::string& pattern) {
  std::vector<std::filesystem::path> found;
  for (const auto& [path, file] : volumes) {
    const std::string name = pattern.find('/') == std::string::npos ? file.filename().string() : path;
    if (::fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0) found.push_back(file);
  }
  return found;
}

// The folders of cases by their own names; those that share one, by their paths.
inline std::vector<std::string> ids_of_folders(const std::vector<std::filesystem::path>& folders,
                                               const std::filesystem::path& root) {
  std::map<std::string, int> count;
  for (const auto& folder : folders) ++count[folder.filename().string()];
  std::vector<std::string> ids;
  for (const auto& folder : folders) {
    std::string id = folder.filename().string();
    if (count[id] > 1) {
      id = folder.lexically_relative(root).string();
      std::replace(id.begin(), id.end(), '/', '_');
    }
    if (std::find(ids.begin(), ids.end(), id) != ids.end())
      throw config_error(
          text(root.string(), ": two folders of cases are called '", readable_name(id), "'; rename one"));
    ids.push_back(std::move(id));
  }
  return ids;
}

}  // namespace data_detail

/// Lists the cases of a data set with a folder per case. A modality that a case's folder has no file of is absent; a
/// case without a label map is an unlabelled one.
/// @param options `images`, `label` and `case_folders` are patterns of the shell (`*`, `?`, `[...]`)
/// @throws config_error for patterns that fit no file of any case, or are none; io_error if the folder cannot be listed
[[nodiscard]] cohort_listing list_case_folders(const std::filesystem::path& root, const layout_options& options);
#if COMODAL_BODIES
COMODAL_ONCE cohort_listing list_case_folders(const std::filesystem::path& root, const layout_options& options) {
  cohort_listing c;
  c.source = root.string();
  std::vector<std::string> patterns;
  for (const std::string& words : options.images) {
    auto [name, pattern] = data_detail::name_and_rest(words, "data.images", "\"t1=*_t1.nii.gz\"");
    c.modalities.push_back(std::move(name));
    patterns.push_back(std::move(pattern));
  }
  if (patterns.empty())
    throw config_error(
        text(root.string(), ": name the file of each modality with data.images, such as [\"t1=*_t1.nii.gz\"]"));
  check_modalities(c.modalities);
  std::vector<bool> fits(patterns.size() + 1);
  std::string an_example;
  std::vector<std::filesystem::path> folders;  // of cases
  std::vector<std::map<std::string, std::filesystem::path>> contents;
  for (const auto& folder : data_detail::matching_folders(root, options.case_folders)) {
    auto volumes = data_detail::volumes_in(folder);
    if (an_example.empty())
      for (const auto& [path, file] : volumes) an_example += (an_example.empty() ? "" : ", ") + readable_name(path);
    if (std::any_of(patterns.begin(), patterns.end(),
                    [&](const auto& p) { return !data_detail::matching_volumes(volumes, p).empty(); })) {
      folders.push_back(folder);
      contents.push_back(std::move(volumes));
    } else if (!options.label.empty() && !data_detail::matching_volumes(volumes, options.label).empty()) {
      c.findings.push_back({finding::level::error, folder, "holds a label map, and no image that a pattern fits"});
    } else if (!volumes.empty()) {
      c.findings.push_back({finding::level::warning, folder, "is no case: it holds volumes, and no pattern fits one"});
    }
  }
  const auto ids = data_detail::ids_of_folders(folders, root);
  for (std::size_t i = 0; i < folders.size(); ++i) {
    listed_case one{{ids[i], std::vector<image_source>(patterns.size())}, {}};
    const auto take = [&](const std::string& pattern, std::size_t number, std::string_view what, image_source& to) {
      const auto found = data_detail::matching_volumes(contents[i], pattern);
      if (found.empty()) return;
      fits[number] = true;
      to = found[0];
      if (found.size() > 1)
        c.findings.push_back(
            {finding::level::error, folders[i],
             text("the pattern '", pattern, "' of ", what, " fits ", found.size(), " files, ",
                  found[0].filename().string(), " and ", found[1].filename().string(), "; make it narrower"),
             ids[i]});
    };
    for (std::size_t m = 0; m < patterns.size(); ++m) take(patterns[m], m, c.modalities[m], one.files.images[m]);
    if (!options.label.empty()) take(options.label, patterns.size(), "the label map", one.label);
    check_case_id(ids[i], folders[i].string());
    c.training.push_back(std::move(one));
  }
  const std::string has = an_example.empty() ? text("no folder that fits '", options.case_folders, "' holds a volume")
                                             : text("its first folder holds ", an_example);
  for (std::size_t m = 0; m < patterns.size(); ++m)
    if (!fits[m])
      throw config_error(
          text("data.images: '", patterns[m], "' (", c.modalities[m], ") fits no file in ", root.string(), ": ", has));
  if (!options.label.empty() && !fits[patterns.size()])
    throw config_error(text("data.label: '", options.label, "' fits no file in ", root.string(), ": ", has));
  sort_by_id(c);
  return c;
}
#endif

/// The `cohort_reader` of data sets with a folder per case whose files the options name.
struct case_folders_reader {
  std::filesystem::path folder;
  layout_options options{};

  [[nodiscard]] static constexpr std::string_view layout() { return "case-folders"; }
  /// Never: without patterns nobody knows which file is what.
  [[nodiscard]] static bool recognises(const std::filesystem::path&) { return false; }
  /// @throws as `list_case_folders`
  [[nodiscard]] cohort_listing list() const { return list_case_folders(folder, options); }
};

/// The `cohort_reader` of BraTS' folders: CASE/CASE_flair.nii.gz, _t1, _t1ce, _t2, _seg (2017 to 2021; enhancing tumour
/// is 4), or CASE/CASE-t2f.nii.gz, -t1n, -t1c, -t2w, -seg (from 2023 on; it is 3); also one level deeper (HGG, LGG).
struct brats_reader {
  std::filesystem::path folder;
  layout_options options{};

  [[nodiscard]] static constexpr std::string_view layout() { return "brats"; }
  /// A folder in which some case's folder has a FLAIR of its name.
  [[nodiscard]] static bool recognises(const std::filesystem::path& path) { return !found_in(path).flair.empty(); }
  /// @throws as `list_case_folders`
  [[nodiscard]] cohort_listing list() const {
    const found_files found = found_in(folder);
    layout_options o = options;
    const bool late = found.flair.starts_with("-");
    const std::array<std::pair<const char*, const char*>, 4> names{{{"flair", late ? "-t2f" : "_flair"},
                                                                    {"t1", late ? "-t1n" : "_t1"},
                                                                    {"t1ce", late ? "-t1c" : "_t1ce"},
                                                                    {"t2", late ? "-t2w" : "_t2"}}};
    for (const auto& [name, tail] : names) o.images.push_back(text(name, "=*", tail, ".nii*"));
    if (o.label.empty()) o.label = late ? "*-seg.nii*" : "*_seg.nii*";
    o.case_folders = found.deeper ? "*/*" : "*";
    cohort_listing c = list_with(o);
    c.labels = {{"background", {0}}, {"necrotic core", {1}}, {"oedema", {2}}, {"enhancing tumour", {late ? 3 : 4}}};
    return c;
  }

 private:
  struct found_files {
    std::string flair;    // how its name ends, without ".nii"; empty: there is none
    bool deeper = false;  // folders of cases lie in folders
  };

  // A cohort for prediction has no labels.
  [[nodiscard]] cohort_listing list_with(layout_options o) const {
    const auto folders = data_detail::matching_folders(folder, o.case_folders);
    const bool labelled = std::any_of(folders.begin(), folders.end(), [&](const auto& one) {
      return !data_detail::matching_volumes(data_detail::volumes_in(one), o.label).empty();
    });
    if (!labelled && options.label.empty()) o.label.clear();
    return list_case_folders(folder, o);
  }
  [[nodiscard]] static found_files found_in(const std::filesystem::path& path) {
    if (!std::filesystem::is_directory(path)) return {};
    for (const bool deeper : {false, true})
      for (const auto& one : data_detail::matching_folders(path, deeper ? "*/*" : "*"))
        for (const char* tail : {"_flair", "-t2f"})
          for (const char* ending : {".nii.gz", ".nii"})
            if (std::filesystem::is_regular_file(one / text(one.filename().string(), tail, ending)))
              return {tail, deeper};
    return {};
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
