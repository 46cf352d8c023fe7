// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `metric`: overlap, surface distance, scores of cases and cohorts, their tables; the worth of
/// uncertainty maps.
#ifndef COMODAL_METRIC_METRIC_HPP
#define COMODAL_METRIC_METRIC_HPP

#include <comodal/metric/choose_postprocessing.hpp>
#include <comodal/metric/crossed_bootstrap.hpp>
#include <comodal/metric/lesion_scores.hpp>
#include <comodal/metric/overlap.hpp>
#include <comodal/metric/paired_comparison.hpp>
#include <comodal/metric/score.hpp>
#include <comodal/metric/statistics.hpp>
#include <comodal/metric/summary_json.hpp>
#include <comodal/metric/surface_distance.hpp>
#include <comodal/metric/tables.hpp>
#include <comodal/metric/uncertainty.hpp>
#include <comodal/metric/uncertainty_report.hpp>

#endif
