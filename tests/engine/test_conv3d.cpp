// SPDX-License-Identifier: Apache-2.0
// Convolutions of every engine against the reference engine, in three directions: usual and odd sizes, strides,
// paddings, dilations, maps side by side, biases and transposed convolutions.
#define BOOST_TEST_MODULE engine_conv3d
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>
#include <comodal/ops/conv3d.hpp>

#include <core/support.hpp>
#include <engine/conv3d_problems.hpp>

#include <cstring>
#include <vector>

namespace comodal::tests {

using oracle = xtensor_backend<double>;
// Engines of devices run in the default space, others on the host.
template <class Engine>
inline constexpr bool runs_on_devices = std::is_same_v<Engine, device_engine> || std::is_same_v<Engine, cudnn_engine>;
template <class T, class... Engines>
using by = kokkos_backend<
    std::conditional_t<(runs_on_devices<Engines> && ...), default_space, Kokkos::DefaultHostExecutionSpace>, T, false,
    engine_list<Engines...>>;

// F(4x4, 3x3) rounds more than direct sums.
constexpr double single_tolerance = 3e-6, winograd_tolerance = 1e-5, double_tolerance = 1e-13;

const direction directions[] = {direction::forward, direction::backward, direction::backward_weights};

struct operands {
  std::vector<double> x, w, y, bias;
  explicit operands(const conv3d_problem& p)
      : x(values(p.input_shape().size(), 1)),
        w(values(p.weight_shape().size(), 2)),
        y(values(p.output_shape().size(), 3)),
        bias(values(std::max(p.in_channels, p.out_channels), 4)) {}
};

// Channels [first, first + count) of a map.
template <class T>
std::vector<T> channels_of(const std::vector<T>& x, index all, index first, index count) {
  std::vector<T> out;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const index c = static_cast<index>(i) % all;
    if (c >= first && c < first + count) out.push_back(x[i]);
  }
  return out;
}

