// SPDX-License-Identifier: Apache-2.0
// Convolutions on tile registers, emulated everywhere and in the processor's own where it has them, against the reference engine in double
// on the same bfloat16 numbers.
#define BOOST_TEST_MODULE engine_amx
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>

#include <comodal/engine/amx/conv3d.hpp>
#include <comodal/engine/amx/conv3d_weights.hpp>
#include <comodal/ops/conv3d.hpp>

#include <core/support.hpp>

#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <vector>

namespace comodal::tests {

using narrow = kokkos_backend<default_space, bfloat16>;
using exact = xtensor_backend<double>;

// What the instructions do (Intel's manual, volume 2), but for denormal numbers, which they take as 0.
struct emulated_tiles {
  struct registers {
    bool configured;
    detail::tile_shapes shapes;
    alignas(64) std::byte tiles[8][16][64];
  };
  static inline thread_local registers own;

  static void configure(const detail::tile_shapes& shapes) {
    own.shapes = shapes;
    own.configured = true;
    std::memset(own.tiles, 0, sizeof own.tiles);
  }
  static void release() {
    BOOST_TEST_REQUIRE(own.configured);
    own.configured = false;
  }
  template <int Tile>
  static void zero() {
    std::memset(own.tiles[Tile], 0, sizeof own.tiles[Tile]);
  }
  template <int Tile>
  static void load(const void* from, index pitch) {
    zero<Tile>();
    for (index r = 0; r < own.shapes.rows[Tile]; ++r) std::memcpy(own.tiles[Tile][r], static_cast<const std::byte*>(from) + r * pitch, own.shapes.bytes[Tile]);
  }
  template <int Tile>
  static void store(void* to, index pitch) {
    for (index r = 0; r < own.shapes.rows[Tile]; ++r) std::memcpy(static_cast<std::byte*>(to) + r * pitch, own.tiles[Tile][r], own.shapes.bytes[Tile]);
  }
  template <int Sum, int Left, int Right>
  static void multiply() {
    if (!own.configured) throw error("a product before the tiles have shapes");
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
};
static_assert(detail::tile_registers<emulated_tiles>);

// Memory that ends where no page is, all NaN at first: what reads behind it stops the test, what reads before it writes spoils a sum.
template <class T>
class guarded {
 public:
  explicit guarded(index count) : m_bytes(static_cast<std::size_t>(count) * sizeof(T)), m_pages((m_bytes + page - 1) / page * page) {
    void* const start = mmap(nullptr, m_pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) throw error("no memory");
    m_start = static_cast<std::byte*>(start);
    std::memset(start, 0xff, m_pages);
    mprotect(m_start + m_pages, page, PROT_NONE);
  }
  guarded(const guarded&) = delete;
  guarded& operator=(const guarded&) = delete;
  ~guarded() { munmap(m_start, m_pages + page); }
  [[nodiscard]] T* data() const { return reinterpret_cast<T*>(m_start + m_pages - m_bytes); }

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
double rounded_difference(const std::vector<bfloat16>& found, const std::vector<double>& expected) {
  BOOST_TEST_REQUIRE(found.size() == expected.size());
  double largest = 0, worst = 0;
  for (const double e : expected) largest = std::max(largest, std::abs(e));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double off = std::abs(static_cast<double>(static_cast<float>(found[i])) - expected[i]);
    worst = std::max(worst, std::isfinite(off) ? off / std::max(std::abs(expected[i]), largest / 100) : HUGE_VAL);
  }
  return worst;
}

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
                                {"more than one block", 2, {6, 18, 24}, {3, 3, 3}, {16}, 16},
                                {"more than one block of many channels", 1, {4, 8, 12}, {3, 3, 3}, {96, 32}, 16}};

template <class Tiles>
void agree(const layer& l) {
  context<narrow> ctx;
  context<exact> reference;
  const guarded_context memory;
  conv3d_problem p{l.batch, l.size, 0, l.out, l.filter};
  p.in_channels = 0;
  for (const index channels : l.in) p.in_channels += channels;
  const auto both = [&](const shape& s, std::uint32_t key) {
    auto small = ctx.make(s, converted<bfloat16>(values(s.size(), key)));
    return std::pair{small, reference.make(s, converted<double>(to_host(ctx.space(), small)))};
  };
  const auto [w, exact_w] = both(p.weight_shape(), 1);
  const auto [dy, exact_dy] = both(p.output_shape(), 2);
  const auto [x, exact_x] = both(p.input_shape(), 3);
  const auto bias = ctx.make({l.out}, converted<bfloat16>(values(l.out, 4)));

  std::vector<std::unique_ptr<guarded<bfloat16>>> maps;
  detail::tile_source source;
  source.number = 0;
  const auto all = to_host(ctx.space(), x);
  for (index first = 0; const index channels : l.in) {
    std::vector<bfloat16> own;
    for (index v = 0; v < x.size() / p.in_channels; ++v)
      for (index c = 0; c < channels; ++c) own.push_back(all[static_cast<std::size_t>(v * p.in_channels + first + c)]);
    maps.push_back(std::make_unique<guarded<bfloat16>>(static_cast<index>(own.size())));
    std::copy(own.begin(), own.end(), maps.back()->data());
    source.parts[source.number++] = {maps.back()->data(), channels, nullptr};
    first += channels;
  }
  const auto compare = [&](const char* what, const auto& found, const std::vector<double>& expected) {
    const double off = rounded_difference(to_host(ctx.space(), found), expected);
    BOOST_TEST(off <= rounding, l.what << ", " << what << ": " << off);
  };

  const detail::conv3d_sizes s(p);
  auto y = ctx.make(p.output_shape()), dw = ctx.make(p.weight_shape());
  auto expected = to_host(reference.space(), ops::conv3d(reference, exact_x, exact_w));
  detail::tile_conv3d<Tiles, detail::weight_order::plain>(memory, s, s, source, w.data(), nullptr, y.data());
  compare("forward", y, expected);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += static_cast<double>(static_cast<float>(bias.data()[i % static_cast<std::size_t>(l.out)]));
  detail::tile_conv3d<Tiles, detail::weight_order::plain>(memory, s, s, source, w.data(), bias.data(), y.data());
  compare("forward with a bias", y, expected);

  const auto data = to_host(reference.space(), ops::conv3d_backward_data(reference, p, exact_dy, exact_w));
  const detail::tile_source gradient{{{dy.data(), l.out, nullptr}}};
  for (index first = 0; const index channels : l.in) {
    std::vector<double> own;
    for (index v = 0; v < x.size() / p.in_channels; ++v)
      for (index c = 0; c < channels; ++c) own.push_back(data[static_cast<std::size_t>(v * p.in_channels + first + c)]);
    auto dx = ctx.make({l.batch, l.size[0], l.size[1], l.size[2], channels});
    const detail::conv3d_sizes back = s.of_part(first, channels).of_backward_data();
    detail::tile_conv3d<Tiles, detail::weight_order::flipped>(memory, back, back, gradient, w.data(), nullptr, dx.data());
    compare("backward data", dx, own);
    first += channels;
  }
  detail::tile_conv3d_weights<Tiles, detail::weight_order::plain>(memory, s, s, source, dy.data(), dw.data());
  compare("backward weights", dw, to_host(reference.space(), ops::conv3d_backward_weights(reference, p, exact_x, exact_dy)));
}

struct transposed_layer {
  const char* what;
  conv_transpose3d_problem p;
};

const std::vector<transposed_layer> transposed_layers{{"twice as large", {2, {3, 4, 17}, 32, 16, {2, 2, 2}}},
                                                      {"odd channels", {1, {2, 3, 9}, 5, 7, {2, 2, 2}}},
                                                      {"flat", {1, {5, 6, 11}, 16, 24, {1, 2, 2}}},
                                                      {"single", {1, {3, 2, 5}, 16, 16, {1, 1, 1}}},
                                                      {"uneven", {1, {2, 9, 6}, 40, 33, {3, 1, 2}}},
                                                      {"more than one block", {1, {6, 10, 12}, 64, 32, {2, 2, 2}}}};

template <class Tiles>
void agree(const transposed_layer& l) {
  context<narrow> ctx;
  context<exact> reference;
  const guarded_context memory;
  const auto both = [&](const shape& s, std::uint32_t key) {
    auto small = std::make_unique<guarded<bfloat16>>(s.size());
    const auto numbers = converted<bfloat16>(values(s.size(), key));
    std::copy(numbers.begin(), numbers.end(), small->data());
    return std::pair{std::move(small), reference.make(s, converted<double>(numbers))};
  };
  const auto [x, exact_x] = both(l.p.input_shape(), 1);
  const auto [w, exact_w] = both(l.p.weight_shape(), 2);
  const auto [dy, exact_dy] = both(l.p.output_shape(), 3);
  const auto [bias, exact_bias] = both(shape{l.p.out_channels}, 4);
  auto y = ctx.make(l.p.output_shape()), dx = ctx.make(l.p.input_shape()), dw = ctx.make(l.p.weight_shape());
  auto exact_y = reference.make(l.p.output_shape()), exact_dx = reference.make(l.p.input_shape()), exact_dw = reference.make(l.p.weight_shape());
  const auto compare = [&](const char* what, const auto& found, const auto& expected) {
    const double off = rounded_difference(to_host(ctx.space(), found), to_host(reference.space(), expected));
    BOOST_TEST(off <= rounding, "transposed, " << l.what << ", " << what << ": " << off);
  };
  kernels<exact>::conv_transpose3d_forward(reference, l.p, exact_x.data(), exact_w.data(), exact_bias.data(), exact_y.data());
  kernels<exact>::conv_transpose3d_backward_data(reference, l.p, exact_dy.data(), exact_w.data(), exact_dx.data());
  kernels<exact>::conv_transpose3d_backward_weights(reference, l.p, exact_x.data(), exact_dy.data(), exact_dw.data());
  detail::tile_conv_transpose3d<Tiles>(memory, l.p, x->data(), w->data(), bias->data(), y.data());
  detail::tile_conv_transpose3d_data<Tiles>(memory, l.p, dy->data(), w->data(), dx.data());
  detail::tile_conv_transpose3d_weights<Tiles>(memory, l.p, x->data(), dy->data(), dw.data());
  compare("forward with a bias", y, exact_y);
  compare("backward data", dx, exact_dx);
  compare("backward weights", dw, exact_dw);
}

BOOST_AUTO_TEST_CASE(emulated_tiles_agree_with_the_reference) {
  for (const layer& l : layers) agree<emulated_tiles>(l);
  for (const transposed_layer& l : transposed_layers) agree<emulated_tiles>(l);
}

BOOST_AUTO_TEST_CASE(the_processors_tiles_agree_with_the_reference) {
#if defined(COMODAL_ENABLE_AMX)
  if (detail::amx_available()) {
    for (const layer& l : layers) agree<detail::amx_tiles>(l);
    for (const transposed_layer& l : transposed_layers) agree<detail::amx_tiles>(l);
    return;
  }
#endif
  BOOST_TEST_MESSAGE("LEFT OUT: this processor, system or compiler has no AMX");
}

}  // namespace comodal::tests
