// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `ops`: the operations on tensors, and the choice of engine.
#ifndef COMODAL_OPS_OPS_HPP
#define COMODAL_OPS_OPS_HPP

#include <comodal/ops/conv3d.hpp>
#include <comodal/ops/elementwise.hpp>

#endif
