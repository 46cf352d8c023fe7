// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole library. Programs compile faster with the headers of what they use; `comodal/<layer>/<layer>.hpp` gathers
/// a layer.
#ifndef COMODAL_COMODAL_HPP
#define COMODAL_COMODAL_HPP

#include <comodal/autograd/autograd.hpp>
#include <comodal/core/core.hpp>
#include <comodal/data/data.hpp>
#include <comodal/engine/engine.hpp>
#include <comodal/infer/infer.hpp>
#include <comodal/loss/loss.hpp>
#include <comodal/metric/metric.hpp>
#include <comodal/model/model.hpp>
#include <comodal/nn/nn.hpp>
#include <comodal/ops/ops.hpp>
#include <comodal/plan/plan.hpp>
#include <comodal/report/report.hpp>
#include <comodal/ssl/ssl.hpp>
#include <comodal/train/train.hpp>

#endif
