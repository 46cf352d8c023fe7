// SPDX-License-Identifier: Apache-2.0
// Kernels of bfloat16 against the reference engine in double on the same numbers, in memory that nothing may read
// beyond.
#ifndef COMODAL_TESTS_ENGINE_GUARDED_HPP
#define COMODAL_TESTS_ENGINE_GUARDED_HPP

#include <boost/test/unit_test.hpp>

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>

#include <core/support.hpp>

#include <omp.h>

#include <sys/mman.h>

#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

namespace comodal::tests {

// Memory that ends where no page is, all NaN at first: what reads behind it stops the test, what reads before it writes
// spoils a sum.
template <class T>
class guarded {
 public:
  explicit guarded(index count)
      : m_bytes(static_cast<std::size_t>(count) * sizeof(T)), m_pages((m_bytes + page - 1) / page * page) {
    void* const start = mmap(nullptr, m_pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) throw error("no memory");
    m_start = static_cast<std::byte*>(start);
    std::memset(start, 0xff, m_pages);
    mprotect(m_start + m_pages, page, PROT_NONE);
  }
  guarded(const guarded&) = delete;
  guarded& operator=(const guarded&) = delete;
  ~guarded() { munmap(m_start, m_pages + page); }
  explicit guarded(const std::vector<T>& numbers) : guarded(static_cast<index>(numbers.size())) {
    std::copy(numbers.begin(), numbers.end(), data());
  }
  [[nodiscard]] T* data() const { return reinterpret_cast<T*>(m_start + m_pages - m_bytes); }
  [[nodiscard]] std::vector<T> numbers() const { return {data(), data() + m_bytes / sizeof(T)}; }

 private:
  static constexpr std::size_t page = 4096;
  std::size_t m_bytes, m_pages;
  std::byte* m_start;
};

struct guarded_context {
  template <class T>
  [[nodiscard]] guarded<T> make_of(const shape& extents) const {
    return guarded<T>(extents.size());
  }
  [[nodiscard]] default_space space() const { return {}; }
};

// Half a unit in the last place of 8 significant bits, and some for the order of sums.
constexpr double rounding = 0x1.02p-8;

// Largest difference relative to each number, or to a hundredth of the largest where that is more.
inline double rounded_difference(const std::vector<bfloat16>& found, const std::vector<double>& expected) {
  BOOST_TEST_REQUIRE(found.size() == expected.size());
  double largest = 0, worst = 0;
  for (const double e : expected) largest = std::max(largest, std::abs(e));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double off = std::abs(static_cast<double>(static_cast<float>(found[i])) - expected[i]);
    worst = std::max(worst, std::isfinite(off) ? off / std::max(std::abs(expected[i]), largest / 100) : HUGE_VAL);
  }
  return worst;
}

using results = std::vector<std::vector<bfloat16>>;
using expectations = std::vector<std::pair<const char*, std::vector<double>>>;

// What `run` gives agrees, and is the same for one thread and for so many that gradients of weights are cut by output
// channels too.
template <class Run>
void compare(const char* what, const Run& run, const expectations& expected) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const results found = run();
  omp_set_num_threads(24);
  const results again = run();
  omp_set_num_threads(before);
  BOOST_TEST_REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double off = rounded_difference(found[i], expected[i].second);
    BOOST_TEST(off <= rounding, what << ", " << expected[i].first << ": " << off);
    BOOST_TEST(std::memcmp(found[i].data(), again[i].data(), 2 * found[i].size()) == 0,
               what << ", " << expected[i].first << ": other bytes with 24 threads");
  }
}

// Channels [first, first + count) of each of (voxels, channels).
template <class T>
std::vector<T> some_channels(const std::vector<T>& all, index channels, index first, index count) {
  std::vector<T> some;
  for (index v = 0; v < static_cast<index>(all.size()) / channels; ++v)
    for (index c = 0; c < count; ++c) some.push_back(all[static_cast<std::size_t>(v * channels + first + c)]);
  return some;
}

}  // namespace comodal::tests

#endif
