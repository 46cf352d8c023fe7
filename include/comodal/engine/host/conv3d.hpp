// SPDX-License-Identifier: Apache-2.0
/// @file
/// The host engine's convolution and transposed convolution: what it supports, when it is the fastest, and its
/// algorithms.
#ifndef COMODAL_ENGINE_HOST_CONV3D_HPP
#define COMODAL_ENGINE_HOST_CONV3D_HPP

#include <comodal/engine/dispatch.hpp>
#include <comodal/engine/host/direct_conv3d.hpp>
#include <comodal/engine/host/engine.hpp>
#include <comodal/engine/host/pair_conv3d.hpp>
#include <comodal/engine/host/transposed_conv3d.hpp>

namespace comodal::inline COMODAL_CONFIG {

namespace engine_detail {

// True where the host engine is at least as fast as oneDNN in fp32 (bench/history/2026-11-27-convolutions.md): what
// F(4x4, 3x3) serves, gradients of weights of small maps, and gradients of weights and narrow outputs of single taps.
[[nodiscard]] inline bool host_conv3d_is_faster(const conv3d_problem& p, direction d) {
  const conv3d_sizes s(p);
  if (s.taps() == 1 && !s.is_strided()) return d == direction::backward_weights || p.out_channels < 8;
  const bool by_taps = d == direction::backward_weights && !s.is_strided() && weight_gradient_by_taps(s);
  return winograd_serves(s) || (by_taps && s.ci >= 16 && s.co >= 16);
}

// True where the host engine, which widens bfloat16, is at least as fast as a vendor's products of bfloat16. Vector
// registers make two such products in the time of one of floats (bench/history/2026-11-28-zen4-bf16.md): F(4x4, 3x3)
// needs a quarter of the products, but has to transform the weights.
[[nodiscard]] inline bool host_conv3d_is_faster_in_bfloat16(const conv3d_problem& p, direction d,
                                                            const processor& machine) {
  if (!machine.multiplies_bfloat16()) return true;
  const bool weights = d == direction::backward_weights;
  if (machine.amx_bf16) return weights && p.in_channels * p.out_channels >= 1024 && host_conv3d_is_faster(p, d);
  constexpr index least_tiles = 128;
  if (machine.avx512_bf16 && pairs_serve(p, d)) return true;
  if (p.taps() == 1) return false;
  return host_conv3d_is_faster(p, d) && (weights || winograd_tiles(conv3d_sizes(p)) >= least_tiles);
}

}  // namespace engine_detail

template <tensor_backend Backend>
struct engine_op<host_engine, conv3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  using arguments = conv3d_problem::arguments<T>;
  using plan_type = simple_plan;

  [[nodiscard]] static support supports(context<Backend>&, const conv3d_problem& p, direction) {
    if (p.groups != 1) return support::no("our host kernels convolve no groups of channels");
    if (p.slope != 1) return support::no("our host kernels have no activation behind a convolution");
    if (p.layout == filter_layout::out_in && !p.is_blocks())
      return support::no("our host kernels take filters as (KD, KH, KW, in, out)");
    return support::yes();
  }

  [[nodiscard]] static bool prefers(context<Backend>& ctx, const conv3d_problem& p, direction d) {
    if (p.is_blocks()) return true;
    if constexpr (std::is_same_v<T, bfloat16>) {
      return engine_detail::host_conv3d_is_faster_in_bfloat16(p, d, ctx.host_processor());
    } else {
      // Maps side by side need not be joined here.
      return std::is_same_v<T, double> || p.part_count > 1 || engine_detail::host_conv3d_is_faster(p, d);
    }
  }

  [[nodiscard]] static simple_plan make_plan(context<Backend>& ctx, const conv3d_problem& p, direction d) {
    const engine_detail::conv3d_sizes s(p);
    simple_plan plan;
    plan.facts.deterministic = plan.facts.thread_invariant = true;
    plan.facts.algorithm = makes_pairs(ctx, p, d)                       ? "pairs"
                           : p.is_blocks()                              ? "blocks"
                           : engine_detail::winograd_serves(s)          ? "F(4x4, 3x3)"
                           : d == direction::backward && s.is_strided() ? "scattered rows"
                           : d != direction::backward_weights           ? "register tiles"
                           : engine_detail::weight_gradient_by_taps(s)  ? "outer products by taps"
                                                                        : "outer products by slabs";
    return plan;
  }

  static void run(context<Backend>& ctx, const simple_plan&, const conv3d_problem& p, direction d, const arguments& a) {
    using direct = engine_detail::host_conv3d<Backend>;
#if defined(COMODAL_HAS_PAIR_PRODUCTS)
    if constexpr (std::is_same_v<T, bfloat16>)
      if (makes_pairs(ctx, p, d)) return engine_detail::pair_conv3d<context<Backend>>::run(ctx, p, d, a);
#endif
    if (p.is_blocks()) return run_blocks(ctx, p, d, a);
    if (d == direction::forward)
      return direct::template forward<engine_detail::weight_order::plain>(ctx, engine_detail::conv3d_sizes(p), a.maps(),
                                                                          a.w, a.bias, a.y);
    if (d == direction::backward_weights) return direct::backward_weights(ctx, p, a.maps(), a.y, a.w);
    index first = 0;
    for (const auto& part : a.maps()) {
      if (part.data) direct::backward_data(ctx, p, first, part.channels, a.y, a.w, part.data);
      first += part.channels;
    }
  }

 private:
  [[nodiscard]] static bool makes_pairs(context<Backend>& ctx, const conv3d_problem& p, direction d) {
    return std::is_same_v<T, bfloat16> && ctx.host_processor().avx512_bf16 && engine_detail::pairs_serve(p, d);
  }

  // The problem's forward direction is the gradient of the transposed convolution's input.
  static void run_blocks(context<Backend>& ctx, const conv3d_problem& p, direction d, const arguments& a) {
    using transposed = engine_detail::host_transposed_conv3d<Backend>;
    T* const large = a.x[0].data;
    if (!large) return;  // a gradient that nobody wants
    if (d == direction::forward) return transposed::backward_data(ctx, p, large, a.w, a.y);
    if (d == direction::backward) return transposed::forward(ctx, p, a.y, a.w, a.bias, large);
    transposed::backward_weights(ctx, p, a.y, large, a.w);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
