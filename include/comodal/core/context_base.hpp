// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a context is whatever its back end: the choice of engines, plans, counters, policies, and recording.
#ifndef COMODAL_CORE_CONTEXT_BASE_HPP
#define COMODAL_CORE_CONTEXT_BASE_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/plan.hpp>
#include <comodal/core/processor.hpp>
#include <comodal/core/profile.hpp>
#include <comodal/core/shape.hpp>

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
/// reason on stderr, or an exception.
enum class fallback_policy { allow, warn, error };

/// What a recording keeps: an operation, or a change of state on the host alone.
struct recorded_call {
  std::function<void()> run;
  bool on_host = false;
};

namespace detail {

// What the contexts of one environment share, whatever their scalars.
struct context_state_base {
  context_state_base() = default;
  context_state_base(const context_state_base&) = delete;
  context_state_base& operator=(const context_state_base&) = delete;
  ~context_state_base() { drop_kept(); }
  // Plans first, since they may use handles; then what was made last.
  void drop_kept() {
    plans.reset();
    kept.clear();
    while (!owners.empty()) owners.pop_back();
  }

  std::map<std::type_index, void*> kept;
  std::vector<std::shared_ptr<void>> owners;  // of what is kept, in the order in which it was made
  std::shared_ptr<void> plans;
  std::map<std::pair<std::string_view, std::string_view>, index> runs;
  std::set<std::string> warned;
  std::function<void(const std::string&)> warn;
  fallback_policy fallback = fallback_policy::warn;
  profile* recorder = nullptr;
  std::string engine;  // the one that is asked first
  bool tf32 = false;
  processor host = processor::this_machine();
  std::uint64_t choices = 0;  // how often one of the three changed
  std::vector<planned_operation> planned;
  std::vector<recorded_call>* recording = nullptr;
};

}  // namespace detail

/// The base of `context`: what needs neither its execution space nor its scalar.
class context_base {
 public:
  context_base(const context_base&) = delete;
  context_base& operator=(const context_base&) = delete;

  /// The one `Kept` of this environment: what engines and other layers hold from call to call (handles, tables).
  /// `make()` makes it on the first call. What is made first is dropped last.
  template <class Kept, class Make>
  [[nodiscard]] Kept& kept(const Make& make) {
    const auto found = m_base->kept.find(std::type_index(typeid(Kept)));
    if (found != m_base->kept.end()) return *static_cast<Kept*>(found->second);
    std::shared_ptr<Kept> made = make();  // which may keep more
    m_base->owners.push_back(made);
    m_base->kept[std::type_index(typeid(Kept))] = made.get();
    return *made;
  }
  template <class Kept>
  [[nodiscard]] Kept& kept() {
    return kept<Kept>([] { return std::make_shared<Kept>(); });
  }

  /// The dispatcher's plans, made on first use, and dropped before anything that is kept: they may use it.
  template <class Plans>
  [[nodiscard]] Plans& plans() {
    if (!m_base->plans) m_base->plans = std::make_shared<Plans>();
    return *static_cast<Plans*>(m_base->plans.get());
  }

  /// Counts that `operation` ran on `engine`; the names are string literals.
  void count(std::string_view operation, std::string_view engine) {
    ++m_base->runs[{operation, engine}];
    if (recorder) recorder->engine(engine);
  }
  /// How often `operation` ran on `engine` in this context, for example `runs("conv3d.forward", "onednn")`.
  [[nodiscard]] index runs(std::string_view operation, std::string_view engine) const {
    const auto found = m_base->runs.find({operation, engine});
    return found == m_base->runs.end() ? 0 : found->second;
  }
  /// Every (operation, engine) that ran, with its count.
  [[nodiscard]] const std::map<std::pair<std::string_view, std::string_view>, index>& runs() const {
    return m_base->runs;
  }

  /// Asks `engine` first wherever it serves an operation; empty: the order of the back end and the engines' preferences
  /// decide. Plans are made anew. An engine that the back end lacks is refused by the next operation (config_error).
  void choose_engine(std::string engine) {
    if (engine == m_base->engine) return;
    m_base->engine = std::move(engine);
    ++m_base->choices;
  }
  [[nodiscard]] const std::string& chosen_engine() const { return m_base->engine; }
  /// Whether devices that can may multiply fp32 numbers as TF32 (10 bits of mantissa), with fp32 sums; false unless
  /// set. Others compute as before. Plans are made anew.
  void allow_tf32(bool allowed) {
    if (allowed == m_base->tf32) return;
    m_base->tf32 = allowed;
    ++m_base->choices;
  }
  [[nodiscard]] bool tf32() const { return m_base->tf32; }
  /// Chooses engines as on another processor, for tests of choices: what is so planned may not run here.
  void assume_processor(const processor& other) {
    m_base->host = other;
    ++m_base->choices;
  }
  [[nodiscard]] const processor& host_processor() const { return m_base->host; }
  /// Changes whenever plans must be made anew.
  [[nodiscard]] std::uint64_t choice_version() const { return m_base->choices; }

  /// Every operation that was planned in this context, in that order.
  [[nodiscard]] const std::vector<planned_operation>& planned() const { return m_base->planned; }
  void record_plan(planned_operation plan) { m_base->planned.push_back(std::move(plan)); }

  /// Whether operations are being recorded (`step_recording`).
  [[nodiscard]] bool recording() const { return m_base->recording != nullptr; }
  /// Keeps operations in `calls` from now on; null: no longer.
  void record_into(std::vector<recorded_call>* calls) { m_base->recording = calls; }
  /// Runs `call()`, an operation; while recording, keeps it too, but nothing that it records itself.
  void run_and_record(std::function<void()> call) { run_and_keep({std::move(call), false}); }
  /// The same for a change of state on the host that no operation depends on: a graph of the device has no place for
  /// it.
  void change_and_record(std::function<void()> change) { run_and_keep({std::move(change), true}); }

  /// What an operation does whose expected engine cannot carry it out; `fallback_policy::warn` unless it is set.
  fallback_policy& fallback;
  /// Where operations report their time and memory while it is set; it belongs to the caller.
  profile*& recorder;

  /// The dispatcher says that `operation` runs on `engine` though another was expected, and why; the policy decides.
  /// Of one reason the first `problem` is said, not each.
  /// @throws error under `fallback_policy::error`
  void report_fallback(std::string_view operation, std::string_view engine, const std::string& why,
                       const std::string& problem) {
    if (fallback == fallback_policy::allow) return;
    const std::string reason = text("comodal: ", operation, " runs on the ", engine, " engine: ", why);
    const std::string line = text(reason, " (", problem, ')');
    if (fallback == fallback_policy::error) throw error(line + " (fallback_policy::error)");
    if (!m_base->warned.insert(reason).second) return;
    if (m_base->warn)
      m_base->warn(line);
    else
      std::fprintf(stderr, "%s\n", line.c_str());
  }
  /// Who hears of fallbacks, each once; without one they are a line on stderr.
  void warn_by(std::function<void(const std::string& line)> warn) { m_base->warn = std::move(warn); }

 protected:
  explicit context_base(detail::context_state_base& state)
      : fallback(state.fallback), recorder(state.recorder), m_base(&state) {}
  ~context_base() = default;

 private:
  void run_and_keep(recorded_call call) {
    auto* const calls = m_base->recording;
    if (!calls) return call.run();
    calls->push_back(std::move(call));
    m_base->recording = nullptr;
    try {
      calls->back().run();
    } catch (...) {
      m_base->recording = calls;
      throw;
    }
    m_base->recording = calls;
  }

  detail::context_state_base* m_base;  // `context` owns it
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
