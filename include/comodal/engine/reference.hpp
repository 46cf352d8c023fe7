// SPDX-License-Identifier: Apache-2.0
/// @file
/// The reference engine: every operation of `xtensor_backend`, computed plainly with xtensor in double. Slow; the
/// oracle that the other engines are compared with. Include it before the first use of `xtensor_backend`.
#ifndef COMODAL_ENGINE_REFERENCE_HPP
#define COMODAL_ENGINE_REFERENCE_HPP

#include <comodal/engine/kernels.hpp>
#include <comodal/engine/reference/convolution.hpp>
#include <comodal/engine/reference/elementwise.hpp>
#include <comodal/engine/reference/gating.hpp>
#include <comodal/engine/reference/image.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The reference set; dropout shares its counter-based definition with the portable set, so that both draw the same
/// mask.
template <std::floating_point Scalar>
struct kernels<xtensor_backend<Scalar>> : reference_convolution<xtensor_backend<Scalar>>,
                                          reference_image<xtensor_backend<Scalar>>,
                                          reference_elementwise<xtensor_backend<Scalar>>,
                                          reference_gating<xtensor_backend<Scalar>>,
                                          reference_segmentation_sums<xtensor_backend<Scalar>>,
                                          portable_dropout<xtensor_backend<Scalar>> {
  static constexpr const char* name = "reference";
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
