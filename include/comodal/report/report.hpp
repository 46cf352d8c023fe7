// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `report`: curves, overlays, the HTML report.
#ifndef COMODAL_REPORT_REPORT_HPP
#define COMODAL_REPORT_REPORT_HPP

#include <comodal/report/curves.hpp>
#include <comodal/report/html.hpp>
#include <comodal/report/overlay.hpp>
#include <comodal/report/png.hpp>
#include <comodal/report/slice.hpp>

#endif
