// SPDX-License-Identifier: Apache-2.0
/// @file
/// The choice of a built-in method, with the options of each.
#ifndef COMODAL_SSL_METHOD_OPTIONS_HPP
#define COMODAL_SSL_METHOD_OPTIONS_HPP

#include <comodal/ssl/contrastive_mutual_learning_options.hpp>
#include <comodal/ssl/mean_teacher.hpp>
#include <comodal/ssl/supervised.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Which method trains, and the options of every built-in method. Those of the chosen one alone are used.
struct method_options {
  std::string name = "contrastive_mutual_learning";
  comodal::supervised_options supervised;
  comodal::mean_teacher_options mean_teacher;
  comodal::contrastive_mutual_learning_options contrastive_mutual_learning;

  /// `f(options)` for the options of the chosen method. @throws config_error for a name that is not known
  template <class F>
  decltype(auto) with_chosen(F&& f) const {
    if (name == supervised.name) return f(supervised);
    if (name == mean_teacher.name) return f(mean_teacher);
    if (name == contrastive_mutual_learning.name) return f(contrastive_mutual_learning);
    throw config_error(
        text("method.name = '", name, "', expected supervised, mean_teacher or contrastive_mutual_learning"));
  }
  /// @throws config_error for a name that is not known, or naming the key of the chosen method that makes no sense
  void check() const {
    with_chosen([](const auto& options) { options.check(); });
  }
  /// What the chosen method wants of each step.
  [[nodiscard]] batch_views views() const {
    return with_chosen([](const auto& options) { return options.views(); });
  }
};

/// Calls `visit(key, reference)` for every option. Keys are those of the table `method` of an experiment file: "name",
/// and "mean_teacher.ramp" for an option of the table [method.mean_teacher].
template <class Options, class Visit>
void visit_method_options(Options& o, Visit&& visit) {
  visit(std::string_view("name"), o.name);
  const auto table = [&](auto& options) {
    options.visit(options, [&](std::string_view key, auto& value) { visit(text(options.name, ".", key), value); });
  };
  table(o.supervised);
  table(o.mean_teacher);
  table(o.contrastive_mutual_learning);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
