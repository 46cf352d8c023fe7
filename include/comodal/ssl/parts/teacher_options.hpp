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
  visit("branch_weight", o.branch_weight, "weight of the branches' losses beside the fused one's");
  visit("ema_decay", o.ema_decay, "decay of the averaged weights, which predict and teach");
  visit("ramp", o.ramp, "fraction of the run over which the weights of unlabelled terms rise");
}
/// @throws config_error naming the key of the table [method.NAME] that makes no sense
template <class Options>
void check_teacher_options(const Options& o) {
  const auto key = [](std::string_view of) { return text("method.", Options::name, '.', of); };
  expect_between(key("branch_weight"), o.branch_weight, 0, 100);
  expect_option(o.ema_decay >= 0 && o.ema_decay < 1, key("ema_decay"), o.ema_decay, "0 or more and less than 1");
  expect_between(key("ramp"), o.ramp, 0, 1);
}

/// The options of methods with averaged weights and one unlabelled term. A method derives its own from them, with the
/// `name` of its table, and `check()` that calls `check_consistency_options`.
struct consistency_options {
  double branch_weight = 0.5;
  double ema_decay = 0.99;
  double ramp = 0.4;
  double consistency = 0.1;

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit("consistency", o.consistency, "weight of the unlabelled term at the end of its ramp");
  }
};
/// @throws config_error naming the key of the table [method.NAME] that makes no sense
template <class Options>
void check_consistency_options(const Options& o) {
  check_teacher_options(o);
  expect_between(text("method.", Options::name, ".consistency"), o.consistency, 0, 1000);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
