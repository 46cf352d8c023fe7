// SPDX-License-Identifier: Apache-2.0
/// @file
/// How an operation finds its engine. The engines of a back end are asked in their order; the first that supports and
/// prefers a problem carries it out, else the first that supports it. The choice is a function of the problem, the
/// configuration and the processor alone: nothing is timed.
#ifndef COMODAL_ENGINE_DISPATCH_HPP
#define COMODAL_ENGINE_DISPATCH_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/ladder.hpp>
#include <comodal/engine/choice.hpp>
#include <comodal/engine/problem/problem.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

namespace engine_detail {

template <class Family, class List>
inline constexpr bool lists_v = false;
template <class Family, class... Families>
inline constexpr bool lists_v<Family, problem_list<Families...>> = (std::is_same_v<Family, Families> || ...);

}  // namespace engine_detail

/// How `Engine` carries `Problem` out for `Backend`. Each direction of a problem is chosen and planned by itself: what
/// the backward pass needs of the forward pass is in its arguments. A specialisation has
///   - `plan_type`: copyable or not, with a member `plan_facts facts`; `facts.engine` is set by the dispatcher;
///   - `bool prefers(context<Backend>&, const Problem&, direction)`: true where it is the fastest that there is; it may
///     be asked first;
///   - `support supports(context<Backend>&, const Problem&, direction)` and
///     `plan_type make_plan(context<Backend>&, const Problem&, direction)`; or, for a library that must plan to know,
///     `plan_attempt<plan_type> try_plan(context<Backend>&, const Problem&, direction)`;
///   - `void run(context<Backend>&, const plan_type&, const Problem&, direction, const arguments<T>&)`.
/// Workspace comes from the context's pool; `run` neither waits for the device nor lets an exception leave a parallel
/// region. A `device_error` that it throws is completed with the operation and the problem. `ready_op` is a base for
/// operations that need no plan.
template <class Engine, class Problem, class Backend>
struct engine_op {
  static_assert(detail::never<Engine>,
                "comodal: an engine of this back end lists this problem among those that it serves, but there is no "
                "specialisation engine_op<Engine, Problem, Backend>; include the engine's header");
};

/// A plan, or why there is none.
template <class Plan>
struct plan_attempt {
  std::optional<Plan> plan;
  std::string why;

  plan_attempt(Plan made) : plan(std::move(made)) {}
  [[nodiscard]] static plan_attempt refused(std::string why) { return plan_attempt(std::move(why), 0); }

 private:
  plan_attempt(std::string reason, int) : why(std::move(reason)) {}
};

/// The version of an engine that has a static function `std::string version()`, a vendor's library, else empty. It
/// stands in checkpoints: another version may give other bytes.
template <class Engine>
[[nodiscard]] std::string engine_version() {
  if constexpr (requires { Engine::version(); })
    return Engine::version();
  else
    return {};
}

/// The engine that is expected to carry `Problem` out for `Backend`: that it cannot, or is not among the engines of the
/// back end, is a fallback. `void`: any will do. An engine that stands in the list serves the problem.
template <class Backend, class Problem>
struct expected_engine {
  using type = void;
};

/// The base of operations that any problem suits and that need no plan: where its engine comes first and no other is
/// expected, it is not asked. Its result is the same in each run, for any number of threads. An engine that refuses
/// some problems, or cannot promise this, does not derive from it.
template <class Engine, class Problem, class Backend>
struct ready_op {
  static constexpr bool ready = true;
  using plan_type = simple_plan;
};

/// True if `Engine` serves `Problem`.
template <class Engine, class Problem>
[[nodiscard]] constexpr bool serves_problem() {
  static_assert(
      requires { sizeof(Engine); },
      "comodal: an engine of this back end is declared but not defined; include its header (the reference "
      "engine needs #include <comodal/engine/reference.hpp> before its first use)");
  return engine_detail::lists_v<typename Problem::family, typename Engine::serves>;
}

