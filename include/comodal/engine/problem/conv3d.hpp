// SPDX-License-Identifier: Apache-2.0
/// @file
/// The problem of 3-D convolution and transposed convolution.
#ifndef COMODAL_ENGINE_PROBLEM_CONV3D_HPP
#define COMODAL_ENGINE_PROBLEM_CONV3D_HPP

#include <comodal/core/shape.hpp>
#include <comodal/engine/problem/problem.hpp>

#include <array>
#include <compare>
#include <span>

namespace comodal::inline COMODAL_CONFIG {

/// How the two channel axes of a filter stand in memory: (KD, KH, KW, in, out), or (KD, KH, KW, out, in), the layout of
/// transposed convolutions.
enum class filter_layout { in_out, out_in };

/// A map and its channels, in a list of maps whose channels stand side by side.
template <class T>
struct channel_part {
  T* data = nullptr;
  index channels = 0;
};

/// A convolution of (N, D, H, W, in) with a filter (KD, KH, KW, in, out) of any size, with padding, stride, dilation
/// and groups, and optional bias and leaky ReLU behind it. The inputs may be several maps whose channels stand side by
/// side. A transposed convolution is the same problem with its first two directions swapped: see `transposed`.
struct conv3d_problem {
  using family = conv3d_problem;
  /// The most maps that may stand side by side, and the largest filter along one axis.
  static constexpr int most_parts = 16;
  static constexpr index largest_filter = 64;

  index batch = 1;
  extent3 input{};
  index in_channels = 1, out_channels = 1;
  extent3 filter{3, 3, 3}, stride{1, 1, 1}, dilation{1, 1, 1};
  extent3 pad_front{1, 1, 1}, pad_back{1, 1, 1};
  index groups = 1;
  filter_layout layout = filter_layout::in_out;
  bool has_bias = false;
  double slope = 1;                       // of a leaky ReLU behind the bias; 1: none
  std::array<index, most_parts> parts{};  // channels of each map; all 0: one map of all channels
  int part_count = 1;

  conv3d_problem() = default;
  /// Zero padding of half the (odd) filter: the output has ceil(size / stride) voxels along each axis.
  conv3d_problem(index batch, const extent3& input, index in_channels, index out_channels,
                 const extent3& filter = {3, 3, 3}, const extent3& stride = {1, 1, 1})
      : batch(batch),
        input(input),
        in_channels(in_channels),
        out_channels(out_channels),
        filter(filter),
        stride(stride),
        pad_front{filter[0] / 2, filter[1] / 2, filter[2] / 2},
        pad_back(pad_front) {}

  /// The transposed convolution with filter = stride = `factor` of (N, D, H, W, in) to (N, D FD, H FH, W FW, out),
  /// weights (FD, FH, FW, in, out): the convolution that leads back from `out` to `in` channels. Its
  /// `direction::backward` is the transposed convolution, its `direction::forward` the gradient of that one's input.
  [[nodiscard]] static conv3d_problem transposed(index batch, const extent3& input, index in_channels,
                                                 index out_channels, const extent3& factor) {
    conv3d_problem p(batch, {input[0] * factor[0], input[1] * factor[1], input[2] * factor[2]}, out_channels,
                     in_channels, factor, factor);
    p.pad_front = p.pad_back = {0, 0, 0};
    p.layout = filter_layout::out_in;
    return p;
  }

  /// Maps of so many channels stand side by side as inputs; together they have `in_channels`.
  void set_parts(std::span<const index> channels) {
    if (channels.size() > most_parts)
      throw shape_error(text("conv3d: ", channels.size(), " maps side by side, expected ", most_parts, " at most"));
    parts = {};
    part_count = static_cast<int>(channels.size());
    if (part_count > 1)
      for (std::size_t i = 0; i < channels.size(); ++i) parts[i] = channels[i];
  }

  [[nodiscard]] extent3 output() const {
    extent3 out{};
    for (std::size_t a = 0; a < 3; ++a)
      out[a] = (input[a] + pad_front[a] + pad_back[a] - dilation[a] * (filter[a] - 1) - 1) / stride[a] + 1;
    return out;
  }
  [[nodiscard]] shape input_shape() const { return {batch, input[0], input[1], input[2], in_channels}; }
  [[nodiscard]] shape output_shape() const {
    const extent3 out = output();
    return {batch, out[0], out[1], out[2], out_channels};
  }
  [[nodiscard]] shape weight_shape() const {
    return layout == filter_layout::in_out ? shape{filter[0], filter[1], filter[2], in_channels / groups, out_channels}
                                           : shape{filter[0], filter[1], filter[2], out_channels, in_channels / groups};
  }
  [[nodiscard]] index taps() const { return filter[0] * filter[1] * filter[2]; }
  [[nodiscard]] bool is_strided() const { return stride != extent3{1, 1, 1}; }
  [[nodiscard]] bool is_dilated() const { return dilation != extent3{1, 1, 1}; }
  /// True where the output has the size of the input, with half of an odd filter as padding on both sides.
  [[nodiscard]] bool keeps_size() const { return has_half_padding() && !is_strided() && !is_dilated(); }
  /// True for odd filters with half of them as padding on both sides.
  [[nodiscard]] bool has_half_padding() const {
    for (std::size_t a = 0; a < 3; ++a)
      if (filter[a] % 2 == 0 || pad_front[a] != filter[a] / 2 || pad_back[a] != filter[a] / 2) return false;
    return true;
  }
  /// True for the problems that `transposed` makes: blocks that do not overlap and cover the whole of one input map.
  [[nodiscard]] bool is_blocks() const {
    if (layout != filter_layout::out_in || filter != stride || is_dilated() || part_count != 1) return false;
    for (std::size_t a = 0; a < 3; ++a)
      if (pad_front[a] != 0 || pad_back[a] != 0 || input[a] % filter[a] != 0) return false;
    return true;
  }
  /// Multiply-adds of one forward pass, padding included.
  [[nodiscard]] index multiply_adds() const { return output_shape().size() * taps() * in_channels / groups; }

