// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `ops`: pure functions on tensors, forward and gradients. They alone call the dispatcher.
#ifndef COMODAL_OPS_OPS_HPP
#define COMODAL_OPS_OPS_HPP

#include <comodal/ops/conv3d.hpp>
#include <comodal/ops/dropout.hpp>
#include <comodal/ops/elementwise.hpp>
#include <comodal/ops/gating.hpp>
#include <comodal/ops/norm_act.hpp>
#include <comodal/ops/pool3d.hpp>
#include <comodal/ops/reduction.hpp>
#include <comodal/ops/segmentation.hpp>

#endif
