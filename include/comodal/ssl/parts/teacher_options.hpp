// SPDX-License-Identifier: Apache-2.0
/// @file
/// The options that methods with averaged weights and a ramp share.
#ifndef COMODAL_SSL_PARTS_TEACHER_OPTIONS_HPP
#define COMODAL_SSL_PARTS_TEACHER_OPTIONS_HPP

#include <comodal/core/option_range.hpp>

#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// Calls `visit(key, reference)` for `branch_weight`, the weight of the branches' losses beside the fused one's;
/// `ema_decay`, of the averaged weights; and `ramp`, the fraction of the run over which unlabelled terms rise.
template <class Options, class Visit>
void visit_teacher_options(Options& o, const Visit& visit) {
  visit(std::string_view("branch_weight"), o.branch_weight);
  visit(std::string_view("ema_decay"), o.ema_decay);
  visit(std::string_view("ramp"), o.ramp);
}
/// @throws config_error naming the key of the table [method.NAME] that makes no sense
template <class Options>
void check_teacher_options(const Options& o) {
  const auto key = [](std::string_view of) { return text("method.", Options::name, '.', of); };
  expect_between(key("branch_weight"), o.branch_weight, 0, 100);
  expect_option(o.ema_decay >= 0 && o.ema_decay < 1, key("ema_decay"), o.ema_decay, "0 or more and less than 1");
  expect_between(key("ramp"), o.ramp, 0, 1);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
