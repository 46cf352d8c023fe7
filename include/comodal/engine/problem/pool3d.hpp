// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sizes of pooling and of trilinear up-sampling.
#ifndef COMODAL_ENGINE_PROBLEM_POOL3D_HPP
#define COMODAL_ENGINE_PROBLEM_POOL3D_HPP

#include <comodal/core/shape.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Windows of (N, D, H, W, C) that do not overlap (stride = window): the output has floor(size / window) voxels along
/// each axis; voxels beyond the last whole window are left out.
struct pool3d_problem {
  index batch = 1;
  extent3 input{};
  index channels = 1;
  extent3 window{2, 2, 2};

  [[nodiscard]] extent3 output() const { return {input[0] / window[0], input[1] / window[1], input[2] / window[2]}; }
  [[nodiscard]] index input_rows() const { return batch * input[0] * input[1] * input[2]; }
  [[nodiscard]] index output_rows() const {
    const extent3 out = output();
    return batch * out[0] * out[1] * out[2];
  }
  [[nodiscard]] shape output_shape() const {
    const extent3 out = output();
    return {batch, out[0], out[1], out[2], channels};
  }

  /// @throws shape_error for a window below 1, of more than 255 voxels, or larger than the input
  void check() const {
    for (std::size_t a = 0; a < 3; ++a)
      if (window[a] < 1 || window[a] > input[a])
        throw shape_error(text("pool3d: window ", window[a], " along axis ", a, " of extent ", input[a],
                               ", expected 1 to ", input[a]));
    if (window[0] * window[1] * window[2] > 255) throw shape_error("pool3d: a window of more than 255 voxels");
  }
};

/// Trilinear up-sampling of (N, D, H, W, C) by whole factors; output voxel o takes the input position (o + 1/2) /
/// factor - 1/2, clamped to the borders (PyTorch's `align_corners=False`).
struct upsample3d_problem {
  index batch = 1;
  extent3 input{};
  index channels = 1;
  extent3 factor{2, 2, 2};

  [[nodiscard]] extent3 output() const { return {input[0] * factor[0], input[1] * factor[1], input[2] * factor[2]}; }
  [[nodiscard]] index input_rows() const { return batch * input[0] * input[1] * input[2]; }
  [[nodiscard]] index output_rows() const { return input_rows() * factor[0] * factor[1] * factor[2]; }
  [[nodiscard]] shape output_shape() const {
    const extent3 out = output();
    return {batch, out[0], out[1], out[2], channels};
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
