// SPDX-License-Identifier: Apache-2.0
// The first five optimiser steps of every method in fp32 and bf16 against golden numbers of commit 9e21811.
// `test_net_first_steps -- --write FILE` writes such a file instead; `--log_level=message` shows how much of each
// tolerance is used.
#define BOOST_TEST_MODULE net_first_steps
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

#include <net/first_steps.hpp>

#include <core/support.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <functional>
#include <iomanip>
#include <sstream>
#include <stdexcept>

namespace comodal::tests::net {
namespace {

using nlohmann::json;

/// Relative tolerances of one precision. `each_gradient` is for the norm of every parameter's gradient in step 1; a
/// difference below `floor` times the largest norm always passes. `first_gradient` and `later_gradient` are for the
/// norm of the whole gradient, which jumps a little where rounding turns the sign of an activation; `later_gradient` is
/// for the movement of the weights, too.
struct tolerances {
  double first_loss, later_loss;
  double each_gradient, floor;
  double first_gradient, later_gradient;
};

// Measured differences stand in tests/reference/net/README.txt.
tolerances tolerances_of(const std::string& precision) {
  return precision == "bf16" ? tolerances{1e-2, 1e-2, 4e-1, 1e-2, 1e-1, 1e-1}
                             : tolerances{1e-5, 1e-4, 1e-4, 1e-7, 1e-4, 2e-3};
}

/// The largest part of a tolerance that a group of numbers used.
struct usage {
  double most = 0;
  std::string where = "nothing";

  void note(double used, const std::string& name) {
    if (used > most) {
      most = used;
      where = name;
    }
  }
  friend std::ostream& operator<<(std::ostream& out, const usage& u) { return out << u.most << " (" << u.where << ')'; }
};

/// Compares each number by name with a relative tolerance that `tolerance(name)` gives; a difference below `floor`
/// always passes.
void compare(const named_numbers& found, const json& golden, const std::function<double(const std::string&)>& tolerance,
             double floor, usage& used) {
  for (const auto& [name, number] : golden.items()) BOOST_TEST(found.contains(name), name << " is gone");
  for (const auto& [name, value] : found) {
    BOOST_TEST_REQUIRE(golden.contains(name), name << " is not in the golden file");
    const double expected = golden.at(name).get<double>(),
                 allowed = std::max(tolerance(name) * std::fabs(expected), floor);
    const double off = std::fabs(value - expected);
    BOOST_TEST(off <= allowed,
               name << " is " << std::setprecision(9) << value << ", expected " << expected << " within " << allowed);
    used.note(off / allowed, name);
  }
}

double largest_of(const json& numbers) {
  double most = 0;
  for (const auto& number : numbers) most = std::max(most, std::fabs(number.get<double>()));
  return most;
}

void compare_run(const first_steps& found, const json& golden, const tolerances& allowed) {
  const json &steps = golden.at("steps"), &norms = golden.at("gradient_norms");
  BOOST_TEST_REQUIRE(found.steps.size() == steps.size());
  usage first, later, gradients, moved;
  for (std::size_t t = 0; t < found.steps.size(); ++t) {
    const double loss = t == 0 ? allowed.first_loss : allowed.later_loss,
                 whole = t == 0 ? allowed.first_gradient : allowed.later_gradient;
    BOOST_TEST_CONTEXT("step " << t + 1)
    compare(
        found.steps[t], steps.at(t), [&](const auto& name) { return name == "gradient_norm" ? whole : loss; }, 1e-7,
        t == 0 ? first : later);
  }
  BOOST_TEST_CONTEXT("gradient norms of step 1")
  compare(
      found.gradient_norms, norms, [&](const auto&) { return allowed.each_gradient; },
      allowed.floor * largest_of(norms), gradients);
  BOOST_TEST_CONTEXT("movement of the weights")
  compare(found.moved, golden.at("moved"), [&](const auto&) { return allowed.later_gradient; }, 0, moved);
  BOOST_TEST_MESSAGE("parts of the tolerances used: step 1 " << first << ", later steps " << later << ", gradients "
                                                             << gradients << ", movement " << moved);
}

/// Ten digits of each number.
json rounded(named_numbers numbers) {
  for (auto& [name, number] : numbers)
    number = std::stod((std::ostringstream() << std::setprecision(10) << number).str());
  return numbers;
}

json to_json(const first_steps& run) {
  json j{{"gradient_norms", rounded(run.gradient_norms)}, {"moved", rounded(run.moved)}};
  for (const auto& row : run.steps) j["steps"].push_back(rounded(row));
  return j;
}

const std::vector<std::string> methods{"supervised", "mean_teacher", "contrastive_mutual_learning"},
    precisions{"fp32", "bf16"};

/// The file after `--write`; empty without that argument. @throws std::runtime_error for any other argument
std::string file_to_write() {
  const auto& suite = boost::unit_test::framework::master_test_suite();
  if (suite.argc == 1) return "";
  if (suite.argc == 3 && std::string(suite.argv[1]) == "--write") return suite.argv[2];
  throw std::runtime_error("expected no argument, or -- --write FILE");
}

/// The committed file, or the one that was just written.
json golden_file() {
  const std::string written = file_to_write();
  return json::parse(std::ifstream(written.empty() ? COMODAL_TEST_DATA "/net/first_steps.json" : written));
}

}  // namespace

BOOST_AUTO_TEST_CASE(golden_file_holds_every_run) {
  if (const std::string file = file_to_write(); !file.empty()) {
    json golden;
    for (const auto& method : methods)
      for (const auto& precision : precisions)
        golden[method][precision] = to_json(run_first_steps({method, precision, ""}));
    std::ofstream out(file);
    out << golden.dump(1) << '\n';
  }
  const json golden = golden_file();
  BOOST_TEST(golden.size() == methods.size());
  for (const auto& method : methods)
    for (const auto& precision : precisions) {
      const json& run = golden.at(method).at(precision);
      BOOST_TEST(run.at("steps").size() == recorded_steps);
      BOOST_TEST(run.at("gradient_norms").size() > 100);
      BOOST_TEST(run.at("moved").size() == 2);
    }
}

BOOST_DATA_TEST_CASE(first_steps_are_those_of_the_golden_file,
                     boost::unit_test::data::make(methods) * boost::unit_test::data::make(precisions) *
                         boost::unit_test::data::make(engines_to_try),
                     method, precision, engine) {
  const json golden = golden_file();
  compare_run(run_first_steps({method, precision, engine}), golden.at(method).at(precision), tolerances_of(precision));
}

}  // namespace comodal::tests::net
