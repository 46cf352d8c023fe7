// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `autograd`: variables, the tape, differentiable operations, the gradient check.
#ifndef COMODAL_AUTOGRAD_AUTOGRAD_HPP
#define COMODAL_AUTOGRAD_AUTOGRAD_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/autograd/cast.hpp>
#include <comodal/autograd/check_gradient.hpp>
#include <comodal/autograd/checkpoint.hpp>
#include <comodal/autograd/convolution.hpp>
#include <comodal/autograd/gating.hpp>
#include <comodal/autograd/gradient_sink.hpp>
#include <comodal/autograd/gradients_of.hpp>
#include <comodal/autograd/record.hpp>
#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/autograd/variable.hpp>

#endif
