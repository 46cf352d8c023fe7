// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `app`: the verbs check, train, predict, evaluate, rank and report as functions. Needs toml11
/// (`comodal::cli` of the package).
#ifndef COMODAL_APP_APP_HPP
#define COMODAL_APP_APP_HPP

#include <comodal/app/check.hpp>
#include <comodal/app/evaluate.hpp>
#include <comodal/app/experiment.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/app/predict.hpp>
#include <comodal/app/predictions.hpp>
#include <comodal/app/rank.hpp>
#include <comodal/app/rank_progress.hpp>
#include <comodal/app/registry.hpp>
#include <comodal/app/report.hpp>
#include <comodal/app/segmenter.hpp>
#include <comodal/app/settings.hpp>
#include <comodal/app/toml_value.hpp>
#include <comodal/app/train.hpp>
#include <comodal/app/training_cases.hpp>

#endif
