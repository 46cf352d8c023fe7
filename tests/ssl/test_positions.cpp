// SPDX-License-Identifier: Apache-2.0
// Drawn cells: from their groups, never twice, evenly; what they hold and whom gradients reach; groups of cells.
#define BOOST_TEST_MODULE ssl_positions
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/reduction.hpp>
#include <comodal/ssl/parts/cell_classes.hpp>

#include <nn/support.hpp>

#include <map>
#include <set>

namespace comodal::tests {

using B = bench::backend;
const auto each = boost::test_tools::per_element();

struct positions : bench {
  [[nodiscard]] cell_groups<B> groups(index samples, const std::vector<std::uint8_t>& of) {
    const cell_groups<B> g = ctx.make_of<std::uint8_t>({samples, static_cast<index>(of.size()) / samples});
    copy_from_host(ctx.space(), of, g);
    return g;
  }
  [[nodiscard]] drawn_positions<B> draw(const cell_groups<B>& g, const std::vector<index>& places,
                                        std::uint32_t step = 0, std::string_view stream = "test") {
    return draw_positions<B>(home, g, places, step_request{step, 1000}, stream);
  }
  [[nodiscard]] std::vector<std::int32_t> cells(const drawn_positions<B>& at) { return to_host(ctx.space(), at.cells); }
};

BOOST_FIXTURE_TEST_CASE(cells_are_of_their_group_and_never_drawn_twice, positions) {
  // 700 cells (several chunks): groups 0 and 1 in turns, cells without a group, four cells of group 2.
  std::vector<std::uint8_t> of(1400);
  for (std::size_t i = 0; i < of.size(); ++i) of[i] = i % 5 == 4 ? no_group : i % 2;
  for (const std::size_t i : {3u, 257u, 512u, 699u}) of[i] = 2;
  const std::vector<index> places{20, 30, 9};
  for (const std::uint32_t step : {0u, 1u, 500u}) {
    const auto at = draw(groups(2, of), places, step);
    BOOST_TEST((at.cells.shape() == shape{2, 59}));
    const auto drawn = cells(at);
    const auto filled = host(at.filled);
    const auto group = to_host(ctx.space(), at.groups);
    for (std::size_t n = 0; n < 2; ++n) {
      std::set<std::int32_t> seen;
      for (std::size_t k = 0; k < 59; ++k) {
        const std::size_t i = n * 59 + k, g = k < 20 ? 0 : k < 50 ? 1 : 2;
        BOOST_REQUIRE(group[i] == g);
        // The first crop has four cells of group 2, the second none.
        const bool full = g < 2 || (n == 0 && k < 54);
        BOOST_REQUIRE(filled[i] == (full ? 1 : 0));
        BOOST_REQUIRE((drawn[i] >= 0) == full);
        if (!full) continue;
        BOOST_REQUIRE(of[n * 700 + static_cast<std::size_t>(drawn[i])] == g);
        BOOST_REQUIRE(seen.insert(drawn[i]).second);
      }
    }
    BOOST_TEST((std::vector(drawn.begin() + 50, drawn.begin() + 54) == std::vector<std::int32_t>{3, 257, 512, 699}));
  }
}

BOOST_FIXTURE_TEST_CASE(every_step_draws_anew_and_every_cell_has_its_turn, positions) {
  const auto g = groups(1, std::vector<std::uint8_t>(41, 0));
  std::map<std::int32_t, int> times;
  for (std::uint32_t step = 0; step < 400; ++step)
    for (const std::int32_t cell : cells(draw(g, {8}, step))) ++times[cell];
  BOOST_TEST(times.size() == 41u);
  for (const auto& [cell, count] : times) {  // 67 to 80 on average, deviation 8
    BOOST_TEST(count > 25, cell);
    BOOST_TEST(count < 130, cell);
  }
  BOOST_TEST((cells(draw(g, {8}, 3)) == cells(draw(g, {8}, 3))));
  BOOST_TEST((cells(draw(g, {8}, 3)) != cells(draw(g, {8}, 4))));
  BOOST_TEST((cells(draw(g, {8}, 3)) != cells(draw(g, {8}, 3, "another"))));
}

BOOST_FIXTURE_TEST_CASE(gathered_rows_hand_their_gradients_back, positions) {
  const auto at = draw(groups(2, {0, 1, 0, 1, 0, 255, 0, 0, 0, 255}), {2, 3});
  const auto x = leaf({2, 5, 3}, 1);
  const auto y = gather(x, at);
  BOOST_TEST((y.shape() == shape{2, 5, 3}));
  const auto drawn = cells(at);
  const auto from = host(x), to = host(y);
  const auto direction = constant(y.shape(), 7);
  home.backward(sum(y * direction));
  const auto d = host(direction), g = gradient(x);
  std::vector<double> expected(30, 0);
  for (std::size_t k = 0; k < 10; ++k)
    for (std::size_t c = 0; c < 3; ++c) {
      const std::size_t cell = k / 5 * 5 + static_cast<std::size_t>(std::max(drawn[k], 0));
      BOOST_TEST(to[3 * k + c] == (drawn[k] < 0 ? 0 : from[3 * cell + c]));
      if (drawn[k] >= 0) expected[3 * cell + c] = d[3 * k + c];
    }
  BOOST_TEST(g == expected, each);
  BOOST_TEST(std::count(drawn.begin(), drawn.end(), -1) == 4);
}

BOOST_FIXTURE_TEST_CASE(too_many_groups_are_refused, positions) {
  const auto g = groups(1, {0, 0});
  BOOST_CHECK_EXCEPTION((void)draw(g, std::vector<index>(25, 1)), config_error,
                        says("draw_positions: 25 groups, expected 1 to 24"));
  BOOST_CHECK_EXCEPTION((void)draw(g, {}), config_error, says("draw_positions: 0 groups"));
  BOOST_CHECK_EXCEPTION((void)draw(g, {-1}), config_error, says("draw_positions: -1 places, expected 0 or more"));
}

struct cell_classes : positions {
  // A crop of 1 x 8 x 8 voxels with class 1 in the two first columns of its first four rows.
  [[nodiscard]] variable<B> target(index channels, index of_class) {
    std::vector<double> y(static_cast<std::size_t>(64 * channels), 0);
    for (index h = 0; h < 8; ++h)
      for (index w = 0; w < 8; ++w) {
        const bool lesion = h < 4 && w < 2;
        const index c = lesion ? of_class : 0;
        y[static_cast<std::size_t>((h * 8 + w) * channels + c)] = 1;
      }
    return constant({1, 1, 8, 8, channels}, y);
  }
};

BOOST_FIXTURE_TEST_CASE(what_is_near_foreground_is_within_the_reach_along_each_axis, cell_classes) {
  const auto near = host(near_foreground(target(3, 1), label_kind::classes, 2));
  for (std::size_t h = 0; h < 8; ++h)
    for (std::size_t w = 0; w < 8; ++w) BOOST_TEST(near[h * 8 + w] == (h < 6 && w < 4 ? 1 : 0));
}

BOOST_FIXTURE_TEST_CASE(cells_are_grouped_by_class_and_by_what_is_near, cell_classes) {
  const extent3 window{1, 2, 2};
  const auto y = target(3, 2);
  const auto near = near_foreground(y, label_kind::classes, 1);
  const auto classes = to_host(ctx.space(), groups_of_cells(y, near, label_kind::classes, window));
  // Cells of 2 x 2 voxels: class 2 is group 1, the background near it group 2, other background group 3.
  BOOST_TEST(classes == (std::vector<std::uint8_t>{1, 2, 3, 3, 1, 2, 3, 3, 2, 2, 3, 3, 3, 3, 3, 3}), each);
  // Of regions the last that holds: both hold in the lesion, the first everywhere else.
  std::vector<double> both(128, 1);
  for (std::size_t v = 0; v < 64; ++v) both[2 * v + 1] = v / 8 < 4 && v % 8 < 2;
  const auto regions = constant({1, 1, 8, 8, 2}, both);
  const auto found = to_host(ctx.space(), groups_of_cells(regions, near_foreground(regions, label_kind::regions, 1),
                                                          label_kind::regions, window));
  BOOST_TEST(found == (std::vector<std::uint8_t>{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), each);
  BOOST_TEST(foreground_classes(label_kind::classes, 3) == 2);
  BOOST_TEST(foreground_classes(label_kind::regions, 3) == 3);
}

}  // namespace comodal::tests
