// SPDX-License-Identifier: Apache-2.0
/// @file
/// A pool of buffers in one memory space: a buffer that is given back serves a later request of its size or somewhat
/// less, so that a training step allocates nothing once the first has run, and hardly anything where sizes change with
/// the modalities that are present.
#ifndef COMODAL_CORE_MEMORY_HPP
#define COMODAL_CORE_MEMORY_HPP

#include <comodal/core/device_api.hpp>
#include <comodal/core/error.hpp>
#include <comodal/core/kokkos.hpp>
#include <comodal/core/shape.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What a pool holds and has held, in bytes.
struct memory_statistics {
  std::size_t in_use = 0;       // asked for and handed out now, each rounded up to its size class
  std::size_t peak = 0;         // the most that ever was in use
  std::size_t held = 0;         // taken from the system, handed out or not
  std::size_t allocations = 0;  // how often the system was asked
};

/// Where a pool takes its buffers from: Kokkos' allocations in the memory space of `Space`.
template <execution_space Space>
struct kokkos_memory {
  using memory_space = typename Space::memory_space;
  /// Null where the system has no more; `why` is then the first sentence of what Kokkos says, unless it says no more
  /// than that.
  [[nodiscard]] std::byte* allocate(std::size_t bytes, std::string& why) {
    try {  // Kokkos 3 throws std::runtime_error, later ones std::bad_alloc
      return static_cast<std::byte*>(Kokkos::kokkos_malloc<memory_space>("comodal::memory_pool", bytes));
    } catch (const std::exception& failure) {
      why = failure.what();
      why.resize(std::min({why.size(), why.find('\n'), why.find(".  ")}));
      if (why.starts_with("Kokkos failed to allocate memory for label")) why.clear();
      return nullptr;
    }
  }
  void free(std::byte* data) { Kokkos::kokkos_free<memory_space>(data); }
  /// What the device has left: bytes, and of how many; zeros on the host.
  [[nodiscard]] device_memory left() const { return memory_of_device<Space>(); }
};

/// Buffers of the memory space of `Space`. Thread-safe. Buffers keep the pool alive.
/// @tparam Memory as `kokkos_memory`: tests put a small one in its place
template <execution_space Space, class Memory = kokkos_memory<Space>>
class memory_pool : public std::enable_shared_from_this<memory_pool<Space, Memory>> {
 public:
  using memory_space = typename Space::memory_space;

  explicit memory_pool(Memory memory = {}) : m_memory(std::move(memory)) {}
  memory_pool(const memory_pool&) = delete;
  memory_pool& operator=(const memory_pool&) = delete;
  ~memory_pool() { release(); }

