// SPDX-License-Identifier: Apache-2.0
// Kernels of bfloat16 against those of float on the same, rounded numbers: they compute alike and round once, when they
// store.
#define BOOST_TEST_MODULE engine_bfloat16
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/gating.hpp>
#include <comodal/autograd/segmentation.hpp>

#include <autograd/support.hpp>

#include <omp.h>

#include <cstring>

namespace comodal::tests {

using wide = kokkos_backend<default_space, float>;
using narrow = kokkos_backend<default_space, bfloat16>;

// Half a unit in the last place of 8 significant bits, relative to a number of the same binade at its lower end.
constexpr double rounding = 0x1p-8;

template <class Backend>
typename context<Backend>::tensor_type rounded(context<Backend>& ctx, const shape& extents, std::uint32_t key,
                                               double low = -1, double high = 1) {
  using T = typename Backend::scalar_type;
  std::vector<T> out;
  for (const double v : values(extents.size(), key, low, high)) out.push_back(T(static_cast<float>(bfloat16(v))));
  return ctx.make(extents, out);
}

// The output, then the gradient of every input, of a projection of the output; all numbers that go in are bfloat16.
template <class Backend, class F>
std::vector<std::vector<typename Backend::scalar_type>> evaluate_rounded(const std::vector<operand>& operands,
                                                                         const F& f) {
  context<Backend> ctx;
  tape<Backend> home(ctx);
  std::vector<variable<Backend>> inputs;
  for (std::size_t i = 0; i < operands.size(); ++i)
    inputs.push_back(
        home.leaf(rounded(ctx, operands[i].extents, static_cast<std::uint32_t>(i), operands[i].low, operands[i].high)));
  const variable<Backend> output = f(inputs);
  home.backward(sum(multiply(output, home.constant(rounded(ctx, output.shape(), 99)))));
  std::vector<std::vector<typename Backend::scalar_type>> results{to_host(ctx.space(), output.value())};
  for (const auto& input : inputs)
    results.push_back(input.grad() ? to_host(ctx.space(), input.grad()) : std::vector<typename Backend::scalar_type>{});
  return results;
}

// @param once results that are made in one kernel from numbers that both precisions have: all but a few elements are
// float's, rounded. (A few:
//        the compiler may contract a product and a sum in one of them alone.) Others pass through rounded intermediate
//        maps.
template <class F>
void agree(const char* what, const std::vector<operand>& operands, const F& f, bool once = true,
           double tolerance = rounding) {
  const auto expected = evaluate_rounded<wide>(operands, f);
  const auto found = evaluate_rounded<narrow>(operands, f);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    BOOST_TEST(!expected[i].empty(), what);
    BOOST_TEST(difference(found[i], expected[i]) <= tolerance,
               what << (i ? ", gradient " : ", output ") << i << ": " << difference(found[i], expected[i]));
    if (!once || found[i].size() != expected[i].size()) continue;
    std::size_t other = 0;
    for (std::size_t k = 0; k < found[i].size(); ++k) other += found[i][k].bits != bfloat16(expected[i][k]).bits;
    BOOST_TEST(static_cast<double>(other) <= 0.002 * static_cast<double>(found[i].size()),
               what << (i ? ", gradient " : ", output ") << i << ": " << other << " of " << found[i].size()
                    << " are rounded otherwise");
  }
}

BOOST_AUTO_TEST_CASE(elementwise) {
  agree(
      "add", {{{2, 5, 6, 7}}, {{6, 1}}}, [](const auto& v) { return v[0] + v[1]; },
      false);  // a gradient is summed over two axes, one after the other
  agree("multiply", {{{2, 5, 6, 7}}, {{2, 5, 6, 7}}}, [](const auto& v) { return v[0] * v[1]; });
  agree("multiply, broadcast", {{{2, 5, 6, 7}}, {{7}}}, [](const auto& v) { return v[0] * v[1]; }, false);
  agree("divide", {{{40, 7}}, {{40, 7}, 1, 2}}, [](const auto& v) { return v[0] / v[1]; }, false, 2 * rounding);
  agree("scale", {{{40, 7}}}, [](const auto& v) { return scale(v[0], 0.3); });
  agree("shift", {{{40, 7}}}, [](const auto& v) { return shift(v[0], 0.3); });
  agree("leaky_relu", {{{40, 7}}}, [](const auto& v) { return leaky_relu(v[0]); });
  agree("exp", {{{40, 7}}}, [](const auto& v) { return exp(v[0]); }, false, 2 * rounding);
  agree("sigmoid", {{{40, 7}}}, [](const auto& v) { return sigmoid(v[0]); }, false, 2 * rounding);
  agree("max", {{{12, 5, 7}}}, [](const auto& v) { return max(v[0], 1); });
  agree("concat and slice", {{{12, 5, 7}}, {{12, 5, 4}}},
        [](const auto& v) { return slice(concat(std::vector{v[0], v[1]}), -1, 2, 9); });
}

