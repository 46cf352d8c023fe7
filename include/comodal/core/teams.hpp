// SPDX-License-Identifier: Apache-2.0
/// @file
/// Kernels of teams: lanes that share fast memory and wait for each other. On a device a team is a Kokkos team; where
/// memory is the host's, one lane after another does its part of each phase.
#ifndef COMODAL_CORE_TEAMS_HPP
#define COMODAL_CORE_TEAMS_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/kokkos.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/core/shape.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A kernel of teams, written as phases. It has
///   - `lanes`: the lanes of a team, a power of two;
///   - `shared`: what a team shares, and `own`: what a lane keeps from phase to phase, both trivial types that begin
///     with any bytes;
///   - `int phases(index team) const`;
///   - `void phase(int k, index team, int lane, shared&, own&) const`.
/// All lanes of a team end a phase before one begins the next. Within a phase a lane reads from `shared` what earlier
/// phases wrote, or what it wrote itself, and no two lanes write the same place.
template <class Body>
concept team_body = std::is_trivial_v<typename Body::shared> && std::is_trivial_v<typename Body::own> &&
                    requires(const Body& b, typename Body::shared& s, typename Body::own& o, index team) {
                      { Body::lanes } -> std::convertible_to<int>;
                      { b.phases(team) } -> std::same_as<int>;
                      { b.phase(0, team, 0, s, o) } -> std::same_as<void>;
                    };

namespace detail {

// How the host carries teams out. Tests change it: a kernel that relies on the order of lanes within a phase, or on
// bytes that nobody wrote, then gives other results.
struct team_trial {
  std::uint64_t order = 0;  // 0: lanes from first to last; else another order in each phase
  bool poison = false;      // `shared` and `own` begin as NaN
};
inline team_trial host_teams;

template <class Body>
struct team_kernel {
  Body body;
  static constexpr std::size_t scratch = sizeof(typename Body::shared) + alignof(typename Body::shared);

  template <class Member>
  KOKKOS_INLINE_FUNCTION void operator()(const Member& member) const {
    using shared = typename Body::shared;
    shared& s = *static_cast<shared*>(member.team_scratch(0).get_shmem_aligned(sizeof(shared), alignof(shared)));
    typename Body::own own;
    const index team = member.league_rank();
    const int lane = static_cast<int>(member.team_rank()), count = body.phases(team);
    for (int k = 0; k < count; ++k) {
      body.phase(k, team, lane, s, own);
      member.team_barrier();
    }
  }
};

template <class Body>
void team_on_host(const Body& body, index team) {
  constexpr auto lanes = static_cast<std::size_t>(Body::lanes);
  const auto shared = std::make_unique<typename Body::shared>();
  std::vector<typename Body::own> own(lanes);
  if (host_teams.poison) {
    std::memset(static_cast<void*>(shared.get()), 0xff, sizeof(*shared));
    std::memset(static_cast<void*>(own.data()), 0xff, sizeof(own[0]) * lanes);
  }
  std::vector<int> order(lanes);
  std::iota(order.begin(), order.end(), 0);
  std::uint64_t state = host_teams.order + static_cast<std::uint64_t>(team);
  const int count = body.phases(team);
  for (int k = 0; k < count; ++k) {
    if (host_teams.order != 0)
      for (std::size_t i = lanes; i > 1; --i) {  // shuffles by a linear congruential generator (Knuth's MMIX)
        state = state * 6364136223846793005U + 1442695040888963407U;
        std::swap(order[i - 1], order[static_cast<std::size_t>(state >> 33) % i]);
      }
    for (const int lane : order) body.phase(k, team, lane, *shared, own[static_cast<std::size_t>(lane)]);
  }
}

}  // namespace detail

/// Runs `teams` teams, which are independent of each other.
/// @param name a string literal, for profiling tools
/// @throws device_error for 2^31 teams and more
template <execution_space Space, team_body Body>
void for_teams(const char* name, const Space& space, index teams, const Body& body) {
  static_assert(sizeof(Body) <= detail::most_kernel_bytes, "comodal: a kernel's functor has at most 3584 bytes");
  static_assert(sizeof(typename Body::shared) <= 47 * 1024, "comodal: a team shares at most 47 KiB");
  static_assert((Body::lanes & (Body::lanes - 1)) == 0 && Body::lanes <= 1024);
  if (teams <= 0) return;
  if (teams > std::numeric_limits<int>::max())
    throw device_error(text(name, ": ", teams, " teams, expected at most ", std::numeric_limits<int>::max()));
  if constexpr (std::is_same_v<typename Space::memory_space, Kokkos::HostSpace>) {
    host_loop(teams, teams > 1, [&](index team) { detail::team_on_host(body, team); });
  } else {
    using kernel = detail::team_kernel<Body>;
    auto policy = detail::carrying(
        Kokkos::TeamPolicy<Space, Kokkos::LaunchBounds<Body::lanes>>(space, static_cast<int>(teams), Body::lanes));
    Kokkos::parallel_for(name, policy.set_scratch_size(0, Kokkos::PerTeam(kernel::scratch)), kernel{body});
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
