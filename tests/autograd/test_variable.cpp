// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE autograd_variable
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/convolution.hpp>
#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/core/step_block.hpp>

#include <autograd/support.hpp>

namespace comodal::tests {

using backend = kokkos_backend<default_space, double>;

struct workshop {
  context<backend> ctx;
  tape<backend> home{ctx};
  variable<backend> leaf(const std::vector<double>& v) {
    return home.leaf(ctx.make({static_cast<index>(v.size())}, v));
  }
  std::vector<double> grad(const variable<backend>& v) {
    return v.grad() ? to_host(ctx.space(), v.grad()) : std::vector<double>{};
  }
};

const auto each = boost::test_tools::per_element();

BOOST_FIXTURE_TEST_CASE(a_variable_that_is_used_twice_collects_both_gradients, workshop) {
  const auto x = leaf({2, 3});
  home.backward(sum(x * x + x));
  BOOST_TEST(grad(x) == (std::vector<double>{5, 7}), each);
}

BOOST_FIXTURE_TEST_CASE(gradients_add_up_over_backward_passes_until_they_are_dropped, workshop) {
  const auto x = leaf({2, 3});
  home.backward(sum(x));
  home.backward(sum(3.0 * x));
  BOOST_TEST(grad(x) == (std::vector<double>{4, 4}), each);
  x.zero_grad();
  BOOST_TEST(!x.grad());
  home.backward(sum(x));
  BOOST_TEST(grad(x) == (std::vector<double>{1, 1}), each);
}

BOOST_FIXTURE_TEST_CASE(two_leaves_that_receive_the_same_gradient_do_not_share_later_changes, workshop) {
  const auto a = leaf({1, 2}), b = leaf({3, 4});
  home.backward(sum(a + b));
  home.backward(sum(a));
  BOOST_TEST(grad(a) == (std::vector<double>{2, 2}), each);
  BOOST_TEST(grad(b) == (std::vector<double>{1, 1}), each);
}

BOOST_FIXTURE_TEST_CASE(the_tape_is_empty_after_backward, workshop) {
  const auto x = leaf({2, 3});
  const auto loss = sum(exp(x));
  BOOST_TEST(home.size() == 2u);
  home.backward(loss);
  BOOST_TEST(home.size() == 0u);
  (void)exp(x);
  home.clear();
  BOOST_TEST(home.size() == 0u);
}

BOOST_FIXTURE_TEST_CASE(constants_are_not_recorded, workshop) {
  const auto c = home.constant({2}, {1, 2});
  const auto y = exp(c) * c;
  BOOST_TEST(!y.requires_grad());
  BOOST_TEST(home.size() == 0u);
  const auto x = leaf({3, 4});
  home.backward(sum(x * y));
  BOOST_TEST(!c.grad());
  BOOST_TEST(grad(x) == to_host(ctx.space(), y.value()), each);
}

BOOST_FIXTURE_TEST_CASE(detach_stops_the_gradient, workshop) {
  const auto x = leaf({2, 3});
  const auto square = x * x;
  home.backward(sum(detach(square) * x));
  BOOST_TEST(grad(x) == (std::vector<double>{4, 9}), each);
  BOOST_TEST(!detach(x).requires_grad());
  BOOST_TEST(detach(x).value().data() == x.value().data());
}

BOOST_FIXTURE_TEST_CASE(nothing_is_recorded_in_a_no_grad_scope, workshop) {
  const auto x = leaf({2, 3});
  {
    const no_grad_scope<backend> outer(home);
    {
      const no_grad_scope<backend> inner(home);
      BOOST_TEST(!home.recording());
    }
    BOOST_TEST(!home.recording());
    const auto y = sum(exp(x));
    BOOST_TEST(!y.requires_grad());
    BOOST_TEST(home.size() == 0u);
    home.backward(y);
    BOOST_TEST(!x.grad());
  }
  BOOST_TEST(home.recording());
  home.backward(sum(x));
  BOOST_TEST(grad(x) == (std::vector<double>{1, 1}), each);
}

BOOST_FIXTURE_TEST_CASE(branches_that_the_loss_does_not_need_are_skipped, workshop) {
  const auto x = leaf({2, 3}), other = leaf({5, 7});
  const auto unused = sum(exp(other));
  home.backward(sum(x));
  BOOST_TEST(!other.grad());
  BOOST_TEST(home.size() == 0u);
  BOOST_TEST(item(unused) > 0);
}

BOOST_FIXTURE_TEST_CASE(only_inner_values_drop_their_gradients, workshop) {
  const auto x = leaf({2, 3});
  const auto y = exp(x);
  home.backward(sum(y));
  BOOST_TEST(!y.grad());
  BOOST_TEST(grad(x) == to_host(ctx.space(), y.value()), each);
}

BOOST_FIXTURE_TEST_CASE(misuse_is_refused_in_plain_words, workshop) {
  const auto x = leaf({2, 3});
  BOOST_CHECK_EXCEPTION(home.backward(x), shape_error,
                        says("backward: the loss has shape (2), expected one element; take sum() or mean() first"));
  BOOST_CHECK_EXCEPTION((void)item(x), shape_error, says("item: (2) has more than one element"));
  BOOST_CHECK_EXCEPTION(x.assign(ctx.make({3})), shape_error, says("assign: (3) to a variable (2)"));
}

BOOST_FIXTURE_TEST_CASE(assign_is_seen_by_every_copy, workshop) {
  const auto x = leaf({2, 3}), copy = x;
  x.assign(ctx.make({2}, {5, 7}));
  BOOST_TEST(to_host(ctx.space(), copy.value()) == (std::vector<double>{5, 7}), each);
}

// x whose backward hands on `gradient`, whatever it receives.
variable<backend> with_gradient(const variable<backend>& x, const tensor<double>& gradient) {
  return x.home().result(x.value(), {&x}, [to = x.sink(), gradient](const auto&) { to.accumulate(gradient); });
}

BOOST_FIXTURE_TEST_CASE(a_gradient_of_another_shape_than_the_value_is_refused, workshop) {
  const auto x = leaf(std::vector<double>(1000, 1));
  const auto refused = [&](const tensor<double>& gradient, const std::string& words) {
    const auto loss = sum(with_gradient(x, gradient));
    BOOST_CHECK_EXCEPTION(home.backward(loss), shape_error, says(words));
    BOOST_TEST(!x.grad());
  };
  refused(ctx.make({1}), "backward: a gradient (1) was handed to a value (1000)");
  refused(ctx.make({1000, 1}), "backward: a gradient (1000, 1) was handed to a value (1000)");
  refused({}, "backward: a gradient without elements was handed to a value (1000)");
  // The second gradient of an inner value is checked like the first.
  const auto y = exp(x);
  const auto loss = sum(y) + sum(with_gradient(y, ctx.make({999})));
  BOOST_CHECK_EXCEPTION(home.backward(loss), shape_error, says("a gradient (999) was handed to a value (1000)"));
  BOOST_CHECK_EXCEPTION(home.replay([&] { return exp(x); }, ctx.make({2})), shape_error,
                        says("a gradient (2) was handed to a value (1000)"));
}

// x whose backward throws.
variable<backend> failing(const variable<backend>& x) {
  return x.home().result(x.value(), {&x}, [](const auto&) { throw error("no way back"); });
}

BOOST_FIXTURE_TEST_CASE(a_backward_pass_that_throws_leaves_nothing_on_the_tape, workshop) {
  const auto x = leaf({2, 3});
  const auto inner = exp(x);
  const auto other = x * inner;
  const auto failed = failing(inner);
  // The way back goes through `other * inner` first, so that x, inner and other hold gradients when `failed` throws.
  const auto loss = sum(failed) + sum(other * inner);
  BOOST_CHECK_EXCEPTION(home.backward(loss), error, says("no way back"));
  BOOST_TEST(home.size() == 0u);
  BOOST_TEST(home.recording());
  for (const auto& v : {inner, other, failed, loss}) BOOST_TEST(!v.grad());
  x.zero_grad();
  home.backward(sum(x * x));
  BOOST_TEST(grad(x) == (std::vector<double>{4, 6}), each);
}

BOOST_FIXTURE_TEST_CASE(a_replay_that_throws_leaves_recording_as_it_was, workshop) {
  const auto x = leaf({2, 3});
  const auto gradient = ctx.make({2}, {1, 1});
  {
    const no_grad_scope<backend> quiet(home);
    BOOST_CHECK_THROW(home.replay([&]() -> variable<backend> { throw error("forward"); }, gradient), error);
    BOOST_TEST(!home.recording());
    BOOST_CHECK_THROW(home.replay([&] { return failing(exp(x)); }, gradient), error);
    BOOST_TEST(!home.recording());
  }
  BOOST_TEST(home.size() == 0u);
  // Inside a backward pass, where part of the tape is left.
  const auto before = x * x;
  const auto y = home.recorded(before.value(), [&, to = before.sink()](const auto& d) {
    to.accumulate(d);
    home.replay([&] { return failing(exp(x)); }, d);
  });
  const auto loss = sum(y);
  BOOST_CHECK_EXCEPTION(home.backward(loss), error, says("no way back"));
  BOOST_TEST(home.size() == 0u);
  BOOST_TEST(home.recording());
  BOOST_TEST(!before.grad());
  BOOST_TEST(!y.grad());
}

BOOST_FIXTURE_TEST_CASE(an_empty_variable_says_so, workshop) {
  const variable<backend> empty;
  BOOST_TEST(!empty);
  const auto empty_one = says("variable: is empty");
  BOOST_CHECK_EXCEPTION((void)empty.value(), error, empty_one);
  BOOST_CHECK_EXCEPTION((void)empty.shape(), error, empty_one);
  BOOST_CHECK_EXCEPTION((void)empty.extent(0), error, empty_one);
  BOOST_CHECK_EXCEPTION((void)empty.grad(), error, empty_one);
  BOOST_CHECK_EXCEPTION((void)empty.requires_grad(), error, empty_one);
  BOOST_CHECK_EXCEPTION((void)empty.home(), error, empty_one);
  BOOST_CHECK_EXCEPTION((void)empty.ctx(), error, empty_one);
  BOOST_CHECK_EXCEPTION(empty.zero_grad(), error, empty_one);
  BOOST_CHECK_EXCEPTION(empty.assign(ctx.make({1})), error, empty_one);
  BOOST_CHECK_EXCEPTION((void)empty.sink(), error, empty_one);
  BOOST_CHECK_EXCEPTION((void)exp(empty), error, empty_one);
  BOOST_CHECK_EXCEPTION(home.backward(empty), error, empty_one);
}

// A small network, trained a few steps.
template <class Backend>
struct training {
  using T = typename Backend::scalar_type;
  context<Backend> ctx;
  tape<Backend> home{ctx};
  std::vector<variable<Backend>> p =
      leaves(home, {{{3, 3, 3, 2, 8}}, {{8}}, {{8}}, {{1, 1, 1, 8, 3}}, {{2, 2, 2, 3, 3}}});
  variable<Backend> x = home.constant({2, 6, 8, 10, 2}, converted<T>(values(2 * 480 * 2, 7)));
  variable<Backend> y = home.constant({2, 6, 8, 10, 3}, converted<T>(values(2 * 480 * 3, 8, 0, 1)));

