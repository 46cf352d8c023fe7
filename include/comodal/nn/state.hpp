// SPDX-License-Identifier: Apache-2.0
/// @file
/// Parameters to and from the arrays of a safetensors file.
#ifndef COMODAL_NN_STATE_HPP
#define COMODAL_NN_STATE_HPP

#include <comodal/data/safetensors.hpp>
#include <comodal/nn/parameters.hpp>

#include <algorithm>
#include <cmath>

namespace comodal::inline COMODAL_CONFIG {

/// Adds every parameter to `file` as `prefix` + its name.
template <tensor_backend Backend>
void save_parameters(const parameter_store<Backend>& from, const std::string& prefix, safetensors_file& file) {
  for (const auto& p : from.all())
    file.arrays[prefix + p.name] = named_array::of(p.value.shape(), to_host(p.value.ctx().space(), p.value.value()));
}

/// Replaces every parameter by the array `prefix` + its name. @throws io_error if one is missing or has another shape
/// or type, or holds values that are no numbers
template <tensor_backend Backend>
void load_parameters(const parameter_store<Backend>& to, const std::string& prefix, const safetensors_file& file) {
  for (const auto& p : to.all()) {
    const std::string name = prefix + p.name;
    const auto found = file.arrays.find(name);
    if (found == file.arrays.end())
      throw io_error(text("the file has no array '", name, "': it belongs to another network"));
    if (!(found->second.shape == p.value.shape()))
      throw io_error(text("array '", name, "' is ", found->second.shape.to_string(), ", the network's parameter is ",
                          p.value.shape().to_string()));
    const auto values = found->second.template values<typename Backend::scalar_type>(name);
    if (!std::all_of(values.begin(), values.end(), [](auto v) { return std::isfinite(v); }))
      throw io_error(text("array '", name,
                          "' holds NaN or infinite values: its training diverged; train again with a "
                          "lower optimiser.learning_rate"));
    p.value.assign(p.value.ctx().make(p.value.shape(), values));
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
