// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `ssl`: semi-supervised methods, and the parts that they are made of.
#ifndef COMODAL_SSL_SSL_HPP
#define COMODAL_SSL_SSL_HPP

#include <comodal/ssl/any_method.hpp>
#include <comodal/ssl/area_similarity_mutual_learning.hpp>
#include <comodal/ssl/bidirectional_copy_paste.hpp>
#include <comodal/ssl/contrastive_mutual_learning.hpp>
#include <comodal/ssl/contrastive_mutual_learning_options.hpp>
#include <comodal/ssl/correlation_aware_mutual_learning.hpp>
#include <comodal/ssl/cross_modality_collaboration.hpp>
#include <comodal/ssl/cross_pseudo_supervision.hpp>
#include <comodal/ssl/device_batch.hpp>
#include <comodal/ssl/dual_task_consistency.hpp>
#include <comodal/ssl/entropy_minimisation.hpp>
#include <comodal/ssl/interpolation_consistency.hpp>
#include <comodal/ssl/mean_teacher.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_registry.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/mutual_consistency.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/box_mix.hpp>
#include <comodal/ssl/parts/cell_classes.hpp>
#include <comodal/ssl/parts/confidence.hpp>
#include <comodal/ssl/parts/constant_function.hpp>
#include <comodal/ssl/parts/copy_paste.hpp>
#include <comodal/ssl/parts/disagreement.hpp>
#include <comodal/ssl/parts/distance_fields.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/feature_contrast.hpp>
#include <comodal/ssl/parts/feature_heads.hpp>
#include <comodal/ssl/parts/feature_kernels.hpp>
#include <comodal/ssl/parts/feature_memory.hpp>
#include <comodal/ssl/parts/foreground_maps.hpp>
#include <comodal/ssl/parts/interpolation.hpp>
#include <comodal/ssl/parts/labelled_memory.hpp>
#include <comodal/ssl/parts/negative_queue.hpp>
#include <comodal/ssl/parts/pairs.hpp>
#include <comodal/ssl/parts/partial_labels.hpp>
#include <comodal/ssl/parts/positions.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/reliability.hpp>
#include <comodal/ssl/parts/sharpening.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>
#include <comodal/ssl/parts/uncertainty.hpp>
#include <comodal/ssl/step_request.hpp>
#include <comodal/ssl/supervised.hpp>
#include <comodal/ssl/targets.hpp>
#include <comodal/ssl/uncertainty_aware_mean_teacher.hpp>
#include <comodal/ssl/uncertainty_rectified_pyramid.hpp>

#endif
