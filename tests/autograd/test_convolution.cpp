// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE autograd_convolution
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/gating.hpp>

#include <autograd/gradients.hpp>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(gradients_of_convolutions) {
  gradients("conv3d", {{{2, 3, 4, 5, 3}}, {{3, 3, 3, 3, 5}}}, [](const variables& v) { return conv3d(v[0], v[1]); });
  gradients("conv3d with strides", {{{1, 4, 5, 7, 3}}, {{3, 1, 5, 3, 4}}},
            [](const variables& v) { return conv3d(v[0], v[1], {2, 1, 3}); });
  gradients("conv3d of one channel", {{{1, 4, 3, 3, 1}}, {{1, 1, 1, 1, 1}}},
            [](const variables& v) { return conv3d(v[0], v[1]); });
  gradients("conv_transpose3d", {{{2, 3, 2, 4, 3}}, {{1, 2, 3, 3, 5}}},
            [](const variables& v) { return conv_transpose3d(v[0], v[1]); });
}

BOOST_AUTO_TEST_CASE(gradients_of_maps_side_by_side) {
  gradients("conv3d of parts", {{{2, 2, 3, 4, 3}}, {{2, 2, 3, 4, 2}}, {{3, 1, 3, 5, 4}}, {{4}}},
            [](const variables& v) { return conv3d({v[0], v[1]}, v[2], {1, 1, 1}, v[3]); });
  gradients("conv3d of parts with strides", {{{1, 4, 3, 5, 3}}, {{1, 4, 3, 5, 2}}, {{3, 3, 3, 5, 4}}},
            [](const variables& v) { return conv3d({v[0], v[1]}, v[2], {2, 1, 2}); });
  gradients("conv_transpose3d with a bias", {{{2, 3, 2, 4, 3}}, {{1, 2, 3, 3, 5}}, {{5}}},
            [](const variables& v) { return conv_transpose3d(v[0], v[1], v[2]); });
  gradients("weighted_conv3d", {{{2, 2, 3, 4, 3}}, {{2, 2, 3, 4, 2}}, {{2, 2, 3, 4, 2}}, {{1, 1, 1, 5, 4}}},
            [](const variables& v) { return weighted_conv3d({v[0], v[1]}, v[2], v[3]); });
  gradients("gated_add", {{{2, 3, 4}}, {{2, 3, 4}}, {{2, 3, 4}}, {{4}}},
            [](const variables& v) { return gated_add(v[0], v[1], v[2], v[3]); });
}

BOOST_AUTO_TEST_CASE(maps_side_by_side_are_one_map) {
  context<twofold> ctx;
  tape<twofold> home(ctx);
  const auto map = [&](const shape& s, int seed) { return home.constant(s, values(s.size(), seed)); };
  const auto a = map({2, 3, 4, 5, 3}, 1), b = map({2, 3, 4, 5, 2}, 2), w = map({3, 3, 3, 5, 6}, 3);
  const auto parts = to_host(ctx.space(), conv3d({a, b}, w).value()),
             joined = to_host(ctx.space(), conv3d(concat<twofold>({a, b}), w).value());
  BOOST_TEST(difference(parts, joined) < 1e-14);
  BOOST_CHECK_EXCEPTION((void)conv3d({a, map({2, 3, 4, 6, 2}, 4)}, w), shape_error, says("do not stand side by side"));
  BOOST_CHECK_EXCEPTION((void)conv3d({a, b}, w, {1, 1, 1}, map({5}, 4)), shape_error,
                        says("conv3d: bias (5) for 6 channels"));
  BOOST_CHECK_EXCEPTION((void)weighted_conv3d({a, b}, map({2, 3}, 4), w), shape_error,
                        says("weighted_conv3d: weights (2, 3) for 2 maps"));
  BOOST_CHECK_EXCEPTION((void)gated_add(a, b, b, map({2}, 4)), shape_error,
                        says("gated_add: x (2, 3, 4, 5, 3), gate (2, 3, 4, 5, 2)"));
}

BOOST_AUTO_TEST_CASE(a_profile_counts_multiply_adds) {
  context<twofold> ctx;
  tape<twofold> home(ctx);
  const auto map = [&](const shape& s, int seed) { return home.leaf(ctx.make(s, values(s.size(), seed))); };
  const auto x = map({2, 3, 4, 5, 3}, 1), w = map({3, 1, 3, 3, 6}, 2), up = map({2, 1, 1, 6, 2}, 3);
  profile recorder;
  ctx.recorder = &recorder;
  const auto y = conv3d(x, w);
  const double convolution = 2 * 3 * 4 * 5 * 9 * 3 * 6, transposed = 2 * 6 * 4 * 5 * 6 * 2;
  BOOST_TEST(recorder.multiply_adds() == convolution);
  const auto z = conv_transpose3d(y, up);
  BOOST_TEST(recorder.multiply_adds() == convolution + transposed);
  home.backward(sum(z));
  BOOST_TEST(recorder.multiply_adds() == 3 * (convolution + transposed));
  recorder.clear();
  (void)add(x, x);
  BOOST_TEST(recorder.multiply_adds() == 0);
  ctx.recorder = nullptr;
}

BOOST_AUTO_TEST_CASE(gradients_of_normalisation) {
  gradients("instance_norm", {{{2, 3, 2, 4, 3}}, {{3}}, {{3}}},
            [](const variables& v) { return instance_norm(v[0], v[1], v[2]); });
  gradients("instance_norm, linear", {{{1, 3, 2, 4, 4}}, {{4}}, {{4}}},
            [](const variables& v) { return instance_norm(v[0], v[1], v[2], 1.0, 1e-3); });
}

