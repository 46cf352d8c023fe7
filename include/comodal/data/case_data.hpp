// SPDX-License-Identifier: Apache-2.0
/// @file
/// A case ready for a network: canonical orientation, cropped to the head, normalised, resampled where that is asked
/// for; and the way back to the input's own grid.
#ifndef COMODAL_DATA_CASE_DATA_HPP
#define COMODAL_DATA_CASE_DATA_HPP

#include <comodal/data/load_case.hpp>
#include <comodal/data/preparation.hpp>
#include <comodal/data/work_on_cases.hpp>

#include <zlib.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Raised when the same options come to prepare cases otherwise: a cache then prepares them anew.
inline constexpr int preparation_version = 1;

/// How cases are prepared. The model file keeps it: training and prediction must agree.
struct prepare_options {
  std::vector<normalisation> normalise{normalisation::head};  // one for all modalities, or one per modality
  std::vector<ct_statistics> ct;                              // one per modality where any of them needs statistics
  index margin = 4;                                           // voxels kept around the head box
  std::vector<label_class> labels;                            // declared classes; none: label values are not compared
  std::optional<int> ignored{};                               // label value of voxels that nobody looked at
  index onto = -1;                  // modality whose grid the others are resampled to; -1: they share one
  std::array<double, 3> spacing{};  // mm along the axes of RAS+ that volumes are resampled to; 0: as they are
};

/// The voxel sizes of training cases along axes that are not resampled; 0 along others: nothing to compare there.
[[nodiscard]] inline std::array<double, 3> as_they_are(std::array<double, 3> trained, const prepare_options& options) {
  for (std::size_t a = 0; a < 3; ++a)
    if (options.spacing[a] > 0) trained[a] = 0;
  return trained;
}

/// Checks the numbers of a preparation. @throws config_error that names the one that makes no sense
void check(const prepare_options& options, std::size_t modalities);
#if COMODAL_BODIES
COMODAL_ONCE void check(const prepare_options& options, std::size_t modalities) {
  if (options.normalise.size() != 1 && options.normalise.size() != modalities)
    throw config_error(text("normalise: ", options.normalise.size(), " values for ", modalities,
                            " modalities; give one, or one per modality"));
  if (options.margin < 0 || options.margin > 8192)
    throw config_error(text("margin = ", options.margin, ", expected 0 to 8192 voxels"));
  if (options.onto < -1 || options.onto >= static_cast<index>(modalities))
    throw config_error(
        text("onto: modality ", options.onto, " of ", modalities, ", expected 0 to ", modalities - 1, ", or -1: none"));
  for (const double s : options.spacing)
    if (!(s >= 0 && s <= 1000)) throw config_error(text("spacing: ", s, " mm, expected 0 (as it is) to 1000"));
  if (!options.ct.empty() && options.ct.size() != modalities)
    throw config_error(text("ct: statistics of ", options.ct.size(), " modalities, expected ", modalities));
  for (const normalisation& kind : options.normalise)
    if (kind.needs_statistics && options.ct.size() != modalities)
      throw config_error(text("normalise = \"", kind.name, "\": statistics of ", options.ct.size(),
                              " modalities, expected ", modalities));
  for (const ct_statistics& s : options.ct)
    if (!std::isfinite(s.low) || !std::isfinite(s.high) || !std::isfinite(s.mean) || !std::isfinite(s.deviation) ||
        s.low > s.high || s.deviation < 0)
      throw config_error(text("ct: from ", s.low, " to ", s.high, ", mean ", s.mean, ", deviation ", s.deviation,
                              "; expected finite numbers, low to high, and no negative deviation"));
}
#endif

/// The prepared images of a case. It has no label; `labelled_case_data` has.
struct case_data {
  std::string id;
  nifti_header header;  // of the first present modality, for writing results
  case_preparation preparation;
  std::vector<image_volume> images;  // one per modality, on `preparation.prepared()`; without values where absent
  std::vector<bool> present;         // one per modality
  std::vector<finding> warnings;     // what is worth a look in its files, and a normalisation that does not suit them
  std::uint32_t checksum = 0;        // CRC-32 of its grid and the values of its images, as read, and of its label
};

/// The prepared images and label of a case.
struct labelled_case_data {
  case_data data;
  label_volume label;  // on `data.preparation.prepared()`
};