BOOST_AUTO_TEST_CASE(sums_are_not_made_in_bfloat16) {
  agree("sum", {{{2, 40, 41, 16}, 0, 1}}, [](const auto& v) { return sum(v[0]); });
  agree("sum over rows", {{{2, 4000, 5}, 0, 1}}, [](const auto& v) { return sum(v[0], {1}); });
  agree("sum over channels", {{{2, 90, 48}, 0, 1}}, [](const auto& v) { return sum(v[0], {2}); });
  agree("a long contiguous sum", {{{2, 4096}, 0, 1}}, [](const auto& v) { return sum(v[0], {1}); });
}

BOOST_AUTO_TEST_CASE(normalisation) {
  for (const index channels : {5, 8, 16, 24})
    agree("instance_norm", {{{2, 6, 7, 8, channels}, -1, 3}, {{channels}, 0.5, 1.5}, {{channels}}},
          [](const auto& v) { return instance_norm(v[0], v[1], v[2]); });
}

BOOST_AUTO_TEST_CASE(pooling_and_resampling) {
  for (const index channels : {3, 8, 16, 24}) {
    agree("max_pool3d", {{{2, 6, 7, 8, channels}}}, [](const auto& v) { return max_pool3d(v[0], {2, 2, 2}); });
    agree("average_pool3d", {{{2, 6, 7, 8, channels}}}, [](const auto& v) { return average_pool3d(v[0], {2, 2, 2}); });
    agree("upsample3d", {{{1, 3, 4, 5, channels}}}, [](const auto& v) { return upsample3d(v[0], {2, 2, 2}); });
  }
}

BOOST_AUTO_TEST_CASE(soft_maxima) {
  agree("softmax", {{{2, 6, 7, 4}, -3, 3}}, [](const auto& v) { return softmax(v[0], -1); }, false, 2 * rounding);
  agree(
      "softmax over another axis", {{{2, 6, 7, 16}, -3, 3}}, [](const auto& v) { return softmax(v[0], 1); }, false,
      2 * rounding);
  agree(
      "masked_softmax", {{{2, 6, 7, 3}, -3, 3}},
      [](const auto& v) {
        using T = typename std::remove_cvref_t<decltype(v[0].value())>::scalar_type;
        return masked_softmax(v[0], v[0].home().constant({2, 3}, {T(1), T(0), T(1), T(1), T(1), T(1)}));
      },
      false, 2 * rounding);
  // The probabilities themselves are rounded once, not before they are scaled too.
  const auto f = [](const auto& v) { return softmax(v[0], -1); };
  const auto expected = evaluate_rounded<wide>({{{500, 3}, -3, 3}}, f)[0];
  const auto found = evaluate_rounded<narrow>({{{500, 3}, -3, 3}}, f)[0];
  int other = 0;
  for (std::size_t i = 0; i < found.size(); ++i) other += found[i].bits != bfloat16(expected[i]).bits;
  BOOST_TEST(other <= 3);
}

BOOST_AUTO_TEST_CASE(products) {
  agree("matmul", {{{2, 33, 70}}, {{2, 70, 37}}}, [](const auto& v) { return matmul(v[0], v[1]); });
  for (const auto& [in, out] : {std::pair<index, index>{16, 8}, {8, 16}, {5, 3}, {32, 24}}) {
    agree("conv_transpose3d", {{{2, 3, 4, 13, in}}, {{2, 2, 2, in, out}}, {{out}}},
          [](const auto& v) { return conv_transpose3d(v[0], v[1], v[2]); });
    agree("conv_transpose3d, 1x2x3, no bias", {{{2, 3, 4, 5, in}}, {{1, 2, 3, in, out}}},
          [](const auto& v) { return conv_transpose3d(v[0], v[1]); });
  }
  agree("conv3d", {{{2, 5, 6, 13, 16}}, {{3, 3, 3, 16, 16}}}, [](const auto& v) { return conv3d(v[0], v[1]); }, false);
  agree(
      "conv3d, in blocks", {{{2, 18, 16, 14, 8}}, {{3, 3, 3, 8, 8}}}, [](const auto& v) { return conv3d(v[0], v[1]); },
      false);
  agree(
      "conv3d, slabs of rows", {{{1, 17, 18, 19, 3}}, {{3, 3, 3, 3, 5}}},
      [](const auto& v) { return conv3d(v[0], v[1]); }, false);
  agree(
      "conv3d, one channel", {{{2, 5, 6, 13, 1}}, {{3, 3, 3, 1, 8}}}, [](const auto& v) { return conv3d(v[0], v[1]); },
      false);
  agree(
      "conv3d, stride 2", {{{2, 6, 6, 12, 8}}, {{3, 3, 3, 8, 16}}},
      [](const auto& v) { return conv3d(v[0], v[1], {2, 2, 2}); }, false);
  agree(
      "conv3d, 1x1x1 with bias", {{{2, 5, 6, 13, 16}}, {{1, 1, 1, 16, 3}}, {{3}}},
      [](const auto& v) { return conv3d(v[0], v[1], {1, 1, 1}, v[2]); }, false, 2 * rounding);
  agree(
      "conv3d of parts", {{{2, 5, 6, 13, 8}}, {{2, 5, 6, 13, 16}}, {{3, 3, 3, 24, 16}}},
      [](const auto& v) { return conv3d(std::vector{v[0], v[1]}, v[2]); }, false);
}