namespace engine_detail {

template <class Engine, class Problem, class Backend>
void run_by(context_base& ctx, const void* plan, const void* problem, direction d, const void* arguments) {
  using op = engine_op<Engine, Problem, Backend>;
  using arguments_type = typename Problem::template arguments<typename Backend::scalar_type>;
  op::run(static_cast<context<Backend>&>(ctx), *static_cast<const typename op::plan_type*>(plan),
          *static_cast<const Problem*>(problem), d, *static_cast<const arguments_type*>(arguments));
}

template <class Op>
concept ready = requires { requires Op::ready; };

template <class Op, class Context, class Problem>
inline constexpr bool asks = requires(Context& ctx, const Problem& p, direction d) { Op::supports(ctx, p, d); } ||
                             requires(Context& ctx, const Problem& p, direction d) { Op::prefers(ctx, p, d); } ||
                             requires(Context& ctx, const Problem& p, direction d) { Op::make_plan(ctx, p, d); } ||
                             requires(Context& ctx, const Problem& p, direction d) { Op::try_plan(ctx, p, d); };

// Says what an engine_op lacks; only the first that is missing speaks.
template <class Engine, class Problem, class Backend>
constexpr void check_engine_op() {
  using op = engine_op<Engine, Problem, Backend>;
  using context_type = context<Backend>;
  using arguments = typename Problem::template arguments<typename Backend::scalar_type>;
  if constexpr (!requires(typename op::plan_type plan) {
                  { (plan.facts) } -> std::same_as<plan_facts&>;
                })
    static_assert(detail::never<op>,
                  "comodal: an engine_op needs a member type plan_type with a member plan_facts facts");
  else if constexpr (!requires(context_type& ctx, const typename op::plan_type& plan, const Problem& p, direction d,
                               const arguments& a) { op::run(ctx, plan, p, d, a); })
    static_assert(detail::never<op>,
                  "comodal: an engine_op needs a static function void run(context<Backend>&, const plan_type&, const "
                  "Problem&, direction, const Problem::arguments<T>&)");
  else if constexpr (ready<op>)
    static_assert(std::is_same_v<typename op::plan_type, simple_plan> && !asks<op, context_type, Problem>,
                  "comodal: an engine_op that derives from ready_op is asked nothing: it has no plan_type, supports, "
                  "prefers, make_plan or try_plan of its own");
  else if constexpr (!requires(context_type& ctx, const Problem& p, direction d) {
                       { op::prefers(ctx, p, d) } -> std::same_as<bool>;
                     })
    static_assert(detail::never<op>,
                  "comodal: an engine_op needs a static function bool prefers(context<Backend>&, const Problem&, "
                  "direction)");
  else if constexpr (
      !requires(context_type& ctx, const Problem& p, direction d) {
        { op::try_plan(ctx, p, d) } -> std::same_as<plan_attempt<typename op::plan_type>>;
      } &&
      !requires(context_type& ctx, const Problem& p, direction d) {
        { op::supports(ctx, p, d) } -> std::same_as<support>;
        { op::make_plan(ctx, p, d) } -> std::same_as<typename op::plan_type>;
      })
    static_assert(detail::never<op>,
                  "comodal: an engine_op needs static functions support supports(context<Backend>&, const Problem&, "
                  "direction) and plan_type make_plan(the same), or plan_attempt<plan_type> try_plan(the same)");
}

// A plan in the form in which the dispatcher keeps it.
template <class Engine, class Plan>
[[nodiscard]] made_plan keep_plan(Plan plan) {
  const auto kept = std::make_shared<Plan>(std::move(plan));
  kept->facts.engine = Engine::name;
  return {kept, &kept->facts};
}

template <class Engine, class Problem, class Backend>
[[nodiscard]] answer ask(context_base& ctx, const void* problem, direction d) {
  using op = engine_op<Engine, Problem, Backend>;
  auto& own = static_cast<context<Backend>&>(ctx);
  const Problem& p = *static_cast<const Problem*>(problem);
  if constexpr (requires { op::try_plan(own, p, d); }) {
    auto tried = op::try_plan(own, p, d);
    if (!tried.plan) return {support::no(std::move(tried.why))};
    return {support::yes(), keep_plan<Engine>(std::move(*tried.plan))};
  } else {
    return {op::supports(own, p, d)};
  }
}

template <class Engine, class Problem, class Backend>
[[nodiscard]] constexpr candidate candidate_of() {
  candidate c;
  c.name = Engine::name;
  c.expected = std::is_same_v<Engine, typename expected_engine<Backend, Problem>::type>;
  if constexpr (serves_problem<Engine, Problem>()) {
    using op = engine_op<Engine, Problem, Backend>;
    check_engine_op<Engine, Problem, Backend>();
    c.serves = true;
    c.ready = ready<op>;
    c.run = &run_by<Engine, Problem, Backend>;
    if constexpr (!ready<op>) {
      c.ask = &ask<Engine, Problem, Backend>;
      c.prefers = [](context_base& ctx, const void* p, direction d) -> bool {
        return op::prefers(static_cast<context<Backend>&>(ctx), *static_cast<const Problem*>(p), d);
      };
    }
    if constexpr (requires(context<Backend>& ctx, const Problem& p, direction d) { op::make_plan(ctx, p, d); })
      c.make_plan = [](context_base& ctx, const void* p, direction d) -> made_plan {
        return keep_plan<Engine>(
            op::make_plan(static_cast<context<Backend>&>(ctx), *static_cast<const Problem*>(p), d));
      };
  }
  return c;
}

template <class Backend, class Problem, class List>
inline constexpr std::array<candidate, 0> candidates{};
template <class Backend, class Problem, class... Engines>
inline constexpr std::array candidates<Backend, Problem, engine_list<Engines...>>{
    candidate_of<Engines, Problem, Backend>()...};

template <class Backend, class Problem>
[[nodiscard]] constexpr operation_kind make_kind() {
  using expected = typename expected_engine<Backend, Problem>::type;
  constexpr std::span<const candidate> engines = candidates<Backend, Problem, typename Backend::engines_type>;
  constexpr auto first = std::find_if(engines.begin(), engines.end(), [](const candidate& c) { return c.serves; });
  static_assert(first != engines.end(), "comodal: no engine of this back end serves this problem");
  operation_kind kind;
  kind.names = {Problem::name(direction::forward), Problem::name(direction::backward),
                Problem::name(direction::backward_weights)};
  kind.scalar = scalar_name<typename Backend::scalar_type>;
  kind.engines = engines;
  if (first->ready && (std::is_void_v<expected> || first->expected)) kind.at_once = &*first;
  if constexpr (!std::is_void_v<expected>) {
    if constexpr (lists_engine_v<expected, typename Backend::engines_type>)
      static_assert(serves_problem<expected, Problem>(),
                    "comodal: expected_engine names an engine that does not list this problem among those that it "
                    "serves");
    else
      kind.missing = expected::name;
  }
  kind.less = [](const void* a, const void* b) {
    return *static_cast<const Problem*>(a) < *static_cast<const Problem*>(b);
  };
  kind.to_string = [](const void* p) { return static_cast<const Problem*>(p)->to_string(); };
  if constexpr (requires(const Problem& p) { p.multiply_adds(); })
    kind.multiply_adds = [](const void* p) -> index { return static_cast<const Problem*>(p)->multiply_adds(); };
  kind.problem = value_kind_of<Problem>();
  kind.arguments = value_kind_of<typename Problem::template arguments<typename Backend::scalar_type>>();
  return kind;
}
template <class Backend, class Problem>
inline constexpr operation_kind kind_of = make_kind<Backend, Problem>();

}  // namespace engine_detail

