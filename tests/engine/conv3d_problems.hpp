// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolutions that every engine is tried on: usual and odd sizes, strides, paddings, dilations, maps side by side,
/// biases and transposed convolutions.
#ifndef COMODAL_TESTS_ENGINE_CONV3D_PROBLEMS_HPP
#define COMODAL_TESTS_ENGINE_CONV3D_PROBLEMS_HPP

#include <comodal/engine/problem/conv3d.hpp>

#include <vector>

namespace comodal::tests {

inline conv3d_problem padded(conv3d_problem p, const extent3& front, const extent3& back,
                             const extent3& dilation = {1, 1, 1}) {
  p.pad_front = front;
  p.pad_back = back;
  p.dilation = dilation;
  return p;
}
inline conv3d_problem in_parts(conv3d_problem p, const std::vector<index>& channels, bool bias = false) {
  p.set_parts(channels);
  p.has_bias = bias;
  return p;
}

inline const std::vector<conv3d_problem> problems{
    {2, {6, 7, 5}, 16, 16, {3, 3, 3}, {1, 1, 1}},
    {1, {4, 6, 8}, 32, 16, {3, 3, 3}, {1, 1, 1}},
    {1, {5, 5, 5}, 1, 8, {3, 3, 3}, {1, 1, 1}},
    {2, {7, 6, 9}, 8, 16, {3, 3, 3}, {2, 2, 2}},
    {1, {8, 5, 7}, 16, 32, {3, 3, 3}, {1, 2, 2}},
    {3, {3, 4, 5}, 5, 7, {3, 3, 3}, {1, 1, 1}},
    {1, {3, 4, 5}, 17, 19, {3, 3, 3}, {1, 1, 1}},
    {2, {5, 6, 4}, 16, 4, {1, 1, 1}, {1, 1, 1}},
    {1, {5, 6, 7}, 6, 3, {1, 1, 1}, {2, 2, 2}},
    {1, {6, 7, 8}, 4, 8, {5, 5, 5}, {1, 1, 1}},
    {1, {6, 7, 9}, 3, 5, {5, 3, 1}, {2, 1, 3}},
    {2, {4, 9, 8}, 8, 8, {1, 3, 3}, {1, 1, 1}},
    {1, {1, 1, 1}, 3, 2, {3, 3, 3}, {1, 1, 1}},
    {1, {2, 1, 3}, 16, 16, {5, 5, 5}, {1, 1, 1}},
    {1, {9, 8, 7}, 1, 1, {3, 3, 3}, {3, 3, 3}},
    {1, {4, 4, 33}, 24, 40, {3, 3, 3}, {1, 1, 1}},
    {17, {2, 3, 2}, 4, 4, {3, 3, 3}, {2, 1, 1}},
    // Even filters, uneven padding, none, dilation.
    padded({1, {6, 8, 10}, 8, 16, {2, 2, 2}, {2, 2, 2}}, {0, 0, 0}, {0, 0, 0}),
    padded({2, {5, 6, 7}, 8, 8, {2, 2, 2}, {1, 1, 1}}, {0, 1, 0}, {1, 0, 1}),
    padded({1, {6, 12, 12}, 8, 16, {3, 3, 3}, {1, 1, 1}}, {0, 0, 0}, {0, 0, 0}),
    padded({1, {6, 12, 12}, 8, 16, {3, 3, 3}, {1, 1, 1}}, {2, 2, 2}, {2, 0, 1}),
    padded({1, {7, 8, 9}, 4, 8, {3, 3, 3}, {1, 1, 1}}, {2, 2, 2}, {2, 2, 2}, {2, 2, 2}),
    padded({1, {9, 8, 11}, 4, 8, {3, 1, 3}, {2, 1, 2}}, {1, 0, 3}, {2, 0, 3}, {1, 1, 3}),
    // Maps side by side, with bias.
    in_parts({2, {5, 8, 9}, 24, 16, {3, 3, 3}, {1, 1, 1}}, {8, 16}, true),
    in_parts({1, {4, 5, 6}, 9, 5, {3, 3, 3}, {2, 2, 2}}, {1, 3, 5}, true),
    in_parts({1, {4, 6, 6}, 12, 8, {1, 1, 1}, {1, 1, 1}}, {4, 4, 4}),
    // Deep filters where F(4x4, 3x3) serves the plane.
    {1, {17, 12, 12}, 8, 8, {17, 3, 3}},
    // A filter whose rows of taps, of all parts together, do not fit on the stack.
    in_parts({1, {15, 14, 3}, 3, 2, {15, 15, 1}, {1, 1, 1}}, {1, 1, 1}),
    // Transposed convolutions: blocks that do not overlap.
    conv3d_problem::transposed(2, {3, 4, 5}, 16, 8, {2, 2, 2}),
    conv3d_problem::transposed(1, {3, 2, 5}, 5, 7, {1, 2, 2}),
    conv3d_problem::transposed(1, {2, 3, 4}, 6, 6, {1, 1, 1}),
    conv3d_problem::transposed(1, {1, 1, 3}, 4, 4, {32, 32, 1})};

}  // namespace comodal::tests

#endif