  void step() {
    const auto hidden = instance_norm(conv3d(x, p[0]), p[1], p[2]);
    const auto low = max_pool3d(dropout(hidden, 0.1, 1, 2, 3), {2, 2, 2});
    const auto logits = conv_transpose3d(conv3d(low, p[3]), p[4]);
    const auto loss = mean(slice(segmentation_sums(logits, y), 1, 1, 2)) + mean(logits * logits);
    home.backward(loss);
    for (const auto& parameter : p) {
      parameter.assign(ops::binary(ctx, "step", ops::minus{}, parameter.value(),
                                   ops::unary(ctx, detail::scale_function<T>{T(1e-4)}, parameter.grad())));
      parameter.zero_grad();
    }
  }
};

BOOST_AUTO_TEST_CASE(memory_returns_to_the_pool_and_a_repeated_step_allocates_nothing) {
  const auto check = [](auto& t) {
    begin_step(t.ctx, {0, 1});  // makes the step block, which stays: dropout reads its counter there
    const auto at_rest = t.ctx.pool().statistics().in_use;
    t.step();
    const auto first = t.ctx.pool().statistics();
    BOOST_TEST(first.in_use == at_rest);
    BOOST_TEST(first.peak > at_rest);
    for (int i = 0; i < 4; ++i) t.step();
    const auto later = t.ctx.pool().statistics();
    BOOST_TEST(later.in_use == at_rest);
    BOOST_TEST(later.peak == first.peak);
    BOOST_TEST(later.held == first.held);
    BOOST_TEST(later.allocations == first.allocations);
  };
  training<kokkos_backend<default_space, float>> single;
  check(single);
  training<backend> twofold;
  check(twofold);
}

}  // namespace comodal::tests
