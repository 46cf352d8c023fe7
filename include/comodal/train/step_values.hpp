// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a step of a method must leave behind, checked where a message can still name it.
#ifndef COMODAL_TRAIN_STEP_VALUES_HPP
#define COMODAL_TRAIN_STEP_VALUES_HPP

#include <comodal/autograd/structure.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/train/log.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::train_detail {

// Reads nothing from the device. @throws config_error that names the value or the store
template <tensor_backend Backend>
void check_step(const named_scalars<Backend>& values, const std::vector<named_store<Backend>>& trained) {
  (void)loss_of(values);  // refuses values without a loss
  std::set<std::string> names;
  for (const auto& [name, value] : values) {
    if (!names.insert(name).second)
      throw config_error(text("step() returns two values named '", name, "', expected a name of its own for each"));
    if (name.empty() || name == "step" || name == "rate" || name == "skipped" || name.starts_with("gradient_norm") ||
        name.starts_with("validation."))
      throw config_error(
          text("step() returns a value named '", name,
               "', expected another name: the log writes step, rate, skipped, gradient_norm and validation.* itself"));
    if (!value)
      throw config_error(text("step() returns an empty value '", name, "', expected a scalar; leave it out instead"));
    if (value.shape().size() != 1)
      throw config_error(text("step() returns '", name, "' of the shape ", value.shape().to_string(),
                              ", expected a scalar; take its mean or sum"));
  }
  const auto reached = [](const named_store<Backend>& one) { return one.store->any_gradient(); };
  if (std::none_of(trained.begin(), trained.end(), reached)) {
    std::string stores;
    for (const auto& one : trained) stores += (stores.empty() ? "'" : ", '") + one.name + "'";
    throw config_error(text("step() left no gradient in ", stores,
                            "; call backward(loss) of the tape, on a loss that its parameters lead to"));
  }
}

// What was read of a step: the row of the log without what is not finite, and how often steps were skipped.
struct read_step {
  log_row row;
  double loss = 0;
  std::string broken;  // of a step that was skipped: names the first value that is not finite, as `broken_term` does
  std::uint32_t skipped = 0, in_a_row = 0;
};

// " ('contrast' is nan)": the first term of a loss that is not a number; empty where all are.
[[nodiscard]] inline std::string broken_term(const log_row& row) {
  for (const auto& [name, value] : row.values)
    if (!std::isfinite(value) && name != "loss" && !name.starts_with("gradient_norm"))
      return text(" ('", name, "' is ", value, ')');
  return {};
}

// Values by name and the numbers of `skipped_steps`, in one transfer.
template <tensor_backend Backend>
[[nodiscard]] read_step read_values(std::uint32_t step, double rate, const named_scalars<Backend>& values,
                                    const std::vector<variable<Backend>>& skipped) {
  std::vector<variable<Backend>> scalars;
  for (const auto& [name, value] : values) scalars.push_back(value);
  scalars.insert(scalars.end(), skipped.begin(), skipped.end());
  const auto numbers = items(scalars);
  read_step read{{step, {{"rate", rate}}}, 0, {}, 0, 0};
  for (std::size_t i = 0; i < values.size(); ++i) {
    read.row.values.emplace_back(values[i].first, numbers[i]);
    if (values[i].first == "loss") read.loss = numbers[i];
  }
  std::string broken = broken_term(read.row);
  std::erase_if(read.row.values, [](const auto& one) { return !std::isfinite(one.second); });
  read.skipped = static_cast<std::uint32_t>(numbers[values.size()]);
  read.in_a_row = static_cast<std::uint32_t>(numbers[values.size() + 1]);
  if (read.in_a_row > 0) read.broken = std::move(broken);
  if (read.skipped > 0) read.row.values.emplace_back("skipped", read.skipped);
  return read;
}

/// What a user does about a run that diverges.
inline constexpr const char* diverging_remedy =
    "; lower optimiser.learning_rate, or look for broken images with `check`";

[[noreturn]] inline void refuse_skipped(double in_a_row, std::uint32_t step, const std::string& consequence) {
  throw error(text("loss or gradient of the last ", in_a_row, " steps up to step ", step, " are not finite",
                   consequence, diverging_remedy));
}

/// @throws error if the weights or the state of a run are not finite
inline void refuse_diverged(const safetensors_file& file, std::uint32_t step) {
  const auto finite = []<class T>(const std::vector<T>& values) {
    return std::all_of(values.begin(), values.end(), [](T v) { return std::isfinite(v); });
  };
  for (const auto& [name, array] : file.arrays)
    if ((array.dtype == "F32" && !finite(array.values<float>(name))) ||
        (array.dtype == "F64" && !finite(array.values<double>(name))))
      throw error(text("'", name, "' is not finite after step ", step, ", and is not written", diverging_remedy));
}

}  // namespace comodal::inline COMODAL_CONFIG::train_detail

#endif
