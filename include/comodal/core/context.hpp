// SPDX-License-Identifier: Apache-2.0
/// @file
/// What operations run in: the execution-space instance, the memory pool, plan caches, counters and policies. Owned by
/// the user; there are no mutable globals.
#ifndef COMODAL_CORE_CONTEXT_HPP
#define COMODAL_CORE_CONTEXT_HPP

#include <comodal/core/backend.hpp>
#include <comodal/core/memory.hpp>
#include <comodal/core/plan.hpp>
#include <comodal/core/processor.hpp>
#include <comodal/core/profile.hpp>
#include <comodal/core/tensor.hpp>

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <typeindex>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What happens when the engine that is expected, or asked for, cannot carry an operation out: nothing, one line per
/// case on stderr, or an exception.
enum class fallback_policy { allow, warn, error };

namespace detail {

// An operation that can run again: its problem and arguments as bytes, and what runs them.
struct recorded_call {
  void (*run)(const recorded_call&) = nullptr;
  void* context = nullptr;
  std::shared_ptr<const void> kept = nullptr;  // a plan, or all of a call that bytes cannot hold
  std::vector<std::byte> bytes = {};
};

// Sets a pointer to null, and back at the end of the scope.
template <class T>
class restored {
 public:
  explicit restored(T*& pointer) : m_pointer(&pointer), m_before(std::exchange(pointer, nullptr)) {}
  ~restored() { *m_pointer = m_before; }
  restored(const restored&) = delete;
  restored& operator=(const restored&) = delete;

 private:
  T** m_pointer;
  T* m_before;
};

// What contexts of several scalars share.
template <execution_space Space>
struct context_state {
  explicit context_state(Space s) : space(std::move(s)) {}
  Space space;
  std::shared_ptr<memory_pool<Space>> pool = std::make_shared<memory_pool<Space>>();
  std::map<std::type_index, std::shared_ptr<void>> kept;
  std::map<std::pair<std::string_view, std::string_view>, index> runs;
  std::set<std::string> warned;
  std::function<void(const std::string&)> warn;
  fallback_policy fallback = fallback_policy::warn;
  profile* recorder = nullptr;
  std::string engine;  // the one that is asked first
  processor host = processor::this_machine();
  std::uint64_t choices = 0;  // how often one of the two changed
  std::vector<planned_operation> planned;
  std::vector<recorded_call>* recording = nullptr;
};

}  // namespace detail

/// The environment of operations of one back end. Not thread-safe: one context per thread. It must not outlive
/// `runtime`.
template <tensor_backend Backend = default_backend>
class context {
  using state = detail::context_state<typename Backend::space_type>;
  std::shared_ptr<state> m_state;

 public:
  using space_type = typename Backend::space_type;
  using scalar_type = typename Backend::scalar_type;
  using compute_type = compute_type_t<scalar_type>;
  using tensor_type = tensor<scalar_type, space_type>;

  explicit context(space_type space = space_type{}) : context(std::make_shared<state>(std::move(space))) {}
  /// The environment of `other` for another scalar: its stream, memory, counters, policies and recorder, now and later.
  template <tensor_backend Other>
    requires(!std::same_as<Other, Backend> && std::same_as<typename Other::space_type, typename Backend::space_type>)
  explicit context(const context<Other>& other) : context(other.m_state) {}
  context(const context&) = delete;
  context& operator=(const context&) = delete;

  [[nodiscard]] const space_type& space() const { return m_state->space; }
  [[nodiscard]] memory_pool<space_type>& pool() { return *m_state->pool; }
  void fence() const {
    ++detail::synchronisations;
    m_state->space.fence();
  }

  /// An uninitialised tensor from this context's pool.
  [[nodiscard]] tensor_type make(const shape& extents) { return tensor_type(*m_state->pool, extents); }
  /// The same for another scalar, for example indices or double sums.
  template <class Scalar>
  [[nodiscard]] tensor<Scalar, space_type> make_of(const shape& extents) {
    return tensor<Scalar, space_type>(*m_state->pool, extents);
  }
  /// A tensor with values from the host. @throws shape_error unless there is one value per element
  [[nodiscard]] tensor_type make(const shape& extents, const std::vector<scalar_type>& values) {
    tensor_type result = make(extents);
    copy_from_host(m_state->space, values, result);
    return result;
  }

  /// Whatever an engine keeps from call to call (plans, handles), made on first use.
  template <class Kept>
  [[nodiscard]] Kept& kept() {
    auto& slot = m_state->kept[std::type_index(typeid(Kept))];
    if (!slot) slot = std::make_shared<Kept>();
    return *static_cast<Kept*>(slot.get());
  }

  /// Counts that `operation` ran on `engine`; the names are string literals.
  void count(std::string_view operation, std::string_view engine) {
    ++m_state->runs[{operation, engine}];
    if (recorder) recorder->engine(engine);
  }
  /// How often `operation` ran on `engine` in this context, for example `runs("conv3d.forward", "onednn")`.
  [[nodiscard]] index runs(std::string_view operation, std::string_view engine) const {
    const auto found = m_state->runs.find({operation, engine});
    return found == m_state->runs.end() ? 0 : found->second;
  }
  /// Every (operation, engine) that ran, with its count.
  [[nodiscard]] const std::map<std::pair<std::string_view, std::string_view>, index>& runs() const {
    return m_state->runs;
  }

