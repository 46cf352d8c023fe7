// SPDX-License-Identifier: Apache-2.0
/// @file
/// The weights of one model for the network of another: with the same, more or fewer modalities and classes.
#ifndef COMODAL_MODEL_TRANSFER_HPP
#define COMODAL_MODEL_TRANSFER_HPP

#include <comodal/data/safetensors.hpp>
#include <comodal/model/model_plan.hpp>
#include <comodal/nn/parameters.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What became of a network's parameters, counted in scalars.
struct transfer_summary {
  index taken = 0;  // have the other model's values
  index fresh = 0;  // keep the values that they were made with
};

namespace model_detail {

inline std::vector<std::string> parts_of(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name)
    if (c == '.')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

// Where each entry of a list of names stands in another one; -1: nowhere.
inline std::vector<index> places_of(const std::vector<std::string>& names, const std::vector<std::string>& there) {
  std::vector<index> places;
  for (const std::string& name : names) {
    const auto found = std::find(there.begin(), there.end(), name);
    places.push_back(found == there.end() ? -1 : found - there.begin());
  }
  return places;
}

// What the channels of logits stand for.
inline std::vector<std::string> channel_names_of(const model_plan& plan) {
  std::vector<std::string> names;
  for (std::size_t c = plan.has_regions() ? 1 : 0; c < plan.labels.size(); ++c) names.push_back(plan.labels[c].name);
  return names;
}

// The names of parameters in a model of other modalities.
class parameter_names {
 public:
  parameter_names(const model_plan& here, const model_plan& there)
      : m_places(places_of(here.modalities, there.modalities)),
        m_same(here.modalities == there.modalities),
        m_streams(!here.network.shared_encoder && !there.network.shared_encoder),
        m_shared(here.network.shared_encoder && there.network.shared_encoder) {}

  // Empty for a parameter of a modality that the other model lacks, or that mixes modalities by their order.
  [[nodiscard]] std::string there(const std::string& name) const {
    if (m_same) return name;
    auto parts = parts_of(name);
    const auto at_modality = [&](std::size_t part) {
      const std::string& number = parts.at(part);
      if (number.empty() || number.size() > 3 || number.find_first_not_of("0123456789") != std::string::npos)
        return std::string();
      const auto m = static_cast<std::size_t>(std::stoul(number));
      if (m >= m_places.size() || m_places[m] < 0) return std::string();
      parts[part] = std::to_string(m_places[m]);
      std::string joined;
      for (const auto& one : parts) joined += (joined.empty() ? "" : ".") + one;
      return joined;
    };
    if (parts[0] == "stream") return m_shared ? name : m_streams ? at_modality(1) : std::string();
    if (parts[0] == "branch" && parts.size() > 1) return at_modality(1);
    if (parts[0] != "fusion" || parts.size() < 4) return parts[0] == "encoder" ? std::string() : name;
    for (const std::string_view one : {"align", "gate", "key", "squeeze", "excite", "enhance_gate", "enhance"})
      if (parts[2] == one) return at_modality(3);
    return parts[2] == "join" || parts[2] == "query" ? name : std::string();
  }

 private:
  std::vector<index> m_places;
  bool m_same, m_streams, m_shared;
};

// An array of which the last axis is channels of logits, with those of other classes. Channels without one keep theirs.
template <class T>
std::vector<T> with_channels(std::vector<T> values, const std::vector<T>& there, std::size_t channels_there,
                             const std::vector<index>& places) {
  const std::size_t rows = values.size() / places.size();
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < places.size(); ++c)
      if (places[c] >= 0)
        values[r * places.size() + c] = there[r * channels_there + static_cast<std::size_t>(places[c])];
  return values;
}

}  // namespace model_detail

/// Gives the parameters of a network the values that they have in a model file: streams, branches, alignments and gates
/// by the name of their modality, channels of logits by the name of their class, all others where name and shape are
/// the same. What the other model lacks keeps its values.
/// @param here the plan of the network @param file, there the other model and its plan @param weights which of its
/// weights: "ema", "student" @param heads false: convolutions to logits keep their values
/// @throws io_error for a damaged array
template <tensor_backend Backend>
transfer_summary transfer_parameters(const parameter_store<Backend>& to, const model_plan& here,
                                     const safetensors_file& file, const model_plan& there, const std::string& weights,
                                     bool heads = true) {
  using T = typename Backend::scalar_type;
  const model_detail::parameter_names names(here, there);
  const auto classes = model_detail::channel_names_of(here), classes_there = model_detail::channel_names_of(there);
  const auto places = model_detail::places_of(classes, classes_there);
  const bool comparable = here.has_regions() == there.has_regions();
  transfer_summary summary;
  for (const auto& p : to.all()) {
    const index count = p.value.shape().size();
    summary.fresh += count;
    const std::string name = weights + "/" + names.there(p.name);
    const auto found = file.arrays.find(name);
    if (found == file.arrays.end()) continue;
    const auto parts = model_detail::parts_of(p.name);
    const bool named_head = std::find(parts.begin(), parts.end(), "head") != parts.end();
    const bool head = named_head && p.value.extent(-1) == static_cast<index>(classes.size());
    if (named_head && !head && classes != classes_there) continue;  // of something else than logits, by class
    shape wanted = p.value.shape();
    if (head) wanted.set(wanted.rank() - 1, static_cast<index>(classes_there.size()));
    if (!(found->second.shape == wanted) || (head && !(heads && comparable))) continue;
    auto values = found->second.template values<T>(name);
    if (!std::all_of(values.begin(), values.end(), [](T v) { return std::isfinite(v); }))
      throw io_error(text("array '", name, "' holds NaN or infinite values: its training diverged"));
    auto& ctx = p.value.ctx();
    if (head)
      values = model_detail::with_channels(to_host(ctx.space(), p.value.value()), values, classes_there.size(), places);
    p.value.assign(ctx.make(p.value.shape(), values));
    summary.fresh -= count;
    summary.taken += count;
  }
  return summary;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
