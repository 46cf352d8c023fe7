// SPDX-License-Identifier: Apache-2.0
/// @file
/// Start and end of Kokkos, the number of host threads, and how they wait.
#ifndef COMODAL_CORE_RUNTIME_HPP
#define COMODAL_CORE_RUNTIME_HPP

#include <comodal/core/device_api.hpp>
#include <comodal/core/error.hpp>
#include <comodal/core/kokkos.hpp>
#include <comodal/core/processor_check.hpp>
#include <comodal/core/shape.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <type_traits>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__linux__)
#include <pthread.h>
#include <unistd.h>
#endif

namespace comodal::inline COMODAL_CONFIG {

/// The most host threads that a program may ask for.
inline constexpr index most_host_threads = 1024;

/// Bytes of stack that each host thread needs at least: kernels keep blocks of numbers there. 64 KiB were enough for
/// training and prediction when it was measured, 16 KiB were not.
inline constexpr std::size_t least_thread_stack = std::size_t{256} * 1024;

namespace detail {

/// Bytes of stack of the smallest OpenMP worker among two threads; 0 where that is unknown.
[[nodiscard]] inline std::size_t smallest_worker_stack() {
  std::size_t smallest = 0;
#if defined(_OPENMP) && defined(__linux__)
#pragma omp parallel num_threads(2)
  if (omp_get_thread_num() == 1) {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
      pthread_attr_getstacksize(&attributes, &smallest);
      pthread_attr_destroy(&attributes);
    }
  }
#endif
  return smallest;
}

}  // namespace detail

/// Sets the number of host threads of this process. More than the machine has processors (or than 8, so that results
/// of several numbers can be compared anywhere) are never used: they would only wait for each other.
/// @param threads 0 keeps OpenMP's choice (OMP_NUM_THREADS, else all cores)
/// @throws config_error for a negative number, for more than `most_host_threads`, and for threads whose stack
/// (OMP_STACKSIZE) is smaller than `least_thread_stack`
inline void use_host_threads(index threads) {
  if (threads < 0 || threads > most_host_threads)
    throw config_error(text("runtime: threads = ", threads, ", expected 0 (all cores) to ", most_host_threads));
#if defined(_OPENMP)
  const index asked = threads > 0 ? threads : omp_get_max_threads();
  if (asked > most_host_threads)
    throw config_error(
        text("runtime: OMP_NUM_THREADS asks for ", asked, " threads, expected at most ", most_host_threads));
  const index useful = std::min<index>(asked, std::max(omp_get_num_procs(), 8));
  if (useful > 1) {
    const std::size_t stack = detail::smallest_worker_stack();
    if (stack > 0 && stack < least_thread_stack)
      throw config_error(text("runtime: the stack of a thread has ", stack / 1024, " KiB, expected at least ",
                              least_thread_stack / 1024, ": set OMP_STACKSIZE to more, or leave it unset"));
  }
  omp_set_num_threads(static_cast<int>(useful));
#endif
}

/// Sets the number of host threads for as long as it lives, as `use_host_threads` takes it.
class host_threads_scope {
 public:
  /// @throws config_error as `use_host_threads`
  explicit host_threads_scope(index threads) {
#if defined(_OPENMP)
    m_before = omp_get_max_threads();
#endif
    use_host_threads(threads);
  }
  ~host_threads_scope() {
#if defined(_OPENMP)
    omp_set_num_threads(m_before);
#endif
  }
  host_threads_scope(const host_threads_scope&) = delete;
  host_threads_scope& operator=(const host_threads_scope&) = delete;

 private:
  [[maybe_unused]] int m_before = 1;
};

/// Restarts the program with OMP_WAIT_POLICY=passive, so that threads sleep while they wait: threads that spin slow
/// each other down many times over where other programs use the same cores. GNU's OpenMP spins for some microseconds
/// first (GOMP_SPINCOUNT=300): between the short loops of a small volume, falling asleep and being woken costs more.
/// OpenMP reads the variables while the program is loaded, so they cannot be set later. Call it first in `main`. It
/// returns without a restart where the user has chosen (OMP_WAIT_POLICY, GOMP_SPINCOUNT or KMP_BLOCKTIME is set), and
/// outside Linux.
/// @param arguments `argv` of `main`
inline void let_waiting_threads_sleep([[maybe_unused]] char** arguments) {
#if defined(_OPENMP) && defined(__linux__)
  for (const char* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"})
    if (std::getenv(name) != nullptr) return;
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure || setenv("OMP_WAIT_POLICY", "passive", 1) != 0 || setenv("GOMP_SPINCOUNT", "300", 1) != 0) return;
  execv(program.c_str(), arguments);  // comes back only if it failed: then threads spin
#endif
}

/// Devices that this program could compute on; 0 where it computes on the host, or finds none. May be asked before
/// Kokkos is initialised, which ends a program that finds no device.
[[nodiscard]] inline int device_count() {
  int count = 0;
#if defined(COMODAL_IMPL_DEVICE)
  if (!detail::is_success(COMODAL_IMPL_DEVICE(GetDeviceCount)(&count))) count = 0;
#endif
  return count;
}

/// The name of the device of an instance of an execution space; empty where it has none, or does not say.
template <execution_space Space>
[[nodiscard]] std::string device_name([[maybe_unused]] const Space& space) {
  if constexpr (requires { space.cuda_device_prop().name; })
    return space.cuda_device_prop().name;
  else if constexpr (requires { space.hip_device_prop().name; })
    return space.hip_device_prop().name;
  else
    return {};
}

namespace detail {

// @throws device_error where there is none, config_error for a number that none has
inline void expect_device(index device) {
  if constexpr (std::is_same_v<default_space::memory_space, Kokkos::HostSpace>) {
    if (device >= 0)
      throw config_error(text("runtime: device ", device,
                              " was asked for, but this program computes on the host; build "
                              "it for a GPU (docs/how-to/gpu.md), or leave the device out"));
  } else {
    const int count = device_count();
    if (count <= 0)
      throw device_error(text("runtime: no GPU was found for ", default_space::name(),
                              ", which this program computes on; nvidia-smi or rocm-smi must list one"));
    if (device >= count)
      throw config_error(text("runtime: device ", device, " was asked for, expected 0 to ", count - 1));
  }
}

}  // namespace detail

/// Initialises Kokkos and finalises it at the end of its scope. One object, made first in `main`: it must outlive every
/// tensor, context and plan. Where Kokkos is initialised already (a program of its own, a test suite), it leaves it
/// alone.
class runtime {
 public:
  /// @param threads host threads for our loops, as `use_host_threads` takes them
  /// @param device number of the GPU, from 0 on; negative: Kokkos chooses
  /// @throws config_error as `use_host_threads` does, and for a device that is not there; device_error where a program
  /// for GPUs finds none
  explicit runtime(index threads = 0, index device = -1) {
    use_host_threads(threads);
    if (Kokkos::is_initialized()) return;
    detail::expect_device(device);
#if KOKKOS_VERSION >= 30700
    Kokkos::InitializationSettings settings;
    if (device >= 0) settings.set_device_id(static_cast<int>(device));
    Kokkos::initialize(settings);
#else
    Kokkos::initialize();
#endif
    m_owner = true;
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
