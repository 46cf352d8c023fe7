// SPDX-License-Identifier: Apache-2.0
/// @file
/// Makes batches ahead of the training loop on threads of its own, and hands them out strictly in the order of the
/// steps.
#ifndef COMODAL_DATA_PREFETCH_HPP
#define COMODAL_DATA_PREFETCH_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/shape.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// How many threads make batches, and how many batches they may be ahead of the training loop.
struct prefetch_options {
  index threads = 2;
  index depth = 4;
};

/// Calls `visit(name, reference, help)` for every option; both are of type `index`.
template <class Options, class Visit>
void visit_prefetch_options(Options& o, Visit&& visit) {
  visit("prefetch.threads", o.threads, "threads that make crops beside the training; 0: training waits for each batch");
  visit("prefetch.depth", o.depth, "batches that may be ready ahead of the training");
}

/// @throws config_error naming the key that makes no sense
inline void check(const prefetch_options& o) {
  if (o.threads < 0 || o.threads > 1024)
    throw config_error(text("prefetch.threads = ", o.threads, ": expected 0 to 1024"));
  if (o.depth < 1 || o.depth > 1024) throw config_error(text("prefetch.depth = ", o.depth, ": expected 1 to 1024"));
}

/// The batches of the steps `first`, `first` + 1, ... of a maker: a type with a member type `batch_type` and
/// `void make(std::uint32_t step, batch_type& batch) const` that several threads may call, a function of the step
/// alone. The maker must outlive the prefetcher. One thread consumes.
template <class Maker>
class prefetcher {
 public:
  using batch_type = typename Maker::batch_type;

  /// @throws config_error for a negative number of threads or a depth below 1
  explicit prefetcher(const Maker& maker, std::uint32_t first = 0, const prefetch_options& options = {})
      : m_maker(maker),
        m_threaded(options.threads > 0),
        m_depth(static_cast<std::uint64_t>(options.depth)),
        m_next(first),
        m_claimed(first) {
    check(options);
    try {
      for (index t = 0; t < std::min(options.threads, options.depth); ++t) m_threads.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  prefetcher(const prefetcher&) = delete;
  prefetcher& operator=(const prefetcher&) = delete;
  /// Waits for the batches that are being made, at most one per thread.
  ~prefetcher() { stop(); }

  /// The step of the batch that `next` gives.
  [[nodiscard]] std::uint32_t step() const { return static_cast<std::uint32_t>(m_next); }

  /// The batch of the next step; waits for it. Rethrows what the maker threw for that step, again at every call until
  /// `restart`.
  [[nodiscard]] batch_type next() {
    if (!m_threaded) {
      batch_type batch = spare();
      m_maker.make(step(), batch);
      ++m_next;
      return batch;
    }
    std::unique_lock lock(m_mutex);
    m_finished.wait(lock, [this] { return m_ready.contains(m_next); });
    const auto found = m_ready.find(m_next);
    if (found->second.error) std::rethrow_exception(found->second.error);
    batch_type batch = std::move(found->second.batch);
    m_ready.erase(found);
    ++m_next;
    m_wanted.notify_one();
    return batch;
  }

  /// Gives a batch back, so that its memory serves a later one. Then a steady state allocates no large memory.
  void recycle(batch_type&& batch) {
    const std::lock_guard lock(m_mutex);
    m_spare.push_back(std::move(batch));
  }

  /// Discards what was made ahead, calls `change()` while no thread uses the maker, and goes on with the same step. For
  /// what changes the batches to come, such as `batch_maker::set_guide`.
  template <class Change>
  void between_steps(Change&& change) {
    between(m_next, change);
  }

  /// Goes on with the batch of another step.
  void restart(std::uint32_t first) {
    between(first, [] {});
  }

 private:
  struct outcome {
    batch_type batch;
    std::exception_ptr error;
  };

  [[nodiscard]] batch_type spare() {
    if (m_spare.empty()) return {};
    batch_type batch = std::move(m_spare.back());
    m_spare.pop_back();
    return batch;
  }

  template <class Change>
  void between(std::uint64_t first, Change&& change) {
    std::unique_lock lock(m_mutex);
    m_paused = true;
    m_finished.wait(lock, [this] { return m_running == 0; });
    for (auto& [step, made] : m_ready) m_spare.push_back(std::move(made.batch));
    m_ready.clear();
    m_next = m_claimed = first;
    lock.unlock();
    const auto go_on = [&] {
      lock.lock();
      m_paused = false;
      m_wanted.notify_all();
    };
    try {
      change();
    } catch (...) {
      go_on();
      throw;
    }
    go_on();
  }

  void work() {
    std::unique_lock lock(m_mutex);
    for (;;) {
      m_wanted.wait(lock, [this] { return m_stopped || (!m_paused && m_claimed < m_next + m_depth); });
      if (m_stopped) return;
      const std::uint64_t step = m_claimed++;
      ++m_running;
      outcome made{spare(), nullptr};
      lock.unlock();
      try {
        m_maker.make(static_cast<std::uint32_t>(step), made.batch);
      } catch (...) {
        made.error = std::current_exception();
      }
      lock.lock();
      --m_running;
      m_ready.emplace(step, std::move(made));
      m_finished.notify_all();
    }
  }

  void stop() {
    {
      const std::lock_guard lock(m_mutex);
      m_stopped = true;
    }
    m_wanted.notify_all();
    for (auto& thread : m_threads) thread.join();
    m_threads.clear();
  }

  const Maker& m_maker;
  bool m_threaded;
  std::uint64_t m_depth, m_next, m_claimed;  // next: to hand out; claimed: the first that no thread has begun
  bool m_stopped = false, m_paused = false;
  index m_running = 0;
  std::map<std::uint64_t, outcome> m_ready;
  std::vector<batch_type> m_spare;
  std::mutex m_mutex;
  std::condition_variable m_wanted, m_finished;
  std::vector<std::thread> m_threads;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
