// SPDX-License-Identifier: Apache-2.0
/// @file
/// How many sums the register tiles of the host kernels hold, by instruction set.
#ifndef COMODAL_ENGINE_HOST_REGISTER_TILES_HPP
#define COMODAL_ENGINE_HOST_REGISTER_TILES_HPP

#include <comodal/core/config.hpp>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

// Tiles: voxels x channels whose sums stay in vector registers.
#if defined(__AVX512F__)
inline constexpr int tile_rows = 8, tile_columns = 32, vector_lanes = 16, most_sums = 16;
#else
inline constexpr int tile_rows = 6, tile_columns = 16, vector_lanes = 8, most_sums = 12;
#endif

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
