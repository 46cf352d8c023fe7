// SPDX-License-Identifier: Apache-2.0
/// @file
/// The fixed pieces of a convolution that a vendor's one-thread kernels run on.
#ifndef COMODAL_ENGINE_ONEDNN_SLABS_HPP
#define COMODAL_ENGINE_ONEDNN_SLABS_HPP

#include <comodal/engine/problem/conv3d.hpp>

#include <algorithm>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

/// Outputs [out_first, out_last) of one sample along the depth, and the inputs [in_first, in_last) that belong to them.
struct conv3d_slab {
  index sample = 0;
  index out_first = 0, out_last = 0;
  index in_first = 0, in_last = 0;
  // Zero padding that this slab still needs before and behind its inputs. Below 0 at the back: trailing inputs that no
  // output of the slab reads.
  index pad_front = 0, pad_back = 0;
};

/// Cuts a problem into about `wanted` slabs over samples and outputs along the depth: a function of the sizes alone.
inline std::vector<conv3d_slab> conv3d_slabs(const conv3d_problem& p, index wanted) {
  const index depth = p.output()[0], stride = p.stride[0], pad = p.pad_front[0];
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
  const index depth = p.output()[0], stride = p.stride[0], pad = p.pad_front[0], filter = p.filter[0];
  const index pieces = std::clamp<index>(wanted / p.batch, 1, depth);
  std::vector<conv3d_slab> slabs;
  for (index n = 0; n < p.batch; ++n)
    for (index k = 0; k < pieces; ++k) {
      conv3d_slab s{n};
      const index first = depth * k / pieces;
      s.in_first = first * stride;
      s.in_last = k + 1 == pieces ? p.input[0] : std::min(p.input[0], depth * (k + 1) / pieces * stride);
      s.out_first = std::max<index>(0, first - (filter - 1 - pad) / stride);
      s.out_last = std::min(depth, (s.in_last - 1 + pad) / stride + 1);
      s.pad_front = pad + s.in_first - s.out_first * stride;
      s.pad_back = (s.out_last - s.out_first - 1) * stride + filter - (s.in_last - s.in_first) - s.pad_front;
      slabs.push_back(s);
    }
  return slabs;
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
