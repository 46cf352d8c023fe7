// SPDX-License-Identifier: Apache-2.0
// Problem values: sizes, slabs, broadcasting, and what they refuse.
#define BOOST_TEST_MODULE engine_problems
#include <boost/test/unit_test.hpp>

#include <comodal/engine/onednn/slabs.hpp>
#include <comodal/engine/problem/broadcast.hpp>
#include <comodal/engine/problem/pool3d.hpp>

#include <core/support.hpp>

#include <cmath>
#include <vector>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(output_of_a_convolution_is_the_input_over_the_stride_rounded_up) {
  const conv3d_problem p{2, {7, 8, 1}, 3, 5, {3, 1, 5}, {2, 3, 4}};
  p.check();
  BOOST_TEST((p.output_shape() == shape{2, 4, 3, 1, 5}));
  BOOST_TEST((p.weight_shape() == shape{3, 1, 5, 3, 5}));
  BOOST_TEST((p.pad_front == extent3{1, 0, 2} && p.pad_back == p.pad_front));
  BOOST_TEST(p.multiply_adds() == 2 * 4 * 3 * 1 * 15 * 15);
}

BOOST_AUTO_TEST_CASE(a_convolution_refuses_what_makes_no_sense) {
  const auto refused = [](conv3d_problem p, const char* why, auto&& change) {
    change(p);
    BOOST_CHECK_EXCEPTION(p.check(), shape_error, says(why));
  };
  const auto as_it_is = [](conv3d_problem&) {};
  refused({1, {4, 4, 4}, 1, 1, {3, 3, -1}}, "conv3d: filter -1 along axis 2, expected 1 to 64", as_it_is);
  refused({1, {99, 4, 4}, 1, 1, {65, 3, 3}}, "conv3d: filter 65 along axis 0, expected 1 to 64", as_it_is);
  refused({1, {4, 4, 4}, 1, 1, {3, 3, 3}, {0, 1, 1}}, "conv3d: stride 0 along axis 0", as_it_is);
  refused({1, {4, 0, 4}, 1, 1}, "conv3d: input extent 0 along axis 1", as_it_is);
  refused({1, {4, 4, 4}, 0, 1}, "conv3d: batch 1, channels 0 -> 1", as_it_is);
  refused({0, {4, 4, 4}, 1, 1}, "conv3d: batch 0", as_it_is);
  const conv3d_problem p{1, {4, 4, 4}, 4, 6};
  refused(p, "conv3d: dilation 0 along axis 2", [](auto& q) { q.dilation[2] = 0; });
  refused(p, "conv3d: padding 3 along axis 1, expected 0 to 2", [](auto& q) { q.pad_back[1] = 3; });
  refused(p, "conv3d: input extent 4 along axis 0, expected 7 or more for this filter", [](auto& q) {
    q.filter[0] = 7;
    q.pad_front[0] = q.pad_back[0] = 0;
  });
  refused(p, "conv3d: 3 groups of channels 4 -> 6, expected a divisor of both", [](auto& q) { q.groups = 3; });
  refused(p, "conv3d: slope nan, expected 0 to 1", [](auto& q) { q.slope = std::nan(""); });
  refused(p, "conv3d: 2 parts of 5 channels, expected 4", [](auto& q) { q.set_parts(std::vector<index>{2, 3}); });
  refused(p, "conv3d: a part of 0 channels, expected 1 or more",
          [](auto& q) { q.set_parts(std::vector<index>{4, 0}); });
  conv3d_problem many{1, {4, 4, 4}, 17, 1};
  BOOST_CHECK_EXCEPTION(many.set_parts(std::vector<index>(17, 1)), shape_error,
                        says("conv3d: 17 maps side by side, expected 16 at most"));
}

BOOST_AUTO_TEST_CASE(outputs_follow_from_filter_padding_stride_and_dilation) {
  conv3d_problem p(1, {9, 10, 11}, 1, 1, {3, 2, 4}, {2, 3, 1});
  p.dilation = {2, 1, 3};
  p.pad_front = {1, 0, 2};
  p.pad_back = {0, 1, 5};
  p.check();
  BOOST_TEST((p.output() == extent3{(9 + 1 - 5) / 2 + 1, (10 + 1 - 2) / 3 + 1, (11 + 7 - 10) / 1 + 1}));
}

