// SPDX-License-Identifier: Apache-2.0
// The portable, oneDNN and reference engines carry out the same convolutions.
#define BOOST_TEST_MODULE engine_conv3d
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>
#include <comodal/ops/conv3d.hpp>

#include <core/support.hpp>

#include <vector>

namespace comodal::tests {

using single = kokkos_backend<default_space, float>;
using twofold = kokkos_backend<default_space, double>;
using oracle = xtensor_backend<double>;

// Largest error relative to the largest value: sums of up to some 3000 products of numbers in [-1, 1).
// F(4x4, 3x3) rounds more (docs/reference/numerics.md).
constexpr double single_tolerance = 3e-6, winograd_tolerance = 1e-5, double_tolerance = 1e-13;

const std::vector<conv3d_problem> problems{
    {2, {6, 7, 5}, 16, 16, {3, 3, 3}, {1, 1, 1}}, {1, {4, 6, 8}, 32, 16, {3, 3, 3}, {1, 1, 1}},
    {1, {5, 5, 5}, 1, 8, {3, 3, 3}, {1, 1, 1}},   {2, {7, 6, 9}, 8, 16, {3, 3, 3}, {2, 2, 2}},
    {1, {8, 5, 7}, 16, 32, {3, 3, 3}, {1, 2, 2}}, {3, {3, 4, 5}, 5, 7, {3, 3, 3}, {1, 1, 1}},
    {1, {3, 4, 5}, 17, 19, {3, 3, 3}, {1, 1, 1}}, {2, {5, 6, 4}, 16, 4, {1, 1, 1}, {1, 1, 1}},
    {1, {5, 6, 7}, 6, 3, {1, 1, 1}, {2, 2, 2}},   {1, {6, 7, 8}, 4, 8, {5, 5, 5}, {1, 1, 1}},
    {1, {6, 7, 9}, 3, 5, {5, 3, 1}, {2, 1, 3}},   {2, {4, 9, 8}, 8, 8, {1, 3, 3}, {1, 1, 1}},
    {1, {1, 1, 1}, 3, 2, {3, 3, 3}, {1, 1, 1}},   {1, {2, 1, 3}, 16, 16, {5, 5, 5}, {1, 1, 1}},
    {1, {9, 8, 7}, 1, 1, {3, 3, 3}, {3, 3, 3}},   {1, {4, 4, 33}, 24, 40, {3, 3, 3}, {1, 1, 1}},
    {17, {2, 3, 2}, 4, 4, {3, 3, 3}, {2, 1, 1}}};

const conv3d_direction directions[] = {conv3d_direction::forward, conv3d_direction::backward_data,
                                       conv3d_direction::backward_weights};

std::string described(const conv3d_problem& p) {
  return text(p.input_shape().to_string(), " * ", p.weight_shape().to_string(), " stride ", p.stride[0], p.stride[1],
              p.stride[2]);
}

struct operands {
  std::vector<double> x, w, dy;
  explicit operands(const conv3d_problem& p)
      : x(values(p.input_shape().size(), 1)),
        w(values(p.weight_shape().size(), 2)),
        dy(values(p.output_shape().size(), 3)) {}
};

// By the kernels of a back end, never by a vendor's; outputs begin as garbage, which must be overwritten.
template <class Backend>
std::vector<double> by_kernels(const conv3d_problem& p, conv3d_direction direction, const operands& o) {
  using T = typename Backend::scalar_type;
  using K = kernels<Backend>;
  context<Backend> ctx;
  const auto x = ctx.make(p.input_shape(), converted<T>(o.x)), w = ctx.make(p.weight_shape(), converted<T>(o.w));
  const auto dy = ctx.make(p.output_shape(), converted<T>(o.dy));
  const auto garbage = [&](const shape& s) {
    return ctx.make(s, std::vector<T>(static_cast<std::size_t>(s.size()), T(1e30)));
  };
  typename context<Backend>::tensor_type out;
  switch (direction) {
    case conv3d_direction::forward:
      out = garbage(p.output_shape());
      K::conv3d_forward(ctx, p, x.data(), w.data(), out.data());
      break;
    case conv3d_direction::backward_data:
      out = garbage(p.input_shape());
      K::conv3d_backward_data(ctx, p, dy.data(), w.data(), out.data());
      break;
    case conv3d_direction::backward_weights:
      out = garbage(p.weight_shape());
      K::conv3d_backward_weights(ctx, p, x.data(), dy.data(), out.data());
      break;
  }
  return converted<double>(to_host(ctx.space(), out));
}

BOOST_AUTO_TEST_CASE(portable_agrees_with_the_reference_in_both_precisions) {
  for (const conv3d_problem& p : problems) {
    const operands o(p);
    for (const conv3d_direction d : directions) {
      BOOST_TEST_CONTEXT(name_of(d) << " of " << described(p)) {
        const auto expected = by_kernels<oracle>(p, d, o);
        BOOST_TEST(difference(by_kernels<twofold>(p, d, o), expected) <= double_tolerance);
        BOOST_TEST(difference(by_kernels<single>(p, d, o), expected) <= winograd_tolerance);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(onednn_agrees_with_the_reference) {
  if constexpr (!onednn_available_v<single>) {
    BOOST_TEST_MESSAGE("LEFT OUT: this program was compiled without oneDNN");
  } else {
    context<single> ctx;
    ctx.fallback = fallback_policy::error;
    ctx.engines = engine_choice::vendor;
    int compared = 0;
    for (const conv3d_problem& p : problems) {
      const operands o(p);
      const auto x = ctx.make(p.input_shape(), converted<float>(o.x)),
                 w = ctx.make(p.weight_shape(), converted<float>(o.w));
      const auto dy = ctx.make(p.output_shape(), converted<float>(o.dy));
      for (const conv3d_direction d : directions) {
        BOOST_TEST_CONTEXT(name_of(d) << " of " << described(p)) {
          const conv3d_plan plan = plan_conv3d(ctx, p, d);
          if (plan.engine != "onednn") {
            BOOST_TEST_MESSAGE("not by oneDNN: " << name_of(d) << " of " << described(p) << ": " << plan.reason);
            continue;
          }
          const auto out = d == conv3d_direction::forward         ? ops::conv3d(ctx, x, w, p.stride)
                           : d == conv3d_direction::backward_data ? ops::conv3d_backward_data(ctx, p, dy, w)
                                                                  : ops::conv3d_backward_weights(ctx, p, x, dy);
          BOOST_TEST(difference(to_host(ctx.space(), out), by_kernels<oracle>(p, d, o)) <= single_tolerance);
          ++compared;
        }
      }
    }
    BOOST_TEST_MESSAGE(compared << " of " << 3 * problems.size() << " convolutions ran on oneDNN");
    BOOST_TEST(compared >= 12);
    BOOST_TEST(ctx.runs("conv3d.forward", "onednn") + ctx.runs("conv3d.backward_data", "onednn") +
                   ctx.runs("conv3d.backward_weights", "onednn") ==
               compared);
    BOOST_TEST(ctx.runs("conv3d.forward", "portable") == 0);
  }
}

BOOST_AUTO_TEST_CASE(the_reference_engine_is_counted_under_its_own_name) {
  context<oracle> ctx;
  const auto x = ctx.make({1, 2, 2, 2, 1}, values(8, 1)), w = ctx.make({1, 1, 1, 1, 1}, {2.0});
  const auto y = ops::conv3d(ctx, x, w);
  for (std::size_t i = 0; i < 8; ++i) BOOST_TEST(to_host(ctx.space(), y)[i] == 2 * values(8, 1)[i]);
  BOOST_TEST(ctx.runs("conv3d.forward", "reference") == 1);
}

}  // namespace comodal::tests
