// SPDX-License-Identifier: Apache-2.0
// A training step takes nothing of more than 1 KiB from the host's heap once the first steps have run: the C library's
// allocation functions are counted while a step runs, those of the compiler's run time included. Convolutions are our
// own here: oneDNN 2.6 takes some 70 KiB of its own inside a first convolution, and leaves us no say in it.
#define BOOST_TEST_MODULE train_allocations
#include <boost/test/unit_test.hpp>

#include <comodal/data/batch_maker.hpp>
#include <comodal/ssl/method_registry.hpp>
#include <comodal/train/optimiser_set.hpp>

#include <core/support.hpp>
#include <skip.hpp>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <deque>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define COMODAL_TESTS_COUNT_ALLOCATIONS
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace {
std::atomic<bool> watching{false};
std::atomic<int> large{0};
void note(std::size_t bytes) {
  if (watching && bytes > 1024) ++large;
}
}  // namespace

extern "C" {
void* malloc(std::size_t bytes) { return note(bytes), __libc_malloc(bytes); }
void* calloc(std::size_t count, std::size_t bytes) { return note(count * bytes), __libc_calloc(count, bytes); }
void* realloc(void* p, std::size_t bytes) { return note(bytes), __libc_realloc(p, bytes); }
void* memalign(std::size_t alignment, std::size_t bytes) { return note(bytes), __libc_memalign(alignment, bytes); }
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return note(bytes), __libc_memalign(alignment, bytes); }
int posix_memalign(void** p, std::size_t alignment, std::size_t bytes) {
  note(bytes);
  *p = __libc_memalign(alignment, bytes);
  return *p ? 0 : ENOMEM;
}
}
#endif

namespace comodal::tests {

#if defined(COMODAL_TESTS_COUNT_ALLOCATIONS)

using backend = mixed_backend;

// What a few steps of a method take from the heap, step by step.
std::vector<int> allocations(const std::string& name, const std::string& precision) {
  std::deque<image_volume> volumes;
  label_volume label;
  label.geometry.size = {20, 20, 12};
  label.values.assign(20 * 20 * 12, 0);
  for (std::size_t v = 2000; v < 2600; ++v) label.values[v] = 1;
  std::vector<labelled_training_case> labelled;
  std::vector<unlabelled_training_case> unlabelled;
  for (int i = 0; i < 4; ++i) {
    std::vector<volume_view> images;
    for (int m = 0; m < 2; ++m) {
      auto& volume = volumes.emplace_back();
      volume.geometry.size = label.geometry.size;
      for (const double v : values(static_cast<index>(label.values.size()), static_cast<std::uint32_t>(2 * i + m)))
        volume.values.push_back(static_cast<float>(v));
      images.push_back(&volume);
    }
    if (i < 2)
      labelled.push_back({text("l", i), images, &label});
    else
      unlabelled.push_back({text("u", i), images});
  }
  batch_options batch;
  batch.patch_size = {8, 16, 16};

  context<backend> ctx;
  ctx.choose_engine("host");
  tape<backend> home(ctx);
  named_options options(name, method_registry<backend>::built_in().method_options_of(name));
  (void)options.values.set("queue", index{4});  // where the method has one
  network_options network;
  network.stream_channels = {8, 16};
  network.fused_channels = {16, 32};
  network.precision = precision;
  auto method = make_method<backend>(home, options, network, 2, target_map::of_classes(2), 1);
  const batch_maker<> maker(batch, labelled, unlabelled, 1, method.views());
  optimiser_set<backend> optimiser({}, method.trained());
  step_batch made;
  std::vector<int> counts;
  for (std::uint32_t step = 0; step < 12; ++step) {
    maker.make(step, made);
    large = 0;
    watching = true;
    const step_request at{step, 12};
    optimiser.zero_grad();
    (void)method.step(made, at);
    (void)optimiser.update(0.01, step);
    method.after_update(at);
    watching = false;
    counts.push_back(large);
  }
  return counts;
}

BOOST_AUTO_TEST_CASE(the_counter_counts) {
  large = 0;
  watching = true;
  const std::vector<char> small(1000), big(2000);
  watching = false;
  BOOST_TEST(large == 1);
  BOOST_TEST(small.size() + big.size() == 3000u);
}

BOOST_AUTO_TEST_CASE(a_step_after_the_first_ones_takes_nothing_large_from_the_heap) {
  for (const std::string precision : {"fp32", "bf16"})
    for (const std::string name :
         {"supervised", "mean_teacher", "contrastive_mutual_learning", "mutual_consistency", "dual_task_consistency"}) {
      const auto counts = allocations(name, precision);
      std::string all;
      for (const int n : counts) all += text(' ', n);
      BOOST_TEST(counts.front() > 0, name << ", " << precision << ": the first step takes its buffers," << all);
      BOOST_TEST(counts.back() == 0, name << ", " << precision << ": allocations above 1 KiB a step," << all);
    }
}

#else

BOOST_AUTO_TEST_CASE(allocations_are_counted) {
  skip("allocations cannot be counted without glibc, or under a sanitizer");
}

#endif

}  // namespace comodal::tests