BOOST_AUTO_TEST_CASE(gates) {
  agree("gated_add", {{{2, 5, 6, 16}}, {{2, 5, 6, 16}, -4, 4}, {{2, 5, 6, 16}}, {{16}}},
        [](const auto& v) { return gated_add(v[0], v[1], v[2], v[3]); });
  agree(
      "weighted_conv3d", {{{2, 3, 4, 5, 11}}, {{2, 3, 4, 5, 16}}, {{2, 3, 4, 5, 2}, 0, 1}, {{1, 1, 1, 27, 16}}},
      [](const auto& v) { return weighted_conv3d(std::vector{v[0], v[1]}, v[2], v[3]); }, false, 3 * rounding);
}

BOOST_AUTO_TEST_CASE(sums_of_losses) {
  for (const index classes : {2, 3, 4, 5})
    for (const label_kind kind : {label_kind::classes, label_kind::regions})
      agree("segmentation_sums", {{{2, 7, 8, 9, classes}, -3, 3}}, [=](const auto& v) {
        return segmentation_sums(v[0], v[0].home().constant(rounded(v[0].ctx(), v[0].shape(), 7, 0, 1)), {}, kind);
      });
}

BOOST_AUTO_TEST_CASE(dropout_keeps_the_same_elements) {
  agree("dropout", {{{2, 12, 13, 4}}}, [](const auto& v) { return dropout(v[0], 0.5, 3, 1, 7); });
}

BOOST_AUTO_TEST_CASE(the_same_bytes_at_1_to_4_threads) {
  const auto invariant = [](const char* what, const std::vector<operand>& operands, const auto& f) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
    const auto expected = evaluate_rounded<narrow>(operands, f);
    for (const int threads : {2, 3, 4}) {
      omp_set_num_threads(threads);
      const auto found = evaluate_rounded<narrow>(operands, f);
      for (std::size_t i = 0; i < expected.size(); ++i)
        BOOST_TEST((found[i].size() == expected[i].size() &&
                    std::memcmp(found[i].data(), expected[i].data(), 2 * found[i].size()) == 0),
                   what << " at " << threads << " threads, result " << i);
    }
    omp_set_num_threads(before);
  };
  invariant("conv3d", {{{2, 10, 13, 14, 16}}, {{3, 3, 3, 16, 32}}}, [](const auto& v) { return conv3d(v[0], v[1]); });
  invariant("conv3d, stride 2", {{{2, 10, 13, 14, 16}}, {{3, 3, 3, 16, 32}}},
            [](const auto& v) { return conv3d(v[0], v[1], {2, 2, 2}); });
  invariant("conv_transpose3d", {{{2, 6, 7, 8, 16}}, {{2, 2, 2, 16, 8}}},
            [](const auto& v) { return conv_transpose3d(v[0], v[1]); });
  invariant("instance_norm", {{{2, 12, 13, 14, 16}}, {{16}}, {{16}}},
            [](const auto& v) { return instance_norm(v[0], v[1], v[2]); });
  invariant("gated_add", {{{2, 12, 13, 14, 16}}, {{2, 12, 13, 14, 16}, -4, 4}, {{2, 12, 13, 14, 16}}, {{16}}},
            [](const auto& v) { return gated_add(v[0], v[1], v[2], v[3]); });
  invariant("max_pool3d", {{{2, 12, 13, 14, 8}}}, [](const auto& v) { return max_pool3d(v[0], {2, 2, 2}); });
  invariant("upsample3d", {{{2, 6, 7, 8, 8}}}, [](const auto& v) { return upsample3d(v[0], {2, 2, 2}); });
  invariant("softmax", {{{2, 12, 13, 14, 4}}}, [](const auto& v) { return softmax(v[0], -1); });
  invariant("sum", {{{2, 20, 21, 22, 3}}}, [](const auto& v) { return sum(v[0]); });
  invariant("matmul", {{{2, 130, 70}}, {{2, 70, 90}}}, [](const auto& v) { return matmul(v[0], v[1]); });
}

}  // namespace comodal::tests