namespace detail {

inline const normalisation& normalisation_of(const prepare_options& options, std::size_t modality) {
  return options.normalise[options.normalise.size() == 1 ? 0 : modality];
}

// The mask that intensities are measured in, the box that is kept of it, and what is lost outside.
struct found_head {
  label_volume mask;
  box kept;
  std::string lost;  // in words; empty: nothing of size
};

// Says where parts of the body of at least three thousandths of the largest lie outside a box.
inline std::string parts_outside(const label_volume& mask, const mask_islands& islands, const box& kept) {
  const label_volume parts = drop_islands(mask, islands, 0.003);
  const auto& size = mask.geometry.size;
  index outside = 0;
  std::array<index, 3> first{};
  for (index k = 0; k < size[2]; ++k)
    for (index j = 0; j < size[1]; ++j)
      for (index i = 0; i < size[0]; ++i)
        if (parts.at(i, j, k) != 0 && !kept.contains(i, j, k) && outside++ == 0) first = {i, j, k};
  if (outside == 0) return {};
  const double ml = static_cast<double>(outside) * std::abs(determinant(mask.geometry.affine)) / 1000;
  return text("a part of the body apart from the rest, ", outside, " voxels (", ml, " ml), about voxel (", first[0],
              ", ", first[1], ", ", first[2],
              ") of the volume in RAS+ orientation, lies outside the box that is kept: it is not segmented");
}

inline found_head find_head(const std::vector<image_volume>& images, const geometry& grid, bool stripped,
                            index margin) {
  label_volume mask = stripped ? nonzero_mask(images) : head_mask(images);
  // Specks of ghosting and noise outside the head belong to the mask, but would stretch the box to the whole volume.
  const mask_islands islands = stripped ? mask_islands{} : find_islands(mask);
  const box found = bounding_box(stripped ? mask : drop_islands(mask, islands, 0.02));
  const box kept = found.empty() ? whole(grid) : grown(found, margin, grid);
  std::string lost = stripped ? "" : parts_outside(mask, islands, kept);
  return {std::move(mask), kept, std::move(lost)};
}

template <class Scalar>
std::uint32_t checksum_with(std::uint32_t sum, const volume<Scalar>& v) {
  return static_cast<std::uint32_t>(
      crc32_z(sum, reinterpret_cast<const unsigned char*>(v.values.data()), v.values.size() * sizeof(Scalar)));
}

inline std::uint32_t checksum_of(const geometry& grid) {
  const uLong sum = crc32_z(0, reinterpret_cast<const unsigned char*>(grid.size.data()), sizeof grid.size);
  return static_cast<std::uint32_t>(
      crc32_z(sum, reinterpret_cast<const unsigned char*>(grid.affine.data()), sizeof grid.affine));
}

// Which label values a map holds.
inline std::array<bool, 256> values_in(const label_volume& label) {
  std::array<bool, 256> found{};
  for (const std::uint8_t v : label.values) found[v] = true;
  return found;
}

case_data prepared_images(const case_files& files, loaded_images loaded, const prepare_options& options);
#if COMODAL_BODIES
COMODAL_ONCE case_data prepared_images(const case_files& files, loaded_images loaded, const prepare_options& options) {
  const std::size_t count = loaded.images.size();
  check(options, count);
  case_data c{.id = files.id,
              .header = loaded.header,
              .preparation = case_preparation(loaded.header.grid),
              .images = {},
              .present = std::vector<bool>(count),
              .warnings = std::move(loaded.findings)};
  c.preparation.add(orient_step{});
  c.checksum = checksum_of(loaded.header.grid);
  bool stripped = true;
  for (std::size_t m = 0; m < count; ++m) {
    c.present[m] = files.present(m);
    stripped &= normalisation_of(options, m).skull_stripped;
    if (!c.present[m]) continue;
    c.checksum = checksum_with(c.checksum + static_cast<std::uint32_t>(m), loaded.images[m]);
    // One affine for all: they agree up to the tolerance of `same_grid`.
    loaded.images[m].geometry = c.preparation.original();
    loaded.images[m] = c.preparation.image(std::move(loaded.images[m]), m);
  }
  const auto [mask, kept, lost] = find_head(loaded.images, c.preparation.prepared(), stripped, options.margin);
  if (!lost.empty()) c.warnings.push_back({finding::level::warning, files.id, lost});
  normalise_step normalised{std::vector<intensity_scaling>(count)};
  for (std::size_t m = 0; m < count; ++m) {
    if (!c.present[m]) continue;
    const normalisation& kind = normalisation_of(options, m);
    if (kind.uses_mask && normalised_before(loaded.images[m], mask))
      c.warnings.push_back({finding::level::warning, files.name(m),
                            "is skull-stripped and was normalised before (0 is background amid its values); use "
                            "normalise = \"nonzero\""});
    normalised.scaling[m] =
        scaling_of(loaded.images[m], mask, kind, options.ct.empty() ? ct_statistics{} : options.ct[m]);
  }
  c.preparation.add(crop_step{kept});
  c.preparation.add(std::move(normalised));
  if (const resampling to = resampling_to(c.preparation.prepared(), options.spacing);
      to.size != c.preparation.prepared().size)
    c.preparation.add(resample_step{to});
  c.images.resize(count);
  for (std::size_t m = 0; m < count; ++m)
    if (c.present[m]) c.images[m] = c.preparation.image(std::exchange(loaded.images[m], {}), m, 1);
  return c;
}
#endif

}  // namespace detail

