// SPDX-License-Identifier: Apache-2.0
// Correlation-aware mutual learning: where predictions agree, the memory of labelled voxels, and who learns.
#define BOOST_TEST_MODULE ssl_correlations
#include <boost/test/unit_test.hpp>

#include <ssl/support.hpp>

namespace comodal::tests {

using B = kokkos_backend<default_space, double>;
const auto each = boost::test_tools::per_element();
const std::string name = "correlation_aware_mutual_learning";

struct correlations : method_bench<B> {};

BOOST_FIXTURE_TEST_CASE(voxels_agree_by_their_class, correlations) {
  const auto p = constant({1, 1, 1, 4, 2}, {0.6, 0.4, 0.4, 0.6, 0.2, 0.8, 0.9, 0.1}),
             q = constant({1, 1, 1, 4, 2}, {0.9, 0.1, 0.6, 0.4, 0.3, 0.7, 0.8, 0.2}),
             y = constant({1, 1, 1, 4, 2}, {0, 1, 0, 1, 0, 1, 1, 0});
  const auto found = [&](const variable<B>& target, label_kind kind) {
    return to_host(ctx.space(), agreed_classes(p, q, target, kind));
  };
  BOOST_TEST(found({}, label_kind::classes) == (std::vector<std::uint8_t>{0, no_group, 1, 0}), each);
  BOOST_TEST(found(y, label_kind::classes) == (std::vector<std::uint8_t>{no_group, no_group, 1, 0}), each);
  // Regions: the last of 1/2 and more, from 1.
  BOOST_TEST(found({}, label_kind::regions) == (std::vector<std::uint8_t>{1, no_group, 2, 1}), each);
}

BOOST_FIXTURE_TEST_CASE(the_oldest_entries_give_way, correlations) {
  labelled_memory<B> memory(home, 2, 3, 2);
  const cell_groups<B> groups = ctx.make_of<std::uint8_t>({1, 4});
  copy_from_host(ctx.space(), std::vector<std::uint8_t>{0, 0, 1, no_group}, groups);
  const std::vector<index> places{2, 2};  // class 1 has one cell
  const auto probe = constant({2, 2}, {1, 0, 0, 1});
  const auto seen = [&] { return host(memory.similarities(probe, 1)); };
  for (const double v : seen()) BOOST_TEST(v < -1000);  // nothing is there yet
  for (std::uint32_t t = 0; t < 2; ++t) {
    const auto at = draw_positions<B>(home, groups, places, step_request{t, 10}, "test");
    const double x = t == 0 ? 0.6 : 0.8, y = t == 0 ? 0.8 : 0.6;
    memory.remember(constant({1, 4, 2}, {x, y, -x, y, y, x, 9, 9}), at, step_request{t, 10});
  }
  // Step 0 wrote entries 0 and 1 of class 0 and entry 0 of class 1; step 1 entries 2 and 0, and entry 2.
  const auto v = seen();
  const std::vector<double> first{-0.8, -0.6, 0.8, 0.8, 0, 0.6};
  for (const std::size_t entry : {0u, 1u, 2u, 3u, 5u})
    BOOST_TEST(v[entry] == first[entry], boost::test_tools::tolerance(1e-12));
  BOOST_TEST(v[4] < -1000);
}

BOOST_FIXTURE_TEST_CASE(more_places_than_entries_leave_the_first_of_them, correlations) {
  labelled_memory<B> memory(home, 1, 1, 2);
  const cell_groups<B> groups = ctx.make_of<std::uint8_t>({2, 1});
  copy_from_host(ctx.space(), std::vector<std::uint8_t>{0, 0}, groups);
  const std::vector<index> places{1};
  const auto at = draw_positions<B>(home, groups, places, step_request{0, 10}, "test");
  memory.remember(constant({2, 1, 2}, {1, 0, 0, 1}), at, step_request{0, 10});
  BOOST_TEST(host(memory.similarities(constant({1, 2}, {1, 0}), 1))[0] == 1);
  // An embedding that is not finite is not remembered.
  memory.remember(constant({2, 1, 2}, {std::nan(""), 5, 0, 1}), at, step_request{1, 10});
  BOOST_TEST(host(memory.similarities(constant({1, 2}, {1, 0}), 1))[0] == 1);
}

BOOST_FIXTURE_TEST_CASE(both_embeddings_learn_and_remember, correlations) {
  std::vector<std::vector<std::vector<double>>> g;
  for (const double weight : {1.0, 0.0}) {
    auto o = named(name);
    BOOST_REQUIRE(o.values.set("correlation", weight));
    auto method = make(o);
    for (const auto& one : method.trained()) one.store->zero_grad();
    const auto found = step(method, tiny_batch(0));
    BOOST_TEST(found.at("correlation") > 0);
    g.emplace_back();
    for (const auto& one : method.trained()) g.back().push_back(all_gradients(*one.store));
    safetensors_file file;
    method.save(file);
    for (const std::string array : {"memory.0", "memory.1"}) {
      BOOST_TEST((file.at(array).shape == shape{tiny_classes, 256, 64}));
      const auto kept = file.at(array).values<double>(array);
      BOOST_TEST(largest(kept) > 0);
    }
  }
  BOOST_TEST_REQUIRE(g[0].size() == 2u);
  for (std::size_t k = 0; k < 2; ++k) {
    for (std::size_t i = 0; i < g[0][k].size(); ++i) g[0][k][i] -= g[1][k][i];
    BOOST_TEST(largest(g[0][k]) > 1e-4);
  }
}

BOOST_FIXTURE_TEST_CASE(without_agreement_there_is_nothing_to_compare, correlations) {
  auto method = make(named(name));
  // The second student says class 2 everywhere, the first never does.
  for (std::size_t k = 0; k < 2; ++k)
    change(*method.trained()[k].store, "decoder.0.head.bias", [&](const auto&, auto& v) {
      v = k == 0 ? std::vector<double>{50, 0, -50} : std::vector<double>{-50, 0, 50};
    });
  BOOST_TEST(step(method, tiny_batch(0)).at("correlation") == 0);
}

}  // namespace comodal::tests