BOOST_AUTO_TEST_CASE(gradients_of_resampling) {
  gradients("max_pool3d", {{{2, 4, 5, 4, 3}}}, [](const variables& v) { return max_pool3d(v[0], {2, 2, 1}); });
  gradients("average_pool3d", {{{2, 4, 5, 4, 3}}}, [](const variables& v) { return average_pool3d(v[0], {2, 2, 1}); });
  gradients("upsample3d", {{{2, 2, 3, 1, 3}}}, [](const variables& v) { return upsample3d(v[0], {2, 3, 4}); });
}

BOOST_AUTO_TEST_CASE(a_mean_far_from_zero_leaves_the_variance_right) {
  context<twofold> ctx;
  tape<twofold> home(ctx);
  auto x = values(2 * 3 * 4 * 5, 1);
  const auto centred = x;
  for (double& v : x) v += 1000;
  const auto ones = home.constant({1}, {1}), zeros = home.constant({1}, {0});
  const auto near = instance_norm(home.constant({1, 2 * 3, 4, 5, 1}, centred), ones, zeros),
             far = instance_norm(home.constant({1, 2 * 3, 4, 5, 1}, x), ones, zeros);
  BOOST_TEST(difference(to_host(ctx.space(), far.value()), to_host(ctx.space(), near.value())) < 1e-8);
}

BOOST_AUTO_TEST_CASE(without_gradients_a_norm_takes_the_memory_of_what_nobody_else_holds) {
  context<twofold> ctx;
  tape<twofold> home(ctx);
  const shape size{2, 4, 5, 3, 8};
  const auto gamma = home.constant({8}, values(8, 2)), beta = home.constant({8}, values(8, 3));
  const auto input = [&] { return home.constant(size, values(size.size(), 1)); };
  const auto kept = input();
  const auto expected = to_host(ctx.space(), instance_norm(kept, gamma, beta).value());
  const no_grad_scope<twofold> quiet(home);
  BOOST_TEST(to_host(ctx.space(), instance_norm(kept, gamma, beta).value()) == expected,
             boost::test_tools::per_element());
  BOOST_TEST(to_host(ctx.space(), instance_norm(reshape(kept, size), gamma, beta).value()) == expected,
             boost::test_tools::per_element());
  BOOST_TEST(to_host(ctx.space(), kept.value()) == to_host(ctx.space(), input().value()),
             boost::test_tools::per_element());
  auto last = input();
  const auto* const own = last.value().data();
  const auto y = instance_norm(std::move(last), gamma, beta);
  BOOST_TEST(to_host(ctx.space(), y.value()) == expected, boost::test_tools::per_element());
  BOOST_TEST(y.value().data() == own);
}

BOOST_AUTO_TEST_CASE(shapes_that_do_not_fit_name_the_operation) {
  context<twofold> ctx;
  tape<twofold> home(ctx);
  const auto tensor = [&](const shape& s) { return home.constant(s, values(s.size(), 1)); };
  const auto x = tensor({1, 4, 4, 4, 2}), c2 = tensor({2}), c3 = tensor({3});
  BOOST_CHECK_EXCEPTION((void)conv3d(tensor({4, 4, 2}), tensor({3, 3, 3, 2, 2})), shape_error,
                        says("conv3d: input (4, 4, 2), expected (N, D, H, W, C)"));
  BOOST_CHECK_EXCEPTION((void)conv3d(x, tensor({3, 3, 3, 4, 2})), shape_error,
                        says("conv3d: input (1, 4, 4, 4, 2) has 2 channels"));
  BOOST_CHECK_EXCEPTION((void)conv3d(x, tensor({2, 3, 3, 2, 2})), shape_error, says("conv3d: filter 2 along axis 0"));
  BOOST_CHECK_EXCEPTION((void)conv3d(x, tensor({3, 3, 3, 2, 2}), {1, 0, 1}), shape_error,
                        says("conv3d: stride 0 along axis 1"));
  BOOST_CHECK_EXCEPTION((void)conv_transpose3d(x, tensor({2, 2, 2, 3, 1})), shape_error, says("conv_transpose3d: "));
  BOOST_CHECK_EXCEPTION((void)conv_transpose3d(tensor({0, 2, 2, 2, 3}), tensor({2, 2, 2, 3, 1})), shape_error,
                        says("conv_transpose3d: batch 0"));
  BOOST_CHECK_EXCEPTION((void)instance_norm(x, c3, c3), shape_error,
                        says("instance_norm: x (1, 4, 4, 4, 2), gamma (3)"));
  BOOST_CHECK_EXCEPTION((void)instance_norm(tensor({3, 1, 1, 1, 2}), c2, c2), shape_error,
                        says("one voxel per channel"));
  BOOST_CHECK_EXCEPTION((void)max_pool3d(x, {5, 1, 1}), shape_error, says("pool3d: window 5 along axis 0"));
  BOOST_CHECK_EXCEPTION((void)average_pool3d(c2, {1, 1, 1}), shape_error, says("pool3d: input (2)"));
  BOOST_CHECK_EXCEPTION((void)upsample3d(x, {2, 0, 1}), shape_error, says("upsample3d: factor 0"));
}

}  // namespace comodal::tests
