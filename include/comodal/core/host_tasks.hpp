// SPDX-License-Identifier: Apache-2.0
/// @file
/// Parallel loops on the host whose bodies may throw: OpenMP ends the program when an exception leaves a parallel
/// region, so these loops carry it out. Kernels use the loops of `loops.hpp`; all other host code uses these.
#ifndef COMODAL_CORE_HOST_TASKS_HPP
#define COMODAL_CORE_HOST_TASKS_HPP

#include <comodal/core/shape.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace comodal::inline COMODAL_CONFIG {

/// Keeps the exception of the first task (lowest number) that failed, from any thread.
/// A task behind a failed one is skipped and every task before it still runs, so that the same exception is kept for
/// every number of threads.
class task_failure {
 public:
  /// Calls `body()` as task `t`, unless an earlier task failed. Never throws.
  template <class Body>
  void attempt(index t, const Body& body) noexcept {
    if (t > m_first.load(std::memory_order_relaxed)) return;
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(m_mutex);
      if (t >= m_first.load(std::memory_order_relaxed)) return;
      m_first.store(t, std::memory_order_relaxed);
      m_exception = std::current_exception();
    }
  }
  /// Throws the exception that was kept; does nothing if no task failed. Call it after the parallel region.
  void rethrow() const {
    if (m_exception) std::rethrow_exception(m_exception);
  }

 private:
  std::atomic<index> m_first{std::numeric_limits<index>::max()};
  std::mutex m_mutex;
  std::exception_ptr m_exception;
};

/// Elements of work below which `host_slices` stays on one thread; a constant, so that nothing depends on the machine.
inline constexpr index host_slices_limit = 65536;

namespace core_detail {

/// True if a parallel region would have more than one thread.
[[nodiscard]] inline bool has_threads() {
#if defined(_OPENMP)
  return omp_get_max_threads() > 1;
#else
  return false;
#endif
}

}  // namespace core_detail

/// Calls `body(scratch, t)` for t in [0, count), for large tasks of uneven cost: each thread takes the next one.
/// @param make_scratch called once per thread that takes a task, in that thread; its result is handed to the bodies
/// @throws what the lowest task threw; tasks behind it may not have run
template <class MakeScratch, class Body>
void host_tasks(index count, const MakeScratch& make_scratch, const Body& body) {
  using scratch_type = std::decay_t<decltype(make_scratch())>;
  if (count <= 1 || !core_detail::has_threads()) {
    if (count <= 0) return;
    scratch_type scratch = make_scratch();
    for (index t = 0; t < count; ++t) body(scratch, t);
    return;
  }
  task_failure failure;
#pragma omp parallel
  {
    std::optional<scratch_type> scratch;
#pragma omp for schedule(dynamic)
    for (index t = 0; t < count; ++t)
      failure.attempt(t, [&] {
        if (!scratch) scratch.emplace(make_scratch());
        body(*scratch, t);
      });
  }
  failure.rethrow();
}

/// Calls `body(t)` for t in [0, count), as above but without scratch.
template <class Body>
void host_tasks(index count, const Body& body) {
  host_tasks(count, [] { return std::monostate{}; }, [&](std::monostate, index t) { body(t); });
}

/// Calls `body(t)` for t in [0, count), for many tasks of even cost: each thread takes one run of them.
/// @param elements the work of all tasks together; up to `host_slices_limit` one thread does it
/// @throws what the lowest task threw; tasks behind it may not have run
template <class Body>
void host_slices(index count, index elements, const Body& body) {
  if (count <= 1 || elements <= host_slices_limit || !core_detail::has_threads()) {
    for (index t = 0; t < count; ++t) body(t);
    return;
  }
  task_failure failure;
#pragma omp parallel for schedule(static)
  for (index t = 0; t < count; ++t) failure.attempt(t, [&] { body(t); });
  failure.rethrow();
}

/// The sum of `body(first, last)` over blocks that cover [0, count); the blocks depend on `count` alone, and their sums
/// are added in order.
/// @param zero the sum of nothing; `Sum` has an operator +=
/// @throws what the body of the lowest block threw
template <class Sum, class Body>
[[nodiscard]] Sum host_sum(index count, Sum zero, const Body& body) {
  constexpr index block = host_slices_limit;
  const index blocks = (count + block - 1) / block;
  std::vector<Sum> sums(static_cast<std::size_t>(std::max<index>(blocks, 0)), zero);
  host_slices(blocks, count,
              [&](index b) { sums[static_cast<std::size_t>(b)] = body(b * block, std::min(count, (b + 1) * block)); });
  for (const Sum& s : sums) zero += s;
  return zero;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
