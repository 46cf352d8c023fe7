// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `engine`: problems, plans, and the kernels of every engine that this build has. The reference engine
/// is an include of its own, `comodal/engine/reference.hpp`.
#ifndef COMODAL_ENGINE_ENGINE_HPP
#define COMODAL_ENGINE_ENGINE_HPP

#include <comodal/engine/amx/amx.hpp>
#include <comodal/engine/amx/blocks.hpp>
#include <comodal/engine/amx/conv3d.hpp>
#include <comodal/engine/amx/conv3d_weights.hpp>
#include <comodal/engine/amx/tiles.hpp>
#include <comodal/engine/device/conv3d.hpp>
#include <comodal/engine/device/device.hpp>
#include <comodal/engine/device/engine.hpp>
#include <comodal/engine/dispatch.hpp>
#include <comodal/engine/engines.hpp>
#include <comodal/engine/host/conv3d.hpp>
#include <comodal/engine/host/conv3d_forward.hpp>
#include <comodal/engine/host/conv3d_sizes.hpp>
#include <comodal/engine/host/conv3d_tasks.hpp>
#include <comodal/engine/host/conv3d_weight_gradient.hpp>
#include <comodal/engine/host/direct_conv3d.hpp>
#include <comodal/engine/host/elementwise.hpp>
#include <comodal/engine/host/engine.hpp>
#include <comodal/engine/host/gemm.hpp>
#include <comodal/engine/host/host.hpp>
#include <comodal/engine/host/lanes.hpp>
#include <comodal/engine/host/matmul.hpp>
#include <comodal/engine/host/pool3d.hpp>
#include <comodal/engine/host/register_tiles.hpp>
#include <comodal/engine/host/segmentation_sums.hpp>
#include <comodal/engine/host/softmax.hpp>
#include <comodal/engine/host/transposed_conv3d.hpp>
#include <comodal/engine/host/transposed_converted.hpp>
#include <comodal/engine/host/winograd.hpp>
#include <comodal/engine/host/winograd_tasks.hpp>
#include <comodal/engine/host/winograd_transforms.hpp>
#include <comodal/engine/host/winograd_weights.hpp>
#include <comodal/engine/joined_parts.hpp>
#include <comodal/engine/loops/dropout.hpp>
#include <comodal/engine/loops/elementwise.hpp>
#include <comodal/engine/loops/gating.hpp>
#include <comodal/engine/loops/loop_op.hpp>
#include <comodal/engine/loops/matmul.hpp>
#include <comodal/engine/loops/norm_act.hpp>
#include <comodal/engine/loops/pool3d.hpp>
#include <comodal/engine/loops/rearrange.hpp>
#include <comodal/engine/loops/reduction.hpp>
#include <comodal/engine/loops/segmentation_sums.hpp>
#include <comodal/engine/loops/softmax.hpp>
#include <comodal/engine/loops/upsample3d.hpp>
#include <comodal/engine/problem/all.hpp>
#include <comodal/engine/problem/broadcast.hpp>
#include <comodal/engine/problem/conv3d.hpp>
#include <comodal/engine/problem/dropout.hpp>
#include <comodal/engine/problem/elementwise.hpp>
#include <comodal/engine/problem/gating.hpp>
#include <comodal/engine/problem/matmul.hpp>
#include <comodal/engine/problem/norm_act.hpp>
#include <comodal/engine/problem/pool3d.hpp>
#include <comodal/engine/problem/problem.hpp>
#include <comodal/engine/problem/reduction.hpp>
#include <comodal/engine/problem/segmentation_sums.hpp>
#include <comodal/engine/problem/softmax.hpp>

#endif
