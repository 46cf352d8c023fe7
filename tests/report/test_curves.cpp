// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report_curves
#include <boost/test/unit_test.hpp>

#include <comodal/report/curves.hpp>

#include <fstream>

using namespace comodal;

namespace {

struct folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / text("comodal_curves_", ::getpid());
  folder() { std::filesystem::create_directories(path); }
  ~folder() { std::filesystem::remove_all(path); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(running_means) {
  const std::vector<double> in{1, 2, 3, 4, 10};
  BOOST_TEST(running_mean(in, 3) == (std::vector<double>{1.5, 2, 3, 17.0 / 3, 7}), boost::test_tools::per_element());
  BOOST_TEST(running_mean(in, 1) == in, boost::test_tools::per_element());
  BOOST_TEST(running_mean({}, 5).empty());
}

// Values 0.2, 0.4 ... held for 10 steps each: the running mean begins at 0.5 and falls; what it was made of does not.
BOOST_AUTO_TEST_CASE(a_running_mean_is_taken_apart) {
  series running{"fused", {}, {}};
  double mean = 0.5;
  for (int step = 1; step <= 50; ++step) {
    mean = 0.99 * mean + 0.01 * 0.2 * (1 + (step - 1) / 10);
    if (step % 10 != 0) continue;
    running.x.push_back(step);
    running.y.push_back(mean);
  }
  BOOST_TEST(running.y[0] < 0.5);
  const series values = unmixed(running, 0.99, 0.5);
  BOOST_TEST(values.name == "fused");
  BOOST_TEST(values.x == running.x, boost::test_tools::per_element());
  for (std::size_t i = 0; i < 5; ++i) BOOST_TEST(std::abs(values.y[i] - 0.2 * static_cast<double>(1 + i)) < 1e-12);
  running.y[1] = std::nan("");  // a row that is missing: the next is the mean of both parts
  const series gap = unmixed(running, 0.99, 0.5);
  BOOST_TEST(gap.x.size() == 4u);
  BOOST_TEST((gap.y[1] > 0.4 && gap.y[1] < 0.6));
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
