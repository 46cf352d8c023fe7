// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sums over rows of (groups, rows, channels), in a fixed order: on the host by blocks of rows, on a device by teams.
#ifndef COMODAL_CORE_ROW_SUMS_HPP
#define COMODAL_CORE_ROW_SUMS_HPP

#include <comodal/core/loops.hpp>
#include <comodal/core/teams.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

/// Rows that one partial sum takes: depends on the problem alone, never on the number of threads.
[[nodiscard]] constexpr index rows_a_chunk(index rows, index channels) {
  const index wanted = std::max<index>(64, 16384 / std::max<index>(channels, 1));
  const index chunks = std::min<index>(1024, (rows + wanted - 1) / wanted);
  return chunks <= 1 ? std::max<index>(rows, 1) : (rows + chunks - 1) / chunks;
}

// What a body adds a few rows in before they are added to the sums: `Body::run_sum`, else the sums themselves.
template <class Body, class Accumulator>
struct run_sum_of {
  using type = Accumulator;
};
template <class Body, class Accumulator>
  requires requires { typename Body::run_sum; }
struct run_sum_of<Body, Accumulator> {
  using type = typename Body::run_sum;
};

template <class Accumulator, int Sums, class Body>
struct partial_rows {
  using run_sum = typename run_sum_of<Body, Accumulator>::type;
  static constexpr index run = 8;  // rows

  Body body;
  Accumulator* partial;  // (groups, chunks, Sums, channels)
  index rows, channels, chunk, chunks;

  // One (group, chunk, channel): the device's unit of work.
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % channels, k = i / channels % chunks, g = i / channels / chunks;
    Accumulator sums[Sums] = {};
    const index last = (k + 1) * chunk < rows ? (k + 1) * chunk : rows;
    for (index r = k * chunk; r < last; ++r) body(g, r, c, static_cast<Accumulator*>(sums));
    for (int s = 0; s < Sums; ++s) partial[((g * chunks + k) * Sums + s) * channels + c] = sums[s];
  }

  // One (group, chunk), `Lanes` channels at a time: the host's unit of work.
  template <int Lanes>
  void lanes(index g, index k, index first) const {
    Accumulator sums[Sums][Lanes] = {};
    const Body own = body;
    const index last = std::min((k + 1) * chunk, rows);
    for (index r = k * chunk; r < last; r += run) {
      run_sum some[Sums][Lanes] = {};
      for (index i = r; i < std::min(r + run, last); ++i) {
#pragma omp simd
        for (int l = 0; l < Lanes; ++l) own(g, i, first + l, lane_of<run_sum, Lanes>{&some[0][l]});
      }
      for (int s = 0; s < Sums; ++s)
#pragma omp simd
        for (int l = 0; l < Lanes; ++l) sums[s][l] += some[s][l];
    }
    for (int s = 0; s < Sums; ++s)
      for (int l = 0; l < Lanes; ++l) partial[((g * chunks + k) * Sums + s) * channels + first + l] = sums[s][l];
  }
  void host(index g, index k) const {
    in_lanes(channels, [&](index c, auto count) { lanes<decltype(count)::value>(g, k, c); });
  }
};

template <class Accumulator, class Out, int Sums>
struct combine_rows {
  const Accumulator* partial;
  Out* out;  // (groups, Sums, channels)
  index channels, chunks;

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % channels, s = i / channels % Sums, g = i / channels / Sums;
    Accumulator total = 0;
    for (index k = 0; k < chunks; ++k) total += partial[((g * chunks + k) * Sums + s) * channels + c];
    out[i] = static_cast<Out>(total);
  }
};

// How a device cuts rows: a team of lanes stands side by side over channels, and below each other over rows.
struct row_teams {
  static constexpr int lanes = 256, most_teams = 1024, least_rows = 64;
  index rows, channels, tiles, chunk, chunks;
  int wide = 1;  // lanes side by side, a power of two

  constexpr row_teams(index groups, index all_rows, index all_channels)
      : rows(all_rows), channels(all_channels), tiles(1), chunk(1), chunks(1) {
    while (wide < 32 && wide < channels) wide *= 2;
    tiles = (channels + wide - 1) / wide;
    const index deep = lanes / wide, wanted = std::max<index>(1, most_teams / std::max<index>(1, groups * tiles));
    chunk = std::max<index>(8 * deep, (rows + wanted - 1) / wanted);
    chunks = std::max<index>(1, (rows + chunk - 1) / chunk);
  }
  // The same as one chunk.
  [[nodiscard]] constexpr row_teams at_once() const {
    row_teams t = *this;
    t.chunk = std::max<index>(1, rows);
    t.chunks = 1;
    return t;
  }
  // True where a team has enough to do; else a lane of its own adds up each channel.
  [[nodiscard]] static constexpr bool pay(index rows) { return rows >= least_rows; }
};

// One (group, chunk, tile of channels) per team: each lane adds up its rows, then halves of lanes are added.
template <class Accumulator, int Sums, class Body, class Out>
struct team_row_sums {
  using run_sum = typename run_sum_of<Body, Accumulator>::type;
  static constexpr int lanes = row_teams::lanes, run = 8;
  struct shared {
    Accumulator sums[Sums][lanes];
  };
  struct own {};

