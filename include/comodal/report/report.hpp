// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `report`: curves, pictures of cases, the HTML report.
#ifndef COMODAL_REPORT_REPORT_HPP
#define COMODAL_REPORT_REPORT_HPP

#include <comodal/report/case_section.hpp>
#include <comodal/report/colours.hpp>
#include <comodal/report/curves.hpp>
#include <comodal/report/dots.hpp>
#include <comodal/report/escape.hpp>
#include <comodal/report/grey_window.hpp>
#include <comodal/report/html.hpp>
#include <comodal/report/image_bytes.hpp>
#include <comodal/report/mask_runs.hpp>
#include <comodal/report/outline.hpp>
#include <comodal/report/page_style.hpp>
#include <comodal/report/planes.hpp>
#include <comodal/report/plot.hpp>
#include <comodal/report/shown_case.hpp>
#include <comodal/report/slice_choice.hpp>
#include <comodal/report/still_pictures.hpp>
#include <comodal/report/viewer_script.hpp>
#include <comodal/report/volume_data.hpp>

#endif
