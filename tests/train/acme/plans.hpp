// SPDX-License-Identifier: Apache-2.0
/// @file
/// The second file of a vendor engine: a problem in acme's terms, and the plan with its facts.
#ifndef COMODAL_TESTS_TRAIN_ACME_PLANS_HPP
#define COMODAL_TESTS_TRAIN_ACME_PLANS_HPP

#include <comodal/core/plan.hpp>
#include <comodal/engine/problem/norm_act.hpp>

#include <train/acme/adapter.hpp>

namespace comodal::tests {

template <class T>
[[nodiscard]] acme_norm_descriptor_t acme_descriptor(const norm_act_problem& p, direction d) {
  return {acme_type<T>,
          d == direction::forward ? ACME_FORWARD_TRAINING : ACME_BACKWARD,
          p.groups,
          p.rows,
          p.channels,
          static_cast<float>(p.eps),
          static_cast<float>(p.slope),
          p.in_place};
}

/// Why acme does not serve a problem; empty where it does. Its reference code counts as none.
[[nodiscard]] inline std::string acme_refusal(const norm_act_problem& p, const acme_norm& made) {
  if (p.in_place) return "it does not normalise in place";
  if (!(p.slope >= 0 && p.slope <= 1)) return text("it has slopes from 0 to 1, not ", p.slope);
  if (made.status() == ACME_NOT_SUPPORTED) return text("it has no plan (", acme_status_string(made.status()), ")");
  acme_check(made.status(), "acme_norm_plan_create(");  // a lack of memory is an error, not a reason to be remembered
  const std::string name = made.implementation();
  if (name.find("ref") != std::string::npos) return text("it would run its reference code (", name, ")");
  return {};
}

/// Where a problem's workspace lies in one buffer: acme's own bytes, then parameters and their gradients in float, of
/// which acme knows no other.
struct acme_norm_plan {
  plan_facts facts;
  acme_norm of;
  std::size_t own_bytes = 0, floats = 0;

  template <class T>
  [[nodiscard]] static acme_norm_plan make(acme_norm made, const norm_act_problem& p, direction d) {
    const bool converts = !std::is_same_v<T, float>;
    const std::size_t own = (made.workspace() + 63) / 64 * 64,
                      floats = converts ? static_cast<std::size_t>((d == direction::forward ? 2 : 4) * p.channels) : 0;
    plan_facts facts;
    facts.algorithm = converts ? "two passes, parameters in float" : "two passes";
    facts.implementation = made.implementation();
    facts.deterministic = facts.thread_invariant = true;  // one thread
    facts.workspace = own + floats * sizeof(float);
    return {std::move(facts), std::move(made), own, floats};
  }
};

}  // namespace comodal::tests

#endif
