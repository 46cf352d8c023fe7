// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE core_loops
#include <boost/test/unit_test.hpp>

#include <comodal/core/loops.hpp>
#include <comodal/core/row_sums.hpp>

#include <core/support.hpp>

#include <cstring>

namespace comodal::tests {

using backend = kokkos_backend<default_space, float>;

struct increment {
  float* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] += static_cast<float>(i % 1000 + 1); }
};

// Counts every visit, and where it was.
struct visit {
  float* to;
  index rows, channels;
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c) const {
    to[(g * rows + r) * channels + c] += static_cast<float>(1 + g + 10 * r % 97 + c % 5);
  }
};

struct moments {
  const float* x;
  index rows, channels;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c, Sums&& sums) const {
    const double v = static_cast<double>(x[(g * rows + r) * channels + c]);
    sums[0] += v;
    sums[1] += v * v;
  }
};

// Adds up in float, and says how wide what it adds to is.
struct short_moments {
  using run_sum = float;
  const float* x;
  index rows, channels;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index g, index r, index c, Sums&& sums) const {
    using S = std::remove_cvref_t<decltype(sums[0])>;
    sums[0] += static_cast<S>(x[(g * rows + r) * channels + c]);
    sums[1] += static_cast<S>(sizeof(S));
  }
};

// Counts every visit, with the two numbers of its group and channel.
struct numbered_visit {
  float* to;
  template <class Numbers>
  KOKKOS_INLINE_FUNCTION void operator()(index i, const Numbers& k) const {
    to[i] += k[0] + 1000 * k[1];
  }
};

struct workshop {
  context<backend> ctx;
  tensor<float> zeros(index count) { return ctx.make({count}, std::vector<float>(static_cast<std::size_t>(count))); }
};

BOOST_FIXTURE_TEST_CASE(every_element_is_visited_once, workshop) {
  for (const index count : {0, 1, 2047, 2048, 2049, 4096, 4097, 100003}) {
    const auto t = zeros(count);
    for_elements(ctx.space(), count, increment{t.data()});
    const auto found = to_host(ctx.space(), t);
    for (index i = 0; i < count; ++i)
      BOOST_REQUIRE(found[static_cast<std::size_t>(i)] == static_cast<float>(i % 1000 + 1));
  }
}

BOOST_FIXTURE_TEST_CASE(every_task_runs_once, workshop) {
  for (const index count : {0, 1, 7, 100}) {
    const auto t = zeros(count);
    for_tasks(ctx.space(), count, increment{t.data()});
    const auto found = to_host(ctx.space(), t);
    for (index i = 0; i < count; ++i)
      BOOST_REQUIRE(found[static_cast<std::size_t>(i)] == static_cast<float>(i % 1000 + 1));
  }
}

BOOST_FIXTURE_TEST_CASE(every_row_and_channel_is_visited_once, workshop) {
  for (const index groups : {1, 2, 3})
    for (const index rows : {1, 5, 2050})
      for (const index channels : {1, 2, 3, 4, 7, 8, 12, 16, 17, 48, 2100}) {
        if (groups * rows * channels > 2000000) continue;
        const auto t = zeros(groups * rows * channels);
        for_rows(ctx.space(), groups, rows, channels, visit{t.data(), rows, channels});
        const auto found = to_host(ctx.space(), t);
        std::size_t i = 0;
        for (index g = 0; g < groups; ++g)
          for (index r = 0; r < rows; ++r)
            for (index c = 0; c < channels; ++c, ++i)
              BOOST_REQUIRE(found[i] == static_cast<float>(1 + g + 10 * r % 97 + c % 5));
      }
  for_rows(ctx.space(), 0, 5, 5, visit{nullptr, 5, 5});
  for_rows(ctx.space(), 5, 0, 5, visit{nullptr, 0, 5});
}

