// SPDX-License-Identifier: Apache-2.0
// An engine of one's own takes over convolutions and normalisations of a training step, in fp32 and bf16, in a program
// that links the compiled library: counters show it, and nothing else changes.
#define BOOST_TEST_MODULE train_toy_engine
#include <boost/test/unit_test.hpp>

#include <comodal/ssl/method_registry.hpp>

#include <ssl/support.hpp>
#include <train/toy_engine.hpp>

#include <map>

namespace comodal::tests {

using usual = mixed_backend;
using with_toy = kokkos_backend<default_space, float, true, engine_list<toy_engine, amx_engine, host_engine>>;

struct outcome {
  std::map<std::string, double> scalars;
  std::vector<double> gradient_norms;
  std::map<std::pair<std::string, std::string>, index> runs;
  [[nodiscard]] index count(const std::string& operation, const std::string& engine) const {
    const auto found = runs.find({operation, engine});
    return found == runs.end() ? 0 : found->second;
  }
  // Of an operation, by whatever engine.
  [[nodiscard]] index count(const std::string& operation) const {
    index all = 0;
    for (const auto& [what, number] : runs) all += what.first == operation ? number : 0;
    return all;
  }
};

template <class Backend>
outcome one_step(const std::string& precision) {
  method_bench<Backend> bench;
  auto network = tiny_network();
  network.precision = precision;
  auto method = bench.make(method_bench<Backend>::named("contrastive_mutual_learning"), 1, network);
  outcome out;
  out.scalars = method_bench<Backend>::step(method, tiny_batch(1, true));
  for (const auto& parameter : method_bench<Backend>::student(method).all()) {
    double sum = 0;
    if (parameter.value.grad())
      for (const float g : to_host(bench.ctx.space(), parameter.value.grad())) sum += static_cast<double>(g) * g;
    out.gradient_norms.push_back(std::sqrt(sum));
  }
  for (const auto& [what, number] : bench.ctx.runs())
    out.runs[{std::string(what.first), std::string(what.second)}] = number;
  return out;
}

BOOST_AUTO_TEST_CASE(a_toy_engine_takes_over_a_training_step) {
  for (const std::string precision : {"fp32", "bf16"}) {
    BOOST_TEST_CONTEXT(precision) {
      const outcome before = one_step<usual>(precision), after = one_step<with_toy>(precision);
      const std::vector<std::string> taken{"conv3d.forward", "conv3d.backward_weights", "norm_act.forward",
                                           "norm_act.backward"};
      for (const auto& operation : taken) {
        BOOST_TEST(after.count(operation, "toy") > 0, operation);
        BOOST_TEST(before.count(operation, "toy") == 0, operation);
      }
      // The toy refuses transposed convolutions, which are backward directions: ours carry them out.
      BOOST_TEST(after.count("conv3d.backward_data", "toy") > 0);
      for (const auto& [what, number] : before.runs) BOOST_TEST(after.count(what.first) == before.count(what.first));
      for (const auto& [what, number] : after.runs)
        if (what.second == "toy")
          BOOST_TEST((what.first.starts_with("conv3d") || what.first.starts_with("norm_act")), what.first);
        else
          BOOST_TEST(before.count(what.first) >= number, what.first);

      const double tolerance = precision == "fp32" ? 1e-5 : 2e-2;
      BOOST_TEST(before.scalars.size() == after.scalars.size());
      for (const auto& [name, value] : before.scalars)
        BOOST_TEST(std::fabs(after.scalars.at(name) - value) <= tolerance * std::max(1.0, std::fabs(value)), name);
      double largest = 0;
      for (const double norm : before.gradient_norms) largest = std::max(largest, norm);
      BOOST_TEST(largest > 0);
      for (std::size_t i = 0; i < before.gradient_norms.size(); ++i)
        BOOST_TEST(std::fabs(after.gradient_norms[i] - before.gradient_norms[i]) <=
                   (precision == "fp32" ? 1e-4 : 1e-1) * largest);
    }
  }
}

}  // namespace comodal::tests