/// The facts of the plan of a problem in one direction; made on the first call, kept by the context until its choice of
/// engines changes. @throws shape_error for a problem that makes no sense; config_error where no engine supports it
template <tensor_backend Backend, operation_problem Problem>
[[nodiscard]] const plan_facts& engine_facts(context<Backend>& ctx, const Problem& p, direction d) {
  p.check();  // before the cache compares it: NaN has no order
  return *ctx.template plans<engine_detail::plan_cache>()
              .find(ctx, engine_detail::kind_of<Backend, Problem>, &p, d)
              .plan.facts;
}

/// Carries a problem out in one direction, by the engine that the rules at the head of this file choose.
/// @throws as `engine_facts`; error under `fallback_policy::error`
template <tensor_backend Backend, operation_problem Problem>
void dispatch(context<Backend>& ctx, const Problem& p, direction d,
              const typename Problem::template arguments<typename Backend::scalar_type>& arguments) {
  p.check();
  engine_detail::carry_out(ctx, engine_detail::kind_of<Backend, Problem>, &p, d, &arguments);
}

/// The engines of a list in their order, with the versions of those that say one: "amx host onednn 2.6.3".
template <class... Engines>
[[nodiscard]] std::string engine_names(engine_list<Engines...> = {}) {
  std::string all;
  const auto add = [&](const char* name, const std::string& version) {
    all += text(all.empty() ? "" : " ", name, version.empty() ? "" : " ", version);
  };
  (add(Engines::name, engine_version<Engines>()), ...);
  return all;
}

/// What the choice of engines depends on besides the problem: the order of engines with the versions of vendors'
/// libraries, the one that is asked first, and the processor. Where two are equal, the same engines are chosen.
template <tensor_backend Backend>
[[nodiscard]] std::string engine_configuration(const context<Backend>& ctx) {
  std::string words = text("engines ", engine_names(typename Backend::engines_type{}));
  if (!ctx.chosen_engine().empty()) words += text(", first ", ctx.chosen_engine());
  if (ctx.tf32()) words += ", tf32";
  if (is_host_v<typename Backend::space_type>) words += text(", processor ", ctx.host_processor().to_string());
  return words;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
