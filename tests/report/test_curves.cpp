// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_curves
#include <boost/test/unit_test.hpp>

#include <comodal/report/curves.hpp>

#include <cstdlib>
#include <fstream>

using namespace comodal;

namespace {

curve_plot losses() {
  curve_plot plot{
      "Loss \"terms\" $x `y`", "iteration", "loss", {{"L_sup & <co>", {}, {}}, {"L_con", {}, {}}}, false, 9};
  for (int i = 0; i < 300; ++i)
    for (std::size_t c = 0; c < 2; ++c) {
      plot.curves[c].x.push_back(i);
      plot.curves[c].y.push_back(std::exp(-0.01 * i) * (1.0 + 0.3 * std::sin(i * 1.7)) /
                                 static_cast<double>(1 + 20 * c));
    }
  return plot;
}

boost::test_tools::assertion_result has_gnuplot(boost::unit_test::test_unit_id) {
  return std::system("gnuplot --version > /dev/null 2>&1") == 0;
}

struct folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / text("comodal_curves_", ::getpid());
  folder() { std::filesystem::create_directories(path); }
  ~folder() { std::filesystem::remove_all(path); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(without_gnuplot_there_is_a_warning) {
  const curve_figure f = draw_curves(losses(), "no-such-gnuplot");
  BOOST_TEST(f.svg.empty());
  BOOST_TEST(f.warning.find("no-such-gnuplot") != std::string::npos);
  BOOST_TEST(f.warning.find("install gnuplot") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_failing_program_is_told) {
  const curve_figure f = draw_curves(losses(), "false");
  BOOST_TEST(f.svg.empty());
  BOOST_TEST(f.warning.find("status 1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(gnuplot_draws, *boost::unit_test::precondition(has_gnuplot)) {
  for (const bool log_y : {false, true}) {
    curve_plot plot = losses();
    plot.log_y = log_y;
    plot.curves[0].y[5] = std::nan("");
    plot.curves[1].y[7] = -1;
    const curve_figure f = draw_curves(plot);
    BOOST_TEST(f.warning == "");
    BOOST_TEST(f.svg.substr(0, 4) == "<svg");
    BOOST_TEST(f.svg.find("L_sup &amp; &lt;co") != std::string::npos);
    BOOST_TEST(f.svg.find("$x `y`") != std::string::npos);
    BOOST_TEST(f.svg.find("<path") != std::string::npos);
    if (const char* to = std::getenv("COMODAL_TEST_PICTURES"))
      write_file(std::filesystem::path(to) / (log_y ? "log.svg" : "linear.svg"),
                 byte_buffer(f.svg.begin(), f.svg.end()));
  }
  BOOST_TEST(draw_curves(losses()).svg == draw_curves(losses()).svg);
}

BOOST_AUTO_TEST_CASE(gnuplot_draws_one_point, *boost::unit_test::precondition(has_gnuplot)) {
  const curve_figure f = draw_curves({"one", "x", "y", {{"a", {1}, {2}}}});
  BOOST_TEST(f.warning == "");
  BOOST_TEST(!f.svg.empty());
}

BOOST_AUTO_TEST_CASE(curves_without_points) {
  BOOST_TEST(draw_curves({"nothing", "x", "y", {}}).warning.find("no points") != std::string::npos);
  BOOST_TEST(draw_curves({"negative", "x", "y", {{"a", {1, 2}, {-1, 0}}}, true}).warning.find("no points") !=
             std::string::npos);
  BOOST_CHECK_THROW(static_cast<void>(draw_curves({"odd", "x", "y", {{"a", {1, 2}, {1}}}})), shape_error);
}

BOOST_AUTO_TEST_CASE(running_means) {
  const std::vector<double> in{1, 2, 3, 4, 10};
  BOOST_TEST(running_mean(in, 3) == (std::vector<double>{1.5, 2, 3, 17.0 / 3, 7}), boost::test_tools::per_element());
  BOOST_TEST(running_mean(in, 1) == in, boost::test_tools::per_element());
  BOOST_TEST(running_mean({}, 5).empty());
}

BOOST_AUTO_TEST_CASE(training_logs) {
  const folder here;
  std::ofstream(here.path / "log.jsonl")
      << R"({"iteration": 1, "loss": 0.5, "terms": {"sup": 0.4, "con": 0.1}, "note": "start"})"
         "\n"
         R"({"iteration": 2, "loss": null, "terms": {"sup": 0.3}})"
         "\n\n"
         R"({"event": "validation"})"
         "\n"
         R"({"iteration": 2, "dice": 0.7})"
         "\n"
         R"({"iteration": 3, "lo)";
  const auto s = read_json_lines(here.path / "log.jsonl", "iteration");
  BOOST_TEST(s.size() == 4u);
  BOOST_TEST(s[0].name == "loss");
  BOOST_TEST(s[0].x == (std::vector<double>{1, 2}), boost::test_tools::per_element());
  BOOST_TEST(s[0].y[0] == 0.5);
  BOOST_TEST(std::isnan(s[0].y[1]));
  BOOST_TEST(s[1].name == "terms.sup");
  BOOST_TEST(s[1].y == (std::vector<double>{0.4, 0.3}), boost::test_tools::per_element());
  BOOST_TEST(s[2].name == "terms.con");
  BOOST_TEST(s[3].name == "dice");
  BOOST_TEST(s[3].x == std::vector<double>{2}, boost::test_tools::per_element());

  // Our own log (train/log.hpp) counts steps.
  std::ofstream(here.path / "own.jsonl") << "{\"step\":9,\"rate\":0.01,\"loss\":1.5}\n";
  const auto own = read_json_lines(here.path / "own.jsonl");
  BOOST_TEST(own.size() == 2u);
  BOOST_TEST(own.at(1).name == "loss");
  BOOST_TEST(own.at(1).x == std::vector<double>{9}, boost::test_tools::per_element());

  std::ofstream(here.path / "bad.jsonl") << "{\"iteration\": 1}\nnot json\n";
  try {
    static_cast<void>(read_json_lines(here.path / "bad.jsonl"));
    BOOST_FAIL("no exception");
  } catch (const io_error& e) {
    BOOST_TEST(std::string(e.what()).find("line 2") != std::string::npos);
  }
  BOOST_CHECK_THROW(static_cast<void>(read_json_lines(here.path / "absent.jsonl")), io_error);
}
