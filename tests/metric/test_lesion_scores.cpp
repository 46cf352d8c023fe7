// SPDX-License-Identifier: Apache-2.0
// Lesion-wise scores against SciPy (tests/reference/make_lesions.py) and cases with a known answer.
#define BOOST_TEST_MODULE metric_lesion_scores
#include <comodal/data/json.hpp>
#include <comodal/metric/lesion_scores.hpp>

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

label_volume mask_of(const nlohmann::ordered_json& one, const char* boxes) {
  const auto size = json_value<std::array<index, 3>>(one, "size", "case");
  const auto spacing = json_value<std::array<double, 3>>(one, "spacing", "case");
  label_volume mask{{size, {{{spacing[0], 0, 0, 0}, {0, spacing[1], 0, 0}, {0, 0, spacing[2], 0}}}}, {}};
  mask.values.resize(static_cast<std::size_t>(mask.geometry.voxels()));
  for (const auto& entry : one[boxes]) {
    const auto b = json_value<std::vector<index>>(entry, "box");
    for (index k = b[2]; k < b[5]; ++k)
      for (index j = b[1]; j < b[4]; ++j)
        for (index i = b[0]; i < b[3]; ++i) mask.at(i, j, k) = 4;
  }
  return mask;
}

const label_class enhancing{"enhancing", {4}};

}  // namespace

BOOST_AUTO_TEST_CASE(agrees_with_scipy) {
  const auto golden = read_json(COMODAL_TEST_DATA "/lesions.json");
  BOOST_TEST(golden["cases"].size() == 14u);
  for (const auto& one : golden["cases"]) {
    lesion_options options;
    options.dilation = json_value<index>(one, "dilation", "case");
    options.smallest = json_value<double>(one, "smallest", "case");
    const auto found =
        score_lesions(mask_of(one, "prediction"), mask_of(one, "truth"), enhancing, "a", "fused", options);
    BOOST_TEST(found.lesions == json_value<index>(one, "lesions", "case"));
    BOOST_TEST(found.missed == json_value<index>(one, "missed", "case"));
    BOOST_TEST(found.invented == json_value<index>(one, "invented", "case"));
    BOOST_TEST(found.dice == json_value<double>(one, "dice", "case"), boost::test_tools::tolerance(1e-12));
    BOOST_TEST(found.hd95 == json_value<double>(one, "hd95", "case"), boost::test_tools::tolerance(1e-9));
  }
}

BOOST_AUTO_TEST_CASE(nothing_to_find_and_nothing_found_is_perfect) {
  const label_volume none{{{8, 8, 8}}, std::vector<std::uint8_t>(512)};
  const auto perfect = score_lesions(none, none, enhancing, "a");
  BOOST_TEST(perfect.dice == 1.0);
  BOOST_TEST(perfect.hd95 == 0.0);
  label_volume one = none;
  one.at(3, 3, 3) = 4;
  const auto invented = score_lesions(one, none, enhancing, "a");
  BOOST_TEST(invented.invented == 1);
  BOOST_TEST(invented.dice == 0.0);
  BOOST_TEST(invented.hd95 == 374.0);
  // A true lesion of 1 mm^3 is left out, and what was found of it is not invented.
  const auto small = score_lesions(one, one, enhancing, "a");
  BOOST_TEST(small.lesions == 0);
  BOOST_TEST(small.invented == 0);
  BOOST_TEST(small.dice == 1.0);
  label_volume other = none;
  other.geometry.affine[0][3] = 5;
  BOOST_CHECK_THROW((void)score_lesions(none, other, enhancing, "a"), geometry_error);
  BOOST_CHECK_THROW((void)score_lesions(none, none, enhancing, "a", "fused", {-1}), config_error);
}

BOOST_AUTO_TEST_CASE(tables_have_means_and_sums) {
  lesion_score a{"x", "fused", enhancing, 2, 1, 0, 0.4, 100}, b{"y", "fused", enhancing, 1, 0, 3, 0.2, 300};
  const auto table = lesion_summary({a, b});
  BOOST_REQUIRE(table.rows.size() == 1u);
  BOOST_TEST(table.rows[0][2] == "2");
  BOOST_TEST(table.rows[0][3].starts_with("0.3000"));
  BOOST_TEST(table.rows[0][5] == "3");
  BOOST_TEST(table.rows[0][6] == "1");
  BOOST_TEST(table.rows[0][7] == "3");
  BOOST_TEST(lesion_table({a, b}, {}).rows.size() == 2u);
}

}  // namespace comodal::tests
