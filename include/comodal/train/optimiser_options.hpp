// SPDX-License-Identifier: Apache-2.0
/// @file
/// The numbers of optimisers, their checks, and the learning rate of each step.
#ifndef COMODAL_TRAIN_OPTIMISER_OPTIONS_HPP
#define COMODAL_TRAIN_OPTIMISER_OPTIONS_HPP

#include <comodal/core/error.hpp>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// The numbers of optimisers; `visit_optimiser_options` says what each is. Norms, biases and gates have no weight
/// decay.
struct optimiser_options {
  std::string name = "sgd";
  double learning_rate = 0.01;
  double momentum = 0.9;
  double weight_decay = 3e-5;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double clip = 12;
  std::string schedule = "polynomial";
  double power = 0.9;
  double warm_up = 0;
};

/// Calls `visit(name, reference, help)` for every option; names are keys of the table `optimiser` of an experiment
/// file.
template <class Options, class Visit>
void visit_optimiser_options(Options& o, Visit&& visit) {
  const auto option = [&](std::string_view name, auto& value, std::string_view help) { visit(name, value, help); };
  option("name", o.name, "sgd (with Nesterov momentum) or adamw");
  option("learning_rate", o.learning_rate, "learning rate at the start; 1e-3 is usual for adamw");
  option("momentum", o.momentum, "momentum of sgd");
  option("weight_decay", o.weight_decay, "weight decay, not of norms and biases; 1e-2 is usual for adamw");
  option("beta1", o.beta1, "of adamw: decay of the mean of gradients");
  option("beta2", o.beta2, "of adamw: decay of the mean of their squares");
  option("epsilon", o.epsilon, "of adamw: what is added to the denominator");
  option("clip", o.clip, "largest norm of the whole gradient; 0: no limit");
  option("schedule", o.schedule, "how the learning rate falls: polynomial, cosine or constant");
  option("power", o.power, "exponent of the polynomial schedule");
  option("warm_up", o.warm_up, "fraction of the run over which the learning rate rises from 0");
}

/// @throws config_error naming the key that makes no sense; NaN and infinities make none
inline void check(const optimiser_options& o) {
  const auto within = [](std::string_view key, double value, double low, double high) {
    expect_option(value >= low && value <= high, text("optimiser.", key), value, text(low, " to ", high));
  };
  const auto below_one = [](std::string_view key, double value) {
    expect_option(value >= 0 && value < 1, text("optimiser.", key), value, "0 or more and less than 1");
  };
  const auto above_zero = [](std::string_view key, double value, double high) {
    expect_option(value > 0 && value <= high, text("optimiser.", key), value, text("above 0 and up to ", high));
  };
  if (o.schedule != "polynomial" && o.schedule != "cosine" && o.schedule != "constant")
    throw config_error(text("optimiser.schedule = '", o.schedule, "', expected polynomial, cosine or constant"));
  above_zero("learning_rate", o.learning_rate, 1e38);  // a float holds it
  below_one("momentum", o.momentum);
  within("weight_decay", o.weight_decay, 0, 1000);
  below_one("beta1", o.beta1);
  below_one("beta2", o.beta2);
  above_zero("epsilon", o.epsilon, 1);
  within("clip", o.clip, 0, 1e6);
  within("power", o.power, 0, 100);
  within("warm_up", o.warm_up, 0, 1);
}

/// The rate of step t of T: polynomial rate (1 - t/T)^power, cosine rate (1 + cos(pi t/T)) / 2, or constant; with a
/// linear warm-up.
/// @throws config_error for a schedule that is not known
[[nodiscard]] inline double learning_rate(const optimiser_options& o, std::uint32_t step, std::uint32_t steps) {
  const double x = static_cast<double>(step) / static_cast<double>(steps);
  double factor = 1;
  if (o.schedule == "polynomial")
    factor = std::pow(1 - x, o.power);
  else if (o.schedule == "cosine")
    factor = (1 + std::cos(3.141592653589793 * x)) / 2;
  else if (o.schedule != "constant")
    throw config_error(text("optimiser.schedule = '", o.schedule, "', expected polynomial, cosine or constant"));
  if (o.warm_up > 0 && x < o.warm_up)
    factor *= (x + 1 / static_cast<double>(steps)) / (o.warm_up + 1 / static_cast<double>(steps));
  return o.learning_rate * factor;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
