// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `app`: the verbs init, check, import, plan, prepare, train, crossval, postprocess, predict,
/// evaluate, rank, report and experiment as functions. Needs toml11 (`comodal::cli` of the package).
#ifndef COMODAL_APP_APP_HPP
#define COMODAL_APP_APP_HPP

#include <comodal/app/begin_with.hpp>
#include <comodal/app/cell_folder.hpp>
#include <comodal/app/check.hpp>
#include <comodal/app/child_process.hpp>
#include <comodal/app/crossval.hpp>
#include <comodal/app/evaluate.hpp>
#include <comodal/app/experiment.hpp>
#include <comodal/app/experiment_text.hpp>
#include <comodal/app/fold_file.hpp>
#include <comodal/app/images_to_predict.hpp>
#include <comodal/app/import.hpp>
#include <comodal/app/init.hpp>
#include <comodal/app/judged_folder.hpp>
#include <comodal/app/key_hints.hpp>
#include <comodal/app/key_table.hpp>
#include <comodal/app/mask_folder.hpp>
#include <comodal/app/model_files.hpp>
#include <comodal/app/network_cost.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/app/plan.hpp>
#include <comodal/app/postprocess.hpp>
#include <comodal/app/predict.hpp>
#include <comodal/app/predicted_case.hpp>
#include <comodal/app/prediction_folder.hpp>
#include <comodal/app/predictions.hpp>
#include <comodal/app/prepare.hpp>
#include <comodal/app/probability_spill.hpp>
#include <comodal/app/provenance.hpp>
#include <comodal/app/rank.hpp>
#include <comodal/app/rank_progress.hpp>
#include <comodal/app/registry.hpp>
#include <comodal/app/report.hpp>
#include <comodal/app/report_cases.hpp>
#include <comodal/app/report_curves.hpp>
#include <comodal/app/report_facts.hpp>
#include <comodal/app/report_without_labels.hpp>
#include <comodal/app/run_cell.hpp>
#include <comodal/app/run_settings.hpp>
#include <comodal/app/run_study.hpp>
#include <comodal/app/segment.hpp>
#include <comodal/app/segmenter.hpp>
#include <comodal/app/settings.hpp>
#include <comodal/app/study_cells.hpp>
#include <comodal/app/study_file.hpp>
#include <comodal/app/study_options.hpp>
#include <comodal/app/study_results.hpp>
#include <comodal/app/study_table.hpp>
#include <comodal/app/toml_value.hpp>
#include <comodal/app/train.hpp>
#include <comodal/app/training_cases.hpp>
#include <comodal/app/validation.hpp>

#endif
