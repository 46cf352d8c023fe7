// SPDX-License-Identifier: Apache-2.0
// A recorded step runs again from what stands in its places: parameters, the step block, buffers.
#define BOOST_TEST_MODULE autograd_recording
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/core/recording.hpp>
#include <comodal/nn/averaging.hpp>

#include <nn/support.hpp>

namespace comodal::tests {

using B = bench::backend;

// A store of one parameter, an average of it, and a step that changes both by what stands in `x`.
struct small_step : bench {
  parameter_store<B> store{home, 1}, average{home, 1};
  variable<B> x = constant({4, 3}, 7);
  variable<B> loss;

  small_step() {
    for (auto* s : {&store, &average}) (void)s->normal("w", {4, 3}, 0.5);
    store.seal();
    average.seal();
  }
  void step(const progress& at) {
    store.zero_grad();
    const auto rate = step_scalar(at, [](const progress& now, double) { return 1.0 / (2 + now.step); });
    const auto& w = store.all()[0].value;
    loss = sum(multiply(dropout(multiply(w, w), 0.5, 3, 1, at.step), scale(x, rate)));
    home.backward(loss);
    // w <- w - g / 10
    ops::copy_to(ctx, ops::binary(ctx, "step", tenth_less{}, store.values(), store.gradients()), store.values());
    store.changed();
    average_parameters(store, average, ema_factor(at, 0.9));
  }
  struct tenth_less {
    template <class T>
    KOKKOS_INLINE_FUNCTION T value(T w, T g) const {
      return w - T(0.1) * g;
    }
  };
  [[nodiscard]] std::vector<double> state() const {
    auto all = all_values(store);
    const auto more = all_values(average);
    all.insert(all.end(), more.begin(), more.end());
    all.push_back(host(loss)[0]);
    return all;
  }
};

BOOST_AUTO_TEST_CASE(replayed_steps_are_eager_ones) {
  small_step eager, recorded;
  for (std::uint32_t t = 0; t < 4; ++t) eager.step({t, 4});
  recorded.step({0, 4});
  begin_step(recorded.ctx, {1, 4});
  step_recording<B> recording(recorded.ctx, [&] { recorded.step({1, 4}); });
  BOOST_TEST(recording.size() > 10u);
  const std::vector<double> busy(12, 1e3);
  for (std::uint32_t t = 2; t < 4; ++t) {
    // Whatever else uses the pool in between leaves the recorded buffers alone.
    for (int k = 0; k < 20; ++k) (void)recorded.constant({4, 3}, busy);
    begin_step(recorded.ctx, {t, 4});
    const index waits = host_synchronisations(), sent = uploads();
    recording.replay();
    BOOST_TEST(host_synchronisations() == waits);
    BOOST_TEST(uploads() == sent);
  }
  BOOST_TEST((recorded.state() == eager.state()));
}

BOOST_AUTO_TEST_CASE(a_replay_changes_the_version_of_parameters) {
  small_step one;
  one.step({0, 4});
  begin_step(one.ctx, {1, 4});
  step_recording<B> recording(one.ctx, [&] { one.step({1, 4}); });
  const auto before = *one.store.version();
  const auto y = sum(one.store.all()[0].value);
  recording.replay();
  BOOST_TEST(*one.store.version() == before + 1);
  BOOST_CHECK_EXCEPTION(one.home.backward(y), error, says("parameters changed after the forward pass"));
}

BOOST_AUTO_TEST_CASE(a_step_that_waits_or_sends_is_refused) {
  small_step one;
  one.step({0, 4});
  begin_step(one.ctx, {1, 4});
  const auto record = [&](const std::function<void()>& step) { step_recording<B> made(one.ctx, step); };
  BOOST_CHECK_EXCEPTION(record([&] { (void)item(sum(one.x)); }), error,
                        says("the step waited for the device 1 times, expected never"));
  BOOST_CHECK_EXCEPTION(record([&] { (void)one.constant({2}, {1, 2}); }), error, says("waited for the device 1 times"));
  BOOST_CHECK_EXCEPTION(record([&] { one.step({2, 4}); }), error, says("the step sent data to the device 1 times"));
  // Nothing of a refused recording is left.
  BOOST_TEST(!one.ctx.recording());
  begin_step(one.ctx, {2, 4});
  record([&] { one.step({2, 4}); });
  BOOST_CHECK_EXCEPTION(record([&]() { throw error("no way on"); }), error, says("no way on"));
  BOOST_TEST(!one.ctx.recording());
  record([&] { one.step({2, 4}); });
}

}  // namespace comodal::tests
