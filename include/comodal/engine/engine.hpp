// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `engine`: problems, plans, and the kernels of every engine that this build has. The reference engine
/// is an include of its own, `comodal/engine/reference.hpp`.
#ifndef COMODAL_ENGINE_ENGINE_HPP
#define COMODAL_ENGINE_ENGINE_HPP

#include <comodal/engine/amx/blocks.hpp>
#include <comodal/engine/amx/conv3d.hpp>
#include <comodal/engine/amx/conv3d_weights.hpp>
#include <comodal/engine/amx/tiles.hpp>
#include <comodal/engine/conv3d_plan.hpp>
#include <comodal/engine/host/conv3d.hpp>
#include <comodal/engine/host/conv3d_forward.hpp>
#include <comodal/engine/host/conv3d_sizes.hpp>
#include <comodal/engine/host/conv3d_tasks.hpp>
#include <comodal/engine/host/conv3d_weight_gradient.hpp>
#include <comodal/engine/host/conv_transpose3d.hpp>
#include <comodal/engine/host/conv_transpose3d_converted.hpp>
#include <comodal/engine/host/dropout.hpp>
#include <comodal/engine/host/elementwise.hpp>
#include <comodal/engine/host/gating.hpp>
#include <comodal/engine/host/gemm.hpp>
#include <comodal/engine/host/matmul.hpp>
#include <comodal/engine/host/norm_act.hpp>
#include <comodal/engine/host/pool3d.hpp>
#include <comodal/engine/host/register_tiles.hpp>
#include <comodal/engine/host/segmentation_sums.hpp>
#include <comodal/engine/host/softmax.hpp>
#include <comodal/engine/host/upsample3d.hpp>
#include <comodal/engine/host/vector_math.hpp>
#include <comodal/engine/host/winograd.hpp>
#include <comodal/engine/host/winograd_tasks.hpp>
#include <comodal/engine/host/winograd_transforms.hpp>
#include <comodal/engine/host/winograd_weights.hpp>
#include <comodal/engine/kernels.hpp>
#include <comodal/engine/problem/broadcast.hpp>
#include <comodal/engine/problem/conv3d.hpp>
#include <comodal/engine/problem/pool3d.hpp>
#if defined(COMODAL_ENABLE_ONEDNN)
#include <comodal/engine/onednn/adapter.hpp>
#include <comodal/engine/onednn/conv3d.hpp>
#endif

#endif
