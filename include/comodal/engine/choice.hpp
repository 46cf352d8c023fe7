// SPDX-License-Identifier: Apache-2.0
/// @file
/// How the dispatcher chooses, plans and runs, whatever the type of a problem: compiled once, not once per problem.
#ifndef COMODAL_ENGINE_CHOICE_HPP
#define COMODAL_ENGINE_CHOICE_HPP

#include <comodal/core/context_base.hpp>
#include <comodal/core/profile.hpp>
#include <comodal/engine/problem/problem.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A plan that holds its facts alone.
struct simple_plan {
  plan_facts facts;
};

namespace engine_detail {

// How a value is copied whose type is forgotten.
struct value_kind {
  std::size_t bytes = 0;
  std::shared_ptr<const void> (*copy)(const void*) = nullptr;  // null: the bytes are the value

  [[nodiscard]] std::shared_ptr<const void> keep(const void* value) const {
    if (copy) return copy(value);
    const std::shared_ptr<std::byte[]> kept(new std::byte[bytes]);
    std::memcpy(kept.get(), value, bytes);
    return kept;
  }
};
template <class T>
[[nodiscard]] constexpr value_kind value_kind_of() {
  if constexpr (std::is_trivially_copyable_v<T> && alignof(T) <= alignof(std::max_align_t))
    return {sizeof(T), nullptr};
  else
    return {sizeof(T), [](const void* value) -> std::shared_ptr<const void> {
              return std::make_shared<const T>(*static_cast<const T*>(value));
            }};
}

// A plan of an engine, and its facts.
struct made_plan {
  std::shared_ptr<const void> plan;
  const plan_facts* facts = nullptr;
};

// Whether an engine carries a problem out. An engine that had to plan to know hands its plan over.
struct answer {
  support can;
  made_plan plan = {};
};

using run_function = void (*)(context_base&, const void* plan, const void* problem, direction, const void* arguments);

// What an engine of a back end says of one type of problems.
struct candidate {
  const char* name = "";
  bool serves = false, ready = false;  // ready: it carries all of them out, at once; it is asked nothing
  bool expected = false;
  run_function run = nullptr;
  answer (*ask)(context_base&, const void*, direction) = nullptr;
  bool (*prefers)(context_base&, const void*, direction) = nullptr;
  made_plan (*make_plan)(context_base&, const void*, direction) = nullptr;  // null where `ask` hands a plan over
};

// One type of problems of one back end.
struct operation_kind {
  std::array<const char*, 3> names;    // by direction
  const char* scalar = "";             // what tensors hold: "float"
  std::span<const candidate> engines;  // of the back end, in their order
  const candidate* at_once = nullptr;  // the first that serves it, where that is ready and no other is expected
  const char* missing = nullptr;       // the expected engine, where the back end lacks it
  bool (*less)(const void*, const void*) = nullptr;
  std::string (*to_string)(const void*) = nullptr;
  index (*multiply_adds)(const void*) = nullptr;  // null: problems of this type have none to speak of
  value_kind problem, arguments;

  [[nodiscard]] const char* name(direction d) const { return names[static_cast<std::size_t>(d)]; }
};

// `f()`; a device_error is completed with the operation and the problem.
template <class F>
auto naming(const operation_kind& kind, const void* problem, direction d, const F& f) {
  try {
    return f();
  } catch (const out_of_memory_error&) {
    throw;  // says all, and has sizes
  } catch (const device_error& failure) {
    throw device_error(text(kind.name(d), " of ", kind.to_string(problem), ": ", failure.what()));
  }
}

// How one direction of a problem is carried out.
struct way {
  run_function run = nullptr;
  made_plan plan;
  std::string region;                   // its name for profiling tools
  std::shared_ptr<const void> problem;  // the key of the cache points to it
};

// Finds the engine of a problem.
class chooser {
 public:
  chooser(context_base& ctx, const operation_kind& kind, const void* problem, direction d)
      : m_context(ctx), m_kind(kind), m_problem(problem), m_direction(d), m_answers(kind.engines.size()) {}

  [[nodiscard]] way choose();

 private:
  // Asked once, and only where the answer matters: a vendor's may cost as much as a plan.
  [[nodiscard]] answer& answer_of(const candidate& c) {
    auto& known = m_answers[static_cast<std::size_t>(&c - m_kind.engines.data())];
    if (!known) known = c.ready ? answer{support::yes()} : c.ask(m_context, m_problem, m_direction);
    return *known;
  }
  [[nodiscard]] bool supports(const candidate& c) { return c.serves && answer_of(c).can.possible; }
  [[nodiscard]] bool prefers(const candidate& c) const {
    return c.serves && (c.ready || c.prefers(m_context, m_problem, m_direction));
  }

  // A fallback: the engine that is asked for, or expected, serves such problems but not this one.
  void report(const candidate& taken, const std::string& wanted);
  [[noreturn]] void refuse();

  [[nodiscard]] way plan_by(const candidate& c);
  [[nodiscard]] static made_plan ready_plan(const char* engine) {
    const auto plan = std::make_shared<simple_plan>();
    plan->facts.engine = engine;
    plan->facts.deterministic = plan->facts.thread_invariant = true;
    return {plan, &plan->facts};
  }

  [[nodiscard]] std::string words() const { return m_kind.to_string(m_problem); }
  [[nodiscard]] std::string names() const {
    std::string all;
    for (const candidate& c : m_kind.engines) all += text(all.empty() ? "" : " ", c.name);
    return all;
  }

