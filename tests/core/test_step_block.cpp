// SPDX-License-Identifier: Apache-2.0
// Numbers that change from step to step: their values on the device, and how often they are sent.
#define BOOST_TEST_MODULE core_step_block
#include <boost/test/unit_test.hpp>

#include <comodal/core/step_block.hpp>

#include <core/support.hpp>

namespace comodal::tests {

struct block_bench {
  context<> ctx;

  // What kernels find at a place: read by a kernel, so that it also holds where memory is a device's.
  struct read_body {
    device_scalar from;
    double* to;
    KOKKOS_INLINE_FUNCTION void operator()(index) const { *to = from.value(); }
  };
  [[nodiscard]] double found(const device_scalar& s) {
    const auto out = ctx.make_of<double>({1});
    for_elements(ctx.space(), 1, read_body{s, out.data()});
    const double value = to_host(ctx.space(), out)[0];
    --waits_of_the_test;
    return value;
  }
  [[nodiscard]] double found(const double* at) { return found(device_scalar{at}); }
  index waits_of_the_test = 0;
};

step_scalar doubled_step(const progress& at, double more = 0) {
  return {at, [](const progress& now, double by) { return 2.0 * now.step + by; }, more};
}

BOOST_AUTO_TEST_CASE(arithmetic_changes_factor_and_offset) {
  const auto s = doubled_step({3, 10}, 0.5);
  BOOST_TEST(s.value() == 6.5);
  BOOST_TEST((2 * s).value() == 13.0);
  BOOST_TEST((s * 2 / 4).value() == 3.25);
  BOOST_TEST((1 + s).value() == 7.5);
  BOOST_TEST((s - 1).value() == 5.5);
  BOOST_TEST((1 - s).value() == -5.5);
  BOOST_TEST(((0.75 + 0.25 * s) * 4).value() == 9.5);
}

// The product is rounded as plain numbers are: a method that multiplied them before keeps its bytes.
BOOST_AUTO_TEST_CASE(a_factor_is_rounded_as_a_plain_product) {
  const auto third = [](const progress& at, double) { return at.fraction() / 3; };
  const step_scalar s({1, 7}, third);
  BOOST_TEST((0.1 * s).value() == 0.1 * (1.0 / 7 / 3));
}

BOOST_FIXTURE_TEST_CASE(a_step_sends_its_numbers_once, block_bench) {
  const auto use = [&](std::uint32_t step) {
    const progress at{step, 10};
    const double a = found(device_value(ctx, doubled_step(at))), b = found(device_value(ctx, doubled_step(at, 5)));
    BOOST_TEST(a == 2.0 * step);
    BOOST_TEST(b == 2.0 * step + 5);
    BOOST_TEST(found(device_iteration(ctx, step)) == step);
    BOOST_TEST(found(device_value(ctx, this, 1, 0.5 * step)) == 0.5 * step);
  };
  use(0);  // each number is sent when it is asked for first
  for (std::uint32_t step = 1; step < 4; ++step) {
    const index before = uploads(), waits = host_synchronisations();
    waits_of_the_test = 0;
    announce(ctx, this, 1, 0.5 * step);
    begin_step(ctx, {step, 10});
    BOOST_TEST(uploads() - before == 1);
    use(step);
    use(step);
    BOOST_TEST(uploads() - before == 1);
    BOOST_TEST(host_synchronisations() - waits + waits_of_the_test == 0);
  }
}

BOOST_FIXTURE_TEST_CASE(a_number_keeps_its_place, block_bench) {
  const double* first = device_value(ctx, doubled_step({0, 10}, 1)).at;
  for (int k = 2; k < 100; ++k) (void)device_value(ctx, doubled_step({0, 10}, k));
  for (int k = 1; k < 100; ++k) BOOST_TEST(found(device_value(ctx, doubled_step({4, 10}, k))) == 8 + k);
  BOOST_TEST(device_value(ctx, doubled_step({5, 10}, 1)).at == first);
  BOOST_TEST(found(first) == 11);
}

BOOST_FIXTURE_TEST_CASE(another_iteration_than_the_step_is_sent_by_itself, block_bench) {
  begin_step(ctx, {3, 10});
  const index before = uploads();
  BOOST_TEST(found(device_iteration(ctx, 3)) == 3);
  BOOST_TEST(uploads() - before == 0);
  BOOST_TEST(found(device_iteration(ctx, 7)) == 7);
  BOOST_TEST(uploads() - before == 1);
  // A replay asks for nothing by itself: the step that begins again has its own counter.
  begin_step(ctx, {3, 10});
  BOOST_TEST(found(detail::block_of(ctx).on_device(ctx, 0)) == 3);
}

}  // namespace comodal::tests
