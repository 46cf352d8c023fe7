// SPDX-License-Identifier: Apache-2.0
// An allocation that fails inside a parallel loop is std::bad_alloc for the caller, not the end of the program.
#define BOOST_TEST_MODULE data_out_of_memory
#include <comodal/data/distance_transform.hpp>
#include <comodal/data/phantom_case.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace {
std::atomic<long> allocations_left{-1};  // below 0: no limit
}

[[gnu::noinline]] void* operator new(std::size_t size) {
  if (allocations_left.load() >= 0 && allocations_left.fetch_sub(1) <= 0) {
    allocations_left = 0;
    throw std::bad_alloc();
  }
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace comodal::tests {
namespace {

/// Calls `work` with room for `n` allocations, for growing n until it succeeds; returns how often it failed.
template <class Work>
long failures(const Work& work) {
#if defined(_OPENMP)
  omp_set_num_threads(3);
#endif
  long count = 0;
  for (long n = 0;; n += 1 + n / 4) {
    allocations_left = n;
    try {
      work();
      allocations_left = -1;
      return count;
    } catch (const std::bad_alloc&) {
      allocations_left = -1;
      ++count;
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_distance_transform) {
  const std::vector<std::uint8_t> feature(50 * 50 * 50, 1);
  BOOST_TEST(failures([&] { static_cast<void>(squared_distance(feature, {50, 50, 50}, {1, 1, 1})); }) > 3);
}

BOOST_AUTO_TEST_CASE(the_phantom) {
  phantom_options options;
  make_easy(options);
  options.grid = {16, 16, 8};
  options.spacing = {10, 10, 18};
  BOOST_TEST(failures([&] { static_cast<void>(make_phantom_case(options, 1, 0)); }) > 20);
}

}  // namespace comodal::tests
