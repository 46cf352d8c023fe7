// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `engine`: problems, plans, and the kernels of every engine that this build has. The reference engine is an
/// include of its own, `comodal/engine/reference.hpp`.
#ifndef COMODAL_ENGINE_ENGINE_HPP
#define COMODAL_ENGINE_ENGINE_HPP

#include <comodal/engine/amx/blocks.hpp>
#include <comodal/engine/amx/conv3d.hpp>
#include <comodal/engine/amx/conv3d_weights.hpp>
#include <comodal/engine/amx/tiles.hpp>
#include <comodal/engine/broadcast.hpp>
#include <comodal/engine/conv3d_plan.hpp>
#include <comodal/engine/conv3d_problem.hpp>
#include <comodal/engine/kernels.hpp>
#include <comodal/engine/pool3d_problem.hpp>
#include <comodal/engine/portable/conv3d.hpp>
#include <comodal/engine/portable/conv3d_host.hpp>
#include <comodal/engine/portable/conv3d_tasks.hpp>
#include <comodal/engine/portable/conv_transpose3d.hpp>
#include <comodal/engine/portable/conv_transpose3d_converted.hpp>
#include <comodal/engine/portable/dropout.hpp>
#include <comodal/engine/portable/elementwise.hpp>
#include <comodal/engine/portable/gating.hpp>
#include <comodal/engine/portable/gemm.hpp>
#include <comodal/engine/portable/matmul.hpp>
#include <comodal/engine/portable/norm_act.hpp>
#include <comodal/engine/portable/pool3d.hpp>
#include <comodal/engine/portable/segmentation_sums.hpp>
#include <comodal/engine/portable/softmax.hpp>
#include <comodal/engine/portable/upsample3d.hpp>
#include <comodal/engine/portable/vector_math.hpp>
#include <comodal/engine/portable/winograd.hpp>
#include <comodal/engine/portable/winograd_tasks.hpp>
#include <comodal/engine/portable/winograd_transforms.hpp>
#include <comodal/engine/portable/winograd_weights.hpp>
#if defined(COMODAL_ENABLE_ONEDNN)
#include <comodal/engine/onednn/adapter.hpp>
#include <comodal/engine/onednn/conv3d.hpp>
#endif

#endif
