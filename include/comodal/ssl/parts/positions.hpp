// SPDX-License-Identifier: Apache-2.0
/// @file
/// Cells of crops that are drawn to take part in a loss: a fixed number of places per group of cells, on the device.
#ifndef COMODAL_SSL_PARTS_POSITIONS_HPP
#define COMODAL_SSL_PARTS_POSITIONS_HPP

#include <comodal/autograd/variable.hpp>
#include <comodal/core/random.hpp>
#include <comodal/ssl/step_request.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The group of each cell of a crop, (N, V); `no_group` where a cell belongs to none.
template <tensor_backend Backend>
using cell_groups = tensor<std::uint8_t, typename Backend::space_type>;
inline constexpr std::uint8_t no_group = 255;

/// Drawn cells. A crop has the same places whatever it shows: those that found no cell are empty.
template <tensor_backend Backend>
struct drawn_positions {
  tensor<std::int32_t, typename Backend::space_type> cells;  // (N, K): the cell in each place, none twice; empty: -1
  cell_groups<Backend> groups;                               // (N, K): the group that each place belongs to
  variable<Backend> filled;                                  // (N, K): 1, or 0 where a place is empty
};

namespace ssl_detail {

inline constexpr index most_groups = 24, chunk_cells = 256;

// The places of each group: [first[g], first[g + 1]).
struct places_of_groups {
  std::int32_t first[most_groups + 1] = {};  // no std::array: kernels read it
  index groups = 0;
};

// How many cells of each group a chunk holds: (N, R, G).
struct count_cells_body {
  index cells, chunks, groups;
  const std::uint8_t* group;
  std::int32_t* counts;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index n = i / chunks, from = i % chunks * chunk_cells;
    const index to = from + chunk_cells < cells ? from + chunk_cells : cells;
    std::int32_t* out = counts + i * groups;
    for (index g = 0; g < groups; ++g) out[g] = 0;
    for (index v = from; v < to; ++v) {
      const std::uint8_t g = group[n * cells + v];
      if (g < groups) ++out[g];
    }
  }
};

// Counts become the number of cells in earlier chunks; the last row (of chunks + 1) holds the totals.
struct sum_chunks_body {
  index chunks, groups;
  const std::int32_t* counts;
  std::int32_t* before;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index n = i / groups, g = i % groups;
    std::int32_t sum = 0;
    for (index r = 0; r < chunks; ++r) {
      before[(n * (chunks + 1) + r) * groups + g] = sum;
      sum += counts[(n * chunks + r) * groups + g];
    }
    before[(n * (chunks + 1) + chunks) * groups + g] = sum;
  }
};

// Place j of k takes a cell of the j-th of k equal parts of the group's cells; of a group with no more cells than
// places, the j-th cell.
template <class T>
struct draw_body {
  index cells, chunks, places;
  places_of_groups of;
  std::uint64_t seed;
  std::uint32_t stream;
  const double* iteration;
  const std::uint8_t* group;
  const std::int32_t* before;
  std::int32_t* drawn;
  std::uint8_t* drawn_group;
  T* filled;

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index n = i / places, place = i % places;
    index g = 0;
    while (place >= of.first[static_cast<std::size_t>(g) + 1]) ++g;
    const index j = place - of.first[static_cast<std::size_t>(g)],
                k = of.first[static_cast<std::size_t>(g) + 1] - of.first[static_cast<std::size_t>(g)];
    const index rank = chosen(i, j, k, count_before(n, chunks, g));
    drawn_group[i] = static_cast<std::uint8_t>(g);
    filled[i] = rank >= 0 ? T(1) : T(0);
    drawn[i] = rank >= 0 ? static_cast<std::int32_t>(cell_of(n, g, rank)) : -1;
  }

 private:
  KOKKOS_INLINE_FUNCTION index count_before(index n, index chunk, index g) const {
    return before[(n * (chunks + 1) + chunk) * of.groups + g];
  }
  KOKKOS_INLINE_FUNCTION index chosen(index i, index j, index k, index all) const {
    if (all <= k) return j < all ? j : -1;
    const index low = j * all / k, high = (j + 1) * all / k;
    const r123::Philox4x32::ctr_type counter{{static_cast<std::uint32_t>(i),
                                              static_cast<std::uint32_t>(random_purpose::positions), stream,
                                              static_cast<std::uint32_t>(*iteration)}};
    const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
    const std::uint64_t draw = r123::Philox4x32()(counter, key)[0];
    return low + static_cast<index>(draw * static_cast<std::uint64_t>(high - low) >> 32);
  }
  // The cell of a rank within its group: its chunk by halving, then cell by cell.
  KOKKOS_INLINE_FUNCTION index cell_of(index n, index g, index rank) const {
    index low = 0, high = chunks;
    while (high - low > 1) {
      const index middle = (low + high) / 2;
      if (count_before(n, middle, g) <= rank)
        low = middle;
      else
        high = middle;
    }
    index left = rank - count_before(n, low, g), v = low * chunk_cells;
    for (;; ++v)
      if (group[n * cells + v] == g && left-- == 0) return v;
  }
};

