// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE metric_overlap
#include <boost/test/unit_test.hpp>

#include <comodal/metric/overlap.hpp>

#include "masks.hpp"

#include <cmath>

using namespace comodal;

namespace {

// Voxels 0..9 along x: prediction and reference over the classes 0 to 3.
label_volume line(std::vector<std::uint8_t> values) {
  label_volume v = masks::empty({1, 1, static_cast<comodal::index>(values.size())});
  v.values = std::move(values);
  return v;
}

const label_volume prediction = line({0, 1, 1, 2, 3, 3, 0, 2, 0, 0});
const label_volume reference = line({0, 1, 2, 2, 1, 3, 3, 0, 0, 0});

}  // namespace

BOOST_AUTO_TEST_CASE(counts_of_a_class) {
  const confusion c = count_overlap(prediction, reference, {"core", {1}});
  BOOST_TEST(c.tp == 1);
  BOOST_TEST(c.fp == 1);
  BOOST_TEST(c.fn == 1);
  BOOST_TEST(c.tn == 7);
  BOOST_TEST(dice(c) == 0.5);
  BOOST_TEST(iou(c) == 1.0 / 3.0);
}

BOOST_AUTO_TEST_CASE(counts_of_a_region_join_its_labels) {
  const confusion c = count_overlap(prediction, reference, {"core", {1, 3}});
  BOOST_TEST(c.tp == 3);  // voxels 1, 4 (3 against 1) and 5
  BOOST_TEST(c.fp == 1);  // voxel 2
  BOOST_TEST(c.fn == 1);  // voxel 6
  BOOST_TEST(c.tn == 5);
  BOOST_TEST(dice(c) == 0.75);
  BOOST_TEST(c.predicted() == 4);
  BOOST_TEST(c.reference() == 4);
}

BOOST_AUTO_TEST_CASE(empty_masks) {
  const confusion both = count_overlap(prediction, reference, {"nothing", {9}});
  BOOST_TEST(both.both_empty());
  BOOST_TEST(!both.one_empty());
  BOOST_TEST(dice(both) == 1.0);
  BOOST_TEST(iou(both) == 1.0);
  const confusion missed = count_overlap(line({0, 0}), line({0, 1}), {"a", {1}});
  BOOST_TEST(missed.one_empty());
  BOOST_TEST(dice(missed) == 0.0);
  BOOST_TEST(iou(missed) == 0.0);
  const confusion full = count_overlap(line({1, 1}), line({1, 1}), {"a", {1}});
  BOOST_TEST(dice(full) == 1.0);
  BOOST_TEST(full.tn == 0);
}

BOOST_AUTO_TEST_CASE(many_voxels_are_counted_once_each) {
  label_volume p = masks::empty({64, 64, 64}), r = masks::empty({64, 64, 64});
  masks::add(p, masks::box{{8, 8, 8}, {24, 24, 24}});
  masks::add(r, masks::box{{10, 8, 9}, {24, 26, 24}});
  const confusion c = count_overlap(p, r, {"box", {1}});
  BOOST_TEST(c.predicted() == 4096);
  BOOST_TEST(c.reference() == 3780);
  BOOST_TEST(c.tp == 3360);
  BOOST_TEST(c.tp + c.fp + c.fn + c.tn == 64 * 64 * 64);
}

BOOST_AUTO_TEST_CASE(different_grids_are_an_error) {
  label_volume other = prediction;
  other.geometry.size = {5, 2, 1};
  BOOST_CHECK_THROW(static_cast<void>(count_overlap(other, reference, {"a", {1}})), geometry_error);
  other = prediction;
  other.geometry.affine[0][0] = -1;  // mirrored
  BOOST_CHECK_THROW(static_cast<void>(count_overlap(other, reference, {"a", {1}})), geometry_error);
  other = prediction;
  other.geometry.affine[1][3] = 0.5;  // half a voxel
  BOOST_CHECK_THROW(static_cast<void>(count_overlap(other, reference, {"a", {1}})), geometry_error);
  other.geometry.affine[1][3] = 1e-5;  // what rounding to float does
  BOOST_CHECK_NO_THROW(static_cast<void>(count_overlap(other, reference, {"a", {1}})));
  other.geometry.affine[1][1] = std::nan("");
  BOOST_CHECK_THROW(static_cast<void>(count_overlap(other, reference, {"a", {1}})), geometry_error);
  other = prediction;
  other.values.pop_back();
  BOOST_CHECK_THROW(static_cast<void>(count_overlap(other, reference, {"a", {1}})), geometry_error);
}

BOOST_AUTO_TEST_CASE(region_keys) {
  BOOST_TEST(label_key({"oedema", {2}}) == "2");
  BOOST_TEST(label_key({"core", {1, 3}}) == "(1, 3)");
  BOOST_CHECK_THROW(static_cast<void>(count_overlap(prediction, reference, {"none", {}})), config_error);
  BOOST_CHECK_THROW(static_cast<void>(count_overlap(prediction, reference, {"large", {256}})), config_error);
}