  context_base& m_context;
  const operation_kind& m_kind;
  const void* m_problem;
  direction m_direction;
  std::vector<std::optional<answer>> m_answers;
};

#if COMODAL_BODIES
COMODAL_ONCE way chooser::choose() {
  const std::string& wanted = m_context.chosen_engine();
  const auto engines = m_kind.engines;
  if (!wanted.empty() && std::none_of(engines.begin(), engines.end(), [&](auto& e) { return wanted == e.name; }))
    throw config_error(text("engine ", wanted, ": this back end has no such engine, expected one of ", names()));
  const candidate* best = nullptr;
  for (const candidate& c : engines)
    if (!best && wanted == c.name && supports(c)) best = &c;
  for (const candidate& c : engines)
    if (!best && prefers(c) && supports(c)) best = &c;
  for (const candidate& c : engines)
    if (!best && supports(c)) best = &c;
  if (!best) refuse();
  report(*best, wanted);
  return plan_by(*best);
}

COMODAL_ONCE void chooser::report(const candidate& taken, const std::string& wanted) {
  const char* const name = m_kind.name(m_direction);
  for (const candidate& c : m_kind.engines)
    if (&c != &taken && c.serves && (wanted == c.name || (wanted.empty() && c.expected)) && !supports(c))
      m_context.report_fallback(name, taken.name, text(c.name, ": ", answer_of(c).can.why), words());
  if (wanted.empty() && m_kind.missing)
    m_context.report_fallback(name, taken.name, text(m_kind.missing, " is not among the engines of this back end"),
                              words());
}

COMODAL_ONCE void chooser::refuse() {
  std::string why;
  for (const candidate& c : m_kind.engines)
    if (c.serves) why += text("; ", c.name, ": ", answer_of(c).can.why);
  throw config_error(text(m_kind.name(m_direction), ": no engine of this back end carries out ", words(), why));
}

COMODAL_ONCE way chooser::plan_by(const candidate& c) {
  way found;
  found.run = c.run;
  found.plan = std::move(answer_of(c).plan);
  if (c.ready)
    found.plan = ready_plan(c.name);
  else if (!found.plan.facts)
    found.plan = c.make_plan(m_context, m_problem, m_direction);
  found.region = text("comodal::", m_kind.name(m_direction), '[', c.name, ']');
  m_context.record_plan({m_kind.name(m_direction), m_kind.scalar, words(), *found.plan.facts});
  return found;
}
#endif

// The plans of one environment, by problem and direction.
class plan_cache {
 public:
  [[nodiscard]] const way& find(context_base& ctx, const operation_kind& kind, const void* problem, direction d);

 private:
  struct key {
    const operation_kind* kind;
    direction to;
    const void* problem;

    friend bool operator<(const key& a, const key& b) {
      if (a.kind != b.kind) return std::less<>{}(a.kind, b.kind);
      if (a.to != b.to) return a.to < b.to;
      return a.kind->less(a.problem, b.problem);
    }
  };

  std::map<key, way> m_ways;
  std::uint64_t m_version = 0;
};

#if COMODAL_BODIES
COMODAL_ONCE const way& plan_cache::find(context_base& ctx, const operation_kind& kind, const void* problem,
                                         direction d) {
  if (m_version != ctx.choice_version()) {
    m_ways.clear();
    m_version = ctx.choice_version();
  }
  const auto found = m_ways.find({&kind, d, problem});
  if (found != m_ways.end()) return found->second;
  way made = naming(kind, problem, d, [&] { return chooser(ctx, kind, problem, d).choose(); });
  made.problem = kind.problem.keep(problem);
  const key at{&kind, d, made.problem.get()};
  return m_ways.emplace(at, std::move(made)).first->second;
}
#endif

// Runs an operation; while recording, keeps it too.
inline void run(context_base& ctx, const operation_kind& kind, run_function by, const std::shared_ptr<const void>& plan,
                const void* problem, direction d, const void* arguments) {
  if (!ctx.recording()) [[likely]]
    return naming(kind, problem, d, [&] { by(ctx, plan.get(), problem, d, arguments); });
  ctx.run_and_record([&ctx, &kind, by, plan, d, p = kind.problem.keep(problem), a = kind.arguments.keep(arguments)] {
    naming(kind, p.get(), d, [&] { by(ctx, plan.get(), p.get(), d, a.get()); });
  });
}

// Carries a checked problem out. @throws device_error that names the operation and the problem
void carry_out(context_base& ctx, const operation_kind& kind, const void* problem, direction d, const void* arguments);
#if COMODAL_BODIES
COMODAL_ONCE void carry_out(context_base& ctx, const operation_kind& kind, const void* problem, direction d,
                            const void* arguments) {
  if (ctx.recorder && kind.multiply_adds) ctx.recorder->multiply_adds(kind.multiply_adds(problem));
  if (kind.at_once && ctx.chosen_engine().empty()) {
    static const std::shared_ptr<const void> no_plan = std::make_shared<const simple_plan>();
    ctx.count(kind.name(d), kind.at_once->name);
    return run(ctx, kind, kind.at_once->run, no_plan, problem, d, arguments);
  }
  const way& by = ctx.plans<plan_cache>().find(ctx, kind, problem, d);
  const profiling_region region(by.region);
  ctx.count(kind.name(d), by.plan.facts->engine);
  run(ctx, kind, by.run, by.plan.plan, problem, d, arguments);
}
#endif

}  // namespace engine_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