BOOST_AUTO_TEST_CASE(a_transposed_convolution_is_the_convolution_that_leads_back) {
  const auto p = conv3d_problem::transposed(2, {1, 2, 3}, 4, 5, {1, 2, 3});
  p.check();
  BOOST_TEST((p.input_shape() == shape{2, 1, 4, 9, 5}));
  BOOST_TEST((p.output_shape() == shape{2, 1, 2, 3, 4}));
  BOOST_TEST((p.weight_shape() == shape{1, 2, 3, 4, 5}));
  BOOST_TEST(p.is_blocks());
  // What looks alike but leaves a rest, or is dilated, is an ordinary convolution with its weights turned round.
  conv3d_problem rest(1, {5, 4, 4}, 4, 8, {2, 2, 2}, {2, 2, 2});
  rest.pad_front = rest.pad_back = {0, 0, 0};
  rest.layout = filter_layout::out_in;
  BOOST_TEST(!rest.is_blocks());
  rest.input[0] = 4;
  BOOST_TEST(rest.is_blocks());
  rest.dilation = {2, 2, 2};
  BOOST_TEST(!rest.is_blocks());
  BOOST_CHECK_EXCEPTION(conv3d_problem::transposed(1, {4, 4, 4}, 1, 1, {2, 0, 2}).check(), shape_error,
                        says("conv3d: filter 0 along axis 1"));
  BOOST_CHECK_EXCEPTION(conv3d_problem::transposed(1, {4, 4, 0}, 1, 1, {2, 2, 2}).check(), shape_error,
                        says("conv3d: input extent 0 along axis 2"));
}

BOOST_AUTO_TEST_CASE(slabs_cover_every_output_once_and_read_what_they_need) {
  for (const index batch : {1, 2, 5, 16, 40})
    for (const index depth : {1, 2, 7, 16, 33})
      for (const index filter : {1, 3, 5})
        for (const index stride : {1, 2, 3}) {
          const conv3d_problem p{batch, {depth, 4, 4}, 2, 2, {filter, 3, 3}, {stride, 1, 1}};
          const index out = p.output()[0];
          std::vector<int> covered(static_cast<std::size_t>(batch * out));
          for (const engine_detail::conv3d_slab& s : engine_detail::conv3d_slabs(p, 16)) {
            for (index o = s.out_first; o < s.out_last; ++o) ++covered[static_cast<std::size_t>(s.sample * out + o)];
            BOOST_REQUIRE(s.out_first < s.out_last);
            BOOST_REQUIRE((0 <= s.in_first && s.in_first < s.in_last && s.in_last <= depth));
            BOOST_REQUIRE(s.in_first - s.pad_front == s.out_first * stride - filter / 2);
            BOOST_REQUIRE(s.in_last + s.pad_back == (s.out_last - 1) * stride - filter / 2 + filter);
            BOOST_REQUIRE((s.pad_front >= 0 && s.pad_back >= 0));
          }
          for (const int n : covered) BOOST_REQUIRE(n == 1);
        }
}

BOOST_AUTO_TEST_CASE(input_slabs_cover_every_input_once_with_all_outputs_that_read_it) {
  for (const index batch : {1, 3, 100})
    for (const index depth : {1, 2, 7, 16, 33})
      for (const index filter : {1, 3, 5, 7})
        for (const index stride : {1, 2, 3}) {
          const conv3d_problem p{batch, {depth, 4, 4}, 2, 2, {filter, 3, 3}, {stride, 1, 1}};
          std::vector<int> covered(static_cast<std::size_t>(batch * depth));
          for (const engine_detail::conv3d_slab& s : engine_detail::conv3d_input_slabs(p, 64)) {
            for (index i = s.in_first; i < s.in_last; ++i) ++covered[static_cast<std::size_t>(s.sample * depth + i)];
            BOOST_REQUIRE((0 <= s.in_first && s.in_first < s.in_last && s.in_last <= depth));
            BOOST_REQUIRE((0 <= s.out_first && s.out_first < s.out_last && s.out_last <= p.output()[0]));
            BOOST_REQUIRE((s.pad_front >= 0 && s.pad_back > -stride));
            BOOST_REQUIRE(s.in_first - s.pad_front == s.out_first * stride - filter / 2);
            for (index o = 0; o < p.output()[0]; ++o) {
              const index low = o * stride - filter / 2, high = low + filter;
              const bool reads = low < s.in_last && high > s.in_first;
              BOOST_REQUIRE((!reads || (s.out_first <= o && o < s.out_last)));
            }
          }
          for (const int n : covered) BOOST_REQUIRE(n == 1);
        }
}