  Body body;
  row_teams t;
  Out* out;  // (groups, chunks, Sums, channels)

  KOKKOS_INLINE_FUNCTION int phases(index) const {
    int count = 1;
    for (int half = lanes; half > t.wide; half /= 2) ++count;
    return count;
  }
  KOKKOS_INLINE_FUNCTION void phase(int k, index team, int lane, shared& s, own&) const {
    const index c = team % t.tiles * t.wide + lane % t.wide, g = team / t.tiles / t.chunks,
                chunk = team / t.tiles % t.chunks;
    if (k == 0) return add_rows(g, chunk, c, lane, s);
    const int half = lanes >> k;
    if (lane >= half) return;
    for (int i = 0; i < Sums; ++i) s.sums[i][lane] += s.sums[i][lane + half];
    if (half == t.wide && c < t.channels)
      for (int i = 0; i < Sums; ++i)
        out[((g * t.chunks + chunk) * Sums + i) * t.channels + c] = static_cast<Out>(s.sums[i][lane]);
  }

 private:
  KOKKOS_INLINE_FUNCTION void add_rows(index g, index chunk, index c, int lane, shared& s) const {
    Accumulator sums[Sums] = {};
    const index step = lanes / t.wide, last = (chunk + 1) * t.chunk < t.rows ? (chunk + 1) * t.chunk : t.rows;
    if (c < t.channels)
      for (index r = chunk * t.chunk + lane / t.wide; r < last; r += run * step) {
        run_sum some[Sums] = {};
        for (int i = 0; i < run; ++i)
          if (r + i * step < last) body(g, r + i * step, c, static_cast<run_sum*>(some));
        for (int i = 0; i < Sums; ++i) sums[i] += static_cast<Accumulator>(some[i]);
      }
    for (int i = 0; i < Sums; ++i) s.sums[i][lane] = sums[i];
  }
};

// Adds rows (groups, rows, channels) up.
template <class Accumulator>
struct plain_rows {
  const Accumulator* from;
  index rows, channels;
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c, Accumulator* sums) const {
    sums[0] += from[(g * rows + r) * channels + c];
  }
};

template <int Sums, class Accumulator, execution_space Space, class Out, class Body>
void reduce_rows_by_teams(const Space& space, index groups, index rows, index channels, const Body& body,
                          Accumulator* scratch, Out* out) {
  const row_teams t(groups, rows, channels);
  if (t.chunks == 1)
    return for_teams("comodal::reduce_rows", space, groups * t.tiles,
                     team_row_sums<Accumulator, Sums, Body, Out>{body, t, out});
  for_teams("comodal::reduce_rows", space, groups * t.chunks * t.tiles,
            team_row_sums<Accumulator, Sums, Body, Accumulator>{body, t, scratch});
  const plain_rows<Accumulator> all{scratch, t.chunks, Sums * channels};
  const row_teams of_chunks = row_teams(groups, t.chunks, Sums * channels).at_once();
  for_teams("comodal::reduce_rows", space, groups * of_chunks.tiles,
            team_row_sums<Accumulator, 1, plain_rows<Accumulator>, Out>{all, of_chunks, out});
}

}  // namespace detail

/// Number of elements that `reduce_rows` needs as scratch.
template <execution_space Space>
[[nodiscard]] constexpr index reduce_rows_scratch(int sums, index groups, index rows, index channels) {
  if (!is_host_v<Space> && detail::row_teams::pay(rows))
    return groups * detail::row_teams(groups, rows, channels).chunks * sums * channels;
  const index chunk = detail::rows_a_chunk(rows, channels);
  return groups * ((rows + chunk - 1) / chunk) * sums * channels;
}

/// Sums over rows: `body(group, row, channel, sums)` adds to `sums[0]` ... `sums[Sums - 1]` (its last argument is of a
/// type that the loop chooses: take it as a template parameter), and may write results of its element; `out` is
/// (groups, Sums, channels). A body that names a shorter type, `run_sum`, has eight rows at a time added in it, before
/// they are added to the sums. The order of additions depends on (groups, rows, channels) alone: fixed chunks,
/// combined in a fixed order.
/// @param scratch `reduce_rows_scratch<Space>(Sums, groups, rows, channels)` elements in the memory of `Space`
template <int Sums, class Accumulator, execution_space Space, class Out, class Body>
void reduce_rows(const Space& space, index groups, index rows, index channels, const Body& body, Accumulator* scratch,
                 Out* out) {
  if (groups <= 0 || channels <= 0) return;
  if constexpr (!is_host_v<Space>)
    if (detail::row_teams::pay(rows))
      return detail::reduce_rows_by_teams<Sums>(space, groups, rows, channels, body, scratch, out);
  const index chunk = detail::rows_a_chunk(rows, channels), chunks = (rows + chunk - 1) / chunk;
  const detail::partial_rows<Accumulator, Sums, Body> first{body, scratch, rows, channels, chunk, chunks};
  if constexpr (is_host_v<Space>) {
    host_loop(groups * chunks, groups * rows * channels > serial_limit,
              [&](index t) { first.host(t / chunks, t % chunks); });
  } else {
    for_elements(space, groups * chunks * channels, first);
  }
  for_elements(space, groups * Sums * channels,
               detail::combine_rows<Accumulator, Out, Sums>{scratch, out, channels, chunks});
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
