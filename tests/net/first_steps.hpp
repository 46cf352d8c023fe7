// SPDX-License-Identifier: Apache-2.0
/// @file
/// Runs the first optimiser steps of a method. All that the golden test needs of the library's interface stands here.
#ifndef COMODAL_TESTS_NET_FIRST_STEPS_HPP
#define COMODAL_TESTS_NET_FIRST_STEPS_HPP

#include <comodal/ssl/method_registry.hpp>
#include <comodal/train/optimiser_registry.hpp>

#include <net/batches.hpp>

#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace comodal::tests::net {

inline constexpr std::uint32_t recorded_steps = 5;

using named_numbers = std::map<std::string, double>;

/// What a run leaves behind.
struct first_steps {
  std::vector<named_numbers> steps;  // the method's scalars and `gradient_norm`, one map per step
  named_numbers gradient_norms;      // of each parameter in step 1, by path, before clipping
  named_numbers moved;               // distance from the initial weights after the last step: `student`, `teacher`
};

/// The engines that are asked for first: "" is the order of the back end.
inline const std::vector<std::string> engines_to_try{"", "host"
#if defined(COMODAL_ENABLE_ONEDNN)
                                                     ,
                                                     "onednn"
#endif
};

/// Which method runs, in which precision ("fp32" or "bf16"), and which engine is asked first.
struct run_choice {
  std::string method = "supervised";
  std::string precision = "fp32";
  std::string engine;
};

/// Three stages; the slice axis is halved once. Deep supervision adds the coarser outputs to the loss.
inline network_options network_of(const run_choice& choice) {
  network_options o;
  o.stream_channels = {4, 6, 8};
  o.fused_channels = {6, 8, 10};
  o.strides = {{2, 2, 1}, {2, 2, 2}};
  o.fusion = "gated";
  o.enhance = true;
  o.deep_supervision = true;
  o.precision = choice.precision;
  return o;
}

/// Mean Teacher's ramp rises during the five steps, the other method has its full weights from step 1 on.
inline named_options method_of(const run_choice& choice) {
  if (choice.method == "mean_teacher") return mean_teacher_options{.ramp = 0.4, .consistency = 10};
  if (choice.method == "contrastive_mutual_learning") return contrastive_mutual_learning_options{.ramp = 0};
  return choice.method;
}

/// SGD as in the trainer; `clip` is small enough to act in some of the steps.
inline optimiser_options optimiser_of_run() {
  optimiser_options o;
  o.name = "sgd";
  o.learning_rate = 0.02;
  o.clip = 1.4;
  return o;
}

/// The Euclidean norm of an array on the host.
template <class T>
double norm_of(const std::vector<T>& values) {
  double sum = 0;
  for (const T v : values) sum += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(sum);
}

/// All values of a store, one parameter after the other.
template <tensor_backend Backend>
std::vector<double> values_of(const parameter_store<Backend>& store) {
  std::vector<double> all;
  for (const auto& p : store.all()) {
    const auto part = to_host(p.value.ctx().space(), p.value.value());
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

/// The norm of each parameter's gradient by path; 0 where none arrived.
template <tensor_backend Backend>
named_numbers gradient_norms(const parameter_store<Backend>& store) {
  named_numbers norms;
  for (const auto& p : store.all())
    norms[p.name] = p.value.grad() ? norm_of(to_host(p.value.ctx().space(), p.value.grad())) : 0.0;
  return norms;
}

/// Adds noise of deviation 0.1 to every parameter, so that gates, biases and the enhancement, which begin at 0, take
/// part in step 1.
template <tensor_backend Backend>
void add_noise(const parameter_store<Backend>& store) {
  for (const auto& p : store.all()) {
    random_stream draw(9, random_purpose::test, hash_name(p.name));
    auto values = to_host(p.value.ctx().space(), p.value.value());
    for (auto& v : values) v += static_cast<float>(draw.normal(0, 0.1));
    p.value.assign(p.value.ctx().make(p.value.shape(), values));
  }
}

/// The Euclidean distance of two lists of one length.
inline double distance(std::vector<double> from, const std::vector<double>& to) {
  for (std::size_t i = 0; i < from.size(); ++i) from[i] -= to.at(i);
  return norm_of(from);
}

/// Runs `recorded_steps` steps in the trainer's order: gradients, update, averages.
inline first_steps run_first_steps(const run_choice& choice) {
  using B = mixed_backend;
  context<B> ctx;
  ctx.fallback = fallback_policy::allow;
  ctx.choose_engine(choice.engine);
  tape<B> home(ctx);
  auto method =
      make_method<B>(home, method_of(choice), network_of(choice), modalities, target_map::of_classes(classes), 7);
  const parameter_store<B>& student = *method.trained().at(0).store;
  const auto teacher = method.predictor("ema");
  add_noise(student);
  add_noise(teacher.parameters());
  const optimiser_options options = optimiser_of_run();
  auto optimiser = make_optimiser<B>(options);
  const std::vector<double> initial = values_of(student);

  first_steps result;
  for (std::uint32_t t = 0; t < recorded_steps; ++t) {
    const step_request at{t, recorded_steps};
    student.zero_grad();
    const auto values = method.step(make_batch(t), at);
    if (t == 0) result.gradient_norms = gradient_norms(student);
    const auto norm = optimiser.update(student, learning_rate(options, t, recorded_steps), t);
    method.after_update(at);
    auto& row = result.steps.emplace_back();
    for (const auto& [name, value] : values) row[name] = item(value);
    row["gradient_norm"] = item(slice(norm, 0, 0, 1));
  }
  result.moved = {{"student", distance(values_of(student), initial)},
                  {"teacher", distance(values_of(teacher.parameters()), initial)}};
  return result;
}

}  // namespace comodal::tests::net

#endif
