// SPDX-License-Identifier: Apache-2.0
/// @file
/// All operations of the device engine: its own convolution, and loops for everything else.
#ifndef COMODAL_ENGINE_DEVICE_DEVICE_HPP
#define COMODAL_ENGINE_DEVICE_DEVICE_HPP

#include <comodal/engine/device/conv3d.hpp>
#include <comodal/engine/loops/dropout.hpp>
#include <comodal/engine/loops/elementwise.hpp>
#include <comodal/engine/loops/gating.hpp>
#include <comodal/engine/loops/matmul.hpp>
#include <comodal/engine/loops/norm_act.hpp>
#include <comodal/engine/loops/pool3d.hpp>
#include <comodal/engine/loops/reduction.hpp>
#include <comodal/engine/loops/segmentation_sums.hpp>
#include <comodal/engine/loops/softmax.hpp>
#include <comodal/engine/loops/upsample3d.hpp>

namespace comodal::inline COMODAL_CONFIG {

template <class Problem, tensor_backend Backend>
  requires(!std::same_as<Problem, conv3d_problem>)
struct engine_op<device_engine, Problem, Backend> : loop_op<device_engine, Problem, Backend> {};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
