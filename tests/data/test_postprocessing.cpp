// SPDX-License-Identifier: Apache-2.0
// What is done to label maps: components, holes, volumes, exclusive classes and regions.
#define BOOST_TEST_MODULE data_postprocessing
#include <comodal/data/postprocessing.hpp>

#include "files.hpp"

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

// 2 x 1 x 1 mm: 500 voxels are a millilitre.
label_volume empty(const std::array<index, 3>& size = {12, 10, 8}) {
  label_volume v{{size, {{{2, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}}}, {}};
  v.values.resize(static_cast<std::size_t>(v.geometry.voxels()));
  return v;
}
void fill(label_volume& v, const std::array<index, 3>& first, const std::array<index, 3>& last, std::uint8_t value) {
  for (index k = first[2]; k < last[2]; ++k)
    for (index j = first[1]; j < last[1]; ++j)
      for (index i = first[0]; i < last[0]; ++i) v.at(i, j, k) = value;
}
index count(const label_volume& v, int value) { return std::count(v.values.begin(), v.values.end(), value); }

const std::vector<label_class> classes{{"background", {0}}, {"core", {1}}, {"rim", {2}}};

}  // namespace

BOOST_AUTO_TEST_CASE(the_largest_component_stays_and_corners_connect) {
  label_volume v = empty();
  fill(v, {1, 1, 1}, {4, 4, 4}, 1);   // 27
  fill(v, {4, 4, 4}, {6, 6, 6}, 1);   // touches it in a corner
  fill(v, {9, 1, 1}, {11, 3, 3}, 1);  // 8 apart
  fill(v, {9, 7, 1}, {10, 8, 2}, 2);  // of another class
  postprocess(v, {{"core", true}}, classes, {});
  BOOST_TEST(count(v, 1) == 27 + 8);
  BOOST_TEST(count(v, 2) == 1);
  BOOST_TEST(v.at(9, 1, 1) == 0);
}

BOOST_AUTO_TEST_CASE(small_components_go_by_volume) {
  label_volume v = empty();
  fill(v, {0, 0, 0}, {5, 5, 4}, 2);  // 100 voxels: 0.2 ml
  fill(v, {7, 0, 0}, {9, 5, 5}, 2);  // 50: 0.1 ml
  fill(v, {11, 9, 7}, {12, 10, 8}, 2);
  label_volume kept = v;
  postprocess(kept, {{"rim", false, false, 0.1}}, classes, {});
  BOOST_TEST(count(kept, 2) == 150);
  kept = v;
  postprocess(kept, {{"rim", false, false, 0.15}}, classes, {});
  BOOST_TEST(count(kept, 2) == 100);
  kept = v;
  postprocess(kept, {{"rim", false, false, 5}}, classes, {});
  BOOST_TEST(count(kept, 2) == 0);
  kept = v;
  postprocess(kept, {}, classes, {});
  BOOST_TEST((kept.values == v.values));
}

BOOST_AUTO_TEST_CASE(holes_are_filled_where_there_is_background) {
  label_volume v = empty();
  fill(v, {1, 1, 1}, {8, 8, 7}, 1);
  fill(v, {3, 3, 3}, {5, 5, 5}, 0);
  v.at(3, 3, 3) = 2;  // a voxel of another class in the hole stays
  postprocess(v, {{"core", false, true}}, classes, {});
  BOOST_TEST(count(v, 1) == 7 * 7 * 6 - 1);
  BOOST_TEST(v.at(3, 3, 3) == 2);
  // A hole that is open to the border of the grid is none.
  label_volume open = empty();
  fill(open, {0, 0, 0}, {6, 6, 6}, 1);
  fill(open, {2, 2, 0}, {4, 4, 4}, 0);
  postprocess(open, {{"core", false, true}}, classes, {});
  BOOST_TEST(open.at(2, 2, 0) == 0);
}

BOOST_AUTO_TEST_CASE(a_voxel_that_leaves_a_region_keeps_those_before_it) {
  // Whole tumour {1, 2, 3}, core {1, 3}, enhancing {3}; written as 2, 1, 3.
  const std::vector<label_class> regions{
      {"background", {0}}, {"whole", {1, 2, 3}}, {"core", {1, 3}}, {"enhancing", {3}}};
  const std::vector<int> order{2, 1, 3};
  label_volume v = empty();
  fill(v, {0, 0, 0}, {9, 9, 7}, 2);
  fill(v, {1, 1, 1}, {4, 4, 4}, 1);
  fill(v, {2, 2, 2}, {3, 3, 3}, 3);  // one voxel in the core
  v.at(7, 7, 5) = 3;                 // and one in the oedema
  label_volume out = v;
  postprocess(out, {{"enhancing", false, false, 0.01}}, regions, order);  // both go
  BOOST_TEST(count(out, 3) == 0);
  BOOST_TEST(out.at(2, 2, 2) == 1);
  BOOST_TEST(out.at(7, 7, 5) == 1);  // 3 belongs to the core, which stays
  postprocess(out, {{"core", true}}, regions, order);
  BOOST_TEST(out.at(7, 7, 5) == 2);
  BOOST_TEST(out.at(2, 2, 2) == 1);
  postprocess(out, {{"whole", false, false, 100}}, regions, order);
  BOOST_TEST(count(out, 0) == out.geometry.voxels());
}

BOOST_AUTO_TEST_CASE(rules_are_checked_and_agreed_on) {
  label_volume v = empty();
  BOOST_CHECK_EXCEPTION(postprocess(v, {{"rind", true}}, classes, {}), config_error, test::says("no class 'rind'"));
  BOOST_CHECK_THROW(postprocess(v, {{"background", true}}, classes, {}), config_error);
  BOOST_CHECK_THROW(postprocess(v, {{"core", true}, {"core", true}}, classes, {}), config_error);
  BOOST_CHECK_THROW(postprocess(v, {{"core", false, false, -1}}, classes, {}), config_error);
  const postprocessing_rule a{"core", true, false, 0.1}, b{"core", true, true, 0.3}, c{"rim", false, true, 0};
  BOOST_TEST((agreed_postprocessing({{a}, {b}, {c}}, classes) ==
              std::vector<postprocessing_rule>{{"core", true, false, 0.3}}));
  BOOST_TEST((agreed_postprocessing({{a, c}}, classes) == std::vector<postprocessing_rule>{a, c}));
  BOOST_TEST(agreed_postprocessing({{a}, {}}, classes).empty());
  BOOST_TEST(to_words(b) == "core: largest component, holes filled, 0.3 ml at least");
}

}  // namespace comodal::tests
