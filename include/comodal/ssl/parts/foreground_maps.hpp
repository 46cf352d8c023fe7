// SPDX-License-Identifier: Apache-2.0
/// @file
/// The foreground of predictions as maps over voxels, for losses that compare areas.
#ifndef COMODAL_SSL_PARTS_FOREGROUND_MAPS_HPP
#define COMODAL_SSL_PARTS_FOREGROUND_MAPS_HPP

#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The first channel of foreground: regions are all foreground, class 0 is the background.
[[nodiscard]] inline index first_foreground(label_kind kind) { return kind == label_kind::classes ? 1 : 0; }

/// Predictions (N, D, H, W, C) -> (N, V, K): without the background, all voxels along one axis.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> foreground_maps(const variable<Backend>& p, label_kind kind) {
  const index voxels = p.shape().product(1, 4), channels = p.extent(4);
  return slice(reshape(p, {p.extent(0), voxels, channels}), 2, first_foreground(kind), channels);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
