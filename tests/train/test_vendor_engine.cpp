// SPDX-License-Identifier: Apache-2.0
// A vendor's library as an engine that is added from outside of comodal: agreement with the reference, facts, workspace
// from the pool, refusals that are fallbacks, errors of the vendor, and a training step.
#define BOOST_TEST_MODULE train_vendor_engine
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/convolution.hpp>
#include <comodal/core/recording.hpp>
#include <comodal/engine/reference.hpp>
#include <comodal/ssl/method_registry.hpp>

#include <autograd/support.hpp>
#include <ssl/support.hpp>
#include <train/acme/acme.hpp>

namespace comodal::tests {

template <class T, bool Mixed = false>
using with_acme = kokkos_backend<default_space, T, Mixed, prepend_engine<acme_engine, default_engines<default_space>>>;
using backend = with_acme<float>;
using narrow = with_acme<bfloat16>;

// Every test leaves the vendor's library as it found it.
struct nothing_left {
  ~nothing_left() {
    BOOST_TEST(acme_now.plans == 0);
    BOOST_TEST(acme_now.handles == 0);
    BOOST_TEST(acme_now.misuses == 0);
  }
};

std::vector<operand> operands_of(const shape& x) { return {{x, -2, 3}, {{x[-1]}, 0.5, 1.5}, {{x[-1]}}}; }
auto normalised(double slope) {
  return [slope](const auto& v) { return instance_norm(v[0], v[1], v[2], slope); };
}

// Values and gradients of a context whose normalisations are acme's, or an error says so.
template <class Backend>
auto by_acme(const std::vector<operand>& operands, double slope) {
  context<Backend> ctx;
  ctx.fallback = fallback_policy::error;
  auto results = evaluate(ctx, operands, normalised(slope));
  BOOST_TEST(ctx.runs("norm_act.forward", "acme") == 1);
  BOOST_TEST(ctx.runs("norm_act.backward", "acme") == 1);
  return results;
}

BOOST_FIXTURE_TEST_CASE(acme_agrees_with_the_reference, nothing_left) {
  for (const index channels : {4, 8, 20})
    for (const double slope : {0.0, 0.01, 1.0}) {
      const auto operands = operands_of({2, 3, 4, 5, channels});
      const auto expected = evaluate<xtensor_backend<double>>(operands, normalised(slope));
      const auto found = by_acme<backend>(operands, slope);
      for (std::size_t i = 0; i < expected.size(); ++i)
        BOOST_TEST(difference(found[i], expected[i]) <= 3e-6, channels << " channels, slope " << slope << ", " << i);
    }
}

// Where a rounded input turns the sign before the activation, the gradient is another one: compared without.
BOOST_FIXTURE_TEST_CASE(acme_agrees_with_the_host_in_bfloat16, nothing_left) {
  const auto operands = operands_of({2, 3, 4, 5, 8});
  context<narrow> host;
  host.choose_engine("host");
  const auto expected = evaluate(host, operands, normalised(1)), found = by_acme<narrow>(operands, 1);
  BOOST_TEST(host.runs("norm_act.forward", "acme") == 0);
  for (std::size_t i = 0; i < expected.size(); ++i) BOOST_TEST(difference(found[i], expected[i]) <= 0x1p-7, i);
}

BOOST_FIXTURE_TEST_CASE(double_is_not_expected_of_acme, nothing_left) {
  context<with_acme<double>> ctx;
  ctx.fallback = fallback_policy::error;
  BOOST_TEST(engine_facts(ctx, norm_act_problem{1, 8, 8}, direction::forward).engine == "host");
}

BOOST_FIXTURE_TEST_CASE(a_plan_says_what_it_does, nothing_left) {
  context<backend> wide;
  const norm_act_problem p{2, 60, 12};
  const plan_facts& facts = engine_facts(wide, p, direction::backward);
  BOOST_TEST(facts.engine == "acme");
  BOOST_TEST(facts.algorithm == "two passes");
  BOOST_TEST(facts.implementation == "acme_norm_x4");
  BOOST_TEST(facts.workspace == 192u);  // two doubles per channel
  context<narrow> small;
  BOOST_TEST(engine_facts(small, p, direction::backward).workspace == 384u);  // and four floats

  BOOST_TEST_REQUIRE(wide.planned().size() == 1u);
  BOOST_TEST(wide.planned()[0].problem == "2 x 60 x 12, eps 1e-05, slope 0.01");
  const std::string table = plan_table(wide.planned());
  BOOST_TEST(table.find("norm_act.backward  float  acme    two passes, acme_norm_x4  1") != std::string::npos, table);
}

BOOST_FIXTURE_TEST_CASE(workspace_comes_from_the_pool, nothing_left) {
  context<backend> ctx;
  const auto operands = operands_of({2, 8, 8, 8, 8});
  (void)evaluate(ctx, operands, normalised(0.01));
  const auto before = ctx.pool().statistics();
  (void)evaluate(ctx, operands, normalised(0.01));
  BOOST_TEST(ctx.pool().statistics().allocations == before.allocations);
  BOOST_TEST(ctx.pool().statistics().in_use == before.in_use);
  BOOST_TEST(ctx.planned().size() >= 2u);
}

struct refusal {
  norm_act_problem problem;
  std::string why;
};
const std::vector<refusal> refusals{
    {{1, 8, 6}, "it would run its reference code (acme_norm_ref)"},
    {{1, 8, 8, 1e-5, 0.01, true}, "it does not normalise in place"},
    {{1, 8, 8, 1e-5, 2}, "it has slopes from 0 to 1, not 2"},
    {{1, index{1} << 28, 8}, "it has no plan (not supported)"},
};

BOOST_FIXTURE_TEST_CASE(a_refusal_is_a_fallback, nothing_left) {
  for (const auto& [p, why] : refusals) {
    const std::string line =
        text("comodal: norm_act.forward runs on the host engine: acme: ", why, " (", p.to_string(), ')');
    context<backend> ctx;
    std::vector<std::string> heard;
    ctx.warn_by([&](const std::string& words) { heard.push_back(words); });
    for (int times = 0; times < 2; ++times) BOOST_TEST(engine_facts(ctx, p, direction::forward).engine == "host");
    BOOST_TEST(heard == std::vector{line}, boost::test_tools::per_element());
    ctx.choose_engine("host");  // who asks for another engine expects none
    ctx.fallback = fallback_policy::error;
    BOOST_TEST(engine_facts(ctx, p, direction::forward).engine == "host");

    context<backend> strict;
    strict.fallback = fallback_policy::error;
    BOOST_CHECK_EXCEPTION((void)engine_facts(strict, p, direction::forward), error, says(line));
    context<backend> quiet;
    quiet.warn_by([&](const std::string& words) { BOOST_ERROR(words); });
    quiet.fallback = fallback_policy::allow;
    BOOST_TEST(engine_facts(quiet, p, direction::forward).engine == "host");
  }
}

// The engine that carries the operation out instead gives the same values.
BOOST_FIXTURE_TEST_CASE(what_acme_refuses_is_computed_all_the_same, nothing_left) {
  const auto operands = operands_of({2, 3, 4, 5, 3});
  context<backend> ctx;
  ctx.fallback = fallback_policy::allow;
  const auto expected = evaluate<xtensor_backend<double>>(operands, normalised(0.01));
  const auto found = evaluate(ctx, operands, normalised(0.01));
  BOOST_TEST(ctx.runs("norm_act.forward", "host") == 1);
  for (std::size_t i = 0; i < expected.size(); ++i) BOOST_TEST(difference(found[i], expected[i]) <= 3e-6);
}

BOOST_FIXTURE_TEST_CASE(an_error_of_the_vendor_names_the_operation, nothing_left) {
  context<backend> ctx;
  acme_now.fails = true;
  BOOST_CHECK_EXCEPTION((void)evaluate(ctx, operands_of({1, 2, 2, 2, 8}), normalised(0.01)), device_error,
                        says("norm_act.forward of 1 x 8 x 8, eps 1e-05, slope 0.01: acme failed: acme_norm_forward: "
                             "execution failed"));
  acme_now.fails = false;
}

BOOST_FIXTURE_TEST_CASE(a_recording_replays_the_plan, nothing_left) {
  context<backend> ctx;
  const shape size{1, 2, 2, 2, 8};
  const auto numbers = converted<float>(values(size.size(), 1));
  const auto x = ctx.make(size, numbers), one = ctx.make({8}, std::vector<float>(8, 1.f));
  const auto p = ops::norm_act_problem_of(size, one.shape(), one.shape(), 1, 1e-5);
  const auto first = to_host(ctx.space(), ops::norm_act(ctx, p, x, one, one).y);
  ops::norm_act_result<backend> out;
  step_recording<backend> recording(ctx, [&] { out = ops::norm_act(ctx, p, x, one, one); });
  copy_from_host(ctx.space(), std::vector<float>(numbers.size(), 0.f), out.y);
  BOOST_TEST(ctx.runs("norm_act.forward", "acme") == 2);
  recording.replay();
  BOOST_TEST(to_host(ctx.space(), out.y) == first, boost::test_tools::per_element());
}

network_options network_of_eights(const std::string& precision) {
  network_options o = tiny_network();
  o.stream_channels = {8, 8};
  o.fused_channels = {8, 16};
  o.precision = precision;
  return o;
}

struct outcome {
  double loss = 0;
  index forward = 0, backward = 0, others = 0;
  std::vector<std::string> warnings;
};
template <class Backend>
outcome one_step(const std::string& precision) {
  method_bench<Backend> bench;
  outcome out;
  bench.ctx.warn_by([&](const std::string& line) { out.warnings.push_back(line); });
  auto method = bench.make(method_bench<Backend>::named("mean_teacher"), 1, network_of_eights(precision));
  out.loss = method_bench<Backend>::step(method, tiny_batch(1, true)).at("loss");
  for (const auto& [what, number] : bench.ctx.runs()) {
    if (!what.first.starts_with("norm_act")) continue;
    (what.second != "acme" ? out.others : what.first == "norm_act.forward" ? out.forward : out.backward) += number;
  }
  return out;
}

// What is recorded is acme's. The teacher records nothing and normalises in place, which acme refuses: one line, not
// one per size of a map.
BOOST_FIXTURE_TEST_CASE(acme_takes_part_in_a_training_step, nothing_left) {
  for (const std::string precision : {"fp32", "bf16"}) {
    BOOST_TEST_CONTEXT(precision) {
      const outcome usual = one_step<mixed_backend>(precision), found = one_step<with_acme<float, true>>(precision);
      BOOST_TEST(usual.forward + usual.backward == 0);
      BOOST_TEST(usual.warnings.empty());
      BOOST_TEST(found.backward > 0);
      BOOST_TEST(found.forward >= found.backward);
      BOOST_TEST(found.others > 0);
      BOOST_TEST(found.forward + found.backward + found.others == usual.others);
      BOOST_TEST(found.warnings.size() == 1u);
      for (const auto& line : found.warnings)
        BOOST_TEST(line.starts_with("comodal: norm_act.forward runs on the host engine: acme: it does not normalise in "
                                    "place ("),
                   line);
      BOOST_TEST_MESSAGE(found.forward << " forward, " << found.backward << " backward, " << found.others
                                       << " by others, " << found.warnings.size() << " warnings");
      BOOST_TEST(std::fabs(found.loss - usual.loss) <= (precision == "fp32" ? 1e-5 : 2e-2) * std::fabs(usual.loss));
    }
  }
}

}  // namespace comodal::tests