  /// Asks `engine` first wherever it serves an operation; empty: the order of the back end and the engines' preferences
  /// decide. Plans are made anew. An engine that the back end lacks is refused by the next operation (config_error).
  void choose_engine(std::string engine) {
    if (engine == m_state->engine) return;
    m_state->engine = std::move(engine);
    ++m_state->choices;
  }
  [[nodiscard]] const std::string& chosen_engine() const { return m_state->engine; }
  /// Chooses engines as on another processor, for tests of choices: what is so planned may not run here.
  void assume_processor(const processor& other) {
    m_state->host = other;
    ++m_state->choices;
  }
  [[nodiscard]] const processor& host_processor() const { return m_state->host; }
  /// Changes whenever plans must be made anew.
  [[nodiscard]] std::uint64_t choice_version() const { return m_state->choices; }

  /// Every operation that was planned in this context, in that order.
  [[nodiscard]] const std::vector<planned_operation>& planned() const { return m_state->planned; }
  void record_plan(planned_operation plan) { m_state->planned.push_back(std::move(plan)); }

  /// Whether operations are being recorded (`step_recording`).
  [[nodiscard]] bool recording() const { return m_state->recording != nullptr; }
  /// Keeps operations in `calls` from now on; null: no longer.
  void record_into(std::vector<detail::recorded_call>* calls) { m_state->recording = calls; }
  /// Runs a call and keeps it, but nothing that it records itself.
  void run_and_record(detail::recorded_call call) {
    auto* const calls = m_state->recording;
    calls->push_back(std::move(call));
    const detail::restored pause(m_state->recording);
    calls->back().run(calls->back());
  }
  /// Runs `call()`, a change of state on the host; while recording, keeps it too.
  void run_and_record(std::function<void()> call) {
    if (!recording()) return call();
    run_and_record(
        {[](const detail::recorded_call& c) { (*static_cast<const std::function<void()>*>(c.kept.get()))(); }, nullptr,
         std::make_shared<const std::function<void()>>(std::move(call))});
  }

  /// What an operation does whose expected engine cannot carry it out; `fallback_policy::warn` unless it is set.
  fallback_policy& fallback;
  /// Where operations report their time and memory while it is set; it belongs to the caller.
  profile*& recorder;

  /// The dispatcher says that `operation` runs on `engine` though another was expected, and why; the policy decides.
  /// @throws error under `fallback_policy::error`
  void report_fallback(std::string_view operation, std::string_view engine, const std::string& why) {
    if (fallback == fallback_policy::allow) return;
    const std::string line = text("comodal: ", operation, " runs on the ", engine, " engine: ", why);
    if (fallback == fallback_policy::error) throw error(line + " (fallback_policy::error)");
    if (!m_state->warned.insert(line).second) return;
    if (m_state->warn)
      m_state->warn(line);
    else
      std::fprintf(stderr, "%s\n", line.c_str());
  }
  /// Who hears of fallbacks, each once; without one they are a line on stderr.
  void warn_by(std::function<void(const std::string& line)> warn) { m_state->warn = std::move(warn); }

 private:
  template <tensor_backend>
  friend class context;
  explicit context(std::shared_ptr<state> shared)
      : m_state(std::move(shared)), fallback(m_state->fallback), recorder(m_state->recorder) {}
};

/// The tensors of a back end.
template <tensor_backend Backend>
using tensor_of = typename context<Backend>::tensor_type;

/// The stretch of one operation, for the context's recorder. Without a recorder it costs a comparison.
template <tensor_backend Backend>
class operation_scope {
 public:
  /// @param operation a string literal
  operation_scope(context<Backend>& ctx, const char* operation, bool backward = false)
      : m_context(&ctx), m_recorder(ctx.recorder) {
    if (m_recorder) m_recorder->begin(operation, backward, ctx.pool().statistics().in_use);
  }
  // An error of the device that shows here shows again in the next call that may throw.
  ~operation_scope() {
    if (!m_recorder) return;
    try {
      m_context->fence();
    } catch (...) {
    }
    m_recorder->end(m_context->pool().statistics().in_use);
  }
  operation_scope(const operation_scope&) = delete;
  operation_scope& operator=(const operation_scope&) = delete;

 private:
  context<Backend>* m_context;
  profile* m_recorder;
};

/// Names the part of a network that runs, for the context's recorder: `layer_scope(ctx, "stream", 0, "stage", 1)` is
/// "stream 0 stage 1", below the layer that is open.
template <tensor_backend Backend>
class layer_scope {
 public:
  template <class... Parts>
  explicit layer_scope(context<Backend>& ctx, const Parts&... parts) : m_recorder(ctx.recorder) {
    if (!m_recorder) return;
    m_before = m_recorder->layer;
    ((m_recorder->layer += m_recorder->layer.empty() ? text(parts) : text(' ', parts)), ...);
  }
  ~layer_scope() {
    if (m_recorder) m_recorder->layer = std::move(m_before);
  }
  layer_scope(const layer_scope&) = delete;
  layer_scope& operator=(const layer_scope&) = delete;

 private:
  profile* m_recorder;
  std::string m_before;
};

/// Names a stretch of work for Kokkos' profiling tools, for example `comodal::conv3d[onednn]`.
class profiling_region {
 public:
  explicit profiling_region(const std::string& name) { Kokkos::Profiling::pushRegion(name); }
  ~profiling_region() { Kokkos::Profiling::popRegion(); }
  profiling_region(const profiling_region&) = delete;
  profiling_region& operator=(const profiling_region&) = delete;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
