// SPDX-License-Identifier: Apache-2.0
/// @file
/// Values that remember how they were made: `variable` is a handle on a tensor and its gradient, `tape` the record of
/// the operations since the last backward pass.
#ifndef COMODAL_AUTOGRAD_VARIABLE_HPP
#define COMODAL_AUTOGRAD_VARIABLE_HPP

#include <comodal/autograd/gradient_sink.hpp>
#include <comodal/core/compiled.hpp>

#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

template <tensor_backend Backend>
class chosen_leaves;

}  // namespace detail

/// A tensor in a computation. Copies share the value and the gradient. Made by a tape, a parameter store or an
/// operation.
template <tensor_backend Backend>
class variable {
 public:
  using tensor_type = typename context<Backend>::tensor_type;

  variable() = default;

  // Members throw `error` where the variable is empty, but for the two that ask whether it is.
  [[nodiscard]] const tensor_type& value() const { return *filled().m_value; }
  [[nodiscard]] const comodal::shape& shape() const { return value().shape(); }
  [[nodiscard]] index extent(int axis) const { return shape()[axis]; }
  /// The gradient of the last backward pass; empty where none arrived.
  [[nodiscard]] const tensor_type& grad() const { return filled().m_slot->grad; }
  [[nodiscard]] bool requires_grad() const { return filled().m_slot->requires_grad; }
  /// The tape on which operations of this variable are recorded.
  [[nodiscard]] tape<Backend>& home() const { return *filled().m_home; }
  [[nodiscard]] context<Backend>& ctx() const { return *filled().m_slot->ctx; }
  /// False for an empty variable, which no tape made.
  explicit operator bool() const { return static_cast<bool>(m_value); }
  /// True if no other variable, tensor or recorded operation holds the value.
  [[nodiscard]] bool unique() const { return m_value.use_count() == 1 && m_value->unique(); }

  /// Drops the gradient.
  void zero_grad() const {
    auto& s = *filled().m_slot;
    if (s.grad && s.place && s.place->sealed()) ops::fill(*s.ctx, s.grad, typename Backend::scalar_type(0));
    s.grad = tensor_type{};
  }
  /// Replaces the value of a leaf. A parameter of a sealed store keeps its place: there the values are copied, and
  /// tensors that `value()` gave earlier show them. @throws shape_error unless the shape stays
  void assign(tensor_type value) const {
    if (!(value.shape() == shape()))
      throw shape_error(text("assign: ", value.shape().to_string(), " to a variable ", shape().to_string()));
    const auto& place = m_slot->place;
    if (place) ++*place->arena->version;
    if (!place || !place->sealed())
      *m_value = std::move(value);
    else if (value.data() != m_value->data())
      ops::copy_to(*m_slot->ctx, value, *m_value);
  }
  /// What a backward function keeps of this variable.
  [[nodiscard]] gradient_sink<Backend> sink() const { return gradient_sink<Backend>(filled().m_slot); }

 private:
  friend class tape<Backend>;
  friend class parameter_store<Backend>;
  friend class detail::chosen_leaves<Backend>;
  using slot = typename gradient_sink<Backend>::slot;

  const variable& filled() const {
    if (!m_value) throw error("variable: is empty; a tape, a parameter store or an operation makes one with a value");
    return *this;
  }

  std::shared_ptr<tensor_type> m_value;
  std::shared_ptr<slot> m_slot;
  tape<Backend>* m_home = nullptr;
};

/// Records operations while gradients are on, and walks back through them. One tape serves a whole program: a backward
/// pass leaves it empty. It must outlive its variables, and its context must outlive it. Not thread-safe.
template <tensor_backend Backend>
class tape {
 public:
  using variable_type = variable<Backend>;
  using tensor_type = typename variable_type::tensor_type;

  explicit tape(context<Backend>& ctx) : m_context(&ctx), m_record(std::make_shared<detail::tape_record>()) {}
  /// A tape for another scalar with the record of `other`: one graph holds both, joined by `cast`; a backward pass, a
  /// scope without gradients or `clear` of either is that of both.
  template <tensor_backend Other>
  tape(context<Backend>& ctx, const tape<Other>& other) : m_context(&ctx), m_record(other.m_record) {}
  tape(const tape&) = delete;
  tape& operator=(const tape&) = delete;

  [[nodiscard]] context<Backend>& ctx() const { return *m_context; }