  /// At least `bytes` bytes, aligned to 64 (the host) or as the device gives them; uninitialised. Where the system has
  /// no more, the pool gives back what it does not use and asks once more.
  /// @throws out_of_memory_error, with sizes, where that is not enough; the pool then is as before the call, but for
  /// the buffers that it gave back
  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes) {
    const std::size_t size = size_class(bytes);
    const auto [data, capacity] = take(size);
    return {data, [pool = this->shared_from_this(), size, capacity = capacity](std::byte* p) {
              pool->give(p, size, capacity);
            }};
  }

  /// Returns to the system what is not handed out.
  void release() {
    const std::lock_guard lock(m_mutex);
    release_free();
  }

  /// Buffers that are kept apart from all others: those that were handed out while the reserve was open.
  class reserve {
    friend class memory_pool;
    std::set<std::byte*> m_members;
    std::map<std::size_t, std::vector<std::byte*>> m_free;
  };
  /// From now on buffers come from a reserve; what they leave serves the same reserve alone, until it is dropped. One
  /// reserve is open at a time. @throws error where one is open
  [[nodiscard]] reserve* open_reserve() {
    const std::lock_guard lock(m_mutex);
    if (m_open) throw error("memory pool: a reserve is open already; end the recording that opened it first");
    m_reserves.push_back(std::make_unique<reserve>());
    return m_open = m_reserves.back().get();
  }
  /// Buffers come from a reserve that was open before again. @throws error where one is open
  void reopen_reserve(reserve* known) {
    const std::lock_guard lock(m_mutex);
    if (m_open) throw error("memory pool: a reserve is open already; end the recording that opened it first");
    m_open = known;
  }
  /// Buffers come from everywhere else again.
  void close_reserve() {
    const std::lock_guard lock(m_mutex);
    m_open = nullptr;
  }
  /// Buffers of a reserve become like all others.
  void drop_reserve(const reserve* dropped) {
    const std::lock_guard lock(m_mutex);
    const auto found =
        std::find_if(m_reserves.begin(), m_reserves.end(), [&](const auto& r) { return r.get() == dropped; });
    if (found == m_reserves.end()) return;
    for (auto& [size, list] : (*found)->m_free) {
      auto& all = m_free[size];
      all.insert(all.end(), list.begin(), list.end());
    }
    m_reserves.erase(found);
  }

  [[nodiscard]] memory_statistics statistics() const {
    const std::lock_guard lock(m_mutex);
    return m_statistics;
  }

 private:
  // Eight classes to each power of two: at most 12.5 % is wasted and buffers find new users.
  std::size_t size_class(std::size_t bytes) const {
    // No space has as much, and the next class may be none of std::size_t's numbers.
    if (bytes > std::numeric_limits<std::size_t>::max() / 2)
      throw out_of_memory_error(refusal(bytes, statistics().in_use, ""));
    std::size_t step = 64;
    while (step * 16 < bytes) step *= 2;
    return std::max<std::size_t>((bytes + step - 1) / step * step, 64);
  }

  // The smallest free buffer that is large enough, and its capacity: at most half as much again, but for sizes that are
  // next to nothing.
  std::pair<std::byte*, std::size_t> take(std::size_t size) {
    const std::lock_guard lock(m_mutex);
    std::pair<std::byte*, std::size_t> found{nullptr, size};
    if (m_open) found = take_free(m_open->m_free, size);
    if (!found.first) found = take_free(m_free, size);
    if (!found.first) {
      found.first = from_system(size);
      m_statistics.held += size;
      ++m_statistics.allocations;
    }
    if (m_open) m_open->m_members.insert(found.first);
    count_use(size);
    return found;
  }

  static std::pair<std::byte*, std::size_t> take_free(std::map<std::size_t, std::vector<std::byte*>>& buffers,
                                                      std::size_t size) {
    const std::size_t largest = std::max<std::size_t>(size + size / 2, 4096);
    for (auto free = buffers.lower_bound(size); free != buffers.end() && free->first <= largest; ++free)
      if (!free->second.empty()) {
        std::byte* data = free->second.back();
        free->second.pop_back();
        return {data, free->first};
      }
    return {nullptr, size};
  }

  void count_use(std::size_t size) {
    m_statistics.in_use += size;
    m_statistics.peak = std::max(m_statistics.peak, m_statistics.in_use);
  }

  std::byte* from_system(std::size_t size) {
    std::string why;
    std::byte* data = m_memory.allocate(size, why);
    if (!data) {
      release_free();
      data = m_memory.allocate(size, why);
    }
    if (!data) throw out_of_memory_error(refusal(size, m_statistics.in_use, why));
    return data;
  }

  void release_free() {
    for (auto& [size, list] : m_free)
      for (std::byte* p : list) {
        m_memory.free(p);
        m_statistics.held -= size;
      }
    m_free.clear();
  }

  // One line; `why`: the system's own words.
  [[nodiscard]] std::string refusal(std::size_t bytes, std::size_t in_use, const std::string& why) const {
    const auto gib = [](std::size_t number) { return static_cast<double>(number) / (1 << 30); };
    std::string room = "the system gives no more";
    if constexpr (requires { m_memory.left(); })
      if (const device_memory left = m_memory.left(); left.total > 0)
        room = text(gib(left.free), " of the device's ", gib(left.total), " GiB are free");
    return text("out of memory: ", bytes, " bytes (", gib(bytes), " GiB) were asked for, tensors use ", gib(in_use),
                " GiB and ", room, why.empty() ? "" : " (", why, why.empty() ? "" : ")");
  }

  void give(std::byte* data, std::size_t size, std::size_t capacity) {
    const std::lock_guard lock(m_mutex);
    m_statistics.in_use -= size;
    for (const auto& r : m_reserves)
      if (r->m_members.contains(data)) return r->m_free[capacity].push_back(data);
    m_free[capacity].push_back(data);
  }

  Memory m_memory;
  mutable std::mutex m_mutex;
  std::map<std::size_t, std::vector<std::byte*>> m_free;
  std::vector<std::unique_ptr<reserve>> m_reserves;
  reserve* m_open = nullptr;
  memory_statistics m_statistics;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
