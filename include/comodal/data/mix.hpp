// SPDX-License-Identifier: Apache-2.0
/// @file
/// Box mix: a box of a labelled crop, or everything but it, replaces that part of an unlabelled crop together with its
/// label.
#ifndef COMODAL_DATA_MIX_HPP
#define COMODAL_DATA_MIX_HPP

#include <comodal/data/batch.hpp>

#include <algorithm>
#include <cmath>

namespace comodal::inline COMODAL_CONFIG {

/// The part of a crop that is replaced: a box of voxels (D, H, W), or its complement.
struct mix_region {
  extent3 first{}, size{};
  bool complement = false;
};

/// A box of `side` of the patch along each axis (rounded, at least one voxel), anywhere in it; its complement with
/// chance `complement`.
[[nodiscard]] inline mix_region draw_mix_region(const extent3& patch, double side, double complement,
                                                random_stream& random) {
  mix_region region;
  for (std::size_t a = 0; a < 3; ++a) {
    region.size[a] = std::clamp<index>(std::lround(static_cast<double>(patch[a]) * side), 1, patch[a]);
    region.first[a] = random.below(static_cast<std::uint32_t>(patch[a] - region.size[a] + 1));
  }
  region.complement = random.chance(complement);
  return region;
}

namespace detail {

/// Copies the region of one crop (D, H, W) from `from(v)`; `v` is the voxel.
template <class Scalar, class From>
void fill_region(const extent3& size, const mix_region& region, std::span<Scalar> out, const From& from) {
  const auto within = [&](std::size_t a, index i) {
    return i >= region.first[a] && i < region.first[a] + region.size[a];
  };
  std::size_t v = 0;
  for (index d = 0; d < size[0]; ++d)
    for (index h = 0; h < size[1]; ++h) {
      const bool crosses = within(0, d) && within(1, h);
      for (index w = 0; w < size[2]; ++w, ++v)
        if ((crosses && within(2, w)) != region.complement) out[v] = from(v);
    }
}

}  // namespace detail

/// Replaces the region of sample `s` of `target` by that of sample `t` of `source`, all modalities at once; marks its
/// voxels in `known` and copies their labels. What the mixed crop has is the intersection of what both have; other
/// modalities become 0. A crop of which not all classes are annotated is passed over for the next one: its background
/// is no true label.
/// @param target with labels and known labels; @param source with labels; crops of one size
/// @returns false, and changes nothing, if the intersection is empty, or no crop of `source` is fully annotated
inline bool mix_crop(crop_batch& target, index s, const crop_batch& source, index t, const mix_region& region) {
  for (index passed = 0; !source.fully_annotated(t); t = (t + 1) % source.samples)
    if (++passed == source.samples) return false;
  const auto present = target.presence(s);
  const auto other = source.presence(t);
  bool any = false;
  for (std::size_t m = 0; m < present.size(); ++m) any = any || (present[m] != 0 && other[m] != 0);
  if (!any) return false;
  for (std::size_t m = 0; m < present.size(); ++m) {
    if (present[m] == 0) continue;
    const auto out = target.image(s, static_cast<index>(m));
    if (other[m] == 0) {
      present[m] = 0;
      std::fill(out.begin(), out.end(), 0.f);
    } else {
      const auto in = source.image(t, static_cast<index>(m));
      detail::fill_region(target.size, region, out, [&](std::size_t v) { return in[v]; });
    }
  }
  const auto labels = source.label(t);
  detail::fill_region(target.size, region, target.label(s), [&](std::size_t v) { return labels[v]; });
  detail::fill_region(target.size, region, target.known_label(s), [](std::size_t) { return std::uint8_t{1}; });
  return true;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