  /// A value that needs no gradient: images, targets, masks.
  [[nodiscard]] variable_type constant(tensor_type value) { return make(std::move(value), false); }
  [[nodiscard]] variable_type constant(const shape& extents, const std::vector<typename Backend::scalar_type>& values) {
    return constant(m_context->make(extents, values));
  }
  /// A value whose gradient is wanted: parameters, inputs under a gradient check.
  [[nodiscard]] variable_type leaf(tensor_type value) {
    variable_type made = make(std::move(value), true);
    m_record->remember(std::shared_ptr<bool>(made.m_slot, &made.m_slot->requires_grad));
    return made;
  }

  /// The result of an operation. `backward(gradient)` is kept while gradients are on and an input needs one; it hands
  /// the inputs their gradients through their sinks.
  template <class Backward>
  [[nodiscard]] variable_type result(tensor_type value, std::initializer_list<const variable_type*> inputs,
                                     Backward&& backward) {
    inputs_seen seen(*m_record);
    for (const variable_type* input : inputs) seen.note(*input);
    return result(std::move(value), std::move(seen), std::forward<Backward>(backward));
  }
  template <class Backward>
  [[nodiscard]] variable_type result(tensor_type value, const std::vector<variable_type>& inputs, Backward&& backward) {
    inputs_seen seen(*m_record);
    for (const variable_type& input : inputs) seen.note(input);
    return result(std::move(value), std::move(seen), std::forward<Backward>(backward));
  }

  /// Gradients of a scalar with respect to every leaf, added to what the leaves hold. Empties the tape, also where a
  /// backward function throws; leaves then hold part of their gradients: drop these with `zero_grad`.
  /// @throws shape_error unless `loss` has one element; error if an earlier pass emptied the tape of its operations
  /// (the tape stays as it is)
  void backward(const variable_type& loss) {
    if (loss.shape().size() != 1)
      throw shape_error(text("backward: the loss has shape ", loss.shape().to_string(),
                             ", expected one element; take sum() or mean() first"));
    if (!loss.requires_grad()) {
      clear();
      return;
    }
    if (loss.m_slot->is_result && !loss.m_slot->on_tape)
      throw error(
          "backward: the operations behind this value are no longer on the tape: an earlier backward pass, or clear(), "
          "took them; go backward from the sum of both values, or compute the second one after the first pass");
    const layer_scope<Backend> before(*m_context);  // steps open the layers in which they were recorded
    clear_on_throw guard{this};
    loss.sink().accumulate(ops::full(*m_context, loss.shape(), typename Backend::scalar_type(1)));
    walk_back(0);
    guard.finished = true;
  }

  /// A result that needs a gradient whatever its inputs do, because `backward` reaches parameters that are not among
  /// them. @param used versions of these parameters, from `used_by`
  template <class Backward>
  [[nodiscard]] variable_type recorded(tensor_type value, Backward&& backward, detail::seen_versions used = {}) {
    inputs_seen seen(*m_record);
    seen.wanted = true;
    seen.versions = std::move(used);
    return result(std::move(value), std::move(seen), std::forward<Backward>(backward));
  }
  /// Computes `f()` without recording; returns the versions of the parameters that it used.
  template <class F>
  [[nodiscard]] detail::seen_versions used_by(const F& f) {
    detail::seen_versions used;
    const detail::recording_scope quiet(*m_record, false);
    const detail::watch_scope watch(*m_record, used);
    f();
    return used;
  }
  /// Computes `f()` while recording and goes back through it at once, from the gradient of its result: for backward
  /// functions that compute something again. @throws shape_error unless the gradient has the shape of the result;
  /// whatever f() or a backward function throws leaves the tape empty
  template <class F>
  void replay(const F& f, const tensor_type& gradient) {
    const std::size_t before = size();
    clear_on_throw guard{this};
    const variable_type y = [&] {
      const detail::recording_scope on(*m_record, true);
      return f();
    }();
    if (y.requires_grad()) {
      y.sink().accumulate(gradient);
      walk_back(before);
    }
    guard.finished = true;
  }

  /// Forgets the operations since the last backward pass, and gradients that are on their way through them.
  void clear() {
    // A step may hold the last handle on values whose destruction reaches the tape: take the steps out first.
    auto steps = std::exchange(m_record->steps, {});
    for (const auto& s : steps) s->drop();
    steps.clear();
    if (m_record->steps.empty()) m_record->steps.swap(steps);  // keeps its memory
  }
  [[nodiscard]] bool recording() const { return m_record->recording; }
  /// The number of operations on the tape.
  [[nodiscard]] std::size_t size() const { return m_record->steps.size(); }
  /// True if both tapes have one record.
  template <tensor_backend Other>
  [[nodiscard]] bool shares_record_with(const tape<Other>& other) const {
    return m_record == other.m_record;
  }

