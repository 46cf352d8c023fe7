// SPDX-License-Identifier: Apache-2.0
/// @file
/// How an operation finds its engine. The engines of a back end are asked in their order; the first that supports and
/// prefers a problem carries it out, else the first that supports it. The choice is a function of the problem, the
/// configuration and the processor alone: nothing is timed.
#ifndef COMODAL_ENGINE_DISPATCH_HPP
#define COMODAL_ENGINE_DISPATCH_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/problem/problem.hpp>

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <type_traits>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace engine_detail {

template <class>
inline constexpr bool never = false;

template <class Family, class List>
inline constexpr bool lists_v = false;
template <class Family, class... Families>
inline constexpr bool lists_v<Family, problem_list<Families...>> = (std::is_same_v<Family, Families> || ...);

}  // namespace engine_detail

/// How `Engine` carries `Problem` out for `Backend`. A specialisation has
///   - `plan_type`: copyable or not, with a member `plan_facts facts`;
///   - `support supports(context<Backend>&, const Problem&, direction)`;
///   - `bool prefers(context<Backend>&, const Problem&, direction)`: true where it is the fastest that there is; it may
///   be
///     asked before `supports`;
///   - `plan_type make_plan(context<Backend>&, const Problem&, direction)`;
///   - `void run(context<Backend>&, const plan_type&, const Problem&, direction, const arguments<T>&)`.
/// Workspace comes from the context's pool; `run` neither waits for the device nor lets an exception leave a parallel
/// region. `ready_op` is a base for operations that need no plan.
template <class Engine, class Problem, class Backend>
struct engine_op {
  static_assert(engine_detail::never<Engine>,
                "comodal: an engine of this back end lists this problem among those that it serves, but there is no "
                "specialisation engine_op<Engine, Problem, Backend>; include the engine's header");
};

/// The engine that is expected to carry `Problem` out for `Backend`: that it cannot is a fallback. `void`: any will do.
template <class Backend, class Problem>
struct expected_engine {
  using type = void;
};

/// A plan that holds its facts alone.
struct simple_plan {
  plan_facts facts;
};

/// The base of operations that any problem suits and that need no plan: where its engine comes first, it is not asked.
/// An engine that refuses some problems does not derive from it.
template <class Engine, class Problem, class Backend>
struct ready_op {
  static constexpr bool ready = true;
  using plan_type = simple_plan;
  [[nodiscard]] static support supports(context<Backend>&, const Problem&, direction) { return support::yes(); }
  [[nodiscard]] static bool prefers(context<Backend>&, const Problem&, direction) { return true; }
  [[nodiscard]] static simple_plan make_plan(context<Backend>&, const Problem&, direction) {
    simple_plan plan;
    plan.facts.engine = Engine::name;
    return plan;
  }
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

// How one direction of a problem is carried out.
template <class Backend, class Problem>
struct way {
  using arguments = typename Problem::template arguments<typename Backend::scalar_type>;
  using run_function = void (*)(context<Backend>&, const void*, const Problem&, direction, const arguments&);

  run_function run = nullptr;
  std::shared_ptr<const void> plan;
  const plan_facts* facts = nullptr;  // of the plan
  std::string region;                 // its name for profiling tools
};

template <class Engine, class Problem, class Backend>
[[nodiscard]] way<Backend, Problem> plan_by(context<Backend>& ctx, const Problem& p, direction d) {
  using op = engine_op<Engine, Problem, Backend>;
  using plan_type = typename op::plan_type;
  auto plan = std::make_shared<const plan_type>(op::make_plan(ctx, p, d));
  way<Backend, Problem> found;
  found.facts = &plan->facts;
  found.plan = std::move(plan);
  found.region = text("comodal::", Problem::name(d), '[', Engine::name, ']');
  found.run = [](context<Backend>& at, const void* opaque, const Problem& q, direction e,
                 const typename way<Backend, Problem>::arguments& a) {
    op::run(at, *static_cast<const plan_type*>(opaque), q, e, a);
  };
  return found;
}

template <class... Engines>
[[nodiscard]] std::string names_of(engine_list<Engines...>) {
  std::string all;
  ((all += text(all.empty() ? "" : " ", Engines::name)), ...);
  return all;
}

// Finds the engine of a problem among `Engines`.
template <class Backend, class Problem, class List>
class chooser;
template <class Backend, class Problem, class... Engines>
class chooser<Backend, Problem, engine_list<Engines...>> {
 public:
  chooser(context<Backend>& ctx, const Problem& p, direction d) : m_context(ctx), m_problem(p), m_direction(d) {}

