// SPDX-License-Identifier: Apache-2.0
// How micro-benches are measured: this machine's two limits, and every operation's share of them.
#ifndef COMODAL_BENCH_MICRO_HPP
#define COMODAL_BENCH_MICRO_HPP

#include <comodal/autograd/variable.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/core/runtime.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace bench {

using backend = comodal::default_backend;
using scalar = backend::scalar_type;
using variable = comodal::variable<backend>;
using variables = std::vector<variable>;

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline std::vector<scalar> waves(comodal::index count) {
  std::vector<scalar> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<scalar>(std::sin(0.37 * static_cast<double>(i)));
  return values;
}

// The least that an operation moves through memory and computes, once: what it is held against.
struct cost {
  double bytes = 0, flops = 0;
};

struct twice_body {
  const scalar* from;
  scalar* to;
  KOKKOS_INLINE_FUNCTION void operator()(comodal::index i) const { to[i] = scalar(2) * from[i]; }
};

// What the machine reaches where kernels run, the best of a second of tries each: a copy between two arrays of 32 MiB
// (on a device 256 MiB; bytes read and written), and multiply-adds in the registers of all threads, in float whatever
// the scalar is. What a device computes is not measured: there memory alone is the limit.
struct machine_limits {
  double bytes_per_second = 0, flops_per_second = 0;

  [[nodiscard]] double seconds(const cost& c) const {
    return std::max(c.bytes / bytes_per_second, c.flops / flops_per_second);
  }

  static double best(const std::function<void()>& work) {
    double least = std::numeric_limits<double>::infinity();
    for (const double end = now() + 1; now() < end;) {
      const double start = now();
      work();
      least = std::min(least, now() - start);
    }
    return least;
  }

  static machine_limits measured() {
#if defined(__AVX512F__)
    constexpr int lanes = 16 * 24;  // chains that fill the registers
#elif defined(__AVX__)
    constexpr int lanes = 8 * 12;
#else
    constexpr int lanes = 4 * 12;
#endif
    constexpr comodal::index count = comodal::is_host_v<backend::space_type> ? 1 << 23 : 1 << 26;
    constexpr int rounds = 100000;
    comodal::context<backend> ctx;
    const auto from = ctx.make({count}, waves(count)), to = ctx.make({count});
    const double copying = best([&] {
      comodal::for_elements(ctx.space(), count, twice_body{from.data(), to.data()});
      ctx.fence();
      benchmark::ClobberMemory();
    });
    const double bytes_per_second = 2.0 * sizeof(scalar) * count / copying;
    if constexpr (!comodal::is_host_v<backend::space_type>)
      return {bytes_per_second, std::numeric_limits<double>::infinity()};
    const int threads = comodal::host_threads();
    const double computing = best([&] {
#pragma omp parallel num_threads(threads)
      {
        float sums[lanes];
        for (int i = 0; i < lanes; ++i) sums[i] = static_cast<float>(i);
        for (int n = 0; n < rounds; ++n)
#pragma omp simd
          for (int i = 0; i < lanes; ++i) sums[i] = sums[i] * 0.999f + 0.001f;
        benchmark::DoNotOptimize(sums[0] + sums[lanes - 1]);
      }
    });
    return {bytes_per_second, 2.0 * lanes * rounds * threads / computing};
  }
};

// Registers micro-benches, and remembers of each its fastest run's share of the limit.
class suite {
 public:
  explicit suite(const machine_limits& limits) : m_limits(limits) {}

  // `run()` returns the seconds of one run; whatever it does besides is not timed.
  void add(const std::string& name, const cost& least, std::function<std::function<double()>(benchmark::State&)> make) {
    const double floor = m_limits.seconds(least);
    benchmark::RegisterBenchmark(name.c_str(),
                                 [this, name, least, floor, make = std::move(make)](benchmark::State& state) {
                                   const auto run = make(state);
                                   double fastest = std::numeric_limits<double>::infinity();
                                   (void)run();  // pages and plans
                                   for (auto _ : state) {
                                     const double seconds = run();
                                     fastest = std::min(fastest, seconds);
                                     state.SetIterationTime(seconds);
                                   }
                                   const auto rate = [&](double amount) {
                                     return benchmark::Counter(amount / fastest, benchmark::Counter::kDefaults,
                                                               benchmark::Counter::kIs1000);
                                   };
                                   if (least.bytes > 0) state.counters["bytes/s"] = rate(least.bytes);
                                   if (least.flops > 0) state.counters["FLOP/s"] = rate(least.flops);
                                   state.counters["% of limit"] = 100 * floor / fastest;
                                   double& share = m_shares[name];
                                   share = std::max(share, floor / fastest);
                                 })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }

  // f's forward pass alone, and its backward pass alone from a given gradient of its result.
  void add(const std::string& name, const std::vector<comodal::shape>& inputs, const cost& forward,
           const cost& backward, std::function<variable(const variables&)> f) {
    for (const bool back : {false, true}) {
      if (back && backward.bytes == 0 && backward.flops == 0) continue;
      add(comodal::text(name, back ? "/backward" : "/forward"), back ? backward : forward,
          [inputs, back, f](benchmark::State&) {
            auto ctx = std::make_shared<comodal::context<backend>>();
            auto home = std::make_shared<comodal::tape<backend>>(*ctx);
            variables leaves;
            for (const auto& s : inputs) leaves.push_back(home->leaf(ctx->make(s, waves(s.size()))));
            variable::tensor_type gradient;
            return std::function<double()>([=]() mutable {
              double start = now();
              if (back) {
                if (!gradient) {
                  const comodal::no_grad_scope<backend> quiet(*home);
                  const auto extents = f(leaves).shape();
                  gradient = ctx->make(extents, waves(extents.size()));
                }
                home->replay(
                    [&] {
                      const auto y = f(leaves);
                      ctx->fence();
                      start = now();
                      return y;
                    },
                    gradient);
                ctx->fence();
              } else {
                const comodal::no_grad_scope<backend> quiet(*home);
                benchmark::DoNotOptimize(f(leaves).value().data());
                ctx->fence();
              }
              const double seconds = now() - start;
              for (const auto& leaf : leaves) leaf.zero_grad();
              return seconds;
            });
          });
    }
  }

  // What ran below a share of its limit, slowest first.
  void print_below(double share) const {
    std::multimap<double, std::string> slow;
    for (const auto& [name, reached] : m_shares)
      if (reached < share) slow.emplace(reached, name);
    if (!slow.empty()) std::fprintf(stderr, "\nBelow %.0f %% of what memory and arithmetic allow:\n", 100 * share);
    for (const auto& [reached, name] : slow) std::fprintf(stderr, "%5.1f %%  %s\n", 100 * reached, name.c_str());
  }

 private:
  machine_limits m_limits;
  std::map<std::string, double> m_shares;
};

}  // namespace bench

#endif
