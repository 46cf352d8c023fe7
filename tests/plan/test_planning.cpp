// SPDX-License-Identifier: Apache-2.0
// nnU-Net's plans for the data sets of the Medical Segmentation Decathlon: voxel sizes and patches as published with
// its plans (NVIDIA's copy), median sizes from the supplement of its paper.
#define BOOST_TEST_MODULE plan_planning
#include <comodal/plan/planning.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

namespace comodal::tests {
namespace {

struct task {
  std::string name;
  std::array<double, 3> spacing, size;
  index classes;
  std::size_t cases;
  extent3 patch;
  index batch;
};

std::string words(const extent3& e) { return text(e[0], "x", e[1], "x", e[2]); }
std::string words(const std::vector<extent3>& list) {
  std::string all;
  for (const auto& e : list) all += text(all.empty() ? "" : " ", e[0], e[1], e[2]);
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(patches_of_the_decathlon_are_nnunets) {
  const std::vector<task> tasks{{"brain tumour", {1, 1, 1}, {138, 169, 138}, 4, 484, {128, 128, 128}, 2},
                                {"heart", {1.37, 1.25, 1.25}, {115, 320, 232}, 2, 20, {80, 192, 160}, 2},
                                {"liver", {1, 0.7676, 0.7676}, {482, 512, 512}, 3, 131, {128, 128, 128}, 2},
                                {"hippocampus", {1, 1, 1}, {36, 50, 35}, 3, 260, {40, 56, 40}, 9},
                                {"prostate", {3.6, 0.62, 0.62}, {20, 320, 319}, 3, 32, {20, 320, 256}, 2},
                                {"lung", {1.24, 0.79, 0.79}, {252, 512, 512}, 2, 63, {80, 192, 160}, 2},
                                {"pancreas", {2.5, 0.8, 0.8}, {96, 512, 512}, 3, 281, {40, 224, 224}, 2},
                                {"hepatic vessel", {1.5, 0.8, 0.8}, {150, 512, 512}, 3, 303, {64, 192, 192}, 2},
                                {"spleen", {1.6, 0.79, 0.79}, {187, 512, 512}, 2, 41, {64, 192, 160}, 2},
                                // Version 1 had 56x192x160 here; its measure of memory was another.
                                {"colon", {3, 0.78, 0.78}, {150, 512, 512}, 2, 126, {56, 192, 192}, 2}};
  for (const task& t : tasks) {
    const auto found = plan_patch(t.spacing, t.size, t.cases, {},
                                  [&](const network_topology& n) { return nnunet_feature_voxels(n, t.classes); });
    BOOST_TEST(words(found.topology.patch) == words(t.patch), t.name << ": " << words(found.topology.patch));
    BOOST_TEST(found.batch == t.batch, t.name << ": batch " << found.batch);
    for (std::size_t a = 0; a < 3; ++a) BOOST_TEST(found.topology.patch[a] % found.topology.total_stride()[a] == 0);
  }
}

BOOST_AUTO_TEST_CASE(thick_slices_are_halved_last) {
  const auto prostate = topology_of({3.6, 0.62, 0.62}, {20, 320, 256});
  BOOST_TEST(words(prostate.strides) == "122 122 222 222 122 122");
  BOOST_TEST(words(prostate.kernel_size) == "133 133 333 333 333 333 333");
  BOOST_TEST(words(prostate.total_stride()) == "4x64x64");
  const auto cube = topology_of({1, 1, 1}, {128, 128, 128});
  BOOST_TEST(words(cube.strides) == "222 222 222 222 222");
  const auto slices = topology_of({5, 1, 1}, {2, 64, 64});  // too few to be halved at all
  BOOST_TEST(words(slices.strides) == "122 122 122 122");
  BOOST_TEST(words(topology_of({1, 1, 1}, {36, 50, 35}).patch) == "40x56x40");
  BOOST_TEST(words(topology_of({1, 1, 1}, {11, 3, 3}).patch) == "12x3x3");  // one axis needs 12 voxels; two stages
  BOOST_TEST(words(topology_of({1, 1, 1}, {7, 7, 3}).strides) == "221");
  BOOST_TEST(words(topology_of({1, 1, 1}, {12, 3, 3}).strides) == "211");
  BOOST_CHECK_THROW((void)topology_of({1, 0, 1}, {8, 8, 8}), config_error);
}

BOOST_AUTO_TEST_CASE(the_target_is_the_median_but_for_thick_slices) {
  std::vector<case_extent> cases;
  for (int i = 0; i < 11; ++i) cases.push_back({{30, 320, 300}, {3.0 + 0.1 * i, 0.6, 0.7}});
  const auto thick = target_spacing(cases);  // 3.5 mm is more than three times 0.7, and 90 less than 300
  BOOST_TEST(std::abs(thick[0] - 3.1) < 1e-12);
  BOOST_TEST(thick[1] == 0.6);
  BOOST_TEST(thick[2] == 0.7);
  for (auto& one : cases) one.size[0] = 110;  // voxels enough: the median
  BOOST_TEST(std::abs(target_spacing(cases)[0] - 3.5) < 1e-12);
  for (auto& one : cases) one.size[0] = 30;
  cases[0].spacing[0] = cases[1].spacing[0] = 0.2;  // never finer than the other axes
  BOOST_TEST(std::abs(target_spacing(cases)[0] - 0.70001) < 1e-12);
  BOOST_TEST(median_size(cases, {3.5, 0.6, 0.7})[1] == 320);
  BOOST_TEST(median_size(cases, {7, 1.2, 0.7})[1] == 160);
  BOOST_CHECK_THROW((void)target_spacing({}), shape_error);
}

BOOST_AUTO_TEST_CASE(less_memory_makes_a_smaller_patch) {
  const auto planned = [](double feature_voxels) {
    return plan_patch({1, 1, 1}, {138, 169, 138}, 484, {.feature_voxels = feature_voxels},
                      [](const network_topology& n) { return nnunet_feature_voxels(n, 4); });
  };
  double before = 1e18;
  for (const double limit : {2000e6, 560e6, 100e6, 10e6, 1e3}) {
    const auto t = planned(limit).topology;
    const double voxels = static_cast<double>(t.patch[0] * t.patch[1] * t.patch[2]);
    BOOST_TEST(voxels < before);
    before = voxels;
    BOOST_TEST((limit < 1e6 || nnunet_feature_voxels(t, 4) <= limit));
  }
}

}  // namespace comodal::tests
