// SPDX-License-Identifier: Apache-2.0
/// @file
/// Reads all files of one case and says everything that is wrong with them; what `check` reports and `train` refuses.
#ifndef COMODAL_DATA_LOAD_CASE_HPP
#define COMODAL_DATA_LOAD_CASE_HPP

#include <comodal/data/cohort.hpp>
#include <comodal/data/nifti.hpp>
#include <comodal/data/outliers.hpp>
#include <comodal/data/resample_onto.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The images of a case as they are in its files. To be used only if `findings` holds no error.
struct loaded_images {
  std::vector<image_volume> images;  // one per modality, all of one grid; without values where absent or unreadable
  nifti_header header;               // of the first present modality: the grid that results are written on
  std::filesystem::path reference;   // the image whose grid the others are compared with: that of most modalities
  geometry grid;                     // of that file
  std::vector<finding> findings;
};

namespace detail {

inline std::string header_warning(const nifti_header& h) {
  if (h.qform_code <= 0 && h.sform_code <= 0)
    return "has neither qform nor sform: where left and right are is unknown, x is taken to the right";
  if (!h.conflict.empty()) return "its qform and sform disagree (qform: " + h.conflict + "); the sform is used";
  return "";
}

// Says what is wrong with the values of an image, and replaces those far outside the range of the others.
inline void inspect_values(image_volume& image, const std::filesystem::path& file, std::vector<finding>& findings) {
  std::size_t nans = 0, infinities = 0;
  bool constant = true;
  for (const float v : image.values) {
    nans += std::isnan(v);
    infinities += std::isinf(v);
    constant &= v == image.values.front();
  }
  if (nans + infinities > 0)
    findings.push_back(
        {finding::level::error, file,
         text("holds ", nans, " NaN and ", infinities, " infinite values among ", image.values.size(),
              " voxels; give them the value of the background (0 in MR, -1024 in CT), or convert the images again")});
  else if (constant)
    findings.push_back(
        {finding::level::warning, file,
         text("is constant: every voxel is ", image.values.front(), "; leave the file out if the modality is absent")});
  if (nans + infinities > 0 || constant) return;
  for (const outlying_voxels& o : replace_outliers(image))
    findings.push_back({finding::level::warning, file, describe(o)});
}

// The grid that most modalities have: of equals the first.
inline std::size_t common_grid(const std::vector<geometry>& grids) {
  std::size_t best = 0, most = 0;
  for (std::size_t a = 0; a < grids.size(); ++a) {
    std::size_t agree = 0;
    for (const geometry& other : grids) agree += same_grid(other, grids[a]);
    if (agree > most) most = agree, best = a;
  }
  return best;
}

}  // namespace detail

namespace detail {

// Reads images one after the other; volumes of one 4-D file that follow each other are taken from one reading.
class image_loader {
 public:
  nifti_file<float> load(const image_source& source) {
    if (source.path.empty()) {
      image_volume image = to_image(source.memory);
      return {make_nifti_header(image.geometry), std::move(image)};
    }
    if (!source.volume) return read_nifti_file(source.path);
    if (!m_contents || m_path != source.path) {
      m_contents.reset();
      m_contents.emplace(source.path);
      m_path = source.path;
    }
    return {m_contents->header(), to_image(m_contents->view(source.volume))};
  }

 private:
  std::filesystem::path m_path;
  std::optional<nifti_contents> m_contents;
};

// The finding about a source: messages of its reader begin with the file, without the volume's number.
inline finding finding_of_source(const image_source& source, const std::string& name, const std::exception& failure) {
  finding found = finding_of(source.path.empty() ? std::filesystem::path(name) : source.path, failure);
  found.file = name;
  return found;
}

inline label_volume load_labels(const image_source& source, const std::string& name) {
  return source.path.empty() ? to_labels(source.memory, name) : read_nifti_labels(source.path, source.volume);
}

}  // namespace detail

