// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE ops_conv3d
#include <boost/test/unit_test.hpp>

#include <comodal/ops/conv3d.hpp>

#include <core/support.hpp>

namespace comodal::tests {

using backend = kokkos_backend<default_space, double>;

struct workshop {
  context<backend> ctx;
  tensor<double> filled(const shape& s, double value) {
    return ctx.make(s, std::vector<double>(static_cast<std::size_t>(s.size()), value));
  }
  std::vector<double> host(const tensor<double>& t) { return to_host(ctx.space(), t); }
};

BOOST_FIXTURE_TEST_CASE(a_filter_of_ones_counts_its_neighbours, workshop) {
  const auto y = ops::conv3d(ctx, filled({1, 3, 3, 3, 1}, 1), filled({3, 3, 3, 1, 1}, 1));
  const auto v = host(y);
  BOOST_TEST((y.shape() == shape{1, 3, 3, 3, 1}));
  BOOST_TEST(v[0] == 8);    // a corner
  BOOST_TEST(v[1] == 12);   // an edge
  BOOST_TEST(v[4] == 18);   // a face
  BOOST_TEST(v[13] == 27);  // the centre
}

BOOST_FIXTURE_TEST_CASE(the_last_two_axes_of_a_filter_are_in_and_out, workshop) {
  const auto x = ctx.make({1, 1, 1, 1, 2}, {10, 1}), w = ctx.make({1, 1, 1, 2, 3}, {1, 2, 3, 4, 5, 6});
  BOOST_TEST(host(ops::conv3d(ctx, x, w)) == (std::vector<double>{14, 25, 36}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_stride_keeps_every_second_voxel_from_the_first, workshop) {
  const auto x = ctx.make({1, 1, 1, 5, 1}, {1, 2, 3, 4, 5}), w = filled({1, 1, 1, 1, 1}, 1);
  BOOST_TEST(host(ops::conv3d(ctx, x, w, {1, 1, 2})) == (std::vector<double>{1, 3, 5}),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(filters_are_not_flipped, workshop) {
  const auto x = ctx.make({1, 1, 1, 3, 1}, {1, 2, 3}), w = ctx.make({1, 1, 3, 1, 1}, {100, 10, 1});
  BOOST_TEST(host(ops::conv3d(ctx, x, w)) == (std::vector<double>{12, 123, 230}), boost::test_tools::per_element());
}

// <y, conv(x, w)> = <conv_backward_data(y, w), x> = <conv_backward_weights(x, y), w>, whatever the numbers.
BOOST_FIXTURE_TEST_CASE(backward_is_the_adjoint_of_forward, workshop) {
  const conv3d_problem p{2, {5, 4, 7}, 3, 4, {3, 5, 1}, {2, 1, 3}};
  const auto make = [&](const shape& s, std::uint32_t key) { return ctx.make(s, values(s.size(), key)); };
  const auto dot = [&](const tensor<double>& a, const tensor<double>& b) {
    double sum = 0;
    const auto u = host(a), v = host(b);
    for (std::size_t i = 0; i < u.size(); ++i) sum += u[i] * v[i];
    return sum;
  };
  const auto x = make(p.input_shape(), 1), w = make(p.weight_shape(), 2), y = make(p.output_shape(), 3);
  const double expected = dot(y, ops::conv3d(ctx, x, w, p.stride));
  BOOST_TEST(std::fabs(dot(ops::conv3d_backward_data(ctx, p, y, w), x) - expected) < 1e-11);
  BOOST_TEST(std::fabs(dot(ops::conv3d_backward_weights(ctx, p, x, y), w) - expected) < 1e-11);
  BOOST_TEST(std::fabs(expected) > 1e-3);
}

BOOST_FIXTURE_TEST_CASE(every_direction_is_counted, workshop) {
  const conv3d_problem p{1, {3, 3, 3}, 2, 2};
  const auto x = filled(p.input_shape(), 1), w = filled(p.weight_shape(), 1), y = ops::conv3d(ctx, x, w);
  (void)ops::conv3d_backward_data(ctx, p, y, w);
  (void)ops::conv3d_backward_weights(ctx, p, x, y);
  (void)ops::conv3d_backward_weights(ctx, p, x, y);
  BOOST_TEST(ctx.runs("conv3d.forward", "host") == 1);
  BOOST_TEST(ctx.runs("conv3d.backward_data", "host") == 1);
  BOOST_TEST(ctx.runs("conv3d.backward_weights", "host") == 2);
}

BOOST_FIXTURE_TEST_CASE(even_filters_have_no_half, workshop) {
  BOOST_CHECK_EXCEPTION((void)ops::conv3d(ctx, filled({1, 3, 3, 3, 1}, 1), filled({2, 3, 3, 1, 1}, 1)), shape_error,
                        says("conv3d: filter 2 along axis 0, expected an odd number"));
}

}  // namespace comodal::tests
