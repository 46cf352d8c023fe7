// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `data`: NIfTI files, cohorts, preprocessing, sampling, augmentation, prefetch, the phantom.
#ifndef COMODAL_DATA_DATA_HPP
#define COMODAL_DATA_DATA_HPP

#include <comodal/data/annotated_classes.hpp>
#include <comodal/data/augment.hpp>
#include <comodal/data/augment_presets.hpp>
#include <comodal/data/batch.hpp>
#include <comodal/data/batch_maker.hpp>
#include <comodal/data/batch_views.hpp>
#include <comodal/data/box.hpp>
#include <comodal/data/case_data.hpp>
#include <comodal/data/check.hpp>
#include <comodal/data/cohort.hpp>
#include <comodal/data/cohort_json.hpp>
#include <comodal/data/cohort_reader.hpp>
#include <comodal/data/crop.hpp>
#include <comodal/data/ct_statistics.hpp>
#include <comodal/data/cut_crop.hpp>
#include <comodal/data/distance_transform.hpp>
#include <comodal/data/file.hpp>
#include <comodal/data/finding.hpp>
#include <comodal/data/geometry.hpp>
#include <comodal/data/image_source.hpp>
#include <comodal/data/intensities.hpp>
#include <comodal/data/json.hpp>
#include <comodal/data/load_case.hpp>
#include <comodal/data/mapped_file.hpp>
#include <comodal/data/mix.hpp>
#include <comodal/data/morphology.hpp>
#include <comodal/data/nifti.hpp>
#include <comodal/data/nifti_header.hpp>
#include <comodal/data/nnunet_raw.hpp>
#include <comodal/data/normalise.hpp>
#include <comodal/data/partial_labels.hpp>
#include <comodal/data/phantom.hpp>
#include <comodal/data/phantom_acquisition.hpp>
#include <comodal/data/phantom_anatomy.hpp>
#include <comodal/data/phantom_case.hpp>
#include <comodal/data/phantom_field.hpp>
#include <comodal/data/phantom_head.hpp>
#include <comodal/data/phantom_options.hpp>
#include <comodal/data/prefetch.hpp>
#include <comodal/data/preparation.hpp>
#include <comodal/data/reader_registry.hpp>
#include <comodal/data/sampler.hpp>
#include <comodal/data/signed_distance.hpp>
#include <comodal/data/split.hpp>
#include <comodal/data/training_grid.hpp>
#include <comodal/data/volume.hpp>
#include <comodal/data/volume_transform.hpp>
#include <comodal/data/volume_view.hpp>

#endif
