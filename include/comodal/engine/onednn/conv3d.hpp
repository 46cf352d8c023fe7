// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolutions by oneDNN on the host, in channels-last memory: plans made once and kept in the context. Every
/// convolution runs as fixed slabs, one thread each: oneDNN's own choices of blocking and reduction depend on the
/// number of threads.
#ifndef COMODAL_ENGINE_ONEDNN_CONV3D_HPP
#define COMODAL_ENGINE_ONEDNN_CONV3D_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/conv3d_plan.hpp>
#include <comodal/engine/host/conv3d_tasks.hpp>
#include <comodal/engine/onednn/adapter.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {
namespace detail {

/// One oneDNN convolution: a primitive, its memories and, where oneDNN wants the weights in another order, the reorder.
class onednn_primitive {
 public:
  onednn_primitive(const dnnl::engine& engine, conv3d_direction direction, const onednn_convolution& sizes)
      : m_direction(direction) {
    const auto user_weights = onednn_weights(
        sizes, direction == conv3d_direction::backward_weights ? dnnl::memory::data_type::f32 : sizes.type);
    switch (direction) {
      case conv3d_direction::forward: {
        const auto d = onednn_forward(engine, sizes);
        adopt(engine, d, d.src_desc(), d.weights_desc(), d.dst_desc(), user_weights);
        break;
      }
      case conv3d_direction::backward_data: {
        const auto d = onednn_backward_data(engine, sizes);
        adopt(engine, d, d.diff_src_desc(), d.weights_desc(), d.diff_dst_desc(), user_weights);
        break;
      }
      case conv3d_direction::backward_weights: {
        const auto d = onednn_backward_weights(engine, sizes);
        adopt(engine, d, d.src_desc(), d.diff_weights_desc(), d.diff_dst_desc(), user_weights);
        break;
      }
    }
  }

  [[nodiscard]] const std::string& implementation() const { return m_implementation; }
  [[nodiscard]] std::size_t scratch_bytes() const { return m_scratch_desc.get_size(); }
  [[nodiscard]] bool reorders() const { return m_reorders; }
  [[nodiscard]] std::size_t weight_bytes() const { return m_reorders ? m_weights_desc.get_size() : 0; }

  /// Weights of the caller, in our order, into the order that oneDNN wants.
  void reorder_in(const dnnl::engine& engine, dnnl::stream& stream, void* user, void* inner) const {
    reorder(engine, stream, m_user_desc, user, m_weights_desc, inner);
  }
  /// A weight gradient in oneDNN's order into ours.
  void reorder_out(const dnnl::engine& engine, dnnl::stream& stream, void* inner, void* user) const {
    reorder(engine, stream, m_weights_desc, inner, m_user_desc, user);
  }

  /// Runs on memory of the caller: x or dx, w or dw (in oneDNN's order), y or dy, and `scratch_bytes()` of scratch.
  void execute(const dnnl::engine& engine, dnnl::stream& stream, void* x, void* w, void* y, void* scratch) const {
    const dnnl::memory source(m_source_desc, engine, x), target(m_target_desc, engine, y),
        weights(m_weights_desc, engine, w);
    std::unordered_map<int, dnnl::memory> arguments{
        {DNNL_ARG_SCRATCHPAD, dnnl::memory(m_scratch_desc, engine, scratch)}};
    switch (m_direction) {
      case conv3d_direction::forward:
        arguments.insert({{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, target}});
        break;
      case conv3d_direction::backward_data:
        arguments.insert({{DNNL_ARG_DIFF_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_DST, target}});
        break;
      case conv3d_direction::backward_weights:
        arguments.insert({{DNNL_ARG_SRC, source}, {DNNL_ARG_DIFF_WEIGHTS, weights}, {DNNL_ARG_DIFF_DST, target}});
        break;
    }
    m_primitive.execute(stream, arguments);
    stream.wait();
  }

 private:
  template <class Descriptor>
  void adopt(const dnnl::engine& engine, const Descriptor& d, dnnl::memory::desc source, dnnl::memory::desc weights,
             dnnl::memory::desc target, const dnnl::memory::desc& user_weights) {
    m_implementation = d.impl_info_str();
    m_source_desc = std::move(source);
    m_weights_desc = std::move(weights);
    m_target_desc = std::move(target);
    m_user_desc = user_weights;
    m_scratch_desc = d.scratchpad_desc();
    m_primitive = onednn_make(d);
    m_reorders = m_weights_desc != m_user_desc;
    if (m_reorders) {
      const bool out = m_direction == conv3d_direction::backward_weights;
      m_reorder = dnnl::reorder(dnnl::reorder::primitive_desc(engine, out ? m_weights_desc : m_user_desc, engine,
                                                              out ? m_user_desc : m_weights_desc));
    }
  }

  void reorder(const dnnl::engine& engine, dnnl::stream& stream, const dnnl::memory::desc& from_desc, void* from,
               const dnnl::memory::desc& to_desc, void* to) const {
    dnnl::memory source(from_desc, engine, from), target(to_desc, engine, to);
    m_reorder.execute(stream, source, target);
    stream.wait();
  }

