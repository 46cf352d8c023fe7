// SPDX-License-Identifier: Apache-2.0
/// @file
/// Every number of the phantom cohort, with its default, and the presets that make it easier or harder.
#ifndef COMODAL_DATA_PHANTOM_OPTIONS_HPP
#define COMODAL_DATA_PHANTOM_OPTIONS_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// Number of modalities of a phantom case, in the order of `phantom_modalities`.
inline constexpr std::size_t phantom_modality_count = 4;
inline constexpr std::array<std::string_view, phantom_modality_count> phantom_modalities{"FLAIR", "T1", "T1ce", "T2"};
/// Names of the labels 0, 1, 2, 3.
inline constexpr std::array<std::string_view, 4> phantom_labels{"background", "necrotic core", "oedema",
                                                                "enhancing rim"};

/// What a cohort of phantom heads is made from. Lengths are in mm, volumes in ml, intensities relative to
/// `intensity_scale`; a pair of numbers is a range from which each case (or each object) draws uniformly.
struct phantom_options {
  using range = std::array<double, 2>;
  using per_modality = std::array<double, phantom_modality_count>;

  // Cohort
  index labelled = 4;     // training cases with a label file
  index unlabelled = 20;  // training cases without
  index test = 12;
  double missing = 0.15;       // chance that an unlabelled or test case lacks one modality
  bool copies = false;         // control: all modalities of a case are the same image, its FLAIR
  double oedema_labelled = 1;  // fraction of the labelled cases in which oedema is annotated

  // Grid
  std::array<index, 3> grid{96, 96, 64};         // voxels along i, j, k
  std::array<double, 3> spacing{1.5, 1.5, 2.0};  // mm
  index supersampling = 2;                       // the head is made on a grid that many times finer per axis
  double oblique_fraction = 0.1;                 // of the cases, with a rotated affine
  range oblique_degrees{5, 25};

  // Head: semi-axes to the left, front and top, and the layers from outside in
  std::array<double, 3> head_mm{61, 68, 56};
  double head_jitter = 0.05;         // relative, per axis
  double pose_degrees = 8;           // largest rotation about each axis
  double deformation_mm = 1.8;       // standard deviation of the displacement per axis
  double deformation_scale_mm = 36;  // distance of its knots
  double fat_mm = 3.0, scalp_mm = 2.0, skull_mm = 4.5, meninges_mm = 1.5;
  double fat_variation = 0.3;

  // Brain: sulci are the zero sheets of a random field, less deep inside than outside
  double fold_scale_mm = 11;
  double fold_depth_mm = 17;
  double sulcus_width = 0.16, cortex_width = 0.55;  // in standard deviations of that field
  double cortex_mm = 3.0;
  double fissure_mm = 20;  // depth of the cleft between the halves
  double nucleus_scale_mm = 11, nucleus_threshold = 0.9;
  std::array<double, 3> nucleus_zone_mm{26, 26, 18};
  std::array<double, 3> ventricle_mm{7, 21, 9};
  double ventricle_offset_mm = 9;
  double ventricle_jitter = 0.25;

  // Lesions: oedema around a tumour, whose rim encloses its core
  double lesion_ml = 9;       // median of the total volume of a case
  double lesion_sigma = 0.6;  // standard deviation of its logarithm
  range lesion_limits_ml{2.5, 40};
  double second_lesion = 0.3;      // chance of a second one
  range second_share{0.2, 0.45};   // its part of the total volume
  double lesion_distance_mm = 28;  // least distance between the two centres
  range tumour_share{0.2, 0.6};    // rim and core, of the lesion's volume
  range core_share{0.1, 0.55};     // core, of the tumour's volume
  double shell_mm = 1.8;           // least thickness of the oedema and of the rim
  double blob_scale_mm = 10, blob_irregularity = 0.22, blob_elongation = 0.2;
  double oedema_irregularity = 0.3;
  double grey_resistance = 1.6;  // how much shorter oedema reaches through grey matter

  // Distractors
  range vessels{10, 18}, vessel_radius_mm{0.8, 1.9}, vessel_length_mm{35, 90};
  double vessel_curvature = 0.16;  // change of direction per step of half a mm, in radians
  range spots{8, 20}, spot_radius_mm{1.5, 4.2};
  range cavities{2, 5}, cavity_radius_mm{3.5, 8.5};

