// SPDX-License-Identifier: Apache-2.0
// Parallel loops on the host: every task runs once, and an exception comes out, the same for any number of threads.
#define BOOST_TEST_MODULE core_host_tasks
#include <comodal/core/host_tasks.hpp>

#include <boost/test/unit_test.hpp>

#include <numeric>
#include <string>

namespace comodal::tests {
namespace {

/// Calls `check()` with one thread and with four.
template <class Check>
void with_threads(const Check& check) {
#if defined(_OPENMP)
  const int before = omp_get_max_threads();
  for (const int threads : {1, 4}) {
    omp_set_num_threads(threads);
    BOOST_TEST_CONTEXT(threads << " threads") { check(); }
  }
  omp_set_num_threads(before);
#else
  check();
#endif
}

auto is(std::string words) {
  return [words = std::move(words)](const error& e) { return e.what() == words; };
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_task_runs_once) {
  with_threads([] {
    for (const index count : {0, 1, 2, 1000}) {
      std::vector<int> tasks(1000), slices(1000), scratched(1000);
      host_tasks(count, [&](index t) { ++tasks[static_cast<std::size_t>(t)]; });
      host_tasks(
          count, [] { return std::vector<int>{1}; },
          [&](const std::vector<int>& one, index t) { scratched[static_cast<std::size_t>(t)] += one[0]; });
      host_slices(count, 1 << 20, [&](index t) { ++slices[static_cast<std::size_t>(t)]; });
      for (const auto* list : {&tasks, &scratched, &slices}) {
        BOOST_TEST(std::accumulate(list->begin(), list->end(), 0) == count);
        BOOST_TEST(*std::max_element(list->begin(), list->end()) == (count > 0 ? 1 : 0));
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(the_lowest_tasks_exception_comes_out) {
  const auto broken_from = [](index first) {
    return [first](index t) {
      if (t >= first) throw error(text("task ", t));
    };
  };
  with_threads([&] {
    for (int run = 0; run < 20; ++run) {
      BOOST_CHECK_EXCEPTION(host_tasks(500, broken_from(37)), error, is("task 37"));
      BOOST_CHECK_EXCEPTION(host_slices(500, 1 << 20, broken_from(123)), error, is("task 123"));
      BOOST_CHECK_EXCEPTION(host_slices(500, 1, broken_from(0)), error, is("task 0"));
      BOOST_CHECK_EXCEPTION(static_cast<void>(host_sum(
                                1 << 20, 0, [](index first, index) -> int { throw error(text("block ", first)); })),
                            error, is("block 0"));
    }
  });
}

BOOST_AUTO_TEST_CASE(scratch_that_cannot_be_made_is_an_exception) {
  with_threads([] {
    BOOST_CHECK_EXCEPTION(
        host_tasks(100, []() -> int { throw error("no room"); }, [](int, index) {}), error, is("no room"));
  });
}

BOOST_AUTO_TEST_CASE(sums_are_those_of_all_elements) {
  with_threads([] {
    for (const index count : {index{0}, index{1}, index{65536}, index{65537}, index{1000003}})
      BOOST_TEST(host_sum(count, index{0}, [](index first, index last) { return last - first; }) == count);
  });
}

}  // namespace comodal::tests
