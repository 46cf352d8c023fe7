// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sets of modalities in a fixed order, and the names of the outputs that come from them alone.
#ifndef COMODAL_INFER_MODALITY_SUBSET_HPP
#define COMODAL_INFER_MODALITY_SUBSET_HPP

#include <comodal/core/error.hpp>

#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Numbers of modalities, ascending.
using modality_subset = std::vector<std::size_t>;

/// All sets of 1 to `largest` of `count` modalities: by size, then in the order of the modalities. For three and two:
/// {0} {1} {2} {0, 1} {0, 2} {1, 2}. @param largest at most `count`
[[nodiscard]] inline std::vector<modality_subset> modality_subsets(std::size_t count, std::size_t largest) {
  std::vector<modality_subset> all;
  for (std::size_t size = 1; size <= largest; ++size) {
    modality_subset set(size);
    std::iota(set.begin(), set.end(), std::size_t{0});
    for (std::size_t at = size; at > 0;) {
      all.push_back(set);
      at = size;
      while (at > 0 && set[at - 1] == count - size + at - 1) --at;  // the last number that may still grow
      if (at > 0) std::iota(set.begin() + static_cast<std::ptrdiff_t>(at) - 1, set.end(), set[at - 1] + 1);
    }
  }
  return all;
}

/// The name of the fused output from these modalities alone: "only T1", "only T1 + T2".
[[nodiscard]] inline std::string name_of_subset(const std::vector<std::string>& modalities,
                                                const modality_subset& set) {
  std::string name = "only ";
  for (const std::size_t m : set) name += (m == set.front() ? "" : " + ") + modalities.at(m);
  return name;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
