// SPDX-License-Identifier: Apache-2.0
/// @file
/// One case of the phantom: a synthetic head with lesions in four modalities, and the truth.
#ifndef COMODAL_DATA_PHANTOM_CASE_HPP
#define COMODAL_DATA_PHANTOM_CASE_HPP

#include <comodal/data/phantom_options.hpp>
#include <comodal/data/volume.hpp>
#if COMODAL_BODIES
#include <comodal/data/phantom_acquisition.hpp>
#endif

#include <array>
#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {

/// One case: four images of one grid in the order of `phantom_modalities`, their label map (`phantom_labels`), and
/// which images would exist if the case were not a labelled one.
struct phantom_case {
  std::array<image_volume, phantom_modality_count> images;
  label_volume labels;
  std::array<bool, phantom_modality_count> present{};
};

/// Makes case number `case_index` of the cohort of `seed`. It depends on the options' geometry and contrast, the seed
/// and the number alone: not on the size of the cohort, other cases or the number of threads.
/// @throws config_error for options that make no sense
[[nodiscard]] phantom_case make_phantom_case(const phantom_options& options, std::uint64_t seed,
                                             std::uint32_t case_index);
#if COMODAL_BODIES
COMODAL_ONCE phantom_case make_phantom_case(const phantom_options& options, std::uint64_t seed,
                                            std::uint32_t case_index) {
  check(options);
  const phantom_key key{seed, case_index};
  const phantom_anatomy anatomy = make_phantom_anatomy(options, key);
  phantom_case result;
  for (std::size_t m = 0; m < phantom_modality_count; ++m)
    result.images[m] = options.copies && m > 0 ? result.images[0] : acquire_phantom(options, key, anatomy, m);
  result.labels = phantom_truth(options, key, anatomy);
  result.present.fill(true);
  random_stream stream = key.stream(phantom_stage::presence);
  if (stream.chance(options.missing)) result.present[stream.below(phantom_modality_count)] = false;
  return result;
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