/// Reads the images of a case, from files or memory. Never throws for what a file or the memory holds.
/// Errors found: unreadable files, modalities on different grids, NaN and infinite values, no modality at all.
/// Warnings: constant images, qform and sform that disagree or are both missing, voxels far outside the range of an
/// image, which are replaced (`replace_outliers`).
/// @param onto number of the modality whose grid the others are resampled to; negative: they must share one. Of a case
/// without it, the first that there is
[[nodiscard]] loaded_images load_images(const case_files& files, index onto = -1);
#if COMODAL_BODIES
COMODAL_ONCE loaded_images load_images(const case_files& files, index onto) {
  loaded_images c;
  c.images.resize(files.images.size());
  std::vector<std::size_t> readable;
  std::vector<geometry> grids;
  bool any = false;
  std::vector<nifti_header> headers;
  detail::image_loader loader;
  for (std::size_t m = 0; m < files.images.size(); ++m) {
    if (!files.present(m)) continue;
    any = true;
    const std::string name = files.name(m);
    try {
      auto file = loader.load(files.images[m]);
      if (const std::string words = detail::header_warning(file.header); !words.empty())
        c.findings.push_back({finding::level::warning, name, words});
      detail::inspect_values(file.content, name, c.findings);
      headers.push_back(file.header);
      readable.push_back(m);
      grids.push_back(file.content.geometry);
      c.images[m] = std::move(file.content);
    } catch (const std::bad_alloc&) {
      throw;  // no fault of the file
    } catch (const std::exception& failure) {
      c.findings.push_back(detail::finding_of_source(files.images[m], name, failure));
    }
  }
  if (!any) c.findings.push_back({finding::level::error, files.id, "the case has no modality at all"});
  if (readable.empty()) return c;
  if (onto >= 0) {
    const auto chosen = std::find(readable.begin(), readable.end(), static_cast<std::size_t>(onto));
    const auto target = static_cast<std::size_t>(chosen == readable.end() ? 0 : chosen - readable.begin());
    c.header = headers[target];
    c.reference = files.name(readable[target]);
    c.grid = grids[target];
    for (std::size_t r = 0; r < readable.size(); ++r) {
      if (same_grid(grids[r], c.grid)) continue;
      const std::string name = files.name(readable[r]), target_name = c.reference.filename().string();
      for (const auto& [file, of] : {std::pair{name, r}, {target_name, target}})
        if (headers[of].qform_code <= 0 && headers[of].sform_code <= 0)
          c.findings.push_back({finding::level::error, file,
                                "has neither qform nor sform, so that nobody knows where it lies in the patient: it "
                                "cannot be resampled, or resampled to"});
      const double share = covered_share(grids[r], c.grid);
      if (share < 0.5)
        c.findings.push_back({share == 0 ? finding::level::error : finding::level::warning, name,
                              text("shows ", static_cast<int>(std::lround(100 * share)), " % of the grid of ",
                                   target_name, "; look whether both are of one patient and one visit")});
      c.images[readable[r]] = resample_onto(c.images[readable[r]], c.grid);
    }
    return c;
  }
  c.header = headers[0];
  const std::size_t common = detail::common_grid(grids);
  c.reference = files.name(readable[common]);
  c.grid = grids[common];
  for (std::size_t r = 0; r < readable.size(); ++r)
    if (const std::string how = grid_difference(grids[r], grids[common]); !how.empty())
      c.findings.push_back(
          {finding::level::error, files.name(readable[r]),
           text("is on another grid than ", c.reference.filename().string(), ": ", how,
                "; name the modality whose grid all are resampled to (data.resample_to, or --resample-to of check)")});
  return c;
}
#endif

/// Voxels that are neither background nor, if there is such a value, of the ignored label.
[[nodiscard]] inline std::size_t foreground_voxels(const label_volume& label, const std::optional<int>& ignored = {}) {
  const int other = ignored.value_or(0);
  return static_cast<std::size_t>(
      std::count_if(label.values.begin(), label.values.end(), [&](std::uint8_t v) { return v != 0 && v != other; }));
}