  conv3d_direction m_direction;
  std::string m_implementation;
  dnnl::memory::desc m_source_desc, m_weights_desc, m_target_desc, m_user_desc, m_scratch_desc;
  dnnl::primitive m_primitive;
  dnnl::reorder m_reorder;
  bool m_reorders = false;
};

// While it lives, the calling thread's OpenMP regions (and the primitives that oneDNN makes) are of one thread.
class one_thread {
 public:
  one_thread() : m_before(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~one_thread() { omp_set_num_threads(m_before); }
  one_thread(const one_thread&) = delete;
  one_thread& operator=(const one_thread&) = delete;

 private:
  int m_before;
};

}  // namespace detail

/// The oneDNN engine of one context: convolutions on the host of maps and weights that are T, float or bfloat16; sums
/// are float.
template <class T = float>
class onednn_conv3d {
 public:
  using slab_list = std::vector<conv3d_slab>;

  /// The plan for a problem and direction: made on the first call, kept afterwards.
  [[nodiscard]] const conv3d_plan& plan(const conv3d_problem& p, conv3d_direction direction) {
    return entry_of(p, direction).plan;
  }

  /// y = x * w (forward), x = gradient from y (backward data), or w = gradient from x and y (backward weights). Slabs
  /// of whole samples and depths run one thread each, and weight gradients are summed in their order: the same bytes
  /// for any number of threads.
  template <class Context>
  void execute(Context& ctx, const conv3d_problem& p, conv3d_direction direction, T* x, T* w, T* y) {
    const entry& e = entry_of(p, direction);
    const bool gradient = direction == conv3d_direction::backward_weights;
    const index count = static_cast<index>(e.slabs.size()), size = p.weight_shape().size();
    std::size_t scratch_bytes = 0, weight_bytes = 0;
    for (const auto& primitive : e.primitives) {
      scratch_bytes = std::max(scratch_bytes, round_up(primitive.scratch_bytes()));
      weight_bytes = std::max(weight_bytes, round_up(primitive.weight_bytes()));
    }
    // A slab's own gradient, or the weights of each primitive, which all its slabs read.
    const std::size_t copies = gradient ? e.slabs.size() : e.primitives.size();
    auto buffer =
        ctx.template make_of<std::byte>({static_cast<index>(e.slabs.size() * scratch_bytes + copies * weight_bytes)});
    auto partial = ctx.template make_of<float>({gradient ? count : 0, size});
    std::byte* const weights = buffer.data() + e.slabs.size() * scratch_bytes;
    if (!gradient) {
      const detail::one_thread scope;
      for (std::size_t k = 0; k < copies; ++k)
        if (e.primitives[k].reorders()) e.primitives[k].reorder_in(m_engine, m_stream, w, weights + k * weight_bytes);
    }
    const extent3 out = p.output();
    const index in_plane = p.input[1] * p.input[2] * p.in_channels, out_plane = out[1] * out[2] * p.out_channels;
#pragma omp parallel for schedule(dynamic)
    for (index i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i), k = e.primitive_of_slab[at];
      const conv3d_slab& slab = e.slabs[at];
      const auto& primitive = e.primitives[k];
      dnnl::stream stream(m_engine);
      void* const own = gradient ? static_cast<void*>(partial.data() + i * size) : w;
      void* const inner = primitive.reorders() ? static_cast<void*>(weights + (gradient ? at : k) * weight_bytes) : own;
      primitive.execute(m_engine, stream, x + (slab.sample * p.input[0] + slab.in_first) * in_plane, inner,
                        y + (slab.sample * out[0] + slab.out_first) * out_plane, buffer.data() + at * scratch_bytes);
      if (gradient && primitive.reorders()) primitive.reorder_out(m_engine, stream, inner, own);
    }
    if (gradient) for_elements(ctx.space(), size, detail::sum_slabs_body<float, T>{partial.data(), w, count, size});
  }

 private:
  struct entry {
    conv3d_plan plan;
    std::vector<detail::onednn_primitive> primitives;
    slab_list slabs;
    std::vector<std::size_t> primitive_of_slab;
  };

  static std::size_t round_up(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

  const entry& entry_of(const conv3d_problem& p, conv3d_direction direction) {
    auto& slot = m_entries[{p, direction}];
    if (!slot) slot = std::make_unique<entry>(make(p, direction));
    return *slot;
  }

  entry make(const conv3d_problem& p, conv3d_direction direction) const {
    entry e;
    try {
      const detail::one_thread scope;
      e.slabs = direction == conv3d_direction::forward ? conv3d_slabs(p, 64)
                : direction == conv3d_direction::backward_data
                    ? conv3d_input_slabs(p, 64)
                    : conv3d_slabs(p, 16);  // each holds a gradient of its own
      std::map<detail::onednn_convolution, std::size_t> known;
      for (const conv3d_slab& slab : e.slabs) {
        const detail::onednn_convolution sizes(p, slab, detail::onednn_type<T>);
        const auto [found, fresh] = known.try_emplace(sizes, e.primitives.size());
        if (fresh) e.primitives.emplace_back(m_engine, direction, sizes);
        e.primitive_of_slab.push_back(found->second);
      }
    } catch (const dnnl::error& failure) {
      e.plan = {"onednn", "", text("oneDNN has no implementation (", failure.what(), ")"), false};
      return e;
    }
    e.plan = {"onednn", e.primitives.front().implementation(), "", true};
    for (const auto& primitive : e.primitives)
      if (primitive.implementation().find("ref") != std::string::npos) {
        e.plan.implementation = primitive.implementation();
        e.plan.reason = text("oneDNN would run its reference code (", primitive.implementation(), ")");
        e.plan.available = false;
      }
    return e;
  }

  dnnl::engine m_engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream m_stream{m_engine};
  std::map<std::pair<conv3d_problem, conv3d_direction>, std::unique_ptr<entry>> m_entries;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
