// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_html
#include <boost/test/unit_test.hpp>

#include <comodal/report/html.hpp>

#include <cstdlib>

using namespace comodal;

namespace {

// The first place where tags do not balance, attributes are not quoted or a bare & or < stands in text; empty if all is
// well.
std::string malformed(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < html.size();) {
    if (html[at] == '&') {
      const std::size_t end = html.find(';', at);
      if (end == std::string::npos || end - at > 6) return "bare & at " + html.substr(at, 30);
    }
    if (html[at] == '>') return "bare > at " + html.substr(at, 30);
    if (html[at] != '<') {
      ++at;
      continue;
    }
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return "unclosed tag";
    const std::string tag = html.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag[0] == '!') continue;
    if (tag.find('<') != std::string::npos) return "< inside " + tag;
    if (std::count(tag.begin(), tag.end(), '"') % 2) return "quotes of " + tag;
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag[0] == '/') {
      if (open.empty() || "/" + open.back() != tag) return tag + " closes nothing";
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
      if (name == "style") at = html.find("</style>", at);
    }
  }
  return open.empty() ? "" : open.back() + " stays open";
}

// A reference to something outside the file, if there is one.
std::string outside_reference(const std::string& html) {
  for (const char* attribute : {"src=\"", "href=\"", "url(", "@import"})
    for (std::size_t at = 0; (at = html.find(attribute, at)) != std::string::npos; ++at) {
      const std::string target = html.substr(at + std::string(attribute).size(), 30);
      if (target.rfind("data:", 0) != 0 && target.rfind("#", 0) != 0) return target;
    }
  return html.find("<script") != std::string::npos ? "a script" : "";
}

std::vector<case_score> scores() {
  std::vector<case_score> list;
  for (const std::string output : {"fused", "only T1 & <b>"})
    for (int i = 0; i < 3; ++i) {
      case_score s;
      s.case_id = text("case_", i);
      s.output = output;
      s.region = {"core", {1}};
      s.dice = 0.25 * (i + 1);
      s.hd95 = 10.0 / (i + 1);
      list.push_back(s);
    }
  list.back().presence = mask_presence::missed;
  return list;
}

html_report full_report() {
  html_report report("Phantom: 4 labels <of 60> & \"quotes\"");
  report.heading("Run");
  report.facts({{"seed", "1"}, {"command", "comodal train --config='a<b>.toml' && echo"}});
  report.heading("Scores");
  report.scores(scores());
  report.table(comparison_table({{"Mean Teacher", scores()}, {"mutual learning", scores()}}));
  report.heading("Curves");
  curve_plot plot{"Validation Dice", "iteration", "Dice", {{"fused", {0, 100, 200}, {0.1, 0.5, 0.6}}}};
  report.curve(draw_curves(plot));
  report.curve(draw_curves(plot, "no-such-gnuplot"));
  report.heading("Cases");
  image_volume image{{{24, 24, 4}, {}}, {}};
  image.geometry.affine = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 3, 0}}};
  label_volume truth{image.geometry, std::vector<std::uint8_t>(2304)};
  for (std::size_t i = 0; i < 2304; ++i) image.values.push_back(static_cast<float>(i % 24 * (i / 24 % 24)));
  for (comodal::index j = 8; j < 14; ++j)
    for (comodal::index i = 8; i < 14; ++i) truth.at(i, j, 2) = 1;
  for (const auto& f : draw_overlay({"case <7>", {{"T1", &image}}, &truth, &truth, {{"core", {1}}}})) report.overlay(f);
  report.warning("Case 3 has no T2 & was scored without it.");
  return report;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_checks_of_this_test_can_fail) {
  BOOST_TEST(malformed("<p><b>x</p></b>") != "");
  BOOST_TEST(malformed("<p>a & b</p>") != "");
  BOOST_TEST(malformed("<p>") != "");
  BOOST_TEST(malformed("<p>x<br /></p>") == "");
  BOOST_TEST(outside_reference("<img src=\"https://example.org/a.png\" />") != "");
  BOOST_TEST(outside_reference("<img src=\"data:image/png;base64,AA==\" />") == "");
}

BOOST_AUTO_TEST_CASE(the_document_is_well_formed_and_needs_nothing_else) {
  const std::string html = full_report().to_string();
  BOOST_TEST(malformed(html) == "");
  BOOST_TEST(outside_reference(html) == "");
  BOOST_TEST(html.find("http") == std::string::npos);
  BOOST_TEST(html.rfind("<!DOCTYPE html>", 0) == 0u);
  BOOST_TEST(html.find("not a medical device") != std::string::npos);
  BOOST_TEST(html.find("data:image/png;base64,iVBORw0KGgo") != std::string::npos);
  BOOST_TEST(html.find("<title>Phantom: 4 labels &lt;of 60&gt; &amp; &quot;quotes&quot;</title>") != std::string::npos);
  BOOST_TEST(html.find("--config=&#39;a&lt;b&gt;.toml&#39; &amp;&amp; echo") != std::string::npos);
  BOOST_TEST(html.find("0.5000 ± 0.2500") != std::string::npos);
  BOOST_TEST(html.find("HD95 monai") != std::string::npos);
  BOOST_TEST(malformed(html_report("empty").to_string()) == "");
}

BOOST_AUTO_TEST_CASE(warnings_are_listed_at_the_top) {
  const html_report report = full_report();
  const std::string html = report.to_string();
  BOOST_TEST(report.warnings().size() >= 2u);
  const std::size_t warnings = html.find("<h2>Warnings</h2>"), run = html.find("<h2>Run</h2>");
  BOOST_REQUIRE(warnings != std::string::npos);
  BOOST_TEST(warnings < run);
  BOOST_TEST(html.find("no-such-gnuplot", run) != std::string::npos);  // again in the plot's place
  BOOST_TEST(html_report("x").to_string().find("Warnings") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_report_is_written_in_one_step) {
  const auto folder = std::filesystem::temp_directory_path() / text("comodal_html_", ::getpid());
  std::filesystem::create_directories(folder);
  const html_report report = full_report();
  report.write(folder / "report.html");
  const byte_buffer bytes = read_file(folder / "report.html");
  BOOST_TEST(std::string(bytes.begin(), bytes.end()) == report.to_string());
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(folder), {}) == 1);
  BOOST_CHECK_THROW(report.write(folder / "absent" / "report.html"), io_error);
  std::filesystem::remove_all(folder);
  if (const char* to = std::getenv("COMODAL_TEST_PICTURES")) report.write(std::filesystem::path(to) / "report.html");
}

BOOST_AUTO_TEST_CASE(escapes) { BOOST_TEST(escape_html("a<b>&\"'\x01\n") == "a&lt;b&gt;&amp;&quot;&#39; \n"); }