  // Contrast: CSF, grey matter, white matter, oedema, rim, core
  std::array<std::array<double, 6>, phantom_modality_count> contrast{{{0.15, 0.60, 0.50, 0.95, 0.75, 0.45},
                                                                      {0.25, 0.55, 0.80, 0.60, 0.60, 0.30},
                                                                      {0.25, 0.55, 0.80, 0.60, 1.10, 0.30},
                                                                      {1.00, 0.65, 0.45, 0.95, 0.75, 1.00}}};
  per_modality contrast_fat{0.85, 1.15, 1.15, 0.90};
  per_modality contrast_scalp{0.45, 0.50, 0.65, 0.40};
  per_modality contrast_skull{0.08, 0.10, 0.10, 0.08};

  // Acquisition
  double intensity_scale = 1000;
  double contrast_jitter = 0.10;  // of each tissue's value, and of white matter for a common shift
  range bias{0.10, 0.30};         // largest relative deviation of the bias field
  double bias_scale_mm = 50;
  range noise{0.04, 0.08};  // standard deviation, of the modality's white matter
  double shift = 0.5;       // largest distance between two modalities, in voxels along each axis
};

/// Calls `visit(name, reference, help)` for every option, in a fixed order. Types: `index`, `double`, `bool`, and
/// `std::array`s of the first two. Names are the keys of the table `phantom` of an experiment file.
template <class Options, class Visit>
void visit_phantom_options(Options& o, Visit&& visit) {
#define COMODAL_IMPL_VISIT(name, help) visit(#name, o.name, help)
  COMODAL_IMPL_VISIT(labelled, "training cases with a label file");
  COMODAL_IMPL_VISIT(unlabelled, "training cases without");
  COMODAL_IMPL_VISIT(test, "test cases");
  COMODAL_IMPL_VISIT(missing, "chance that an unlabelled or test case lacks one modality");
  COMODAL_IMPL_VISIT(copies, "true: all modalities of a case are the same image (a control)");
  COMODAL_IMPL_VISIT(oedema_labelled, "fraction of the labelled cases in which oedema is annotated");
  COMODAL_IMPL_VISIT(grid, "voxels along i, j, k");
  COMODAL_IMPL_VISIT(spacing, "voxel size along i, j, k in mm");
  COMODAL_IMPL_VISIT(supersampling, "the head is made on a grid that is finer by this factor along each axis");
  COMODAL_IMPL_VISIT(oblique_fraction, "fraction of the cases with a rotated affine");
  COMODAL_IMPL_VISIT(oblique_degrees, "range of that rotation");
  COMODAL_IMPL_VISIT(head_mm, "semi-axes of the head to the left, front and top");
  COMODAL_IMPL_VISIT(head_jitter, "relative deviation of these, per axis");
  COMODAL_IMPL_VISIT(pose_degrees, "largest rotation of the head about each axis");
  COMODAL_IMPL_VISIT(deformation_mm, "standard deviation of the smooth displacement per axis");
  COMODAL_IMPL_VISIT(deformation_scale_mm, "distance of its knots");
  COMODAL_IMPL_VISIT(fat_mm, "thickness of the fat");
  COMODAL_IMPL_VISIT(scalp_mm, "thickness of the scalp");
  COMODAL_IMPL_VISIT(skull_mm, "thickness of the skull");
  COMODAL_IMPL_VISIT(meninges_mm, "thickness of the meninges");
  COMODAL_IMPL_VISIT(fat_variation, "relative variation of the fat");
  COMODAL_IMPL_VISIT(fold_scale_mm, "distance between folds of the cortex");
  COMODAL_IMPL_VISIT(fold_depth_mm, "depth down to which folds reach");
  COMODAL_IMPL_VISIT(sulcus_width, "width of sulci, in standard deviations of the field of folds");
  COMODAL_IMPL_VISIT(cortex_width, "width of the cortex, in standard deviations of the field of folds");
  COMODAL_IMPL_VISIT(cortex_mm, "thickness of the cortex");
  COMODAL_IMPL_VISIT(fissure_mm, "depth of the cleft between the halves");
  COMODAL_IMPL_VISIT(nucleus_scale_mm, "size of the deep nuclei");
  COMODAL_IMPL_VISIT(nucleus_threshold, "the higher, the fewer nuclei");
  COMODAL_IMPL_VISIT(nucleus_zone_mm, "semi-axes of the zone of the nuclei");
  COMODAL_IMPL_VISIT(ventricle_mm, "semi-axes of a ventricle");
  COMODAL_IMPL_VISIT(ventricle_offset_mm, "distance of a ventricle from the middle");
  COMODAL_IMPL_VISIT(ventricle_jitter, "relative deviation of the ventricles' size");
  COMODAL_IMPL_VISIT(lesion_ml, "median of the total lesion volume of a case");
  COMODAL_IMPL_VISIT(lesion_sigma, "standard deviation of its logarithm");
  COMODAL_IMPL_VISIT(lesion_limits_ml, "range of the total lesion volume");
  COMODAL_IMPL_VISIT(second_lesion, "chance of a second lesion");
  COMODAL_IMPL_VISIT(second_share, "range of its part of the total volume");
  COMODAL_IMPL_VISIT(lesion_distance_mm, "least distance between the two centres");
  COMODAL_IMPL_VISIT(tumour_share, "range of the part of rim and core in a lesion");
  COMODAL_IMPL_VISIT(core_share, "range of the part of the core in the tumour");
  COMODAL_IMPL_VISIT(shell_mm, "least thickness of oedema and of the rim");
  COMODAL_IMPL_VISIT(blob_scale_mm, "scale of the irregular outline of a tumour");
  COMODAL_IMPL_VISIT(blob_irregularity, "how irregular that outline is");
  COMODAL_IMPL_VISIT(blob_elongation, "how elongated a tumour is");
  COMODAL_IMPL_VISIT(oedema_irregularity, "how irregular the outline of the oedema is");
  COMODAL_IMPL_VISIT(grey_resistance, "how much shorter oedema reaches through grey matter");
  COMODAL_IMPL_VISIT(vessels, "range of the number of vessels");
  COMODAL_IMPL_VISIT(vessel_radius_mm, "range of their radius");
  COMODAL_IMPL_VISIT(vessel_length_mm, "range of their length");
  COMODAL_IMPL_VISIT(vessel_curvature, "change of their direction per half a mm, in radians");
  COMODAL_IMPL_VISIT(spots, "range of the number of bright spots");
  COMODAL_IMPL_VISIT(spot_radius_mm, "range of their radius");
  COMODAL_IMPL_VISIT(cavities, "range of the number of cavities");
  COMODAL_IMPL_VISIT(cavity_radius_mm, "range of their radius");
  visit("contrast_flair", o.contrast[0], "intensities of CSF, grey matter, white matter, oedema, rim, core in FLAIR");
  visit("contrast_t1", o.contrast[1], "intensities of CSF, grey matter, white matter, oedema, rim, core in T1");
  visit("contrast_t1ce", o.contrast[2], "intensities of CSF, grey matter, white matter, oedema, rim, core in T1ce");
  visit("contrast_t2", o.contrast[3], "intensities of CSF, grey matter, white matter, oedema, rim, core in T2");
  COMODAL_IMPL_VISIT(contrast_fat, "intensity of fat per modality");
  COMODAL_IMPL_VISIT(contrast_scalp, "intensity of the scalp per modality");
  COMODAL_IMPL_VISIT(contrast_skull, "intensity of the skull per modality");
  COMODAL_IMPL_VISIT(intensity_scale, "intensities are relative to this");
  COMODAL_IMPL_VISIT(contrast_jitter, "relative deviation of each tissue's intensity");
  COMODAL_IMPL_VISIT(bias, "range of the largest relative deviation of the bias field");
  COMODAL_IMPL_VISIT(bias_scale_mm, "scale of the bias field");
  COMODAL_IMPL_VISIT(noise, "range of the standard deviation of noise, relative to white matter");
  COMODAL_IMPL_VISIT(shift, "largest distance between two modalities, in voxels along each axis");
#undef COMODAL_IMPL_VISIT
}

