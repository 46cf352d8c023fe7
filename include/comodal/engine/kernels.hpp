// SPDX-License-Identifier: Apache-2.0
/// @file
/// `kernels<Backend>`: every operation of a back end on raw pointers, as static functions. The portable set serves any
/// Kokkos space; the reference set is a specialisation in `engine/reference.hpp`.
#ifndef COMODAL_ENGINE_KERNELS_HPP
#define COMODAL_ENGINE_KERNELS_HPP

#include <comodal/engine/host/conv3d.hpp>
#include <comodal/engine/host/conv_transpose3d.hpp>
#include <comodal/engine/host/dropout.hpp>
#include <comodal/engine/host/elementwise.hpp>
#include <comodal/engine/host/gating.hpp>
#include <comodal/engine/host/matmul.hpp>
#include <comodal/engine/host/norm_act.hpp>
#include <comodal/engine/host/pool3d.hpp>
#include <comodal/engine/host/segmentation_sums.hpp>
#include <comodal/engine/host/softmax.hpp>
#include <comodal/engine/host/upsample3d.hpp>

namespace comodal::inline COMODAL_CONFIG {

template <tensor_backend Backend>
struct kernels : portable_conv3d<Backend>,
                 portable_conv_transpose3d<Backend>,
                 portable_matmul<Backend>,
                 portable_norm_act<Backend>,
                 portable_pool3d<Backend>,
                 portable_upsample3d<Backend>,
                 portable_softmax<Backend>,
                 portable_elementwise<Backend>,
                 portable_gating<Backend>,
                 portable_segmentation_sums<Backend>,
                 portable_dropout<Backend> {
  static_assert(!Backend::is_reference,
                "comodal: xtensor_backend needs #include <comodal/engine/reference.hpp> before its first use");
  static constexpr const char* name = "portable";
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
