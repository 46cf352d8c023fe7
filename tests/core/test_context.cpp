// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE core_context
#include <boost/test/unit_test.hpp>

#include <comodal/core/context.hpp>

#include <core/support.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(tensors_come_from_the_pool_of_the_context) {
  context<> ctx;
  const auto t = ctx.make({2, 2}, {1, 2, 3, 4});
  BOOST_TEST(ctx.pool().statistics().in_use == 64u);
  BOOST_TEST(to_host(ctx.space(), t) == (std::vector<float>{1, 2, 3, 4}), boost::test_tools::per_element());
  const auto indices = ctx.make_of<std::int32_t>({3});
  BOOST_TEST(indices.size() == 3);
  BOOST_CHECK_EXCEPTION((void)ctx.make({3}, {1, 2}), shape_error, says("2 values for a tensor (3)"));
}

BOOST_AUTO_TEST_CASE(a_tensor_outlives_its_context) {
  tensor<float> t;
  default_space space;
  {
    context<> ctx;
    t = ctx.make({2}, {1, 2});
    ctx.fence();
  }
  BOOST_TEST(to_host(space, t)[1] == 2);
}

BOOST_AUTO_TEST_CASE(runs_are_counted_by_operation_and_engine) {
  context<> ctx;
  BOOST_TEST(ctx.runs("conv3d.forward", "host") == 0);
  ctx.count("conv3d.forward", "host");
  ctx.count("conv3d.forward", "host");
  ctx.count("conv3d.forward", "onednn");
  BOOST_TEST(ctx.runs("conv3d.forward", "host") == 2);
  BOOST_TEST(ctx.runs("conv3d.forward", "onednn") == 1);
  BOOST_TEST(ctx.runs().size() == 2u);
  BOOST_TEST(context<>().runs("conv3d.forward", "host") == 0);
}

BOOST_AUTO_TEST_CASE(a_context_for_another_scalar_shares_the_environment) {
  context<> ctx;
  ctx.choose_engine("host");
  context<kokkos_backend<default_space, bfloat16>> narrow(ctx);
  const auto t = narrow.make({3}, {bfloat16(1), bfloat16(2), bfloat16(3)});
  BOOST_TEST(static_cast<float>(to_host(ctx.space(), t)[2]) == 3.f);
  BOOST_TEST(ctx.pool().statistics().in_use == 64u);
  BOOST_TEST(&ctx.pool() == &narrow.pool());
  narrow.count("conv3d.forward", "host");
  BOOST_TEST(ctx.runs("conv3d.forward", "host") == 1);
  BOOST_TEST(narrow.chosen_engine() == "host");
  ctx.fallback = fallback_policy::error;  // what is set later counts too
  BOOST_CHECK_THROW(narrow.report_fallback("conv3d.forward", "host", "because", "this size"), error);
  profile recorder;
  ctx.recorder = &recorder;
  BOOST_TEST(narrow.recorder == &recorder);
}

struct kept_numbers {
  int value = 3;
};
struct other_numbers {
  int value = 5;
};

BOOST_AUTO_TEST_CASE(an_engine_keeps_its_things_in_the_context) {
  context<> ctx, other;
  ctx.kept<kept_numbers>().value = 8;
  BOOST_TEST(ctx.kept<kept_numbers>().value == 8);
  BOOST_TEST(ctx.kept<other_numbers>().value == 5);
  BOOST_TEST(other.kept<kept_numbers>().value == 3);
}

BOOST_AUTO_TEST_CASE(the_fallback_policy_allows_warns_or_throws) {
  context<> ctx;
  BOOST_TEST((ctx.fallback == fallback_policy::warn));
  ctx.fallback = fallback_policy::allow;
  ctx.report_fallback("conv3d.forward", "host", "a reason", "a size");
  ctx.fallback = fallback_policy::error;
  BOOST_CHECK_EXCEPTION(
      ctx.report_fallback("conv3d.forward", "host", "a reason", "a size"), error,
      says("comodal: conv3d.forward runs on the host engine: a reason (a size) (fallback_policy::error)"));
}