// The result of one direction; gradients of maps side by side one after the other.
template <class Backend>
std::vector<double> computed(context<Backend>& ctx, const conv3d_problem& p, direction d, const operands& o) {
  using T = typename Backend::scalar_type;
  std::vector<tensor_of<Backend>> maps;
  std::vector<bool> wanted;
  index first = 0;
  for (int i = 0; i < p.part_count; ++i) {
    const index channels = p.part_count > 1 ? p.parts[static_cast<std::size_t>(i)] : p.in_channels;
    shape extents = p.input_shape();
    extents.set(4, channels);
    maps.push_back(ctx.make(extents, converted<T>(channels_of(o.x, p.in_channels, first, channels))));
    wanted.push_back(true);
    first += channels;
  }
  const auto w = ctx.make(p.weight_shape(), converted<T>(o.w)), y = ctx.make(p.output_shape(), converted<T>(o.y));
  const auto bias = [&](index channels) {
    auto values = converted<T>(o.bias);
    values.resize(static_cast<std::size_t>(channels));
    return p.has_bias ? ctx.make({channels}, values) : tensor_of<Backend>{};
  };
  const auto host = [&](const auto& t) { return converted<double>(to_host(ctx.space(), t)); };
  if (d == direction::forward) return host(ops::conv3d(ctx, p, maps, w, bias(p.out_channels)));
  if (d == direction::backward_weights) return host(ops::conv3d_backward_weights(ctx, p, maps, y));
  std::vector<double> all;
  for (const auto& dx : ops::conv3d_backward_data(ctx, p, y, w, wanted)) {
    const auto one = host(dx);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}
template <class Backend>
std::vector<double> computed(const conv3d_problem& p, direction d, const operands& o) {
  context<Backend> ctx;
  return computed(ctx, p, d, o);
}

template <class... Engines>
void agree(double tolerance) {
  for (const conv3d_problem& p : problems) {
    const operands o(p);
    for (const direction d : directions) {
      BOOST_TEST_CONTEXT(conv3d_problem::name(d) << " of " << p.to_string()) {
        const auto expected = computed<oracle>(p, d, o);
        BOOST_TEST(difference(computed<by<double, Engines...>>(p, d, o), expected) <= double_tolerance);
        BOOST_TEST(difference(computed<by<float, Engines...>>(p, d, o), expected) <= tolerance);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_host_engine_agrees_with_the_reference_in_both_precisions) {
  agree<host_engine>(winograd_tolerance);
}

BOOST_AUTO_TEST_CASE(the_device_engine_agrees_with_the_reference_in_both_precisions) {
  agree<device_engine>(single_tolerance);
}

// Lanes of a team in another order within each phase, and shared memory that begins as NaN: the same bytes, or a
// barrier is missing.
BOOST_AUTO_TEST_CASE(device_kernels_do_not_rely_on_the_order_of_lanes) {
  const detail::team_trial before = detail::host_teams;
  for (const conv3d_problem& p : problems) {
    const operands o(p);
    for (const direction d : directions) BOOST_TEST_CONTEXT(conv3d_problem::name(d) << " of " << p.to_string()) {
        const auto expected = computed<by<float, device_engine>>(p, d, o);
        detail::host_teams = {static_cast<std::uint64_t>(17 + p.in_channels), true};
        const auto found = computed<by<float, device_engine>>(p, d, o);
        detail::host_teams = before;
        BOOST_TEST((found == expected));
      }
  }
}

// More rows than a tile has, columns of several tiles, slabs, classes of voxels behind a stride that are not alike.
BOOST_AUTO_TEST_CASE(the_device_engine_agrees_where_there_are_many_tiles) {
  conv3d_problem turned(1, {5, 7, 9}, 20, 70, {3, 3, 3}, {2, 1, 2});
  turned.layout = filter_layout::out_in;
  for (const conv3d_problem& p :
       std::vector<conv3d_problem>{{2, {11, 10, 13}, 20, 70, {3, 3, 3}, {1, 1, 1}},
                                   {1, {17, 9, 14}, 33, 20, {3, 3, 3}, {2, 2, 2}},
                                   {1, {13, 12, 11}, 3, 40, {5, 3, 2}, {3, 2, 1}},
                                   turned,
                                   conv3d_problem::transposed(2, {5, 6, 7}, 40, 20, {2, 2, 2})})
    for (const direction d : directions) BOOST_TEST_CONTEXT(conv3d_problem::name(d) << " of " << p.to_string()) {
        const operands o(p);
        const auto expected = computed<oracle>(p, d, o);
        BOOST_TEST(difference(computed<by<double, device_engine>>(p, d, o), expected) <= double_tolerance);
        BOOST_TEST(difference(computed<by<float, device_engine>>(p, d, o), expected) <= single_tolerance);
      }
}

// The oracle itself, where it stands alone: groups of channels are convolutions of their own, an activation is a
// function of the result.
BOOST_AUTO_TEST_CASE(the_reference_engine_knows_groups_and_activations) {
  conv3d_problem p(1, {4, 5, 6}, 6, 4, {3, 3, 3});
  p.groups = 2;
  const operands o(p);
  conv3d_problem half(1, {4, 5, 6}, 3, 2, {3, 3, 3});
  const auto group = [&](index g, direction d) {
    operands own(half);
    own.x = channels_of(o.x, 6, 3 * g, 3);
    own.y = channels_of(o.y, 4, 2 * g, 2);
    own.w = channels_of(o.w, 4, 2 * g, 2);
    return computed<oracle>(half, d, own);
  };
  for (const direction d : directions) {
    const auto all = computed<oracle>(p, d, o);
    const index width = d == direction::backward ? 6 : 4;
    for (const index g : {0, 1})
      BOOST_TEST(difference(channels_of(all, width, width / 2 * g, width / 2), group(g, d)) <= double_tolerance);
  }
  conv3d_problem active(1, {4, 5, 6}, 3, 2, {3, 3, 3});
  auto expected = computed<oracle>(active, direction::forward, operands(active));
  for (double& v : expected) v = v > 0 ? v : 0.25 * v;
  active.slope = 0.25;
  BOOST_TEST(difference(computed<oracle>(active, direction::forward, operands(active)), expected) <= double_tolerance);
}

BOOST_AUTO_TEST_CASE(a_problem_that_no_engine_carries_out_is_refused_with_what_each_said) {
  context<by<float, host_engine, device_engine>> ctx;
  conv3d_problem p(1, {4, 5, 6}, 6, 4, {3, 3, 3});
  p.groups = 2;
  BOOST_CHECK_EXCEPTION(
      (void)engine_facts(ctx, p, direction::forward), config_error,
      says("no engine of this back end carries out 1 x 4x5x6 x 6 -> 4, filter 3x3x3, stride 1x1x1, 2 "
           "groups; host: our host kernels convolve no groups of channels; device: our device kernels"));
}

#if defined(COMODAL_ENABLE_CUDNN)
// On a card alone: nothing else runs cuDNN's plans.
template <class T>
void cudnn_agrees(bool tf32, double tolerance) {
  context<by<T, cudnn_engine>> ctx;
  ctx.allow_tf32(tf32);
  for (const conv3d_problem& p : problems)
    for (const direction d : directions) BOOST_TEST_CONTEXT(conv3d_problem::name(d) << " of " << p.to_string()) {
        const operands o(p);
        BOOST_TEST(difference(computed(ctx, p, d, o), computed<oracle>(p, d, o)) <= tolerance);
      }
}
BOOST_AUTO_TEST_CASE(cudnn_agrees_with_the_reference_in_its_precisions) {
  cudnn_agrees<float>(false, winograd_tolerance);
  cudnn_agrees<float>(true, 2e-3);
  cudnn_agrees<bfloat16>(false, 2e-2);
}
#endif

#if defined(COMODAL_ENABLE_ONEDNN)
BOOST_AUTO_TEST_CASE(onednn_agrees_with_the_reference) {
  using backend = by<float, host_engine, onednn_engine>;
  context<backend> ctx;
  ctx.fallback = fallback_policy::allow;
  ctx.choose_engine("onednn");
  index compared = 0;
  for (const conv3d_problem& p : problems) {
    const operands o(p);
    for (const direction d : directions) {
      BOOST_TEST_CONTEXT(conv3d_problem::name(d) << " of " << p.to_string()) {
        if (engine_facts(ctx, p, d).engine != "onednn") continue;
        BOOST_TEST(difference(computed(ctx, p, d, o), computed<oracle>(p, d, o)) <= single_tolerance);
        ++compared;
      }
    }
  }
  BOOST_TEST_MESSAGE(compared << " of " << 3 * problems.size() << " convolutions ran on oneDNN");
  BOOST_TEST(compared >= 12);
  index counted = 0;
  for (const direction d : directions) counted += ctx.runs(conv3d_problem::name(d), "onednn");
  BOOST_TEST(counted == compared);
}
#endif

BOOST_AUTO_TEST_CASE(the_reference_engine_is_counted_under_its_own_name) {
  context<oracle> ctx;
  const auto x = ctx.make({1, 2, 2, 2, 1}, values(8, 1)), w = ctx.make({1, 1, 1, 1, 1}, {2.0});
  const auto y = ops::conv3d(ctx, x, w);
  for (std::size_t i = 0; i < 8; ++i) BOOST_TEST(to_host(ctx.space(), y)[i] == 2 * values(8, 1)[i]);
  BOOST_TEST(ctx.runs("conv3d.forward", "reference") == 1);
}

// Only the maps whose gradient is wanted are written.
BOOST_AUTO_TEST_CASE(gradients_that_nobody_wants_are_not_made) {
  const conv3d_problem p = in_parts({1, {3, 4, 5}, 5, 4}, {2, 3});
  const operands o(p);
  const auto check = [&]<class Backend>(context<Backend>& ctx) {
    using T = typename Backend::scalar_type;
    const auto w = ctx.make(p.weight_shape(), converted<T>(o.w)), y = ctx.make(p.output_shape(), converted<T>(o.y));
    const auto both = ops::conv3d_backward_data(ctx, p, y, w, {true, true});
    const auto second = ops::conv3d_backward_data(ctx, p, y, w, {false, true});
    BOOST_TEST(!second[0]);
    const auto a = to_host(ctx.space(), both[1]), b = to_host(ctx.space(), second[1]);
    BOOST_TEST((a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0));
  };
  context<by<float, host_engine>> host;
  context<by<float, device_engine>> device;
  context<oracle> reference;
  check(host);
  check(device);
  check(reference);
}

}  // namespace comodal::tests
