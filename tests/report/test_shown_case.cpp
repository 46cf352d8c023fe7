// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_shown_case
#include <boost/test/unit_test.hpp>

#include <comodal/report/shown_case.hpp>

#include <report/scene.hpp>

using namespace comodal;

BOOST_AUTO_TEST_CASE(every_stored_order_becomes_the_same_case) {
  const tests::scene s;
  shown_case expected = s.as_case();
  prepare_to_show(expected);
  std::array<std::size_t, 3> order{0, 1, 2};
  do
    for (unsigned flips = 0; flips < 8; ++flips) {
      const std::array<bool, 3> flip{(flips & 1) != 0, (flips & 2) != 0, (flips & 4) != 0};
      shown_case c = s.as_case();
      c.truth = tests::stored_as(s.truth, order, flip);
      c.images[0].values = tests::stored_as(s.t1, order, flip);
      c.images[1].values = tests::stored_as(s.flair, order, flip);
      c.methods[0].masks[0].labels = tests::stored_as(s.prediction, order, flip);
      c.methods[0].masks[1].labels = *c.truth;
      c.methods[0].maps[0].values = c.images[1].values;
      prepare_to_show(c);
      BOOST_TEST((c.truth->values == expected.truth->values));
      BOOST_TEST((c.images[1].values.values == expected.images[1].values.values));
      BOOST_TEST((c.methods[0].masks[0].labels.values == expected.methods[0].masks[0].labels.values));
      BOOST_TEST((c.slices.place == expected.slices.place));
      BOOST_TEST((c.whole == std::array<comodal::index, 3>{12, 10, 8}));
    }
  while (std::next_permutation(order.begin(), order.end()));
}

BOOST_AUTO_TEST_CASE(slices_go_through_the_truth) {
  shown_case c = tests::scene().as_case();
  prepare_to_show(c);
  BOOST_TEST((c.slices.place == voxel_place{9, 7, 5}));
  BOOST_TEST(int{c.truth->at(9, 7, 5)} == 1);
  BOOST_TEST(c.methods[0].maps[0].window.low == 0);
  BOOST_TEST(c.methods[0].maps[0].window.high == 904);
}

BOOST_AUTO_TEST_CASE(the_head_is_cut_out_with_all_that_is_labelled) {
  geometry g{{40, 30, 20}, {{{1, 0, 0, 10}, {0, 1, 0, 20}, {0, 0, 1, 30}}}};
  shown_case c;
  c.truth = {g, std::vector<std::uint8_t>(24000)};
  c.images = {{"T1", {g, std::vector<float>(24000)}}};
  c.methods = {{"ours", {{"fused", *c.truth}}}};
  for (comodal::index k = 5; k < 15; ++k)
    for (comodal::index j = 10; j < 20; ++j)
      for (comodal::index i = 12; i < 30; ++i) c.images[0].values.at(i, j, k) = static_cast<float>(500 + i);
  c.images[0].values.at(0, 0, 0) = 600;             // noise outside
  c.methods[0].masks[0].labels.at(35, 15, 10) = 1;  // false, outside the head: must be seen
  prepare_to_show(c);
  BOOST_TEST((c.truth->geometry.size == std::array<comodal::index, 3>{28, 14, 14}));
  BOOST_TEST((c.first == voxel_place{10, 8, 3}));
  BOOST_TEST((c.whole == std::array<comodal::index, 3>{40, 30, 20}));
  BOOST_TEST(c.images[0].values.at(2, 2, 2) == 512.0f);
  BOOST_TEST(c.truth->geometry.affine[0][3] == 20);
  BOOST_TEST(int{c.methods[0].masks[0].labels.at(25, 7, 7)} == 1);
}

BOOST_AUTO_TEST_CASE(another_grid_is_refused_by_name) {
  shown_case c = tests::scene().as_case();
  c.methods[0].masks[1].labels.geometry.affine[0][3] = 50;
  BOOST_CHECK_EXCEPTION(prepare_to_show(c), geometry_error, [](const geometry_error& e) {
    return std::string(e.what()).find("pictures of case patient_07: ours, branch T1: origin") != std::string::npos;
  });
  c = tests::scene().as_case();
  c.images[0].values = {{{4, 4, 4}, c.truth->geometry.affine}, std::vector<float>(64)};
  BOOST_CHECK_THROW(prepare_to_show(c), geometry_error);
}

BOOST_AUTO_TEST_CASE(names_of_label_values) {
  const auto own = shown_classes({{"background", {0}}, {"oedema", {2}}, {"core", {1}}});
  BOOST_REQUIRE(own.size() == 2u);
  BOOST_TEST((own[0].value == 1 && own[0].name == "core"));
  BOOST_TEST((own[1].value == 2 && own[1].name == "oedema"));
  const auto regions = shown_classes({{"background", {0}}, {"whole", {1, 2, 3}}, {"core", {2, 3}}, {"enhancing", {3}}});
  BOOST_REQUIRE(regions.size() == 3u);
  BOOST_TEST(regions[0].name == "whole");
  BOOST_TEST(regions[1].name == "whole + core");
  BOOST_TEST(regions[2].name == "enhancing");
}

BOOST_AUTO_TEST_CASE(masks_are_drawn_where_the_lesion_is_clearest) {
  shown_case c = tests::scene().as_case();
  prepare_to_show(c);
  BOOST_TEST(c.images[clearest_image(c)].name == "FLAIR");
  std::fill(c.truth->values.begin(), c.truth->values.end(), std::uint8_t{0});
  BOOST_TEST(clearest_image(c) == 0u);
}

BOOST_AUTO_TEST_CASE(without_truth_the_first_mask_is_the_reference) {
  const std::array<std::size_t, 3> order{2, 0, 1};
  const std::array<bool, 3> flip{true, false, true};
  const tests::scene s;
  shown_case c = s.as_case();
  c.truth.reset();
  for (auto& i : c.images) i.values = tests::stored_as(i.values, order, flip);
  for (auto& m : c.methods[0].masks) m.labels = tests::stored_as(m.labels, order, flip);
  for (auto& m : c.methods[0].maps) m.values = tests::stored_as(m.values, order, flip);
  c.methods.insert(c.methods.begin(), shown_method{"nothing", {}});
  BOOST_TEST(c.reference_name() == "the mask of ours");
  prepare_to_show(c);
  BOOST_TEST(!c.truth);
  BOOST_TEST((c.reference().values == s.prediction.values));
  BOOST_TEST((c.whole == std::array<comodal::index, 3>{12, 10, 8}));
  BOOST_TEST((c.slices.place == voxel_place{8, 7, 5}));  // one voxel to the left of those of the truth
  BOOST_TEST(c.slices.reason.find("most voxels of the mask of ours") != std::string::npos);
  BOOST_TEST(c.images[clearest_image(c)].name == "FLAIR");
}

BOOST_AUTO_TEST_CASE(without_truth_and_mask_there_is_nothing_to_show) {
  shown_case c = tests::scene().as_case();
  c.truth.reset();
  c.images[1].values.geometry.affine[0][3] = 50;
  BOOST_CHECK_EXCEPTION(prepare_to_show(c), geometry_error, [](const geometry_error& e) {
    return std::string(e.what()).ends_with("(the grid of the mask of ours)");
  });
  c.methods[0].masks.clear();
  BOOST_CHECK_EXCEPTION(prepare_to_show(c), geometry_error, [](const geometry_error& e) {
    return std::string(e.what()) == "pictures of case patient_07: it has no mask";
  });
}
