// SPDX-License-Identifier: Apache-2.0
/// @file
/// The problems of pooling and of trilinear up-sampling.
#ifndef COMODAL_ENGINE_PROBLEM_POOL3D_HPP
#define COMODAL_ENGINE_PROBLEM_POOL3D_HPP

#include <comodal/core/shape.hpp>
#include <comodal/engine/problem/problem.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG {

enum class pooling { maximum, average };

/// Windows of (N, D, H, W, C) that do not overlap (stride = window): the output has floor(size / window) voxels along
/// each axis; voxels beyond the last whole window are left out. Ties of a maximum go to the first voxel of the window.
struct pool3d_problem {
  using family = pool3d_problem;
  pooling kind = pooling::maximum;
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

  /// @throws shape_error for a window below 1 or larger than the input, and of a maximum for one of more than 255
  /// voxels, which `chosen` could not tell apart
  void check() const {
    for (std::size_t a = 0; a < 3; ++a)
      if (window[a] < 1 || window[a] > input[a])
        throw shape_error(text("pool3d: window ", window[a], " along axis ", a, " of extent ", input[a],
                               ", expected 1 to ", input[a]));
    if (kind == pooling::maximum && window[0] * window[1] * window[2] > 255)
      throw shape_error("pool3d: a maximum over a window of more than 255 voxels");
  }
  [[nodiscard]] std::string to_string() const {
    return text(batch, " x ", input[0], 'x', input[1], 'x', input[2], " x ", channels, ", window ", window[0], 'x',
                window[1], 'x', window[2]);
  }
  [[nodiscard]] static constexpr const char* name(direction d) {
    return d == direction::forward ? "pool3d.forward" : "pool3d.backward";
  }
  friend auto operator<=>(const pool3d_problem&, const pool3d_problem&) = default;

  /// `chosen` has the shape of y: which voxel of its window each maximum is. A maximum's forward pass writes it, its
  /// backward pass reads it.
  template <class T>
  struct arguments {
    const T* x = nullptr;
    T* y = nullptr;
    std::uint8_t* chosen = nullptr;
    const T* dy = nullptr;
    T* dx = nullptr;
  };
};

/// Trilinear up-sampling of (N, D, H, W, C) by whole factors; output voxel o takes the input position (o + 1/2) /
/// factor - 1/2, clamped to the borders (PyTorch's `align_corners=False`).
struct upsample3d_problem {
  using family = upsample3d_problem;
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
  /// @throws shape_error for a factor or size below 1
  void check() const {
    for (std::size_t a = 0; a < 3; ++a)
      if (factor[a] < 1 || input[a] < 1)
        throw shape_error(text("upsample3d: factor ", factor[a], " of extent ", input[a], ", expected 1 or more"));
  }
  [[nodiscard]] std::string to_string() const {
    return text(batch, " x ", input[0], 'x', input[1], 'x', input[2], " x ", channels, ", factor ", factor[0], 'x',
                factor[1], 'x', factor[2]);
  }
  [[nodiscard]] static constexpr const char* name(direction d) {
    return d == direction::forward ? "upsample3d.forward" : "upsample3d.backward";
  }
  friend auto operator<=>(const upsample3d_problem&, const upsample3d_problem&) = default;

  template <class T>
  struct arguments {
    const T* from = nullptr;  // x; backward dy
    T* to = nullptr;          // y; backward dx
  };
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
