// SPDX-License-Identifier: Apache-2.0
// Activation checkpointing: the same bytes from less memory.
#define BOOST_TEST_MODULE autograd_checkpoint
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/checkpoint.hpp>
#include <comodal/autograd/convolution.hpp>
#include <comodal/autograd/reduction.hpp>

#include <autograd/gradients.hpp>

namespace comodal::tests {

using single = kokkos_backend<>;

// Two convolutions with their norms, of which one input and the parameters want gradients.
struct block {
  variable<single> w, v, gamma, beta;
  variable<single> operator()(const std::vector<variable<single>>& in) const {
    const auto x = instance_norm(conv3d(in, w), gamma, beta);
    return add(instance_norm(conv3d(x, v), gamma, beta), x);
  }
};

struct outcome {
  std::vector<std::vector<float>> numbers;  // the loss and all gradients
  std::size_t kept = 0;                     // bytes in use before the backward pass
  std::size_t steps = 0;
};

outcome run(int nested) {
  context<single> ctx;
  tape<single> home(ctx);
  const auto leaf = [&](const shape& s, std::uint32_t key) {
    return home.leaf(ctx.make(s, converted<float>(values(s.size(), key))));
  };
  const auto x = leaf({2, 4, 6, 8, 4}, 1), w = leaf({3, 3, 3, 6, 8}, 2), v = leaf({3, 3, 3, 8, 8}, 3),
             gamma = leaf({8}, 4), beta = leaf({8}, 5);
  const auto constant = home.constant({2, 4, 6, 8, 2}, converted<float>(values(2 * 4 * 6 * 8 * 2, 6)));
  const block f{w, v, gamma, beta};
  const auto once = [&](const std::vector<variable<single>>& in) { return checkpoint(in, f); };
  const std::vector<variable<single>> inputs{x, constant};
  const auto y = nested == 0 ? f(inputs) : nested == 1 ? once(inputs) : checkpoint(inputs, once);
  const auto loss = sum(multiply(y, y));
  outcome out;
  out.kept = ctx.pool().statistics().in_use;
  out.steps = home.size();
  home.backward(loss);
  out.numbers.push_back(to_host(ctx.space(), loss.value()));
  for (const auto& p : {x, w, v, gamma, beta}) {
    BOOST_REQUIRE(static_cast<bool>(p.grad()));
    out.numbers.push_back(to_host(ctx.space(), p.grad()));
  }
  BOOST_TEST(home.size() == 0u);
  BOOST_TEST(home.recording());
  return out;
}

BOOST_AUTO_TEST_CASE(the_same_bytes_from_less_memory) {
  const outcome plain = run(0);
  for (const int nested : {1, 2}) {
    const outcome again = run(nested);
    BOOST_TEST(again.steps < plain.steps);
    BOOST_TEST(again.kept < plain.kept);
    for (std::size_t i = 0; i < plain.numbers.size(); ++i)
      BOOST_TEST(again.numbers[i] == plain.numbers[i], boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(gradients_of_a_checkpoint) {
  gradients("checkpoint", {{{2, 3, 4}}, {{2, 3, 4}}}, [](const variables& v) {
    return checkpoint<twofold>({v[0], v[1]},
                               [](const variables& in) { return multiply(exp(in[0]), add(in[1], in[0])); });
  });
}

BOOST_AUTO_TEST_CASE(without_gradients_it_is_the_function) {
  context<single> ctx;
  tape<single> home(ctx);
  const no_grad_scope<single> quiet(home);
  int calls = 0;
  const auto x = home.leaf(ctx.make({2}, {1.f, 2.f}));
  const auto y = checkpoint<single>({x}, [&calls](const auto& in) {
    ++calls;
    return scale(in[0], 3);
  });
  BOOST_TEST(calls == 1);
  BOOST_TEST(to_host(ctx.space(), y.value()) == (std::vector<float>{3, 6}), boost::test_tools::per_element());
  BOOST_CHECK_EXCEPTION((void)checkpoint<single>({}, [](const auto& in) { return in[0]; }), shape_error,
                        says("checkpoint: no input"));
}

}  // namespace comodal::tests
