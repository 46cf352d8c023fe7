// SPDX-License-Identifier: Apache-2.0
/// @file
/// One training step as the sequence of its kernels: recorded once, run again for later steps. What CUDA and HIP call a
/// graph; here each kernel is launched again, on any back end.
#ifndef COMODAL_CORE_RECORDING_HPP
#define COMODAL_CORE_RECORDING_HPP

#include <comodal/core/context.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The kernels of one step with their arguments, buffers included. The memory that the step took from the pool stays
/// apart while the recording lives. What the step reads from outside (parameters, the batch, the step block, what a
/// method keeps) must stay in its place, and what it keeps must be changed in place. It must not outlive its context.
///
/// Before each `replay`, `begin_step` and `upload_batch` put the numbers and the crops of the new step in place. A step
/// that runs for the first time prepares what later ones reuse: record the second one or a later one.
template <tensor_backend Backend>
class step_recording {
 public:
  /// Runs `step()` and keeps its kernels.
  /// @throws error where the step waited for the device or sent something to it: neither can be replayed
  template <class Step>
  step_recording(context<Backend>& ctx, const Step& step)
      : m_pool(ctx.pool().shared_from_this()), m_reserve(m_pool->open_reserve()) {
    const index waits = host_synchronisations(), sent = uploads();
    try {
      ctx.record_into(&m_calls);
      step();
      ctx.record_into(nullptr);
      m_pool->close_reserve();
      if (const index n = host_synchronisations() - waits; n > 0)
        throw error(text("recording: the step waited for the device ", n,
                         " times, expected never; read values after the step, and make tables before it"));
      if (const index n = uploads() - sent; n > 0)
        throw error(text("recording: the step sent data to the device ", n,
                         " times, expected never; call upload_batch, optimiser_set::prepare and begin_step before it"));
    } catch (...) {
      ctx.record_into(nullptr);
      m_pool->close_reserve();
      m_pool->drop_reserve(m_reserve);
      throw;
    }
  }
  step_recording(const step_recording&) = delete;
  step_recording& operator=(const step_recording&) = delete;
  ~step_recording() { m_pool->drop_reserve(m_reserve); }

  /// Runs the kernels again, in their order. Does not wait.
  void replay() const {
    for (const auto& call : m_calls) call();
  }
  /// The number of operations and of changes of state on the host that were recorded.
  [[nodiscard]] std::size_t size() const { return m_calls.size(); }

 private:
  using pool_type = memory_pool<typename Backend::space_type>;

  std::shared_ptr<pool_type> m_pool;
  typename pool_type::reserve* m_reserve;
  std::vector<std::function<void()>> m_calls;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
