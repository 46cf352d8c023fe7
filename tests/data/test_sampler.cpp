// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_sampler
#include <comodal/data/sampler.hpp>

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(an_epoch_takes_every_labelled_case_once) {
  for (index crops : {1, 2, 3}) {
    constexpr index cases = 7;
    std::vector<std::uint32_t> drawn;
    for (std::uint32_t step = 0; static_cast<index>(drawn.size()) < 3 * cases * crops; ++step)
      for (index slot = 0; slot < crops; ++slot) drawn.push_back(labelled_case_of(5, step, slot, crops, cases));
    std::set<std::vector<std::uint32_t>> orders;
    for (std::size_t e = 0; e < 3; ++e) {
      const std::vector<std::uint32_t> order(drawn.begin() + static_cast<std::ptrdiff_t>(e * cases),
                                             drawn.begin() + static_cast<std::ptrdiff_t>((e + 1) * cases));
      BOOST_TEST(std::set<std::uint32_t>(order.begin(), order.end()).size() == 7u);
      orders.insert(order);
    }
    BOOST_TEST(orders.size() == 3u);
  }
  BOOST_TEST(labelled_case_of(1, 1000000, 1, 2, 1) == 0u);
}

BOOST_AUTO_TEST_CASE(unlabelled_cases_differ_and_are_uniform) {
  std::map<std::uint32_t, int> counts;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    random_stream random(3, random_purpose::test, i);
    const auto chosen = distinct_cases(2, 5, random);
    BOOST_REQUIRE(chosen.size() == 2u);
    BOOST_REQUIRE(chosen[0] != chosen[1]);
    for (const auto c : chosen) ++counts[c];
  }
  BOOST_TEST(counts.size() == 5u);
  for (const auto& [c, n] : counts) BOOST_TEST(std::abs(n - 1200) < 120);
  random_stream random(3, random_purpose::test);
  BOOST_TEST(distinct_cases(0, 0, random).empty());
}

BOOST_AUTO_TEST_CASE(turns) {
  for (std::uint32_t step = 0; step < 5; ++step) {
    BOOST_TEST(!takes_turn(step, 0, 2, 0.5));
    BOOST_TEST(takes_turn(step, 1, 2, 0.5));
    BOOST_TEST(takes_turn(step, 0, 1, 0.5) == (step % 2 == 1));
    BOOST_TEST(!takes_turn(step, 1, 2, 0.0));
    BOOST_TEST(takes_turn(step, 0, 2, 1.0));
  }
}

BOOST_AUTO_TEST_CASE(places_are_inside_and_reach_both_ends) {
  random_stream random(4, random_purpose::test);
  const extent3 volume{10, 6, 4}, patch{4, 6, 9};
  std::array<std::set<index>, 3> seen;
  for (int i = 0; i < 500; ++i) {
    const extent3 first = uniform_place(volume, patch, random);
    for (std::size_t a = 0; a < 3; ++a) seen[a].insert(first[a]);
  }
  BOOST_TEST(*seen[0].begin() == 0);
  BOOST_TEST(*seen[0].rbegin() == 6);
  BOOST_TEST(seen[0].size() == 7u);
  BOOST_TEST(seen[1].size() == 1u);
  BOOST_TEST(*seen[1].begin() == 0);
  BOOST_TEST(*seen[2].begin() == -5);
  BOOST_TEST(*seen[2].rbegin() == 0);
}

BOOST_AUTO_TEST_CASE(a_centred_patch_contains_its_voxel) {
  random_stream random(6, random_purpose::test);
  for (const index p : {1, 2, 5, 8, 30})
    for (const double jitter : {0.0, 0.25, 0.5}) {
      std::set<index> offsets;
      for (int i = 0; i < 400; ++i) {
        const extent3 volume{20, 20, 200}, patch{p, p, p};
        const extent3 voxel{random.below(20), random.below(20), 100};
        const extent3 first = centred_place(voxel, volume, patch, jitter, random);
        for (std::size_t a = 0; a < 3; ++a) {
          BOOST_REQUIRE(voxel[a] >= first[a]);
          BOOST_REQUIRE(voxel[a] < first[a] + patch[a]);
          BOOST_REQUIRE(first[a] >= std::min<index>(0, volume[a] - p));
          BOOST_REQUIRE(first[a] <= std::max<index>(0, volume[a] - p));
        }
        offsets.insert(voxel[2] - first[2]);
      }
      if (jitter == 0)
        BOOST_TEST(offsets == std::set<index>{p / 2 - (p % 2 == 0 ? 1 : 0)}, boost::test_tools::per_element());
      if (jitter == 0.5) BOOST_TEST(static_cast<index>(offsets.size()) == p);
      if (jitter == 0.25 && p == 8) BOOST_TEST(offsets.size() == 4u);
    }
}

BOOST_AUTO_TEST_CASE(voxels_of_a_class_are_uniform) {
  label_volume labels;
  labels.geometry.size = {5, 4, 3};
  labels.values.assign(60, 0);
  labels.at(1, 2, 0) = 2;
  labels.at(4, 3, 2) = 2;
  labels.at(0, 0, 2) = 2;
  labels.at(3, 1, 1) = 7;
  const class_table table(labels);
  BOOST_TEST(!table.empty());
  std::map<std::array<index, 3>, int> counts;
  random_stream random(7, random_purpose::test);
  for (int i = 0; i < 6000; ++i) ++counts[table.draw(labels, random)];
  BOOST_TEST(counts.size() == 4u);
  BOOST_TEST(std::abs(counts[{1, 1, 3}] - 3000) < 200);  // class 7: one voxel, (D, H, W)
  BOOST_TEST(std::abs(counts[{0, 2, 1}] - 1000) < 150);
  BOOST_TEST(std::abs(counts[{2, 3, 4}] - 1000) < 150);
  BOOST_TEST(std::abs(counts[{2, 0, 0}] - 1000) < 150);
  const class_table without_7(labels, 7);  // voxels that nobody looked at
  for (int i = 0; i < 100; ++i) BOOST_TEST((without_7.draw(labels, random) != extent3{1, 1, 3}));
  labels.values.assign(60, 0);
  labels.values[5] = 7;
  BOOST_TEST(class_table(labels, 7).empty());
  labels.values.assign(60, 0);
  BOOST_TEST(class_table(labels).empty());
  BOOST_TEST(class_table().empty());
}

}  // namespace comodal::tests