// What `work` writes to the standard error stream.
template <class Work>
std::string written_to_stderr(const Work& work) {
  std::fflush(stderr);
  std::FILE* file = std::tmpfile();
  const int saved = dup(fileno(stderr));
  dup2(fileno(file), fileno(stderr));
  work();
  std::fflush(stderr);
  dup2(saved, fileno(stderr));
  close(saved);
  std::string out(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  const std::size_t read = std::fread(out.data(), 1, out.size(), file);
  std::fclose(file);
  return out.substr(0, read);
}

BOOST_AUTO_TEST_CASE(a_warning_is_one_line_per_reason) {
  context<> ctx;
  ctx.fallback = fallback_policy::warn;
  const auto warned = written_to_stderr([&] {
    for (const char* size : {"this size", "that size"}) ctx.report_fallback("conv3d.forward", "host", "a reason", size);
    ctx.report_fallback("conv3d.forward", "host", "another", "that size");
    ctx.report_fallback("conv3d.backward", "host", "a reason", "that size");
  });
  BOOST_TEST(warned ==
             "comodal: conv3d.forward runs on the host engine: a reason (this size)\n"
             "comodal: conv3d.forward runs on the host engine: another (that size)\n"
             "comodal: conv3d.backward runs on the host engine: a reason (that size)\n");
  ctx.fallback = fallback_policy::allow;
  BOOST_TEST(written_to_stderr([&] { ctx.report_fallback("conv3d.forward", "host", "a third", "a size"); }).empty());
}

// What says when it goes.
std::string gone;
template <char Name>
struct mortal {
  ~mortal() { gone += Name; }
};
BOOST_AUTO_TEST_CASE(what_is_kept_goes_in_reverse_order_and_plans_go_first) {
  gone.clear();
  {
    context<> ctx;
    (void)ctx.plans<mortal<'p'>>();
    (void)ctx.kept<mortal<'b'>>([&] {
      (void)ctx.kept<mortal<'a'>>();  // b may use it
      return std::make_shared<mortal<'b'>>();
    });
    (void)ctx.kept<mortal<'c'>>();
    (void)ctx.kept<mortal<'a'>>();
  }
  BOOST_TEST(gone == "pcba");
}

BOOST_AUTO_TEST_CASE(a_device_that_is_not_there_is_refused) {
  BOOST_TEST(device_count() >= 0);
  if constexpr (is_host_v<default_space>) {
    BOOST_TEST(device_count() == 0);
    BOOST_TEST(device_name(default_space{}) == "");
    detail::expect_device(-1);
    BOOST_CHECK_EXCEPTION(detail::expect_device(0), config_error,
                          says("runtime: device 0 was asked for, but this program computes on the host; build it"));
  } else {
    BOOST_CHECK_EXCEPTION(detail::expect_device(1000), config_error,
                          says("runtime: device 1000 was asked for, expected 0 to "));
    BOOST_TEST(device_name(default_space{}) != "");
  }
}

BOOST_AUTO_TEST_CASE(allowing_tf32_asks_for_new_plans) {
  context<default_backend> ctx;
  BOOST_TEST(!ctx.tf32());
  const auto before = ctx.choice_version();
  ctx.allow_tf32(false);
  BOOST_TEST(ctx.choice_version() == before);
  ctx.allow_tf32(true);
  BOOST_TEST(ctx.choice_version() != before);
}

BOOST_AUTO_TEST_CASE(a_runtime_inside_another_leaves_kokkos_alone) {
  {
    const runtime inner;
    BOOST_TEST(Kokkos::is_initialized());
  }
  BOOST_TEST(Kokkos::is_initialized());
  BOOST_TEST(host_threads() >= 1);
}

BOOST_AUTO_TEST_CASE(numbers_of_threads_are_checked_and_bounded) {
  BOOST_CHECK_EXCEPTION(runtime(-1), config_error, says("runtime: threads = -1, expected 0 (all cores) to 1024"));
  BOOST_CHECK_EXCEPTION(runtime(100000), config_error,
                        says("runtime: threads = 100000, expected 0 (all cores) to 1024"));
  BOOST_CHECK_EXCEPTION(runtime((index{1} << 32) + 1), config_error, says("runtime: threads = 4294967297, expected"));
#if defined(_OPENMP)
  const int before = omp_get_max_threads();
  omp_set_num_threads(100000);  // as OMP_NUM_THREADS=100000 does
  BOOST_CHECK_EXCEPTION(runtime{}, config_error,
                        says("runtime: OMP_NUM_THREADS asks for 100000 threads, expected at most 1024"));
  omp_set_num_threads(before);
  {
    const runtime many(1000);
    BOOST_TEST(host_threads() == std::max(omp_get_num_procs(), 8));
  }
  {
    const runtime three(3);
    BOOST_TEST(host_threads() == 3);
  }
  omp_set_num_threads(before);
#endif
}

}  // namespace comodal::tests
