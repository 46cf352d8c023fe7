// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `nn`: parameters, their files and averages, layers and blocks.
#ifndef COMODAL_NN_NN_HPP
#define COMODAL_NN_NN_HPP

#include <comodal/nn/averaging.hpp>
#include <comodal/nn/checksum.hpp>
#include <comodal/nn/feature_dropout.hpp>
#include <comodal/nn/forward_request.hpp>
#include <comodal/nn/layers.hpp>
#include <comodal/nn/parameters.hpp>
#include <comodal/nn/residual_block.hpp>
#include <comodal/nn/state.hpp>

#endif
