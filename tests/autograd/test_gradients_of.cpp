// SPDX-License-Identifier: Apache-2.0
// Gradients with respect to chosen leaves: the others, parameters among them, receive none.
#define BOOST_TEST_MODULE autograd_gradients_of
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/checkpoint.hpp>
#include <comodal/autograd/gradients_of.hpp>
#include <comodal/autograd/reduction.hpp>

#include <autograd/support.hpp>

namespace comodal::tests {

using backend = kokkos_backend<default_space, double>;

struct workshop {
  context<backend> ctx;
  tape<backend> home{ctx};
  variable<backend> leaf(const std::vector<double>& v) {
    return home.leaf(ctx.make({static_cast<index>(v.size())}, v));
  }
  std::vector<double> host(const variable<backend>& v) { return to_host(ctx.space(), v.value()); }
};
const auto each = boost::test_tools::per_element();

BOOST_FIXTURE_TEST_CASE(the_chosen_leaf_alone_has_a_gradient, workshop) {
  const auto image = leaf({2, 3}), weight = leaf({5, 7});
  const auto found = gradients_of(sum(image * weight), {image});
  BOOST_REQUIRE(found.size() == 1u);
  BOOST_TEST(host(found[0]) == (std::vector<double>{5, 7}), each);
  BOOST_TEST(!found[0].requires_grad());
  BOOST_TEST(!image.grad());
  BOOST_TEST(!weight.grad());
  BOOST_TEST(home.size() == 0u);
  // Afterwards all want gradients again.
  home.backward(sum(image * weight));
  BOOST_TEST(to_host(ctx.space(), weight.grad()) == (std::vector<double>{2, 3}), each);
}

BOOST_FIXTURE_TEST_CASE(what_leaves_hold_stays_as_it_is, workshop) {
  const auto image = leaf({2, 3}), weight = leaf({5, 7});
  home.backward(sum(image * weight));
  (void)gradients_of(sum(10.0 * image * weight), {image});
  BOOST_TEST(to_host(ctx.space(), image.grad()) == (std::vector<double>{5, 7}), each);
  BOOST_TEST(to_host(ctx.space(), weight.grad()) == (std::vector<double>{2, 3}), each);
}

BOOST_FIXTURE_TEST_CASE(a_leaf_that_nothing_reaches_has_zeros, workshop) {
  const auto image = leaf({2, 3}), other = leaf({1, 1, 1});
  const auto found = gradients_of(sum(image), {other, image});
  BOOST_TEST(host(found[0]) == (std::vector<double>{0, 0, 0}), each);
  BOOST_TEST(host(found[1]) == (std::vector<double>{1, 1}), each);
}

// Zeros would make an adversarial term vanish without a word.
BOOST_FIXTURE_TEST_CASE(a_loss_that_depends_on_no_input_is_refused, workshop) {
  const auto image = leaf({2, 3}), weight = leaf({5, 7});
  const auto words = says("gradients_of: the loss does not depend on any of the inputs; compute it from them, outside");
  BOOST_CHECK_EXCEPTION((void)gradients_of(sum(weight), {image}), config_error, words);
  BOOST_TEST(home.size() == 0u);
  BOOST_TEST(gradients_of(sum(image), {}).empty());
  const no_grad_scope<backend> quiet(home);
  BOOST_CHECK_EXCEPTION((void)gradients_of(sum(image), {image}), config_error, words);
}

BOOST_FIXTURE_TEST_CASE(checkpointed_parts_are_gone_through_too, workshop) {
  const auto image = leaf({2, 3}), weight = leaf({5, 7});
  const auto y = checkpoint<backend>({image}, [weight](const auto& v) { return v[0] * v[0] * weight; });
  const auto found = gradients_of(sum(y), {image});
  BOOST_TEST(host(found[0]) == (std::vector<double>{20, 42}), each);
  BOOST_TEST(!weight.grad());
}

BOOST_FIXTURE_TEST_CASE(leaves_want_gradients_again_after_a_failure, workshop) {
  const auto image = leaf({2, 3}), weight = leaf({5, 7});
  BOOST_CHECK_EXCEPTION((void)gradients_of(image * weight, {image}), shape_error, says("backward: the loss has shape"));
  home.clear();
  home.backward(sum(image * weight));
  BOOST_TEST(to_host(ctx.space(), weight.grad()) == (std::vector<double>{2, 3}), each);
}

BOOST_FIXTURE_TEST_CASE(an_input_that_is_no_leaf_is_refused, workshop) {
  const auto image = leaf({2, 3});
  const auto twice = 2.0 * image;
  BOOST_CHECK_EXCEPTION((void)gradients_of(sum(twice), {twice}), config_error,
                        says("gradients_of: input 0 is no leaf of this tape; make it with tape::leaf"));
}

}  // namespace comodal::tests