  /// @throws shape_error for a size, stride, dilation or number of groups below 1, a filter above `largest_filter`
  /// along an axis, padding that is negative or no smaller than the filter, an empty output, channels that the groups
  /// do not divide, or parts that do not add up to the input channels
  void check() const;

  /// For example `2 x 32x32x16 x 8 -> 16, filter 3x3x3, stride 1x1x1`.
  [[nodiscard]] std::string to_string() const;

  [[nodiscard]] static constexpr const char* name(direction d) {
    return d == direction::forward    ? "conv3d.forward"
           : d == direction::backward ? "conv3d.backward_data"
                                      : "conv3d.backward_weights";
  }
  friend auto operator<=>(const conv3d_problem&, const conv3d_problem&) = default;

  /// The data. Forward reads x and w and writes y. `direction::backward` reads y and w and writes those parts of x that
  /// are not null. A convolution adds the bias in its forward direction; a transposed one (`is_blocks`) adds it in
  /// `direction::backward`, which is its result. Elsewhere the bias is not read. `direction::backward_weights` reads x
  /// and y, writes w.
  template <class T>
  struct arguments {
    std::array<channel_part<T>, most_parts> x{};
    int parts = 1;
    T* w = nullptr;
    const T* bias = nullptr;  // one per channel of the result; null: none
    T* y = nullptr;

    [[nodiscard]] std::span<const channel_part<T>> maps() const { return {x.data(), static_cast<std::size_t>(parts)}; }
  };

 private:
  void check_axis(std::size_t a) const {
    const auto refuse = [a](const char* what, index found, const std::string& expected) {
      throw shape_error(text("conv3d: ", what, ' ', found, " along axis ", a, ", expected ", expected));
    };
    if (filter[a] < 1 || filter[a] > largest_filter) refuse("filter", filter[a], text("1 to ", largest_filter));
    if (stride[a] < 1) refuse("stride", stride[a], "1 or more");
    if (dilation[a] < 1) refuse("dilation", dilation[a], "1 or more");
    if (input[a] < 1) refuse("input extent", input[a], "1 or more");
    const index reach = dilation[a] * (filter[a] - 1) + 1;
    for (const index pad : {pad_front[a], pad_back[a]})
      if (pad < 0 || pad >= reach) refuse("padding", pad, text("0 to ", reach - 1));
    if (input[a] + pad_front[a] + pad_back[a] < reach)
      refuse("input extent", input[a], text(reach - pad_front[a] - pad_back[a], " or more for this filter"));
  }
};

#if COMODAL_BODIES
COMODAL_ONCE std::string conv3d_problem::to_string() const {
  const auto triple = [](const extent3& e) { return text(e[0], 'x', e[1], 'x', e[2]); };
  std::string out = text(batch, " x ", triple(input), " x ", in_channels, " -> ", out_channels, ", filter ",
                         triple(filter), ", stride ", triple(stride));
  if (!is_blocks() && !has_half_padding()) out += ", padding " + triple(pad_front) + " and " + triple(pad_back);
  if (!is_blocks() && layout == filter_layout::out_in) out += ", weights (out, in)";
  if (is_dilated()) out += ", dilation " + triple(dilation);
  if (groups != 1) out += text(", ", groups, " groups");
  if (part_count > 1) out += text(", ", part_count, " parts");
  if (is_blocks()) out += ", transposed";
  if (has_bias) out += ", bias";
  if (slope != 1) out += text(", leaky ReLU ", slope);
  return out;
}

COMODAL_ONCE void conv3d_problem::check() const {
  for (std::size_t a = 0; a < 3; ++a) check_axis(a);
  if (batch < 1 || in_channels < 1 || out_channels < 1)
    throw shape_error(text("conv3d: batch ", batch, ", channels ", in_channels, " -> ", out_channels,
                           ", expected 1 or more of each"));
  if (groups < 1 || in_channels % groups != 0 || out_channels % groups != 0)
    throw shape_error(text("conv3d: ", groups, " groups of channels ", in_channels, " -> ", out_channels,
                           ", expected a divisor of both"));
  if (!(slope >= 0 && slope <= 1)) throw shape_error(text("conv3d: slope ", slope, ", expected 0 to 1"));
  index sum = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool used = part_count > 1 && i < static_cast<std::size_t>(part_count);
    if (used ? parts[i] < 1 : parts[i] != 0)
      throw shape_error(text("conv3d: a part of ", parts[i], " channels, expected 1 or more"));
    sum += parts[i];
  }
  if (part_count < 1 || part_count > most_parts || (part_count > 1 && sum != in_channels))
    throw shape_error(text("conv3d: ", part_count, " parts of ", sum, " channels, expected ", in_channels));
}
#endif

}  // namespace comodal::inline COMODAL_CONFIG

#endif