BOOST_FIXTURE_TEST_CASE(every_row_is_visited_with_the_numbers_of_its_channel, workshop) {
  for (const index groups : {1, 3})
    for (const index rows : {1, 5, 2050})
      for (const index channels : {1, 2, 3, 4, 7, 8, 16, 31, 48, 2100}) {
        if (groups * rows * channels > 2000000) continue;
        std::vector<float> numbers;  // (groups, 2, channels)
        for (index g = 0; g < groups; ++g)
          for (int k = 0; k < 2; ++k)
            for (index c = 0; c < channels; ++c) numbers.push_back(static_cast<float>(k == 0 ? c % 100 : g + 1));
        const auto t = zeros(groups * rows * channels), of = ctx.make({groups, 2, channels}, numbers);
        for_numbered_rows<2>(ctx.space(), groups, rows, channels, of.data(), numbered_visit{t.data()});
        const auto found = to_host(ctx.space(), t);
        std::size_t i = 0;
        for (index g = 0; g < groups; ++g)
          for (index r = 0; r < rows; ++r)
            for (index c = 0; c < channels; ++c, ++i)
              BOOST_REQUIRE(found[i] == static_cast<float>(c % 100 + 1000 * (g + 1)));
      }
  for_numbered_rows<2>(ctx.space(), 0, 5, 5, static_cast<const float*>(nullptr), numbered_visit{nullptr});
}

struct sized {
  index groups, rows, channels;
};

const std::vector<sized> reductions{{1, 1, 1},     {1, 64, 1},    {2, 65, 3},   {3, 1000, 5},
                                    {1, 40000, 1}, {2, 5000, 4},  {1, 999, 7},  {1, 7, 1000},
                                    {2, 3001, 16}, {1, 4099, 24}, {4, 300, 33}, {1, 30000, 2}};

BOOST_FIXTURE_TEST_CASE(sums_over_rows_equal_plain_loops, workshop) {
  for (const auto& [groups, rows, channels] : reductions) {
    const auto numbers = values(groups * rows * channels, 3);
    const auto x = ctx.make({groups, rows, channels}, converted<float>(numbers));
    const auto scratch = ctx.make_of<double>({reduce_rows_scratch<default_space>(2, groups, rows, channels)});
    const auto out = ctx.make_of<double>({groups, 2, channels});
    reduce_rows<2>(ctx.space(), groups, rows, channels, moments{x.data(), rows, channels}, scratch.data(), out.data());
    std::vector<double> expected(static_cast<std::size_t>(groups * 2 * channels));
    for (index g = 0; g < groups; ++g)
      for (index r = 0; r < rows; ++r)
        for (index c = 0; c < channels; ++c) {
          const double v = numbers[static_cast<std::size_t>((g * rows + r) * channels + c)];
          expected[static_cast<std::size_t>(2 * g * channels + c)] += v;
          expected[static_cast<std::size_t>((2 * g + 1) * channels + c)] += v * v;
        }
    BOOST_TEST(difference(to_host(ctx.space(), out), expected) < 1e-12, groups << " x " << rows << " x " << channels);
  }
}

BOOST_FIXTURE_TEST_CASE(a_body_may_add_rows_in_a_shorter_type, workshop) {
  if constexpr (is_host_v<default_space>) {  // what eight rows lose beside a large number, and no more
    constexpr index count = 64;
    std::vector<float> ones(count, 1.0F);
    ones[0] = 0x1p24F;
    const auto x = ctx.make({count}, ones);
    const auto scratch = ctx.make_of<double>({reduce_rows_scratch<default_space>(2, 1, count, 1)});
    const auto out = ctx.make_of<double>({2});
    reduce_rows<2>(ctx.space(), 1, count, 1, short_moments{x.data(), count, 1}, scratch.data(), out.data());
    BOOST_TEST(to_host(ctx.space(), out)[0] == 0x1p24 + 56);
  }
  constexpr index groups = 2, rows = 5003, channels = 21;
  const auto numbers = values(groups * rows * channels, 5);
  const auto x = ctx.make({groups, rows, channels}, converted<float>(numbers));
  const auto scratch = ctx.make_of<double>({reduce_rows_scratch<default_space>(2, groups, rows, channels)});
  const auto out = ctx.make_of<double>({groups, 2, channels});
  reduce_rows<2>(ctx.space(), groups, rows, channels, short_moments{x.data(), rows, channels}, scratch.data(),
                 out.data());
  const auto found = to_host(ctx.space(), out);
  for (index g = 0; g < groups; ++g)
    for (index c = 0; c < channels; ++c) {
      double expected = 0;
      for (index r = 0; r < rows; ++r) expected += numbers[static_cast<std::size_t>((g * rows + r) * channels + c)];
      BOOST_TEST(std::abs(found[static_cast<std::size_t>(2 * g * channels + c)] - expected) <
                 1e-3);  // a run's error is some 1e-7
      if constexpr (is_host_v<default_space>)
        BOOST_TEST(found[static_cast<std::size_t>((2 * g + 1) * channels + c)] ==
                   static_cast<double>(rows * sizeof(float)));
    }
}

