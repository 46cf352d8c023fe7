// SPDX-License-Identifier: Apache-2.0
/// @file
/// The loops that carry our kernels: over elements, and over rows x channels. On the host OpenMP with a vectorised
/// inner loop, on a device Kokkos. Bodies are named functors, because nvcc compiles them.
#ifndef COMODAL_CORE_LOOPS_HPP
#define COMODAL_CORE_LOOPS_HPP

#include <comodal/core/kokkos.hpp>
#include <comodal/core/shape.hpp>

#include <algorithm>
#include <cstddef>
#include <type_traits>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace comodal::inline COMODAL_CONFIG {

/// Below this many elements a host loop stays on one thread; a constant, so that nothing depends on the machine.
inline constexpr index serial_limit = 4096;

/// The most workers that host loops use now.
[[nodiscard]] inline index host_workers() {
#if defined(_OPENMP)
  return omp_get_max_threads();
#else
  return 1;
#endif
}

/// Calls `body(t)` on the host for t in [0, count), in parallel if `pays` is true. Uses a static schedule, so calls
/// should cost about the same. A parallel region of one thread would cost an allocation.
template <class Body>
void host_loop(index count, bool pays, const Body& body) {
  if (!pays || count == 1 || host_workers() == 1) {
    for (index t = 0; t < count; ++t) body(t);
    return;
  }
#pragma omp parallel for schedule(static)
  for (index t = 0; t < count; ++t) body(t);
}

namespace detail {

// The most bytes of a kernel's functor.
inline constexpr std::size_t most_kernel_bytes = 3584;

// Launches carry the functor with them. Kokkos would copy one of some 400 bytes and more through a buffer of the host
// first: launches wait for that buffer, and one that is captured would read it again when it is replayed.
template <class Policy>
[[nodiscard]] auto carrying(const Policy& policy) {
  return Kokkos::Experimental::require(policy, Kokkos::Experimental::WorkItemProperty::HintLightWeight);
}

template <execution_space Space, class Body>
void launch_elements(const char* name, const Space& space, index count, const Body& body) {
  static_assert(sizeof(Body) <= most_kernel_bytes, "comodal: a kernel's functor has at most 3584 bytes");
  Kokkos::parallel_for(name, carrying(Kokkos::RangePolicy<Space, Kokkos::IndexType<index>>(space, 0, count)), body);
}

}  // namespace detail

/// Calls `body(i)` for i in [0, count). Calls are independent of each other.
template <execution_space Space, class Body>
void for_elements(const Space& space, index count, const Body& body) {
  if (count <= 0) return;
  if constexpr (is_host_v<Space>) {
    constexpr index grain = 2048;
    const index blocks = (count + grain - 1) / grain;
    host_loop(blocks, count > serial_limit, [&](index b) {
      const index first = b * grain, last = std::min(first + grain, count);
      const Body own = body;  // a copy that no store can reach: its members stay in registers, and the loop vectorises
#pragma omp simd
      for (index i = first; i < last; ++i) own(i);
    });
  } else {
    detail::launch_elements("comodal::for_elements", space, count, body);
  }
}

/// Calls `body(t)` for t in [0, count), each call a large piece of work (a slab, a crop, a row of windows).
template <execution_space Space, class Body>
void for_tasks(const Space& space, index count, const Body& body) {
  if (count <= 0) return;
  if constexpr (is_host_v<Space>) {
    if (count == 1 || host_workers() == 1) {
      for (index t = 0; t < count; ++t) body(t);
      return;
    }
#pragma omp parallel for schedule(dynamic)
    for (index t = 0; t < count; ++t) body(t);
  } else {
    detail::launch_elements("comodal::for_tasks", space, count, body);
  }
}

/// Calls `body(worker, t)` on the host for t in [0, count); no two calls of one worker, in [0, host_workers()), run at
/// a time: for scratch memory that is not to be shared.
template <class Body>
void for_worker_tasks(index count, const Body& body) {
#if defined(_OPENMP)
  if (count > 1 && host_workers() > 1) {
#pragma omp parallel for schedule(dynamic)
    for (index t = 0; t < count; ++t) body(static_cast<index>(omp_get_thread_num()), t);
    return;
  }
#endif
  for (index t = 0; t < count; ++t) body(index{0}, t);
}

/// Calls `body(first, lanes)` for channels [0, count) in runs of 16, 8, 4 and 1, as compile-time constants, on the
/// host.
template <class Body>
void in_lanes(index count, const Body& body) {
  index c = 0;
  for (; c + 16 <= count; c += 16) body(c, std::integral_constant<int, 16>{});
  for (; c + 8 <= count; c += 8) body(c, std::integral_constant<int, 8>{});
  for (; c + 4 <= count; c += 4) body(c, std::integral_constant<int, 4>{});
  for (; c < count; ++c) body(c, std::integral_constant<int, 1>{});
}

namespace detail {

template <class Body>
struct rows_body {
  Body body;
  index rows, channels;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    body(i / channels / rows, i / channels % rows, i % channels);
  }
};

