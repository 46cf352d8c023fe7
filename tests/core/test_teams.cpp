// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE core_teams
#include <boost/test/unit_test.hpp>

#include <comodal/core/teams.hpp>

#include <core/support.hpp>

namespace comodal::tests {

using backend = kokkos_backend<default_space, float>;

// Each lane hands its number to the next one, twice. Without `Waits` both are one phase.
template <bool Waits>
struct relay {
  static constexpr int lanes = 32;
  struct shared {
    float values[2][lanes];
  };
  struct own {
    float kept;
  };
  float* to;  // (teams, lanes)

  KOKKOS_INLINE_FUNCTION int phases(index) const { return Waits ? 3 : 1; }
  KOKKOS_INLINE_FUNCTION void phase(int k, index team, int lane, shared& s, own& o) const {
    if (!Waits || k == 0) {
      o.kept = static_cast<float>(100 * team + lane);
      s.values[0][lane] = o.kept;
    }
    if (!Waits || k == 1) s.values[1][lane] = s.values[0][(lane + 1) % lanes] + o.kept;
    if (!Waits || k == 2) to[team * lanes + lane] = s.values[1][(lane + 1) % lanes];
  }
};

// As many phases as the team's number.
struct count_phases {
  static constexpr int lanes = 1;
  struct shared {
    int unused;
  };
  struct own {
    int count;
  };
  float* to;
  KOKKOS_INLINE_FUNCTION int phases(index team) const { return static_cast<int>(team); }
  KOKKOS_INLINE_FUNCTION void phase(int k, index team, int, shared&, own& o) const {
    o.count = k == 0 ? 1 : o.count + 1;
    to[team] = static_cast<float>(o.count);
  }
};

struct workshop {
  context<backend> ctx;
  detail::team_trial before = detail::host_teams;
  ~workshop() { detail::host_teams = before; }

  template <class Body>
  std::vector<float> computed(index teams, index size, const detail::team_trial& trial) {
    const auto t = ctx.make({size}, std::vector<float>(static_cast<std::size_t>(size), -1.0F));
    detail::host_teams = trial;
    for_teams("test", ctx.space(), teams, Body{t.data()});
    return to_host(ctx.space(), t);
  }
};

BOOST_FIXTURE_TEST_CASE(what_lanes_hand_each_other_arrives_in_any_order, workshop) {
  constexpr index teams = 5, lanes = 32;
  for (const std::uint64_t order : {0, 1, 2, 99}) {
    const auto found = computed<relay<true>>(teams, teams * lanes, {order, true});
    for (index t = 0; t < teams; ++t)
      for (index l = 0; l < lanes; ++l)
        BOOST_TEST(found[static_cast<std::size_t>(t * lanes + l)] ==
                   static_cast<float>(200 * t + (l + 2) % lanes + (l + 1) % lanes));
  }
}

// Where memory is a device's, a race shows or does not.
BOOST_FIXTURE_TEST_CASE(a_missing_barrier_shows, workshop) {
  if constexpr (std::is_same_v<default_space::memory_space, Kokkos::HostSpace>) {
    const auto right = computed<relay<true>>(2, 64, {});
    for (const detail::team_trial& trial : {detail::team_trial{0, true}, {1, true}, {2, true}, {1, false}})
      BOOST_TEST((computed<relay<false>>(2, 64, trial) != right));
  }
}

BOOST_FIXTURE_TEST_CASE(each_team_has_phases_of_its_own, workshop) {
  BOOST_TEST(computed<count_phases>(4, 5, {}) == (std::vector<float>{-1, 1, 2, 3, -1}));
  BOOST_TEST(computed<count_phases>(0, 2, {}) == (std::vector<float>{-1, -1}));
}

}  // namespace comodal::tests
