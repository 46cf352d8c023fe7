// SPDX-License-Identifier: Apache-2.0
/// @file
/// Every problem of the library, as a list.
#ifndef COMODAL_ENGINE_PROBLEM_ALL_HPP
#define COMODAL_ENGINE_PROBLEM_ALL_HPP

#include <comodal/engine/problem/conv3d.hpp>
#include <comodal/engine/problem/dropout.hpp>
#include <comodal/engine/problem/elementwise.hpp>
#include <comodal/engine/problem/gating.hpp>
#include <comodal/engine/problem/matmul.hpp>
#include <comodal/engine/problem/norm_act.hpp>
#include <comodal/engine/problem/pool3d.hpp>
#include <comodal/engine/problem/reduction.hpp>
#include <comodal/engine/problem/segmentation_sums.hpp>
#include <comodal/engine/problem/softmax.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// What an engine serves that can carry out everything.
using all_problems = problem_list<conv3d_problem, norm_act_problem, pool3d_problem, upsample3d_problem, matmul_problem,
                                  softmax_problem, sum_axis_problem, max_axis_problem, unary_family, binary_family,
                                  cast_family, each_family, row_sums_family, fill_problem, copy_block_problem,
                                  weigh_problem, gated_add_problem, segmentation_sums_problem, dropout_problem>;

}  // namespace comodal::inline COMODAL_CONFIG

#endif
