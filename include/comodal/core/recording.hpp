// SPDX-License-Identifier: Apache-2.0
/// @file
/// One training step as the sequence of its kernels: recorded once, run again for later steps. On CUDA and HIP the
/// kernels become one graph of the device; elsewhere each is launched again.
#ifndef COMODAL_CORE_RECORDING_HPP
#define COMODAL_CORE_RECORDING_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/device_api.hpp>

#include <memory>
#include <string>
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
      : m_context(&ctx), m_pool(ctx.pool().shared_from_this()), m_reserve(m_pool->open_reserve()) {
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
  ~step_recording() {
    m_pool->drop_reserve(m_work);
    m_pool->drop_reserve(m_reserve);
  }

  /// Runs the kernels again, in their order. Does not wait. The second replay captures the graph, if the device has
  /// graphs: the first one has then prepared what launches need. Where it cannot be captured, each kernel is launched,
  /// and `why_no_graph` has the reason.
  void replay() {
    if (m_replays++ == 1) capture();
    if (!m_graph)
      return with_work_space([&] {
        for (const recorded_call& call : m_calls) call.run();
      });
    run(true);
    m_graph.launch(m_context->space());
  }
  /// The number of operations and of changes of state on the host that were recorded.
  [[nodiscard]] std::size_t size() const { return m_calls.size(); }
  /// Whether replays launch one graph.
  [[nodiscard]] bool is_graph() const { return static_cast<bool>(m_graph); }
  [[nodiscard]] const std::string& why_no_graph() const { return m_why; }

 private:
  using pool_type = memory_pool<typename Backend::space_type>;
  using graph_type = detail::device_graph<typename Backend::space_type>;

  void capture() {
    if constexpr (graph_type::available)
      m_why = with_work_space([&] { return m_graph.capture(m_context->space(), [&] { run(false); }); });
  }
  // Work space that calls take and give back stays the recording's own, apart from what the recorded step took: its
  // maps are free in the eyes of the pool, and full of what later calls read.
  template <class Work>
  auto with_work_space(const Work& work) {
    struct closing {
      pool_type& pool;
      ~closing() { pool.close_reserve(); }
    };
    if (m_work)
      m_pool->reopen_reserve(m_work);
    else
      m_work = m_pool->open_reserve();
    const closing at_the_end{*m_pool};
    return work();
  }
  void run(bool on_host) const {
    for (const recorded_call& call : m_calls)
      if (call.on_host == on_host) call.run();
  }

  context<Backend>* m_context;
  std::shared_ptr<pool_type> m_pool;
  typename pool_type::reserve *m_reserve, *m_work = nullptr;
  std::vector<recorded_call> m_calls;
  graph_type m_graph;
  index m_replays = 0;
  std::string m_why;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
