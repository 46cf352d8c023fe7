// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `plan`: fingerprints of cohorts, nnU-Net's planning rules, memory.
#ifndef COMODAL_PLAN_PLAN_HPP
#define COMODAL_PLAN_PLAN_HPP

#include <comodal/plan/fingerprint.hpp>
#include <comodal/plan/memory_model.hpp>
#include <comodal/plan/planning.hpp>
#include <comodal/plan/topology.hpp>

#endif
