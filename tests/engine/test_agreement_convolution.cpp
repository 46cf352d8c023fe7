// SPDX-License-Identifier: Apache-2.0
// Convolutions and normalisation: host, device (and oneDNN) against the reference engine, forward and gradients.
#define BOOST_TEST_MODULE engine_agreement_convolution
#include <boost/test/unit_test.hpp>

#include <comodal/engine/reference.hpp>

#include <comodal/autograd/gating.hpp>

#include <engine/agreement.hpp>

namespace comodal::tests {

// Of F(4x4, 3x3), whose roundings are larger than those of direct sums (docs/reference/numerics.md).
constexpr double winograd_tolerance = 1e-5;

BOOST_AUTO_TEST_CASE(convolution) {
  const auto f = [](const auto& v) { return conv3d(v[0], v[1], {1, 2, 1}); };
  agree("conv3d", {{{2, 4, 5, 6, 8}}, {{3, 3, 3, 8, 16}}}, f);
  agree("conv3d, odd channels", {{{1, 4, 5, 3, 3}}, {{1, 5, 3, 3, 7}}}, f);
}

BOOST_AUTO_TEST_CASE(convolution_of_every_tile) {
  // Widths around the tiles' rows, output channels around their columns, and filters that reach beyond short rows.
  const auto f = [](const auto& v) { return conv3d(v[0], v[1]); };
  for (const index width : {1, 2, 4, 7, 8, 9, 17, 30})
    agree("conv3d, widths", {{{2, 12, 12, width, 5}}, {{3, 3, 3, 5, 8}}}, f, winograd_tolerance);
  for (const index height : {1, 2, 3, 5, 6})
    agree("conv3d, heights", {{{2, 8, height, 9, 4}}, {{3, 3, 3, 4, 8}}}, f, winograd_tolerance);
  for (const index channels : {1, 3, 4, 6, 9, 16, 20, 32, 37, 48, 64})
    agree("conv3d, channels", {{{2, 8, 8, 10, 4}}, {{1, 3, 3, 4, channels}}}, f, winograd_tolerance);
  for (const index channels : {1, 2, 16, 17})
    agree("conv3d, inputs", {{{1, 2, 2, 11, channels}}, {{3, 1, 5, channels, 3}}}, f);
  agree("conv3d, slabs of rows", {{{1, 17, 18, 19, 3}}, {{3, 3, 3, 3, 5}}}, f);
  agree("conv3d, slabs of rows, single taps", {{{1, 9, 10, 11, 5}}, {{1, 1, 1, 5, 7}}}, f);
  agree("conv3d, too few tiles for F(4x4, 3x3)", {{{1, 2, 3, 9, 5}}, {{3, 3, 3, 5, 40}}}, f);
}

BOOST_AUTO_TEST_CASE(convolution_in_blocks) {
  // F(4x4, 3x3) cuts along the depth and between rows of tiles, the last block smaller; or takes everything at once
  // where weights are many.
  const auto f = [](const auto& v) { return conv3d(v[0], v[1]); };
  const auto blocks = [](const operand& x, const operand& w) {
    const engine_detail::conv3d_sizes s(ops::conv3d_problem_of({x.extents}, w.extents));
    BOOST_REQUIRE(engine_detail::winograd_serves(s));
    return engine_detail::winograd_blocks(s, s.ci, 160 * 1024);
  };
  const operand deep{{2, 18, 16, 14, 8}}, high{{8, 2, 26, 12, 4}}, whole{{2, 3, 9, 10, 48}};
  const operand of_deep{{5, 3, 3, 8, 16}}, of_high{{3, 3, 3, 4, 8}}, of_whole{{3, 3, 3, 48, 48}};
  BOOST_TEST(blocks(deep, of_deep).depth == 17);
  BOOST_TEST(blocks(high, of_high).rows == 6);
  BOOST_TEST(blocks(whole, of_whole).samples == 2);
  agree("conv3d, many depths", {deep, of_deep}, f, winograd_tolerance);
  agree("conv3d, rows of tiles", {high, of_high}, f, winograd_tolerance);
  agree("conv3d, all at once", {whole, of_whole}, f, winograd_tolerance);
}

BOOST_AUTO_TEST_CASE(convolution_of_parts) {
  const auto f = [](const auto& v) { return conv3d({v[0], v[1], v[2]}, v[3], {1, 1, 1}, v[4]); };
  agree("conv3d of parts", {{{2, 3, 4, 9, 8}}, {{2, 3, 4, 9, 3}}, {{2, 3, 4, 9, 16}}, {{3, 3, 3, 27, 10}}, {{10}}}, f);
  agree("conv3d of parts by F(4x4, 3x3)",
        {{{2, 6, 8, 9, 8}}, {{2, 6, 8, 9, 3}}, {{2, 6, 8, 9, 16}}, {{3, 3, 3, 27, 10}}, {{10}}}, f, winograd_tolerance);
  agree("conv3d of parts, all at once",
        {{{1, 3, 8, 9, 40}}, {{1, 3, 8, 9, 24}}, {{1, 3, 8, 9, 4}}, {{3, 3, 3, 68, 33}}, {{33}}}, f,
        winograd_tolerance);
  agree("conv3d of parts, slabs of rows", {{{1, 17, 18, 19, 2}}, {{1, 17, 18, 19, 1}}, {{3, 3, 3, 3, 5}}},
        [](const auto& v) { return conv3d({v[0], v[1]}, v[2]); });
  agree("conv3d of parts, one voxel",
        {{{2, 1, 1, 1, 2}}, {{2, 1, 1, 1, 1}}, {{2, 1, 1, 1, 1}}, {{1, 1, 1, 4, 1}}, {{1}}}, f);
  agree("conv3d of parts, strides", {{{1, 4, 5, 6, 4}}, {{1, 4, 5, 6, 2}}, {{3, 3, 3, 6, 5}}},
        [](const auto& v) { return conv3d({v[0], v[1]}, v[2], {2, 1, 2}); });
  agree("conv3d with a bias", {{{2, 3, 4, 5, 8}}, {{1, 1, 1, 8, 3}}, {{3}}},
        [](const auto& v) { return conv3d(v[0], v[1], {1, 1, 1}, v[2]); });
}

BOOST_AUTO_TEST_CASE(weighted_maps) {
  const std::vector<operand> operands{{{2, 2, 3, 5, 11}}, {{2, 2, 3, 5, 16}}, {{2, 2, 3, 5, 2}}, {{1, 1, 1, 27, 7}}};
  agree("weighted_conv3d", operands, [](const auto& v) { return weighted_conv3d({v[0], v[1]}, v[2], v[3]); });
  agree("weighted_conv3d by sample", {{{2, 2, 3, 5, 4}}, {{2, 2, 3, 5, 6}}, {{2, 2}}, {{1, 1, 1, 10, 7}}},
        [](const auto& v) {
          return add(weighted_conv3d({v[0], v[1]}, detach(v[2]), v[3]), weighted_conv3d({v[0], v[1]}, v[2], v[3]));
        });
  const auto gated = [](const auto& v) { return gated_add(v[0], v[1], v[2], v[3]); };
  agree("gated_add", {{{2, 3, 5, 6}}, {{2, 3, 5, 6}, -9, 9}, {{2, 3, 5, 6}}, {{6}}}, gated);
  agree("gated_add, many rows", {{{2, 12, 13, 7, 13}}, {{2, 12, 13, 7, 13}, -9, 9}, {{2, 12, 13, 7, 13}}, {{13}}},
        gated);
}

BOOST_AUTO_TEST_CASE(transposed_convolution) {
  const auto f = [](const auto& v) { return conv_transpose3d(v[0], v[1]); };
  agree("conv_transpose3d with a bias", {{{2, 2, 3, 9, 8}}, {{2, 2, 2, 8, 40}}, {{40}}},
        [](const auto& v) { return conv_transpose3d(v[0], v[1], v[2]); });
  for (const index width : {8, 14, 20})  // rows in tiles of six, four and two, eight as two fours
    agree("conv_transpose3d, widths", {{{1, 2, 2, width, 8}}, {{2, 2, 2, 8, 16}}, {{16}}},
          [](const auto& v) { return conv_transpose3d(v[0], v[1], v[2]); });
  agree("conv_transpose3d", {{{2, 3, 4, 5, 16}}, {{2, 2, 2, 16, 8}}}, f);
  agree("conv_transpose3d, odd sizes", {{{1, 2, 3, 1, 5}}, {{1, 3, 2, 5, 3}}}, f);
}

BOOST_AUTO_TEST_CASE(normalisation) {
  // A kink of the activation may fall between two roundings of one voxel; these values keep clear of it.
  agree("instance_norm", {{{2, 5, 6, 7, 16}}, {{16}, 0.5, 1.5}, {{16}}},
        [](const auto& v) { return instance_norm(v[0], v[1], v[2]); });
  agree(
      "instance_norm, odd channels", {{{3, 1, 4, 3, 5}, 10, 12}, {{5}}, {{5}}},
      [](const auto& v) { return instance_norm(v[0], v[1], v[2], 0.2, 1e-3); }, 2e-5);
  agree("instance_norm without activation", {{{1, 3, 2, 2, 3}}, {{3}}, {{3}}},
        [](const auto& v) { return instance_norm(v[0], v[1], v[2], 1.0); });
}

}  // namespace comodal::tests
