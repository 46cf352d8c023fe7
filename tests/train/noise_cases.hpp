// SPDX-License-Identifier: Apache-2.0
/// @file
/// Small cases in memory for tests that train.
#ifndef COMODAL_TESTS_TRAIN_NOISE_CASES_HPP
#define COMODAL_TESTS_TRAIN_NOISE_CASES_HPP

#include <comodal/core/random.hpp>
#include <comodal/data/batch_maker.hpp>

#include <cstdint>
#include <deque>
#include <vector>

namespace comodal::tests {

/// Cases of two modalities on one grid of 20 x 20 x 12 voxels: noise with a bright block that is labelled 1.
struct noise_cases {
  std::deque<image_volume> volumes;
  label_volume label;
  std::vector<labelled_training_case> labelled;
  std::vector<unlabelled_training_case> unlabelled;

  /// The first `with_label` of `count` cases have a label.
  noise_cases(std::uint32_t count, std::uint32_t with_label) {
    label.geometry.size = {20, 20, 12};
    label.values.assign(20 * 20 * 12, 0);
    for (index k = 4; k < 8; ++k)
      for (index j = 6; j < 14; ++j)
        for (index i = 6; i < 14; ++i) label.at(i, j, k) = 1;
    for (std::uint32_t c = 0; c < count; ++c) {
      std::vector<volume_view> images;
      for (std::uint32_t m = 0; m < 2; ++m) {
        auto& volume = volumes.emplace_back();
        volume.geometry.size = label.geometry.size;
        random_stream draw(5, random_purpose::test, 2 * c + m);
        for (const auto v : label.values) volume.values.push_back(static_cast<float>(draw.normal(2.0 * v, 0.5)));
        images.emplace_back(volume);
      }
      if (c < with_label)
        labelled.push_back({text("l", c), images, label});
      else
        unlabelled.push_back({text("u", c), images});
    }
  }
};

}  // namespace comodal::tests

#endif
