// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sizes of a convolution as plain numbers for kernels, and the layouts of its weights.
#ifndef COMODAL_ENGINE_HOST_CONV3D_SIZES_HPP
#define COMODAL_ENGINE_HOST_CONV3D_SIZES_HPP

#include <comodal/core/kokkos.hpp>
#include <comodal/engine/problem/conv3d.hpp>

#include <algorithm>
#include <utility>

namespace comodal::inline COMODAL_CONFIG::detail {

// A problem as plain numbers for kernels, with the walks along filter taps that forward and backward share. Outputs are
// `out_pitch` elements apart. Weights are the rows [w_first, ...) of `w_rows` rows a tap.
struct conv3d_sizes {
  index batch, in[3], out[3], filter[3], stride[3], pad[3], ci, co, out_pitch, w_rows, w_first = 0;

  explicit conv3d_sizes(const conv3d_problem& p)
      : batch(p.batch), ci(p.in_channels), co(p.out_channels), out_pitch(co), w_rows(p.in_channels) {
    const extent3 o = p.output(), q = p.padding();
    for (std::size_t a = 0; a < 3; ++a) {
      in[a] = p.input[a];
      out[a] = o[a];
      filter[a] = p.filter[a];
      stride[a] = p.stride[a];
      pad[a] = q[a];
    }
  }
  [[nodiscard]] index taps() const { return filter[0] * filter[1] * filter[2]; }
  [[nodiscard]] bool is_strided() const { return stride[0] * stride[1] * stride[2] != 1; }
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
    return s;
  }
  // The convolution with stride = filter that leads back from the output of a transposed convolution to its input.
  [[nodiscard]] static conv3d_sizes of_transposed(const conv_transpose3d_problem& p) {
    conv3d_sizes s(conv3d_problem{p.batch, p.output(), p.out_channels, p.in_channels, {1, 1, 1}, p.factor});
    for (std::size_t a = 0; a < 3; ++a) {
      s.filter[a] = p.factor[a];
      s.pad[a] = 0;
    }
    s.w_rows = p.in_channels;
    return s;
  }
  // Outputs along the last axis that tap k reaches: [first, last).
  [[nodiscard]] index first_output(index k) const {
    const index shift = pad[2] - k;
    return shift <= 0 ? 0 : (shift + stride[2] - 1) / stride[2];
  }
  [[nodiscard]] index last_output(index k) const {
    const index reach = in[2] - 1 + pad[2] - k;
    return reach < 0 ? 0 : std::min(out[2], reach / stride[2] + 1);
  }
  // Input position of output o and tap k along an axis; outside [0, in) is padding.
  KOKKOS_INLINE_FUNCTION index source(int axis, index o, index k) const { return o * stride[axis] + k - pad[axis]; }
  // Output position that input i and tap k belong to along an axis, or -1.
  KOKKOS_INLINE_FUNCTION index target(int axis, index i, index k) const {
    const index t = i + pad[axis] - k;
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

inline constexpr int most_parts = 16;

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

}  // namespace comodal::inline COMODAL_CONFIG::detail

#endif
