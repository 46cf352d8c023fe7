// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_html
#include <boost/test/unit_test.hpp>

#include <comodal/report/case_section.hpp>
#include <comodal/report/html.hpp>

#include <report/markup.hpp>
#include <report/scene.hpp>

#include <cstdlib>

using namespace comodal;
using tests::malformed, tests::outside_reference;

namespace {

html_report full_report() {
  html_report report(
      "Phantom: 4 labels <of 60> & \"quotes\"",
      {.commit = "abc<1>", .date = "2026-11-29 10:00 UTC", .host = "h&m", .command = "comodal --x='<a>'"});
  report.heading("Run <1>");
  report.facts({{"seed", "1"}, {"command", "comodal train --config='a<b>.toml' && echo"}, {"host", ""}});
  report.table({{"class", "Dice"}, {{"core & <rim>", "0.5000 ± 0.2500"}, {"oedema", "-"}}}, "Scores of \"A\"");
  report.table({{"class", "Dice"}, {{"core", "0.5"}}}, "folded", true);
  report.reading("Higher is better.");
  report.heading("Curves");
  report.curves(
      {draw_curves({"Validation <Dice>", "step", "Dice", {{"fused", {0, 100}, {0.1, 0.6}}, {"<b>", {0}, {1}}}}),
       draw_curves({"empty", "step", "Dice", {}})});
  report.listing("settings", "steps = 2 # <b>&");
  report.heading("Cases");
  shown_case c = tests::scene().as_case();
  c.case_id = "</script>";
  prepare_to_show(c);
  report.content("case-1", "Case </script>");
  report.markup(case_section(c, 1));
  report.warning("Case 3 has no T2 & was scored without it.");
  return report;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_checks_of_this_test_can_fail) {
  BOOST_TEST(malformed("<p><b>x</p></b>") != "");
  BOOST_TEST(malformed("<p>a & b</p>") != "");
  BOOST_TEST(malformed("<p>") != "");
  BOOST_TEST(malformed("<p>x<br /></p>") == "");
  BOOST_TEST(malformed("<script>a < b && c</script>") == "");
  BOOST_TEST(outside_reference("<img src=\"https://example.org/a.png\" />") != "");
  BOOST_TEST(outside_reference("<img src=\"data:image/png;base64,AA==\" />") == "");
}

BOOST_AUTO_TEST_CASE(the_document_is_well_formed_and_needs_nothing_else) {
  const std::string html = full_report().to_string();
  BOOST_TEST(malformed(html) == "");
  BOOST_TEST(outside_reference(html) == "");
  BOOST_TEST(html.find("http:") == std::string::npos);
  BOOST_TEST(html.find("https:") == std::string::npos);
  BOOST_TEST(html.find("default-src &#39;none&#39;") != std::string::npos);
  BOOST_TEST(html.rfind(html_report::first_words, 0) == 0u);
  BOOST_TEST(html.find("not a medical device") != std::string::npos);
  BOOST_TEST(html.find("<title>Phantom: 4 labels &lt;of 60&gt; &amp; &quot;quotes&quot;</title>") != std::string::npos);
  BOOST_TEST(html.find("--config=&#39;a&lt;b&gt;.toml&#39; &amp;&amp; echo") != std::string::npos);
  BOOST_TEST(html.find("steps = 2 # &lt;b&gt;&amp;</pre>") != std::string::npos);
  BOOST_TEST(malformed(html_report("empty").to_string()) == "");
}

BOOST_AUTO_TEST_CASE(head_and_contents_stand_at_the_top) {
  const std::string html = full_report().to_string();
  BOOST_TEST(html.find("<dt>made</dt><dd>2026-11-29 10:00 UTC</dd>") != std::string::npos);
  BOOST_TEST(html.find(text("<dd>comodal ", COMODAL_VERSION, ", commit abc&lt;1&gt;</dd>")) != std::string::npos);
  BOOST_TEST(html.find("<dt>host</dt><dd>h&amp;m</dd>") != std::string::npos);
  BOOST_TEST(html.find("<dd>comodal --x=&#39;&lt;a&gt;&#39;</dd>") != std::string::npos);
  BOOST_TEST(tests::count(html, "<dt>host</dt>") == 1u);  // what is empty is left out
  const std::size_t contents = html.find("<a href=\"#part-1\">Run &lt;1&gt;</a>");
  BOOST_TEST(contents < html.find("<h2 id=\"part-1\">Run &lt;1&gt;</h2>"));
  BOOST_TEST(html.find("<a href=\"#case-1\">Case &lt;/script&gt;</a>") < html.find("id=\"case-1\""));
  BOOST_TEST(html_report("x").to_string().find("<nav") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(tables_have_captions_and_boxes_that_scroll) {
  const std::string html = full_report().to_string();
  BOOST_TEST(html.find("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Scores of &quot;A&quot;\">") !=
             std::string::npos);
  BOOST_TEST(html.find("<caption><span>Scores of &quot;A&quot;</span></caption>") != std::string::npos);
  BOOST_TEST(html.find("<td class=\"number\">0.5000 ± 0.2500</td>") != std::string::npos);
  BOOST_TEST(html.find("<details><summary>folded</summary>") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_script_comes_only_with_what_it_serves) {
  BOOST_TEST(full_report().to_string().find("<script>//<![CDATA[") != std::string::npos);
  BOOST_TEST(html_report("x").to_string().find("<script") == std::string::npos);
  BOOST_TEST(viewer_script.find("]]>") == std::string_view::npos);
  BOOST_TEST(viewer_script.find("</") == std::string_view::npos);
}

BOOST_AUTO_TEST_CASE(the_style_has_dark_mode_paper_and_all_colours) {
  const std::string style = page_style();
  for (const char* rule : {"@media (prefers-color-scheme: dark)", "@media print", "@media (max-width: 40rem)", ".k5 {",
                           ".s5 {", ".missed.x3 {", "system-ui"})
    BOOST_TEST(style.find(rule) != std::string::npos, rule);
  BOOST_TEST(page_textures().find("id=\"hatch-3\"") != std::string::npos);
  BOOST_TEST(malformed(page_textures()) == "");
}

BOOST_AUTO_TEST_CASE(notes_stand_below_the_head) {
  html_report r("x");
  r.heading("part");
  r.warning("careful");
  r.note("nothing is <scored>");
  const std::string html = r.to_string();
  BOOST_TEST(malformed(html) == "");
  const std::size_t at = html.find("<p>nothing is &lt;scored&gt;</p>");
  BOOST_TEST(html.find("</h1>") < at);
  BOOST_TEST(at < html.find("careful"));
}

BOOST_AUTO_TEST_CASE(warnings_are_listed_at_the_top) {
  const html_report report = full_report();
  const std::string html = report.to_string();
  BOOST_TEST(report.warnings().size() == 2u);
  const std::size_t warnings = html.find("<h2>Warnings</h2>"), run = html.find("<h2 id=\"part-1\">");
  BOOST_REQUIRE(warnings != std::string::npos);
  BOOST_TEST(warnings < run);
  BOOST_TEST(html.find("The plot &#39;empty&#39; was not drawn", run) !=
             std::string::npos);  // in the plot's place, too
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

BOOST_AUTO_TEST_CASE(escapes) {
  BOOST_TEST(escape_html("a<b>&\"'\x01\n") == "a&lt;b&gt;&amp;&quot;&#39; \n");
  BOOST_TEST(escape_html("\xC3\xA4\xFF") == "\xC3\xA4\\xFF");  // what is no UTF-8 is written out
  BOOST_TEST(escape_html("a\\b") == "a\\b");
  BOOST_TEST(json_for_script({{"a", "</script>&<!--"}}) == "{\"a\":\"\\u003c/script\\u003e\\u0026\\u003c!--\"}");
  BOOST_TEST(json_for_script({{"a", "x\xEF\xBF\xBE\xEF\xBF\xBFy"}}) == "{\"a\":\"x\\ufffe\\uffffy\"}");
}
