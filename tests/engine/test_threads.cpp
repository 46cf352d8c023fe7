// SPDX-License-Identifier: Apache-2.0
// The same bytes at 1, 2, 3 and 4 threads: values and gradients of every operation that sums or runs in parallel.
#define BOOST_TEST_MODULE engine_threads
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/convolution.hpp>
#include <comodal/autograd/gating.hpp>
#include <comodal/autograd/segmentation.hpp>
#include <comodal/autograd/structure.hpp>

#include <autograd/support.hpp>

#include <omp.h>

#include <cstring>

namespace comodal::tests {

using backend = kokkos_backend<Kokkos::DefaultHostExecutionSpace, float>;
using variables = std::vector<variable<backend>>;

struct threads_restored {
  int before = omp_get_max_threads();
  ~threads_restored() { omp_set_num_threads(before); }
};

template <class T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && !a.empty() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class Run>
void invariant(const char* what, const Run& run) {
  const threads_restored guard;
  omp_set_num_threads(1);
  const auto expected = run();
  for (const int threads : {2, 3, 4}) {
    omp_set_num_threads(threads);
    const auto found = run();
    for (std::size_t i = 0; i < expected.size(); ++i)
      BOOST_TEST(same_bytes(found[i], expected[i]), what << " at " << threads << " threads, result " << i
                                                         << ", differs by " << difference(found[i], expected[i]));
  }
}

// Plans anew for every number of threads.
template <class F>
void invariant_gradients(const char* what, const std::vector<operand>& operands, const F& f) {
  invariant(what, [&] { return evaluate<backend>(operands, f); });
}

const std::vector<operand> convolution_operands{{{2, 10, 13, 14, 16}}, {{3, 3, 3, 16, 32}}};

BOOST_AUTO_TEST_CASE(convolution_by_the_engine_of_choice) {
  invariant_gradients("conv3d", convolution_operands, [](const variables& v) { return conv3d(v[0], v[1]); });
  invariant_gradients("conv3d, stride 2", convolution_operands,
                      [](const variables& v) { return conv3d(v[0], v[1], {2, 2, 2}); });
  invariant_gradients("conv3d, one channel", {{{1, 20, 21, 23, 1}}, {{3, 3, 3, 1, 8}}},
                      [](const variables& v) { return conv3d(v[0], v[1]); });
  invariant_gradients("conv3d, blocks", {{{2, 9, 17, 18, 16}}, {{3, 3, 3, 16, 16}}},
                      [](const variables& v) { return conv3d(v[0], v[1]); });
  invariant_gradients("conv3d, few voxels", {{{2, 3, 3, 3, 32}}, {{3, 3, 3, 32, 32}}},
                      [](const variables& v) { return conv3d(v[0], v[1]); });
  invariant_gradients("conv3d, deep", {{{4, 4, 6, 6, 64}}, {{3, 3, 3, 64, 64}}},
                      [](const variables& v) { return conv3d(v[0], v[1]); });
}

// Shapes of which oneDNN's own parallel kernels gave other bytes at 3 or 6 threads (AVX-512 forward; AVX2 gradient of
// the input).
BOOST_AUTO_TEST_CASE(convolution_that_a_vendor_blocks_by_the_number_of_threads) {
  invariant_gradients("conv3d, 128 channels", {{{1, 4, 6, 6, 128}}, {{3, 3, 3, 128, 128}}},
                      [](const variables& v) { return conv3d(v[0], v[1]); });
  invariant_gradients("conv3d, filter 5", {{{1, 10, 13, 14, 64}}, {{5, 5, 5, 64, 64}}},
                      [](const variables& v) { return conv3d(v[0], v[1]); });
  invariant_gradients("conv3d, filter 5, stride 2", {{{1, 10, 13, 14, 1}}, {{5, 5, 5, 1, 8}}},
                      [](const variables& v) { return conv3d(v[0], v[1], {2, 2, 2}); });
  invariant_gradients("conv3d, filter 1", {{{1, 10, 13, 14, 2}}, {{1, 1, 1, 2, 16}}},
                      [](const variables& v) { return conv3d(v[0], v[1], {2, 2, 2}); });
}

BOOST_AUTO_TEST_CASE(convolution_by_the_engine_of_choice_with_one_plan_for_all) {
  context<backend> ctx;
  invariant("conv3d",
            [&] { return evaluate(ctx, convolution_operands, [](const variables& v) { return conv3d(v[0], v[1]); }); });
}

BOOST_AUTO_TEST_CASE(convolution_by_the_host_engine) {
  const conv3d_problem p{2, {10, 13, 14}, 16, 24, {3, 3, 3}, {1, 2, 1}};
  context<backend> ctx;
  ctx.choose_engine("host");
  const auto tensor = [&](const shape& s, std::uint32_t key) {
    return ctx.make(s, converted<float>(values(s.size(), key)));
  };
  const auto x = tensor(p.input_shape(), 1), w = tensor(p.weight_shape(), 2), dy = tensor(p.output_shape(), 3);
  invariant("conv3d on the host engine", [&] {
    return std::vector{to_host(ctx.space(), ops::conv3d(ctx, p, {x}, w)),
                       to_host(ctx.space(), ops::conv3d_backward_data(ctx, p, dy, w)),
                       to_host(ctx.space(), ops::conv3d_backward_weights(ctx, p, x, dy))};
  });
  BOOST_TEST(ctx.runs("conv3d.forward", "host") == 4);
}

BOOST_AUTO_TEST_CASE(other_layers) {
  invariant_gradients("conv_transpose3d", {{{2, 6, 7, 8, 16}}, {{2, 2, 2, 16, 8}}},
                      [](const variables& v) { return conv_transpose3d(v[0], v[1]); });
  invariant_gradients("instance_norm", {{{2, 12, 13, 14, 16}}, {{16}}, {{16}}},
                      [](const variables& v) { return instance_norm(v[0], v[1], v[2]); });
  invariant_gradients("instance_norm, 5 channels", {{{2, 22, 23, 14, 5}}, {{5}}, {{5}}},
                      [](const variables& v) { return instance_norm(v[0], v[1], v[2]); });
  invariant_gradients("gated_add", {{{2, 12, 13, 14, 16}}, {{2, 12, 13, 14, 16}, -9, 9}, {{2, 12, 13, 14, 16}}, {{16}}},
                      [](const variables& v) { return gated_add(v[0], v[1], v[2], v[3]); });
  invariant_gradients("max_pool3d", {{{2, 12, 13, 14, 8}}},
                      [](const variables& v) { return max_pool3d(v[0], {2, 2, 2}); });
  invariant_gradients("upsample3d", {{{2, 6, 7, 8, 8}}},
                      [](const variables& v) { return upsample3d(v[0], {2, 2, 2}); });
}

BOOST_AUTO_TEST_CASE(sums) {
  invariant_gradients("sum", {{{2, 20, 21, 22, 3}}}, [](const variables& v) { return sum(v[0]); });
  invariant_gradients("sum over rows", {{{2, 9000, 5}}}, [](const variables& v) { return sum(v[0], {1}); });
  invariant_gradients("sum over channels", {{{2, 900, 48}}}, [](const variables& v) { return sum(v[0], {2}); });
  invariant_gradients("bias", {{{2, 20, 21, 22, 4}}, {{4}}}, [](const variables& v) { return v[0] * v[1]; });
  invariant_gradients("softmax", {{{2, 12, 13, 14, 4}}}, [](const variables& v) { return softmax(v[0], -1); });
  invariant_gradients("matmul", {{{2, 130, 70}}, {{2, 70, 90}}}, [](const variables& v) { return matmul(v[0], v[1]); });
  invariant_gradients("dropout", {{{2, 12, 13, 14, 4}}},
                      [](const variables& v) { return dropout(v[0], 0.5, 3, 1, 7); });
  for (const label_kind kind : {label_kind::classes, label_kind::regions})
    invariant_gradients("segmentation_sums", {{{2, 20, 21, 22, 4}}}, [kind](const variables& v) {
      return segmentation_sums(
          v[0], v[0].home().constant({2, 20, 21, 22, 4}, converted<float>(values(2 * 20 * 21 * 22 * 4, 9, 0, 1))), {},
          kind);
    });
}

}  // namespace comodal::tests
