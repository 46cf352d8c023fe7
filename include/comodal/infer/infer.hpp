// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `infer`: sliding windows, the outputs of a case.
#ifndef COMODAL_INFER_INFER_HPP
#define COMODAL_INFER_INFER_HPP

#include <comodal/infer/predict_case.hpp>
#include <comodal/infer/sliding_window.hpp>

#endif
