// SPDX-License-Identifier: Apache-2.0
/// @file
/// Where a step's time and memory went: sums by layer, operation and direction, kept by a context while it is asked to.
#ifndef COMODAL_CORE_PROFILE_HPP
#define COMODAL_CORE_PROFILE_HPP

#include <comodal/core/kokkos.hpp>
#include <comodal/core/shape.hpp>

#include <chrono>
#include <compare>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Times and memory by layer, operation and direction. Operations nest: an operation that calls others is charged for
/// its own part alone. Not thread-safe.
class profile {
 public:
  /// What a sum is for.
  struct key {
    std::string layer;           // as `layer_scope` names it; "" outside of any
    std::string_view operation;  // "conv3d", "instance_norm" ...
    std::string_view engine;     // of operations that have more than one, else ""
    bool backward = false;
    friend auto operator<=>(const key&, const key&) = default;
  };
  struct sums {
    double seconds = 0;
    index calls = 0;
    std::ptrdiff_t kept_bytes = 0;  // memory in use after the calls minus before: what the backward pass will need
    double multiply_adds = 0;       // of convolutions and matrix products
  };

  [[nodiscard]] const std::map<key, sums>& all() const { return m_all; }
  /// Forgets the sums, not the layers that are open.
  void clear() { m_all.clear(); }
  /// Seconds in all operations, or in those of one name.
  [[nodiscard]] double seconds(std::string_view operation = "") const {
    double total = 0;
    for (const auto& [k, s] : m_all)
      if (operation.empty() || k.operation == operation) total += s.seconds;
    return total;
  }

  /// Multiply-adds of all convolutions and matrix products, padding included.
  [[nodiscard]] double multiply_adds() const {
    double total = 0;
    for (const auto& [k, s] : m_all) total += s.multiply_adds;
    return total;
  }

  /// The layer that is open; set by `layer_scope` and by a tape on its way back.
  std::string layer;

  /// @param operation a string literal
  void begin(const char* operation, bool backward, std::size_t bytes_in_use) {
    m_open.push_back({{layer, operation, "", backward}, now(), 0, bytes_in_use, 0});
  }
  /// The operation that began last and has not ended, or null.
  [[nodiscard]] const char* operation() const { return m_open.empty() ? nullptr : m_open.back().what.operation.data(); }
  /// Says which engine carries the operation out that began last.
  void engine(std::string_view name) {
    if (!m_open.empty()) m_open.back().what.engine = name;
  }
  /// Says how many multiply-adds the operation has that began last.
  void multiply_adds(index count) {
    if (!m_open.empty()) m_open.back().multiply_adds += static_cast<double>(count);
  }
  void end(std::size_t bytes_in_use) {
    const open_operation done = m_open.back();
    m_open.pop_back();
    const double elapsed = now() - done.start;
    const auto kept = static_cast<std::ptrdiff_t>(bytes_in_use) - static_cast<std::ptrdiff_t>(done.bytes);
    sums& s = m_all[done.what];
    s.seconds += elapsed - done.inner_seconds;
    s.kept_bytes += kept - done.inner_bytes;
    s.multiply_adds += done.multiply_adds;
    ++s.calls;
    if (!m_open.empty()) {
      m_open.back().inner_seconds += elapsed;
      m_open.back().inner_bytes += kept;
    }
  }

 private:
  struct open_operation {
    key what;
    double start, inner_seconds;
    std::size_t bytes;
    std::ptrdiff_t inner_bytes;
    double multiply_adds = 0;
  };
  static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  std::map<key, sums> m_all;
  std::vector<open_operation> m_open;
};

/// Names a stretch of work for Kokkos' profiling tools, for example `comodal::conv3d[onednn]`.
class profiling_region {
 public:
  explicit profiling_region(const std::string& name) { Kokkos::Profiling::pushRegion(name); }
  ~profiling_region() { Kokkos::Profiling::popRegion(); }
  profiling_region(const profiling_region&) = delete;
  profiling_region& operator=(const profiling_region&) = delete;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
