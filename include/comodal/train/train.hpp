// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `train`: optimisers, schedules, logs, the trainer.
#ifndef COMODAL_TRAIN_TRAIN_HPP
#define COMODAL_TRAIN_TRAIN_HPP

#include <comodal/train/checkpoint_file.hpp>
#include <comodal/train/guides.hpp>
#include <comodal/train/log.hpp>
#include <comodal/train/memory_budget.hpp>
#include <comodal/train/metadata.hpp>
#include <comodal/train/optimiser.hpp>
#include <comodal/train/optimiser_options.hpp>
#include <comodal/train/optimiser_registry.hpp>
#include <comodal/train/optimiser_set.hpp>
#include <comodal/train/run_plan.hpp>
#include <comodal/train/skipped_steps.hpp>
#include <comodal/train/step_values.hpp>
#include <comodal/train/train_options.hpp>
#include <comodal/train/trainer.hpp>
#include <comodal/train/training_step.hpp>

#endif
