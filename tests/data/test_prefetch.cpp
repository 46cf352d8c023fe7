// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_prefetch
#include <comodal/data/batch_maker.hpp>
#include <comodal/data/prefetch.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <set>
#include <stdexcept>

namespace comodal::tests {
namespace {

struct numbers {
  std::uint32_t step = 0;
  std::vector<std::uint32_t> values;
};

// Takes longer for some steps than for others, so that threads finish out of order.
struct slow_maker {
  using batch_type = numbers;
  mutable std::atomic<int> running{0}, made{0};
  std::uint32_t added = 0;
  std::uint32_t fails_at = ~0u;

  void make(std::uint32_t step, numbers& batch) const {
    ++running;
    ++made;
    std::this_thread::sleep_for(std::chrono::microseconds(step % 3 == 0 ? 900 : 100));
    --running;
    if (step == fails_at) throw std::runtime_error("step " + std::to_string(step));
    batch.step = step;
    batch.values.assign(1000, step + added);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(batches_come_in_order) {
  const slow_maker maker;
  for (const index threads : {0, 1, 2, 5})
    for (const index depth : {1, 3, 8}) {
      prefetcher<slow_maker> ahead(maker, 10, {threads, depth});
      for (std::uint32_t step = 10; step < 40; ++step) {
        BOOST_REQUIRE(ahead.step() == step);
        numbers batch = ahead.next();
        BOOST_REQUIRE(batch.step == step);
        BOOST_REQUIRE(batch.values[999] == step);
        if (step % 2) ahead.recycle(std::move(batch));
      }
    }
}

BOOST_AUTO_TEST_CASE(it_stops_at_any_moment_and_makes_no_more_than_the_depth) {
  for (int taken = 0; taken < 4; ++taken) {
    const slow_maker maker;
    {
      prefetcher<slow_maker> ahead(maker, 0, {3, 4});
      for (int i = 0; i < taken; ++i) (void)ahead.next();
      if (taken == 3) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    BOOST_TEST(maker.running == 0);
    BOOST_TEST(maker.made <= taken + 4);
    if (taken == 3) BOOST_TEST(maker.made == 7);
  }
}

BOOST_AUTO_TEST_CASE(errors_reach_the_consumer_at_their_step) {
  for (const index threads : {0, 1, 3}) {
    slow_maker maker;
    maker.fails_at = 5;
    prefetcher<slow_maker> ahead(maker, 0, {threads, 4});
    for (std::uint32_t step = 0; step < 5; ++step) BOOST_REQUIRE(ahead.next().step == step);
    for (int again = 0; again < 2; ++again)
      BOOST_CHECK_EXCEPTION((void)ahead.next(), std::runtime_error,
                            [](const auto& e) { return std::string(e.what()) == "step 5"; });
    ahead.restart(6);
    BOOST_TEST(ahead.next().step == 6u);
    ahead.between_steps([&] { maker.fails_at = ~0u; });
    ahead.restart(5);
    BOOST_TEST(ahead.next().step == 5u);
  }
  BOOST_CHECK_THROW(prefetcher<slow_maker>(slow_maker(), 0, {-1, 4}), config_error);
  BOOST_CHECK_THROW(prefetcher<slow_maker>(slow_maker(), 0, {1, 0}), config_error);
}

BOOST_AUTO_TEST_CASE(a_change_between_steps_holds_from_the_next_step_on) {
  for (const index threads : {0, 1, 3}) {
    slow_maker maker;
    prefetcher<slow_maker> ahead(maker, 0, {threads, 6});
    for (std::uint32_t step = 0; step < 30; ++step) {
      if (step % 7 == 3)
        ahead.between_steps([&] {
          BOOST_TEST(maker.running == 0);
          maker.added += 100;
        });
      numbers batch = ahead.next();
      BOOST_REQUIRE(batch.step == step);
      BOOST_REQUIRE(batch.values[0] == step + 100 * ((step + 4) / 7));
      ahead.recycle(std::move(batch));
    }
    BOOST_CHECK_THROW(ahead.between_steps([] { throw std::logic_error("x"); }), std::logic_error);
    BOOST_TEST(ahead.next().step == 30u);
  }
}

BOOST_AUTO_TEST_CASE(memory_goes_round) {
  const slow_maker maker;
  for (const index threads : {0, 2}) {
    prefetcher<slow_maker> ahead(maker, 0, {threads, 3});
    std::set<const void*> buffers;
    for (int i = 0; i < 60; ++i) {
      numbers batch = ahead.next();
      buffers.insert(batch.values.data());
      ahead.recycle(std::move(batch));
    }
    BOOST_TEST(buffers.size() <= (threads == 0 ? 1u : 4u));  // the depth, and the one in use
  }
}

BOOST_AUTO_TEST_CASE(real_batches_are_the_same_for_every_number_of_threads_and_after_a_restart) {
  std::deque<image_volume> images;
  label_volume label;
  std::vector<labelled_training_case> labelled;
  std::vector<unlabelled_training_case> unlabelled;
  for (std::uint32_t i = 0; i < 6; ++i) {
    std::vector<volume_view> modalities;
    for (std::uint32_t m = 0; m < 2; ++m) {
      image_volume& v = images.emplace_back();
      v.geometry.size = {24, 20, 16};
      random_stream random(1, random_purpose::test, i, m);
      for (index n = 0; n < v.geometry.voxels(); ++n) v.values.push_back(static_cast<float>(random.normal()));
      modalities.push_back(&v);
    }
    if (i < 2)
      labelled.push_back({text(i), modalities, nullptr});
    else
      unlabelled.push_back({text(i), modalities});
  }
  label.geometry = images[0].geometry;
  for (const float v : images[0].values) label.values.push_back(v > 1.5f);
  for (auto& one : labelled) one.label = label;
  batch_options o;
  o.patch_size = {12, 16, 16};
  const batch_maker maker(o, labelled, unlabelled, 11);
  constexpr std::uint32_t steps = 24;
  std::vector<step_batch> expected;
  for (std::uint32_t step = 0; step < steps; ++step) expected.push_back(maker.make(step));
  const auto equal = [](const crop_batch& a, const crop_batch& b) {
    return a.images == b.images && a.present == b.present && a.labels == b.labels && a.known == b.known &&
           a.cases == b.cases;
  };
  for (const index threads : {0, 1, 2, 4})
    for (const std::uint32_t first : {0u, 9u}) {
      prefetcher<batch_maker<>> ahead(maker, first, {threads, 4});
      for (std::uint32_t step = first; step < steps; ++step) {
        step_batch b = ahead.next();
        BOOST_REQUIRE(b.step == step);
        BOOST_REQUIRE(equal(b.labelled, expected[step].labelled));
        BOOST_REQUIRE(equal(b.weak, expected[step].weak));
        BOOST_REQUIRE(equal(b.strong, expected[step].strong));
        ahead.recycle(std::move(b));
      }
      ahead.restart(3);
      BOOST_TEST(equal(ahead.next().strong, expected[3].strong));
    }
}

}  // namespace comodal::tests
