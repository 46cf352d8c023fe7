// SPDX-License-Identifier: Apache-2.0
// oneDNN's plans for the shapes of the default networks, and what the fallback policies do.
#define BOOST_TEST_MODULE engine_onednn
#include <boost/test/unit_test.hpp>

#include <comodal/ops/conv3d.hpp>

#include <core/support.hpp>

#include <vector>

namespace comodal::tests {

using backend = kokkos_backend<default_space, float>;

#if defined(COMODAL_ENABLE_ONEDNN)

const conv3d_direction directions[] = {conv3d_direction::forward, conv3d_direction::backward_data,
                                       conv3d_direction::backward_weights};

struct layer {
  index in, out;
  extent3 size;
};

// Convolutions of a modality encoder, a fused decoder and their deepest stages: patches of 32 x 48 x 48 halved four
// times.
const std::vector<layer> layers{{1, 8, {32, 48, 48}},   {8, 8, {32, 48, 48}},   {8, 16, {32, 48, 48}},
                                {16, 16, {32, 48, 48}}, {32, 16, {32, 48, 48}}, {32, 32, {16, 24, 24}},
                                {64, 32, {16, 24, 24}}, {64, 64, {8, 12, 12}},  {128, 64, {8, 12, 12}},
                                {128, 128, {4, 6, 6}},  {16, 16, {4, 6, 6}},    {64, 64, {2, 3, 3}}};

BOOST_AUTO_TEST_CASE(no_plan_for_a_layer_of_the_network_is_reference_code) {
  // A processor without AVX2 may leave layers to the portable engine.
  const bool vectorised = static_cast<int>(dnnl::get_effective_cpu_isa()) > static_cast<int>(dnnl::cpu_isa::avx);
  context<backend> ctx;
  ctx.engines = engine_choice::vendor;
  int vendor = 0, all = 0;
  for (const auto& [in, out, size] : layers)
    for (const index batch : {1, 2})
      for (const index stride : {1, 2})
        for (const conv3d_direction d : directions) {
          const conv3d_problem p{batch, size, in, out, {3, 3, 3}, {stride, stride, stride}};
          const conv3d_plan plan = plan_conv3d(ctx, p, d);
          BOOST_TEST_CONTEXT(name_of(d) << " " << in << " -> " << out << " of " << p.input_shape().to_string()
                                        << " stride " << stride << ": " << plan.engine << " " << plan.implementation
                                        << " " << plan.reason) {
            BOOST_TEST(plan.available);
            BOOST_TEST((plan.implementation.find("ref") == std::string::npos));
            if (vectorised) BOOST_TEST((plan.engine == "onednn"));
            if (plan.engine == "onednn") BOOST_TEST(!plan.implementation.empty());
            vendor += plan.engine == "onednn";
            ++all;
          }
        }
  BOOST_TEST_MESSAGE("oneDNN has plans for " << vendor << " of " << all << " layers and directions");
}

using narrow = kokkos_backend<default_space, bfloat16>;

BOOST_AUTO_TEST_CASE(bfloat16_goes_to_our_tiles_or_to_the_vendor_where_the_processor_multiplies_it) {
  context<narrow> ctx;
  int hardware = 0, plans = 0, all = 0;
  for (const auto& [in, out, size] : layers)
    for (const conv3d_direction d : directions) {
      const conv3d_problem p{1, size, in, out, {3, 3, 3}};
      ctx.engines = engine_choice::vendor;
      const conv3d_plan asked = plan_conv3d(ctx, p, d);
      ctx.engines = engine_choice::fastest;
      const conv3d_plan chosen = plan_conv3d(ctx, p, d);
      const bool fast = asked.implementation.find("avx512_core_bf16") != std::string::npos ||
                        asked.implementation.find("amx") != std::string::npos;
      BOOST_TEST_CONTEXT(name_of(d) << " " << in << " -> " << out << ": " << asked.engine << " " << asked.implementation
                                    << " " << asked.reason) {
        const bool tiles = detail::amx_available();
        BOOST_TEST((chosen.engine == (fast && !tiles ? "onednn" : "portable")));
        BOOST_TEST((chosen.implementation == "amx") == tiles);
        BOOST_TEST((asked.implementation.find("ref") == std::string::npos));
        BOOST_TEST((asked.engine == "onednn") == asked.reason.empty());
      }
      hardware += fast;
      plans += asked.engine == "onednn";
      ++all;
    }
  BOOST_TEST_MESSAGE("oneDNN has plans in bfloat16 for " << plans << " of " << all
                                                         << " layers and directions, in hardware for " << hardware);
}

// Whoever runs them: the vendor where it can, else our own.
BOOST_AUTO_TEST_CASE(convolutions_of_bfloat16_are_those_of_float_rounded_once) {
  context<narrow> ctx;
  context<backend> wide;
  ctx.engines = engine_choice::vendor;
  wide.engines = engine_choice::vendor;
  for (const index stride : {1, 2}) {
    const conv3d_problem p{2, {6, 8, 12}, 16, 32, {3, 3, 3}, {stride, stride, stride}};
    const auto both = [&](const shape& s, std::uint32_t key) {
      auto small = ctx.make(s, converted<bfloat16>(values(s.size(), key)));
      return std::pair{small, wide.make(s, converted<float>(to_host(ctx.space(), small)))};
    };
    const auto [x, fx] = both(p.input_shape(), 1);
    const auto [w, fw] = both(p.weight_shape(), 2);
    const auto [dy, fdy] = both(p.output_shape(), 3);
    const auto compare = [&](const auto& found, const auto& expected) {
      const double off = difference(to_host(ctx.space(), found), to_host(wide.space(), expected));
      BOOST_TEST(off <= 0x1p-8);
      BOOST_TEST(off > 1e-5);
    };
    compare(ops::conv3d(ctx, x, w, p.stride), ops::conv3d(wide, fx, fw, p.stride));
    compare(ops::conv3d_backward_data(ctx, p, dy, w), ops::conv3d_backward_data(wide, p, fdy, fw));
    compare(ops::conv3d_backward_weights(ctx, p, x, dy), ops::conv3d_backward_weights(wide, p, fx, fdy));
  }
}

// Small and odd convolutions, of which oneDNN 2.6 leaves some to its reference code.
std::vector<std::pair<conv3d_problem, conv3d_direction>> oddities() {
  std::vector<std::pair<conv3d_problem, conv3d_direction>> all;
  for (const index channels : {1, 3, 4, 17})
    for (const extent3& filter : {extent3{1, 1, 1}, extent3{3, 3, 3}, extent3{5, 5, 5}, extent3{7, 1, 5}})
      for (const conv3d_direction d : directions) all.push_back({{1, {10, 13, 14}, channels, 4, filter, {1, 1, 1}}, d});
  return all;
}

BOOST_AUTO_TEST_CASE(a_plan_is_available_unless_it_is_reference_code_and_then_says_so) {
  context<backend> ctx;
  ctx.engines = engine_choice::vendor;
  onednn_conv3d<> engine;
  for (const auto& [p, d] : oddities()) {
    const conv3d_plan& plan = engine.plan(p, d);
    const bool reference = plan.implementation.empty() || plan.implementation.find("ref") != std::string::npos;
    BOOST_TEST(plan.available == !reference, name_of(d)
                                                 << " " << p.weight_shape().to_string() << ": " << plan.implementation);
    BOOST_TEST(plan.available == plan.reason.empty());
    BOOST_TEST((plan_conv3d(ctx, p, d).engine == (plan.available ? "onednn" : "portable")));
    BOOST_TEST(plan_conv3d(ctx, p, d).reason == plan.reason);
  }
}

BOOST_AUTO_TEST_CASE(the_fallback_policy_decides_what_happens_without_a_plan) {
  onednn_conv3d<> engine;
  int refused = 0;
  for (const auto& [p, d] : oddities()) {
    if (engine.plan(p, d).available) continue;
    ++refused;
    context<backend> ctx;
    ctx.engines = engine_choice::vendor;
    auto x = ctx.make(p.input_shape(), converted<float>(values(p.input_shape().size(), 1)));
    auto w = ctx.make(p.weight_shape(), converted<float>(values(p.weight_shape().size(), 2)));
    auto y = ctx.make(p.output_shape(), converted<float>(values(p.output_shape().size(), 3)));
    ops::detail::run_conv3d(ctx, p, d, x.data(), w.data(), y.data());
    BOOST_TEST(ctx.runs(name_of(d), "portable") == 1);
    BOOST_TEST(ctx.runs(name_of(d), "onednn") == 0);
    ctx.fallback = fallback_policy::error;
    BOOST_CHECK_EXCEPTION(
        ops::detail::run_conv3d(ctx, p, d, x.data(), w.data(), y.data()), error,
        says(text("comodal: ", name_of(d), " runs on the portable engine: oneDNN would run its reference code")));
    BOOST_TEST(ctx.runs(name_of(d), "portable") == 1);
  }
  if (refused == 0) BOOST_TEST_MESSAGE("LEFT OUT: this oneDNN has a plan for every convolution that the test knows");
}

BOOST_AUTO_TEST_CASE(the_fastest_engine_is_our_own_where_winograd_serves) {
  context<backend> ctx;
  ctx.fallback = fallback_policy::error;  // a choice is no fallback
  const conv3d_problem wide{2, {8, 8, 8}, 16, 16}, first{1, {8, 8, 8}, 1, 16};
  for (const conv3d_direction d : directions) {
    const conv3d_plan ours = plan_conv3d(ctx, wide, d), theirs = plan_conv3d(ctx, first, d);
    BOOST_TEST((ours.engine == "portable"));
    BOOST_TEST((ours.reason == "our own is faster here"));
    BOOST_TEST((theirs.engine == (onednn_conv3d<>{}.plan(first, d).available ? "onednn" : "portable")));
  }
  ctx.engines = engine_choice::portable;
  BOOST_TEST((plan_conv3d(ctx, first, conv3d_direction::forward).engine == "portable"));
  const auto x = ctx.make(first.input_shape(), converted<float>(values(first.input_shape().size(), 1)));
  const auto w = ctx.make(first.weight_shape(), converted<float>(values(first.weight_shape().size(), 2)));
  (void)ops::conv3d(ctx, x, w);
  BOOST_TEST(ctx.runs("conv3d.forward", "portable") == 1);
  BOOST_TEST(ctx.runs("conv3d.forward", "onednn") == 0);
}

BOOST_AUTO_TEST_CASE(a_plan_is_made_once) {
  onednn_conv3d<> engine;
  const conv3d_problem p{1, {4, 4, 4}, 16, 16, {3, 3, 3}, {1, 1, 1}};
  const conv3d_plan* first = &engine.plan(p, conv3d_direction::forward);
  BOOST_TEST(first == &engine.plan(p, conv3d_direction::forward));
  BOOST_TEST(first != &engine.plan(p, conv3d_direction::backward_data));
}

#else

BOOST_AUTO_TEST_CASE(left_out) {
  BOOST_TEST_MESSAGE("LEFT OUT: this program was compiled without oneDNN; every convolution is portable");
}

BOOST_AUTO_TEST_CASE(without_onednn_every_plan_is_portable) {
  context<backend> ctx;
  ctx.fallback = fallback_policy::error;
  const conv3d_plan plan = plan_conv3d(ctx, {1, {4, 4, 4}, 16, 16, {3, 3, 3}, {1, 1, 1}}, conv3d_direction::forward);
  BOOST_TEST((plan.engine == "portable"));
  BOOST_TEST(plan.available);
  static_assert(!onednn_available_v<backend>);
}

#endif

BOOST_AUTO_TEST_CASE(double_never_asks_for_onednn) {
  using twofold = kokkos_backend<default_space, double>;
  static_assert(!onednn_available_v<twofold>);
  context<twofold> ctx;
  ctx.fallback = fallback_policy::error;
  BOOST_TEST(
      (plan_conv3d(ctx, {1, {4, 4, 4}, 16, 16, {3, 3, 3}, {1, 1, 1}}, conv3d_direction::forward).engine == "portable"));
}

}  // namespace comodal::tests
