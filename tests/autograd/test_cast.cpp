// SPDX-License-Identifier: Apache-2.0
// One graph of two scalars: casts, and what tapes that share a record do together.
#define BOOST_TEST_MODULE autograd_cast
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/cast.hpp>
#include <comodal/autograd/checkpoint.hpp>
#include <comodal/autograd/reduction.hpp>

#include <autograd/support.hpp>

namespace comodal::tests {

using wide = kokkos_backend<default_space, float>;
using narrow = kokkos_backend<default_space, bfloat16>;
const auto each = boost::test_tools::per_element();

struct workshop {
  context<wide> ctx;
  tape<wide> home{ctx};
  context<narrow> narrow_ctx{ctx};
  tape<narrow> inner{narrow_ctx, home};

  variable<wide> leaf(const std::vector<float>& v) { return home.leaf(ctx.make({static_cast<index>(v.size())}, v)); }
  template <class Backend>
  std::vector<float> host(const variable<Backend>& v) {
    return converted<float>(to_host(ctx.space(), v.value()));
  }
  template <class Backend>
  std::vector<float> grad(const variable<Backend>& v) {
    return v.grad() ? converted<float>(to_host(ctx.space(), v.grad())) : std::vector<float>{};
  }
};

BOOST_FIXTURE_TEST_CASE(values_are_rounded_on_the_way_there_and_kept_on_the_way_back, workshop) {
  const auto x = leaf({1, 1 + 0x1p-9f, 257, -3e38f});
  const auto y = cast(x, inner);
  BOOST_TEST(host(y) == (std::vector<float>{1, 1, 256, static_cast<float>(bfloat16(-3e38f))}), each);
  BOOST_TEST(host(cast(y, home)) == host(y), each);
  BOOST_TEST(&y.home() == &inner);
}

BOOST_FIXTURE_TEST_CASE(gradients_pass_both_ways_through_one_backward_pass, workshop) {
  const auto x = leaf({2, 3}), w = leaf({5, 7});
  const auto y = cast(multiply(cast(x, inner), cast(w, inner)), home);  // the product in bfloat16
  home.backward(sum(y * x));                                            // d/dx of x^2 w, d/dw
  BOOST_TEST(grad(x) == (std::vector<float>{20, 42}), each);
  BOOST_TEST(grad(w) == (std::vector<float>{4, 9}), each);
  BOOST_TEST(home.size() == 0u);
  BOOST_TEST(inner.size() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_gradient_is_rounded_where_it_passes_into_the_narrow_part, workshop) {
  const auto x = leaf({1});
  home.backward(sum(scale(cast(cast(x, inner), home), 1 + 0x1p-9)));
  BOOST_TEST(grad(x) == (std::vector<float>{1}), each);
}

BOOST_FIXTURE_TEST_CASE(leaves_of_either_scalar_collect_gradients, workshop) {
  const auto w = inner.leaf(narrow_ctx.make({2}, {bfloat16(3), bfloat16(4)}));
  const auto x = leaf({10, 20});
  home.backward(sum(cast(w, home) * x));
  BOOST_TEST(grad(w) == (std::vector<float>{10, 20}), each);
  BOOST_TEST(grad(x) == (std::vector<float>{3, 4}), each);
}

BOOST_FIXTURE_TEST_CASE(a_backward_pass_from_the_narrow_tape_reaches_the_wide_one, workshop) {
  const auto x = leaf({3});
  inner.backward(sum(cast(x * x, inner)));
  BOOST_TEST(grad(x) == (std::vector<float>{6}), each);
}

BOOST_FIXTURE_TEST_CASE(what_is_not_recorded_on_one_tape_is_not_on_the_other, workshop) {
  const auto x = leaf({3});
  {
    const no_grad_scope<wide> quiet(home);
    BOOST_TEST(!inner.recording());
    BOOST_TEST(!cast(x, inner).requires_grad());
    BOOST_TEST(inner.size() == 0u);
  }
  {
    const no_grad_scope<narrow> quiet(inner);
    BOOST_TEST(!home.recording());
    BOOST_TEST(!(x * x).requires_grad());
  }
  BOOST_TEST(home.recording());
  (void)cast(x, inner);
  BOOST_TEST(home.size() == 1u);
  inner.clear();
  BOOST_TEST(home.size() == 0u);
}

BOOST_FIXTURE_TEST_CASE(tapes_without_a_common_record_are_refused_where_a_gradient_should_pass, workshop) {
  context<narrow> other_ctx;
  tape<narrow> other(other_ctx);
  const auto x = leaf({3});
  BOOST_CHECK_EXCEPTION((void)cast(x, other), error, says("the tapes share no record"));
  BOOST_TEST(host(cast(detach(x), other)) == (std::vector<float>{3}), each);
}

BOOST_FIXTURE_TEST_CASE(a_checkpoint_of_the_narrow_part_is_computed_again, workshop) {
  const auto run = [&](bool again) {
    const auto x = leaf({1.5f, 2.25f});
    const auto w = inner.leaf(narrow_ctx.make({2}, {bfloat16(3), bfloat16(4)}));
    int calls = 0;
    const auto y = checkpoint_if<narrow>(again, {cast(x, inner)}, [&calls, w](const auto& v) {
      ++calls;
      return multiply(multiply(v[0], v[0]), w);
    });
    home.backward(sum(cast(y, home)));
    BOOST_TEST(calls == (again ? 2 : 1));
    return std::vector{grad(x), grad(w)};
  };
  const auto kept = run(false), twice = run(true);
  BOOST_TEST(kept[0] == twice[0], each);
  BOOST_TEST(kept[1] == twice[1], each);
  BOOST_TEST(kept[0] == (std::vector<float>{9, 18}), each);
}

BOOST_FIXTURE_TEST_CASE(casts_and_narrow_operations_are_in_the_profile_of_the_wide_context, workshop) {
  profile recorder;
  ctx.recorder = &recorder;
  const auto x = leaf({2});
  const auto y = cast(x, inner);
  home.backward(sum(cast(y * y, home)));
  index casts = 0, products = 0;
  for (const auto& [what, sums] : recorder.all()) {
    if (what.operation == "cast") casts += sums.calls;
    if (what.operation == "multiply") products += sums.calls;
  }
  BOOST_TEST(casts == 4);
  BOOST_TEST(products == 2);
}

}  // namespace comodal::tests
