// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `loss`: segmentation, consistency and contrastive losses.
#ifndef COMODAL_LOSS_LOSS_HPP
#define COMODAL_LOSS_LOSS_HPP

#include <comodal/loss/any_loss.hpp>
#include <comodal/loss/channel_contrast.hpp>
#include <comodal/loss/consistency_loss.hpp>
#include <comodal/loss/contrastive_loss.hpp>
#include <comodal/loss/distance_consistency.hpp>
#include <comodal/loss/entropy_loss.hpp>
#include <comodal/loss/feature_losses.hpp>
#include <comodal/loss/loss_registry.hpp>
#include <comodal/loss/pyramid_consistency.hpp>
#include <comodal/loss/segmentation_loss.hpp>
#include <comodal/loss/sharpened_consistency.hpp>

#endif
