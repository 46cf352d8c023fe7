// SPDX-License-Identifier: Apache-2.0
// Single operations on the host: convolutions by engine and direction with FLOP/s (multiply-add = 2), the others with bytes/s of the
// maps that they must read and write once; and this machine's limits, a multiply-add loop in registers and a copy, to hold them against.
#include <comodal/autograd/gating.hpp>
#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/segmentation.hpp>
#include <comodal/core/runtime.hpp>

#include <benchmark/benchmark.h>

#include <omp.h>

#include <cmath>
#include <functional>
#include <string>

namespace {

using backend = comodal::kokkos_backend<>;
using comodal::conv3d_direction;
using comodal::conv3d_problem;
using comodal::shape;
using variable = comodal::variable<backend>;
using comodal::text;

std::vector<float> waves(comodal::index count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.37f * static_cast<float>(i));
  return values;
}

void convolution(benchmark::State& state, const conv3d_problem& p, conv3d_direction direction, comodal::engine_choice engines) {
  comodal::context<backend> ctx;
  ctx.engines = engines;
  const auto make = [&](const shape& s) { return ctx.make(s, waves(s.size())); };
  const auto x = make(p.input_shape()), w = make(p.weight_shape()), y = make(p.output_shape());
  for (auto _ : state) comodal::ops::detail::run_conv3d(ctx, p, direction, x.data(), w.data(), y.data());
  state.SetLabel(std::string(ctx.runs().begin()->first.second));
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * static_cast<double>(p.multiply_adds()), benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

// Forward alone, or forward and backward of sum(f); `bytes`: what must pass through memory.
void operation(benchmark::State& state, const std::vector<shape>& shapes, double bytes, bool backward, const std::function<variable(const std::vector<variable>&)>& f) {
  comodal::context<backend> ctx;
  comodal::tape<backend> home(ctx);
  std::vector<variable> inputs;
  for (const auto& s : shapes) inputs.push_back(home.leaf(ctx.make(s, waves(s.size()))));
  for (auto _ : state) {
    if (backward) {
      home.backward(comodal::sum(f(inputs)));
      for (const auto& input : inputs) input.zero_grad();
    } else {
      const comodal::no_grad_scope<backend> quiet(home);
      benchmark::DoNotOptimize(f(inputs).value().data());
    }
  }
  state.counters["bytes/s"] = benchmark::Counter(bytes, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

void multiply_adds(benchmark::State& state) {
  constexpr int lanes = 16 * 24;
  for (auto _ : state) {
#pragma omp parallel
    {
      float sums[lanes];
      for (int i = 0; i < lanes; ++i) sums[i] = static_cast<float>(i);
      for (int n = 0; n < 100000; ++n)
#pragma omp simd
        for (int i = 0; i < lanes; ++i) sums[i] = sums[i] * 0.999f + 0.001f;
      benchmark::DoNotOptimize(sums[0] + sums[lanes - 1]);
    }
  }
  state.counters["FLOP/s"] = benchmark::Counter(2.0 * lanes * 100000 * omp_get_max_threads(), benchmark::Counter::kIsIterationInvariantRate,
                                                benchmark::Counter::kIs1000);
}

}  // namespace

int main(int argc, char** argv) {
  const comodal::runtime scope;
  benchmark::Initialize(&argc, argv);
  const auto add = [](const std::string& name, auto body) { benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime()->Unit(benchmark::kMillisecond); };

  add("limit/multiply_adds", multiply_adds);
  const shape finest{2, 64, 64, 64, 16};
  const double map = static_cast<double>(finest.size()) * sizeof(float);
  add("limit/copy", [=](benchmark::State& s) { operation(s, {finest}, 2 * map, false, [](const auto& v) { return comodal::scale(v[0], 2.0); }); });

  struct layer {
    comodal::index size, in, out, filter, stride;
  };
  for (const layer& l : {layer{64, 2, 16, 3, 1}, layer{64, 16, 16, 3, 1}, layer{64, 32, 16, 3, 1}, layer{64, 16, 3, 1, 1}, layer{32, 32, 32, 3, 1},
                         layer{32, 64, 32, 3, 1}, layer{16, 64, 64, 3, 1}, layer{16, 128, 64, 3, 1}, layer{8, 128, 128, 3, 1}, layer{48, 8, 8, 3, 1},
                         layer{48, 8, 16, 3, 2}}) {
    const conv3d_problem p{2, {l.size, l.size, l.size}, l.in, l.out, {l.filter, l.filter, l.filter}, {l.stride, l.stride, l.stride}};
    for (const auto d : {conv3d_direction::forward, conv3d_direction::backward_data, conv3d_direction::backward_weights})
      for (const auto engines : {comodal::engine_choice::vendor, comodal::engine_choice::portable})
        add(text(comodal::name_of(d), "/", l.in, "->", l.out, "/", l.size, "^3/filter ", l.filter, "/stride ", l.stride,
                 engines == comodal::engine_choice::vendor ? "/vendor" : "/portable"),
            [=](benchmark::State& s) { convolution(s, p, d, engines); });
  }

  struct work {
    const char* name;
    std::vector<shape> shapes;
    double forward, both;  // maps of the finest size that must be read or written once
    std::function<variable(const std::vector<variable>&)> f;
  };
  const shape channels{16}, half{2, 32, 32, 32, 32};
  const std::vector<work> works{
      {"instance_norm", {finest, channels, channels}, 3, 3 + 6, [](const auto& v) { return comodal::instance_norm(v[0], v[1], v[2]); }},
      {"max_pool3d", {finest}, 1.2, 2.4 + 0.2, [](const auto& v) { return comodal::max_pool3d(v[0], {2, 2, 2}); }},
      {"conv_transpose3d 32->16", {half, {2, 2, 2, 32, 16}}, 1.25, 4, [](const auto& v) { return comodal::conv_transpose3d(v[0], v[1]); }},
      {"gated_add", {finest, finest, finest, channels}, 4, 4 + 7, [](const auto& v) { return comodal::gated_add(v[0], v[1], v[2], v[3]); }},
      {"softmax of 4", {{2, 64, 64, 64, 4}}, 0.5, 1.25, [](const auto& v) { return comodal::softmax(v[0], -1); }},
      {"segmentation_sums of 4", {{2, 64, 64, 64, 4}, {2, 64, 64, 64, 4}}, 0.5, 1.25,
       [](const auto& v) { return comodal::segmentation_sums(v[0], comodal::detach(v[1])); }}};
  for (const auto& w : works)
    for (const bool backward : {false, true})
      add(text(w.name, backward ? "/forward and backward" : "/forward"),
          [=](benchmark::State& s) { operation(s, w.shapes, map * (backward ? w.both : w.forward), backward, w.f); });

  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
