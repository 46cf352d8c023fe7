// SPDX-License-Identifier: Apache-2.0
/// @file
/// Copies from the host that nobody waits for: from pinned memory of their own on a device, in place on the host.
#ifndef COMODAL_CORE_UPLOAD_HPP
#define COMODAL_CORE_UPLOAD_HPP

#include <comodal/core/device_api.hpp>
#include <comodal/core/tensor.hpp>

#include <array>
#include <cstddef>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// Host memory that a device copies from while the host goes on. Kokkos 3 has none that is named for every back end:
// there an upload waits.
#if defined(KOKKOS_HAS_SHARED_HOST_PINNED_SPACE)
using staging_space = Kokkos::SharedHostPinnedSpace;
inline constexpr bool staging_is_pinned = true;
#else
using staging_space = Kokkos::HostSpace;
inline constexpr bool staging_is_pinned = false;
#endif

}  // namespace detail

/// Sends blocks of bytes to the memory of `Space`, one after the other. Two pinned buffers take turns, so that the host
/// fills one while the other is copied; it waits only for the copy before the last one, if that still runs.
template <execution_space Space>
class uploader {
 public:
  /// Calls `fill(bytes)` with host memory of the size of `to`, and sends what it wrote there. On the host that memory
  /// is `to` itself. Does not wait for the copy, unless Kokkos is too old to have pinned memory.
  template <class Fill>
  void send(const Space& space, const tensor<std::byte, Space>& to, const Fill& fill) {
    ++detail::sent;
    if constexpr (is_host_v<Space>) {
      fill(to.data());
    } else {
      staging& now = m_staging[m_next];
      m_next = 1 - m_next;
      now.copied.wait(space);
      const auto bytes = static_cast<std::size_t>(to.size());
      if (now.memory.extent(0) != bytes)
        now.memory = memory_type(Kokkos::view_alloc(Kokkos::WithoutInitializing, "comodal::uploader"), bytes);
      fill(now.memory.data());
      Kokkos::deep_copy(space, device_type(to.data(), bytes), now.memory);
      if constexpr (detail::staging_is_pinned) {
        now.copied.set(space);
      } else {
        ++detail::synchronisations;
        space.fence();
      }
    }
  }

 private:
  using memory_type = Kokkos::View<std::byte*, detail::staging_space>;
  using device_type = Kokkos::View<std::byte*, typename Space::memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  struct staging {
    memory_type memory;
    detail::point_in_time<Space> copied;
  };

  std::array<staging, 2> m_staging;
  std::size_t m_next = 0;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
