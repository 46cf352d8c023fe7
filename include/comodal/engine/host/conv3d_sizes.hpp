// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sizes of a convolution as plain numbers for kernels, and the layouts of its weights.
#ifndef COMODAL_ENGINE_HOST_CONV3D_SIZES_HPP
#define COMODAL_ENGINE_HOST_CONV3D_SIZES_HPP

#include <comodal/core/kokkos.hpp>
#include <comodal/engine/problem/conv3d.hpp>

#include <algorithm>
#include <utility>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// A transposed convolution with filter = stride as its kernels see it: each voxel of `input` makes a block of `factor`
// outputs. Its input is the output of the convolution that leads back.
struct transposed_conv3d {
  index batch = 1;
  extent3 input{};
  index in_channels = 1, out_channels = 1;
  extent3 factor{2, 2, 2};

  // @param p a problem that `conv3d_problem::transposed` makes
  explicit transposed_conv3d(const conv3d_problem& p)
      : batch(p.batch), input(p.output()), in_channels(p.out_channels), out_channels(p.in_channels), factor(p.filter) {}

  [[nodiscard]] extent3 output() const { return {input[0] * factor[0], input[1] * factor[1], input[2] * factor[2]}; }
  [[nodiscard]] index taps() const { return factor[0] * factor[1] * factor[2]; }
  [[nodiscard]] shape input_shape() const { return {batch, input[0], input[1], input[2], in_channels}; }
  [[nodiscard]] shape output_shape() const {
    const extent3 out = output();
    return {batch, out[0], out[1], out[2], out_channels};
  }
  [[nodiscard]] shape weight_shape() const { return {factor[0], factor[1], factor[2], in_channels, out_channels}; }
};

// A problem as plain numbers for kernels, with the walks along filter taps that forward and backward share. Outputs are
// `out_pitch` elements apart. Weights are the rows [w_first, ...) of `w_rows` rows per tap.
struct conv3d_sizes {
  index batch, in[3], out[3], filter[3], stride[3], dilation[3], pad[3], ci, co, out_pitch, w_rows, w_first = 0;

  explicit conv3d_sizes(const conv3d_problem& p)
      : batch(p.batch),
        ci(p.in_channels),
        co(p.out_channels),
        out_pitch(co),
        w_rows(p.layout == filter_layout::in_out ? p.in_channels : p.out_channels) {
    const extent3 o = p.output();
    for (std::size_t a = 0; a < 3; ++a) {
      in[a] = p.input[a];
      out[a] = o[a];
      filter[a] = p.filter[a];
      stride[a] = p.stride[a];
      dilation[a] = p.dilation[a];
      pad[a] = p.pad_front[a];
    }
  }
  [[nodiscard]] KOKKOS_INLINE_FUNCTION index taps() const { return filter[0] * filter[1] * filter[2]; }
  [[nodiscard]] bool is_strided() const { return stride[0] * stride[1] * stride[2] != 1; }
  // As `conv3d_problem::keeps_size`.
  [[nodiscard]] bool keeps_size() const {
    for (int a = 0; a < 3; ++a)
      if (in[a] != out[a] || filter[a] % 2 == 0 || pad[a] != filter[a] / 2 || dilation[a] != 1) return false;
    return !is_strided();
  }
  // Of `channels` input channels from `first` on, which stand in a map of their own.
  [[nodiscard]] conv3d_sizes of_part(index first, index channels) const {
    conv3d_sizes s = *this;
    s.ci = channels;
    s.w_first = first;
    return s;
  }
  // The convolution that makes the gradient of the input out of that of the output; stride 1 alone.
  [[nodiscard]] conv3d_sizes of_backward_data() const {
    conv3d_sizes s = *this;
    std::swap(s.ci, s.co);
    s.out_pitch = s.co;
    for (int a = 0; a < 3; ++a) {
      std::swap(s.in[a], s.out[a]);
      s.pad[a] = dilation[a] * (filter[a] - 1) - pad[a];
    }
    return s;
  }
  // Outputs along the last axis that tap k reaches: [first, last).
  [[nodiscard]] index first_output(index k) const {
    const index shift = pad[2] - k * dilation[2];
    return shift <= 0 ? 0 : (shift + stride[2] - 1) / stride[2];
  }
  [[nodiscard]] index last_output(index k) const {
    const index reach = in[2] - 1 + pad[2] - k * dilation[2];
    return reach < 0 ? 0 : std::min(out[2], reach / stride[2] + 1);
  }
  // Input position of output o and tap k along an axis; outside [0, in) is padding.
  KOKKOS_INLINE_FUNCTION index source(int axis, index o, index k) const {
    return o * stride[axis] + k * dilation[axis] - pad[axis];
  }
  // Output position that input i and tap k belong to along an axis, or -1.
  KOKKOS_INLINE_FUNCTION index target(int axis, index i, index k) const {
    const index t = i + pad[axis] - k * dilation[axis];
    if (t < 0 || t % stride[axis] != 0 || t / stride[axis] >= out[axis]) return -1;
    return t / stride[axis];
  }
};

// One of the maps that a convolution reads side by side as its input channels, and its packed weights.
template <class T>
struct conv3d_part {
  const T* x;
  index ci;
  const T* packed;
};

inline constexpr int most_parts = conv3d_problem::most_parts;

// Slabs that a gradient of so many weights is summed from: each holds one.
[[nodiscard]] constexpr index gradient_slabs(index weights) { return weights < 100000 ? 16 : weights < 400000 ? 8 : 4; }

// How the weights of a convolution stand in memory: (taps, ci, co), (taps, co, ci), or that with the taps from last to
// first; what is written first of a tap are its rows.
enum class weight_order { plain, transposed, flipped };

// Where the weight of a tap, input channel k and output channel c of the convolution stands.
template <weight_order Order>
[[nodiscard]] index weight_at(const conv3d_sizes& s, index tap, index k, index c) {
  if constexpr (Order == weight_order::plain) return (tap * s.w_rows + s.w_first + k) * s.co + c;
  const index from = Order == weight_order::flipped ? s.taps() - 1 - tap : tap;
  return (from * s.w_rows + s.w_first + c) * s.ci + k;
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
