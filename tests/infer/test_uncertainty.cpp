// SPDX-License-Identifier: Apache-2.0
// The disagreement of branches: closed forms, SciPy's values, and what is refused.
#define BOOST_TEST_MODULE infer_uncertainty
#include <boost/test/unit_test.hpp>

#include <comodal/infer/uncertainty.hpp>

#include <core/support.hpp>

#include <nlohmann/json.hpp>

#include <fstream>

namespace comodal::tests {
namespace {

// One voxel per entry of `p`: p[voxel][channel].
probability_map map_of(const std::vector<std::vector<float>>& p) {
  const auto voxels = static_cast<index>(p.size()), channels = static_cast<index>(p[0].size());
  probability_map map{{1, 1, voxels}, channels, std::vector<float>(p.size() * p[0].size())};
  for (std::size_t v = 0; v < p.size(); ++v)
    for (std::size_t c = 0; c < p[0].size(); ++c) map.values[c * p.size() + v] = p[v][c];
  return map;
}

std::vector<float> disagreement(const std::vector<probability_map>& maps, label_kind kind, std::size_t modalities) {
  std::vector<const probability_map*> list;
  for (const auto& map : maps) list.push_back(&map);
  return branch_disagreement(list, kind, modalities);
}

const auto classes = label_kind::classes, regions = label_kind::regions;
const auto near = boost::test_tools::tolerance(1e-6f);

}  // namespace

BOOST_AUTO_TEST_CASE(equal_branches_give_exactly_0) {
  const auto p = map_of({{0.3f, 0.6f, 0.1f}, {1, 0, 0}, {1.f / 3, 1.f / 3, 1.f / 3}});
  for (const auto kind : {classes, regions})
    for (const std::size_t branches : {2u, 3u, 5u})
      BOOST_TEST(disagreement(std::vector(branches, p), kind, 7) == std::vector<float>(3, 0.f),
                 boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(certain_branches_that_differ_as_far_as_they_can_give_1) {
  // Two and three branches, each certain of another of three classes; the bound is ln(min(M, C)).
  const auto a = map_of({{1, 0, 0}}), b = map_of({{0, 1, 0}}), c = map_of({{0, 0, 1}});
  BOOST_TEST(disagreement({a, b}, classes, 2)[0] == 1.f, near);
  BOOST_TEST(disagreement({a, b, c}, classes, 3)[0] == 1.f, near);
  // A case that lacks one of three modalities cannot reach the bound of the model: ln 2 / ln 3.
  BOOST_TEST(disagreement({a, b}, classes, 3)[0] == static_cast<float>(std::log(2.0) / std::log(3.0)), near);
  // Four branches and two classes: half of them against the other half.
  const auto yes = map_of({{0, 1}}), no = map_of({{1, 0}});
  BOOST_TEST(disagreement({yes, no, yes, no}, classes, 4)[0] == 1.f, near);
  // One against three: H(1/4) / ln 2.
  const double h = -(0.25 * std::log(0.25) + 0.75 * std::log(0.75)) / std::log(2.0);
  BOOST_TEST(disagreement({yes, no, no, no}, classes, 4)[0] == static_cast<float>(h), near);
}

BOOST_AUTO_TEST_CASE(regions_are_the_mean_over_channels_of_the_binary_form) {
  // One region in dispute, one agreed on.
  BOOST_TEST(disagreement({map_of({{1, 0.5f}}), map_of({{0, 0.5f}})}, regions, 2)[0] == 0.5f, near);
  // As two classes (p, 1 - p).
  const float p = 0.9f, q = 0.35f;
  BOOST_TEST(disagreement({map_of({{p}}), map_of({{q}})}, regions, 2)[0] ==
                 disagreement({map_of({{p, 1 - p}}), map_of({{q, 1 - q}})}, classes, 2)[0],
             near);
}

BOOST_AUTO_TEST_CASE(values_are_scipys) {
  const auto golden = nlohmann::json::parse(std::ifstream(COMODAL_TEST_DATA "/uncertainty.json"));
  BOOST_TEST(golden["maps"].size() == 6u);
  for (const auto& one : golden["maps"]) {
    const auto p = one["p"].get<std::vector<float>>();
    const auto expected = one["u"].get<std::vector<double>>();
    const auto branches = one["branches"].get<std::size_t>(), size = p.size() / branches;
    std::vector<probability_map> maps;
    for (std::size_t k = 0; k < branches; ++k)
      maps.push_back({{2, 3, 4},
                      one["channels"].get<index>(),
                      {p.begin() + static_cast<std::ptrdiff_t>(k * size),
                       p.begin() + static_cast<std::ptrdiff_t>((k + 1) * size)}});
    const auto found =
        disagreement(maps, one["kind"] == "classes" ? classes : regions, one["modalities"].get<std::size_t>());
    BOOST_REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      BOOST_TEST(std::abs(static_cast<double>(found[i]) - expected[i]) < 1e-6);
  }
}

BOOST_AUTO_TEST_CASE(more_voxels_than_a_block) {
  const std::vector<std::vector<float>> many(10000, {0.25f, 0.75f}), other(10000, {0.5f, 0.5f});
  const auto found = disagreement({map_of(many), map_of(other)}, classes, 2);
  const auto one = disagreement({map_of({many[0]}), map_of({other[0]})}, classes, 2);
  BOOST_TEST(found == std::vector<float>(10000, one[0]), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  const auto a = map_of({{1, 0, 0}}), other = map_of({{1, 0}});
  BOOST_CHECK_EXCEPTION((void)disagreement({a}, classes, 2), config_error, says("1 branches, expected 2 to 2"));
  BOOST_CHECK_EXCEPTION((void)disagreement({a, a, a}, classes, 2), config_error, says("3 branches, expected 2 to 2"));
  BOOST_CHECK_EXCEPTION((void)disagreement({a, other}, classes, 2), shape_error, says("differ in size or channels"));
  BOOST_CHECK_EXCEPTION((void)disagreement({map_of({{1}}), map_of({{1}})}, classes, 2), shape_error, says("1 classes"));
  model_plan plan;
  plan.modalities = {"T1"};
  BOOST_CHECK_EXCEPTION(expect_branches(plan, "rank"), config_error, says("rank: the model has one modality"));
  plan.modalities = {"T1", "T2"};
  expect_branches(plan, "rank");
  plan.network.fusion = "early";
  BOOST_CHECK_EXCEPTION(expect_branches(plan, "rank"), config_error, says("no branches (model.fusion = \"early\")"));
  plan.network.branches = false;
  BOOST_CHECK_EXCEPTION(expect_branches(plan, "rank"), config_error, says("no branches (model.branches = false)"));
}

}  // namespace comodal::tests