BOOST_AUTO_TEST_CASE(pooling_rounds_down_and_refuses_windows_that_do_not_fit) {
  const pool3d_problem p{pooling::maximum, 2, {7, 4, 9}, 3, {2, 4, 5}};
  p.check();
  BOOST_TEST((p.output_shape() == shape{2, 3, 1, 1, 3}));
  BOOST_CHECK_EXCEPTION((pool3d_problem{pooling::average, 1, {3, 4, 4}, 1, {4, 2, 2}}.check()), shape_error,
                        says("pool3d: window 4 along axis 0 of extent 3"));
  BOOST_CHECK_EXCEPTION((pool3d_problem{pooling::maximum, 1, {9, 9, 9}, 1, {7, 7, 7}}.check()), shape_error,
                        says("pool3d: a maximum over a window of more than 255 voxels"));
  // A mean does not remember a voxel: deep supervision averages targets over all strides at once.
  BOOST_CHECK_NO_THROW((pool3d_problem{pooling::average, 1, {9, 9, 9}, 1, {7, 7, 7}}.check()));
}

BOOST_AUTO_TEST_CASE(shapes_broadcast_as_in_numpy) {
  BOOST_TEST((broadcast_shape({2, 3, 1}, {4}, "f") == shape{2, 3, 4}));
  BOOST_TEST((broadcast_shape({}, {2, 5}, "f") == shape{2, 5}));
  BOOST_TEST((broadcast_shape({5, 1, 7}, {1, 6, 1}, "f") == shape{5, 6, 7}));
  BOOST_TEST((broadcast_shape({1, 3}, {0, 1}, "f") == shape{0, 3}));
  BOOST_CHECK_EXCEPTION((void)broadcast_shape({2, 3}, {2, 4}, "multiply"), shape_error,
                        says("multiply: shapes (2, 3) and (2, 4) do not broadcast"));
}

BOOST_AUTO_TEST_CASE(a_broadcast_plan_merges_axes_that_walk_alike) {
  const broadcast_plan same({2, 3, 4}, {2, 3, 4});
  BOOST_TEST(same.same());
  BOOST_TEST(same.inner == 24);
  const broadcast_plan bias({2, 3, 4, 5}, {5});
  BOOST_TEST((bias.rows == 24 && bias.inner == 5 && bias.rank == 1 && bias.a_step == 1 && bias.b_step == 1));
  const broadcast_plan number({2, 3, 4}, {});
  BOOST_TEST((number.rows == 1 && number.inner == 24 && number.b_step == 0));
}

BOOST_AUTO_TEST_CASE(a_broadcast_plan_finds_every_element) {
  const std::pair<shape, shape> pairs[] = {
      {{2, 3, 4}, {3, 1}}, {{2, 1, 4, 1}, {2, 3, 1, 2}}, {{1, 1}, {3, 2}}, {{6, 1, 2}, {6, 5, 1}}, {{1}, {1}}};
  for (const auto& [a, b] : pairs) {
    const shape out = broadcast_shape(a, b, "f");
    const broadcast_plan plan(a, b);
    BOOST_TEST(plan.rows * plan.inner == out.size());
    for (index i = 0; i < out.size(); ++i) {
      index place[2] = {0, 0};
      for (int k = 0; k < 2; ++k) {
        const shape& s = k ? b : a;
        index rest = i, step = 1;
        for (int axis = out.rank() - 1; axis >= 0; --axis) {
          const int own = axis - (out.rank() - s.rank());
          const index at = rest % out[axis];
          rest /= out[axis];
          if (own < 0) continue;
          if (s[own] > 1) place[k] += at * step;
          step *= s[own];
        }
      }
      index ia = 0, ib = 0;
      plan.offsets(i / plan.inner, ia, ib);
      BOOST_REQUIRE(ia + i % plan.inner * plan.a_step == place[0]);
      BOOST_REQUIRE(ib + i % plan.inner * plan.b_step == place[1]);
    }
  }
}

}  // namespace comodal::tests
