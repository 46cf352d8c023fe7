// SPDX-License-Identifier: Apache-2.0
/// @file
/// The AMX engine: convolutions of bfloat16 on the processor's tile registers.
#ifndef COMODAL_ENGINE_AMX_AMX_HPP
#define COMODAL_ENGINE_AMX_AMX_HPP

#include <comodal/engine/amx/conv3d.hpp>
#include <comodal/engine/amx/conv3d_weights.hpp>
#include <comodal/engine/dispatch.hpp>

#include <type_traits>

namespace comodal::inline COMODAL_CONFIG {

struct amx_engine {
  static constexpr const char* name = "amx";
  using serves = problem_list<conv3d_problem>;
};

template <tensor_backend Backend>
struct engine_op<amx_engine, conv3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  using arguments = conv3d_problem::arguments<T>;
  using plan_type = simple_plan;
  static constexpr bool has_kernels = std::is_same_v<T, bfloat16> && engine_detail::tiles_compiled;

  [[nodiscard]] static support supports(context<Backend>& ctx, const conv3d_problem& p, direction) {
    if constexpr (!std::is_same_v<T, bfloat16>) return support::no("tile registers multiply bfloat16 only");
    if constexpr (!engine_detail::tiles_compiled) return support::no("this program has no kernels for tile registers");
    if (!ctx.host_processor().amx_bf16) return support::no("this processor has no tile registers for bfloat16");
    if (p.groups != 1 || p.slope != 1) return support::no("our tile kernels have no groups and no activation");
    if (!p.is_blocks() && (p.layout != filter_layout::in_out || !p.keeps_size()))
      return support::no("our tile kernels need stride 1 and padding of half the filter");
    return support::yes();
  }
  [[nodiscard]] static bool prefers(context<Backend>&, const conv3d_problem&, direction) { return has_kernels; }

  [[nodiscard]] static simple_plan make_plan(context<Backend>&, const conv3d_problem& p, direction) {
    simple_plan plan;
    plan.facts.deterministic = plan.facts.thread_invariant = true;
    plan.facts.algorithm = p.is_blocks() ? "tiles of blocks" : "tiles";
    return plan;
  }

  static void run(context<Backend>& ctx, const simple_plan&, const conv3d_problem& p, direction d, const arguments& a) {
#if defined(COMODAL_HAS_AMX)
    if constexpr (has_kernels) run_on<engine_detail::amx_tiles>(ctx, p, d, a);
#else
    (void)ctx, (void)p, (void)d, (void)a;
#endif
  }

  /// The same on other tile registers: tests put an emulation here.
  template <class Tiles>
  static void run_on(context<Backend>& ctx, const conv3d_problem& p, direction d, const arguments& a) {
    if (p.is_blocks()) return run_blocks<Tiles>(ctx, p, d, a);
    const engine_detail::conv3d_sizes s(p);
    if (d == direction::forward)
      return engine_detail::tile_conv3d<Tiles, engine_detail::weight_order::plain>(ctx, s, source_of(a), a.w, a.bias,
                                                                                   a.y);
    if (d == direction::backward_weights)
      return engine_detail::tile_conv3d_weights<Tiles, engine_detail::weight_order::plain>(ctx, s, s, source_of(a), a.y,
                                                                                           a.w);
    engine_detail::tile_source gradient;
    gradient.parts[0] = {a.y, p.out_channels, nullptr};
    index first = 0;
    for (const auto& part : a.maps()) {
      const engine_detail::conv3d_sizes own = s.of_part(first, part.channels).of_backward_data();
      if (part.data)
        engine_detail::tile_conv3d<Tiles, engine_detail::weight_order::flipped>(ctx, own, gradient, a.w, nullptr,
                                                                                part.data);
      first += part.channels;
    }
  }

 private:
  [[nodiscard]] static engine_detail::tile_source source_of(const arguments& a) {
    engine_detail::tile_source source;
    source.number = a.parts;
    for (std::size_t i = 0; i < a.maps().size(); ++i) source.parts[i] = {a.x[i].data, a.x[i].channels, nullptr};
    return source;
  }
  // The problem's forward direction is the gradient of the transposed convolution's input.
  template <class Tiles>
  static void run_blocks(context<Backend>& ctx, const conv3d_problem& p, direction d, const arguments& a) {
    bfloat16* const large = a.x[0].data;
    if (!large) return;  // a gradient that nobody wants
    if (d == direction::forward) return engine_detail::tile_conv_transpose3d_data<Tiles>(ctx, p, large, a.w, a.y);
    if (d == direction::backward)
      return engine_detail::tile_conv_transpose3d<Tiles>(ctx, engine_detail::transposed_conv3d(p), a.y, a.w, a.bias,
                                                         large);
    engine_detail::tile_conv_transpose3d_weights<Tiles>(ctx, p, a.y, large, a.w);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
