// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a method is made from when it is made by name.
#ifndef COMODAL_SSL_METHOD_SETUP_HPP
#define COMODAL_SSL_METHOD_SETUP_HPP

#include <comodal/loss/any_loss.hpp>
#include <comodal/model/any_network.hpp>
#include <comodal/ssl/targets.hpp>

#include <functional>
#include <optional>

namespace comodal::inline COMODAL_CONFIG {

/// The networks and losses of a method that is made by name.
template <tensor_backend Backend>
struct method_setup {
  target_map targets;
  /// Makes a network. Networks of one number have the same initial weights: a student and the teacher that follows it
  /// take one number, students that must differ take several.
  std::function<any_network<Backend>(std::uint32_t number)> network;
  any_segmentation_loss<Backend> segmentation_loss;
  any_consistency_loss<Backend> consistency_loss;
  std::optional<any_contrastive_loss<Backend>> contrastive_loss;  // none: the method makes its own
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
