// SPDX-License-Identifier: Apache-2.0
/// @file
/// Plans of cuDNN's convolutions in channels-last memory: one operation per plan, deterministic engines alone.
#ifndef COMODAL_ENGINE_CUDNN_PLANS_HPP
#define COMODAL_ENGINE_CUDNN_PLANS_HPP

#include <comodal/core/plan.hpp>
#include <comodal/engine/cudnn/adapter.hpp>
#include <comodal/engine/problem/conv3d.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

/// The most workspace that a plan may ask for, in bytes.
inline constexpr std::int64_t cudnn_workspace_limit = std::int64_t{512} << 20;
/// What pointers are aligned to, in bytes: memory of the pool is, and kernels that load 16 bytes at once ask for it.
inline constexpr std::int64_t cudnn_alignment = 16;
/// The names of the three tensors of a convolution in a call.
inline constexpr std::array<std::int64_t, 3> cudnn_tensors{'x', 'w', 'y'};

/// A convolution in one direction: an execution plan. `why` is not empty where there is none.
struct cudnn_plan {
  plan_facts facts;
  std::string why;
  std::shared_ptr<const cudnn_descriptor> plan;
  std::vector<std::shared_ptr<const cudnn_descriptor>> made_of;  // the graph and the engine's configuration
  std::size_t workspace = 0;                                     // bytes
  bool tensor_cores = false;
};

/// How numbers may be multiplied.
struct cudnn_precision {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  bool tf32 = false;  // fp32 numbers may be multiplied as TF32
};

/// Makes plans for one device.
class cudnn_planner {
 public:
  explicit cudnn_planner(cudnn_target target) : m_target(std::move(target)) {}
  [[nodiscard]] const cudnn_target& target() const { return m_target; }

  /// The first plan of cuDNN's heuristics that gives the same bytes in each run, within the workspace limit; of bf16
  /// maps of 8 channels or more, the first on tensor cores.
  [[nodiscard]] cudnn_plan make(const conv3d_problem& p, direction d, cudnn_precision precision) const;

 private:
  // A configuration of an engine, and what cuDNN says of the engine.
  struct candidate {
    cudnn_descriptor proposal, engine;
    bool tensor_cores = false, allowed = false;
  };

  [[nodiscard]] static cudnn_descriptor tensor(std::int64_t id, cudnnDataType_t type,
                                               const std::array<std::int64_t, 5>& extents);
  [[nodiscard]] static cudnn_descriptor convolution(const conv3d_problem& p);
  [[nodiscard]] cudnn_descriptor graph_of(const conv3d_problem& p, direction d, cudnnDataType_t type) const;
  [[nodiscard]] std::vector<cudnn_descriptor> proposals(const cudnn_descriptor& graph, cudnnBackendHeurMode_t mode,
                                                        std::string& why) const;
  [[nodiscard]] static candidate judged(cudnn_descriptor proposal, cudnn_precision precision);
  // Makes the plan of a candidate, if cuDNN can; else says why not.
  [[nodiscard]] bool take(candidate& c, cudnn_plan& made, std::string& why) const;
  [[nodiscard]] static std::string name_of(const cudnn_descriptor& proposal, const cudnn_descriptor& engine);

  cudnn_target m_target;
};

// (N, C, D, H, W) with the channels next to each other in memory; a filter is (out, in, KD, KH, KW).
inline cudnn_descriptor cudnn_planner::tensor(std::int64_t id, cudnnDataType_t type,
                                              const std::array<std::int64_t, 5>& extents) {
  std::array<std::int64_t, 5> strides{};
  std::int64_t step = strides[1] = 1;
  step *= extents[1];
  for (const std::size_t a : {std::size_t{4}, std::size_t{3}, std::size_t{2}, std::size_t{0}}) {
    strides[a] = step;
    step *= extents[a];
  }
  cudnn_descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::span<const std::int64_t>(extents))
      .set(CUDNN_ATTR_TENSOR_STRIDES, std::span<const std::int64_t>(strides))
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, cudnn_alignment)
      .finalise();
  return made;
}

inline cudnn_descriptor cudnn_planner::convolution(const conv3d_problem& p) {
  const auto three = [](const extent3& e) { return std::array<std::int64_t, 3>{e[0], e[1], e[2]}; };
  extent3 back = p.pad_back;  // as much as the last output reads
  const extent3 out = p.output();
  for (std::size_t a = 0; a < 3; ++a)
    back[a] = std::max<index>(
        0, (out[a] - 1) * p.stride[a] + p.dilation[a] * (p.filter[a] - 1) + 1 - p.input[a] - p.pad_front[a]);
  const auto dilation = three(p.dilation), stride = three(p.stride), pad_front = three(p.pad_front),
             pad_back = three(back);
  cudnn_descriptor made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  made.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{3})
      .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::span<const std::int64_t>(dilation))
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::span<const std::int64_t>(stride))
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, std::span<const std::int64_t>(pad_front))
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, std::span<const std::int64_t>(pad_back))
      .finalise();
  return made;
}

