// SPDX-License-Identifier: Apache-2.0
/// @file
/// What nnU-Net's dataset.json (version 2) says of modalities and labels, checked.
#ifndef COMODAL_DATA_DATASET_JSON_HPP
#define COMODAL_DATA_DATASET_JSON_HPP

#include <comodal/data/cohort.hpp>
#include <comodal/data/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

inline std::vector<std::string> channel_names(const nlohmann::ordered_json& json, const std::string& name) {
  if (!json.contains("channel_names"))
    throw io_error(text(name,
                        json.contains("modality")
                            ? ": has \"modality\" (nnU-Net version 1 or Medical Segmentation Decathlon)"
                            : ": has no modalities",
                        "; expected \"channel_names\": {\"0\": \"flair\", ...}"));
  const auto& channels = json["channel_names"];
  std::vector<std::string> names;
  while (channels.is_object() && channels.contains(std::to_string(names.size()))) {
    const auto& value = channels[std::to_string(names.size())];
    if (!value.is_string()) break;
    names.push_back(value.get<std::string>());
  }
  if (names.empty() || names.size() != channels.size())
    throw io_error(
        text(name,
             ": \"channel_names\" must be an object with the keys \"0\", \"1\", ... without gaps and names as values"));
  try {
    check_modalities(names);
  } catch (const config_error& failure) {
    throw io_error(text(name, ": \"channel_names\": ", failure.what()));
  }
  return names;
}

// The description with labels by name, {"oedema": 1}, also where they stand by value, {"1": "oedema"}, as in the
// Decathlon.
inline nlohmann::ordered_json with_labels_by_name(const nlohmann::ordered_json& json, const std::string& name) {
  if (!json.is_object() || !json.contains("labels") || !json["labels"].is_object()) return json;
  auto by_name = nlohmann::ordered_json::object();
  for (const auto& entry : json["labels"].items()) {
    int value = 0;
    const std::string& key = entry.key();
    const auto [end, failure] = std::from_chars(key.data(), key.data() + key.size(), value);
    if (!entry.value().is_string() || failure != std::errc() || end != key.data() + key.size()) return json;
    const auto label = entry.value().get<std::string>();
    if (by_name.contains(label))
      throw io_error(text(name, ": \"labels\": two values are called \"", readable_name(label), "\""));
    by_name[label] = value;
  }
  nlohmann::ordered_json turned = json;
  turned["labels"] = std::move(by_name);
  return turned;
}

// The name by which nnU-Net marks the value of voxels that nobody looked at.
inline constexpr std::string_view ignore_name = "ignore";

inline std::vector<label_class> label_classes(const nlohmann::ordered_json& json, const std::string& name) {
  if (!json.contains("labels") || !json["labels"].is_object())
    throw io_error(text(name, ": has no \"labels\"; expected \"labels\": {\"background\": 0, \"tumour\": 1, ...}"));
  std::vector<label_class> classes;
  bool regions = false;
  for (const auto& entry : json["labels"].items()) {
    // Not a structured binding: clang before 19 cannot capture one in a unit with OpenMP.
    const auto& label = entry.key();
    const auto& value = entry.value();
    try {
      check_name("class", label);
    } catch (const config_error& failure) {
      throw io_error(text(name, ": \"labels\": ", failure.what()));
    }
    label_class c{label, {}};
    const auto add = [&](const nlohmann::ordered_json& number) {
      if (!number.is_number_integer() || number.get<std::int64_t>() < 0 || number.get<std::int64_t>() > 255)
        throw io_error(text(name, ": label \"", label, "\" is ", value.dump(),
                            "; expected an integer from 0 to 255, or a list of them for a region"));
      c.values.push_back(number.get<int>());
    };
    if (label == ignore_name) continue;
    if (value.is_array())
      for (const auto& number : value) add(number);
    else
      add(value);
    if (c.values.empty()) throw io_error(text(name, ": label \"", label, "\" is an empty list"));
    for (std::size_t i = 0; i < c.values.size() && c.values.size() > 1; ++i)
      if (c.values[i] == 0 || std::find(c.values.begin(), c.values.begin() + static_cast<std::ptrdiff_t>(i),
                                        c.values[i]) != c.values.begin() + static_cast<std::ptrdiff_t>(i))
        throw io_error(text(name, ": label \"", label, "\" has ", c.values[i],
                            c.values[i] == 0 ? ", the background, in its list; leave it out" : " twice in its list"));
    regions |= c.values.size() > 1;
    classes.push_back(std::move(c));
  }
  std::stable_sort(classes.begin(), classes.end(), [&](const label_class& a, const label_class& b) {
    return regions ? (a.values == std::vector{0}) > (b.values == std::vector{0}) : a.values < b.values;
  });
  if (classes.size() < 2 || classes[0].values != std::vector{0})
    throw io_error(text(name, ": \"labels\" must hold the background, 0, and at least one class"));
  for (std::size_t i = 1; !regions && i < classes.size(); ++i)
    if (classes[i].values == classes[i - 1].values)
      throw io_error(text(name, ": label \"", classes[i].name, "\" is ", classes[i].values[0], ", which \"",
                          classes[i - 1].name, "\" is, too"));
  return classes;
}

