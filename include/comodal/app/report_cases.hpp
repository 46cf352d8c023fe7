// SPDX-License-Identifier: Apache-2.0
/// @file
/// The cases that a report shows, read from the folders of runs, images and true masks.
#ifndef COMODAL_APP_REPORT_CASES_HPP
#define COMODAL_APP_REPORT_CASES_HPP

#include <comodal/app/images_to_predict.hpp>
#include <comodal/app/mask_folder.hpp>
#include <comodal/report/case_section.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// The other outputs of a method in pictures; a network of many modalities may have hundreds.
inline constexpr std::size_t most_shown_outputs = 12;

// How many modalities the images of a folder have, by their numbers.
[[nodiscard]] inline std::size_t image_modalities(const std::filesystem::path& images) {
  std::size_t count = 0;
  for (const auto& file : visible_entries(images)) {
    const std::string name = file.filename().string(), id = case_of_image(file);
    if (!id.empty()) count = std::max(count, static_cast<std::size_t>(std::stoul(name.substr(id.size() + 1, 4))) + 1);
  }
  return count;
}

/// Reads shown cases.
class case_reader {
 public:
  /// @param names of the runs, in the order of the folders of masks @param labels empty: there is no truth
  case_reader(const std::vector<mask_folder>& folders, std::vector<std::string> names, std::filesystem::path images,
              const std::filesystem::path& labels)
      : m_folders(folders),
        m_names(std::move(names)),
        m_images(std::move(images)),
        m_truths(labels.empty() ? std::map<std::string, std::filesystem::path>() : masks_of(labels)),
        m_ending(volume_ending(m_images)) {
    for (const auto& folder : folders)
      if (m_modalities.size() < folder.about.modalities.size()) m_modalities = folder.about.modalities;
    const bool named = std::any_of(folders.begin(), folders.end(), [](const auto& f) { return f.by_predict; });
    for (std::size_t m = m_modalities.size(); !named && m < image_modalities(m_images); ++m)
      m_modalities.push_back(modality_number(m));  // nobody says what it is called
  }

  /// What could not be shown, in words.
  std::vector<std::string> warnings = {};

  /// A case, ready to be drawn. @throws io_error, geometry_error for files that cannot be used
  [[nodiscard]] shown_case read(const chosen_case& chosen) {
    shown_case c;
    c.case_id = readable_name(chosen.case_id);
    c.mark = chosen.mark;
    c.classes = shown_classes(m_folders[0].about.labels);
    if (!m_truths.empty()) c.truth = read_nifti_labels(m_truths.at(chosen.case_id));
    for (const auto& folder : m_folders) {
      const auto told = folder.about.warnings.find(c.case_id);
      if (told == folder.about.warnings.end()) continue;
      for (const auto& words : told->second)
        if (std::find(c.notes.begin(), c.notes.end(), words) == c.notes.end()) c.notes.push_back(words);
    }
    for (std::size_t r = 0; r < m_folders.size(); ++r)
      c.methods.push_back({m_names[r], masks(m_folders[r], chosen.case_id, c.truth)});
    for (std::size_t r = 0; r < chosen.dice.size(); ++r) c.methods[r].dice = chosen.dice[r];
    const geometry grid = c.reference().geometry;
    m_whose = c.truth ? "the true mask" : c.reference_name();
    for (std::size_t r = 0; r < m_folders.size(); ++r) add_maps(c.methods[r], m_folders[r], chosen.case_id, grid);
    if (c.truth) {
      label_volume none = *c.truth;
      leave_out(none, *c.truth, m_folders[0].ignored);
    }
    for (std::size_t m = 0; m < m_modalities.size(); ++m) {
      const auto file = m_images / (chosen.case_id + "_" + modality_number(m) + m_ending);
      if (!std::filesystem::exists(file)) {
        c.missing.push_back(m_modalities[m]);
        continue;
      }
      add_volume(c.images, m_modalities[m], file, grid);
    }
    prepare_to_show(c);
    return c;
  }

 private:
  void add_volume(std::vector<shown_image>& list, const std::string& name, const std::filesystem::path& file,
                  const geometry& grid) {
    image_volume v = read_nifti(file);
    if (const std::string other = grid_difference(v.geometry, grid); !other.empty())
      warnings.push_back(text(file.string(), ": is not shown: ", other, " (the grid of ", m_whose, ")"));
    else
      list.push_back({name, std::move(v)});
  }

  // The masks of a folder by output: the answer first.
  [[nodiscard]] static std::vector<shown_mask> masks(const mask_folder& folder, const std::string& id,
                                                     const std::optional<label_volume>& truth) {
    std::vector<shown_mask> out;
    std::vector<std::string> outputs = folder.about.outputs;
    if (outputs.empty()) outputs = {"fused"};
    for (const std::string& output : outputs) {
      if (out.size() > most_shown_outputs) break;
      const auto files = folder.masks(output);
      const auto found = files.find(id);
      if (found == files.end()) {
        if (out.empty()) break;  // the first mask is the method's answer
        continue;
      }
      label_volume mask = read_mask_of(folder, found->second);
      if (truth) {
        label_volume reference = *truth;
        leave_out(mask, reference, folder.ignored);
      }
      out.push_back({output, std::move(mask)});
    }
    return out;
  }

  void add_maps(shown_method& to, const mask_folder& folder, const std::string& id, const geometry& grid) {
    if (to.masks.empty() || !folder.by_predict) return;
    const std::string file = folder.first_masks().at(id).filename().string();
    for (const char* map : {uncertainty_folder, entropy_folder})
      if (std::filesystem::exists(folder.folder / map / file))
        add_volume(to.maps, map, folder.folder / map / file, grid);
  }

  const std::vector<mask_folder>& m_folders;
  std::vector<std::string> m_names;
  std::filesystem::path m_images;
  std::map<std::string, std::filesystem::path> m_truths;
  std::string m_ending, m_whose = {};  // whose grid it is, in words
  std::vector<std::string> m_modalities;
};

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
