// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a step of a method must leave behind, checked where a message can still name it.
#ifndef COMODAL_TRAIN_STEP_VALUES_HPP
#define COMODAL_TRAIN_STEP_VALUES_HPP

#include <comodal/ssl/method.hpp>
#include <comodal/train/log.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
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
    if (name.empty() || name == "step" || name == "rate" || name.starts_with("gradient_norm") ||
        name.starts_with("validation."))
      throw config_error(
          text("step() returns a value named '", name,
               "', expected another name: the log writes step, rate, gradient_norm and validation.* itself"));
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

// " ('contrast' is nan)": the first term of a loss that is not a number; empty where all are.
[[nodiscard]] inline std::string broken_term(const log_row& row) {
  for (const auto& [name, value] : row.values)
    if (!std::isfinite(value) && name != "loss" && !name.starts_with("gradient_norm"))
      return text(" ('", name, "' is ", value, ')');
  return {};
}

}  // namespace comodal::inline COMODAL_CONFIG::train_detail

#endif
