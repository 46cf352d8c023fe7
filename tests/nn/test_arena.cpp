// SPDX-License-Identifier: Apache-2.0
// Sealed parameter stores: where values and gradients lie, what is added to them, and changes that a backward pass must
// not see.
#define BOOST_TEST_MODULE nn_arena
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/checkpoint.hpp>
#include <comodal/autograd/reduction.hpp>
#include <comodal/nn/averaging.hpp>

#include <nn/support.hpp>

#include <algorithm>
#include <cstdint>

namespace comodal::tests {

using B = bench::backend;
using store = parameter_store<B>;
const auto each = boost::test_tools::per_element();

struct sealed_store : bench {
  store of{home, 1};
  variable<B> b = of.constant("b", {3}, 0.5), w = of.normal("w", {2, 5}, 1), c = of.constant("c", {40}, 2),
              v = of.normal("v", {7}, 1);

  // The gradient of sum(scales[k] p_k) for each parameter.
  void gradients(const std::vector<double>& scales) {
    variable<B> loss;
    for (std::size_t k = 0; k < scales.size(); ++k) {
      const auto term = sum(scale(of.all()[k].value, scales[k]));
      loss = loss ? loss + term : term;
    }
    home.backward(loss);
  }
};

BOOST_FIXTURE_TEST_CASE(decayed_parameters_come_first_at_aligned_places_with_zeros_between, sealed_store) {
  const auto before = all_values(of);
  const auto copy = w;
  BOOST_TEST(!of.sealed());
  of.seal();
  BOOST_TEST(of.sealed());
  BOOST_TEST((all_values(of) == before));
  const auto arena = to_host(ctx.space(), of.values());
  BOOST_TEST(of.values().size() == 5 * arena_grain);
  BOOST_TEST(of.decayed() == 2 * arena_grain);
  const std::vector<std::pair<variable<B>, index>> expected{
      {w, 0}, {v, arena_grain}, {b, 2 * arena_grain}, {c, 3 * arena_grain}};
  std::vector<double> filled(arena.size(), 0);
  for (const auto& [p, place] : expected) {
    BOOST_TEST((p.value().data() == of.values().data() + place));
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(p.value().data()) % 64 == 0u);
    const auto numbers = host(p);
    std::copy(numbers.begin(), numbers.end(), filled.begin() + place);
  }
  BOOST_TEST(arena == filled, each);
  BOOST_TEST((copy.value().data() == w.value().data()));  // copies of a variable moved along
  of.seal();
  BOOST_TEST((copy.value().data() == of.values().data()));
}

BOOST_FIXTURE_TEST_CASE(a_sealed_store_takes_no_more_parameters, sealed_store) {
  of.seal();
  BOOST_CHECK_EXCEPTION((void)of.normal("late", {2}, 1), config_error, says("parameter 'late': the store is sealed"));
  BOOST_CHECK_EXCEPTION((void)of.constant("late", {2}, 1), config_error, says("parameter 'late': the store is sealed"));
  BOOST_TEST(of.all().size() == 4u);
  store empty(home, 1);
  empty.seal();
  BOOST_TEST(empty.sealed());
}

BOOST_FIXTURE_TEST_CASE(assigned_values_are_copied_into_the_arena, sealed_store) {
  of.seal();
  const auto* place = b.value().data();
  const auto other = ctx.make({3}, {7, 8, 9});
  b.assign(other);
  BOOST_TEST((b.value().data() == place));
  BOOST_TEST(host(b) == (std::vector<double>{7, 8, 9}), each);
  b.assign(b.value());
  BOOST_TEST(host(b) == (std::vector<double>{7, 8, 9}), each);
  copy_from_host(ctx.space(), {1, 2, 3}, other);
  BOOST_TEST(host(b) == (std::vector<double>{7, 8, 9}), each);
  BOOST_CHECK_EXCEPTION(b.assign(ctx.make({1, 3})), shape_error, says("assign: (1, 3) to a variable (3)"));
}

BOOST_FIXTURE_TEST_CASE(gradients_are_added_in_the_arena_and_dropped_in_one_kernel, sealed_store) {
  of.seal();
  gradients({2, 3});
  BOOST_TEST(gradient(b) == std::vector<double>(3, 2), each);
  BOOST_TEST(gradient(w) == std::vector<double>(10, 3), each);
  BOOST_TEST(!c.grad());
  BOOST_TEST((w.grad().data() == of.gradients().data()));
  gradients({1, 0, 4});
  BOOST_TEST(gradient(b) == std::vector<double>(3, 3), each);
  BOOST_TEST(gradient(w) == std::vector<double>(10, 3), each);
  BOOST_TEST(gradient(c) == std::vector<double>(40, 4), each);
  const index before = runs(ctx);
  of.zero_grad();
  BOOST_TEST(runs(ctx) - before == 1);
  for (const auto& p : of.all()) BOOST_TEST(!p.value.grad());
  BOOST_TEST(to_host(ctx.space(), of.gradients()) == std::vector<double>(5 * arena_grain, 0), each);
  gradients({5});
  b.zero_grad();
  BOOST_TEST(!b.grad());
  gradients({1});
  BOOST_TEST(gradient(b) == std::vector<double>(3, 1), each);
}

