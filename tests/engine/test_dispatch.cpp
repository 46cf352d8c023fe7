// SPDX-License-Identifier: Apache-2.0
// How an operation finds its engine: order, preference, what is asked for, fallbacks, and what is counted.
#define BOOST_TEST_MODULE engine_dispatch
#include <boost/test/unit_test.hpp>

#include <comodal/core/recording.hpp>
#include <comodal/ops/ops.hpp>

#include <core/support.hpp>
#include <skip.hpp>

#include <cmath>

namespace comodal::tests {

// Two engines for matrix products that answer what the test wants and do nothing.
struct answers {
  bool first_supports = true, second_supports = true, first_prefers = false, second_prefers = false;
  int first_asked = 0, second_asked = 0, planned = 0;
};
answers now;

struct first_engine {
  static constexpr const char* name = "first";
  using serves = problem_list<matmul_problem>;
};
struct second_engine {
  static constexpr const char* name = "second";
  using serves = problem_list<matmul_problem, fill_problem>;
};
// Is expected to fill, wants to plan before it says whether it can, and fails when it runs.
struct vendor_engine {
  static constexpr const char* name = "vendor";
  using serves = problem_list<fill_problem>;
  static std::string version() { return "1.2"; }
};

}  // namespace comodal::tests

namespace comodal::inline COMODAL_CONFIG {

template <class Backend>
struct engine_op<tests::first_engine, matmul_problem, Backend> {
  using plan_type = simple_plan;
  static support supports(context<Backend>&, const matmul_problem&, direction) {
    ++tests::now.first_asked;
    return tests::now.first_supports ? support::yes() : support::no("it is tired");
  }
  static bool prefers(context<Backend>&, const matmul_problem&, direction) { return tests::now.first_prefers; }
  static simple_plan make_plan(context<Backend>&, const matmul_problem&, direction) {
    ++tests::now.planned;
    simple_plan plan;
    plan.facts.algorithm = "nothing";
    plan.facts.workspace = 64;
    return plan;
  }
  static void run(context<Backend>&, const simple_plan& plan, const matmul_problem&, direction,
                  const matmul_problem::arguments<typename Backend::scalar_type>&) {
    BOOST_TEST(plan.facts.algorithm == "nothing");
  }
};
template <class Backend>
struct engine_op<tests::second_engine, matmul_problem, Backend> {
  using plan_type = simple_plan;
  static support supports(context<Backend>&, const matmul_problem&, direction) {
    ++tests::now.second_asked;
    return tests::now.second_supports ? support::yes() : support::no("it is busy");
  }
  static bool prefers(context<Backend>&, const matmul_problem&, direction) { return tests::now.second_prefers; }
  static simple_plan make_plan(context<Backend>&, const matmul_problem&, direction) { return {}; }
  static void run(context<Backend>&, const simple_plan&, const matmul_problem&, direction,
                  const matmul_problem::arguments<typename Backend::scalar_type>&) {}
};
template <class Backend>
struct engine_op<tests::second_engine, fill_problem, Backend> : ready_op<tests::second_engine, fill_problem, Backend> {
  static void run(context<Backend>&, const simple_plan&, const fill_problem&, direction,
                  const fill_problem::arguments<typename Backend::scalar_type>&) {}
};

template <class Backend>
  requires lists_engine_v<tests::vendor_engine, typename Backend::engines_type> ||
           std::same_as<typename Backend::engines_type, engine_list<tests::second_engine>>
struct expected_engine<Backend, fill_problem> {
  using type = tests::vendor_engine;
};
template <class Backend>
struct engine_op<tests::vendor_engine, fill_problem, Backend> {
  using plan_type = simple_plan;
  static bool prefers(context<Backend>&, const fill_problem&, direction) { return true; }
  static plan_attempt<simple_plan> try_plan(context<Backend>&, const fill_problem& p, direction) {
    ++tests::now.planned;
    if (p.count % 2 == 1) return plan_attempt<simple_plan>::refused("it fills even numbers only");
    simple_plan plan;
    plan.facts.algorithm = "slow";
    return plan;
  }
  static void run(context<Backend>&, const simple_plan&, const fill_problem&, direction,
                  const fill_problem::arguments<typename Backend::scalar_type>&) {
    throw device_error("vendor failed: no reason given");
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

namespace comodal::tests {

template <class... Engines>
using by = kokkos_backend<default_space, float, false, engine_list<Engines...>>;
using both = by<first_engine, second_engine>;

struct fresh {
  fresh() { now = {}; }
  context<both> ctx;
  matmul_problem p{1, 2, 3, 4};
  [[nodiscard]] std::string_view taken() { return engine_facts(ctx, p, direction::forward).engine; }
};

BOOST_FIXTURE_TEST_CASE(the_first_that_supports_and_prefers_is_taken, fresh) {
  now.second_prefers = true;
  BOOST_TEST(taken() == "second");
  BOOST_TEST(now.first_asked == 0);  // an engine that does not prefer a problem is not asked for a plan
}
BOOST_FIXTURE_TEST_CASE(the_order_decides_where_both_prefer, fresh) {
  now.first_prefers = now.second_prefers = true;
  BOOST_TEST(taken() == "first");
}
BOOST_FIXTURE_TEST_CASE(without_a_preference_the_first_that_supports_is_taken, fresh) {
  BOOST_TEST(taken() == "first");
}
BOOST_FIXTURE_TEST_CASE(preference_without_support_is_nothing, fresh) {
  now.first_prefers = true;
  now.first_supports = false;
  BOOST_TEST(taken() == "second");
}
BOOST_FIXTURE_TEST_CASE(the_engine_that_is_asked_for_comes_first, fresh) {
  now.first_prefers = true;
  ctx.choose_engine("second");
  BOOST_TEST(taken() == "second");
  ctx.choose_engine("");
  BOOST_TEST(taken() == "first");
}
BOOST_FIXTURE_TEST_CASE(an_engine_that_the_back_end_lacks_is_refused, fresh) {
  ctx.choose_engine("third");
  BOOST_CHECK_EXCEPTION((void)taken(), config_error,
                        says("engine third: this back end has no such engine, expected one of first second"));
}
BOOST_FIXTURE_TEST_CASE(without_any_support_both_reasons_are_said, fresh) {
  now.first_supports = now.second_supports = false;
  BOOST_CHECK_EXCEPTION((void)taken(), config_error,
                        says("matmul: no engine of this back end carries out 1 x (2 x 4) (4 x 3); first: it is tired; "
                             "second: it is busy"));
}
BOOST_FIXTURE_TEST_CASE(an_engine_that_was_asked_for_and_cannot_is_a_fallback, fresh) {
  now.second_supports = false;
  ctx.choose_engine("second");
  ctx.fallback = fallback_policy::error;
  BOOST_CHECK_EXCEPTION((void)taken(), error,
                        says("comodal: matmul runs on the first engine: second: it is busy (1 x (2 x 4) (4 x 3))"));
  ctx.fallback = fallback_policy::allow;
  BOOST_TEST(taken() == "first");
}
BOOST_FIXTURE_TEST_CASE(a_choice_by_preference_is_no_fallback, fresh) {
  now.second_prefers = true;
  ctx.fallback = fallback_policy::error;
  BOOST_TEST(taken() == "second");
}
BOOST_FIXTURE_TEST_CASE(plans_are_made_once_and_recorded, fresh) {
  const auto& facts = engine_facts(ctx, p, direction::forward);
  dispatch(ctx, p, direction::forward, {});
  BOOST_TEST(&facts == &engine_facts(ctx, p, direction::forward));
  BOOST_TEST(now.planned == 1);
  BOOST_TEST(ctx.planned().size() == 1u);
  BOOST_TEST(ctx.planned()[0].operation == "matmul");
  BOOST_TEST(ctx.planned()[0].problem == "1 x (2 x 4) (4 x 3)");
  BOOST_TEST(ctx.planned()[0].facts.workspace == 64u);
  BOOST_TEST(ctx.runs("matmul", "first") == 1);
  (void)engine_facts(ctx, matmul_problem{1, 2, 3, 5}, direction::forward);
  BOOST_TEST(now.planned == 2);
}
BOOST_FIXTURE_TEST_CASE(a_problem_is_checked_before_engines_see_it, fresh) {
  BOOST_CHECK_EXCEPTION((void)engine_facts(ctx, matmul_problem{-1, 2, 3, 4}, direction::forward), shape_error,
                        says("matmul: -1 x (2 x 4) (4 x 3), expected sizes of 0 or more"));
  BOOST_TEST(now.first_asked == 0);
}

// NaN has no order: it must be refused before the cache compares it with what it knows.
BOOST_AUTO_TEST_CASE(an_option_that_is_not_a_number_is_refused_though_a_like_problem_is_known) {
  context<> ctx;
  conv3d_problem p(1, {4, 4, 4}, 4, 4);
  (void)engine_facts(ctx, p, direction::forward);
  p.slope = std::nan("");
  BOOST_CHECK_EXCEPTION((void)engine_facts(ctx, p, direction::forward), shape_error, says("conv3d: slope nan"));
  BOOST_CHECK_EXCEPTION(dispatch(ctx, softmax_problem{3, 2, 1, 2}, direction::forward, {}), shape_error,
                        says("softmax: 3 x 2 x 1, 2 groups"));
}

BOOST_AUTO_TEST_CASE(tensors_that_do_not_fit_their_problem_are_refused) {
  context<> ctx;
  const conv3d_problem p(1, {3, 3, 3}, 4, 2);
  const auto x = ctx.make(p.input_shape()), w = ctx.make(p.weight_shape()), y = ctx.make(p.output_shape());
  const auto refused = [](const std::string& words, const auto& f) {
    BOOST_CHECK_EXCEPTION((void)f(), shape_error, says(words));
  };
  refused("conv3d: 2 maps side by side, the problem has 1", [&] { return ops::conv3d(ctx, p, {x, x}, w); });
  refused("conv3d: map (1, 3, 3, 3, 2), the problem expects (1, 3, 3, 3, 4)",
          [&] { return ops::conv3d(ctx, p, {y}, w); });
  refused("conv3d: weights (1, 3, 3, 3, 4)", [&] { return ops::conv3d(ctx, p, {x}, x); });
  refused("conv3d: bias (1, 3, 3, 3, 4), the problem expects (2)", [&] { return ops::conv3d(ctx, p, {x}, w, x); });
  refused("conv3d: gradient (1, 3, 3, 3, 4)", [&] { return ops::conv3d_backward_data(ctx, p, x, w, {true}); });
  refused("conv3d: 2 maps side by side", [&] { return ops::conv3d_backward_data(ctx, p, y, w, {true, true}); });
  BOOST_TEST(!ops::conv3d_backward_data(ctx, p, y, w, {false})[0]);
  refused("softmax: mask (2, 3) for axis 1 of (4, 2), expected (groups, 2)",
          [&] { return ops::softmax(ctx, ctx.make({4, 2}), 1, ctx.make({2, 3})); });
}

// An operation that needs no plan runs without one, and is counted all the same.
BOOST_FIXTURE_TEST_CASE(ready_operations_skip_the_plans, fresh) {
  dispatch(ctx, fill_problem{3}, direction::forward, {1.f, nullptr});
  BOOST_TEST(ctx.runs("fill", "second") == 1);
  BOOST_TEST(ctx.planned().empty());
}

// That the expected engine cannot is said although the engine that takes its place is ready, wherever it stands.
template <class Backend>
void refused_by_the_expected_engine(const std::string& why) {
  now = {};
  context<Backend> ctx;
  std::vector<std::string> heard;
  ctx.warn_by([&](const std::string& line) { heard.push_back(line); });
  for (const index count : {3, 3, 5}) dispatch(ctx, fill_problem{count}, direction::forward, {1.f, nullptr});
  BOOST_TEST(ctx.runs("fill", "second") == 3);
  BOOST_TEST(heard == std::vector{"comodal: fill runs on the second engine: " + why + " (3)"},
             boost::test_tools::per_element());
  context<Backend> strict;
  strict.fallback = fallback_policy::error;
  BOOST_CHECK_EXCEPTION(dispatch(strict, fill_problem{3}, direction::forward, {1.f, nullptr}), error, says(why));
}
BOOST_AUTO_TEST_CASE(an_expected_engine_that_refuses_is_a_fallback) {
  refused_by_the_expected_engine<by<vendor_engine, second_engine>>("vendor: it fills even numbers only");
  refused_by_the_expected_engine<by<second_engine, vendor_engine>>("vendor: it fills even numbers only");
}
BOOST_AUTO_TEST_CASE(an_expected_engine_that_the_back_end_lacks_is_a_fallback) {
  refused_by_the_expected_engine<by<second_engine>>("vendor is not among the engines of this back end");
}

BOOST_AUTO_TEST_CASE(an_engine_that_plans_to_know_plans_once) {
  now = {};
  context<by<vendor_engine, second_engine>> ctx;
  const auto& facts = engine_facts(ctx, fill_problem{4}, direction::forward);
  BOOST_TEST(facts.engine == "vendor");  // it did not say so itself
  BOOST_TEST(facts.algorithm == "slow");
  BOOST_TEST(!facts.deterministic);  // nobody said it is
  (void)engine_facts(ctx, fill_problem{4}, direction::forward);
  BOOST_TEST(now.planned == 1);
  BOOST_TEST(ctx.planned().at(0).scalar == "float");
  BOOST_TEST(engine_configuration(ctx).starts_with("engines vendor 1.2 second, processor "));
}
BOOST_AUTO_TEST_CASE(an_error_of_the_device_names_the_operation_and_the_problem) {
  context<by<vendor_engine, second_engine>> ctx;
  BOOST_CHECK_EXCEPTION(dispatch(ctx, fill_problem{4}, direction::forward, {1.f, nullptr}), device_error,
                        says("fill of 4: vendor failed: no reason given"));
  BOOST_CHECK_EXCEPTION((step_recording<by<vendor_engine, second_engine>>(
                            ctx, [&] { dispatch(ctx, fill_problem{6}, direction::forward, {1.f, nullptr}); })),
                        device_error, says("fill of 6: vendor failed"));
}

// Which of our engines convolves what, as on other processors.
struct choices {
  processor plain, avx2{true}, avx512{true, true}, zen4{true, true, true}, sapphire{true, true, true, true};
  template <class Backend>
  std::string_view on(const processor& machine, const conv3d_problem& p, direction d) {
    context<Backend> ctx;
    ctx.fallback = fallback_policy::error;
    ctx.assume_processor(machine);
    return engine_facts(ctx, p, d).engine;
  }
};
const conv3d_problem same{2, {8, 8, 8}, 16, 16}, strided{2, {8, 8, 8}, 16, 16, {3, 3, 3}, {2, 2, 2}},
    wide{1, {4, 4, 4}, 64, 64}, first_layer{1, {8, 8, 8}, 1, 16};
const direction all_directions[] = {direction::forward, direction::backward, direction::backward_weights};

BOOST_FIXTURE_TEST_CASE(double_is_always_ours, choices) {
  for (const auto& p : {same, strided, wide, first_layer})
    for (const direction d : all_directions)
      for (const auto& machine : {plain, avx2, avx512, zen4, sapphire})
        BOOST_TEST(on<double_backend>(machine, p, d) == "host");
}

BOOST_FIXTURE_TEST_CASE(float_does_not_depend_on_products_of_bfloat16, choices) {
  for (const auto& p : {same, strided, wide, first_layer})
    for (const direction d : all_directions)
      BOOST_TEST(on<default_backend>(zen4, p, d) == on<default_backend>(avx512, p, d));
  for (const direction d : all_directions) BOOST_TEST(on<default_backend>(avx2, same, d) == "host");
}

using narrow = kokkos_backend<default_space, bfloat16>;

// oneDNN has kernels of bfloat16 for this machine, whatever processor is assumed, or reference code, which is refused.
#if defined(COMODAL_ENABLE_ONEDNN)
const char* const with_vendor = processor::this_machine().multiplies_bfloat16() ? "onednn" : "host";
#else
const char* const with_vendor = "host";
#endif

BOOST_FIXTURE_TEST_CASE(bfloat16_is_ours_where_the_processor_does_not_multiply_it, choices) {
  for (const auto& p : {same, strided, wide, first_layer})
    for (const direction d : all_directions)
      for (const auto& machine : {plain, avx2, avx512}) BOOST_TEST(on<narrow>(machine, p, d) == "host");
}

// Two products of bfloat16 take the time of one of floats there; F(4x4, 3x3) makes a quarter of them.
BOOST_FIXTURE_TEST_CASE(bfloat16_in_vector_registers_leaves_to_us_what_winograd_serves, choices) {
  const conv3d_problem large{2, {16, 16, 16}, 16, 32}, few_tiles{2, {8, 8, 8}, 64, 64},
      single{2, {16, 16, 16}, 16, 8, {1, 1, 1}};
  for (const direction d : all_directions) {
    BOOST_TEST(on<narrow>(zen4, large, d) == "host");
    const bool weights = d == direction::backward_weights;
    BOOST_TEST(on<narrow>(zen4, few_tiles, d) == (weights ? "host" : with_vendor));
    BOOST_TEST(on<narrow>(zen4, strided, d) == with_vendor);
    BOOST_TEST(on<narrow>(zen4, single, d) == (engine_detail::pairs_compiled ? "host" : with_vendor));
    BOOST_TEST(on<narrow>(zen4, conv3d_problem{2, {16, 16, 16}, 16, 3, {1, 1, 1}}, d) ==
               (d == direction::backward || !engine_detail::pairs_compiled ? with_vendor : "host"));
    BOOST_TEST(on<narrow>(zen4, first_layer, d) == with_vendor);
  }
}

BOOST_FIXTURE_TEST_CASE(bfloat16_goes_to_tile_registers_where_there_are_any, choices) {
  if (!engine_detail::tiles_compiled) return skip("this program has no kernels for tile registers");
  for (const auto& p : {same, wide, first_layer})
    for (const direction d : all_directions) BOOST_TEST(on<narrow>(sapphire, p, d) == "amx");
  BOOST_TEST(on<narrow>(sapphire, conv3d_problem::transposed(1, {2, 3, 4}, 16, 8, {2, 2, 2}), direction::forward) ==
             "amx");
  for (const direction d : all_directions) BOOST_TEST(on<narrow>(sapphire, strided, d) != "amx");
}

BOOST_FIXTURE_TEST_CASE(a_transposed_convolution_without_tiles_is_ours, choices) {
  const auto p = conv3d_problem::transposed(1, {2, 3, 4}, 16, 8, {2, 2, 2});
  for (const direction d : all_directions) {
    BOOST_TEST(on<narrow>(zen4, p, d) == "host");
    BOOST_TEST(on<default_backend>(zen4, p, d) == "host");
  }
}

}  // namespace comodal::tests