// Rows [first, last) of a group, `Lanes` channels at a time: a trip count that the compiler knows.
template <int Lanes, class Body>
void rows_of_lanes(const Body& body, index g, index first, index last, index channels) {
  const Body own = body;
  for (index r = first; r < last; ++r)
    for (index c = 0; c < channels; c += Lanes) {
#pragma omp simd
      for (int l = 0; l < Lanes; ++l) own(g, r, c + l);
    }
}

template <class Body>
void rows_on_host(const Body& body, index g, index first, index last, index channels) {
  if (channels % 16 == 0) return rows_of_lanes<16>(body, g, first, last, channels);
  if (channels % 8 == 0) return rows_of_lanes<8>(body, g, first, last, channels);
  if (channels % 4 == 0) return rows_of_lanes<4>(body, g, first, last, channels);
  const Body own = body;
  for (index r = first; r < last; ++r) {
#pragma omp simd
    for (index c = 0; c < channels; ++c) own(g, r, c);
  }
}

// Calls `body(group, first row, last row)` on the host for blocks of rows that stay in the first cache.
template <class Body>
void blocks_of_rows(index groups, index rows, index channels, const Body& body) {
  const index grain = std::max<index>(1, 2048 / channels), blocks = (rows + grain - 1) / grain;
  host_loop(groups * blocks, groups * rows * channels > serial_limit, [&](index t) {
    const index first = t % blocks * grain;
    body(t / blocks, first, std::min(first + grain, rows));
  });
}

// One channel's values among those of `Lanes` channels side by side.
template <class T, int Lanes>
struct lane_of {
  T* first;
  KOKKOS_INLINE_FUNCTION T& operator[](int k) const { return first[k * Lanes]; }
};

// Numbers of each (group, channel), for one element and, in local memory that no store reaches, for rows.
template <int Numbers, class N, class Body>
struct numbered_rows {
  Body body;
  const N* numbers;  // (groups, Numbers, channels)
  index rows, channels;

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    N own[Numbers];
    for (int k = 0; k < Numbers; ++k) own[k] = numbers[(i / channels / rows * Numbers + k) * channels + i % channels];
    body(i, static_cast<const N*>(own));
  }

  // Rows [first, last) of a group; of few channels some side by side, so that vectors are whole.
  void host(index g, index first, index last) const {
    constexpr int side_by_side = 16;
    if (channels < side_by_side && side_by_side % channels == 0) {
      const index end = last - (last - first) % (side_by_side / channels);
      lanes<side_by_side>(g, first, end, 0, side_by_side);
      first = end;
    }
    in_lanes(channels, [&](index c, auto count) { lanes<decltype(count)::value>(g, first, last, c, channels); });
  }

 private:
  // `Lanes` elements from channel c on, `step` elements from one time to the next.
  template <int Lanes>
  void lanes(index g, index first, index last, index c, index step) const {
    N own[Numbers][Lanes];
    for (int k = 0; k < Numbers; ++k)
      for (int l = 0; l < Lanes; ++l) own[k][l] = numbers[(g * Numbers + k) * channels + (c + l) % channels];
    const Body mine = body;
    for (index i = (g * rows + first) * channels + c; i < (g * rows + last) * channels; i += step) {
#pragma omp simd
      for (int l = 0; l < Lanes; ++l) mine(i + l, lane_of<const N, Lanes>{&own[0][l]});
    }
  }
};

}  // namespace detail

/// Calls `body(group, row, channel)` for every group in [0, groups), row in [0, rows) and channel in [0, channels):
/// neighbouring channels are neighbours in memory. A group is, for example, a sample.
template <execution_space Space, class Body>
void for_rows(const Space& space, index groups, index rows, index channels, const Body& body) {
  if (groups <= 0 || rows <= 0 || channels <= 0) return;
  if constexpr (is_host_v<Space>) {
    detail::blocks_of_rows(groups, rows, channels, [&](index g, index first, index last) {
      detail::rows_on_host(body, g, first, last, channels);
    });
  } else {
    for_elements(space, groups * rows * channels, detail::rows_body<Body>{body, rows, channels});
  }
}

/// The same with numbers of each (group, channel), such as statistics, that the host keeps in registers: calls `body(i,
/// k)` for every element i of (groups, rows, channels), with its numbers k[0] ... k[Numbers - 1] (k is of a type that
/// the loop chooses). @param numbers (groups, Numbers, channels)
template <int Numbers, execution_space Space, class N, class Body>
void for_numbered_rows(const Space& space, index groups, index rows, index channels, const N* numbers,
                       const Body& body) {
  if (groups <= 0 || rows <= 0 || channels <= 0) return;
  const detail::numbered_rows<Numbers, N, Body> all{body, numbers, rows, channels};
  if constexpr (is_host_v<Space>) {
    detail::blocks_of_rows(groups, rows, channels, [&](index g, index first, index last) { all.host(g, first, last); });
  } else {
    for_elements(space, groups * rows * channels, all);
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
