// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE infer_modality_subset
#include <boost/test/unit_test.hpp>

#include <comodal/infer/modality_subset.hpp>

using namespace comodal;

BOOST_AUTO_TEST_CASE(by_size_then_in_the_order_of_modalities) {
  const std::vector<modality_subset> expected{{0},       {1},       {2},       {3},       {0, 1},
                                              {0, 2},    {0, 3},    {1, 2},    {1, 3},    {2, 3},
                                              {0, 1, 2}, {0, 1, 3}, {0, 2, 3}, {1, 2, 3}, {0, 1, 2, 3}};
  BOOST_TEST((modality_subsets(4, 4) == expected));
  BOOST_TEST((modality_subsets(4, 1) == std::vector<modality_subset>{{0}, {1}, {2}, {3}}));
  BOOST_TEST((modality_subsets(1, 1) == std::vector<modality_subset>{{0}}));
  BOOST_TEST(modality_subsets(3, 0).empty());
  BOOST_TEST(modality_subsets(8, 8).size() == 255u);
  BOOST_TEST(modality_subsets(255, 1).size() == 255u);
}

BOOST_AUTO_TEST_CASE(names_are_joined_by_plus) {
  const std::vector<std::string> names{"FLAIR", "T1", "T2"};
  BOOST_TEST(name_of_subset(names, {1}) == "only T1");
  BOOST_TEST(name_of_subset(names, {0, 2}) == "only FLAIR + T2");
}
