// SPDX-License-Identifier: Apache-2.0
// Convolutions on tile registers, emulated everywhere and in the processor's own where it has them, against the
// reference engine in double on the same bfloat16 numbers.
#define BOOST_TEST_MODULE engine_amx
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>

#include <comodal/engine/amx/conv3d_weights.hpp>
#include <comodal/ops/conv3d.hpp>

#include <core/support.hpp>
#include <engine/guarded.hpp>
#include <skip.hpp>

#include <atomic>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

namespace comodal::tests {

using exact = xtensor_backend<double>;

// What the instructions do (Intel's manual, volume 2), but for denormal numbers, which they take as 0.
struct emulated_tiles {
  struct registers {
    bool configured;
    engine_detail::tile_shapes shapes;
    alignas(64) std::byte tiles[8][16][64];
  };
  static inline thread_local registers own;
  static inline std::atomic<int> faults{
      0};  // uses before the tiles have shapes: workers must not call the test's own checks

  static void configure(const engine_detail::tile_shapes& shapes) {
    own.shapes = shapes;
    own.configured = true;
    std::memset(own.tiles, 0, sizeof own.tiles);
  }
  static void release() {
    faults += !own.configured;
    own.configured = false;
  }
  template <int Tile>
  static void zero() {
    std::memset(own.tiles[Tile], 0, sizeof own.tiles[Tile]);
  }
  template <int Tile>
  static void load(const void* from, index pitch) {
    zero<Tile>();
    for (index r = 0; r < own.shapes.rows[Tile]; ++r)
      std::memcpy(own.tiles[Tile][r], static_cast<const std::byte*>(from) + r * pitch, own.shapes.bytes[Tile]);
  }
  template <int Tile>
  static void store(void* to, index pitch) {
    for (index r = 0; r < own.shapes.rows[Tile]; ++r)
      std::memcpy(static_cast<std::byte*>(to) + r * pitch, own.tiles[Tile][r], own.shapes.bytes[Tile]);
  }
  template <int Sum, int Left, int Right>
  static void multiply() {
    faults += !own.configured;
    const auto number = [](int tile, index r, index k) {
      bfloat16 value;
      std::memcpy(&value, &own.tiles[tile][r][2 * k], 2);
      return static_cast<float>(value);
    };
    for (index m = 0; m < 16; ++m)
      for (index n = 0; n < 16; ++n) {
        float sum, even = 0, odd = 0;
        std::memcpy(&sum, &own.tiles[Sum][m][4 * n], 4);
        for (index k = 0; k < 16; ++k) {
          even += number(Left, m, 2 * k) * number(Right, k, 2 * n);
          odd += number(Left, m, 2 * k + 1) * number(Right, k, 2 * n + 1);
        }
        sum += even + odd;
        std::memcpy(&own.tiles[Sum][m][4 * n], &sum, 4);
      }
  }
  template <int Channels>
  static void round(const float* sums, const float* bias, bfloat16* to) {
    for (int i = 0; i < Channels; ++i) to[i] = bfloat16(sums[i] + bias[i]);
  }
};
static_assert(engine_detail::tile_registers<emulated_tiles>);

struct layer {
  const char* what;
  index batch;
  extent3 size, filter;
  std::vector<index> in;  // channels of maps side by side
  index out;
};

const std::vector<layer> layers{{"16 channels", 2, {3, 5, 16}, {3, 3, 3}, {16}, 16},
                                {"first convolution", 1, {4, 6, 30}, {3, 3, 3}, {2}, 16},
                                {"one channel, narrow outputs", 1, {2, 7, 19}, {3, 3, 3}, {1}, 3},
                                {"odd channels", 2, {3, 4, 9}, {3, 3, 3}, {5}, 7},
                                {"32 channels", 1, {3, 4, 33}, {3, 3, 3}, {32}, 48},
                                {"many channels, small maps", 2, {3, 4, 4}, {3, 3, 3}, {128}, 40},
                                {"one voxel", 2, {1, 1, 1}, {3, 3, 3}, {17}, 16},
                                {"short rows", 1, {4, 9, 2}, {3, 3, 3}, {16}, 16},
                                {"single taps", 2, {3, 5, 21}, {1, 1, 1}, {16}, 3},
                                {"single taps, many channels", 1, {2, 9, 7}, {1, 1, 1}, {40}, 33},
                                {"flat filter", 1, {5, 6, 12}, {1, 3, 3}, {8}, 24},
                                {"upright filter", 1, {5, 6, 12}, {3, 1, 1}, {8}, 24},
                                {"odd filter", 1, {4, 8, 13}, {1, 5, 7}, {6}, 10},
                                {"maps side by side", 2, {3, 6, 18}, {3, 3, 3}, {8, 3, 16}, 20},
                                {"long filter", 1, {2, 2, 1}, {15, 15, 15}, {1}, 1},
                                {"long rows of taps", 1, {3, 2, 40}, {1, 1, 15}, {3, 16}, 33},
                                {"three samples of single taps", 3, {5, 3, 1}, {1, 1, 1}, {17}, 1},
                                {"more than one block", 2, {6, 18, 24}, {3, 3, 3}, {16}, 16},
                                {"more than one block of many channels", 1, {4, 8, 12}, {3, 3, 3}, {96, 32}, 16}};

template <class Tiles>
void agree(const layer& l) {
  context<exact> reference;
  const guarded_context memory;
  conv3d_problem p{l.batch, l.size, 0, l.out, l.filter};
  p.in_channels = std::accumulate(l.in.begin(), l.in.end(), index{0});
  const auto numbers = [](const shape& s, std::uint32_t key) { return converted<bfloat16>(values(s.size(), key)); };
  const auto exactly = [&](const shape& s, std::uint32_t key) {
    return reference.make(s, converted<double>(numbers(s, key)));
  };
  const guarded<bfloat16> w(numbers(p.weight_shape(), 1)), dy(numbers(p.output_shape(), 2)), bias(numbers({l.out}, 4));
  const auto exact_w = exactly(p.weight_shape(), 1), exact_dy = exactly(p.output_shape(), 2),
             exact_x = exactly(p.input_shape(), 3);

  std::vector<std::unique_ptr<guarded<bfloat16>>> maps;
  engine_detail::tile_source source;
  source.number = 0;
  expectations expected{{"forward", to_host(reference.space(), ops::conv3d(reference, exact_x, exact_w))}};
  expected.emplace_back("forward with a bias", expected[0].second);
  for (std::size_t i = 0; i < expected[1].second.size(); ++i)
    expected[1].second[i] += static_cast<double>(static_cast<float>(bias.data()[i % static_cast<std::size_t>(l.out)]));
  expected.emplace_back("backward weights",
                        to_host(reference.space(), ops::conv3d_backward_weights(reference, p, exact_x, exact_dy)));
  const auto data = to_host(reference.space(), ops::conv3d_backward_data(reference, p, exact_dy, exact_w));
  for (index first = 0; const index channels : l.in) {
    maps.push_back(std::make_unique<guarded<bfloat16>>(
        some_channels(numbers(p.input_shape(), 3), p.in_channels, first, channels)));
    source.parts[source.number++] = {maps.back()->data(), channels, nullptr};
    expected.emplace_back("backward data", some_channels(data, p.in_channels, first, channels));
    first += channels;
  }

  const auto run = [&] {
    const engine_detail::conv3d_sizes s(p);
    const guarded<bfloat16> y(p.output_shape().size()), with_bias(p.output_shape().size()), dw(p.weight_shape().size());
    engine_detail::tile_conv3d<Tiles, engine_detail::weight_order::plain>(memory, s, source, w.data(), nullptr,
                                                                          y.data());
    engine_detail::tile_conv3d<Tiles, engine_detail::weight_order::plain>(memory, s, source, w.data(), bias.data(),
                                                                          with_bias.data());
    engine_detail::tile_conv3d_weights<Tiles, engine_detail::weight_order::plain>(memory, s, s, source, dy.data(),
                                                                                  dw.data());
    results all{y.numbers(), with_bias.numbers(), dw.numbers()};
    for (index first = 0; const index channels : l.in) {
      const guarded<bfloat16> dx(p.input_shape().size() / p.in_channels * channels);
      engine_detail::tile_conv3d<Tiles, engine_detail::weight_order::flipped>(
          memory, s.of_part(first, channels).of_backward_data(), {{{dy.data(), l.out, nullptr}}}, w.data(), nullptr,
          dx.data());
      all.push_back(dx.numbers());
      first += channels;
    }
    return all;
  };
  compare(l.what, run, expected);
}

struct transposed_layer {
  const char* what;
  conv3d_problem p;
  transposed_layer(const char* what, index batch, const extent3& input, index in, index out, const extent3& factor)
      : what(what), p(conv3d_problem::transposed(batch, input, in, out, factor)) {}
};

const std::vector<transposed_layer> transposed_layers{
    {"twice as large", 2, {3, 4, 17}, 32, 16, {2, 2, 2}}, {"odd channels", 1, {2, 3, 9}, 5, 7, {2, 2, 2}},
    {"flat", 1, {5, 6, 11}, 16, 24, {1, 2, 2}},           {"single", 1, {3, 2, 5}, 16, 16, {1, 1, 1}},
    {"uneven", 1, {2, 9, 6}, 40, 33, {3, 1, 2}},          {"more than one block", 1, {6, 10, 12}, 64, 32, {2, 2, 2}}};

template <class Tiles>
void agree(const transposed_layer& l) {
  context<exact> reference;
  const guarded_context memory;
  const auto& p = l.p;  // leads back: its output is x, its input y
  const auto numbers = [](const shape& s, std::uint32_t key) { return converted<bfloat16>(values(s.size(), key)); };
  const auto exactly = [&](const shape& s, std::uint32_t key) {
    return reference.make(s, converted<double>(numbers(s, key)));
  };
  const shape small = p.output_shape(), large = p.input_shape();
  const guarded<bfloat16> x(numbers(small, 1)), w(numbers(p.weight_shape(), 2)), dy(numbers(large, 3)),
      bias(numbers({p.in_channels}, 4));
  const auto exact_x = exactly(small, 1), exact_w = exactly(p.weight_shape(), 2), exact_dy = exactly(large, 3),
             exact_bias = exactly({p.in_channels}, 4);
  const auto exact_y = ops::conv_transpose3d(reference, p, exact_x, exact_w, exact_bias);
  const auto exact_dx = ops::conv_transpose3d_backward_data(reference, p, exact_dy, exact_w);
  const auto exact_dw = ops::conv_transpose3d_backward_weights(reference, p, exact_x, exact_dy);
  const auto run = [&] {
    const guarded<bfloat16> y(large.size()), dx(small.size()), dw(p.weight_shape().size());
    engine_detail::tile_conv_transpose3d<Tiles>(memory, engine_detail::transposed_conv3d(p), x.data(), w.data(),
                                                bias.data(), y.data());
    engine_detail::tile_conv_transpose3d_data<Tiles>(memory, p, dy.data(), w.data(), dx.data());
    engine_detail::tile_conv_transpose3d_weights<Tiles>(memory, p, x.data(), dy.data(), dw.data());
    return results{y.numbers(), dx.numbers(), dw.numbers()};
  };
  const auto host = [&](const auto& tensor) { return to_host(reference.space(), tensor); };
  compare(l.what, run,
          {{"transposed forward with a bias", host(exact_y)},
           {"transposed backward data", host(exact_dx)},
           {"transposed backward weights", host(exact_dw)}});
}

BOOST_AUTO_TEST_CASE(emulated_tiles_agree_with_the_reference) {
  for (const layer& l : layers) agree<emulated_tiles>(l);
  for (const transposed_layer& l : transposed_layers) agree<emulated_tiles>(l);
  BOOST_TEST(emulated_tiles::faults == 0);
}

BOOST_AUTO_TEST_CASE(the_processors_tiles_agree_with_the_reference) {
#if defined(COMODAL_HAS_AMX)
  if (processor::this_machine().amx_bf16) {
    for (const layer& l : layers) agree<engine_detail::amx_tiles>(l);
    for (const transposed_layer& l : transposed_layers) agree<engine_detail::amx_tiles>(l);
    return;
  }
#endif
  skip("this processor, system or compiler has no AMX");
}

}  // namespace comodal::tests
