// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `model`: encoders, fusion, decoders, networks, the model file.
#ifndef COMODAL_MODEL_MODEL_HPP
#define COMODAL_MODEL_MODEL_HPP

#include <comodal/model/any_network.hpp>
#include <comodal/model/decoder.hpp>
#include <comodal/model/early_fusion.hpp>
#include <comodal/model/encoder.hpp>
#include <comodal/model/fusion_block.hpp>
#include <comodal/model/fusion_stage.hpp>
#include <comodal/model/make_network.hpp>
#include <comodal/model/mixed_precision.hpp>
#include <comodal/model/model_file.hpp>
#include <comodal/model/model_plan.hpp>
#include <comodal/model/network.hpp>
#include <comodal/model/network_heads.hpp>
#include <comodal/model/network_options.hpp>
#include <comodal/model/network_presets.hpp>
#include <comodal/model/network_registry.hpp>
#include <comodal/model/presence.hpp>
#include <comodal/model/resenc_encoder.hpp>
#include <comodal/model/transfer.hpp>

#endif
