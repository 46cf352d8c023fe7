// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_plot
#include <boost/test/unit_test.hpp>

#include <comodal/report/dots.hpp>
#include <comodal/report/plot.hpp>

#include <report/markup.hpp>

using namespace comodal;

namespace {

curve_plot losses() {
  curve_plot plot{"Loss \"terms\" & <b>", "step", "loss", {{"L_sup & <co>", {}, {}}, {"L_con", {}, {}}}, false, 9, {}};
  for (int i = 0; i < 300; ++i)
    for (std::size_t c = 0; c < 2; ++c) {
      plot.curves[c].x.push_back(i);
      plot.curves[c].y.push_back(std::exp(-0.01 * i) * (1.0 + 0.3 * std::sin(i * 1.7)) /
                                 static_cast<double>(1 + 20 * c));
    }
  return plot;
}

}  // namespace

BOOST_AUTO_TEST_CASE(points_are_where_their_numbers_are) {
  const curve_figure f = draw_curves({"one", "x", "y", {{"a", {0, 5, 10}, {0, 1, 2}}}});
  BOOST_TEST(f.warning == "");
  BOOST_TEST(tests::malformed(f.svg) == "");
  // The axes go from 0 to 10 and from 0 to 2: the line goes from the lower left corner to the upper right one.
  BOOST_TEST(f.svg.find("<path class=\"curve s0 d0\" d=\"M76 246L345 129L614 12\" />") != std::string::npos, f.svg);
  BOOST_TEST(tests::count(f.svg, "<circle") == 3u);
  for (const char* label : {">0<", ">10<", ">0.5<", ">2<", ">x<", ">y<"})
    BOOST_TEST(f.svg.find(label) != std::string::npos, label);
  BOOST_TEST(f.svg.find("role=\"img\"") != std::string::npos);
  BOOST_TEST(f.svg.find("<desc>y over x. a: 3 points, first 0, last 2, smallest 0, largest 2.</desc>") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(smoothed_curves_have_the_raw_ones_behind_them) {
  for (const bool log_y : {false, true}) {
    curve_plot plot = losses();
    plot.log_y = log_y;
    plot.curves[0].y[5] = std::nan("");
    plot.curves[1].y[7] = -1;
    const curve_figure f = draw_curves(plot);
    BOOST_TEST(tests::malformed(f.svg) == "");
    BOOST_TEST(tests::count(f.svg, " faint\"") == 2u);
    BOOST_TEST(tests::count(f.svg, "<path class=\"curve") == 4u);
    BOOST_TEST(f.svg.find("L_sup &amp; &lt;co&gt;: 299 points") != std::string::npos);
    BOOST_TEST(f.svg.find(log_y ? "L_con: 299 points" : "L_con: 300 points") != std::string::npos);
    BOOST_TEST(f.svg.find("nan") == std::string::npos);
    BOOST_TEST((f.names == std::vector<std::string>{"L_sup & <co>", "L_con"}));
    if (log_y) BOOST_TEST(f.svg.find(">0.01<") != std::string::npos);
  }
  BOOST_TEST(draw_curves(losses()).svg == draw_curves(losses()).svg);
}

BOOST_AUTO_TEST_CASE(long_curves_keep_their_peaks) {
  series s{"a", {}, {}};
  for (int i = 0; i < 100000; ++i) {
    s.x.push_back(i);
    s.y.push_back(i == 54321 ? 7 : 1);
  }
  const series few = detail::thinned(s, 800);
  BOOST_TEST(few.x.size() <= 800u);
  BOOST_TEST(std::count(few.y.begin(), few.y.end(), 7.0) == 1);
  BOOST_TEST(std::is_sorted(few.x.begin(), few.x.end()));
}

BOOST_AUTO_TEST_CASE(axes_have_round_ticks) {
  const auto ticks = [](double low, double high) { return detail::even_axis(low, high, 5).ticks; };
  BOOST_TEST(ticks(0, 10) == (std::vector<double>{0, 2, 4, 6, 8, 10}), boost::test_tools::per_element());
  BOOST_TEST(ticks(3, 3).size() >= 2u);
  BOOST_TEST(ticks(0, 0).size() >= 2u);
  BOOST_TEST(detail::log_axis(-3.2, 0.5).low == -4);
  BOOST_TEST(detail::log_axis(-3.2, 0.5).high == 1);
}

BOOST_AUTO_TEST_CASE(curves_without_points) {
  BOOST_TEST(draw_curves({"nothing", "x", "y", {}}).warning.find("no points") != std::string::npos);
  BOOST_TEST(draw_curves({"negative", "x", "y", {{"a", {1, 2}, {-1, 0}}}, true}).warning.find("no points") !=
             std::string::npos);
  BOOST_TEST(!draw_curves({"one", "x", "y", {{"a", {1}, {2}}}}).svg.empty());
  BOOST_CHECK_THROW(static_cast<void>(draw_curves({"odd", "x", "y", {{"a", {1, 2}, {1}}}})), shape_error);
}

BOOST_AUTO_TEST_CASE(a_dot_per_case) {
  std::vector<method_scores> methods{{"A", {}}, {"B <b>", {}}};
  for (auto& m : methods)
    for (const double dice : {0.0, 0.5, 1.0}) {
      case_score s;
      s.output = "fused";
      s.region = {"core & rim", {1}};
      s.dice = dice;
      m.scores.push_back(s);
      s.output = "branch T1";  // is not drawn
      m.scores.push_back(s);
    }
  const curve_figure f = draw_dice_dots(methods);
  BOOST_TEST(tests::malformed(f.svg) == "");
  BOOST_TEST(tests::count(f.svg, "<circle class=\"dot s0\"") == 3u);
  BOOST_TEST(tests::count(f.svg, "<circle class=\"dot s1\"") == 3u);
  BOOST_TEST(f.svg.find("cx=\"16\"") != std::string::npos);
  BOOST_TEST(f.svg.find("cx=\"620\"") != std::string::npos);
  BOOST_TEST(f.svg.find("core &amp; rim, B &lt;b&gt;: 3 cases, mean 0.500, from 0.000 to 1.000.") != std::string::npos);
  BOOST_TEST(!draw_dice_dots({{"A", {}}}).warning.empty());
}