// The value of voxels that nobody looked at, if one is declared.
inline std::optional<int> ignored_value(const nlohmann::ordered_json& json, const std::vector<label_class>& classes,
                                        const std::string& name) {
  const auto labels = json.find("labels");
  if (labels == json.end() || !labels->is_object() || !labels->contains(ignore_name)) return {};
  const auto& value = (*labels)[std::string(ignore_name)];
  if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > 255)
    throw io_error(text(name, ": label \"ignore\" is ", value.dump(), "; expected an integer from 1 to 255"));
  for (const label_class& c : classes)
    if (std::find(c.values.begin(), c.values.end(), value.get<int>()) != c.values.end())
      throw io_error(text(name, ": label \"ignore\" is ", value.dump(), ", which \"", c.name, "\" is, too"));
  return value.get<int>();
}

// Why voxels would not come back as the regions that they are in; empty: they would.
inline std::string region_order_fault(const std::vector<label_class>& classes, const std::vector<int>& order) {
  const auto regions_of = [&](int value) {
    std::vector<std::size_t> regions;
    for (std::size_t r = 0; r < order.size(); ++r)
      if (const auto& values = classes[r + 1].values; std::find(values.begin(), values.end(), value) != values.end())
        regions.push_back(r);
    return regions;
  };
  for (const int value : declared_values(classes))
    if (const auto regions = regions_of(value); !regions.empty() && regions_of(order[regions.back()]) != regions)
      return text("voxels of label ", value, " would be written as ", order[regions.back()],
                  ", which is not in the same regions; declare outer regions first, and list for each a label that no "
                  "later one holds");
  return {};
}

// The label that each region is written as, where there are regions.
inline std::vector<int> region_order(const nlohmann::ordered_json& json, const std::vector<label_class>& classes,
                                     const std::string& name) {
  if (!json.contains("regions_class_order"))
    throw io_error(text(name, ": has regions; expected \"regions_class_order\", a list of ", classes.size() - 1,
                        " labels: what each region is written as, later ones over earlier ones"));
  std::vector<int> order;
  try {
    order = json_value<std::vector<int>>(json["regions_class_order"], "entry");
  } catch (const io_error& failure) {
    throw io_error(text(name, ": \"regions_class_order\" must be a list of integers (", failure.what(), ")"));
  }
  if (order.size() != classes.size() - 1)
    throw io_error(
        text(name, ": \"regions_class_order\" has ", order.size(), " labels for ", classes.size() - 1, " regions"));
  const auto declared = declared_values(classes);
  for (const int value : order)
    if (!std::binary_search(declared.begin(), declared.end(), value))
      throw io_error(text(name, ": \"regions_class_order\": ", value, " is no declared label"));
  if (const std::string words = region_order_fault(classes, order); !words.empty())
    throw io_error(text(name, ": \"regions_class_order\": ", words));
  return order;
}

}  // namespace detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
