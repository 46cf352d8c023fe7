// SPDX-License-Identifier: Apache-2.0
/// @file
/// The tile registers of a processor with AMX (Intel, Advanced Matrix Extensions), as operations that kernels are
/// templates over: tests put an emulation in their place.
#ifndef COMODAL_ENGINE_AMX_TILES_HPP
#define COMODAL_ENGINE_AMX_TILES_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/processor.hpp>
#include <comodal/core/shape.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>

// clang's assembler takes these instructions only where the whole program is compiled for them.
#if defined(__x86_64__) && defined(__linux__) && !defined(__NVCC__) && \
    (!defined(__clang__) ||                                            \
     ((defined(__AMX_BF16__) || defined(__AMXBF16__)) && defined(__AVX512BF16__) && defined(__AVX512VL__)))
#define COMODAL_HAS_AMX
#endif

namespace comodal::inline COMODAL_CONFIG::engine_detail {

/// Rows of a tile, and bytes of a row: 16 floats, or 32 bfloat16.
inline constexpr index tile_edge = 16, tile_bytes = 64;

/// The shapes of the eight tiles, all of 16 rows of 64 bytes, in the layout of the instruction LDTILECFG (Intel's
/// manual, volume 1, 18.2).
struct alignas(64) tile_shapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {};
  std::uint8_t rows[16] = {};

  tile_shapes() {
    for (int tile = 0; tile < 8; ++tile) {
      rows[tile] = static_cast<std::uint8_t>(tile_edge);
      bytes[tile] = static_cast<std::uint16_t>(tile_bytes);
    }
  }
};
static_assert(sizeof(tile_shapes) == 64);

/// Eight tile registers of the calling thread, numbered at compile time. Rows in memory are `pitch` bytes apart.
template <class Tiles>
concept tile_registers =
    requires(const tile_shapes& shapes, const void* from, void* to, index pitch, const float* sums, bfloat16* results) {
      { Tiles::configure(shapes) };
      { Tiles::release() };
      { Tiles::template zero<0>() };
      { Tiles::template load<0>(from, pitch) };
      { Tiles::template store<0>(to, pitch) };
      /// Tile 0 (rows, columns) of floats += tile 1 (rows, K) times tile 2 (K / 2, columns, 2), both of bfloat16.
      { Tiles::template multiply<0, 1, 2>() };
      /// to[i] = sums[i] + bias[i], rounded, for 16 or 8 channels; denormal numbers may become 0.
      { Tiles::template round<16>(sums, sums, results) };
    };

#if defined(COMODAL_HAS_AMX)

// Rounds by way of register 16, which no program that is compiled for an older processor uses.
#if defined(__AVX512F__)
#define COMODAL_REGISTER_16 , "xmm16"
#else
#define COMODAL_REGISTER_16
#endif
#define COMODAL_ROUND(wide, narrow)                                                                       \
  asm volatile("vmovups (%0), %%" wide "\n\tvaddps (%1), %%" wide ", %%" wide "\n\tvcvtneps2bf16 %%" wide \
               ", %%" narrow "\n\tvmovdqu32 %%" narrow ", (%2)" ::"r"(sums),                              \
               "r"(bias), "r"(to)                                                                         \
               : "memory" COMODAL_REGISTER_16)

/// The processor's own, with its instructions for bfloat16 (AVX-512 BF16).
struct amx_tiles {
  static void configure(const tile_shapes& shapes) { asm volatile("ldtilecfg %0" ::"m"(shapes)); }
  static void release() { asm volatile("tilerelease"); }
  template <int Tile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(Tile));
  }
  template <int Tile>
  static void load(const void* from, index pitch) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(pitch), "i"(Tile) : "memory");
  }
  template <int Tile>
  static void store(void* to, index pitch) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(pitch), "i"(Tile) : "memory");
  }
  template <int Sum, int Left, int Right>
  static void multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(Sum), "i"(Left), "i"(Right));
  }
  template <int Channels>
  static void round(const float* sums, const float* bias, bfloat16* to) {
    static_assert(Channels == 16 || Channels == 8);
    if constexpr (Channels == 16)
      COMODAL_ROUND("zmm16", "ymm16");
    else
      COMODAL_ROUND("ymm16", "xmm16");
  }
};
static_assert(tile_registers<amx_tiles>);

#undef COMODAL_ROUND
#undef COMODAL_REGISTER_16

#endif

/// True where this program has kernels for tile registers.
#if defined(COMODAL_HAS_AMX)
inline constexpr bool tiles_compiled = true;
#else
inline constexpr bool tiles_compiled = false;
#endif

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
