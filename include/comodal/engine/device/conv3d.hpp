// SPDX-License-Identifier: Apache-2.0
/// @file
/// The device engine's convolution and transposed convolution, by tiles.
#ifndef COMODAL_ENGINE_DEVICE_CONV3D_HPP
#define COMODAL_ENGINE_DEVICE_CONV3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/device/conv3d_tiles.hpp>
#include <comodal/engine/device/engine.hpp>
#include <comodal/engine/dispatch.hpp>
#include <comodal/engine/joined_parts.hpp>
#include <comodal/engine/loops/rearrange.hpp>

#include <algorithm>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

template <tensor_backend Backend>
struct engine_op<device_engine, conv3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;
  using arguments = conv3d_problem::arguments<T>;
  using plan_type = simple_plan;

  [[nodiscard]] static support supports(context<Backend>&, const conv3d_problem& p, direction) {
    if (p.groups != 1) return support::no("our device kernels convolve no groups of channels");
    if (p.slope != 1) return support::no("our device kernels have no activation behind a convolution");
    return support::yes();
  }
  [[nodiscard]] static bool prefers(context<Backend>&, const conv3d_problem&, direction) { return true; }

  [[nodiscard]] static simple_plan make_plan(context<Backend>&, const conv3d_problem& p, direction d) {
    simple_plan plan;
    plan.facts.deterministic = plan.facts.thread_invariant = true;
    plan.facts.algorithm = text("tiles of 128 x ", tile_columns(columns(p, d)));
    plan.facts.joined = p.part_count > 1;
    const auto weights = static_cast<std::size_t>(p.weight_shape().size());
    if (d == direction::backward_weights)
      plan.facts.workspace = weights * static_cast<std::size_t>(slabs(p)) * sizeof(C);
    else if (transposes(p, d))
      plan.facts.workspace = weights * sizeof(T);
    return plan;
  }

  static void run(context<Backend>& ctx, const simple_plan&, const conv3d_problem& p, direction d, const arguments& a) {
    if (d == direction::backward && !engine_detail::any_wanted(a)) return;
    const engine_detail::joined_parts<Backend> x(ctx, p, d, a);
    if (d == direction::backward_weights) return backward_weights(ctx, p, a, x.data());
    auto turned = ctx.make(transposes(p, d) ? p.weight_shape() : shape{0});
    if (transposes(p, d)) transpose(ctx, p, a.w, turned.data());
    const T* const w = transposes(p, d) ? turned.data() : a.w;
    if (d == direction::forward) {
      multiply<engine_detail::tile_product::forward>(ctx, p, d, x.data(), w, p.is_blocks() ? nullptr : a.bias, a.y);
    } else {
      multiply<engine_detail::tile_product::backward>(ctx, p, d, a.y, w, p.is_blocks() ? a.bias : nullptr, x.data());
      x.split();
    }
  }

 private:
  [[nodiscard]] static index columns(const conv3d_problem& p, direction d) {
    return d == direction::backward ? p.in_channels : p.out_channels;
  }
  [[nodiscard]] static int tile_columns(index of) { return of <= 16 ? 16 : of <= 32 ? 32 : 64; }

  // Tiles read weights (taps, channels of the map, columns).
  [[nodiscard]] static bool transposes(const conv3d_problem& p, direction d) {
    return (p.layout == filter_layout::in_out) == (d == direction::backward);
  }
  static void transpose(context<Backend>& ctx, const conv3d_problem& p, const T* from, T* to) {
    const shape of = p.weight_shape();
    for_elements(ctx.space(), of.size(), engine_detail::transpose_body<T>{from, to, of[3], of[4]});
  }

  // Sums of the weights' gradient that are made apart, so that there are teams for all of a device: a number that
  // depends on the problem alone. Each has at least 16 chunks of voxels.
  [[nodiscard]] static index slabs(const conv3d_problem& p) {
    using tile = engine_detail::conv3d_tile<engine_detail::tile_product::backward_weights, T, C, 16>;
    const index across = tile_columns(p.out_channels), tiles = (p.taps() * p.in_channels + tile::rows - 1) /
                                                               tile::rows * ((p.out_channels + across - 1) / across);
    return std::clamp<index>(p.output_shape().product(0, 4) / (16 * tile::depth), 1, std::max<index>(1, 512 / tiles));
  }

  template <engine_detail::tile_product Product, class Out>
  static void multiply(context<Backend>& ctx, const conv3d_problem& p, direction d, const T* map, const T* other,
                       const T* bias, Out* out, index slabs = 1) {
    const auto launch = [&](auto columns) {
      const engine_detail::conv3d_tile<Product, T, Out, decltype(columns)::value> tile(p, map, other, bias, out, slabs);
      for_teams("comodal::conv3d", ctx.space(), tile.teams(), tile);
    };
    switch (tile_columns(columns(p, d))) {
      case 16:
        return launch(std::integral_constant<int, 16>{});
      case 32:
        return launch(std::integral_constant<int, 32>{});
      default:
        return launch(std::integral_constant<int, 64>{});
    }
  }

  static void backward_weights(context<Backend>& ctx, const conv3d_problem& p, const arguments& a, const T* x) {
    const index count = slabs(p), size = p.weight_shape().size();
    auto partial = ctx.template make_of<C>({count, size});
    multiply<engine_detail::tile_product::backward_weights>(ctx, p, direction::backward_weights, x, a.y, nullptr,
                                                            partial.data(), count);
    const bool turn = p.layout == filter_layout::out_in;
    auto turned = ctx.make(shape{turn ? size : 0});
    for_elements(ctx.space(), size,
                 engine_detail::sum_slabs_body<C, T>{partial.data(), turn ? turned.data() : a.w, count, size});
    if (turn)
      for_elements(ctx.space(), size,
                   engine_detail::transpose_body<T>{turned.data(), a.w, p.in_channels, p.out_channels});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
