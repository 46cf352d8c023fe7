// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `infer`: sliding windows, the outputs of a case, sets of modalities, the disagreement of branches.
#ifndef COMODAL_INFER_INFER_HPP
#define COMODAL_INFER_INFER_HPP

#include <comodal/infer/case_output.hpp>
#include <comodal/infer/labelling.hpp>
#include <comodal/infer/modality_subset.hpp>
#include <comodal/infer/output_filler.hpp>
#include <comodal/infer/plane_resampler.hpp>
#include <comodal/infer/predict_case.hpp>
#include <comodal/infer/probability_map.hpp>
#include <comodal/infer/sliding_window.hpp>
#include <comodal/infer/uncertainty.hpp>
#include <comodal/infer/window_sums.hpp>

#endif
