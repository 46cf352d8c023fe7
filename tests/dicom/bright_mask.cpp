// SPDX-License-Identifier: Apache-2.0
// Segments what is brighter than a value, on the way that `predict` takes: prepared (turned to RAS+, cropped), and back
// on the grid of the image: bright_mask IMAGE VALUE MASK
#include <comodal/core/runtime.hpp>
#include <comodal/data/case_data.hpp>
#include <comodal/data/nifti_write.hpp>

#include <cstdio>
#include <cstdlib>

int main(int count, char** words) {
  if (count != 4) return 2;
  try {
    const comodal::runtime runtime;
    comodal::prepare_options options;
    options.normalise = {comodal::normalisation::none};
    const auto one = comodal::prepare_case(comodal::case_files{"case", {words[1]}}, options);
    const float limit = std::strtof(words[2], nullptr);
    comodal::label_volume labels{one.preparation.prepared(), {}};
    for (const float v : one.images[0].values) labels.values.push_back(v > limit ? 1 : 0);
    comodal::write_nifti_labels(words[3], comodal::restore(labels, one.preparation), one.header);
  } catch (const comodal::error& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }
}
