// SPDX-License-Identifier: Apache-2.0
/// @file
/// A run of numbers side by side in vector registers, for the sums of register tiles: compilers keep an array of such
/// sums in memory around a loop, and these in registers.
#ifndef COMODAL_ENGINE_HOST_LANES_HPP
#define COMODAL_ENGINE_HOST_LANES_HPP

#include <comodal/engine/host/register_tiles.hpp>

#include <algorithm>
#include <cstring>

#if defined(__NVCC__)  // does not know "GCC unroll"; lanes run on the host alone
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675
#endif

namespace comodal::inline COMODAL_CONFIG::engine_detail {

/// `Count` numbers; a power of two. Element by element, in any width of registers, the same results.
template <class C, int Count>
class lanes {
 public:
  void clear() {
#pragma GCC unroll 8
    for (int i = 0; i < registers; ++i) m_registers[i] = part{};
  }
  void load(const C* from) {
#pragma GCC unroll 8
    for (int i = 0; i < registers; ++i) std::memcpy(&m_registers[i], from + i * per_register, bytes);
  }
  void store(C* to) const {
#pragma GCC unroll 8
    for (int i = 0; i < registers; ++i) std::memcpy(to + i * per_register, &m_registers[i], bytes);
  }
  void add(const lanes& other) {
#pragma GCC unroll 8
    for (int i = 0; i < registers; ++i) m_registers[i] += other.m_registers[i];
  }
  /// += left * right
  void add_product(C left, const lanes& right) {
#pragma GCC unroll 8
    for (int i = 0; i < registers; ++i) m_registers[i] += left * right.m_registers[i];
  }

 private:
#if defined(__NVCC__)  // single numbers: its front end need not know vectors whose width a template decides
  static constexpr int bytes = sizeof(C);
  using part = C;
#else
  static constexpr int bytes = std::min(Count * static_cast<int>(sizeof(C)), vector_lanes * 4);
  using part __attribute__((vector_size(bytes))) = C;
#endif
  static constexpr int per_register = bytes / static_cast<int>(sizeof(C)), registers = Count / per_register;
  static_assert((Count & (Count - 1)) == 0 && registers > 0);

  part m_registers[registers];
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#if defined(__NVCC__)
#pragma nv_diagnostic pop
#endif

#endif
