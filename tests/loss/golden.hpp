// SPDX-License-Identifier: Apache-2.0
/// @file
/// Reads golden arrays of tests/reference and compares a function with one of their cases.
#ifndef COMODAL_TESTS_LOSS_GOLDEN_HPP
#define COMODAL_TESTS_LOSS_GOLDEN_HPP

#include <comodal/autograd/reduction.hpp>

#include <nn/support.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <string>
#include <vector>

namespace comodal::tests {

using nlohmann::json;

/// A file of tests/reference.
inline json golden_file(const std::string& name) {
  return json::parse(std::ifstream(std::string(COMODAL_TEST_DATA) + "/" + name));
}

inline std::vector<double> numbers(const json& stored) { return stored.at("values").get<std::vector<double>>(); }

inline shape extents(const json& stored) {
  shape s;
  for (const auto& e : stored.at("shape")) s.push_back(e.get<index>());
  return s;
}

/// A bench with the cases of losses.json.
struct golden_bench : bench {
  using B = bench::backend;
  // The file holds ten digits.
  static constexpr double tolerance = 1e-8;
  const json losses = golden_file("losses.json");

  /// An input of a case as a constant; empty if the case has none of that name.
  [[nodiscard]] variable<B> input(const std::string& name, const std::string& of) {
    const json& one = losses.at(name);
    return one.contains(of) ? constant(extents(one.at(of)), numbers(one.at(of))) : variable<B>{};
  }
  /// Value and gradient of `f(leaf)`, the leaf being the input `differentiated`.
  template <class F>
  void compare(const std::string& name, const std::string& differentiated, const F& f) {
    BOOST_TEST_CONTEXT(name) {
      const json& one = losses.at(name);
      const auto x = home.leaf(ctx.make(extents(one.at(differentiated)), numbers(one.at(differentiated))));
      const auto out = f(x);
      BOOST_TEST((out.shape() == extents(one.at("output"))));
      BOOST_TEST(difference(host(out), numbers(one.at("output"))) < tolerance);
      home.backward(sum(multiply(out, constant(out.shape(), numbers(one.at("direction"))))));
      BOOST_TEST(difference(gradient(x), numbers(one.at("gradient"))) < tolerance);
    }
  }
  /// Value and gradients of `f(leaves)` of a case with "gradient_NAME" for each of the leaves.
  template <class F>
  void compare_all(const std::string& name, const std::vector<std::string>& differentiated, const F& f) {
    BOOST_TEST_CONTEXT(name) {
      const json& one = losses.at(name);
      std::vector<variable<B>> leaves;
      for (const auto& of : differentiated)
        leaves.push_back(home.leaf(ctx.make(extents(one.at(of)), numbers(one.at(of)))));
      const auto out = f(leaves);
      BOOST_TEST((out.shape() == extents(one.at("output"))));
      BOOST_TEST(difference(host(out), numbers(one.at("output"))) < tolerance);
      home.backward(sum(multiply(out, constant(out.shape(), numbers(one.at("direction"))))));
      for (std::size_t i = 0; i < leaves.size(); ++i) {
        const auto expected = numbers(one.at("gradient_" + differentiated[i]));
        BOOST_TEST(largest(expected) > 0, differentiated[i]);
        BOOST_TEST(difference(gradient(leaves[i]), expected) < tolerance, differentiated[i]);
      }
    }
  }
};

}  // namespace comodal::tests

#endif
