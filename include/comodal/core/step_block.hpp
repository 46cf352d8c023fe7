// SPDX-License-Identifier: Apache-2.0
/// @file
/// The numbers that change from one training step to the next (rates, ramps, averaging factors, the step as counter of
/// random numbers). Kernels read them from one small block on the device, which is uploaded once per step; none of them
/// is an argument of a kernel. So every step launches the same kernels with the same arguments, and can be replayed.
#ifndef COMODAL_CORE_STEP_BLOCK_HPP
#define COMODAL_CORE_STEP_BLOCK_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Part of a run that has passed, for schedules: step t of T.
struct progress {
  std::uint32_t step = 0, steps = 1;
  [[nodiscard]] double fraction() const { return static_cast<double>(step) / static_cast<double>(steps); }
  friend bool operator==(const progress&, const progress&) = default;
};

/// A number that depends on the step: offset + factor rule(progress, parameter). The rule is a pure function; kernels
/// read its value from the step block. Arithmetic with plain numbers changes offset and factor, which, like the
/// parameter, stay the same during a run. One's own: `step_scalar(request, [](const progress& at, double) { ... })`.
class step_scalar {
 public:
  using rule = double (*)(const progress& at, double parameter);

  step_scalar(const progress& at, rule of, double parameter = 0) : m_at(at), m_rule(of), m_parameter(parameter) {}

  /// The number itself, on the host: for logs and decisions outside of a step, not as an argument of a kernel.
  [[nodiscard]] double value() const { return m_offset + m_factor * m_rule(m_at, m_parameter); }
  [[nodiscard]] double factor() const { return m_factor; }
  [[nodiscard]] double offset() const { return m_offset; }

  friend step_scalar operator*(double a, step_scalar s) {
    s.m_factor *= a;
    s.m_offset *= a;
    return s;
  }
  friend step_scalar operator*(const step_scalar& s, double a) { return a * s; }
  friend step_scalar operator/(const step_scalar& s, double a) { return (1 / a) * s; }
  friend step_scalar operator+(double a, step_scalar s) {
    s.m_offset += a;
    return s;
  }
  friend step_scalar operator+(const step_scalar& s, double a) { return a + s; }
  friend step_scalar operator-(const step_scalar& s, double a) { return -a + s; }
  friend step_scalar operator-(double a, const step_scalar& s) { return a + -1 * s; }

 private:
  template <execution_space>
  friend class step_block;

  progress m_at;
  rule m_rule;
  double m_parameter, m_factor = 1, m_offset = 0;
};

/// What a kernel reads of a `step_scalar`: a place in the block, and numbers that stay the same.
struct device_scalar {
  const double* at = nullptr;
  double factor = 1, offset = 0;
  [[nodiscard]] KOKKOS_INLINE_FUNCTION double value() const { return offset + factor * *at; }
};

namespace detail {

// The numbers travel in the kernel itself: nothing on the host has to outlive the call, and nobody waits.
struct block_numbers {
  static constexpr std::size_t count = 32;
  double values[count];  // no std::array: its members are the host's alone
  double* to;

  block_numbers(const std::array<double, count>& numbers, double* to) : to(to) {
    std::copy(numbers.begin(), numbers.end(), values);
  }
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = values[i]; }
};

}  // namespace detail

/// The block of one context; `begin_step`, `device_value` and `announce` reach it. A number that is first asked for in
/// the middle of a step costs an upload of its own; from the next step on it is sent with the others.
template <execution_space Space>
class step_block {
 public:
  /// Evaluates every rule that has been asked for at a step of the run.
  void begin(const progress& at) {
    if (m_begun && m_at == at) return;
    m_begun = true;
    m_at = at;
    set_iteration(at.step);
    for (std::size_t k = 1; k < m_keys.size(); ++k)
      if (m_keys[k].of) set(k, m_keys[k].of(at, m_keys[k].parameter));
  }
  /// The place of a rule; its step begins if it has not.
  [[nodiscard]] std::size_t place_of(const step_scalar& s) {
    begin(s.m_at);
    const std::size_t k = find({s.m_rule, s.m_parameter, nullptr, 0});
    set(k, s.m_rule(s.m_at, s.m_parameter));
    return k;
  }
  /// The place of a number that its owner computes: number `which` of the object at `owner`.
  [[nodiscard]] std::size_t place_of(const void* owner, int which, double value) {
    const std::size_t k = find({nullptr, 0, owner, which});
    set(k, value);
    return k;
  }
  /// Counter of random numbers: the step, unless a pass asks for another one. Its place is 0.
  void set_iteration(std::uint32_t iteration) {
    if (m_keys.empty()) m_keys.push_back({});
    set(0, iteration);
  }