/// Reads, verifies, reorients, crops, normalises and resamples the images of a case. The head box is the bounding box
/// of the head mask without islands of less than a fiftieth of the head (of the voxels that are not 0 where all
/// modalities are normalised by `nonzero`) and a margin; it never depends on a label.
/// @throws io_error with the lines of everything that is wrong with the files; config_error for options that do not fit
[[nodiscard]] inline case_data prepare_case(const case_files& files, const prepare_options& options) {
  loaded_images loaded = load_images(files, options.onto);
  refuse_errors(loaded.findings);
  return detail::prepared_images(files, std::move(loaded), options);
}
/// The same images prepared in several ways, of which `onto` is one; read once.
[[nodiscard]] inline std::vector<case_data> prepare_in_ways(const case_files& files,
                                                            const std::vector<prepare_options>& ways) {
  std::vector<case_data> out;
  loaded_images loaded = load_images(files, ways.at(0).onto);
  refuse_errors(loaded.findings);
  for (std::size_t w = 0; w + 1 < ways.size(); ++w) out.push_back(detail::prepared_images(files, loaded, ways[w]));
  out.push_back(detail::prepared_images(files, std::move(loaded), ways.back()));
  return out;
}
/// The same for an unlabelled case.
[[nodiscard]] inline case_data prepare_case(const unlabelled_case& one, const prepare_options& options) {
  return prepare_case(one.files, options);
}
/// The same for a labelled case, with its label on the same grid. Foreground that the head box leaves out is a warning.
[[nodiscard]] inline labelled_case_data prepare_case(const labelled_case& one, const prepare_options& options) {
  loaded_images loaded = load_images(one.files, options.onto);
  label_volume label = load_label(one, options.labels, loaded, options.ignored);
  refuse_errors(loaded.findings);
  labelled_case_data out{detail::prepared_images(one.files, std::move(loaded), options), {}};
  const std::size_t all = foreground_voxels(label, options.ignored);
  out.data.checksum = detail::checksum_with(out.data.checksum, label);
  label.geometry = out.data.preparation.original();
  const case_preparation& steps = out.data.preparation;
  label = steps.label(std::move(label), 0, steps.steps_to_results());
  const std::size_t kept = foreground_voxels(label, options.ignored);
  if (kept < all)
    out.data.warnings.push_back({finding::level::warning, one.label_name(),
                                 text("has ", all - kept, " of ", all,
                                      " foreground voxels outside the head box, which are lost; raise data.margin, or "
                                      "choose another data.normalise")});
  const auto before = detail::values_in(label);
  out.label = steps.label(std::move(label), steps.steps_to_results(), steps.steps().size());
  const auto after = detail::values_in(out.label);
  for (std::size_t v = 1; v < before.size(); ++v)
    if (before[v] && !after[v])
      out.data.warnings.push_back({finding::level::warning, one.label_name(),
                                   text("label ", v, " vanishes when it is resampled; make data.spacing finer")});
  return out;
}

/// Prepares many cases, several at a time; the order is kept.
/// @throws io_error with the lines of all cases that cannot be used, in their order, not of the first alone
template <class Case>
[[nodiscard]] auto prepare_cases(const std::vector<Case>& cases, const prepare_options& options) {
  std::vector<decltype(prepare_case(cases.front(), options))> out(cases.size());
  work_on_cases(cases, [&](std::size_t i) { out[i] = prepare_case(cases[i], options); }, {}, options.spacing);
  return out;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