  [[nodiscard]] way<Backend, Problem> choose() {
    const std::string& wanted = m_context.chosen_engine();
    if (!wanted.empty() && !((wanted == Engines::name) || ...))
      throw config_error(text("engine ", wanted, ": this back end has no such engine, expected one of ",
                              names_of(engine_list<Engines...>{})));
    std::size_t asked = 0;
    (describe<Engines>(m_candidates[asked++]), ...);
    candidate* best = nullptr;
    for (candidate& c : m_candidates)
      if (!best && wanted == c.name && supports(c)) best = &c;
    for (candidate& c : m_candidates)
      if (!best && c.serves() && c.prefers(m_context, m_problem, m_direction) && supports(c)) best = &c;
    for (candidate& c : m_candidates)
      if (!best && supports(c)) best = &c;
    if (!best) refuse();
    report(*best, wanted);
    way<Backend, Problem> found = best->plan(m_context, m_problem, m_direction);
    m_context.record_plan({Problem::name(m_direction), m_problem.to_string(), *found.facts});
    return found;
  }

 private:
  struct candidate {
    const char* name = "";
    bool expected = false, asked = false;
    support answer = support::no("serves no such problem");
    support (*supports)(context<Backend>&, const Problem&, direction) = nullptr;
    bool (*prefers)(context<Backend>&, const Problem&, direction) = nullptr;
    way<Backend, Problem> (*plan)(context<Backend>&, const Problem&, direction) = nullptr;
    [[nodiscard]] bool serves() const { return plan != nullptr; }
  };

  template <class Engine>
  static void describe(candidate& c) {
    c.name = Engine::name;
    c.expected = std::is_same_v<Engine, typename expected_engine<Backend, Problem>::type>;
    if constexpr (serves_problem<Engine, Problem>()) {
      using op = engine_op<Engine, Problem, Backend>;
      c.supports = [](context<Backend>& ctx, const Problem& p, direction d) { return op::supports(ctx, p, d); };
      c.prefers = [](context<Backend>& ctx, const Problem& p, direction d) { return op::prefers(ctx, p, d); };
      c.plan = &plan_by<Engine, Problem, Backend>;
    }
  }
  // Asked once, and only where the answer matters: a vendor's may cost as much as a plan.
  [[nodiscard]] bool supports(candidate& c) {
    if (c.serves() && !c.asked) c.answer = c.supports(m_context, m_problem, m_direction);
    c.asked = true;
    return c.answer.possible;
  }

  // A fallback: the engine that is asked for, or expected, serves such problems but not this one.
  void report(const candidate& taken, const std::string& wanted) {
    for (candidate& c : m_candidates)
      if (&c != &taken && c.serves() && (wanted == c.name || (wanted.empty() && c.expected)) && !supports(c))
        m_context.report_fallback(Problem::name(m_direction), taken.name,
                                  text(c.name, ": ", c.answer.why, " (", m_problem.to_string(), ')'));
    using expected = typename expected_engine<Backend, Problem>::type;
    if constexpr (!std::is_void_v<expected>)
      if (wanted.empty() && !(std::is_same_v<expected, Engines> || ...))
        m_context.report_fallback(Problem::name(m_direction), taken.name,
                                  text(expected::name, " is not among the engines of this back end"));
  }

  [[noreturn]] void refuse() const {
    std::string words;
    for (const candidate& c : m_candidates)
      if (c.serves()) words += text("; ", c.name, ": ", c.answer.why);
    throw config_error(
        text(Problem::name(m_direction), ": no engine of this back end carries out ", m_problem.to_string(), words));
  }
  context<Backend>& m_context;
  const Problem& m_problem;
  direction m_direction;
  std::array<candidate, sizeof...(Engines)> m_candidates{};
};

// The plans of one context, by problem and direction.
template <class Backend, class Problem>
class plan_cache {
 public:
  [[nodiscard]] const way<Backend, Problem>& find(context<Backend>& ctx, const Problem& p, direction d) {
    if (m_version != ctx.choice_version()) {
      m_ways.clear();
      m_version = ctx.choice_version();
    }
    const auto found = m_ways.find({p, d});
    if (found != m_ways.end()) return found->second;
    using chooser_type = chooser<Backend, Problem, typename Backend::engines_type>;
    return m_ways.emplace(std::pair{p, d}, chooser_type(ctx, p, d).choose()).first->second;
  }

