// SPDX-License-Identifier: Apache-2.0
/// @file
/// The few functions of CUDA and HIP that Kokkos does not offer, under one name for both: points in time, and work that
/// is captured once and launched again as a graph. The other spaces have plain stand-ins.
#ifndef COMODAL_CORE_DEVICE_API_HPP
#define COMODAL_CORE_DEVICE_API_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/kokkos.hpp>
#include <comodal/core/shape.hpp>

#include <cstddef>
#include <exception>
#include <string>

// COMODAL_IMPL_DEVICE(EventRecord) is cudaEventRecord or hipEventRecord.
#if defined(KOKKOS_ENABLE_CUDA)
#define COMODAL_IMPL_DEVICE(name) cuda##name
#elif defined(KOKKOS_ENABLE_HIP)
#define COMODAL_IMPL_DEVICE(name) hip##name
#endif

namespace comodal::inline COMODAL_CONFIG {

/// How often this thread has waited for an execution space: calls of `copy_from_host`, `to_host` and `context::fence`,
/// also on the host, where they cost nothing. For tests and benches, which take differences.
[[nodiscard]] index host_synchronisations();

/// Free and all memory of a device in bytes; 0 where that is not known.
struct device_memory {
  std::size_t free = 0, total = 0;
};

namespace detail {

inline thread_local index synchronisations = 0;

// A point in the work of an execution space. Elsewhere than on CUDA and HIP waiting for it is waiting for all.
template <execution_space Space>
class point_in_time {
 public:
  void set(const Space&) { m_set = true; }
  void wait(const Space& space) {
    if (!m_set) return;
    ++synchronisations;
    space.fence();
  }

 private:
  bool m_set = false;
};

// Work that was captured: kernels and copies, with their arguments. Empty where there are no graphs.
template <execution_space Space>
class device_graph {
 public:
  static constexpr bool available = false;
  template <class Work>
  [[nodiscard]] std::string capture(const Space&, const Work&) {
    return "it has no graphs";
  }
  [[nodiscard]] explicit operator bool() const { return false; }
  void launch(const Space&) const {}
};

#if defined(COMODAL_IMPL_DEVICE)
#if defined(KOKKOS_ENABLE_CUDA)
using device_space = Kokkos::Cuda;
[[nodiscard]] inline cudaStream_t stream_of(const device_space& space) { return space.cuda_stream(); }
#else
using device_space = Kokkos::HIP;
[[nodiscard]] inline hipStream_t stream_of(const device_space& space) { return space.hip_stream(); }
#endif
using device_status = COMODAL_IMPL_DEVICE(Error_t);

[[nodiscard]] inline bool is_success(device_status found) { return found == COMODAL_IMPL_DEVICE(Success); }
inline void expect_success(device_status found, const char* what) {
  if (!is_success(found))
    throw device_error(text(what, ": ", device_space::name(), " says ", COMODAL_IMPL_DEVICE(GetErrorString)(found)));
}

template <>
class point_in_time<device_space> {
 public:
  point_in_time() = default;
  point_in_time(const point_in_time&) = delete;
  point_in_time& operator=(const point_in_time&) = delete;
  ~point_in_time() {
    if (m_event) (void)COMODAL_IMPL_DEVICE(EventDestroy)(m_event);
  }
  void set(const device_space& space) {
    if (!m_event)
      expect_success(COMODAL_IMPL_DEVICE(EventCreateWithFlags)(&m_event, COMODAL_IMPL_DEVICE(EventDisableTiming)),
                     "upload");
    expect_success(COMODAL_IMPL_DEVICE(EventRecord)(m_event, stream_of(space)), "upload");
  }
  void wait(const device_space&) {
    if (m_event) expect_success(COMODAL_IMPL_DEVICE(EventSynchronize)(m_event), "upload");
  }

 private:
  COMODAL_IMPL_DEVICE(Event_t) m_event = nullptr;
};

template <>
class device_graph<device_space> {
 public:
  static constexpr bool available = true;

  device_graph() = default;
  device_graph(const device_graph&) = delete;
  device_graph& operator=(const device_graph&) = delete;
  ~device_graph() {
    if (m_graph) (void)COMODAL_IMPL_DEVICE(GraphExecDestroy)(m_graph);
  }

  // Calls `work()`, which launches without waiting: nothing runs, all is kept. @return why not, or empty
  template <class Work>
  [[nodiscard]] std::string capture(const device_space& space, const Work& work) {
    const auto stream = stream_of(space);
    COMODAL_IMPL_DEVICE(Graph_t) made = nullptr;
    std::string why;
    auto found = COMODAL_IMPL_DEVICE(StreamBeginCapture)(stream, COMODAL_IMPL_DEVICE(StreamCaptureModeRelaxed));
    if (is_success(found)) {
      try {
        work();
      } catch (const std::exception& failure) {
        why = failure.what();
      }
      found = COMODAL_IMPL_DEVICE(StreamEndCapture)(stream, &made);
      if (is_success(found) && why.empty()) found = COMODAL_IMPL_DEVICE(GraphInstantiateWithFlags)(&m_graph, made, 0);
      if (made) (void)COMODAL_IMPL_DEVICE(GraphDestroy)(made);
    }
    if (!is_success(found)) {
      if (why.empty()) why = COMODAL_IMPL_DEVICE(GetErrorString)(found);
      (void)COMODAL_IMPL_DEVICE(GetLastError)();  // or a later launch would report it
      m_graph = nullptr;
    }
    return why;
  }
  [[nodiscard]] explicit operator bool() const { return m_graph != nullptr; }
  void launch(const device_space& space) const {
    expect_success(COMODAL_IMPL_DEVICE(GraphLaunch)(m_graph, stream_of(space)), "replay");
  }

 private:
  COMODAL_IMPL_DEVICE(GraphExec_t) m_graph = nullptr;
};
#endif

}  // namespace detail

inline index host_synchronisations() { return detail::synchronisations; }

/// Of the device that this program computes on. Kokkos must be initialised.
template <execution_space Space>
[[nodiscard]] device_memory memory_of_device() {
  device_memory memory;
#if defined(COMODAL_IMPL_DEVICE)
  if constexpr (!is_host_v<Space>)
    if (!detail::is_success(COMODAL_IMPL_DEVICE(MemGetInfo)(&memory.free, &memory.total))) memory = {};
#endif
  return memory;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