  /// Where kernels find a number; sends what has changed. One upload, unless there are more than 32 numbers.
  template <tensor_backend Backend>
  [[nodiscard]] const double* on_device(context<Backend>& ctx, std::size_t place) {
    send(ctx);
    return m_parts[place / detail::block_numbers::count].device.data() + place % detail::block_numbers::count;
  }
  /// Sends what has changed; does not wait.
  template <tensor_backend Backend>
  void send(context<Backend>& ctx) {
    for (part& p : m_parts) {
      if (!p.changed) continue;
      constexpr auto count = static_cast<index>(detail::block_numbers::count);
      if (!p.device) p.device = ctx.template make_of<double>({count});
      for_elements(ctx.space(), count, detail::block_numbers(p.values, p.device.data()));
      ++detail::sent;
      p.changed = false;
    }
  }

 private:
  static constexpr std::size_t most_numbers = 1024;

  struct key {
    step_scalar::rule of = nullptr;
    double parameter = 0;
    const void* owner = nullptr;
    int which = 0;
    friend bool operator==(const key&, const key&) = default;
  };
  struct part {
    tensor<double, Space> device;
    std::array<double, detail::block_numbers::count> values{};
    bool changed = true;
  };

  std::size_t find(const key& wanted) {
    if (m_keys.empty()) m_keys.push_back({});
    for (std::size_t k = 1; k < m_keys.size(); ++k)
      if (m_keys[k] == wanted) return k;
    if (wanted.parameter != wanted.parameter || m_keys.size() >= most_numbers)
      throw error(text("step_block: more than ", most_numbers,
                       " numbers, or a rule with a parameter that is no number; "
                       "the parameter of a step_scalar must be the same in every step"));
    m_keys.push_back(wanted);
    return m_keys.size() - 1;
  }
  void set(std::size_t place, double value) {
    const std::size_t p = place / detail::block_numbers::count;
    if (p >= m_parts.size()) m_parts.resize(p + 1);
    double& before = m_parts[p].values[place % detail::block_numbers::count];
    if (before == value) return;
    before = value;
    m_parts[p].changed = true;
  }

  std::vector<key> m_keys;  // by place
  std::vector<part> m_parts;
  progress m_at;
  bool m_begun = false;
};

namespace detail {

template <tensor_backend Backend>
[[nodiscard]] step_block<typename Backend::space_type>& block_of(context<Backend>& ctx) {
  return ctx.template kept<step_block<typename Backend::space_type>>();
}

}  // namespace detail

/// Begins a step: everything that depends on it is evaluated and sent to the device in one upload, with what was
/// announced before. Without a call, the first kernel of the step that reads such a number does it. Does not wait.
template <tensor_backend Backend>
void begin_step(context<Backend>& ctx, const progress& at) {
  auto& block = detail::block_of(ctx);
  block.begin(at);
  block.set_iteration(at.step);  // also where a pass of this step asked for another one
  block.send(ctx);
}

/// A number for kernels of this step. Does not wait.
template <tensor_backend Backend>
[[nodiscard]] device_scalar device_value(context<Backend>& ctx, const step_scalar& s) {
  auto& block = detail::block_of(ctx);
  return {block.on_device(ctx, block.place_of(s)), s.factor(), s.offset()};
}

/// Sets number `which` of the object at `owner`, to be sent with the next upload: what a step will need and no rule
/// computes, such as the learning rate.
template <tensor_backend Backend>
void announce(context<Backend>& ctx, const void* owner, int which, double value) {
  (void)detail::block_of(ctx).place_of(owner, which, value);
}
/// The place of such a number on the device; an upload of its own where it was not announced. Does not wait.
template <tensor_backend Backend>
[[nodiscard]] const double* device_value(context<Backend>& ctx, const void* owner, int which, double value) {
  auto& block = detail::block_of(ctx);
  return block.on_device(ctx, block.place_of(owner, which, value));
}
/// The counter of random numbers on the device. Does not wait.
template <tensor_backend Backend>
[[nodiscard]] const double* device_iteration(context<Backend>& ctx, std::uint32_t iteration) {
  auto& block = detail::block_of(ctx);
  block.set_iteration(iteration);
  return block.on_device(ctx, 0);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
