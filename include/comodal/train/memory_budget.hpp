// SPDX-License-Identifier: Apache-2.0
/// @file
/// How many stages must be computed again for a training step to stay within a budget of memory.
#ifndef COMODAL_TRAIN_MEMORY_BUDGET_HPP
#define COMODAL_TRAIN_MEMORY_BUDGET_HPP

#include <comodal/ssl/any_method.hpp>
#include <comodal/train/optimiser_set.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// The state of a method whose arrays "queue.*" hold `capacity` entries: what it has after many steps.
inline void fill_queue(safetensors_file& state, index capacity) {
  for (auto& [name, array] : state.arrays) {
    if (name.rfind("queue.", 0) != 0) continue;
    const index held = array.shape[0];
    const std::vector<unsigned char> some = array.bytes;
    const std::size_t each = some.size() / static_cast<std::size_t>(held);
    array.bytes.clear();
    for (index i = 0; i < capacity; ++i) {
      const auto from = some.begin() + static_cast<std::ptrdiff_t>(each * static_cast<std::size_t>(i % held));
      array.bytes.insert(array.bytes.end(), from, from + static_cast<std::ptrdiff_t>(each));
    }
    array.shape.set(0, capacity);
  }
}

}  // namespace detail

/// Makes a method on a tape, for a network with a number of checkpointed stages.
template <tensor_backend Backend>
using method_builder = std::function<any_method<Backend>(tape<Backend>& home, index checkpointed)>;
/// Makes the optimisers of a method.
template <tensor_backend Backend>
using optimiser_builder = std::function<optimiser_set<Backend>(const any_method<Backend>& method)>;

/// Bytes that a step of a method on `batch`, with its update, takes from the system for tensors.
/// @param queue entries of the method's arrays "queue.*" when they are full; 0: it has none
template <tensor_backend Backend>
[[nodiscard]] std::size_t step_bytes(const method_builder<Backend>& method,
                                     const optimiser_builder<Backend>& optimisers, index checkpointed, index queue,
                                     const step_batch& batch) {
  context<Backend> ctx;
  tape<Backend> home(ctx);
  auto tried = method(home, checkpointed);
  auto follow = optimisers(tried);
  (void)tried.step(batch, {1, 2});
  (void)follow.update(0, 0);
  tried.after_update({1, 2});
  if (safetensors_file state; queue > 0) {
    tried.save(state);
    if (state.arrays.count("queue.cases") > 0) {
      detail::fill_queue(state, queue);
      tried.load(state);
      follow.zero_grad();
      (void)tried.step(batch, {1, 2});
    }
  }
  return ctx.pool().statistics().held;
}

namespace detail {

// What `search_down` found: the number, if any fits, and the least that was taken.
struct search_result {
  std::optional<index> found;
  double least = std::numeric_limits<double>::infinity();
};

// Goes from `most` down to 0 while `taken(number)` is within `budget`; numbers before the first that is within are
// passed over.
template <class Taken>
[[nodiscard]] search_result search_down(index most, double budget, const Taken& taken) {
  search_result result;
  for (index number = most; number >= 0; --number) {
    const double now = taken(number);
    result.least = std::min(result.least, now);
    if (now <= budget)
      result.found = number;
    else if (result.found)
      break;
  }
  return result;
}

}  // namespace detail

/// The fewest checkpointed stages with which a step stays within `gibibytes` of tensors (2^30 bytes); found by trying
/// from all `stages` down, so it takes the time of some steps, and at most the memory of one with a stage fewer than
/// fit. The sizes alone decide; the number changes last bits of a run. @throws config_error if no number of stages is
/// enough
template <tensor_backend Backend>
[[nodiscard]] index checkpointed_within(double gibibytes, index stages, const method_builder<Backend>& method,
                                        const optimiser_builder<Backend>& optimisers, index queue,
                                        const step_batch& batch) {
  const auto [found, least] = detail::search_down(stages, gibibytes, [&](index number) {
    return static_cast<double>(step_bytes<Backend>(method, optimisers, number, queue, batch)) / (1 << 30);
  });
  if (found) return *found;
  throw config_error(text("train.memory = ", gibibytes, " GiB: a step takes at least ", least,
                          " GiB of tensors, however many stages are computed again; use a smaller batch.patch_size or "
                          "fewer crops per step"));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
