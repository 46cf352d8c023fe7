// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE core_profile
#include <boost/test/unit_test.hpp>

#include <comodal/core/context.hpp>

#include <core/support.hpp>

#include <chrono>
#include <thread>

namespace comodal::tests {

using backend = kokkos_backend<>;

void rest(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

const profile::sums& of(const profile& recorder, const profile::key& key) {
  const auto found = recorder.all().find(key);
  BOOST_REQUIRE(found != recorder.all().end());
  return found->second;
}

BOOST_AUTO_TEST_CASE(an_operation_is_charged_for_its_own_part) {
  context<backend> ctx;
  profile recorder;
  ctx.recorder = &recorder;
  tensor<float> kept;
  {
    const layer_scope at(ctx, "decoder", 1);
    const operation_scope outer(ctx, "outer");
    rest(5);
    {
      const layer_scope deeper(ctx, "head");
      const operation_scope inner(ctx, "inner", true);
      ctx.count("inner", "host");
      kept = ctx.make({1024});
      rest(20);
    }
  }
  const auto& outer = of(recorder, {"decoder 1", "outer", "", false});
  const auto& inner = of(recorder, {"decoder 1 head", "inner", "host", true});
  BOOST_TEST(outer.calls == 1);
  BOOST_TEST(inner.calls == 1);
  BOOST_TEST(inner.seconds >= 0.02);
  BOOST_TEST(outer.seconds >= 0.005);
  BOOST_TEST(outer.seconds < inner.seconds);
  BOOST_TEST(inner.kept_bytes >= 4096);
  BOOST_TEST(outer.kept_bytes == 0);
  BOOST_TEST(recorder.seconds() == outer.seconds + inner.seconds);
  BOOST_TEST(recorder.seconds("inner") == inner.seconds);
  BOOST_TEST(recorder.layer.empty());
  recorder.clear();
  BOOST_TEST(recorder.all().empty());
}

BOOST_AUTO_TEST_CASE(without_a_recorder_nothing_is_kept) {
  context<backend> ctx;
  const layer_scope at(ctx, "stream", 0);
  const operation_scope scope(ctx, "add");
  BOOST_TEST((ctx.recorder == nullptr));
}

}  // namespace comodal::tests
