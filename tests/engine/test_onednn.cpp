// SPDX-License-Identifier: Apache-2.0
// oneDNN's plans for the shapes of the default networks, and what the fallback policies do.
#define BOOST_TEST_MODULE engine_onednn
#include <boost/test/unit_test.hpp>

#include <comodal/ops/conv3d.hpp>

#include <core/support.hpp>
#include <skip.hpp>

#include <vector>

namespace comodal::tests {

using backend = kokkos_backend<default_space, float>;

#if defined(COMODAL_ENABLE_ONEDNN)

const direction directions[] = {direction::forward, direction::backward, direction::backward_weights};

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
  // A processor without AVX2 may leave layers to the host engine.
  const bool vectorised = processor::this_machine().avx2;
  context<backend> ctx;
  ctx.fallback = vectorised ? fallback_policy::error : fallback_policy::allow;
  ctx.choose_engine("onednn");
  int vendor = 0, all = 0;
  for (const auto& [in, out, size] : layers)
    for (const index stride : {1, 2})
      for (const index batch : {1, 2})
        for (const direction d : directions) {
          const conv3d_problem p{batch, size, in, out, {3, 3, 3}, {stride, stride, stride}};
          const plan_facts& facts = engine_facts(ctx, p, d);
          BOOST_TEST_CONTEXT(conv3d_problem::name(d) << " of " << p.to_string() << ": " << facts.implementation) {
            BOOST_TEST((facts.implementation.find("ref") == std::string::npos));
            if (vectorised) BOOST_TEST((facts.engine == "onednn"));
            if (facts.engine == "onednn") BOOST_TEST(!facts.implementation.empty());
            if (facts.engine == "onednn") BOOST_TEST((facts.deterministic && facts.thread_invariant));
          }
          vendor += facts.engine == "onednn";
          ++all;
        }
  BOOST_TEST_MESSAGE("oneDNN has plans for " << vendor << " of " << all << " layers and directions");
}

using narrow = kokkos_backend<default_space, bfloat16>;

// What oneDNN does in hardware here is what the processor says of itself.
BOOST_AUTO_TEST_CASE(bfloat16_runs_in_hardware_where_the_processor_multiplies_it) {
  context<narrow> ctx;
  ctx.fallback = fallback_policy::allow;
  ctx.choose_engine("onednn");
  int hardware = 0, plans = 0;
  for (const auto& [in, out, size] : layers)
    for (const direction d : directions) {
      const plan_facts& facts = engine_facts(ctx, conv3d_problem(1, size, in, out), d);
      if (facts.engine != "onednn") continue;
      ++plans;
      hardware += facts.implementation.find("avx512_core_bf16") != std::string::npos ||
                  facts.implementation.find("amx") != std::string::npos;
    }
  BOOST_TEST_MESSAGE("oneDNN has " << plans << " plans in bfloat16, " << hardware << " of them in hardware");
  if (!processor::this_machine().multiplies_bfloat16()) BOOST_TEST(hardware == 0);
  if (processor::this_machine().multiplies_bfloat16()) BOOST_TEST(hardware == plans);
}

// Whoever runs them: the vendor where it can, else our own.
BOOST_AUTO_TEST_CASE(convolutions_of_bfloat16_are_those_of_float_rounded_once) {
  context<narrow> ctx;
  context<backend> wide;
  ctx.choose_engine("onednn");
  wide.choose_engine("onednn");
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
std::vector<std::pair<conv3d_problem, direction>> oddities() {
  std::vector<std::pair<conv3d_problem, direction>> all;
  for (const index channels : {1, 3, 4, 17})
    for (const extent3& filter : {extent3{1, 1, 1}, extent3{3, 3, 3}, extent3{5, 5, 5}, extent3{7, 1, 5}})
      for (const direction d : directions) all.push_back({{1, {10, 13, 14}, channels, 4, filter, {1, 1, 1}}, d});
  return all;
}

BOOST_AUTO_TEST_CASE(a_vendors_reference_code_is_a_fallback) {
  int refused = 0;
  for (const auto& [p, d] : oddities()) {
    context<backend> ctx;
    const engine_detail::onednn_planner<float> planner;
    const auto plan = planner.make(p, d);
    BOOST_TEST_CONTEXT(conv3d_problem::name(d) << " of " << p.to_string() << ": " << plan.facts.implementation) {
      const bool reference =
          plan.facts.implementation.empty() || plan.facts.implementation.find("ref") != std::string::npos;
      BOOST_TEST(plan.why.empty() == !reference);
      ctx.choose_engine("onednn");
      ctx.fallback = fallback_policy::allow;
      BOOST_TEST((engine_facts(ctx, p, d).engine == (reference ? "host" : "onednn")));
      if (!reference) continue;
      ++refused;
      context<backend> strict;
      strict.choose_engine("onednn");
      strict.fallback = fallback_policy::error;
      BOOST_CHECK_EXCEPTION((void)engine_facts(strict, p, d), error,
                            says(text("comodal: ", conv3d_problem::name(d),
                                      " runs on the host engine: onednn: oneDNN would run its reference code")));
    }
  }
  BOOST_TEST_MESSAGE("oneDNN leaves " << refused << " of " << oddities().size() << " oddities to its reference code");
}

BOOST_AUTO_TEST_CASE(the_engine_of_choice_is_our_own_where_winograd_serves) {
  context<backend> ctx;
  ctx.fallback = fallback_policy::error;  // a choice is no fallback
  const conv3d_problem wide{2, {8, 8, 8}, 16, 16}, first{1, {8, 8, 8}, 1, 16};
  const engine_detail::onednn_planner<float> planner;
  for (const direction d : directions) {
    BOOST_TEST((engine_facts(ctx, wide, d).engine == "host"));
    BOOST_TEST((engine_facts(ctx, wide, d).algorithm == "F(4x4, 3x3)"));
    BOOST_TEST((engine_facts(ctx, first, d).engine == (planner.make(first, d).why.empty() ? "onednn" : "host")));
  }
  ctx.choose_engine("host");
  const auto x = ctx.make(first.input_shape(), converted<float>(values(first.input_shape().size(), 1)));
  const auto w = ctx.make(first.weight_shape(), converted<float>(values(first.weight_shape().size(), 2)));
  (void)ops::conv3d(ctx, x, w);
  BOOST_TEST(ctx.runs("conv3d.forward", "host") == 1);
  BOOST_TEST(ctx.runs("conv3d.forward", "onednn") == 0);
}

#else

BOOST_AUTO_TEST_CASE(left_out) { skip("this program was compiled without oneDNN; every convolution is ours"); }

BOOST_AUTO_TEST_CASE(without_onednn_every_plan_is_ours) {
  context<backend> ctx;
  ctx.fallback = fallback_policy::error;
  BOOST_TEST((engine_facts(ctx, conv3d_problem(1, {4, 4, 4}, 16, 16), direction::forward).engine == "host"));
}

#endif

BOOST_AUTO_TEST_CASE(double_never_runs_on_onednn) {
  context<kokkos_backend<default_space, double>> ctx;
  ctx.fallback = fallback_policy::error;
  BOOST_TEST((engine_facts(ctx, conv3d_problem(1, {4, 4, 4}, 1, 16), direction::forward).engine == "host"));
}

}  // namespace comodal::tests
