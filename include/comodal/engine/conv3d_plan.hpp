// SPDX-License-Identifier: Apache-2.0
/// @file
/// What will carry a convolution out, and the fixed pieces that a vendor's one-thread kernels run on.
#ifndef COMODAL_ENGINE_CONV3D_PLAN_HPP
#define COMODAL_ENGINE_CONV3D_PLAN_HPP

#include <comodal/engine/problem/conv3d.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

enum class conv3d_direction { forward, backward_data, backward_weights };

/// `conv3d.forward`, `conv3d.backward_data` or `conv3d.backward_weights`: the names of counters and regions.
[[nodiscard]] constexpr const char* name_of(conv3d_direction direction) {
  return direction == conv3d_direction::forward         ? "conv3d.forward"
         : direction == conv3d_direction::backward_data ? "conv3d.backward_data"
                                                        : "conv3d.backward_weights";
}

/// What an engine says of a problem and direction.
struct conv3d_plan {
  std::string engine;          // "onednn", "portable" or "reference"
  std::string implementation;  // the vendor's own name of its kernel; of ours "amx" on tile registers, else empty
  std::string reason;          // why this engine does not run it; empty where it does
  bool available = false;      // false: another engine has to
};

/// Outputs [out_first, out_last) of one sample along the depth, and the inputs [in_first, in_last) that belong to them.
struct conv3d_slab {
  index sample = 0;
  index out_first = 0, out_last = 0;
  index in_first = 0, in_last = 0;
  index pad_front = 0,
        pad_back = 0;  // padding along the depth that remains; below 0 at the back: inputs that no output reads
};

/// Cuts a problem into about `wanted` slabs over samples and outputs along the depth: a function of the sizes alone.
inline std::vector<conv3d_slab> conv3d_slabs(const conv3d_problem& p, index wanted) {
  const index depth = p.output()[0], stride = p.stride[0], pad = p.padding()[0];
  const index pieces = std::clamp<index>(wanted / p.batch, 1, depth);
  std::vector<conv3d_slab> slabs;
  for (index n = 0; n < p.batch; ++n)
    for (index k = 0; k < pieces; ++k) {
      conv3d_slab s{n, depth * k / pieces, depth * (k + 1) / pieces};
      const index low = s.out_first * stride - pad, high = (s.out_last - 1) * stride - pad + p.filter[0];
      s.in_first = std::max<index>(0, low);
      s.in_last = std::min(p.input[0], high);
      s.pad_front = s.in_first - low;
      s.pad_back = high - s.in_last;
      slabs.push_back(s);
    }
  return slabs;
}

/// The same over samples and inputs, each slab with all outputs that read it: for gradients with respect to the input.
/// Slabs begin at multiples of the stride, where the padding that remains is never below 0.
inline std::vector<conv3d_slab> conv3d_input_slabs(const conv3d_problem& p, index wanted) {
  const index depth = p.output()[0], stride = p.stride[0], pad = p.padding()[0], filter = p.filter[0];
  const index pieces = std::clamp<index>(wanted / p.batch, 1, depth);
  std::vector<conv3d_slab> slabs;
  for (index n = 0; n < p.batch; ++n)
    for (index k = 0; k < pieces; ++k) {
      conv3d_slab s{n};
      const index first = depth * k / pieces;
      s.in_first = first * stride;
      s.in_last = std::min(p.input[0], depth * (k + 1) / pieces * stride);
      s.out_first = std::max<index>(0, first - (filter - 1 - pad) / stride);
      s.out_last = std::min(depth, (s.in_last - 1 + pad) / stride + 1);
      s.pad_front = pad + s.in_first - s.out_first * stride;
      s.pad_back = (s.out_last - s.out_first - 1) * stride + filter - (s.in_last - s.in_first) - s.pad_front;
      slabs.push_back(s);
    }
  return slabs;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