/// The preset `--easy`: large lesions, few distractors, clean images, nothing missing.
inline void make_easy(phantom_options& o) {
  o.lesion_ml = 18;
  o.lesion_sigma = 0.4;
  o.missing = 0;
  o.vessels = {0, 3};
  o.spots = {0, 3};
  o.cavities = {0, 1};
  o.contrast_jitter = 0.03;
  o.bias = {0, 0.1};
  o.noise = {0.01, 0.03};
  o.shift = 0;
}

/// The preset `--hard`: small lesions, many distractors, poor images, more missing.
inline void make_hard(phantom_options& o) {
  o.lesion_ml = 5;
  o.lesion_sigma = 0.7;
  o.missing = 0.4;
  o.vessels = {20, 30};
  o.spots = {20, 40};
  o.cavities = {3, 6};
  o.contrast_jitter = 0.16;
  o.bias = {0.3, 0.5};
  o.noise = {0.08, 0.14};
  o.shift = 1;
}

/// Checks that the options make sense. @throws config_error that names the first one that does not, as `phantom.<name>`
void check(const phantom_options& o);
#if COMODAL_BODIES
COMODAL_ONCE void check(const phantom_options& o) {
  const auto fail = [](std::string_view name, const auto& found, std::string_view expected) {
    throw config_error(text("phantom.", name, " = ", found, ": expected ", expected));
  };
  visit_phantom_options(o, [&](std::string_view name, const auto& value, auto) {
    const auto positive = [&](const auto& v) {
      if (!(v >= 0) || !(v < 1e9)) fail(name, v, "a number that is not negative");
    };
    if constexpr (requires { value.size(); }) {
      for (const auto& v : value) positive(v);
      if constexpr (std::tuple_size_v<std::remove_cvref_t<decltype(value)>> == 2)
        if (value[0] > value[1])
          fail(name, text('[', value[0], ", ", value[1], ']'), "a range: the smaller number first");
    } else if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(value)>, bool>) {
      positive(value);
    }
  });
  const auto at_most = [&](std::string_view name, double value, double limit) {
    if (value > limit) fail(name, value, text("at most ", limit));
  };
  const auto at_least = [&](std::string_view name, double value, double limit) {
    if (value < limit) fail(name, value, text("at least ", limit));
  };
  for (std::size_t a = 0; a < 3; ++a) {
    at_least("grid", static_cast<double>(o.grid[a]), 8);
    at_most("grid", static_cast<double>(o.grid[a]), 1024);
    at_least("spacing", o.spacing[a], 0.1);
    at_least("head_mm", o.head_mm[a], 30);
    at_least("nucleus_zone_mm", o.nucleus_zone_mm[a], 1);
    at_least("ventricle_mm", o.ventricle_mm[a], 1);
  }
  at_most("labelled", static_cast<double>(o.labelled), 5000);
  at_most("unlabelled", static_cast<double>(o.unlabelled), static_cast<double>(5000 - o.labelled));
  at_most("test", static_cast<double>(o.test), 5000);
  at_least("supersampling", static_cast<double>(o.supersampling), 1);
  at_most("supersampling", static_cast<double>(o.supersampling), 4);
  for (const auto& [name, value] : {std::pair{"missing", o.missing},
                                    {"oedema_labelled", o.oedema_labelled},
                                    {"oblique_fraction", o.oblique_fraction},
                                    {"second_lesion", o.second_lesion},
                                    {"second_share", o.second_share[1]},
                                    {"tumour_share", o.tumour_share[1]},
                                    {"core_share", o.core_share[1]},
                                    {"shift", o.shift}})
    at_most(name, value, 1);
  at_most("head_jitter", o.head_jitter, 0.3);
  at_most("ventricle_jitter", o.ventricle_jitter, 0.9);
  at_most("contrast_jitter", o.contrast_jitter, 0.9);
  at_most("bias", o.bias[1], 0.9);
  for (const auto& [name, value] : {std::pair{"deformation_scale_mm", o.deformation_scale_mm},
                                    {"fold_scale_mm", o.fold_scale_mm},
                                    {"nucleus_scale_mm", o.nucleus_scale_mm},
                                    {"blob_scale_mm", o.blob_scale_mm},
                                    {"bias_scale_mm", o.bias_scale_mm}})
    at_least(name, value, 2);
  at_least("fold_depth_mm", o.fold_depth_mm, 1);
  at_least("lesion_limits_ml", o.lesion_limits_ml[0], 0.05);
  at_least("lesion_ml", o.lesion_ml, 0.05);
  at_least("grey_resistance", o.grey_resistance, 1);
  at_least("intensity_scale", o.intensity_scale, 1);
  at_most("intensity_scale", o.intensity_scale, 10000);
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
