// SPDX-License-Identifier: Apache-2.0
// Convolutions by pairs of bfloat16 in vector registers against the reference engine in double on the same numbers, and
// what they serve.
#define BOOST_TEST_MODULE engine_pairs
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>

#include <comodal/engine/host/pair_conv3d.hpp>
#include <comodal/ops/conv3d.hpp>

#include <core/support.hpp>
#include <engine/guarded.hpp>
#include <skip.hpp>

#include <memory>
#include <vector>

namespace comodal::tests {

const direction directions[] = {direction::forward, direction::backward, direction::backward_weights};

conv3d_problem single_taps(index batch, const extent3& size, const std::vector<index>& in, index out) {
  conv3d_problem p(batch, size, 0, out, {1, 1, 1});
  for (const index channels : in) p.in_channels += channels;
  p.set_parts(in);
  return p;
}

BOOST_AUTO_TEST_CASE(even_sums_of_single_taps_and_blocks_are_served) {
  if (!engine_detail::pairs_compiled) return skip("this program has no kernels for pairs of bfloat16");
  const auto served = [](const conv3d_problem& p) {
    std::string which;
    for (const direction d : directions) which += engine_detail::pairs_serve(p, d) ? 'y' : 'n';
    return which;
  };
  BOOST_TEST(served(single_taps(1, {2, 3, 4}, {16}, 8)) == "yyy");
  BOOST_TEST(served(single_taps(1, {2, 3, 4}, {16}, 3)) == "yny");
  BOOST_TEST(served(single_taps(1, {2, 3, 4}, {5}, 4)) == "nyy");
  BOOST_TEST(served(single_taps(1, {2, 3, 4}, {3, 5}, 4)) == "nyy");
  BOOST_TEST(served(single_taps(1, {2, 3, 4}, {2, 6}, 4)) == "yyy");
  BOOST_TEST(served({1, {4, 4, 4}, 16, 8, {1, 1, 1}, {2, 2, 2}}) == "nnn");
  BOOST_TEST(served({1, {4, 4, 4}, 16, 8}) == "nnn");
  BOOST_TEST(served(conv3d_problem::transposed(1, {2, 3, 4}, 16, 8, {2, 2, 2})) == "yyy");
  BOOST_TEST(served(conv3d_problem::transposed(1, {2, 3, 4}, 5, 8, {1, 2, 2})) == "yny");
  BOOST_TEST(served(conv3d_problem::transposed(1, {2, 3, 4}, 8, 5, {1, 2, 2})) == "nyy");
  BOOST_TEST(served(conv3d_problem::transposed(1, {2, 3, 4}, 8, 8, {5, 5, 5})) == "nnn");
}

#if defined(COMODAL_HAS_PAIR_PRODUCTS)

using exact = xtensor_backend<double>;

// Numbers of one tensor, as the kernels and the reference take them.
struct operand {
  std::vector<bfloat16> numbers;
  operand(const shape& s, std::uint32_t key) : numbers(converted<bfloat16>(values(s.size(), key))) {}
  [[nodiscard]] auto of(context<exact>& ctx, const shape& s) const { return ctx.make(s, converted<double>(numbers)); }
};

void agree(const conv3d_problem& p) {
  using kernels = engine_detail::pair_conv3d<const guarded_context>;
  context<exact> reference;
  const guarded_context memory;
  conv3d_problem whole = p;  // one map of all channels
  whole.set_parts(std::vector{p.in_channels});
  const shape in = p.input_shape(), out = p.output_shape();
  const index bias_channels = p.is_blocks() ? p.in_channels : p.out_channels;
  const operand x(in, 1), w(p.weight_shape(), 2), y(out, 3), bias({bias_channels}, 4);
  const guarded<bfloat16> own_w(w.numbers), own_y(y.numbers), own_bias(bias.numbers);
  const auto exact_x = x.of(reference, in), exact_w = w.of(reference, p.weight_shape()), exact_y = y.of(reference, out);
  const auto host = [&](const auto& tensor) { return to_host(reference.space(), tensor); };
  const auto add_bias = [&](std::vector<double> sums) {
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += static_cast<double>(static_cast<float>(bias.numbers[i % bias.numbers.size()]));
    return sums;
  };

  std::vector<index> channels;
  for (int i = 0; i < p.part_count; ++i)
    channels.push_back(p.part_count > 1 ? p.parts[static_cast<std::size_t>(i)] : p.in_channels);
  std::vector<std::unique_ptr<guarded<bfloat16>>> maps;
  expectations expected;
  if (engine_detail::pairs_serve(p, direction::forward)) {
    const auto sums = host(p.is_blocks() ? ops::conv_transpose3d_backward_data(reference, p, exact_x, exact_w)
                                         : ops::conv3d(reference, exact_x, exact_w));
    expected.emplace_back("forward", p.is_blocks() ? sums : add_bias(sums));
  }
  const auto data = host(p.is_blocks() ? ops::conv_transpose3d(reference, p, exact_y, exact_w)
                                       : ops::conv3d_backward_data(reference, whole, exact_y, exact_w));
  for (index first = 0; const index some : channels) {
    maps.push_back(std::make_unique<guarded<bfloat16>>(some_channels(x.numbers, p.in_channels, first, some)));
    const auto part = some_channels(data, p.in_channels, first, some);
    if (engine_detail::pairs_serve(p, direction::backward))
      expected.emplace_back("backward", p.is_blocks() ? add_bias(part) : part);
    first += some;
  }
  expected.emplace_back("backward weights",
                        host(p.is_blocks() ? ops::conv_transpose3d_backward_weights(reference, p, exact_y, exact_x)
                                           : ops::conv3d_backward_weights(reference, whole, exact_x, exact_y)));

  const auto arguments = [&](bfloat16* weights, bfloat16* small) {
    conv3d_problem::arguments<bfloat16> a;
    a.parts = p.part_count;
    for (std::size_t i = 0; i < channels.size(); ++i) a.x[i] = {maps[i]->data(), channels[i]};
    a.w = weights;
    a.y = small;
    a.bias = own_bias.data();
    return a;
  };
  const auto run = [&] {
    results all;
    if (engine_detail::pairs_serve(p, direction::forward)) {
      const guarded<bfloat16> sums(out.size());
      kernels::run(memory, p, direction::forward, arguments(own_w.data(), sums.data()));
      all.push_back(sums.numbers());
    }
    if (engine_detail::pairs_serve(p, direction::backward)) {
      std::vector<std::unique_ptr<guarded<bfloat16>>> gradients;
      auto a = arguments(own_w.data(), own_y.data());
      for (std::size_t i = 0; i < channels.size(); ++i) {
        gradients.push_back(std::make_unique<guarded<bfloat16>>(in.size() / p.in_channels * channels[i]));
        a.x[i].data = gradients.back()->data();
      }
      kernels::run(memory, p, direction::backward, a);
      for (const auto& g : gradients) all.push_back(g->numbers());
    }
    const guarded<bfloat16> dw(p.weight_shape().size());
    kernels::run(memory, p, direction::backward_weights, arguments(dw.data(), own_y.data()));
    all.push_back(dw.numbers());
    return all;
  };
  compare(p.to_string().c_str(), run, expected);
}

BOOST_AUTO_TEST_CASE(pairs_agree_with_the_reference) {
  if (!processor::this_machine().avx512_bf16) return skip("this processor does not multiply pairs of bfloat16");
  agree(single_taps(2, {3, 5, 21}, {16}, 3));
  agree(single_taps(1, {2, 9, 7}, {40}, 33));
  agree(single_taps(3, {5, 3, 1}, {17}, 1));
  agree(single_taps(2, {4, 9, 16}, {32}, 32));
  agree(single_taps(1, {3, 4, 130}, {8, 8, 8}, 16));
  agree(single_taps(1, {5, 3, 5}, {24, 2, 6, 24}, 50));
  agree(single_taps(1, {3, 2, 3}, {3, 5}, 4));
  agree(single_taps(1, {1, 1, 1}, {2}, 2));
  agree(conv3d_problem::transposed(2, {3, 4, 17}, 32, 16, {2, 2, 2}));
  agree(conv3d_problem::transposed(1, {2, 3, 9}, 5, 7, {2, 2, 2}));
  agree(conv3d_problem::transposed(1, {5, 6, 11}, 16, 24, {1, 2, 2}));
  agree(conv3d_problem::transposed(1, {3, 2, 5}, 16, 16, {1, 1, 1}));
  agree(conv3d_problem::transposed(1, {2, 9, 6}, 40, 34, {3, 1, 2}));
  agree(conv3d_problem::transposed(1, {1, 2, 1}, 2, 4, {4, 4, 4}));
}

#endif

}  // namespace comodal::tests
