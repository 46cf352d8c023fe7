// SPDX-License-Identifier: Apache-2.0
// Post-processing is chosen where masks speak for it, and nowhere else; and two methods are compared on the same cases.
#define BOOST_TEST_MODULE metric_choose_postprocessing
#include <comodal/metric/choose_postprocessing.hpp>
#include <comodal/metric/paired_comparison.hpp>

#include <boost/test/unit_test.hpp>

namespace comodal::tests {
namespace {

const std::vector<label_class> classes{{"background", {0}}, {"core", {1}}, {"rim", {2}}};

void fill(label_volume& v, const std::array<index, 3>& first, const std::array<index, 3>& last, std::uint8_t value) {
  for (index k = first[2]; k < last[2]; ++k)
    for (index j = first[1]; j < last[1]; ++j)
      for (index i = first[0]; i < last[0]; ++i) v.at(i, j, k) = value;
}

// A core with a speck far away and a hole in it; a rim of two true parts.
scored_pair pair(std::size_t number) {
  label_volume truth{{{20, 20, 20}}, std::vector<std::uint8_t>(8000)};
  const auto shift = static_cast<index>(number);
  fill(truth, {1 + shift, 1, 1}, {7 + shift, 8, 8}, 1);
  fill(truth, {1, 11, 11}, {5, 15, 15}, 2);
  fill(truth, {14, 11, 11}, {18, 14, 14}, 2);
  scored_pair one{truth, truth};
  fill(one.prediction, {3 + shift, 3, 3}, {4 + shift, 5, 5}, 0);
  fill(one.prediction, {17, 17, 17}, {19, 19, 19}, 1);
  return one;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_helps_is_chosen_and_what_hurts_is_not) {
  const auto chosen = choose_postprocessing(3, pair, classes, {});
  BOOST_REQUIRE(chosen.rules.size() == 1u);  // keeping one part of the rim would cost half of it
  BOOST_TEST(chosen.rules[0].name == "core");
  BOOST_TEST(chosen.rules[0].holes);
  BOOST_TEST((chosen.rules[0].largest || chosen.rules[0].smallest > 0));
  BOOST_TEST((chosen.classes == std::vector<std::string>{"core", "rim"}));
  BOOST_TEST(chosen.before[0] < 0.999);
  BOOST_TEST(chosen.after[0] == 1.0);
  BOOST_TEST(chosen.before[1] == 1.0);
  BOOST_TEST(chosen.after[1] == 1.0);
  BOOST_CHECK_THROW((void)choose_postprocessing(0, pair, classes, {}), config_error);
}

BOOST_AUTO_TEST_CASE(a_step_that_costs_one_case_much_is_not_taken) {
  const auto costly = [](std::size_t number) {
    scored_pair one = pair(number);
    if (number == 2) one.reference = one.prediction;  // there, speck and hole are true
    return one;
  };
  BOOST_TEST(choose_postprocessing(3, costly, classes, {}, {.most_loss = 0.001}).rules.empty());
  BOOST_TEST(!choose_postprocessing(3, costly, classes, {}, {.most_loss = 0.5}).rules.empty());
  BOOST_TEST(choose_postprocessing(3, pair, classes, {}, {.least_gain = 0.5}).rules.empty());
}

// Of regions, the largest part of the whole is not worth a true core that lies in the small one.
BOOST_AUTO_TEST_CASE(a_region_is_not_chosen_at_the_cost_of_another) {
  const std::vector<label_class> regions{{"background", {0}}, {"whole", {1, 2}}, {"core", {1}}};
  const auto masks = [](std::size_t) {
    label_volume truth{{{20, 20, 20}}, std::vector<std::uint8_t>(8000)};
    fill(truth, {1, 1, 1}, {12, 12, 12}, 2);
    fill(truth, {15, 15, 15}, {17, 17, 17}, 1);
    scored_pair one{truth, truth};
    fill(one.prediction, {15, 15, 12}, {18, 18, 17}, 2);  // too large
    fill(one.prediction, {15, 15, 15}, {17, 17, 17}, 1);
    return one;
  };
  BOOST_TEST(choose_postprocessing(2, masks, regions, {2, 1}).rules.empty());
  BOOST_TEST(!choose_postprocessing(2, masks, {regions[0], regions[1]}, {2}).rules.empty());
}

// Where a case lacks a class, nothing can be won by removing what was predicted: true small parts of others would go.
BOOST_AUTO_TEST_CASE(cases_without_a_class_do_not_speak_for_its_removal) {
  const auto masks = [](std::size_t number) {
    label_volume truth{{{20, 20, 20}}, std::vector<std::uint8_t>(8000)};
    if (number == 0) fill(truth, {2, 2, 2}, {4, 4, 4}, 1);
    scored_pair one{truth, truth};
    if (number == 0) fill(one.prediction, {2, 2, 2}, {6, 6, 6}, 1);
    if (number > 0) fill(one.prediction, {9, 9, 9}, {12, 12, 12}, 1);
    return one;
  };
  BOOST_TEST(choose_postprocessing(4, masks, {classes[0], classes[1]}, {}).rules.empty());
}

BOOST_AUTO_TEST_CASE(methods_are_paired_by_case_and_class) {
  const auto score = [](const std::string& id, const std::string& output, const std::string& name, double dice) {
    case_score s;
    s.case_id = id, s.output = output, s.region = {name, {1}}, s.dice = dice, s.hd95 = 10 * dice;
    return s;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const method_scores a{
      "a",
      {score("1", "fused", "core", 0.5), score("2", "fused", "core", 0.6), score("3", "fused", "core", 0.7),
       score("4", "fused", "core", nan), score("1", "only T1", "core", 0.1)}};
  const method_scores b{"b",
                        {score("2", "masks", "core", 0.8), score("1", "masks", "core", 0.6),
                         score("4", "masks", "core", 1), score("9", "masks", "core", 1)}};
  const auto found = paired_differences({a, b});
  BOOST_REQUIRE(found.size() == 1u);
  BOOST_TEST(found[0].cases == 2);  // 1 and 2: 3 and 9 are of one method, 4 has no score
  BOOST_TEST(found[0].dice.mean == 0.15, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(found[0].dice.low == 0.1, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(found[0].dice.high == 0.2, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(found[0].dice_p == 0.5);  // the least that two pairs can say
  BOOST_TEST(found[0].hd95.mean == 1.5, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(paired_differences({a}).empty());
  const auto table = paired_table(found);
  BOOST_TEST(table.rows[0][1] == "b");
  BOOST_TEST(table.rows[0][2] == "a");
  BOOST_TEST(table.rows[0][4] == "0.1500 (0.1000 to 0.2000)");
}

}  // namespace comodal::tests
