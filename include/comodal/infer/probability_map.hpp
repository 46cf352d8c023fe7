// SPDX-License-Identifier: Apache-2.0
/// @file
/// Probabilities of a whole case, in the memory of the host.
#ifndef COMODAL_INFER_PROBABILITY_MAP_HPP
#define COMODAL_INFER_PROBABILITY_MAP_HPP

#include <comodal/core/shape.hpp>

#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Probability maps of one case, by output: `values[(c * D + d) * H * W + h * W + w]`.
struct probability_map {
  extent3 size{};
  index channels = 0;
  std::vector<float> values;
};

namespace infer_detail {

[[nodiscard]] inline probability_map map_of(const extent3& size, index channels) {
  return {size, channels, std::vector<float>(static_cast<std::size_t>(channels * size[0] * size[1] * size[2]))};
}

}  // namespace infer_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
