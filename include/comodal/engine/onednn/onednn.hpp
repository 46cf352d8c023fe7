// SPDX-License-Identifier: Apache-2.0
/// @file
/// The oneDNN engine: convolutions on the host by Intel's library.
#ifndef COMODAL_ENGINE_ONEDNN_ONEDNN_HPP
#define COMODAL_ENGINE_ONEDNN_ONEDNN_HPP

#include <comodal/core/host_tasks.hpp>
#include <comodal/engine/dispatch.hpp>
#include <comodal/engine/joined_parts.hpp>
#include <comodal/engine/loops/rearrange.hpp>
#include <comodal/engine/onednn/plans.hpp>

namespace comodal::inline COMODAL_CONFIG {

struct onednn_engine {
  static constexpr const char* name = "onednn";
  using serves = problem_list<conv3d_problem>;
  [[nodiscard]] static std::string version() {
    const auto* v = dnnl_version();
    return text(v->major, '.', v->minor, '.', v->patch);
  }
};

template <tensor_backend Backend>
struct engine_op<onednn_engine, conv3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  using arguments = conv3d_problem::arguments<T>;
  using plan_type = engine_detail::onednn_plan;
  static constexpr bool has_type = std::is_same_v<compute_type_t<T>, float>;

  [[nodiscard]] static plan_attempt<plan_type> try_plan(context<Backend>& ctx, const conv3d_problem& p, direction d) {
    using attempt = plan_attempt<plan_type>;
    if (p.layout != filter_layout::in_out || p.groups != 1 || p.slope != 1 || p.is_dilated())
      return attempt::refused("our use of oneDNN has no transposed, grouped or dilated convolution and no activation");
    if constexpr (has_type) {
      auto plan = ctx.template kept<engine_detail::onednn_planner<T>>().make(p, d);
      if (!plan.why.empty()) return attempt::refused(std::move(plan.why));
      return plan_type(std::move(plan));
    } else {
      return attempt::refused("oneDNN computes in float");
    }
  }

  // Multiplies bfloat16 only where the processor does: elsewhere it widens each number.
  [[nodiscard]] static bool prefers(context<Backend>& ctx, const conv3d_problem&, direction) {
    return has_type && (std::is_same_v<T, float> || ctx.host_processor().multiplies_bfloat16());
  }

  static void run(context<Backend>& ctx, const plan_type& plan, const conv3d_problem& p, direction d,
                  const arguments& a) {
    if constexpr (has_type) {
      const engine_detail::joined_parts<Backend> x(ctx, p, d, a);
      try {
        execute(ctx, plan, p, d, x.data(), a.w, a.y);
      } catch (const dnnl::error& failure) {
        throw device_error(text("oneDNN failed: ", failure.what()));
      }
      if (d == direction::backward) x.split();
      if (d == direction::forward && a.bias)
        for_elements(ctx.space(), p.output_shape().size(),
                     engine_detail::add_bias_body<T>{a.bias, a.y, p.out_channels});
    }
  }

 private:
  // Slabs of whole samples and depths run one thread each, and weight gradients are summed in their order.
  static void execute(context<Backend>& ctx, const engine_detail::onednn_plan& plan, const conv3d_problem& p,
                      direction d, T* x, T* w, T* y) {
    const dnnl::engine& engine = ctx.template kept<engine_detail::onednn_planner<T>>().engine();
    const bool gradient = d == direction::backward_weights;
    const index count = static_cast<index>(plan.slabs.size()), size = p.weight_shape().size();
    auto buffer = ctx.template make_of<std::byte>({static_cast<index>(plan.buffer_bytes(d))});
    auto partial = ctx.template make_of<float>({gradient ? count : 0, size});
    std::byte* const weights = buffer.data() + plan.slabs.size() * plan.scratch_bytes;
    if (!gradient) {
      const engine_detail::one_thread scope;
      dnnl::stream stream(engine);
      for (std::size_t k = 0; k < plan.primitives.size(); ++k)
        if (plan.primitives[k].reorders())
          plan.primitives[k].reorder_in(engine, stream, w, weights + k * plan.weight_bytes);
    }
    const extent3 out = p.output();
    const index in_plane = p.input[1] * p.input[2] * p.in_channels, out_plane = out[1] * out[2] * p.out_channels;
    host_tasks(count, [&](index i) {
      const auto at = static_cast<std::size_t>(i), k = plan.primitive_of_slab[at];
      const engine_detail::conv3d_slab& slab = plan.slabs[at];
      const auto& primitive = plan.primitives[k];
      dnnl::stream stream(engine);
      void* const own = gradient ? static_cast<void*>(partial.data() + i * size) : w;
      void* const inner =
          primitive.reorders() ? static_cast<void*>(weights + (gradient ? at : k) * plan.weight_bytes) : own;
      primitive.execute(engine, stream, x + (slab.sample * p.input[0] + slab.in_first) * in_plane, inner,
                        y + (slab.sample * out[0] + slab.out_first) * out_plane,
                        buffer.data() + at * plan.scratch_bytes);
      if (gradient && primitive.reorders()) primitive.reorder_out(engine, stream, inner, own);
    });
    if (gradient)
      for_elements(ctx.space(), size, engine_detail::sum_slabs_body<float, T>{partial.data(), w, count, size});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