/// What is to be said of each label value that no class declares: "holds label 7 in 12 voxels; declared are 0, 1, 2".
/// @param classes the declared classes; none: values are not compared @param ignored a further value that may be there
[[nodiscard]] inline std::vector<std::string> undeclared_labels(const label_volume& label,
                                                                const std::vector<label_class>& classes,
                                                                const std::optional<int>& ignored = {}) {
  std::array<std::size_t, 256> counts{};
  for (const std::uint8_t v : label.values) ++counts[v];
  if (ignored) counts[static_cast<std::size_t>(*ignored)] = 0;
  const std::vector<int> declared = declared_values(classes);
  std::string list;
  for (const int v : declared) list += text(list.empty() ? "" : ", ", v);
  std::vector<std::string> found;
  for (std::size_t v = 0; v < 256 && !declared.empty(); ++v)
    if (counts[v] > 0 && !std::binary_search(declared.begin(), declared.end(), static_cast<int>(v)))
      found.push_back(text("holds label ", v, " in ", counts[v], " voxels; declared are ", list));
  return found;
}

/// What is to be said of each class (or of regions that share a value) that has voxels although it is not annotated:
/// "holds 12 voxels of 'oedema', which is not annotated in case a; ...". A value that an annotated class has is right.
/// @param annotated by class; empty: all are
[[nodiscard]] inline std::vector<std::string> unannotated_labels(const label_volume& label,
                                                                 const std::vector<label_class>& classes,
                                                                 const std::vector<bool>& annotated,
                                                                 const std::string& id) {
  std::array<std::size_t, 256> counts{};
  for (const std::uint8_t v : label.values) ++counts[v];
  std::vector<std::pair<std::string, std::size_t>> voxels;  // by the names of what has the value
  for (std::size_t v = 1; v < 256 && !annotated.empty(); ++v) {
    std::string names;
    bool right = counts[v] == 0;
    for (std::size_t c = 1; c < classes.size(); ++c) {
      const auto& values = classes[c].values;
      if (std::find(values.begin(), values.end(), static_cast<int>(v)) == values.end()) continue;
      right = right || annotated[c];
      names += text(names.empty() ? "'" : ", '", classes[c].name, "'");
    }
    if (right || names.empty()) continue;
    const auto known = std::find_if(voxels.begin(), voxels.end(), [&](const auto& one) { return one.first == names; });
    if (known == voxels.end())
      voxels.emplace_back(names, counts[v]);
    else
      known->second += counts[v];
  }
  std::vector<std::string> found;
  for (const auto& [names, number] : voxels)
    found.push_back(text("holds ", number, " voxels of ", names, ", which is not annotated in case ", id,
                         "; add it to the case's list in the file of partial labels, or set these voxels to 0"));
  return found;
}

/// Reads the label map of a case whose images were loaded, and adds what is wrong with it to their findings:
/// unreadable, on another grid, values that no class declares or that are of no annotated class (errors), no foreground
/// (warning).
/// @param classes the declared classes; none: values are not compared @param ignored the value of voxels that nobody
/// looked at
[[nodiscard]] inline label_volume load_label(const labelled_case& labelled, const std::vector<label_class>& classes,
                                             loaded_images& c, const std::optional<int>& ignored = {}) {
  label_volume label;
  const std::string name = labelled.label_name();
  try {
    label = detail::load_labels(labelled.label, name);
  } catch (const std::exception& failure) {
    c.findings.push_back(detail::finding_of_source(labelled.label, name, failure));
    return label;
  }
  if (!c.reference.empty())
    if (const std::string how = grid_difference(label.geometry, c.grid); !how.empty())
      c.findings.push_back({finding::level::error, name,
                            text("is on another grid than ", c.reference.filename().string(), ": ", how,
                                 "; look whether it belongs to that image, or resample it to that grid")});
  for (const std::string& words : undeclared_labels(label, classes, ignored))
    c.findings.push_back({finding::level::error, name, words});
  for (const std::string& words : unannotated_labels(label, classes, labelled.annotated, labelled.files.id))
    c.findings.push_back({finding::level::error, name, words});
  if (foreground_voxels(label, ignored) == 0)
    c.findings.push_back(
        {finding::level::warning, name,
         ignored ? "is empty: every voxel is background or ignored" : "is empty: every voxel is background"});
  return label;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