BOOST_FIXTURE_TEST_CASE(gradients_that_arrived_before_stay, sealed_store) {
  gradients({2, 3});
  of.seal();
  BOOST_TEST((b.grad().data() == of.gradients().data() + 2 * arena_grain));
  BOOST_TEST(gradient(b) == std::vector<double>(3, 2), each);
  BOOST_TEST(gradient(w) == std::vector<double>(10, 3), each);
  BOOST_TEST(!c.grad());
}

BOOST_FIXTURE_TEST_CASE(terms_of_one_sum_have_gradients_of_their_own, bench) {
  store of(home, 1);
  const auto p = of.normal("p", {4}, 1), q = of.normal("q", {4}, 1);
  of.seal();
  home.backward(sum(p + q));
  BOOST_TEST((p.grad().data() != q.grad().data()));
  BOOST_TEST((q.grad().data() == of.gradients().data() + arena_grain));
  ops::fill(ctx, p.grad(), 9);  // as a sum over processes would write there
  BOOST_TEST(gradient(q) == std::vector<double>(4, 1), each);
}

BOOST_FIXTURE_TEST_CASE(a_gradient_of_another_shape_never_reaches_the_arena, sealed_store) {
  of.seal();
  const auto wrong =
      home.result(b.value(), {&b}, [this, to = b.sink()](const auto&) { to.accumulate(ctx.make({40})); });
  BOOST_CHECK_EXCEPTION(home.backward(sum(wrong)), shape_error, says("a gradient (40) was handed to a value (3)"));
  BOOST_TEST(!b.grad());
}

BOOST_FIXTURE_TEST_CASE(gradients_of_a_shorter_scalar_are_added_in_the_masters_own, bench_of<default_backend>) {
  using narrow = kokkos_backend<default_space, bfloat16>;
  context<narrow> narrow_ctx(ctx);
  tape<narrow> inner(narrow_ctx, home);
  for (const bool seal : {false, true}) {
    const auto masters = std::make_shared<parameter_store<default_backend>>(home, 1);
    parameter_store<narrow> copies(inner, masters);
    const auto w = copies.normal("w", {3}, 1);
    (void)copies.constant("b", {2}, 1);
    if (seal) masters->seal();
    copies.seal();
    BOOST_TEST(copies.laid_out_like(*masters) == true);
    const auto one = inner.constant(narrow_ctx.make({3}, std::vector<bfloat16>(3, bfloat16(1))));
    const auto many = inner.constant(narrow_ctx.make({3}, std::vector<bfloat16>(3, bfloat16(256))));
    inner.backward(sum(w * many + w * one));  // 257 is no bfloat16
    BOOST_TEST(!w.grad());
    const auto& master = masters->all()[0].value;
    BOOST_TEST(gradient(master) == std::vector<float>(3, 257), each);
    BOOST_TEST(!masters->all()[1].value.grad());
  }
}

BOOST_FIXTURE_TEST_CASE(a_backward_pass_after_a_change_of_its_parameters_is_refused, sealed_store) {
  store other(home, 2);
  for (const auto& p : of.all())
    (void)(p.decay ? other.normal(p.name, p.value.shape(), 1) : other.constant(p.name, p.value.shape(), 1));
  safetensors_file file;
  save_parameters(of, "", file);
  const std::vector<std::pair<std::string, std::function<void()>>> changes{
      {"assign", [&] { b.assign(ctx.make({3}, {1, 2, 3})); }},
      {"load", [&] { load_parameters(of, "", file); }},
      {"copy", [&] { copy_parameters(other, of); }},
      {"average", [&] { average_parameters(other, of, 0.5); }},
      {"changed", [&] { of.changed(); }}};
  for (const bool again : {false, true})  // an operation that is recorded, and one that is computed again
    for (const auto& [what, change] : changes) {
      BOOST_TEST_CONTEXT(what << (again ? ", computed again" : "")) {
        const auto x = leaf({3}, 1);
        const auto f = [this](const std::vector<variable<B>>& in) { return in[0] * b; };
        const auto loss = sum(checkpoint_if<B>(again, {x}, f));
        change();
        BOOST_CHECK_EXCEPTION(home.backward(loss), error, says("parameters changed after the forward pass"));
        BOOST_TEST(home.size() == 0u);
        BOOST_TEST(!x.grad());
        home.backward(sum(checkpoint_if<B>(again, {x}, f)));
        BOOST_TEST(gradient(x) == host(b), each);
        of.zero_grad();
      }
    }
  // What does not take part may change: a teacher follows while a student's pass is under way.
  const auto loss = sum(b * b);
  average_parameters(of, other, 0.5);
  {
    const no_grad_scope<B> quiet(home);
    (void)sum(other.all()[0].value);
  }
  BOOST_CHECK_NO_THROW(home.backward(loss));
}

}  // namespace comodal::tests
