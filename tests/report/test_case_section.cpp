// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_case_section
#include <boost/test/unit_test.hpp>

#include <comodal/report/case_section.hpp>

#include <report/markup.hpp>
#include <report/scene.hpp>

using namespace comodal;

namespace {

case_score score(const std::string& id, double dice, const std::string& output = "fused", const char* region = "core") {
  case_score s;
  s.case_id = id;
  s.output = output;
  s.region = {region, {1}};
  s.dice = dice;
  return s;
}

std::string words_of(const std::vector<chosen_case>& cases) {
  std::string out;
  for (const auto& c : cases) out += text(c.case_id, c.mark.empty() ? "" : "=", c.mark, ' ');
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(worst_median_and_best_come_first) {
  const method_scores m{"a", {score("p", 0.5), score("q", 0.1), score("r", 0.9), score("s", 0.6), score("t", 0.3)}};
  BOOST_TEST(words_of(choose_cases({m}, 3)) == "q=worst p=median r=best ");
  BOOST_TEST(words_of(choose_cases({m}, 5)) == "q=worst p=median r=best t s ");
  BOOST_TEST(words_of(choose_cases({m}, 1)) == "q=worst ");
  BOOST_TEST(words_of(choose_cases({m}, 100)) == "q=worst p=median r=best t s ");
  BOOST_TEST(choose_cases({m}, 0).empty());
  BOOST_TEST(choose_cases({m}, 1)[0].dice[0] == 0.1);
}

BOOST_AUTO_TEST_CASE(few_cases) {
  BOOST_TEST(words_of(choose_cases({{"a", {score("p", 0.5)}}}, 3)) == "p=worst ");
  BOOST_TEST(words_of(choose_cases({{"a", {score("p", 0.5), score("q", 0.4)}}}, 3)) == "q=worst p=best ");
  const method_scores four{"a", {score("p", 0.1), score("q", 0.2), score("r", 0.3), score("s", 0.4)}};
  BOOST_TEST(words_of(choose_cases({four}, 4)) == "p=worst q=median s=best r ");  // the lower middle
  BOOST_TEST(choose_cases({{"a", {}}}, 3).empty());
}

BOOST_AUTO_TEST_CASE(classes_and_methods_are_averaged_by_the_first_output) {
  const method_scores a{"a",
                        {score("p", 0.9), score("p", 0.1, "fused", "rim"), score("q", 0.6),
                         score("q", std::nan(""), "fused", "rim"), score("p", 1, "branch T1")}},
      b{"b", {score("p", 0.8), score("q", 0.1), score("only_b", 0.01)}};
  const auto cases = choose_cases({a, b}, 3);               // p: (0.5 + 0.8) / 2; q: (0.6 + 0.1) / 2
  BOOST_TEST(words_of(cases) == "q=worst p=best only_b ");  // a case of one method is behind, unmarked
  BOOST_TEST(cases[1].dice[0] == 0.5);
  BOOST_TEST(cases[0].dice[0] == 0.6);
  BOOST_TEST(std::isnan(cases[2].dice[0]));
  BOOST_TEST(cases[2].dice[1] == 0.01);
}

BOOST_AUTO_TEST_CASE(a_section_has_pictures_and_a_viewer) {
  shown_case c = tests::scene().as_case();
  c.mark = "worst";
  prepare_to_show(c);
  const std::string html = case_section(c, 1);
  BOOST_TEST(tests::malformed(html) == "");
  BOOST_TEST(html.find("Case patient_07 <span class=\"badge\">worst</span>") != std::string::npos);
  BOOST_TEST(html.find("Mean Dice: ours 0.500.") != std::string::npos);
  for (const char* plane : {"Axial slice 6 of 8", "Coronal slice 8 of 10", "Sagittal slice 10 of 12"})
    BOOST_TEST(html.find(plane) != std::string::npos, plane);
  BOOST_TEST(html.find("Drawn on FLAIR") != std::string::npos);
  BOOST_TEST(html.find("missed: there, not found") != std::string::npos);
  BOOST_TEST(html.find("<details class=\"viewer\">") != std::string::npos);
  BOOST_TEST(html.find("Volumes of 12 x 10 x 8 voxels, cut to the head") != std::string::npos);
  BOOST_TEST(html.find("tilted") == std::string::npos);
  BOOST_TEST(case_section(c, 1, {.scroll = false}).find("viewer") == std::string::npos);
  for (std::size_t at = 0; (at = html.find("<use href=\"#", at)) != std::string::npos; ++at) {  // what is used is there
    const std::string id = html.substr(at + 12, html.find('"', at + 12) - at - 12);
    BOOST_TEST(html.find("id=\"" + id + "\"") < at, id);
  }
  c.tilt = 12.4;
  BOOST_TEST(case_section(c, 2).find("tilted by up to 12 degrees") != std::string::npos);
  c.images.clear();
  BOOST_TEST(case_section(c, 3).find("There is no image of this case") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_section_without_truth_says_nothing_of_one) {
  shown_case c = tests::scene().as_case();
  c.truth.reset();
  c.mark = "mean uncertainty 0.12";
  c.methods[0].name = "<ours>";
  c.methods[0].dice = std::nan("");
  prepare_to_show(c);
  const std::string html = case_section(c, 1);
  BOOST_TEST(tests::malformed(html) == "");
  BOOST_TEST(html.find("<span class=\"badge\">mean uncertainty 0.12</span>") != std::string::npos);
  BOOST_TEST(html.find("Drawn on FLAIR, in which the mask of &lt;ours&gt; stands out most.") != std::string::npos);
  BOOST_TEST(html.find("most voxels of the mask of &lt;ours&gt;") != std::string::npos);
  BOOST_TEST(html.find("with the outlines of the mask of &lt;ours&gt;") != std::string::npos);
  BOOST_TEST(html.find("<details class=\"viewer\">") != std::string::npos);
  for (const char* words : {"truth", "Truth", "Dice", "error", "missed", "false:"})
    BOOST_TEST(html.find(words) == std::string::npos, words);
  auto& mask = c.methods[0].masks[0].labels.values;
  std::fill(mask.begin(), mask.end(), std::uint8_t{0});
  prepare_to_show(c);
  BOOST_TEST(case_section(c, 2).find("Drawn on T1, the first image. Slices: nothing is labelled in this case: the "
                                     "middle slices.") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(no_name_ends_the_script) {
  shown_case c = tests::scene().as_case();
  c.case_id = "</script><script>alert(1)</script><!--";
  c.classes[0].name = "]]>&";
  prepare_to_show(c);
  const std::string html = case_section(c, 1);
  BOOST_TEST(tests::malformed(html) == "");
  BOOST_TEST(tests::count(html, "</script>") == 1u);
  BOOST_TEST(html.find("\\u003c/script\\u003e\\u003cscript\\u003ealert(1)") != std::string::npos);
  BOOST_TEST(html.find("<!--") == std::string::npos);
}