inline cudnn_descriptor cudnn_planner::graph_of(const conv3d_problem& p, direction d, cudnnDataType_t type) const {
  const extent3 out = p.output();
  const cudnn_descriptor x = tensor(cudnn_tensors[0], type,
                                    {p.batch, p.in_channels, p.input[0], p.input[1], p.input[2]}),
                         w = tensor(cudnn_tensors[1], type,
                                    {p.out_channels, p.in_channels / p.groups, p.filter[0], p.filter[1], p.filter[2]}),
                         y = tensor(cudnn_tensors[2], type, {p.batch, p.out_channels, out[0], out[1], out[2]}),
                         conv = convolution(p);
  // Each direction names the same things by attributes of its own.
  const auto operation = [&](cudnnBackendDescriptorType_t kind,
                             const std::array<cudnnBackendAttributeName_t, 6>& names) {
    cudnn_descriptor made(kind);
    made.set(names[0], x).set(names[1], w).set(names[2], y).set(names[3], conv).set(names[4], 1.0F).set(names[5], 0.0F);
    return std::move(made.finalise());
  };
  cudnn_descriptor made =
      d == direction::forward
          ? operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                      {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA})
      : d == direction::backward
          ? operation(
                CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA})
          : operation(
                CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA});
  cudnn_descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  m_target.name(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, made).finalise();
  return graph;
}

// Configurations of engines, what the heuristics think fastest first.
inline std::vector<cudnn_descriptor> cudnn_planner::proposals(const cudnn_descriptor& graph,
                                                              cudnnBackendHeurMode_t mode, std::string& why) const {
  cudnn_descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph).set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  m_target.describe(heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
  std::vector<cudnn_descriptor> found;
  if (!heuristics.accepted(why)) return found;
  constexpr std::size_t most = 64;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (std::size_t i = 0; i < most; ++i) raw.push_back(found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).get());
  const std::size_t count = heuristics.values(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                              std::span<cudnnBackendDescriptor_t>(raw));
  found.erase(found.begin() + static_cast<std::ptrdiff_t>(std::min(count, most)), found.end());
  return found;
}

// "engine 62, 2=1 13=0 27=8": the number of the engine, and its knobs.
inline std::string cudnn_planner::name_of(const cudnn_descriptor& proposal, const cudnn_descriptor& engine) {
  std::string name = text("engine ", engine.integer(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
  std::vector<cudnn_descriptor> knobs;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; ++i)
    raw.push_back(knobs.emplace_back(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR).get());
  const std::size_t count = proposal.values(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                            std::span<cudnnBackendDescriptor_t>(raw));
  for (std::size_t i = 0; i < std::min(count, knobs.size()); ++i) {
    std::array<cudnnBackendKnobType_t, 1> type{};
    static_cast<void>(knobs[i].values(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE,
                                      std::span<cudnnBackendKnobType_t>(type)));
    name +=
        text(i == 0 ? ", " : " ", static_cast<int>(type[0]), '=', knobs[i].integer(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
  }
  return name;
}

inline cudnn_planner::candidate cudnn_planner::judged(cudnn_descriptor proposal, cudnn_precision precision) {
  candidate made{std::move(proposal), cudnn_descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR)};
  made.proposal.descriptor(CUDNN_ATTR_ENGINECFG_ENGINE, made.engine);
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  const std::size_t count = made.engine.values(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                               std::span<cudnnBackendNumericalNote_t>(notes));
  const auto last = notes.begin() + static_cast<std::ptrdiff_t>(std::min(count, notes.size()));
  const auto has = [&](cudnnBackendNumericalNote_t note) { return std::find(notes.begin(), last, note) != last; };
  const bool whole = precision.type == CUDNN_DATA_FLOAT && !precision.tf32;
  made.tensor_cores = has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  made.allowed = !has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) &&
                 !has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) &&
                 !(whole && (made.tensor_cores || has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)));
  return made;
}

inline bool cudnn_planner::take(candidate& c, cudnn_plan& made, std::string& why) const {
  auto plan = std::make_shared<cudnn_descriptor>(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  m_target.name(*plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE);
  m_target.describe(*plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
  plan->set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, c.proposal);
  if (!plan->accepted(why)) return false;
  const std::int64_t bytes = plan->integer(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  if (bytes > cudnn_workspace_limit) {
    why = text("its plans need more than ", cudnn_workspace_limit >> 20, " MiB of workspace");
    return false;
  }
  made.workspace = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 0));
  made.tensor_cores = c.tensor_cores;
  made.facts.implementation = name_of(c.proposal, c.engine);
  made.plan = std::move(plan);
  made.made_of.push_back(std::make_shared<const cudnn_descriptor>(std::move(c.proposal)));
  made.made_of.push_back(std::make_shared<const cudnn_descriptor>(std::move(c.engine)));
  return true;
}

inline cudnn_plan cudnn_planner::make(const conv3d_problem& p, direction d, cudnn_precision precision) const {
  cudnn_plan made;
  made.why = cudnn_refusal(cudnnGetVersion(), precision.type, precision.tf32);
  if (!made.why.empty()) return made;
  const bool wide = precision.type != CUDNN_DATA_FLOAT && p.in_channels >= 8 && p.out_channels >= 8;
  try {
    const auto graph = std::make_shared<const cudnn_descriptor>(graph_of(p, d, precision.type));
    made.made_of.push_back(graph);
    std::string why = "it proposes nothing";
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
      std::vector<candidate> all;
      for (cudnn_descriptor& proposal : proposals(*graph, mode, why))
        if (candidate c = judged(std::move(proposal), precision); c.allowed) all.push_back(std::move(c));
      if (wide) std::stable_partition(all.begin(), all.end(), [](const candidate& c) { return c.tensor_cores; });
      if (std::any_of(all.begin(), all.end(), [&](candidate& c) { return take(c, made, why); })) break;
    }
    if (!made.plan) made.why = text("cuDNN has no plan for it: ", why);
  } catch (const device_error& failure) {
    made.why = failure.what();
  }
  made.facts.algorithm = made.tensor_cores ? "tensor cores" : "no tensor cores";
  made.facts.deterministic = made.facts.thread_invariant = true;
  made.facts.joined = p.part_count > 1;
  return made;
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
