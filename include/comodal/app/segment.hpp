// SPDX-License-Identifier: Apache-2.0
/// @file
/// One case in, its mask out: for programs that segment cases of their own, from files or from memory.
#ifndef COMODAL_APP_SEGMENT_HPP
#define COMODAL_APP_SEGMENT_HPP

#include <comodal/app/predicted_case.hpp>
#include <comodal/app/segmenter.hpp>

#include <new>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// The mask of one case.
struct segmented_case {
  label_volume mask;                  // label values of the data set, on the grid of the images
  nifti_header header;                // of the image that the grid is of, for `write_nifti_labels`
  std::vector<std::string> warnings;  // what is worth a look, a line each
};

/// The mask that `comodal predict` writes of a case, with its default options: post-processing included. Writes no
/// file; reads those that `files` names. Not thread-safe: one segmenter per thread.
/// @param files its images in the order of `segment.plan().modalities`: a path, or a `volume_view` of the caller's
/// memory; an empty one is an absent modality. The id names the case in messages
/// @throws io_error with all that is wrong with the images; config_error for another number of images than the model
/// has modalities; out_of_memory_error; device_error
template <tensor_backend Backend>
[[nodiscard]] segmented_case segment_case(segmenter<Backend>& segment, const case_files& files) {
  const model_plan& plan = segment.plan();
  if (files.images.size() != plan.modalities.size())
    throw config_error(text("segment_case: case ", files.id, " has ", files.images.size(), " images, expected ",
                            plan.modalities.size(), " (", app_detail::joined(plan.modalities),
                            "); give an empty one for an absent modality"));
  segmented_case made;
  try {
    const std::vector<case_data> prepared = app_detail::cases_for(files, segment.preparations(), plan, made.warnings);
    const auto outputs = segment(prepared, output_choice{}, app_detail::windows_of(0.5, {}, plan));
    made.mask = app_detail::mask_of(outputs.at(0), prepared[0], plan, segment.postprocess());
    made.header = prepared[0].header;
  } catch (const std::bad_alloc&) {
    throw out_of_memory_error(
        text("segment_case: case ", files.id,
             ": the memory of this machine does not suffice; crop the volumes to the body, or use "
             "a machine with more"));
  }
  return made;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
