// SPDX-License-Identifier: Apache-2.0
/// @file
/// The command `info`: what the program was built with, or what a model file holds.
#ifndef COMODAL_CLI_INFO_HPP
#define COMODAL_CLI_INFO_HPP

#include <comodal/app/network_cost.hpp>
#include <comodal/app/segmenter.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/engine/engine.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

/// Prints what convolves maps of bfloat16 here, asked for a layer of a usual size.
template <tensor_backend Backend>
void print_bfloat16_engine() {
  context<bfloat16_backend<Backend>> ctx;
  const auto& plan = engine_facts(ctx, conv3d_problem(1, {16, 16, 16}, 32, 32), direction::forward);
  std::printf("bf16: a usual convolution runs on the %s engine%s%s%s%s; processor: %s\n",
              std::string(plan.engine).c_str(), plan.algorithm.empty() ? "" : ", ", plan.algorithm.c_str(),
              plan.implementation.empty() ? "" : ", ", plan.implementation.c_str(),
              ctx.host_processor().to_string().c_str());
}

/// Prints how one window of the model's network is computed here: what its operations planned in a forward pass of
/// zeros.
template <tensor_backend Backend>
void print_engines(const model_plan& plan, const registry<Backend>& names) {
  context<Backend> ctx;
  const auto cost = app::cost_of_window(ctx, plan, names);
  std::printf("\none window: %.4g multiply-adds; on this machine (%s):\n%s", cost.multiply_adds,
              ctx.host_processor().to_string().c_str(), plan_table(ctx.planned()).c_str());
}

/// Prints what the program was built with.
template <tensor_backend Backend>
int info() {
  std::printf("comodal %s\nKokkos %s, default space %s\nhost threads %d\n", COMODAL_VERSION, kokkos_version().c_str(),
              default_space::name(), host_threads());
  const std::string device = device_name(typename Backend::space_type{});
  if (!device.empty()) std::printf("device: %s, of %d\n", device.c_str(), device_count());
  std::printf("engines: %s\n", engine_names(typename Backend::engines_type{}).c_str());
#if defined(COMODAL_ARCH_NAME)
  std::printf("instruction set: -march=%s\n", COMODAL_ARCH_NAME);
#else
  std::printf("instruction set: the compiler's default\n");
#endif
  if constexpr (mixed_precision_available_v<Backend>) print_bfloat16_engine<Backend>();
  return 0;
}

/// Prints what a model file holds. @throws io_error, config_error for a file that `predict` refuses
template <tensor_backend Backend>
int info(const std::filesystem::path& model, const registry<Backend>& names) {
  const auto content = read_model_file(model);
  const auto plan = app::plan_of_model(content, model, names);
  for (const auto& weights : plan.predictors)  // what `predict` would refuse is no model
    (void)app::segmenter<Backend>(model, weights, names);
  index parameters = 0;
  for (const auto& [name, array] : content.arrays)
    if (name.starts_with(plan.predictors.at(0) + "/") && name.find("/optimiser.") == std::string::npos &&
        !name.starts_with(plan.predictors.at(0) + "/heads."))  // outputs that a method trained with
      parameters += array.shape.size();
  std::printf("%s: %s after %u steps, seed %llu, %ld parameters, %s\nmodalities:", model.c_str(), plan.method.c_str(),
              plan.steps, static_cast<unsigned long long>(plan.seed), static_cast<long>(parameters),
              plan.network.precision.c_str());
  for (const auto& name : plan.modalities) std::printf(" %s", name.c_str());
  std::printf("\nlabels:");
  for (const auto& c : plan.labels) {
    std::printf(" %s (", c.name.c_str());
    for (const int v : c.values) std::printf("%s%d", v == c.values[0] ? "" : ", ", v);
    std::printf(")");
  }
  std::printf("\n");
  for (const auto& rule : plan.postprocess) std::printf("post-processing of %s\n", to_words(rule).c_str());
  std::printf("plan: %s\n", to_json(plan).c_str());
  print_engines(plan, names);
  return 0;
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