template <class T>
struct gather_body {
  index cells, channels, places;
  const std::int32_t* at;
  const T* from;
  T* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % channels, row = i / channels, n = row / places;
    to[i] = at[row] >= 0 ? from[(n * cells + at[row]) * channels + c] : T(0);
  }
};
// No cell is drawn twice, so that no two of these write to the same element.
template <class T>
struct scatter_body {
  index cells, channels, places;
  const std::int32_t* at;
  const T* from;
  T* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % channels, row = i / channels, n = row / places;
    if (at[row] >= 0) to[(n * cells + at[row]) * channels + c] = from[i];
  }
};

}  // namespace ssl_detail

/// Draws cells of each group without repetition, anew in every step. A group of fewer cells than places leaves the rest
/// of its places empty. Does not wait for the device.
/// @param groups of cells, (N, V) @param places per group, in the order of the groups; K is their sum
/// @param stream tells draws of one step apart
/// @throws config_error for more than 24 groups or a negative number of places
template <tensor_backend Backend>
[[nodiscard]] drawn_positions<Backend> draw_positions(tape<Backend>& home, const cell_groups<Backend>& groups,
                                                      std::span<const index> places, const step_request& request,
                                                      std::string_view stream) {
  using T = typename Backend::scalar_type;
  auto& ctx = home.ctx();
  ssl_detail::places_of_groups of;
  of.groups = static_cast<index>(places.size());
  if (of.groups < 1 || of.groups > ssl_detail::most_groups)
    throw config_error(text("draw_positions: ", of.groups, " groups, expected 1 to ", ssl_detail::most_groups));
  for (std::size_t g = 0; g < places.size(); ++g) {
    if (places[g] < 0) throw config_error(text("draw_positions: ", places[g], " places, expected 0 or more"));
    of.first[g + 1] = of.first[g] + static_cast<std::int32_t>(places[g]);
  }
  const index samples = groups.shape()[0], cells = groups.shape()[1], all = of.first[places.size()];
  const index chunks = (cells + ssl_detail::chunk_cells - 1) / ssl_detail::chunk_cells;
  const auto counts = ctx.template make_of<std::int32_t>({samples, chunks, of.groups}),
             before = ctx.template make_of<std::int32_t>({samples, chunks + 1, of.groups});
  ops::each(ctx, samples * chunks,
            ssl_detail::count_cells_body{cells, chunks, of.groups, groups.data(), counts.data()});
  ops::each(ctx, samples * of.groups, ssl_detail::sum_chunks_body{chunks, of.groups, counts.data(), before.data()});
  drawn_positions<Backend> drawn;
  drawn.cells = ctx.template make_of<std::int32_t>({samples, all});
  drawn.groups = ctx.template make_of<std::uint8_t>({samples, all});
  auto filled = ctx.make({samples, all});
  ops::each(ctx, samples * all,
            ssl_detail::draw_body<T>{cells, chunks, all, of, request.seed, hash_name(stream),
                                     device_iteration(ctx, request.step), groups.data(), before.data(),
                                     drawn.cells.data(), drawn.groups.data(), filled.data()});
  drawn.filled = home.constant(filled);
  return drawn;
}

/// What drawn cells hold: x (N, V, C) -> (N, K, C); 0 in empty places.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> gather(const variable<Backend>& x, const drawn_positions<Backend>& at) {
  using T = typename Backend::scalar_type;
  auto& ctx = x.ctx();
  const index samples = x.extent(0), cells = x.extent(1), channels = x.extent(2), places = at.cells.shape()[1];
  auto y = ctx.make({samples, places, channels});
  ops::each(ctx, y.size(),
            ssl_detail::gather_body<T>{cells, channels, places, at.cells.data(), x.value().data(), y.data()});
  return x.home().result(
      y, {&x}, [&ctx, to = x.sink(), in = x.shape(), from = at.cells, cells, channels, places](const auto& d) {
        auto dx = ops::full(ctx, in, T(0));
        ops::each(ctx, d.size(),
                  ssl_detail::scatter_body<T>{cells, channels, places, from.data(), d.data(), dx.data()});
        to.accumulate(dx);
      });
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
