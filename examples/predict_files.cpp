// SPDX-License-Identifier: Apache-2.0
// A model and the images of one case in, its mask out, as `comodal predict` writes it
// (docs/how-to/inference-in-cpp.md):
//   predict_files MODEL MASK.nii.gz IMAGE...    one image per modality, in the model's order; "-" is an absent modality
// MODEL is a model file, the folder of a run, or that of a cross-validation, whose models are averaged.
#include <comodal/app/model_files.hpp>
#include <comodal/app/segment.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/data/nifti_write.hpp>

#include <cstdio>
#include <exception>
#include <string_view>

int segment_files(int count, char** words) {
  comodal::app::segmenter<comodal::mixed_backend> segment(comodal::app::model_files(words[1]));
  comodal::case_files files{words[2], {}};
  for (int i = 3; i < count; ++i)
    files.images.push_back(std::string_view(words[i]) == "-" ? comodal::image_source()
                                                             : comodal::image_source(words[i]));
  const auto made = comodal::app::segment_case(segment, files);
  for (const auto& line : made.warnings) std::fprintf(stderr, "warning: %s\n", line.c_str());
  comodal::write_nifti_labels(words[2], made.mask, made.header);
  return 0;
}

int main(int count, char** words) {
  if (count < 4) {
    std::fprintf(stderr, "usage: predict_files MODEL MASK.nii.gz IMAGE...\n");
    return 2;
  }
  comodal::let_waiting_threads_sleep(words);
  try {
    const comodal::runtime runtime;  // first of all, once per process; outlives all else
    return segment_files(count, words);
  } catch (const comodal::error& failure) {  // bad input, a full disk, too little memory: one line
    std::fprintf(stderr, "%s\n", failure.what());
  } catch (const std::exception& failure) {  // what the standard library throws
    std::fprintf(stderr, "predict_files: %s\n", failure.what());
  }
  return 1;
}
