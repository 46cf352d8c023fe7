// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_slice_choice
#include <boost/test/unit_test.hpp>

#include <comodal/report/slice_choice.hpp>

using namespace comodal;

namespace {

label_volume empty_volume() {
  return {{{9, 8, 7}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}}}, std::vector<std::uint8_t>(504)};
}

void fill(label_volume& v, voxel_place first, voxel_place last, std::uint8_t label) {
  for (comodal::index k = first[2]; k <= last[2]; ++k)
    for (comodal::index j = first[1]; j <= last[1]; ++j)
      for (comodal::index i = first[0]; i <= last[0]; ++i) v.at(i, j, k) = label;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_truth_alone_decides) {
  label_volume truth = empty_volume(), prediction = empty_volume();
  fill(truth, {2, 3, 4}, {4, 3, 4}, 1);       // a row in slice 4
  fill(prediction, {0, 0, 1}, {8, 7, 1}, 1);  // all of slice 1
  const slice_choice c = choose_slices(truth, &prediction);
  BOOST_TEST((c.place == voxel_place{3, 3, 4}));
  BOOST_TEST(c.reason.find("most voxels of the truth, all classes together") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(classes_count_together) {
  label_volume truth = empty_volume();
  fill(truth, {0, 0, 2}, {4, 0, 2}, 1);  // 5 voxels of one class
  fill(truth, {5, 5, 5}, {7, 5, 5}, 2);  // 3 + 3 of two others
  fill(truth, {5, 6, 5}, {7, 6, 5}, 3);
  const slice_choice c = choose_slices(truth);
  BOOST_TEST(c.place[2] == 5);
  BOOST_TEST(c.place[0] == 6);
}

BOOST_AUTO_TEST_CASE(of_a_block_the_middle_is_taken) {
  label_volume truth = empty_volume();
  fill(truth, {1, 2, 1}, {5, 4, 5}, 1);
  BOOST_TEST((choose_slices(truth).place == voxel_place{3, 3, 3}));
}

BOOST_AUTO_TEST_CASE(without_truth_the_prediction_decides_and_it_is_said) {
  label_volume prediction = empty_volume();
  fill(prediction, {7, 6, 2}, {8, 6, 2}, 3);
  const slice_choice c = choose_slices(empty_volume(), &prediction);
  BOOST_TEST(c.place[2] == 2);
  BOOST_TEST(c.place[1] == 6);
  BOOST_TEST(c.reason.find("the truth is empty") != std::string::npos);
  const slice_choice nothing = choose_slices(empty_volume());
  BOOST_TEST((nothing.place == voxel_place{4, 4, 3}));
  BOOST_TEST(nothing.reason.find("nothing is labelled") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(where_there_is_no_truth_the_mask_decides_and_is_named) {
  label_volume mask = empty_volume();
  fill(mask, {2, 3, 4}, {4, 3, 4}, 1);
  mask.at(8, 7, 1) = 2;
  const slice_choice c = choose_slices_by_mask(mask, "the mask of ours");
  BOOST_TEST((c.place == voxel_place{3, 3, 4}));
  BOOST_TEST(c.reason ==
             "the axial slice has the most voxels of the mask of ours, all classes together; the coronal and the "
             "sagittal one cross it where it has the most");
  const slice_choice nothing = choose_slices_by_mask(empty_volume(), "the mask of ours");
  BOOST_TEST((nothing.place == voxel_place{4, 4, 3}));
  BOOST_TEST(nothing.reason == "nothing is labelled in this case: the middle slices");
}
