// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `ssl`: semi-supervised methods.
#ifndef COMODAL_SSL_SSL_HPP
#define COMODAL_SSL_SSL_HPP

#include <comodal/ssl/any_method.hpp>
#include <comodal/ssl/contrastive_mutual_learning.hpp>
#include <comodal/ssl/mean_teacher.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/negatives.hpp>
#include <comodal/ssl/reliability.hpp>
#include <comodal/ssl/supervised.hpp>
#include <comodal/ssl/targets.hpp>

#endif
