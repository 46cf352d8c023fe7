// SPDX-License-Identifier: Apache-2.0
/// @file
/// All operations of the host engine.
#ifndef COMODAL_ENGINE_HOST_HOST_HPP
#define COMODAL_ENGINE_HOST_HOST_HPP

#include <comodal/engine/host/conv3d.hpp>
#include <comodal/engine/host/elementwise.hpp>
#include <comodal/engine/host/matmul.hpp>
#include <comodal/engine/host/pool3d.hpp>
#include <comodal/engine/host/segmentation_sums.hpp>
#include <comodal/engine/host/softmax.hpp>
#include <comodal/engine/loops/dropout.hpp>
#include <comodal/engine/loops/gating.hpp>
#include <comodal/engine/loops/norm_act.hpp>
#include <comodal/engine/loops/reduction.hpp>
#include <comodal/engine/loops/upsample3d.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

// Problems for which the host has kernels of its own; loops carry out the others.
template <class Problem>
inline constexpr bool has_host_kernels_v = false;
template <>
inline constexpr bool has_host_kernels_v<conv3d_problem> = true;
template <>
inline constexpr bool has_host_kernels_v<matmul_problem> = true;
template <>
inline constexpr bool has_host_kernels_v<pool3d_problem> = true;
template <>
inline constexpr bool has_host_kernels_v<softmax_problem> = true;
template <>
inline constexpr bool has_host_kernels_v<segmentation_sums_problem> = true;
template <class Function>
inline constexpr bool has_host_kernels_v<binary_problem<Function>> = true;

}  // namespace engine_detail

template <class Problem, tensor_backend Backend>
  requires(!engine_detail::has_host_kernels_v<Problem>)
struct engine_op<host_engine, Problem, Backend> : loop_op<host_engine, Problem, Backend> {};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
