// SPDX-License-Identifier: Apache-2.0
/// @file
/// Plans of oneDNN's convolutions on the host, in channels-last memory. Each convolution runs as fixed slabs, one
/// thread each: oneDNN's own choices of blocking and reduction depend on the number of threads.
#ifndef COMODAL_ENGINE_ONEDNN_PLANS_HPP
#define COMODAL_ENGINE_ONEDNN_PLANS_HPP

#include <comodal/core/plan.hpp>
#include <comodal/engine/onednn/adapter.hpp>

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

/// One oneDNN convolution: a primitive, its memories and, where oneDNN wants the weights in another order, the reorder.
class onednn_primitive {
 public:
  onednn_primitive(const dnnl::engine& engine, direction d, const onednn_convolution& sizes) : m_direction(d) {
    const auto user_weights =
        onednn_weights(sizes, d == direction::backward_weights ? dnnl::memory::data_type::f32 : sizes.type);
    switch (d) {
      case direction::forward: {
        const auto made = onednn_forward(engine, sizes);
        adopt(engine, made, made.src_desc(), made.weights_desc(), made.dst_desc(), user_weights);
        break;
      }
      case direction::backward: {
        const auto made = onednn_backward_data(engine, sizes);
        adopt(engine, made, made.diff_src_desc(), made.weights_desc(), made.diff_dst_desc(), user_weights);
        break;
      }
      case direction::backward_weights: {
        const auto made = onednn_backward_weights(engine, sizes);
        adopt(engine, made, made.src_desc(), made.diff_weights_desc(), made.diff_dst_desc(), user_weights);
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
      case direction::forward:
        arguments.insert({{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, target}});
        break;
      case direction::backward:
        arguments.insert({{DNNL_ARG_DIFF_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_DST, target}});
        break;
      case direction::backward_weights:
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
      const bool out = m_direction == direction::backward_weights;
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

  direction m_direction;
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

/// A convolution in one direction: slabs, and the primitives that they share. `why` is not empty where oneDNN has no
/// kernel of its own for it.
struct onednn_plan {
  plan_facts facts;
  std::string why;
  std::vector<onednn_primitive> primitives;
  std::vector<conv3d_slab> slabs;
  std::vector<std::size_t> primitive_of_slab;
  std::size_t scratch_bytes = 0, weight_bytes = 0;  // per slab; per copy of the weights

  // A slab's own gradient, or the weights of each primitive, which all its slabs read.
  [[nodiscard]] std::size_t weight_copies(direction d) const {
    return d == direction::backward_weights ? slabs.size() : primitives.size();
  }
  [[nodiscard]] std::size_t buffer_bytes(direction d) const {
    return slabs.size() * scratch_bytes + weight_copies(d) * weight_bytes;
  }
};

/// Makes plans for maps and weights that are T, float or bfloat16; sums are float.
template <class T>
class onednn_planner {
 public:
  [[nodiscard]] const dnnl::engine& engine() const { return m_engine; }

  [[nodiscard]] onednn_plan make(const conv3d_problem& p, direction d) const {
    onednn_plan plan;
    plan.facts.deterministic = plan.facts.thread_invariant = true;  // slabs run one thread each, in a fixed order
    try {
      const one_thread scope;
      plan.slabs = d == direction::forward    ? conv3d_slabs(p, 64)
                   : d == direction::backward ? conv3d_input_slabs(p, 64)
                                              : conv3d_slabs(p, 16);  // each holds a gradient of its own
      std::map<onednn_convolution, std::size_t> known;
      for (const conv3d_slab& slab : plan.slabs) {
        const onednn_convolution sizes(p, slab, onednn_type<T>);
        const auto [found, fresh] = known.try_emplace(sizes, plan.primitives.size());
        if (fresh) plan.primitives.emplace_back(m_engine, d, sizes);
        plan.primitive_of_slab.push_back(found->second);
      }
    } catch (const dnnl::error& failure) {
      plan = {};
      plan.why = text("oneDNN has no implementation (", failure.what(), ")");
      return plan;
    }
    plan.facts.implementation = plan.primitives.front().implementation();
    for (const auto& primitive : plan.primitives) {
      plan.scratch_bytes = std::max(plan.scratch_bytes, round_up(primitive.scratch_bytes()));
      plan.weight_bytes = std::max(plan.weight_bytes, round_up(primitive.weight_bytes()));
      if (primitive.implementation().find("ref") != std::string::npos)
        plan.why = text("oneDNN would run its reference code (", primitive.implementation(), ")");
    }
    plan.facts.algorithm = text("direct, ", plan.slabs.size(), " slabs");
    plan.facts.joined = p.part_count > 1;
    plan.facts.workspace = plan.buffer_bytes(d);
    if (d == direction::backward_weights)
      plan.facts.workspace += plan.slabs.size() * static_cast<std::size_t>(p.weight_shape().size()) * sizeof(float);
    if (!plan.why.empty()) plan.primitives.clear();
    return plan;
  }

 private:
  [[nodiscard]] static std::size_t round_up(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

  dnnl::engine m_engine{dnnl::engine::kind::cpu, 0};
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
