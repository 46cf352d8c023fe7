// SPDX-License-Identifier: Apache-2.0
/// @file
/// The batches of the golden first steps. They are made here, voxel by voxel, so that no change of the data layer moves
/// them.
#ifndef COMODAL_TESTS_NET_BATCHES_HPP
#define COMODAL_TESTS_NET_BATCHES_HPP

#include <comodal/core/random.hpp>
#include <comodal/data/batch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace comodal::tests::net {

inline constexpr index modalities = 3;
inline constexpr index classes = 3;
inline constexpr extent3 crop_size{8, 16, 16};

/// Which of the three modalities each of two samples has.
using presence_rows = std::array<std::array<float, 3>, 2>;

/// Two crops with a box of two classes. Modality 0 shows class 1, modality 1 both classes, modality 2 class 2; all have
/// noise. Volumes of absent modalities are 0. @param key the crops with one key show the same boxes and the same noise
inline crop_batch make_crops(std::uint32_t key, const presence_rows& present, std::uint32_t first_case) {
  crop_batch b;
  b.resize(2, modalities, crop_size, true, false);
  random_stream draw(2025, random_purpose::test, key);
  const std::array<std::array<double, 3>, 3> means{
      {{0, 2, 0.3}, {0, 1.5, 1.5}, {0.2, -0.5, 1.8}}};  // [modality][class]
  for (index n = 0; n < 2; ++n) {
    const index first_h = draw.below(8), first_w = draw.below(8);
    for (index i = 0; i < b.voxels(); ++i) {
      const index d = i / 256, h = i / 16 % 16, w = i % 16;
      const bool inside = h >= first_h && h < first_h + 9 && w >= first_w && w < first_w + 8;
      const auto label = static_cast<std::uint8_t>(!inside ? 0 : d < 4 ? 1 : 2);
      b.label(n)[static_cast<std::size_t>(i)] = label;
      for (std::size_t m = 0; m < 3; ++m) {
        const auto value = static_cast<float>(draw.normal(means[m][label], 0.4));
        b.image(n, static_cast<index>(m))[static_cast<std::size_t>(i)] =
            present[static_cast<std::size_t>(n)][m] != 0 ? value : 0.f;
      }
    }
    std::copy_n(present[static_cast<std::size_t>(n)].begin(), modalities, b.presence(n).begin());
    b.cases[static_cast<std::size_t>(n)] = first_case + static_cast<std::uint32_t>(n);
  }
  return b;
}

/// A box mix: inside the box, sample n of `strong` shows sample n of `labelled` and its labels. A mixed sample has only
/// the modalities that both have.
inline void mix_box(crop_batch& strong, const crop_batch& labelled) {
  strong.known.assign(strong.labels.size(), 0);
  std::fill(strong.labels.begin(), strong.labels.end(), std::uint8_t{0});
  for (index n = 0; n < 2; ++n) {
    for (index m = 0; m < modalities; ++m)
      if (labelled.presence(n)[static_cast<std::size_t>(m)] == 0) {
        strong.presence(n)[static_cast<std::size_t>(m)] = 0;
        std::fill(strong.image(n, m).begin(), strong.image(n, m).end(), 0.f);
      }
    for (index i = 0; i < strong.voxels(); ++i) {
      const index d = i / 256, h = i / 16 % 16, w = i % 16;
      if (d < 2 || h < 2 + n || h >= 12 + n || w < 5 || w >= 15) continue;
      const auto at = static_cast<std::size_t>(i);
      for (index m = 0; m < modalities; ++m)
        if (strong.presence(n)[static_cast<std::size_t>(m)] != 0) strong.image(n, m)[at] = labelled.image(n, m)[at];
      strong.label(n)[at] = labelled.label(n)[at];
      strong.known_label(n)[at] = 1;
    }
  }
}

/// Two labelled and two unlabelled crops; the strong views are box-mixed. One labelled crop lacks modality 2, one
/// unlabelled crop lacks modality 1 in both views, and the other one lacks modality 0 in the strong view.
inline step_batch make_batch(std::uint32_t step) {
  step_batch b;
  b.step = step;
  b.labelled = make_crops(100 + step, {{{1, 1, 1}, {1, 1, 0}}}, 2 * step);
  b.weak = make_crops(200 + step, {{{1, 1, 1}, {1, 0, 1}}}, 1000 + 2 * step);
  b.strong = make_crops(200 + step, {{{0, 1, 1}, {1, 0, 1}}}, 1000 + 2 * step);
  for (auto& image : b.strong.images)
    for (float& v : image)
      if (v != 0) v = 1.25f * v + 0.125f;
  mix_box(b.strong, b.labelled);
  b.weak.labels.clear();
  return b;
}

}  // namespace comodal::tests::net

#endif
