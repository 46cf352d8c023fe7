// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE metric_score
#include <boost/test/unit_test.hpp>

#include <comodal/metric/score.hpp>

#include "masks.hpp"

using namespace comodal;
using masks::box;

namespace {

const std::array<comodal::index, 3> size{24, 20, 16};
const std::array<double, 3> spacing{3, 1.5, 1};
const std::vector<label_class> regions{{"core", {1}}, {"oedema", {2}}, {"whole", {1, 2}}};

// Core and oedema as nested boxes, shifted along y.
label_volume nested(comodal::index shift) {
  label_volume v = masks::empty(size, spacing);
  masks::add(v, box{{6, 4 + shift, 4}, {18, 14 + shift, 12}}, 2);
  masks::add(v, box{{9, 7 + shift, 6}, {14, 11 + shift, 10}}, 1);
  return v;
}

}  // namespace

BOOST_AUTO_TEST_CASE(scores_of_a_case) {
  const label_volume p = nested(2), r = nested(0);
  const auto scores = score_case(p, r, regions, "case_01", "branch T1");
  BOOST_TEST(scores.size() == 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const case_score& s = scores[i];
    BOOST_TEST(s.case_id == "case_01");
    BOOST_TEST(s.output == "branch T1");
    BOOST_TEST(s.region.name == regions[i].name);
    BOOST_TEST((s.presence == mask_presence::both));
    const surface_distances d = measure_surfaces(p, r, regions[i], r.geometry.spacing());
    BOOST_TEST(s.dice == dice(count_overlap(p, r, regions[i])));
    BOOST_TEST(s.hd95 == hd95(d));
    BOOST_TEST(s.assd == assd(d));
    BOOST_TEST(s.surface_dice == surface_dice(d, 2));
  }
  BOOST_TEST(score_case(p, r, {{"background", {0}}, {"core", {1}}}, "a").size() == 1u);
  BOOST_TEST(scores[2].dice == 0.8);  // boxes 10 long, shifted by 2
  BOOST_TEST(scores[2].hd95 == 3.0);  // two voxels of 1.5 mm
  BOOST_TEST(scores[0].reference_volume == 5 * 4 * 4 * 4.5 / 1000, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(the_unit_may_be_voxels) {
  score_options options;
  options.unit = length_unit::voxel;
  options.tolerance = 2;
  const auto scores = score_case(nested(2), nested(0), regions, "a", "fused", options);
  BOOST_TEST(scores[2].hd95 == 2.0);
  BOOST_TEST(scores[2].surface_dice == 1.0);
  BOOST_TEST(scores[0].predicted_volume == 80.0);
  BOOST_TEST(name_of(options.unit) == "voxel");
}

BOOST_AUTO_TEST_CASE(conventions_reach_the_score) {
  label_volume p = nested(2), r = nested(0);
  masks::add(p, box{{0, 0, 0}, {2, 1, 9}}, 1);
  const surface_distances d = measure_surfaces(p, r, regions[0], r.geometry.spacing());
  for (const auto convention : {hd95_convention::monai, hd95_convention::medpy, hd95_convention::pymic}) {
    score_options options;
    options.hd95 = convention;
    options.assd = assd_convention::mean_of_directed;
    const case_score s = score_case(p, r, regions, "a", "fused", options)[0];
    BOOST_TEST(s.hd95 == hd95(d, convention));
    BOOST_TEST(s.assd == assd(d, assd_convention::mean_of_directed));
  }
  BOOST_TEST(hd95(d, hd95_convention::monai) != hd95(d, hd95_convention::medpy));
  BOOST_TEST(name_of(hd95_convention::monai) == "monai");
  BOOST_TEST(name_of(hd95_convention::medpy) == "medpy");
  BOOST_TEST(name_of(hd95_convention::pymic) == "pymic");
}

BOOST_AUTO_TEST_CASE(empty_masks_follow_the_policy) {
  const label_volume none = masks::empty(size, spacing), some = nested(0);
  const double diagonal = std::sqrt(16.0 * 16 + 30.0 * 30 + 72.0 * 72);

  const case_score both = score_case(none, none, regions, "a")[0];
  BOOST_TEST((both.presence == mask_presence::both_empty));
  BOOST_TEST(both.dice == 1.0);
  BOOST_TEST(both.iou == 1.0);
  BOOST_TEST(both.hd95 == 0.0);
  BOOST_TEST(both.assd == 0.0);
  BOOST_TEST(both.surface_dice == 1.0);

  const case_score missed = score_case(none, some, regions, "a")[0];
  BOOST_TEST((missed.presence == mask_presence::missed));
  const case_score alarm = score_case(some, none, regions, "a")[0];
  BOOST_TEST((alarm.presence == mask_presence::false_alarm));
  for (const case_score& s : {missed, alarm}) {
    BOOST_TEST(s.dice == 0.0);
    BOOST_TEST(s.iou == 0.0);
    BOOST_TEST(s.surface_dice == 0.0);
    BOOST_TEST(s.hd95 == diagonal);
    BOOST_TEST(s.assd == diagonal);
  }
  score_options voxels;
  voxels.unit = length_unit::voxel;
  BOOST_TEST(score_case(none, some, regions, "a", "fused", voxels)[0].hd95 ==
             std::sqrt(24.0 * 24 + 20.0 * 20 + 16.0 * 16));
  BOOST_TEST(std::abs(image_diagonal(masks::empty({155, 240, 240}).geometry) - 373.12866) < 1e-5);
}

BOOST_AUTO_TEST_CASE(different_grids_are_an_error_that_names_the_case) {
  label_volume other = nested(0);
  other.geometry.affine[0][0] = 1.1;
  try {
    static_cast<void>(score_case(other, nested(0), regions, "case_17"));
    BOOST_FAIL("no exception");
  } catch (const geometry_error& e) {
    BOOST_TEST(std::string(e.what()).find("case_17") != std::string::npos);
  }
  score_options negative;
  negative.tolerance = -1;
  BOOST_CHECK_THROW(static_cast<void>(score_case(nested(0), nested(0), regions, "a", "fused", negative)), config_error);
}

BOOST_AUTO_TEST_CASE(volumes_of_sheared_grids) {
  geometry g;
  g.affine = {{{1, 0.5, 0, 7}, {0, 2, 0.25, 8}, {0, 0, 3, 9}}};
  g.size = {2, 1, 1};
  const label_volume v{g, {1, 0}};
  BOOST_TEST(score_case(v, v, {{"a", {1}}}, "a")[0].reference_volume == 0.006, boost::test_tools::tolerance(1e-14));
}

BOOST_AUTO_TEST_CASE(summaries_by_output_and_region) {
  const label_volume none = masks::empty(size, spacing);
  std::vector<case_score> scores;
  const auto append = [&scores](std::vector<case_score> more) {
    scores.insert(scores.end(), more.begin(), more.end());
  };
  append(score_case(nested(0), nested(0), regions, "a"));
  append(score_case(nested(2), nested(0), regions, "b"));
  append(score_case(none, nested(0), regions, "c"));
  append(score_case(none, none, regions, "d"));
  append(score_case(nested(1), none, regions, "e"));
  append(score_case(nested(0), nested(0), regions, "a", "only T1"));
  const std::vector<score_summary> s = summarise(scores);
  BOOST_TEST(s.size() == 6u);
  BOOST_TEST(s[2].output == "fused");
  BOOST_TEST(s[2].region.name == "whole");
  BOOST_TEST(s[2].cases == 5);
  BOOST_TEST(s[2].n_both_empty == 1);
  BOOST_TEST(s[2].n_missed == 1);
  BOOST_TEST(s[2].n_false_alarm == 1);
  BOOST_TEST(s[2].dice.mean == (1 + 0.8 + 0 + 1 + 0) / 5, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(s[5].output == "only T1");
  BOOST_TEST(s[5].cases == 1);
  BOOST_TEST(s[5].dice.deviation == 0.0);
}
