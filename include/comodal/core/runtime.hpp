// SPDX-License-Identifier: Apache-2.0
/// @file
/// Start and end of Kokkos, and the number of host threads.
#ifndef COMODAL_CORE_RUNTIME_HPP
#define COMODAL_CORE_RUNTIME_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/kokkos.hpp>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace comodal::inline COMODAL_CONFIG {

/// Initialises Kokkos and finalises it at the end of its scope. One object, made first in `main`: it must outlive every
/// tensor, context and plan. Where Kokkos is initialised already (a program of its own, a test suite), it leaves it
/// alone.
class runtime {
 public:
  /// @param threads host threads for our loops; 0 keeps OpenMP's choice (OMP_NUM_THREADS, else all cores)
  explicit runtime(int threads = 0) {
    if (threads < 0) throw config_error(text("runtime: threads = ", threads, ", expected 0 (all) or more"));
#if defined(_OPENMP)
    if (threads > 0) omp_set_num_threads(threads);
#endif
    if (!Kokkos::is_initialized()) {
      Kokkos::initialize();
      m_owner = true;
    }
  }
  ~runtime() {
    if (m_owner) Kokkos::finalize();
  }
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

 private:
  bool m_owner = false;
};

/// The number of threads that host loops use.
[[nodiscard]] inline int host_threads() {
#if defined(_OPENMP)
  return omp_get_max_threads();
#else
  return 1;
#endif
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