 private:
  template <tensor_backend>
  friend class no_grad_scope;
  friend class detail::chosen_leaves<Backend>;
  template <tensor_backend>
  friend class tape;
  using slot = typename variable_type::slot;

  // What an operation's inputs ask for: a gradient, and that parameters among them stay as they are.
  struct inputs_seen {
    const detail::tape_record& record;
    bool wanted = false;
    detail::seen_versions versions;

    explicit inputs_seen(const detail::tape_record& of) : record(of) {}
    void note(const variable_type& input) {
      wanted = wanted || input.requires_grad();
      const auto& place = input.m_slot->place;
      if (!place) return;
      if (record.recording) detail::note_version(versions, place->arena->version);
      if (record.watching) detail::note_version(*record.watching, place->arena->version);
    }
  };
  template <class Backward>
  struct result_step final : detail::recorded_step {
    template <class From>
    result_step(std::shared_ptr<slot> of, From&& f) : output(std::move(of)), backward(std::forward<From>(f)) {
      output->is_result = output->on_tape = true;
    }
    ~result_step() override { output->on_tape = false; }
    bool reached() const override { return static_cast<bool>(output->grad); }
    void run() override {
      backward(static_cast<const tensor_type&>(output->grad));
      drop();
    }
    void drop() override { output->grad = tensor_type{}; }
    std::shared_ptr<slot> output;
    Backward backward;
  };
  // Clears the tape unless `finished` is set: what a throw leaves behind.
  struct clear_on_throw {
    tape* of;
    bool finished = false;
    ~clear_on_throw() {
      if (!finished) of->clear();
    }
  };

  struct drop_at_end {
    detail::recorded_step* step;
    ~drop_at_end() { step->drop(); }
  };

  // Goes back through the last steps until `remaining` are left; a step that was run is freed with what it kept.
  void walk_back(std::size_t remaining) {
    auto& steps = m_record->steps;
    while (steps.size() > remaining) {
      const std::unique_ptr<detail::recorded_step> s = std::move(steps.back());
      steps.pop_back();
      if (!s->reached()) continue;
      const drop_at_end end{s.get()};
      detail::refuse_changes(s->seen);
      if (profile* recorder = m_context->recorder; recorder && s->operation) {
        recorder->layer = s->layer;
        const operation_scope<Backend> scope(*m_context, s->operation, true);
        s->run();
      } else {
        s->run();
      }
    }
  }

  variable_type make(tensor_type value, bool requires_grad) {
    variable_type v;
    v.m_value = std::make_shared<tensor_type>(std::move(value));
    v.m_slot = std::make_shared<slot>();
    v.m_slot->extents = v.m_value->shape();
    v.m_slot->requires_grad = requires_grad;
    v.m_slot->ctx = m_context;
    v.m_home = this;
    return v;
  }
  template <class Backward>
  variable_type result(tensor_type value, inputs_seen seen, Backward&& backward) {
    const bool keep = seen.wanted && m_record->recording;
    variable_type out = make(std::move(value), keep);
    if (keep) {
      auto s = std::make_unique<result_step<std::decay_t<Backward>>>(out.m_slot, std::forward<Backward>(backward));
      s->seen = std::move(seen.versions);
      if (const profile* recorder = m_context->recorder) {
        s->operation = recorder->operation();
        s->layer = recorder->layer;
      }
      m_record->steps.push_back(std::move(s));
    }
    return out;
  }

  context<Backend>* m_context;
  std::shared_ptr<detail::tape_record> m_record;
};

/// While it lives, operations are not recorded: teachers, inference, measurements.
template <tensor_backend Backend>
class no_grad_scope {
 public:
  explicit no_grad_scope(tape<Backend>& t) : m_quiet(*t.m_record, false) {}

 private:
  detail::recording_scope m_quiet;
};

/// The same value, cut off from what made it: no gradient passes.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> detach(const variable<Backend>& x) {
  return x.home().constant(x.value());
}

/// The value of a variable of one element on the host; waits for the space. @throws shape_error unless it has one
/// element
template <tensor_backend Backend>
[[nodiscard]] double item(const variable<Backend>& x) {
  if (x.shape().size() != 1) throw shape_error(text("item: ", x.shape().to_string(), " has more than one element"));
  return static_cast<double>(to_host(x.home().ctx().space(), x.value())[0]);
}

#define COMODAL_TAPE(kind, Backend) kind class tape<Backend>;
COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER(COMODAL_TAPE)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