 private:
  std::map<std::pair<Problem, direction>, way<Backend, Problem>> m_ways;
  std::uint64_t m_version = 0;
};

template <class Engine, class Problem, class Backend>
[[nodiscard]] constexpr bool is_ready() {
  if constexpr (serves_problem<Engine, Problem>())
    return requires { requires engine_op<Engine, Problem, Backend>::ready; };
  else
    return false;
}

// What `step_recording` keeps of an operation besides its plan.
template <class Backend, class Problem>
struct call_data {
  Problem problem;
  direction to;
  typename way<Backend, Problem>::arguments arguments;
  typename way<Backend, Problem>::run_function run;  // null where `Run` of `run_and_record` says it
};

// Runs an operation and keeps it. `Run::call(context, plan, data)` carries it out.
template <class Run, class Backend, class Problem>
void run_and_record(context<Backend>& ctx, const call_data<Backend, Problem>& data,
                    const std::shared_ptr<const void>& plan) {
  using data_type = call_data<Backend, Problem>;
  if constexpr (std::is_trivially_copyable_v<data_type> && alignof(data_type) <= alignof(std::max_align_t)) {
    const auto* const first = reinterpret_cast<const std::byte*>(&data);
    ctx.run_and_record({[](const detail::recorded_call& c) {
                          Run::call(*static_cast<context<Backend>*>(c.context), c.kept.get(),
                                    *reinterpret_cast<const data_type*>(c.bytes.data()));
                        },
                        &ctx, plan, std::vector<std::byte>(first, first + sizeof(data_type))});
  } else {
    ctx.run_and_record([&ctx, data, plan] { Run::call(ctx, plan.get(), data); });
  }
}

struct run_planned {
  template <class Backend, class Problem>
  static void call(context<Backend>& ctx, const void* plan, const call_data<Backend, Problem>& data) {
    data.run(ctx, plan, data.problem, data.to, data.arguments);
  }
};
template <class Engine>
struct run_ready {
  template <class Backend, class Problem>
  static void call(context<Backend>& ctx, const void*, const call_data<Backend, Problem>& data) {
    static const simple_plan plan;
    engine_op<Engine, Problem, Backend>::run(ctx, plan, data.problem, data.to, data.arguments);
  }
};

// The first engine of a list that serves a problem: `type`, or void.
template <class Problem, class List>
struct first_serving {
  using type = void;
};
template <class Problem, class Engine, class... Rest>
struct first_serving<Problem, engine_list<Engine, Rest...>> {
  using type = typename std::conditional_t<serves_problem<Engine, Problem>(), std::type_identity<Engine>,
                                           first_serving<Problem, engine_list<Rest...>>>::type;
};

}  // namespace engine_detail

/// The facts of the plan of a problem in one direction; made on the first call, kept by the context until its choice of
/// engines changes. @throws shape_error for a problem that makes no sense; config_error where no engine supports it
template <tensor_backend Backend, operation_problem Problem>
[[nodiscard]] const plan_facts& engine_facts(context<Backend>& ctx, const Problem& p, direction d) {
  p.check();  // before the cache compares it: NaN has no order
  return *ctx.template kept<engine_detail::plan_cache<Backend, Problem>>().find(ctx, p, d).facts;
}

/// Carries a problem out in one direction, by the engine that the rules at the head of this file choose.
/// @throws as `engine_facts`; error under `fallback_policy::error`
template <tensor_backend Backend, operation_problem Problem>
void dispatch(context<Backend>& ctx, const Problem& p, direction d,
              const typename Problem::template arguments<typename Backend::scalar_type>& arguments) {
  p.check();
  using first = typename engine_detail::first_serving<Problem, typename Backend::engines_type>::type;
  static_assert(!std::is_void_v<first>, "comodal: no engine of this back end serves this problem");
  if constexpr (engine_detail::is_ready<first, Problem, Backend>()) {
    if (ctx.chosen_engine().empty()) {
      static const simple_plan plan;
      ctx.count(Problem::name(d), first::name);
      if (ctx.recording()) [[unlikely]]
        return engine_detail::run_and_record<engine_detail::run_ready<first>, Backend, Problem>(
            ctx, {p, d, arguments, nullptr}, nullptr);
      return engine_op<first, Problem, Backend>::run(ctx, plan, p, d, arguments);
    }
  }
  const auto& way = ctx.template kept<engine_detail::plan_cache<Backend, Problem>>().find(ctx, p, d);
  const profiling_region region(way.region);
  ctx.count(Problem::name(d), way.facts->engine);
  if (ctx.recording()) [[unlikely]]
    engine_detail::run_and_record<engine_detail::run_planned, Backend, Problem>(ctx, {p, d, arguments, way.run},
                                                                                way.plan);
  else
    way.run(ctx, way.plan.get(), p, d, arguments);
}

/// What the choice of engines depends on besides the problem: the order of engines, the one that is asked first, and
/// the processor. Where two are equal, the same engines are chosen.
template <tensor_backend Backend>
[[nodiscard]] std::string engine_configuration(const context<Backend>& ctx) {
  std::string words = text("engines ", engine_detail::names_of(typename Backend::engines_type{}));
  if (!ctx.chosen_engine().empty()) words += text(", first ", ctx.chosen_engine());
  if (is_host_v<typename Backend::space_type>) words += text(", processor ", ctx.host_processor().to_string());
  return words;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
