// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sizes of a 3-D convolution or transposed convolution: values that check themselves.
#ifndef COMODAL_ENGINE_PROBLEM_CONV3D_HPP
#define COMODAL_ENGINE_PROBLEM_CONV3D_HPP

#include <comodal/core/shape.hpp>

#include <compare>

namespace comodal::inline COMODAL_CONFIG {

/// A convolution of (N, D, H, W, in) with a filter (KD, KH, KW, in, out), odd along each axis, zero padding of half
/// the filter, stride 1 or more: the output has ceil(size / stride) voxels along each axis.
struct conv3d_problem {
  index batch = 1;
  extent3 input{};
  index in_channels = 1;
  index out_channels = 1;
  extent3 filter{3, 3, 3};
  extent3 stride{1, 1, 1};

  [[nodiscard]] extent3 padding() const { return {filter[0] / 2, filter[1] / 2, filter[2] / 2}; }
  [[nodiscard]] extent3 output() const {
    extent3 out{};
    for (std::size_t a = 0; a < 3; ++a) out[a] = (input[a] + stride[a] - 1) / stride[a];
    return out;
  }
  [[nodiscard]] shape input_shape() const { return {batch, input[0], input[1], input[2], in_channels}; }
  [[nodiscard]] shape output_shape() const {
    const extent3 out = output();
    return {batch, out[0], out[1], out[2], out_channels};
  }
  [[nodiscard]] shape weight_shape() const { return {filter[0], filter[1], filter[2], in_channels, out_channels}; }
  /// Multiply-adds of one forward pass, padding included.
  [[nodiscard]] index multiply_adds() const {
    const extent3 out = output();
    return batch * out[0] * out[1] * out[2] * filter[0] * filter[1] * filter[2] * in_channels * out_channels;
  }

  /// @throws shape_error for a size or stride below 1, an even filter, or one above 15
  void check() const {
    for (std::size_t a = 0; a < 3; ++a) {
      if (filter[a] < 1 || filter[a] % 2 == 0)
        throw shape_error(text("conv3d: filter ", filter[a], " along axis ", a, ", expected an odd number"));
      if (filter[a] > 15)
        throw shape_error(text("conv3d: filter ", filter[a], " along axis ", a, ", expected 15 at most"));
      if (stride[a] < 1)
        throw shape_error(text("conv3d: stride ", stride[a], " along axis ", a, ", expected 1 or more"));
      if (input[a] < 1)
        throw shape_error(text("conv3d: input extent ", input[a], " along axis ", a, ", expected 1 or more"));
    }
    if (batch < 1 || in_channels < 1 || out_channels < 1)
      throw shape_error(text("conv3d: batch ", batch, ", channels ", in_channels, " -> ", out_channels,
                             ", expected 1 or more of each"));
  }

  friend auto operator<=>(const conv3d_problem&, const conv3d_problem&) = default;
};

/// A transposed convolution with filter = stride: every input voxel makes a block of `factor` output voxels.
/// (N, D, H, W, in) with a filter (FD, FH, FW, in, out) -> (N, D FD, H FH, W FW, out).
struct conv_transpose3d_problem {
  index batch = 1;
  extent3 input{};
  index in_channels = 1;
  index out_channels = 1;
  extent3 factor{2, 2, 2};

  [[nodiscard]] extent3 output() const { return {input[0] * factor[0], input[1] * factor[1], input[2] * factor[2]}; }
  [[nodiscard]] shape input_shape() const { return {batch, input[0], input[1], input[2], in_channels}; }
  [[nodiscard]] shape output_shape() const {
    const extent3 out = output();
    return {batch, out[0], out[1], out[2], out_channels};
  }
  [[nodiscard]] shape weight_shape() const { return {factor[0], factor[1], factor[2], in_channels, out_channels}; }

  /// @throws shape_error for a size or factor below 1
  void check() const {
    for (std::size_t a = 0; a < 3; ++a) {
      if (factor[a] < 1)
        throw shape_error(text("conv_transpose3d: filter ", factor[a], " along axis ", a, ", expected 1 or more"));
      if (input[a] < 1)
        throw shape_error(text("conv_transpose3d: input extent ", input[a], " along axis ", a, ", expected 1 or more"));
    }
    if (batch < 1 || in_channels < 1 || out_channels < 1)
      throw shape_error(text("conv_transpose3d: batch ", batch, ", channels ", in_channels, " -> ", out_channels,
                             ", expected 1 or more of each"));
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
