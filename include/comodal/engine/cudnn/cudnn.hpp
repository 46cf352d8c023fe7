// SPDX-License-Identifier: Apache-2.0
/// @file
/// The cuDNN engine: convolutions on NVIDIA's GPUs by NVIDIA's library.
#ifndef COMODAL_ENGINE_CUDNN_CUDNN_HPP
#define COMODAL_ENGINE_CUDNN_CUDNN_HPP

#include <comodal/engine/cudnn/plans.hpp>
#include <comodal/engine/dispatch.hpp>
#include <comodal/engine/joined_parts.hpp>
#include <comodal/engine/loops/rearrange.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

struct cudnn_engine {
  static constexpr const char* name = "cudnn";
  using serves = problem_list<conv3d_problem>;
  [[nodiscard]] static std::string version() { return engine_detail::cudnn_version_words(cudnnGetVersion()); }
};

/// That cuDNN refuses a convolution of what it computes with is a fallback.
template <tensor_backend Backend>
  requires(lists_engine_v<cudnn_engine, typename Backend::engines_type> &&
           std::is_same_v<typename Backend::compute_type, float>)
struct expected_engine<Backend, conv3d_problem> {
  using type = cudnn_engine;
};

namespace engine_detail {

/// cuDNN on the stream of a context: its handle, and who makes its plans.
class cudnn_library {
 public:
  template <execution_space Space>
  explicit cudnn_library(const Space& space) : m_planner(cudnn_target(m_owner.handle)) {
    if constexpr (requires { space.cuda_stream(); })
      COMODAL_IMPL_CUDNN(cudnnSetStream(m_owner.handle, space.cuda_stream()));
  }
  [[nodiscard]] cudnnHandle_t handle() const { return m_owner.handle; }
  [[nodiscard]] const cudnn_planner& planner() const { return m_planner; }

 private:
  struct owner {
    cudnnHandle_t handle = nullptr;
    owner() { COMODAL_IMPL_CUDNN(cudnnCreate(&handle)); }
    ~owner() { cudnnDestroy(handle); }
    owner(const owner&) = delete;
    owner& operator=(const owner&) = delete;
  };

  owner m_owner;
  cudnn_planner m_planner;
};

/// A filter of ours as cuDNN's (out, taps, in), or back. Ours is (taps, in, out), or (taps, out, in) where `layout` is
/// `out_in`.
template <class T, bool Back>
struct cudnn_filter_body {
  const T* from;
  T* to;
  index taps, in, out;
  bool out_in;

  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index c = i % in, tap = i / in % taps, k = i / in / taps;
    const index ours = out_in ? (tap * out + k) * in + c : (tap * in + c) * out + k;
    if constexpr (Back)
      to[ours] = from[i];
    else
      to[i] = from[ours];
  }
};

}  // namespace engine_detail

template <tensor_backend Backend>
struct engine_op<cudnn_engine, conv3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  using arguments = conv3d_problem::arguments<T>;
  using plan_type = engine_detail::cudnn_plan;
  static constexpr bool has_type = std::is_same_v<compute_type_t<T>, float> && !is_host_v<typename Backend::space_type>;

  [[nodiscard]] static plan_attempt<plan_type> try_plan(context<Backend>& ctx, const conv3d_problem& p, direction d) {
    using attempt = plan_attempt<plan_type>;
    if constexpr (has_type) {
      if (p.slope != 1) return attempt::refused("our use of cuDNN has no activation behind a convolution");
      plan_type plan = library(ctx).planner().make(p, d, {engine_detail::cudnn_type<T>, ctx.tf32()});
      if (!plan.why.empty()) return attempt::refused(std::move(plan.why));
      plan.facts.workspace = plan.workspace + static_cast<std::size_t>(p.weight_shape().size()) * sizeof(T);
      return plan;
    } else {
      return attempt::refused("cuDNN computes in float, on NVIDIA's GPUs");
    }
  }
  [[nodiscard]] static bool prefers(context<Backend>&, const conv3d_problem&, direction) { return has_type; }

  static void run(context<Backend>& ctx, const plan_type& plan, const conv3d_problem& p, direction d,
                  const arguments& a) {
    if constexpr (has_type) {
      if (d == direction::backward && !engine_detail::any_wanted(a)) return;
      const engine_detail::joined_parts<Backend> x(ctx, p, d, a, engine_detail::cudnn_alignment);
      auto w = ctx.make(p.weight_shape());
      const index in = p.in_channels / p.groups, out = p.out_channels;
      const bool out_in = p.layout == filter_layout::out_in;
      if (d != direction::backward_weights)
        for_elements(ctx.space(), w.size(),
                     engine_detail::cudnn_filter_body<T, false>{a.w, w.data(), p.taps(), in, out, out_in});
      const bool apart = reinterpret_cast<std::uintptr_t>(a.y) % engine_detail::cudnn_alignment != 0;
      const index count = p.output_shape().size();
      auto own = ctx.make({apart ? count : 0});
      if (apart && d != direction::forward) engine_detail::convert(ctx.space(), count, a.y, own.data());
      execute(ctx, plan, x.data(), w.data(), apart ? own.data() : a.y);
      if (apart && d == direction::forward) engine_detail::convert(ctx.space(), count, own.data(), a.y);
      if (d == direction::backward_weights)
        for_elements(ctx.space(), w.size(),
                     engine_detail::cudnn_filter_body<T, true>{w.data(), a.w, p.taps(), in, out, out_in});
      add_bias(ctx, p, d, a, x.data());
      if (d == direction::backward) x.split();
    }
  }

 private:
  [[nodiscard]] static engine_detail::cudnn_library& library(context<Backend>& ctx) {
    return ctx.template kept<engine_detail::cudnn_library>(
        [&] { return std::make_shared<engine_detail::cudnn_library>(ctx.space()); });
  }

  static void execute(context<Backend>& ctx, const plan_type& plan, T* x, T* w, T* y) {
    auto workspace = ctx.template make_of<std::byte>({static_cast<index>(plan.workspace)});
    std::array<void*, 3> data{x, w, y};
    std::array<void*, 1> scratch{workspace.data()};
    engine_detail::cudnn_descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const std::int64_t>(engine_detail::cudnn_tensors))
        .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(data))
        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, std::span<void* const>(scratch))
        .finalise();
    COMODAL_IMPL_CUDNN(cudnnBackendExecute(library(ctx).handle(), plan.plan->get(), pack.get()));
  }

  // A transposed convolution's result is x.
  static void add_bias(context<Backend>& ctx, const conv3d_problem& p, direction d, const arguments& a, T* x) {
    if (!a.bias || d != (p.is_blocks() ? direction::backward : direction::forward)) return;
    const bool forward = d == direction::forward;
    const shape of = forward ? p.output_shape() : p.input_shape();
    for_elements(ctx.space(), of.size(), engine_detail::add_bias_body<T>{a.bias, forward ? a.y : x, of[4]});
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
