// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE core_memory
#include <boost/test/unit_test.hpp>

#include <comodal/core/memory.hpp>

#include <core/support.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <thread>

namespace comodal::tests {

struct pooled {
  std::shared_ptr<memory_pool<default_space>> pool = std::make_shared<memory_pool<default_space>>();
};

BOOST_FIXTURE_TEST_CASE(a_buffer_that_is_given_back_is_used_again, pooled) {
  std::byte* first = nullptr;
  {
    const auto a = pool->allocate(1000);
    first = a.get();
    BOOST_TEST(pool->statistics().in_use >= 1000u);
  }
  BOOST_TEST(pool->statistics().in_use == 0u);
  const auto b = pool->allocate(1010);  // the same size class
  BOOST_TEST(b.get() == first);
  BOOST_TEST(pool->statistics().allocations == 1u);
  const auto c = pool->allocate(1000);
  BOOST_TEST(c.get() != first);
  BOOST_TEST(pool->statistics().allocations == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_reserve_keeps_its_buffers_from_all_others, pooled) {
  (void)pool->allocate(1000);  // free
  std::byte *inner = nullptr, *lasting = nullptr;
  auto* const reserve = pool->open_reserve();
  BOOST_CHECK_EXCEPTION((void)pool->open_reserve(), error, says("a reserve is open already"));
  BOOST_CHECK_EXCEPTION(pool->reopen_reserve(reserve), error, says("a reserve is open already"));
  inner = pool->allocate(1000).get();
  BOOST_TEST(pool->allocate(1000).get() == inner);  // within the reserve buffers are used again
  auto held = pool->allocate(1000);
  lasting = held.get();
  pool->close_reserve();
  held.reset();  // given back after the reserve was closed
  const auto a = pool->allocate(1000), b = pool->allocate(1000);
  for (const auto* other : {a.get(), b.get()}) BOOST_TEST((other != inner && other != lasting));
  auto* const second = pool->open_reserve();  // which finds nothing of the first
  const auto* const other = pool->allocate(1000).get();
  BOOST_TEST((other != inner && other != lasting));
  pool->close_reserve();
  pool->drop_reserve(second);
  pool->reopen_reserve(reserve);
  const auto* const own = pool->allocate(1000).get();
  BOOST_TEST((own == inner || own == lasting));
  pool->close_reserve();
  pool->release();
  BOOST_TEST(pool->statistics().held > pool->statistics().in_use);
  pool->drop_reserve(reserve);
  const auto again = pool->allocate(1000);
  BOOST_TEST((again.get() == inner || again.get() == lasting));
  BOOST_TEST(pool->statistics().allocations == 4u);
}

BOOST_FIXTURE_TEST_CASE(statistics_count_what_is_used_held_and_asked_for, pooled) {
  {
    const auto a = pool->allocate(64), b = pool->allocate(640);
    BOOST_TEST(pool->statistics().in_use == 704u);
  }
  const auto c = pool->allocate(64);
  const memory_statistics s = pool->statistics();
  BOOST_TEST(s.in_use == 64u);
  BOOST_TEST(s.peak == 704u);
  BOOST_TEST(s.held == 704u);
  BOOST_TEST(s.allocations == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_repeated_step_allocates_nothing_new, pooled) {
  const auto step = [&] {
    std::vector<std::shared_ptr<std::byte>> kept;
    for (std::size_t i = 1; i < 40; ++i) {
      kept.push_back(pool->allocate(i * 1777));
      const auto passing = pool->allocate(i * 991);
    }
  };
  step();
  const memory_statistics first = pool->statistics();
  for (int i = 0; i < 5; ++i) step();
  BOOST_TEST(pool->statistics().allocations == first.allocations);
  BOOST_TEST(pool->statistics().held == first.held);
  BOOST_TEST(pool->statistics().peak == first.peak);
}

BOOST_FIXTURE_TEST_CASE(a_smaller_request_takes_the_smallest_free_buffer_that_wastes_a_third_at_most, pooled) {
  std::byte *large = nullptr, *larger = nullptr;
  {
    const auto a = pool->allocate(140 << 10), b = pool->allocate(125 << 10);
    larger = a.get();
    large = b.get();
  }
  const auto first = pool->allocate(100 << 10), second = pool->allocate(100 << 10);
  BOOST_TEST(first.get() == large);
  BOOST_TEST(second.get() == larger);
  BOOST_TEST(pool->statistics().in_use == 2u * (104 << 10));
  BOOST_TEST(pool->statistics().allocations == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_buffer_that_is_much_too_large_waits_for_a_larger_request, pooled) {
  std::byte* large = pool->allocate(160 << 10).get();
  const auto small = pool->allocate(100 << 10);
  BOOST_TEST(small.get() != large);
  BOOST_TEST(pool->allocate(150 << 10).get() == large);
  BOOST_TEST(pool->allocate(160 << 10).get() == large);  // and keeps its size
  BOOST_TEST(pool->statistics().allocations == 2u);
}

BOOST_FIXTURE_TEST_CASE(next_to_nothing_may_be_wasted_at_will, pooled) {
  std::byte* page = pool->allocate(4096).get();
  BOOST_TEST(pool->allocate(100).get() == page);
}

BOOST_FIXTURE_TEST_CASE(steps_of_changing_sizes_settle, pooled) {
  const auto step = [&](std::size_t present) {
    std::vector<std::shared_ptr<std::byte>> kept;
    for (std::size_t i = 1; i < 40; ++i) kept.push_back(pool->allocate(present * i * 1777));
  };
  for (std::size_t present = 4; present > 0; --present) step(present);
  const memory_statistics first = pool->statistics();
  for (std::size_t i = 0; i < 40; ++i) step(1 + i * 7 % 4);
  BOOST_TEST(pool->statistics().allocations == first.allocations);
  BOOST_TEST(first.held < first.peak * 5 / 4);
}

BOOST_FIXTURE_TEST_CASE(size_classes_waste_an_eighth_at_most, pooled) {
  for (std::size_t bytes = 512; bytes < 4000000; bytes += bytes / 37 + 1) {
    const auto a = pool->allocate(bytes);
    const std::size_t given = pool->statistics().in_use;
    BOOST_REQUIRE(given >= bytes);
    BOOST_REQUIRE(8 * (given - bytes) <= bytes);
    BOOST_REQUIRE(given % 64 == 0);
  }
  for (const std::size_t bytes : {0u, 1u, 63u, 64u, 65u, 511u}) {
    const auto a = pool->allocate(bytes);
    BOOST_TEST(pool->statistics().in_use < bytes + 64 + (bytes == 0));
    BOOST_TEST((a.get() != nullptr));
  }
}

BOOST_FIXTURE_TEST_CASE(host_buffers_are_aligned_to_a_cache_line, pooled) {
  if constexpr (is_host_v<default_space>)
    for (const std::size_t bytes : {1u, 100u, 5000u, 300000u})
      BOOST_TEST(reinterpret_cast<std::uintptr_t>(pool->allocate(bytes).get()) % 64 == 0u);
}

BOOST_FIXTURE_TEST_CASE(release_returns_what_is_not_handed_out, pooled) {
  const auto kept = pool->allocate(128);
  (void)pool->allocate(4096);
  BOOST_TEST(pool->statistics().held == 128u + 4096u);
  pool->release();
  BOOST_TEST(pool->statistics().held == 128u);
  BOOST_TEST(pool->statistics().in_use == 128u);
}

BOOST_FIXTURE_TEST_CASE(a_buffer_keeps_the_pool_alive, pooled) {
  auto buffer = pool->allocate(100);
  const std::weak_ptr<memory_pool<default_space>> watch = pool;
  pool.reset();
  BOOST_TEST(!watch.expired());
  buffer.reset();
  BOOST_TEST(watch.expired());
}

// A space of which the system has `left` bytes.
struct small_memory {
  struct state {
    std::size_t left = 0;
    int requests = 0;
    std::map<std::byte*, std::size_t> out;
  };
  std::shared_ptr<state> of = std::make_shared<state>();

  std::byte* allocate(std::size_t bytes, std::string& why) {
    ++of->requests;
    if (bytes > of->left) {
      why = "no room";
      return nullptr;
    }
    of->left -= bytes;
    auto* data = static_cast<std::byte*>(::operator new(bytes));
    of->out[data] = bytes;
    return data;
  }
  void free(std::byte* data) {
    of->left += of->out.at(data);
    of->out.erase(data);
    ::operator delete(data);
  }
};

struct short_of_memory {
  small_memory memory;
  using pool_type = memory_pool<default_space, small_memory>;
  std::shared_ptr<pool_type> pool = std::make_shared<pool_type>(memory);
  explicit short_of_memory(std::size_t left = 6 << 20) { memory.of->left = left; }
};

BOOST_FIXTURE_TEST_CASE(free_buffers_are_given_back_before_memory_is_short, short_of_memory) {
  {
    std::vector<std::shared_ptr<std::byte>> six;
    for (int i = 0; i < 6; ++i) six.push_back(pool->allocate(1 << 20));
  }
  const auto kept = pool->allocate(1 << 20);
  BOOST_TEST(pool->statistics().held == 6u << 20);
  const auto large = pool->allocate(2 << 20);  // none of the six is large enough
  BOOST_TEST((large.get() != nullptr));
  const memory_statistics now = pool->statistics();
  BOOST_TEST(now.in_use == 3u << 20);
  BOOST_TEST(now.held == 3u << 20);
  BOOST_TEST(now.peak == 6u << 20);
  BOOST_TEST(now.allocations == 7u);
  BOOST_TEST(memory.of->left == 3u << 20);
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_is_refused_with_sizes_and_leaves_the_statistics_alone, short_of_memory) {
  const auto kept = pool->allocate(1 << 20);
  (void)pool->allocate(1 << 20);
  const memory_statistics before = pool->statistics();
  for (int i = 0; i < 2; ++i)
    BOOST_CHECK_EXCEPTION(
        (void)pool->allocate(16 << 20), out_of_memory_error,
        says("out of memory: 16777216 bytes (0.015625 GiB) were asked for, tensors use 0.000976562 GiB "
             "and the system gives no more (no room)"));
  const memory_statistics after = pool->statistics();
  BOOST_TEST(after.in_use == before.in_use);
  BOOST_TEST(after.peak == before.peak);
  BOOST_TEST(after.allocations == before.allocations);
  BOOST_TEST(after.held == 1u << 20);  // the free buffer was given back
  BOOST_TEST(memory.of->requests == 2 + 4);
  BOOST_TEST((pool->allocate(5 << 20).get() != nullptr));
}

BOOST_FIXTURE_TEST_CASE(sizes_that_no_memory_has_are_refused, pooled) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  for (const std::size_t bytes : {most, most - 63, most - (most >> 4), most / 2 + 1}) {
    BOOST_CHECK_EXCEPTION((void)pool->allocate(bytes), out_of_memory_error, says(text("out of memory: ", bytes)));
    BOOST_TEST(pool->statistics().in_use == 0u);
    BOOST_TEST(pool->statistics().allocations == 0u);
  }
  static_assert(std::is_base_of_v<device_error, out_of_memory_error>);
  static_assert(std::is_base_of_v<error, device_error>);
}

BOOST_FIXTURE_TEST_CASE(threads_may_share_a_pool, pooled) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < 500; ++i) (void)pool->allocate(i % 7 * 100);
    });
  for (auto& t : threads) t.join();
  BOOST_TEST(pool->statistics().in_use == 0u);
}

}  // namespace comodal::tests