BOOST_FIXTURE_TEST_CASE(sums_over_no_rows_are_zero, workshop) {
  const auto scratch = ctx.make_of<double>({1});
  const auto out = ctx.make_of<double>({3, 2, 5});
  copy_from_host(ctx.space(), std::vector<double>(30, 7.0), out);
  reduce_rows<2>(ctx.space(), 3, 0, 5, moments{nullptr, 0, 5}, scratch.data(), out.data());
  for (const double v : to_host(ctx.space(), out)) BOOST_TEST(v == 0);
}

BOOST_AUTO_TEST_CASE(chunks_depend_on_the_sizes_alone_and_cover_the_rows) {
  for (const index rows : {0, 1, 63, 64, 65, 16384, 16385, 1000000, 100000000})
    for (const index channels : {1, 3, 16, 1000, 40000}) {
      const index chunk = detail::rows_a_chunk(rows, channels), chunks = (rows + chunk - 1) / chunk;
      BOOST_TEST(chunk >= 1);
      BOOST_TEST(chunks <= 1024);
      if constexpr (is_host_v<default_space>)
        BOOST_TEST(reduce_rows_scratch<default_space>(2, 3, rows, channels) == 3 * chunks * 2 * channels);
      for (const index groups : {1, 3, 100000}) {
        const detail::row_teams t(groups, rows, channels);
        BOOST_TEST(t.chunk * t.chunks >= rows);
        BOOST_TEST(t.chunk * (t.chunks - 1) <= rows);
        BOOST_TEST(t.tiles * t.wide >= channels);
        BOOST_TEST(groups * t.tiles * t.chunks <= std::max<index>(detail::row_teams::most_teams, groups * t.tiles));
      }
    }
}

// Where teams of a device add up on the host: lanes in another order, shared memory that begins as NaN.
BOOST_FIXTURE_TEST_CASE(sums_do_not_rely_on_the_order_of_lanes, workshop) {
  const detail::team_trial before = detail::host_teams;
  for (const auto& [groups, rows, channels] : reductions) {
    const auto x = ctx.make({groups, rows, channels}, converted<float>(values(groups * rows * channels, 4)));
    const auto scratch = ctx.make_of<double>({reduce_rows_scratch<default_space>(2, groups, rows, channels)});
    std::vector<std::vector<double>> found;
    for (const detail::team_trial& trial : {detail::team_trial{}, {1, true}, {2, true}}) {
      detail::host_teams = trial;
      const auto out = ctx.make_of<double>({groups, 2, channels});
      reduce_rows<2>(ctx.space(), groups, rows, channels, moments{x.data(), rows, channels}, scratch.data(),
                     out.data());
      found.push_back(to_host(ctx.space(), out));
    }
    detail::host_teams = before;
    BOOST_TEST((found[1] == found[0] && found[2] == found[0]), groups << " x " << rows << " x " << channels);
  }
}

#if defined(_OPENMP)
BOOST_FIXTURE_TEST_CASE(sums_have_the_same_bytes_at_any_number_of_threads, workshop) {
  const int before = omp_get_max_threads();
  for (const auto& [groups, rows, channels] : reductions) {
    const auto x = ctx.make({groups, rows, channels}, converted<float>(values(groups * rows * channels, 4)));
    const auto scratch = ctx.make_of<double>({reduce_rows_scratch<default_space>(2, groups, rows, channels)});
    std::vector<double> expected;
    for (const int threads : {1, 2, 3, 4}) {
      omp_set_num_threads(threads);
      const auto out = ctx.make_of<double>({groups, 2, channels});
      reduce_rows<2>(ctx.space(), groups, rows, channels, moments{x.data(), rows, channels}, scratch.data(),
                     out.data());
      const auto found = to_host(ctx.space(), out);
      if (threads == 1) expected = found;
      BOOST_TEST(std::memcmp(found.data(), expected.data(), found.size() * sizeof(double)) == 0,
                 rows << " x " << channels << " at " << threads);
    }
  }
  omp_set_num_threads(before);
}
#endif

}  // namespace comodal::tests
