// SPDX-License-Identifier: Apache-2.0
// Parameters: what their initial values depend on, names, copies and averages.
#define BOOST_TEST_MODULE nn_parameters
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/reduction.hpp>
#include <comodal/nn/averaging.hpp>

#include <nn/support.hpp>

namespace comodal::tests {

using scope = parameter_scope<bench::backend>;
using store = parameter_store<bench::backend>;

BOOST_FIXTURE_TEST_CASE(initial_values_depend_on_seed_and_name_alone, bench) {
  store first(home, 5), second(home, 5), other_seed(home, 6);
  const auto a = scope(first, "net").he_normal("a", {3, 3, 3, 2, 4});
  const auto b = scope(first, "net").he_normal("b", {3, 3, 3, 2, 4});
  (void)scope(second, "somewhere").he_normal("else", {7});
  const auto b_again = scope(second, "net").he_normal("b", {3, 3, 3, 2, 4});
  const auto b_other = scope(other_seed, "net").he_normal("b", {3, 3, 3, 2, 4});
  BOOST_TEST((host(b) == host(b_again)));
  BOOST_TEST((host(a) != host(b)));
  BOOST_TEST((host(b) != host(b_other)));
}

BOOST_FIXTURE_TEST_CASE(he_initialisation_has_its_variance, bench) {
  store s(home, 1);
  const auto w = host(scope(s).he_normal("w", {3, 3, 3, 16, 64}, 0.01));
  double mean = 0, square = 0;
  for (const double v : w) {
    mean += v / static_cast<double>(w.size());
    square += v * v / static_cast<double>(w.size());
  }
  const double expected = 2 / ((1 + 1e-4) * 27 * 16);
  BOOST_TEST(std::fabs(mean) < 4 * std::sqrt(expected / static_cast<double>(w.size())));
  BOOST_TEST(square / expected == 1.0, boost::test_tools::tolerance(0.04));
  // A matrix (in, out), slope 1: variance 1 / in.
  const auto matrix = host(scope(s).he_normal("matrix", {100, 100}, 1));
  double power = 0;
  for (const double v : matrix) power += v * v / static_cast<double>(matrix.size());
  BOOST_TEST(power * 100 == 1.0, boost::test_tools::tolerance(0.06));
}

BOOST_FIXTURE_TEST_CASE(paths_counts_and_weight_decay, bench) {
  store s(home, 1);
  const scope root(s);
  (void)(root / "stream" / 2 / "conv").he_normal("weight", {1, 1, 1, 2, 3});
  (void)(root / "norm").constant("gamma", {3}, 1);
  BOOST_TEST(s.all().size() == 2u);
  BOOST_TEST(s.all()[0].name == "stream.2.conv.weight");
  BOOST_TEST(s.all()[0].decay);
  BOOST_TEST(s.all()[1].name == "norm.gamma");
  BOOST_TEST(!s.all()[1].decay);
  BOOST_TEST((host(s.all()[1].value) == std::vector<double>{1, 1, 1}));
  BOOST_TEST(s.count() == 9);
}

BOOST_FIXTURE_TEST_CASE(a_name_is_given_once, bench) {
  store s(home, 1);
  (void)scope(s, "a").he_normal("b", {2});
  BOOST_CHECK_EXCEPTION((void)scope(s, "a").he_normal("b", {2}), config_error, says("'a.b'"));
  BOOST_CHECK_EXCEPTION((void)scope(s).constant("a.b", {2}, 0), config_error, says("'a.b'"));
  BOOST_TEST(s.all().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(zero_grad_drops_gradients, bench) {
  store s(home, 1);
  const auto w = scope(s).he_normal("w", {4});
  home.backward(sum(multiply(w, w)));
  BOOST_TEST((gradient(w) != std::vector<double>{}));
  s.zero_grad();
  BOOST_TEST((gradient(w) == std::vector<double>{}));
}

BOOST_FIXTURE_TEST_CASE(copies_are_of_their_own, bench) {
  store from(home, 1), to(home, 2);
  for (store* s : {&from, &to}) {
    (void)scope(*s).he_normal("w", {5});
    (void)scope(*s).he_normal("v", {2, 3});
  }
  BOOST_TEST((all_values(from) != all_values(to)));
  copy_parameters(from, to);
  const auto before = all_values(from);
  BOOST_TEST((all_values(to) == before));
  average_parameters(from, from, 1);
  change(from, "w", [](const auto&, auto& v) { v[0] += 1; });
  BOOST_TEST((all_values(to) == before));
  // An average of the copy works in place: it must not reach the source either.
  const auto source = all_values(from);
  average_parameters(from, to, 0.5);
  BOOST_TEST((all_values(from) == source));
}

BOOST_FIXTURE_TEST_CASE(copies_need_stores_built_alike, bench) {
  store a(home, 1), fewer(home, 1), renamed(home, 1), reshaped(home, 1);
  (void)scope(a).he_normal("w", {5});
  (void)scope(renamed).he_normal("v", {5});
  (void)scope(reshaped).he_normal("w", {6});
  BOOST_CHECK_EXCEPTION(copy_parameters(a, fewer), config_error, says("1 parameters for 0"));
  BOOST_CHECK_EXCEPTION(copy_parameters(a, renamed), config_error, says("'w' for 'v'"));
  BOOST_CHECK_EXCEPTION(copy_parameters(a, reshaped), shape_error, says("copy_parameters: 'w' is (5) for (6)"));
  const auto before = all_values(a);
  for (store* other : {&fewer, &renamed, &reshaped}) {
    BOOST_CHECK_THROW(average_parameters(*other, a, 0.5), error);
    BOOST_CHECK_THROW(average_parameters(a, *other, 0.5), error);
  }
  BOOST_CHECK_EXCEPTION(average_parameters(fewer, a, 0.5), config_error,
                        says("average_parameters: 0 parameters for 1"));
  BOOST_CHECK_EXCEPTION(average_parameters(renamed, a, 0.5), config_error, says("average_parameters: 'v' for 'w'"));
  BOOST_CHECK_EXCEPTION(average_parameters(reshaped, a, 0.5), shape_error,
                        says("average_parameters: 'w' is (6) for (5)"));
  BOOST_TEST((all_values(a) == before));
}

BOOST_AUTO_TEST_CASE(averaging_factor_has_its_golden_values) {
  const std::vector<std::pair<int, double>> golden{{0, 0},     {1, 0.5},   {9, 0.9}, {98, 0.98989898989898994},
                                                   {99, 0.99}, {100, 0.99}};
  for (const auto& [t, factor] : golden)
    BOOST_TEST(ema_factor(static_cast<std::uint64_t>(t), 0.99) == factor, boost::test_tools::tolerance(1e-12));
}

BOOST_FIXTURE_TEST_CASE(averages_of_parameters, bench) {
  store student(home, 1), teacher(home, 2);
  (void)scope(student).he_normal("w", {5});
  (void)scope(teacher).he_normal("w", {5});
  const auto from = all_values(student), to = all_values(teacher);
  average_parameters(student, teacher, 0.75);
  const auto now = all_values(teacher);
  for (std::size_t i = 0; i < now.size(); ++i)
    BOOST_TEST(now[i] == 0.75 * to[i] + 0.25 * from[i], boost::test_tools::tolerance(1e-14));
  BOOST_TEST((all_values(student) == from));
  average_parameters(student, teacher, ema_factor(0, 0.99));
  BOOST_TEST((all_values(teacher) == from));
}

}  // namespace comodal::tests
